"""Bells, rung by threads and inside of signal handlers."""

from __future__ import annotations

import subprocess
import sys
import threading

from instrument.delivery.bell import Bell
from tests.docs.documents import ROOT


def test_it_wakes_all_who_wait_and_who_come_later_until_it_is_muted() -> None:
    bell, woken = Bell(), list[bool]()
    threads = [threading.Thread(target=lambda: woken.append(bell.wait(30))) for _ in range(5)]
    for each in threads:
        each.start()
    bell.ring()
    bell.ring()
    for each in threads:
        each.join()

    assert woken == [True] * 5
    assert bell.rung
    assert bell.wait(0)
    bell.mute()
    bell.mute()
    assert bell.muted()
    assert not bell.wait(0)
    assert not bell.wait(-1)


_INTERRUPTED = """
import random, signal, threading
from instrument.delivery.bell import Bell

class Interruption(Exception): pass

def interrupt(*_):
    global left
    left -= 1
    bell.ring()
    # And once more in a millisecond: Python 3.12 may lose one that comes while an exception of another is on its way.
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 8e-5), 1e-3)
    if inside and left % 2:
        raise Interruption

bell, left, inside = Bell(), 3_000, False
signal.signal(signal.SIGALRM, interrupt)
interrupt()
while left > 0:
    try:
        inside = True
        bell.ring()
        bell.mute()
    except Interruption:
        pass
    finally:
        inside = False
signal.setitimer(signal.ITIMER_REAL, 0)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
thread = threading.Thread(target=bell.ring, daemon=True)
thread.start()
print(bell.wait(30))
"""


def test_handlers_that_ring_and_raise_inside_of_it_leave_it_free() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "True\n"
