"""The whole way of an event, to be watched: `make demo`.

Starts the application as a server process, and a collector that speaks Segment's HTTP API; sends requests that
succeed, fail and are cancelled, to each kind of handler; and shows what the collector has received, with the handler
that emitted it. Ends with 0 only if all that was to come has come, each exactly once, and nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from examples.porter.scenario import STEPS, WEBHOOK
from instrument import Identify
from instrument.testing import Collector

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from examples.porter.scenario import Step
    from instrument import Track

ROOT = Path(__file__).parents[2]
PATIENCE = 1.5
"""Seconds that the application lets a cluster take."""
SLOW = 2.4
"""Seconds that the provider needs in its slow region."""
DEADLINE = 10.0
"""Seconds after which what has not arrived is missing."""
WIDTH = 80
"""Characters of a message's ids and properties that are shown."""

Content = tuple[str, str, str, dict[str, Any]]
"""What a message says: type, event, user, and properties or traits."""


class Users:
    """Whoever sends the requests.

    Args:
        url: the address of the application.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._token = ""

    def send(self, step: Step) -> int:
        """Send a request, and return the status of the answer; 0 where the client did not wait for one."""
        method, path = step.request.format(token=self._token).split()
        headers = {"X-Delivery-Id": WEBHOOK} | ({} if step.user is None else {"X-User-Id": str(step.user)})
        timeout = SLOW / 4 if step.leaves == "waiting" else 10.0
        try:
            with requests.request(
                method, self._url + path, json=step.form, headers=headers, timeout=timeout, stream=True
            ) as response:
                if step.leaves == "reading":
                    next(response.iter_lines(chunk_size=1))
                else:
                    self._remember(response, response.content)
                return response.status_code
        except requests.ReadTimeout:
            return 0

    def _remember(self, response: requests.Response, content: bytes) -> None:
        if content and response.headers.get("Content-Type") == "application/json":
            self._token = response.json().get("token", self._token)


@contextmanager
def application(collector: Collector, directory: Path) -> Generator[str]:
    """Run the application as a server process, and end it; what it has accepted is then delivered."""
    command = [sys.executable, "-m", "examples.porter", "--database", str(directory / "porter.db")]
    command += ["--patience", str(PATIENCE), "--slow-step", str(SLOW)]
    settings = {
        "SEGMENT_CLIENT_KEY": "demo",
        "INSTRUMENT_HOST": collector.url,
        "INSTRUMENT_DEBUG": "true",
        "INSTRUMENT_SPOOL_DIR": str(directory / "spool"),
    }
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdout is not None
        try:
            url = server.stdout.readline().strip()
            if not url:
                raise RuntimeError("the application did not start; what it said stands above")
            yield url
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()


def show_requests(url: str, answered: Sequence[int]) -> list[str]:
    """Tell what was asked, and return where the answer was another than is right."""
    print(f"{len(STEPS)} requests to the application at {url}:\n")
    both = list(zip(STEPS, answered, strict=True))
    rows = [(step.request, step.handler, step.outcome, status or "not awaited") for step, status in both]
    print_table(("request", "handler", "outcome", "status"), rows)
    return [
        f"{step.request} was answered with {status}, not {step.status}"
        for step, status in both
        if status != step.status
    ]


def show_messages(messages: Sequence[dict[str, Any]]) -> list[str]:
    """Tell what has arrived, and return what has not, or should not have."""
    awaited = [(step, described(message)) for step in STEPS for message in step.messages]
    unexpected: list[str] = []
    rows: list[tuple[object, ...]] = []
    for message in messages:
        step = take(awaited, content(message))
        if step is None:
            unexpected.append(f"unexpected: {content(message)}")
        rows.append(row(message, step))
    print(f"\n{len(messages)} messages at the collector:\n")
    print_table(("event", "type", "user", "ids and properties", "outcome", "emitted by"), rows)
    return [f"missing: {each}" for _, each in awaited] + unexpected + repeated(messages)


def content(message: dict[str, Any]) -> Content:
    """Return what a message says that has arrived."""
    payload = message["traits"] if message["type"] == "identify" else message["properties"]
    return message["type"], message.get("event", ""), message["userId"], payload


def described(message: Track | Identify) -> Content:
    """Return what a message will say when it arrives."""
    user = str(message.model_dump()["user_id"])
    if isinstance(message, Identify):
        return "identify", "", user, message.traits
    return "track", message.event, user, message.properties


def take(awaited: list[tuple[Step, Content]], what: Content) -> Step | None:
    """Take out the first awaited message that says this, and return its step."""
    for position, (step, each) in enumerate(awaited):
        if each == what:
            del awaited[position]
            return step
    return None


def repeated(messages: Iterable[dict[str, Any]]) -> list[str]:
    """Return which ids came more than once, but for the webhook that was delivered twice."""
    counts = Counter(message["messageId"] for message in messages)
    allowed = {WEBHOOK: 2}
    return [f"{each} came {n} times" for each, n in counts.items() if n != allowed.get(each, 1)]


def row(message: dict[str, Any], step: Step | None) -> tuple[object, ...]:
    """Return a message as it is shown; whom to write to shows in the traits, and is left out elsewhere."""
    type_, event, user, payload = content(message)
    hidden = ("email", "name", "company") if type_ == "track" else ()
    shown = " ".join(f"{key}={value}" for key, value in payload.items() if key not in hidden)
    handler = message["context"].get("instrument", {}).get("handler", "?")
    outcome = "unexpected" if step is None else f"{step.handler}, {step.outcome}"
    return (
        event or "-",
        type_,
        user,
        cut(shown),
        outcome,
        handler.replace(f"{ROOT}/", "").replace("examples.porter.", ""),
    )


def cut(text: str) -> str:
    """Return as much of a text as fits a column."""
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def show_provenance(messages: Iterable[dict[str, Any]]) -> None:
    """Tell of one message where each of its fields came from."""
    for message in messages:
        if message.get("event") == "Cluster Provisioning Success":
            notes = message["context"]["instrument"]
            print(f"\nWhere the fields of {message['event']!r} came from, at {Path(notes['place']).name}:\n")
            print_table(("field", "source"), list(notes["provenance"].items()))


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns, each as wide as it needs."""
    cells = [list(head), *([str(each) for each in line] for line in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in (cells[0], ["-" * width for width in widths], *cells[1:]):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def main() -> int:
    """Run the demo, and return its exit status."""
    expected = sum(len(step.messages) for step in STEPS) - 1  # the repeated webhook is no different message
    with tempfile.TemporaryDirectory() as directory, Collector() as collector:
        with application(collector, Path(directory)) as url:
            users = Users(url)
            problems = show_requests(url, [users.send(step) for step in STEPS])
            with suppress(TimeoutError):  # what is missing is told below
                collector.wait_for(expected, DEADLINE)
        messages = collector.messages
    problems += show_messages(messages)
    show_provenance(messages)
    print(
        "\n"
        + (
            "\n".join(problems)
            or "All that was to arrive has arrived, each exactly once; the two deliveries of one webhook have one id."
        )
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
