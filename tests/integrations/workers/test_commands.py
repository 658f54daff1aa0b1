"""Commands of Click and Typer open a request scope, which ends with their context, and deliver at their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import click
import click.testing
import pytest
import typer
import typer.testing

from instrument import Client, MemoryDestination, Scope, Track, request_scope, tracks
from instrument.integrations import click as for_click
from instrument.integrations import typer as for_typer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instrument.testing import Recorder


class CommandScope(Scope):
    user_id: int
    room: str


class CommandRun(Track, CommandScope): ...


class CommandFailed(Track, CommandScope):
    outcome: str


FAILED = CommandFailed.from_call(outcome=lambda call: call.outcome.value)
RUN = CommandRun(user_id=7, room="attic")
seen: list[dict[str, Any]] = []


def user_of_click(context: click.Context) -> dict[str, Any]:
    return {"user_id": context.params["user"]}


def room_of_click(context: click.Context) -> dict[str, Any]:
    return {"room": context.params["room"]}


@click.group()
@click.option("--user", type=int)
@for_click.opens_scope(user_of_click)
def clicked(user: int | None) -> None:
    """Group of the commands."""


@clicked.command()
@for_click.opens_scope(room_of_click)
@click.argument("room")
@click.option("--code", type=int, default=None, help="How to exit.")
@tracks(CommandRun, failure=FAILED)
def tidy(room: str, code: int | None) -> str:
    """Tidy a room."""
    seen.append(request_scope.values())
    if code is not None:
        raise click.exceptions.Exit(code)
    return room


typed = typer.Typer()


def user_of_typer(context: typer.Context) -> dict[str, Any]:
    return {"user_id": context.params["user"]}


def room_of_typer(context: typer.Context) -> dict[str, Any]:
    return {"room": context.params["room"]}


@typed.callback()
@for_typer.opens_scope(user_of_typer)
def typed_group(context: typer.Context, user: Annotated[int, typer.Option()] = 0) -> None:
    """Group of the commands."""
    assert context.params == {"user": user}


@typed.command(name="tidy")
@for_typer.opens_scope(room_of_typer)
@tracks(CommandRun, failure=FAILED)
def typed_tidy(room: str, code: Annotated[int | None, typer.Option(help="How to exit.")] = None) -> str:
    """Tidy a room."""
    seen.append(request_scope.values())
    if code is not None:
        raise typer.Exit(code)
    return room


def run_click(*arguments: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(clicked, ["--user", "7", "tidy", "attic", *arguments])


def run_typer(*arguments: str) -> Any:
    return typer.testing.CliRunner().invoke(typed, ["--user", "7", "tidy", "attic", *arguments])


@pytest.fixture(params=[run_click, run_typer])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    seen.clear()
    found: Callable[..., Any] = request.param
    return found


def test_a_command_has_the_scope_of_its_group_and_its_own_and_leaves_none(
    tracked: Recorder, run: Callable[..., Any]
) -> None:
    assert run().exit_code == 0
    assert seen == [{"user_id": 7, "room": "attic"}]
    assert tracked.events == [RUN]
    assert request_scope.values() == {}


def test_an_exit_without_an_error_is_neither_a_success_nor_a_failure(
    tracked: Recorder, run: Callable[..., Any]
) -> None:
    assert run("--code=0").exit_code == 0
    assert tracked.events == []
    assert request_scope.values() == {}


def test_an_exit_with_an_error_is_a_failure(tracked: Recorder, run: Callable[..., Any]) -> None:
    assert run("--code=3").exit_code == 3
    assert tracked.events == [CommandFailed(user_id=7, room="attic", outcome="failure")]


def test_help_is_that_of_the_command(run: Callable[..., Any]) -> None:
    output = run("--help").output
    assert "Tidy a room." in output
    assert "--code" in output
    assert "instrument" not in output.lower()
    assert "context" not in output.lower()


def test_what_was_accepted_is_delivered_once_the_outermost_command_has_ended(tmp_path: Path) -> None:
    memory = MemoryDestination()
    client = Client(destinations=[memory], spool_dir=tmp_path, flush_timeout=30)

    @click.command()
    @for_click.opens_scope(lambda _: {"user_id": 7, "room": "attic"}, clients=[client])
    def send() -> None:
        assert client.track(CommandRun(user_id=7, room="attic"))

    click.testing.CliRunner().invoke(send, catch_exceptions=False)
    assert [message["event"] for message in memory.messages] == ["Command Run"]
    client.close()


def test_a_typer_command_delivers_too(tmp_path: Path) -> None:
    memory = MemoryDestination()
    client = Client(destinations=[memory], spool_dir=tmp_path, flush_timeout=30)
    app = typer.Typer()

    @app.command()
    @for_typer.opens_scope(clients=[client])
    def send() -> None:
        assert client.track(CommandRun(user_id=7, room="attic"))

    typer.testing.CliRunner().invoke(app, catch_exceptions=False)
    assert [message["event"] for message in memory.messages] == ["Command Run"]
    client.close()


@pytest.mark.instrument_lenient
def test_a_scope_from_that_raises_is_reported_and_the_command_runs(
    tracked: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    @click.command()
    @for_click.opens_scope(lambda context: {"user_id": context.params["none"]})
    def greet() -> None:
        click.echo("hello")

    assert click.testing.CliRunner().invoke(greet).output == "hello\n"
    assert "it raised KeyError" in caplog.text
