"""The warehouse gets a row for each message, and what it will not take becomes of the one that spoils the batch."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from examples.own_destination.warehouse import WarehouseDestination
from instrument import Client, Scope, Track
from instrument.testing import FixedStamps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.instrument_delivery


class ShopScope(Scope):
    user_id: int


class CrateLoaded(Track, ShopScope):
    weight: int


class Warehouse(HTTPServer):
    """Takes rows, and answers 400 to a batch that has a crate without a weight."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.rows: list[dict[str, Any]] = []
        self.tokens: set[str | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/rows"


class _Post(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        warehouse = self.server
        assert isinstance(warehouse, Warehouse)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        rows = [json.loads(line) for line in body.splitlines()]
        warehouse.tokens.add(self.headers["Authorization"])
        taken = all(row["columns"]["weight"] for row in rows)
        warehouse.rows += rows if taken else []
        self.send_response(200 if taken else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - the name of the standard library


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    server = Warehouse()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_is_a_row_and_one_that_is_refused_costs_no_other(warehouse: Warehouse, tmp_path: Path) -> None:
    destination = WarehouseDestination("secret", warehouse.url)
    client = Client(destinations=[destination], spool_dir=str(tmp_path), stamps=FixedStamps())
    for weight in (1, 0, 2):
        assert client.track(CrateLoaded(user_id=7, weight=weight))
    assert client.close(10)
    assert warehouse.tokens == {"Bearer secret"}
    assert [(row["table"], row["user"], row["columns"], row["id"]) for row in warehouse.rows] == [
        ("crate_loaded", "7", {"weight": 1}, "00000000-0000-7000-8000-000000000001"),
        ("crate_loaded", "7", {"weight": 2}, "00000000-0000-7000-8000-000000000003"),
    ]
    assert client.stats().dead == {f"{warehouse.url} answered 400 Bad Request": 1}
