"""What a running debugger is asked."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import requests


@dataclass(frozen=True, slots=True)
class Asked:
    """A running debugger, as its page sees it."""

    url: str

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def post(self, path: str, **arguments: Any) -> requests.Response:
        return requests.post(self.url + path, timeout=10, **arguments)

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=10, **arguments)

    def ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return requests.request(method, self.url + path, timeout=10, **arguments)

    def send(self, *messages: dict[str, Any]) -> None:
        assert self.post("/v1/batch", json={"batch": list(messages), "writeKey": "a-write-key"}).json() == {
            "success": True
        }

    def records(self, **query: int) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.get("/api/events", params=query).json()["events"]
        return listed

    def wait_for(self, number: int, timeout: float = 10.0) -> list[dict[str, Any]]:
        """Return the records when there are as many as that."""
        deadline = monotonic() + timeout
        while len(records := self.records()) < number:
            assert monotonic() < deadline, f"{number} records were awaited, and {len(records)} have come"
            sleep(0.02)
        return records
