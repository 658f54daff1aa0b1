"""The application, and the relay beside it: what arrives is what the database has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from examples.outbox_app.app import shop
from instrument.cli.app import app as instrument
from instrument.client import swap_default_client
from instrument.testing import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.instrument_delivery


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("INSTRUMENT_SPOOL_DIR", str(tmp_path / "spool"))
    before = swap_default_client(None)
    yield f"sqlite:///{tmp_path / 'shop.db'}"
    swap_default_client(before)


def relayed(database: str) -> list[tuple[str, str, dict[str, object]]]:
    """Run the relay until the outbox is empty, and return what arrives."""
    with Collector() as collector:
        command = ["forward", "--outbox", database, "--until-empty", "--write-key", "key", "--host", collector.url]
        result = CliRunner().invoke(instrument, command)
        assert result.exit_code == 0, result.output
        return [(each["event"], each["userId"], each["properties"]) for each in collector.messages]


def test_what_arrives_is_what_the_database_has(database: str) -> None:
    browser = TestClient(shop(database), headers={"x-user": "7"})
    with browser:
        browser.post("/stock/teapot", params={"left": 1})
        assert browser.post("/orders/teapot").json() == "order 1 of 7"
        assert browser.post("/orders/teapot").status_code == 409
        browser.post("/stock/teapot", params={"left": 1})
        assert browser.post("/orders/teapot").json() == "order 2 of 7"
        assert browser.get("/shelf").json() == []
    arrived = relayed(database)
    in_transactions = [each for each in arrived if each[0] == "Order Placed"]
    assert in_transactions == [
        ("Order Placed", "7", {"order_id": 1, "thing": "teapot"}),
        ("Order Placed", "7", {"order_id": 2, "thing": "teapot"}),
    ]
    others = [each for each in arrived if each not in in_transactions]
    assert others == [
        ("Order Refused", "7", {"thing": "teapot", "reason": "there is none left"}),
        ("Shelf Viewed", "7", {"things": 0}),
    ]
    assert relayed(database) == []
