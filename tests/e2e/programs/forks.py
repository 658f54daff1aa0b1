"""Forks in a loop while threads emit; each child emits too. Ends when all of them have."""

from __future__ import annotations

import os
import sys
import threading

from instrument import Client, Scope, Track


class ForkScope(Scope):
    user_id: int


class ForkCounted(Track, ForkScope):
    number: int


client = Client()


def emit(name: str, number: int) -> None:
    assert client.track(ForkCounted(user_id=7, number=number), message_id=f"{name}-{number}")


def emit_until(end: threading.Event, name: str, emitted: list[int]) -> None:
    number = 0
    while not end.wait(0.0005):
        emit(name, number)
        number += 1
    emitted.append(number)


def main(children: int) -> None:
    end = threading.Event()
    emitted: list[int] = []
    names = ["thread-a", "thread-b", "thread-c"]
    threads = [threading.Thread(target=emit_until, args=(end, name, emitted)) for name in names]
    for each in threads:
        each.start()
    for child in range(children):
        emit("main", child)
        if os.fork() == 0:
            for number in range(3):
                emit(f"child-{child}", number)
            # By turns: an end in good order, and one that flushes and skips it.
            if child % 2:
                sys.exit(0)
            assert client.flush(30)
            os._exit(0)
    statuses = [os.wait()[1] for _ in range(children)]
    end.set()
    for each in threads:
        each.join()
    assert client.close(30)
    sys.stdout.write(f"{sum(emitted) + children + 3 * children} {statuses.count(0)}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
