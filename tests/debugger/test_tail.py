"""`instrument tail`: what the debugger is shown, in the terminal."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from instrument.cli.app import app
from instrument.debugger.catalog import Catalog
from instrument.debugger.server import Debugger
from tests.debugger.asked import Asked
from tests.debugger.declared import DECLARED
from tests.debugger.processes import running

if TYPE_CHECKING:
    from collections.abc import Callable


def order(**properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Checked Order",
        "userId": "7",
        "messageId": json.dumps(properties),
        "properties": {"shop": 3, "amount": 12, "note": None, **properties},
    }


def test_it_shows_what_is_there_and_what_comes_as_text_alone_and_ends_cleanly(start: Callable[..., Asked]) -> None:
    debugger = start(Catalog(DECLARED))
    debugger.send(order())
    evil = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\r\n"
    fate = {"status": "dropped", "reason": evil}
    with running("instrument.cli", "tail", "--port", str(debugger.port), FORCE_COLOR="") as tail:
        tail.wait_for(lambda lines: len(lines) == 1)
        debugger.send(
            order(amount="much"),
            {"type": "track", "event": "Strange", "userId": "8"},
            {"type": "track", "event": evil, "userId": evil, "context": {"instrument": {"fate": fate}}},
        )
        lines = tail.wait_for(lambda lines: len(lines) == 7)
        assert tail.interrupt() == 0
    escaped = r"\x1b]0;title\x07\x1b[2J\x9b31m\u202e\r\n"
    assert [re.sub(r"^[\d:.]+ +", "", line) for line in lines] == [
        "valid   track     Checked Order  user=7  shop_id=3",
        "invalid track     Checked Order  user=7  shop_id=3",
        "    properties.amount: it should be of type integer, not string",
        "unknown track     Strange  user=8",
        "    event: the plan has no track of this name",
        f"dropped track     {escaped}  user={escaped}",
        f"    {escaped}",
    ]


def test_it_waits_for_the_debugger_and_goes_on_after_its_restart() -> None:
    with Debugger(port=0) as first:
        port = int(first.url.rpartition(":")[2])
    with running("instrument.cli", "tail", "--port", str(port), "--json") as tail:
        tail.wait_for(lambda lines: len(lines) == 1 and lines[0].startswith("Waiting for the debugger at http://"))
        for user in ("7", "8"):
            with Debugger(port=port) as debugger:
                Asked(debugger.url).send({"type": "identify", "userId": user})
                lines = tail.wait_for(partial(_has, f'"user": "{user}"'))
        assert tail.interrupt() == 0
    assert [(json.loads(line)["seq"], json.loads(line)["user"]) for line in lines[1:]] == [(1, "7"), (1, "8")]


def _has(part: str, lines: list[str]) -> bool:
    return any(part in line for line in lines)


def test_filters_choose_by_any_part_of_a_record_and_a_reader_may_have_enough(start: Callable[..., Asked]) -> None:
    debugger = start(Catalog(DECLARED))
    chosen = ["--filter", "name=Checked*", "--filter", "scope.shop_id=4", "--filter", "status=valid"]
    tail = subprocess.Popen(
        [sys.executable, "-m", "instrument.cli", "tail", "--port", str(debugger.port), "--json", *chosen],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert tail.stdout is not None
    assert tail.stderr is not None
    debugger.send(order(shop=3), order(shop=4, amount="much"), order(shop=4, note="caf\u00e9\x9b"))
    line = tail.stdout.readline()
    tail.stdout.close()
    debugger.send(order(shop=4, note="more"))
    assert tail.wait(30) == 0
    assert tail.stderr.read() == b""
    tail.stderr.close()
    assert line.isascii()
    assert json.loads(line) == debugger.records()[2]


def test_what_is_no_debugger_is_told() -> None:
    from instrument.testing.collector import Collector

    with Collector() as collector:
        result = CliRunner().invoke(app, ["tail", "--port", collector.url.rpartition(":")[2]])
    assert result.exit_code == 1
    assert "is no debugger: it answered 404" in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["--host", "example.com"], "the debugger is on this machine"), (["--filter", "status"], "it is no KEY=VALUE")],
)
def test_wrong_options_are_refused(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(app, ["tail", *arguments])
    assert result.exit_code == 2
    assert complaint in result.output


def test_debug_runs_until_it_is_interrupted_and_says_where(tmp_path: Any) -> None:
    tmp_path.joinpath("shop.py").write_text(
        "from instrument import Scope, Track\n"
        "class ShopScope(Scope):\n    user_id: int\n"
        "class ShopOpened(Track, ShopScope): ...\n"
    )
    tmp_path.joinpath("pyproject.toml").write_text('[tool.instrument]\npackages = ["shop"]\n')
    with running("instrument.cli", "debug", "--port", "0", cwd=tmp_path) as debug:
        first, _ = debug.wait_for(lambda lines: len(lines) == 2)
        address = re.search(r"http://[\d.:]+\d", first)
        assert address is not None
        assert "knows 1 declared message" in first
        debugger = Asked(address[0])
        debugger.send({"type": "track", "event": "Shop Opened", "userId": "7", "properties": {}})
        assert [each["status"] for each in debugger.records()] == ["valid"]
        with debugger.get("/api/stream", stream=True):  # somebody who follows does not hold it back
            assert debug.interrupt() == 0


def test_debug_refuses_other_interfaces_taken_ports_and_what_is_no_origin() -> None:
    runner = CliRunner()
    assert "no address of the loopback interface" in runner.invoke(app, ["debug", "--host", "0.0.0.0"]).output
    assert "it is no origin" in runner.invoke(app, ["debug", "--allow-origin", "localhost"]).output
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = runner.invoke(app, ["debug", "--port", str(taken.getsockname()[1])])
    assert (result.exit_code, "already in use" in result.output) == (2, True)
