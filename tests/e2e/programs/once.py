"""Emits a few messages and ends, in one of several ways."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading

from instrument import Client, Scope, Track


class OnceScope(Scope):
    user_id: int


class OnceCounted(Track, OnceScope):
    number: int


def emit(client: Client, run: str, numbers: range) -> None:
    for number in numbers:
        assert client.track(OnceCounted(user_id=7, number=number), message_id=f"{run}-{number}")


def nobody_keeps_the_client(run: str) -> None:
    emit(Client(), run, range(3))


def a_thread_raises(run: str) -> None:
    client = Client()

    def raises() -> None:
        emit(client, run, range(3))
        raise ValueError

    thread = threading.Thread(target=raises)
    thread.start()
    thread.join()


def the_main_thread_raises(run: str) -> None:
    emit(Client(), run, range(3))
    raise ValueError


def sys_exit(run: str) -> None:
    emit(Client(), run, range(3))
    sys.exit(3)


def os_exit_after_a_flush(run: str) -> None:
    client = Client()
    emit(client, run, range(3))
    assert client.flush(30)
    os._exit(0)


def sigterm(run: str) -> None:
    emit(Client(durability="sync"), run, range(3))
    os.kill(os.getpid(), signal.SIGTERM)


def os_exit(run: str) -> None:
    emit(Client(durability="sync"), run, range(3))
    os._exit(0)


def a_handler_closes_the_client_inside_of_a_call(run: str) -> None:
    client = Client(durability="sync")

    def close(*_: object) -> None:
        client.close(30)
        sys.exit(0)

    signal.signal(signal.SIGALRM, close)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    number = 0
    while True:
        receipt = client.track(OnceCounted(user_id=7, number=number), message_id=f"{run}-{number}")
        if receipt:
            os.write(1, f"{run}-{number}\n".encode())
        number += 1


def handlers_raise_and_emit_inside_of_calls(run: str) -> None:
    client = Client(durability=os.environ["DURABILITY"])  # type: ignore[arg-type]
    emit(client, run, range(1))
    told: list[str] = []
    interruptions = 0
    inside = False

    class InterruptionError(Exception):
        pass

    def track(name: str) -> None:
        if client.track(OnceCounted(user_id=7, number=0), message_id=name):
            told.append(name)

    def interrupt(*_: object) -> None:
        nonlocal interruptions
        interruptions += 1
        track(f"{run}-handler-{interruptions}")
        client.stats()
        client.flush(0)
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.002))
        if inside and interruptions % 2:
            raise InterruptionError

    signal.signal(signal.SIGALRM, interrupt)
    number = 0
    interrupt()
    while interruptions < 300:
        number += 1
        try:
            inside = True
            track(f"{run}-{number}")
        except InterruptionError:
            pass
        finally:
            inside = False
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    sys.stdout.write("\n".join(told))
    assert client.close(30)


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
