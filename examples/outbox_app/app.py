"""A shop whose events are rows of the transactions that they tell of.

SHOP_DATABASE=sqlite:///shop.db uvicorn --factory examples.outbox_app.app:from_environment
SEGMENT_CLIENT_KEY=… instrument forward --outbox sqlite:///shop.db
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from instrument import Scope, Track, configure, tracks
from instrument.delivery.destinations.outbox import OutboxDestination
from instrument.integrations.fastapi import scope_from
from instrument.integrations.sqlalchemy import follow_transactions, outbox_table

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class CustomerScope(Scope):
    """Who orders."""

    user_id: int


class ShelfViewed(Track, CustomerScope):
    """Somebody looked at what there is."""

    things: int


class OrderPlaced(Track, CustomerScope):
    """An order was taken, and the things for it are there."""

    order_id: int
    thing: str


class OrderRefused(Track, CustomerScope):
    """An order was not taken."""

    thing: str
    reason: str


class Base(DeclarativeBase): ...


class Stock(Base):
    __tablename__ = "stock"
    thing: Mapped[str] = mapped_column(primary_key=True)
    left: Mapped[int]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    thing: Mapped[str]


outbox = outbox_table(Base.metadata)


def customer(x_user: Annotated[int, Header()]) -> CustomerScope:
    """Find out who orders."""
    return CustomerScope(user_id=x_user)


Customer = Annotated[CustomerScope, Depends(scope_from(customer))]


@tracks(OrderPlaced.from_call(order_id="result.id"))
def place(session: Session, thing: str) -> Order:
    """Take an order."""
    order = Order(thing=thing)
    session.add(order)
    session.flush()
    return order


@tracks(failure=OrderRefused.from_call(reason="error.detail"))
def take_from_stock(session: Session, thing: str) -> None:
    """Put a thing aside for an order; where there is none, the whole order is taken back."""
    stock = session.get(Stock, thing)
    if stock is None or stock.left == 0:
        raise HTTPException(409, "there is none left")
    stock.left -= 1


@tracks(ShelfViewed.from_call(things=lambda call: len(call.result)))
def shelf(session: Session) -> list[str]:
    """Name what there is."""
    return list(session.scalars(select(Stock.thing).where(Stock.left > 0)))


def shop(database: str) -> FastAPI:
    """Make the application."""
    engine = create_engine(database)
    sessions = sessionmaker(engine)
    follow_transactions(sessions, outbox=outbox)

    @asynccontextmanager
    async def opened(_: FastAPI) -> AsyncGenerator[None]:
        Base.metadata.create_all(engine)
        # What is emitted outside of a transaction waits in the outbox as well: no write key is needed here.
        client = configure(destinations=[OutboxDestination(engine, outbox)])
        yield
        client.close()
        engine.dispose()

    app = FastAPI(lifespan=opened)

    @app.post("/stock/{thing}")
    def stock(thing: str, left: int) -> None:
        with sessions.begin() as session:
            session.merge(Stock(thing=thing, left=left))

    @app.post("/orders/{thing}")
    def order(thing: str, customer: Customer) -> str:
        with sessions.begin() as session:
            number = place(session, thing).id
            take_from_stock(session, thing)
        return f"order {number} of {customer.user_id}"

    @app.get("/shelf")
    def view(customer: Customer) -> list[str]:
        del customer
        with sessions() as session:
            return shelf(session)

    return app


def from_environment() -> FastAPI:
    """Make the application with the database of the environment."""
    return shop(os.environ.get("SHOP_DATABASE", "sqlite:///shop.db"))
