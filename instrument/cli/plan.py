"""`instrument plan`: what an application may send, where it does, and whether what was sent is that."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from instrument.cli import plan_adopt, plan_codegen, plan_diff, plan_lint, text
from instrument.cli.options import AsJson  # noqa: TC001 - Typer reads it
from instrument.cli.plan_options import (
    Exclude,
    Packages,
    PlanFile,
    ProjectDir,
    collected,
    extra_installed,
    project_of,
    read_plan,
    without_garbage_collection,
)
from instrument.plan.exports.code_links import CodeLinks
from instrument.plan.exports.files import write, write_all
from instrument.plan.exports.forms import Form, exported, exported_files

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from instrument.plan.check import PlanChecker
    from instrument.plan.model import Plan, PlannedMessage
    from instrument.plan.violations import Violation

app: Final = typer.Typer(
    help="Look at the tracking plan, which is what the classes declare. Without a command: list every message, and "
    "where it is emitted."
)
app.command("adopt")(plan_adopt.adopt)
app.command("codegen")(plan_codegen.codegen)
app.command("diff")(plan_diff.diff_plans)
app.command("lint")(plan_lint.lint_plan)

_HEADINGS = ("type", "name", "scopes", "properties", "owner", "emitted", "at")
_STDIN = Path("-")


@app.callback(invoke_without_command=True)
def list_messages(
    context: typer.Context,
    *,
    packages: Packages = None,
    exclude: Exclude = None,
    directory: ProjectDir = Path(),
    as_json: AsJson = False,
) -> None:
    """List every message that the packages declare, and where it is emitted.

    Exits with 2 where a module cannot be imported.
    """
    context.with_resource(without_garbage_collection())
    if context.invoked_subcommand is not None:
        if packages or exclude or as_json:
            raise typer.BadParameter(f"write the options after {context.invoked_subcommand}, which they are for")
        return
    plan = collected(project_of(packages, exclude, directory))
    if as_json:
        text.say_json(plan.model_dump(mode="json", exclude_defaults=True))
        return
    if plan.messages:
        text.say_table(_HEADINGS, [row for each in plan.messages for row in _rows(each)])
    nowhere = sum(not each.emissions for each in plan.messages)
    text.say(f"{text.counted(len(plan.messages), 'message')}, {nowhere} of them emitted nowhere.")


@app.command()
def check(
    events: Annotated[Path, typer.Argument(help="A file with one envelope a line, as JSON; - for standard input.")],
    *,
    plan_file: PlanFile = None,
    packages: Packages = None,
    exclude: Exclude = None,
    directory: ProjectDir = Path(),
    as_json: AsJson = False,
) -> None:
    """Check what was sent against the plan. No value of it is shown.

    Exits with 1 where something differs.
    """
    with extra_installed():
        from instrument.plan.check import PlanChecker  # noqa: PLC0415 - of an extra
    plan = collected(project_of(packages, exclude, directory)) if plan_file is None else read_plan(plan_file)
    checker = PlanChecker(plan)
    lines = 0
    found: list[tuple[int, Violation]] = []
    with _opened(events) as stream:
        for lines, line in enumerate(stream, start=1):
            found += [(lines, each) for each in _violations(checker, line)]
    if as_json:
        text.say_json({"lines": lines, "violations": [_violation_json(line, each) for line, each in found]})
    else:
        for number, violation in found:
            text.complain(f"{events}:{number}: {violation}")
        wrong = len({number for number, _ in found})
        text.say(f"{text.counted(lines, 'line')}, {wrong} of them with violations of the plan.")
    if found:
        raise typer.Exit(1)


@app.command()
def export(
    form: Annotated[Form, typer.Option("--format", help="As what.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file, written only if it changes; with json-schema also a directory, for one file a message. "
            "By default standard output.",
            show_default=False,
        ),
    ] = None,
    only_check: Annotated[
        bool, typer.Option("--check", help="Write nothing, and exit with 1 if the output is not as it would be.")
    ] = False,
    source_url: Annotated[
        str | None,
        typer.Option(
            "--source-url",
            help="Where pages link to: an address with {file} and {line}. By default the files beside the page.",
            show_default=False,
        ),
    ] = None,
    plan_file: PlanFile = None,
    packages: Packages = None,
    exclude: Exclude = None,
    directory: ProjectDir = Path(),
    name: Annotated[str | None, typer.Option("--name", help="What the plan is called.", show_default=False)] = None,
) -> None:
    """Write the plan as what others read. The same plan gives the same bytes, wherever it is made."""
    if only_check and output is None:
        raise typer.BadParameter("--check compares with a file: name it by --output")
    project = project_of(packages, exclude, directory, name) if plan_file is None else None
    links = _links(source_url, output, directory if project is None else project.root)
    plan = read_plan(cast("Path", plan_file)) if project is None else collected(project)
    with extra_installed():
        texts = _texts(plan, form, links, output)
    if output is None:
        sys.stdout.buffer.write(texts[""].encode())
        return
    try:
        changed = _write(output, texts, dry=only_check)
    except OSError as error:
        raise typer.BadParameter(f"{error.filename or output} cannot be written: {error.strerror}") from None
    for each in changed:
        text.say(f"{each} {'is not as the plan is' if only_check else 'written' if each.exists() else 'removed'}")
    if changed and only_check:
        raise typer.Exit(1)


def _links(source_url: str | None, output: Path | None, root: Path) -> CodeLinks:
    try:
        return CodeLinks.beside(output, root) if source_url is None else CodeLinks(source_url)
    except ValueError as error:
        raise typer.BadParameter(f"--source-url: {error}") from None


def _texts(plan: Plan, form: Form, links: CodeLinks, output: Path | None) -> Mapping[str, str]:
    """Return what is to be written: by name below a directory, or one text without a name."""
    several = output is not None and form is Form.JSON_SCHEMA and (output.is_dir() or not output.suffix)
    return exported_files(plan) if several else {"": exported(plan, form, links)}


def _write(output: Path, texts: Mapping[str, str], *, dry: bool) -> Sequence[Path]:
    if "" not in texts:
        return write_all(output, texts, dry=dry)
    return [output] if write(output, texts[""], dry=dry) else []


def _rows(message: PlannedMessage) -> Iterator[list[object]]:
    """Make a row for each place that emits the message; what is the same is said in the first."""
    properties = ", ".join(each.key + ("" if each.required else "?") for each in message.properties)
    head = [message.kind, message.title, ", ".join(message.scopes), properties, message.owner or ""]
    # The file tells the module.
    places = [(f"{each.moment}: {each.handler.partition(':')[2]}", each.place) for each in message.emissions]
    for number, place in enumerate(places or [("", "")]):
        yield [*(head if number == 0 else [""] * len(head)), *place]


@contextmanager
def _opened(file: Path) -> Generator[BinaryIO]:
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None
    with stream:
        yield stream


def _violations(checker: PlanChecker, line: bytes) -> Iterable[Violation]:
    from instrument.plan.violations import Violation, Wrong  # noqa: PLC0415 - as above

    if not line.strip():
        return ()
    try:
        envelope: Any = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return (Violation(Wrong.INVALID, "", "the line is no JSON"),)
    if not isinstance(envelope, dict):
        return (Violation(Wrong.INVALID, "", "the line is no JSON object"),)
    return checker.check(cast("dict[str, Any]", envelope))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _violation_json(line: int, violation: Violation) -> dict[str, Any]:
    return {"line": line, "wrong": violation.wrong.value, "path": violation.path, "reason": violation.reason}
