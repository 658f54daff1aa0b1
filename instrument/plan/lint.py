"""The linter of tracking plans: what the rules find, without what is switched off."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from instrument.errors import InstrumentError, nearest
from instrument.messages import declared_messages
from instrument.plan.collect import collect
from instrument.plan.lint_rules import RULES
from instrument.plan.linted import LintedField, linted
from instrument.plan.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from instrument.plan.lint_settings import LintSettings
    from instrument.plan.linted import Finding, LintedMessage
    from instrument.plan.model import CodePlace
    from instrument.plan.project import Project
    from instrument.plan.sources import Comment

UNKNOWN_COMMENT: Final = "IP001"
UNUSED_COMMENT: Final = "IP002"

SUMMARIES: Final = {
    UNKNOWN_COMMENT: "a comment to the linter that cannot be understood",
    UNUSED_COMMENT: "a comment that switches off what is not found",
    **{rule.code: rule.summary for rule in RULES},
}
"""What each rule forbids, by its code."""


class LintSettingsError(InstrumentError):
    """A setting names a rule that there is not."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is shown of a finding.

    Attributes:
        place: the file, relative to the root of the project, and the line.
        code: the rule.
        text: what is wrong, and what to write instead.
        messages: the messages that it is about, by what they are called.
    """

    file: str
    line: int
    code: str
    text: str
    messages: tuple[str, ...] = ()


def lint(project: Project) -> list[Problem]:
    """Import the packages of a project, and look for what its settings select.

    Args:
        project: the project, with its settings.

    Returns:
        The problems, by file and line.

    Raises:
        ImportFailuresError: a module cannot be imported.
        UnplannableError: a class names a type that is not defined.
        LintSettingsError: a setting names a rule that there is not.
    """
    check_settings(project.lint)
    plan = collect(project)
    sources = Sources(project)
    classes = [each for each in declared_messages() if project.owns(each.__module__)]
    whole = linted(plan, classes, project, sources)
    switches = _Switches(project.lint)
    found = [finding for rule in RULES for finding in rule.check(whole)]
    problems = [_problem(each, messages) for each in found for messages in [switches.left(each)] if messages]
    return sorted([*problems, *switches.comment_problems(sources)])


def check_settings(settings: LintSettings) -> None:
    """Check that settings name rules.

    Raises:
        LintSettingsError: one does not.
    """
    everywhere = {"select": settings.select, "ignore": settings.ignore, **settings.per_event_ignores}
    for setting, codes in everywhere.items():
        for code in codes:
            if not any(each.startswith(code) for each in SUMMARIES) or not code:
                raise LintSettingsError(f"{setting}: there is no rule {code!r}{nearest(code, SUMMARIES)}")


class _Switches:
    """What is switched off: by the settings, and by comments, of which it keeps those that were of use."""

    def __init__(self, settings: LintSettings) -> None:
        self._settings = settings
        self._used: set[tuple[Comment, str]] = set()

    def left(self, finding: Finding) -> Sequence[LintedMessage]:
        """Return the messages of a finding for which it is not switched off."""
        if not self._is_on(finding.code):
            return ()
        left = [each for each in finding.messages if not self._is_ignored_for(finding.code, each)]
        if not left:
            return ()
        used = [
            (comment, code)
            for comment in finding.about.located.comments
            for code in comment.codes
            if finding.code.startswith(code)
        ]
        self._used.update(used)
        return () if used else left

    def comment_problems(self, sources: Sources) -> Iterator[Problem]:
        """Find comments that say nothing, or nothing of use."""
        for comment, place in sources.comments():
            unknown = [code for code in comment.codes if not any(each.startswith(code) for each in SUMMARIES)]
            if not comment.codes:
                text = "write `# instrument: ignore[IP101]`, with the codes of the rules"
                yield from self._comment_problem(UNKNOWN_COMMENT, place, text)
            for code in unknown:
                text = f"there is no rule {code}{nearest(code, SUMMARIES)}"
                yield from self._comment_problem(UNKNOWN_COMMENT, place, text)
            for code in comment.codes:
                selected = any(each.startswith(code) and self._is_on(each) for each in SUMMARIES)
                if code not in unknown and selected and (comment, code) not in self._used:
                    text = f"{code} is not found here: remove the comment"
                    yield from self._comment_problem(UNUSED_COMMENT, place, text)

    def _comment_problem(self, code: str, place: CodePlace, text: str) -> Iterator[Problem]:
        if self._is_on(code):
            yield Problem(place.file, place.line or 0, code, text)

    def _is_on(self, code: str) -> bool:
        return _longest(code, self._settings.select) > _longest(code, self._settings.ignore)

    def _is_ignored_for(self, code: str, message: LintedMessage) -> bool:
        planned = message.planned
        names = (planned.title, planned.class_name, f"{planned.module}:{planned.class_name}")
        return any(
            _longest(code, codes) > 0
            for pattern, codes in self._settings.per_event_ignores.items()
            if any(fnmatchcase(name, pattern) for name in names)
        )


def _longest(code: str, prefixes: Iterable[str]) -> int:
    """Return how much of a code is named by one of some prefixes: the more, the more it was meant."""
    return max((len(each) for each in prefixes if code.startswith(each)), default=0)


def _problem(finding: Finding, messages: Sequence[LintedMessage]) -> Problem:
    place = finding.about.located.place
    text = finding.text
    if isinstance(finding.about, LintedField) and len(messages) > 1:
        text += f" (in {len(messages)} messages)"
    titles = tuple(each.title for each in messages)
    return Problem(place.file, place.line or 0, finding.code, text, titles)
