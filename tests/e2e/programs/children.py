"""Emits in children of multiprocessing, none of which flushes or closes anything."""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

from instrument import Client, Scope, Track


class ChildScope(Scope):
    user_id: int


class ChildCounted(Track, ChildScope):
    number: int


client = Client()


def emit(number: int) -> None:
    assert client.track(ChildCounted(user_id=7, number=number), message_id=f"child-{number}")


def main(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    emit(0)
    processes = [context.Process(target=emit, args=(number,)) for number in (1, 2)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    pool = context.Pool(2)
    pool.map(emit, range(3, 20))
    pool.close()
    pool.join()
    sys.stdout.write(" ".join(str(each.exitcode) for each in processes))


if __name__ == "__main__":
    main(sys.argv[1])
