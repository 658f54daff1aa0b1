"""The plan knows where each message is emitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instrument.plan.collect import collect
from tests.plan.conftest import SCOPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instrument.plan.project import Project

    WriteProject = Callable[..., Project]

EVENTS = """
    from __future__ import annotations
    from instrument import Identify, Track
    from shop.scopes import UserScope

    class Began(Track, UserScope): ...
    class Ended(Track, UserScope): ...
    class Failed(Track, UserScope): ...
    class Known(Identify, UserScope): ...
"""
HEAD = """
    from __future__ import annotations
    from typing import TYPE_CHECKING
    from instrument import Client, default_client, emitting, tracks
    from shop import events
    from shop.events import Began, Ended, Failed, Known
"""


def emitted(project: Project) -> dict[str, list[tuple[str, str, int | None]]]:
    plan = collect(project)
    return {
        message.class_name: [(each.handler, each.moment, each.place.line) for each in message.emissions]
        for message in plan.messages
        if message.emissions
    }


def test_a_handler_emits_at_its_start_success_and_failure(write_project: WriteProject) -> None:
    project = write_project(
        events=EVENTS,
        handlers=HEAD
        + """
    class Worker:
        @staticmethod
        @tracks(events.Ended.from_call(), start=Began, failure=Failed)
        def work(): ...
    """,
    )
    handler = "shop.handlers:Worker.work"
    assert emitted(project) == {
        "Began": [(handler, "start", 8)],
        "Ended": [(handler, "success", 8)],
        "Failed": [(handler, "failure", 8)],
    }


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def run(client: Client):\n        client.track(Ended(user_id=7))", ("run", "direct", 8)),
        ("default_client().track(Ended(user_id=7)) if False else None", ("", "direct", 7)),
        ("async def run():\n        default_client().track(events.Ended(user_id=7))", ("run", "direct", 8)),
        ("def run(client, yes):\n        client.track(Ended(user_id=7) if yes else Ended(user_id=8))", ("run", "direct", 8)),
        ("def run(client):\n        from shop.events import Ended as E\n        client.track(E(user_id=7))", ("run", "direct", 9)),
        ("def run(client):\n        client.track(Ended.model_validate({}))", ("run", "direct", 8)),
        ("class A:\n        def b(self):\n            def c():\n                self.client.track(Ended(user_id=7))", ("A.b.<locals>.c", "direct", 10)),
        ("def run():\n        with emitting(Ended, user_id=7): ...", ("run", "success", 8)),
        ("def run():\n        with emitting(start=Ended, user_id=7): ...", ("run", "start", 8)),
        ("def make():\n        @tracks(failure=Ended)\n        def run(): ...\n        return run", ("make.<locals>.run", "failure", 8)),
        ("done = tracks(Ended)\n    @done\n    def run(): ...", ("run", "success", 8)),
        ("def plain(): ...\n    run = tracks(Ended)(plain)", ("plain", "success", 7)),
        ("if TYPE_CHECKING:\n        from shop.events import Ended as E\n    def run(client):\n        from .events import Ended as E\n        client.track(E(user_id=7))", ("run", "direct", 11)),
    ],
)  # fmt: skip
def test_it_is_found(write_project: WriteProject, code: str, found: tuple[str, str, int]) -> None:
    project = write_project(events=EVENTS, handlers=f"{HEAD}\n    {code}\n")
    name, moment, line = found
    assert emitted(project) == {"Ended": [(":".join(filter(None, ("shop.handlers", name))), moment, line)]}


@pytest.mark.parametrize(
    "code",
    [
        "def run(client):\n        client.identify(Ended(user_id=7))",
        "def run(client):\n        client.track(Known(user_id=7))",
        "def run(client, Unknown):\n        client.track(Unknown(user_id=7))",
        "def run(client):\n        client.track(dict(user_id=7))",
        "def run(train):\n        train.track(9)",
        "def run(train):\n        train.track()",
    ],
)
def test_what_emits_no_message_is_not(write_project: WriteProject, code: str) -> None:
    assert emitted(write_project(events=EVENTS, handlers=f"{HEAD}\n    {code}\n")) == {}


def test_the_code_of_others_is_not_looked_at(write_project: WriteProject) -> None:
    project = write_project(
        **{
            "events": EVENTS,
            "tests/__init__": "",
            "tests/handlers": HEAD + "\n    @tracks(Ended)\n    def run(): ...\n",
        }
    )
    assert emitted(project) == {}


def test_a_module_without_a_source_emits_what_its_handlers_do(write_project: WriteProject) -> None:
    import py_compile

    project = write_project(events=EVENTS, handlers=HEAD + "\n    @tracks(Ended)\n    def run(): ...\n")
    source = project.root / "shop" / "handlers.py"
    py_compile.compile(str(source), cfile=str(source.with_suffix(".pyc")), doraise=True)
    source.unlink()
    assert emitted(project) == {"Ended": [("shop.handlers:run", "success", 7)]}


def test_a_package_in_an_archive_emits_what_its_handlers_do(write_project: WriteProject, tmp_path: Path) -> None:
    import sys
    import zipfile

    project = write_project(events=EVENTS, handlers=HEAD + "\n    @tracks(Ended)\n    def run(): ...\n")
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in tmp_path.glob("shop/*.py"):
            packed.write(file, file.relative_to(tmp_path))
            file.unlink()
    tmp_path.joinpath("shop").rmdir()
    sys.path.insert(0, str(archive))
    try:
        assert emitted(project) == {"Ended": [("shop.handlers:run", "success", 7)]}
    finally:
        sys.path.remove(str(archive))


def test_places_in_an_installed_package_are_named_from_the_package_on(write_project: WriteProject) -> None:
    project = write_project(events=EVENTS, scopes=SCOPES)
    elsewhere = type(project)(project.root / "elsewhere", project.packages)
    import sys

    sys.path.insert(0, str(project.root))
    try:
        assert {str(each.declared) for each in collect(elsewhere).messages} == {
            "shop/events.py:5",
            "shop/events.py:6",
            "shop/events.py:7",
            "shop/events.py:8",
        }
    finally:
        sys.path.remove(str(project.root))
