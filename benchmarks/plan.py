"""What a large plan costs: `python -m benchmarks.plan [--messages 2000]`.

Writes a package with so many events and handlers, and measures what a command does with it, part by part; and, where
there is a browser, how long its page takes to answer a search.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.table import aligned
from instrument.cli.plan_options import without_garbage_collection
from instrument.plan.check import PlanChecker
from instrument.plan.collect import collect
from instrument.plan.exports.code_links import CodeLinks
from instrument.plan.exports.example_values import example
from instrument.plan.exports.forms import Form, exported
from instrument.plan.imports import import_packages
from instrument.plan.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import CDPSession, Page

    from instrument.plan.model import Plan

    Row = tuple[str, str, str]

_MODULES = 20
_HEAD = """\
from __future__ import annotations

from typing import Literal

from instrument import Scope, Track, tracks
from pydantic import Field


class UserScope{module}(Scope):
    user_id: int


class ProjectScope{module}(UserScope{module}):
    project_id: int = Field(serialization_alias="proj_id")
"""
_EVENT = '''

class Invoice{number}Paid(Track, ProjectScope{module}):
    """Invoice {number} was paid, by whoever got it."""

    amount: int = Field(ge=0, description="In cents.")
    method: Literal["card", "transfer"] = "card"
    reference: str
    payer: str | None = None
    tags: list[str] = []


@tracks(Invoice{number}Paid)
def pay_{number}(amount: int, reference: str) -> None: ...
'''
# From what is typed until the frame after it.
_ANSWER = """
async (text) => {
  const field = document.getElementById("text");
  const start = performance.now();
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - start;
}
"""
_SEARCHES = ("i", "in", "invoice", "invoice 1", "invoice 19", "invoice 1999", "nothing", "", "pay_77", "")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan", description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        rows = list(_measured(root, parser.parse_args().messages))
    print(aligned(("what", "seconds", "of which on the processor"), rows))


def _measured(root: Path, messages: int) -> Iterator[Row]:
    _write(root / "plan_shop", messages)
    project = Project(root, ("plan_shop",))
    for form in (Form.PLAN, Form.HTML):
        yield _commanded(root, form)
    with without_garbage_collection():
        watch = _Watch()
        import_packages(project)
        yield watch.row(f"importing {messages:,} events, each with a handler")
        watch = _Watch()
        plan = collect(project)
        yield watch.row("making the plan of what is imported")
    for form in Form:
        watch = _Watch()
        text = exported(plan, form, CodeLinks())
        yield watch.row(f"{form.value}, {len(text.encode()) / 1e6:.1f} MB")
    yield from _checked(plan)
    yield from _searched(root, plan)


def _write(package: Path, messages: int) -> None:
    package.mkdir()
    package.joinpath("__init__.py").touch()
    for module in range(_MODULES):
        numbers = range(module, messages, _MODULES)
        source = _HEAD.format(module=module) + "".join(_EVENT.format(number=each, module=module) for each in numbers)
        package.joinpath(f"events_{module}.py").write_text(source, encoding="utf-8")


def _commanded(root: Path, form: Form) -> Row:
    """Measure the whole of a command, in a process of its own."""
    arguments = ("plan", "export", "--package", "plan_shop", "--project", root, "--format", form.value)
    watch = _Watch(of=resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "instrument.cli", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return watch.row(f"instrument plan export --format {form.value}")


def _checked(plan: Plan) -> Iterator[Row]:
    envelopes = [example(each) for each in plan.messages]
    checker = PlanChecker(plan)
    for what in ("first", "again"):
        watch = _Watch()
        assert not any(map(checker.check, envelopes))
        yield watch.row(f"checking {len(envelopes):,} envelopes, {what}")


def _searched(root: Path, plan: Plan) -> Iterator[Row]:
    from tests.browsers import installed_browser, launched_browser  # noqa: PLC0415 - needs a browser

    executable = installed_browser()
    if executable is None:
        sys.stderr.write("No browser was found: the page's search was not measured.\n")
        return
    file = root / "plan.html"
    file.write_text(exported(plan, Form.HTML, CodeLinks()), encoding="utf-8")
    with launched_browser(executable) as browser:
        page = browser.new_page()
        watch = _Watch()
        page.goto(file.as_uri())
        yield watch.row("opening the page")
        yield from _answers(page)


def _answers(page: Page) -> Iterator[Row]:
    devtools = page.context.new_cdp_session(page)
    # What other programs take of the processor is not the page's.
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    answers: list[tuple[float, float]] = []
    for text in _SEARCHES * 5:
        before = _taken(devtools)
        answers.append((page.evaluate(_ANSWER, text) / 1_000, _taken(devtools) - before))
    for what, number in (("median", len(answers) // 2), (f"slowest of {len(answers)}", -1)):
        wall, processor = (sorted(each)[number] for each in zip(*answers, strict=True))
        yield f"a search until it is painted, {what}", f"{wall:.3f}", f"{processor:.3f}"


def _taken(devtools: CDPSession) -> float:
    """Return the seconds that the page's thread has worked."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


class _Watch:
    """Measures from when it was made."""

    def __init__(self, of: int = resource.RUSAGE_SELF) -> None:
        self._of = of
        self._wall, self._processor = perf_counter(), self._spent()

    def row(self, what: str) -> Row:
        return what, f"{perf_counter() - self._wall:.3f}", f"{self._spent() - self._processor:.3f}"

    def _spent(self) -> float:
        """Return the seconds on the processor: of this process, or of those that it has waited for."""
        usage = resource.getrusage(self._of)
        return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
