"""Sells things in transactions, until it is killed or kills itself: `shop.py HOW URL FILE`.

The events go into an outbox in the database, or, where HOW says so, are sent to a file after the commit.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from instrument import Client, JsonLinesDestination, Scope, Track
from instrument.integrations.sqlalchemy import follow_transactions, outbox_table
from tests.integrations.transactions.savepoints import begin_truly

if TYPE_CHECKING:
    from sqlalchemy import Engine


class BuyerScope(Scope):
    user_id: int


class ThingSold(Track, BuyerScope):
    number: int


class Base(DeclarativeBase): ...


class Sale(Base):
    __tablename__ = "sales"
    number: Mapped[int] = mapped_column(primary_key=True)


OUTBOX = outbox_table(Base.metadata)
KILLED_AT = 3


def sell(session: Session, client: Client, number: int) -> None:
    session.add(Sale(number=number))
    session.flush()
    session.info["sold"] = number
    assert client.track(ThingSold(user_id=7, number=number)).held


def one_by_one(sessions: sessionmaker[Session], client: Client) -> None:
    for number in range(KILLED_AT + 1):
        with sessions.begin() as session:
            sell(session, client, number)
        assert client.flush(30)


def for_ever(sessions: sessionmaker[Session], client: Client) -> None:
    """Commit, roll back and use savepoints at random, and print a line for each transaction."""
    choice = random.Random()
    numbers = count()
    while True:
        with suppress(ZeroDivisionError), sessions.begin() as session:
            for _ in range(choice.randrange(1, 5)):
                with suppress(ZeroDivisionError), session.begin_nested():
                    sell(session, client, next(numbers))
                    if choice.random() < 0.3:
                        raise ZeroDivisionError
            if choice.random() < 0.2:
                raise ZeroDivisionError
        sys.stdout.write("ended\n")
        sys.stdout.flush()


def forking(sessions: sessionmaker[Session], client: Client) -> None:
    with sessions.begin() as session:
        sell(session, client, 0)
        child = os.fork()
        if child == 0:
            receipt = client.track(ThingSold(user_id=7, number=1))
            os._exit(0 if receipt and not receipt.held and client.close(30) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.close(30)


def kill_in(sessions: sessionmaker[Session], moment: str, *, first: bool) -> None:
    @event.listens_for(sessions, moment, insert=first)
    def _(session: Session) -> None:
        if session.info["sold"] == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)


def opened(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        begin_truly(engine)
    Base.metadata.create_all(engine)
    return engine


def main(how: str, url: str, file: str) -> None:
    sessions = sessionmaker(opened(url))
    client = Client(destinations=[JsonLinesDestination(file)], durability="sync", spool_dir=Path(f"{file}.spool"))
    works: dict[str, Any] = {"before": one_by_one, "after": one_by_one, "storm": for_ever, "fork": forking}
    moment, _, without = how.partition("-")
    if moment == "after":
        kill_in(sessions, "after_commit", first=True)
    follow_transactions(sessions, outbox=None if without else OUTBOX)
    if moment == "before":
        kill_in(sessions, "before_commit", first=False)
    works[moment](sessions, client)


if __name__ == "__main__":
    main(*sys.argv[1:])
