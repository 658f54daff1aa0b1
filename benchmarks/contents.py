"""The messages that are measured, as handlers that our decorators emit them from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from benchmarks import tracked
from benchmarks.tracked import ADDRESS, LINES, LOGS, TOTALS, USER, Tracked
from examples.porter.analytics.bindings import by_user, cluster
from examples.porter.analytics.events import ClusterProvisioningSuccess, StackBuildFailure
from examples.porter.analytics.scopes import ProjectScope
from instrument import Track, tracks

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.tracked import Handler
    from instrument import Client


@dataclass(frozen=True, slots=True)
class Content:
    """One message, with the same content on every side.

    Attributes:
        tracked: the handler that is bare, or calls another client.
        decorated: makes the handler that emits through the decorator.
    """

    tracked: Tracked
    decorated: Callable[[Client], Handler]


def _provisioning(client: Client) -> Handler:
    provision = tracks(ClusterProvisioningSuccess, scope=cluster, client=client)(tracked.provision)
    return lambda number: provision(3, "eks", number)


def _building(client: Client) -> Handler:
    event = by_user(StackBuildFailure, error_message="message", b64_build_logs="logs")
    build = tracks(event, client=client)(tracked.build)
    return lambda number: build(number, USER, "web", validate_apply_v2=True, message="exit code 1", logs=LOGS)


class _Address(BaseModel):
    street: str
    city: str
    country: str


class _Line(BaseModel):
    sku: str
    quantity: int
    price: float


class BenchmarkOrderPlaced(Track, ProjectScope):
    """An order with an address, lines and totals."""

    address: _Address
    lines: list[_Line]
    totals: dict[str, float]
    order_id: int


def _ordering(client: Client) -> Handler:
    order = tracks(BenchmarkOrderPlaced, client=client)(tracked.order)
    return lambda number: order(3, number, ADDRESS, LINES, TOTALS)


PROVISIONING = Content(tracked.PROVISIONING, _provisioning)
BUILD = Content(tracked.BUILD, _building)
ORDER = Content(tracked.ORDER, _ordering)
CONTENTS = (PROVISIONING, BUILD, ORDER)
