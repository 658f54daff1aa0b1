"""Click and Typer see a decorated command as the function under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import click
import click.testing
import pytest
import typer
import typer.testing

from instrument import Scope, Track, tracks

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.testing import Recorder


class CliScope(Scope):
    user_id: int


class CliRun(Track, CliScope):
    count: int


class CliFailed(Track, CliScope):
    count: int
    outcome: str


runs = tracks(CliRun, failure=CliFailed.from_call(outcome=lambda call: call.outcome.value))
RUN = CliRun(user_id=7, count=2)


@click.group()
def clicked() -> None:
    """Group of the commands."""


@clicked.command()
@click.argument("user_id", type=int)
@click.option("--count", default=1, help="How often.")
@runs
def greet(user_id: int, count: int) -> None:
    """Greet a user."""
    if count == 0:
        raise click.UsageError("nobody to greet")
    if count < 0:
        raise ValueError(count)
    click.echo("hello " * count)


@clicked.command()
@runs
@click.argument("user_id", type=int)
@click.option("--count", default=1, help="How often.")
def greet_below(user_id: int, count: int) -> None:
    """Greet a user."""
    click.echo("hello " * count)


@clicked.command()
@click.argument("user_id", type=int)
@click.option("--count", default=1)
@click.pass_context
@runs
def greet_in_context(context: click.Context, user_id: int, count: int) -> None:
    click.echo("hello " * count)
    context.exit(count if count > 2 else 0)


@clicked.command()
@click.argument("user_id", type=int)
@click.option("--count", default=1)
@runs
@click.pass_context
def greet_in_context_below(context: click.Context, user_id: int, count: int) -> None:
    click.echo("hello " * count)


typed = typer.Typer()


@typed.command()
@runs
def welcome(user_id: int, count: Annotated[int, typer.Option(help="How often.")] = 1) -> None:
    """Welcome a user."""
    if count == 0:
        raise typer.BadParameter("nobody to welcome")
    typer.echo("hello " * count)


@typed.command()
def other() -> None:
    """Make the application a group."""


def run_click(*arguments: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(clicked, arguments)


def run_typer(*arguments: str) -> Any:
    return typer.testing.CliRunner().invoke(typed, arguments)


RUNS: dict[str, Callable[[], Any]] = {
    "click": lambda: run_click("greet", "7", "--count", "2"),
    "click, above the options": lambda: run_click("greet-below", "7", "--count=2"),
    "click, below pass_context": lambda: run_click("greet-in-context-below", "7", "--count=2"),
    "typer": lambda: run_typer("welcome", "7", "--count", "2"),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_decorated_command_runs_and_emits(tracked: Recorder, run: Callable[[], Any]) -> None:
    result = run()
    assert (result.exit_code, result.output) == (0, "hello hello \n")
    assert tracked.events == [RUN]


@pytest.mark.parametrize("command", ["greet", "greet-below"])
def test_help_is_that_of_the_function(command: str) -> None:
    result = run_click(command, "--help")
    assert result.exit_code == 0
    assert "Greet a user." in result.output
    assert "--count INTEGER  How often." in result.output


def test_help_of_a_typer_command_is_that_of_the_function() -> None:
    result = run_typer("welcome", "--help")
    assert result.exit_code == 0
    assert "Welcome a user." in result.output
    assert "How often." in result.output


@pytest.mark.parametrize("run", [lambda: run_click("greet", "none"), lambda: run_typer("welcome", "none")])
def test_wrong_arguments_never_reach_the_command(tracked: Recorder, run: Callable[[], Any]) -> None:
    assert run().exit_code == 2
    assert tracked.events == []


@pytest.mark.parametrize(
    "run", [lambda: run_click("greet", "7", "--count=0"), lambda: run_typer("welcome", "7", "--count=0")]
)
def test_a_usage_error_exits_as_ever_and_emits_the_failure(tracked: Recorder, run: Callable[[], Any]) -> None:
    assert run().exit_code == 2
    assert tracked.events == [CliFailed(user_id=7, count=0, outcome="failure")]


def test_an_exception_of_a_command_goes_on(tracked: Recorder) -> None:
    result = run_click("greet", "7", "--count=-1")
    assert type(result.exception) is ValueError
    assert tracked.events == [CliFailed(user_id=7, count=-1, outcome="failure")]


def test_an_exit_with_a_code_is_a_failure(tracked: Recorder) -> None:
    assert run_click("greet-in-context", "7", "--count=3").exit_code == 3
    assert tracked.events == [CliFailed(user_id=7, count=3, outcome="failure")]


def test_an_exit_without_a_code_can_be_made_a_success_by_failed_if(tracked: Recorder) -> None:
    def is_failure(call: Any) -> bool:
        return not isinstance(call.error, click.exceptions.Exit) or call.error.exit_code != 0

    @click.command()
    @click.argument("user_id", type=int)
    @tracks(
        CliRun.from_call(count=lambda _: 2),
        failure=CliFailed.from_call(count=lambda _: 2, outcome=lambda _: "failure"),
        failed_if=is_failure,
    )
    def leave(user_id: int) -> None:
        click.get_current_context().exit()

    assert click.testing.CliRunner().invoke(leave, ["7"]).exit_code == 0
    assert tracked.events == [RUN]


def test_a_command_over_a_decorated_command_keeps_its_name() -> None:
    assert set(clicked.commands) == {"greet", "greet-below", "greet-in-context", "greet-in-context-below"}
