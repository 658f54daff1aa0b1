"""Emits without an end, and says on standard output what was accepted, or committed: for tests that kill it."""

from __future__ import annotations

import os
import sys
from itertools import count

from instrument import Client, Scope, Track


class EmitScope(Scope):
    user_id: int


class EmitCounted(Track, EmitScope):
    number: int


def main(run: str, durability: str) -> None:
    client = Client(durability=durability)  # type: ignore[arg-type]
    told = 0
    accepted: list[str] = []
    for number in count():
        receipt = client.track(EmitCounted(user_id=7, number=number), message_id=f"{run}-{number}")
        assert receipt
        accepted.append(f"{run}-{number}")
        safe = len(accepted) if durability == "sync" else client.stats().spooled
        if safe > told:
            os.write(1, "".join(f"{each}\n" for each in accepted[told:safe]).encode())
            told = safe


if __name__ == "__main__":
    main(*sys.argv[1:])
