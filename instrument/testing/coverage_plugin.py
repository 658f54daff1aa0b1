"""Event coverage in a run of pytest: observed in every process of it, reported by the one that the user started."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from instrument.testing.coverage import Coverage, Findings, Observer
from instrument.testing.coverage_report import failed_threshold, to_html, to_json, to_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

_OUTPUT_KEY = "instrument_event_coverage"
"""Under which a worker of pytest-xdist tells the controller its findings."""

_FILES: dict[str, Callable[[Coverage, Path], str]] = {"json": to_json, "html": to_html}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for.

    Attributes:
        packages: what to limit it to.
        reports: `term`, `json:FILE`, `html:FILE`.
        fail_under: how many percent are enough, `None` where any are.
    """

    packages: tuple[str, ...]
    reports: tuple[str, ...]
    fail_under: float | None


class EventCoverage:
    """The part of the plugin that is there only when it is asked for.

    Args:
        config: of the test run.
        wanted: what the user asked for.
    """

    def __init__(self, config: pytest.Config, wanted: Wanted) -> None:
        self._config = config
        self._wanted = wanted
        self._observer = Observer()
        self._stack = ExitStack()
        self._stack.enter_context(self._observer.observing())
        self._from_workers: dict[str, str | None] = {}
        self._coverage: Coverage | None = None
        self._written: list[str] = []
        self._failures: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Report when the tests have run; a run that is stopped has no coverage that would mean something."""
        result = yield
        if not self._is_worker and not self._config.option.collectonly:
            self._coverage = self._sum_up()
            self._write(self._coverage)
            self._check(self._coverage)
            session.testsfailed += bool(self._failures)  # by which pytest chooses its exit status
        return result

    def pytest_sessionfinish(self) -> None:
        """Tell the controller what this worker has seen."""
        if self._is_worker:
            output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
            output[_OUTPUT_KEY] = self._observer.findings(self._wanted.packages).to_json()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear from a worker that ended what it has seen."""
        self._from_workers[node.gateway.id] = getattr(node, "workeroutput", {}).get(_OUTPUT_KEY)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the report."""
        if self._config.option.collectonly:
            return
        if self._coverage is None:
            terminalreporter.write_line("event coverage: no report, since the run ended before its tests did")
            return
        if "term" in self._wanted.reports:
            terminalreporter.write_sep("=", "event coverage")
            for line in to_lines(self._coverage, self._config.rootpath):
                terminalreporter.write_line(line)
            terminalreporter.write_line("")
        for line in self._written:
            terminalreporter.write_line(line)
        for line in self._failures:
            terminalreporter.write_line(f"FAIL {line}", red=True, bold=True)

    def pytest_unconfigure(self) -> None:
        """Observe no longer."""
        self._stack.close()

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workeroutput")

    def _sum_up(self) -> Coverage:
        findings = self._observer.findings(self._wanted.packages)
        told = [each for each in self._from_workers.values() if each is not None]
        for each in told:
            findings |= Findings.from_json(each)
        return Coverage.of(findings, self._wanted.packages, lost=len(self._from_workers) - len(told))

    def _write(self, coverage: Coverage) -> None:
        for report in self._wanted.reports:
            kind, _, name = report.partition(":")
            if kind not in _FILES:
                continue
            # From where pytest was started: a test may have gone elsewhere.
            file = self._config.invocation_params.dir / name
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(_FILES[kind](coverage, self._config.rootpath), encoding="utf-8")
            except OSError as error:
                self._failures.append(f"Event coverage cannot be written to {name}: {error.strerror}.")
            else:
                self._written.append(f"Event coverage written to {name}")

    def _check(self, coverage: Coverage) -> None:
        if self._wanted.fail_under is None:
            return
        reason = failed_threshold(coverage, self._wanted.fail_under)
        if reason is not None:
            self._failures.append(f"Event coverage: {reason}.")
