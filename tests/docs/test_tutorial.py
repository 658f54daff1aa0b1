"""The tutorial, followed to the letter: its files are written, its commands run, and its outputs compared."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.docs.documents import ROOT, blocks, unchanging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docs.documents import Block

pytestmark = pytest.mark.instrument_delivery

_PATIENCE = 30.0
_DIRECTORY = "/home/you/shop"
_SECONDS = re.compile(r"\bin \d+\.\d+s\b")
_AS_IN_A_NEW_ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p instrument_pytest"}
"""The reader has no plugin of pytest but ours."""


class Follower:
    """Somebody who follows a document in a directory of their own; its ports are others, as these may be taken."""

    def __init__(self, directory: Path, background: ExitStack) -> None:
        self.directory = directory
        self.printed = ""
        self.ports: dict[str, int] = {}
        self._background = background
        scripts = str(Path(sys.executable).parent)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("INSTRUMENT_", "PYTEST_"))},
            "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
            **_AS_IN_A_NEW_ENVIRONMENT,
            "XDG_STATE_HOME": str(directory / "state"),
        }

    def follow(self, block: Block) -> None:
        kind, _, what = block.comment.partition(": ")
        if kind == "write":
            (self.directory / what).write_text(block.code, encoding="utf-8")
        elif kind == "run":
            self.printed = self._run(block.code)
        elif kind == "background":
            self._start(block.code, what)
        elif kind == "output":
            printed = self.printed.replace(str(self.directory), _DIRECTORY)
            assert _comparable(printed) == _comparable(block.code), f"{block.document}:{block.line}"

    def _run(self, code: str) -> str:
        ran = subprocess.run(
            ["sh", "-e", "-c", self._ported(code)],
            cwd=self.directory,
            env={**self._environment, **self._debug_port()},
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def _start(self, code: str, port: str) -> None:
        self.ports[port] = _free_port()
        process = self._background.enter_context(
            subprocess.Popen(
                ["sh", "-c", f"exec {self._ported(code)}"],
                cwd=self.directory,
                env={**self._environment, **self._debug_port()},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        self._background.callback(process.terminate)
        _until_it_listens(self.ports[port])

    def _debug_port(self) -> dict[str, str]:
        return {"INSTRUMENT_DEBUG_PORT": str(self.ports["8765"])} if "8765" in self.ports else {}

    def _ported(self, code: str) -> str:
        for shown, taken in self.ports.items():
            code = code.replace(shown, str(taken))
        return code


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower]:
    with ExitStack() as background:
        yield Follower(tmp_path, background)


def test_who_follows_the_tutorial_gets_what_it_shows(follower: Follower) -> None:
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        follower.follow(block)
    address = f"http://127.0.0.1:{follower.ports['8765']}/api/events?after=0&limit=10"
    events = requests.get(address, timeout=_PATIENCE).json()["events"]
    assert [(event["name"], event["status"]) for event in events] == [
        ("Order Placed", "valid"),
        ("Order Placed", "valid"),
        ("Order Failed", "valid"),
    ]


def _comparable(output: str) -> str:
    return _SECONDS.sub("in <time>", unchanging(output))


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on port {port}")
