"""What marks of personal data add to a call: `python -m benchmarks.privacy` prints the table of docs/privacy.md."""

from __future__ import annotations

from time import thread_time_ns
from typing import TYPE_CHECKING, Annotated

from benchmarks.calls import MICRO
from benchmarks.idle import IdleTransport
from benchmarks.measuring import interleaved, seconds_a_call
from instrument import PII, Client, Scope, Track, request_scope, tracks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CALLS, _REPETITIONS = 4_000, 25


class MarkedScope(Scope):
    user_id: int


class NoMarks(Track, MarkedScope):
    email: str
    name: str
    number: int


class OneDropped(Track, MarkedScope):
    email: Annotated[str, PII("email")]
    name: str
    number: int


class OneMasked(Track, MarkedScope):
    email: Annotated[str, PII("email", policy="mask")]
    name: str
    number: int


class OneHashed(Track, MarkedScope):
    email: Annotated[str, PII("email", policy="hash")]
    name: str
    number: int


class TwoHashed(Track, MarkedScope):
    email: Annotated[str, PII("email", policy="hash")]
    name: Annotated[str, PII("name", policy="hash")]
    number: int


_CLASSES: Mapping[str, type[Track]] = {
    "no marks": NoMarks,
    "one field dropped": OneDropped,
    "one field masked": OneMasked,
    "one field hashed": OneHashed,
    "two fields hashed": TwoHashed,
}


def main() -> None:
    """Print microseconds of the thread for a decorated call, what they are above no marks, and their ratio to it."""
    client = Client(transport=IdleTransport(), pii_key="a secret of the benchmark")
    with request_scope(user_id=7):
        sides = {name: _timed(_decorated(model, client)) for name, model in _CLASSES.items()}
        samples = interleaved({"bare": _timed(_bare), **sides}, _REPETITIONS)
    base = samples.above("no marks", "bare")
    for name in sides:
        added = samples.above(name, "bare")
        print(f"| {name} | {added * MICRO:.1f} | {(added - base) * MICRO:+.1f} µs | {added / base:.2f} |")


def _bare(number: int) -> None: ...


def _decorated(model: type[Track], client: Client) -> Callable[[int], None]:
    @tracks(
        model.from_call(email=lambda _: "ada.lovelace@example.com", name=lambda _: "Ada Lovelace"),
        client=client,
    )
    def handler(number: int) -> None: ...

    return handler


def _timed(handler: Callable[[int], object]) -> Callable[[], float]:
    return lambda: seconds_a_call(handler, _CALLS, thread_time_ns)


if __name__ == "__main__":
    main()
