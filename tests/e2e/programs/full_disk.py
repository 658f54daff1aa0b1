"""Emits while no file may grow any more, as on a full disk, and after there is room again."""

from __future__ import annotations

import resource
import sys
from time import monotonic

from instrument import Client, Scope, Track

ROOM = 200_000
PATIENCE = 30


class DiskScope(Scope):
    user_id: int


class DiskCounted(Track, DiskScope):
    number: int
    pad: str = "x" * 1_000


def main(durability: str) -> None:
    client = Client(durability=durability)  # type: ignore[arg-type]
    accepted: list[str] = []

    def emit(number: int) -> bool:
        receipt = client.track(DiskCounted(user_id=7, number=number), message_id=f"disk-{number}")
        if receipt:
            accepted.append(f"disk-{number}")
        return bool(receipt)

    emit(0)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, most))
    number = 1
    while emit(number) or client.stats().refused.get("spool_failed", 0) < 1:
        number += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    deadline = monotonic() + PATIENCE
    while not emit(number):
        assert monotonic() < deadline
    sys.stdout.write(" ".join(accepted))
    assert client.close(PATIENCE)


if __name__ == "__main__":
    main(sys.argv[1])
