"""Deliver one event to a file with the installed package: `one_event.py FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import instrument
from instrument import JsonLinesDestination, Scope, Track, configure, request_scope, tracks


class CustomerScope(Scope):
    user_id: int


class WheelInstalled(Track, CustomerScope):
    python: str


@tracks(WheelInstalled)
def install(python: str) -> str:
    return python


if __name__ == "__main__":
    place = Path(instrument.__file__).parent
    assert place.parent.name == "site-packages", f"not what was installed: {place}"
    assert (place / "py.typed").is_file()

    received = Path(sys.argv[1])
    received.unlink(missing_ok=True)
    client = configure(destinations=[JsonLinesDestination(received)], durability="memory")
    with request_scope(user_id=7):
        install("{}.{}".format(*sys.version_info))
    assert client.close()

    (message,) = map(json.loads, received.read_text(encoding="utf-8").splitlines())
    found = message["event"], message["userId"], message["properties"]
    assert found == ("Wheel Installed", "7", {"python": "{}.{}".format(*sys.version_info)}), message
    sys.stdout.write(f"instrument {instrument.__version__} delivered {message['event']!r}\n")
