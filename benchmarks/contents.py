"""The messages that are measured: each as a handler that is bare, decorated, or calls Segment's client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from examples.porter.analytics.bindings import by_user, cluster
from examples.porter.analytics.events import ClusterProvisioningSuccess, StackBuildFailure
from examples.porter.analytics.scopes import ProjectScope
from instrument import Track, tracks

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument import Client

    Handler = Callable[[int], object]
    SegmentTrack = Callable[..., object]

USER_ID = 7
"""Who acts: in the request scope for the decorators, an argument for Segment's client."""


@dataclass(frozen=True, slots=True)
class Content:
    """One message, with the same content on every side.

    Attributes:
        name: what it is.
        bare: the handler that emits nothing.
        decorated: makes the handler that emits through the decorator.
        tracking: makes the handler that calls `track` of Segment's client in its body.
    """

    name: str
    bare: Handler
    decorated: Callable[[Client], Handler]
    tracking: Callable[[SegmentTrack], Handler]


@dataclass(frozen=True, slots=True)
class _Cluster:
    id: int


@dataclass(frozen=True, slots=True)
class _User:
    email: str
    name: str
    company: str


_CLUSTER = _Cluster(42)
_USER = _User("ada@example.com", "Ada Lovelace", "Analytical Engines")
_LOGS = "c3RlcCAxLzQ6IGRvbmUK" * 8


def _provision(project_id: int, cluster_type: str, infra_id: int) -> _Cluster:  # noqa: ARG001
    return _CLUSTER


def _provisioning(client: Client) -> Handler:
    provision = tracks(ClusterProvisioningSuccess, scope=cluster, client=client)(_provision)
    return lambda number: provision(3, "eks", number)


def _provisioning_by_segment(track: SegmentTrack) -> Handler:
    def provision(project_id: int, cluster_type: str, infra_id: int) -> _Cluster:
        made = _CLUSTER
        track(
            user_id=USER_ID,
            event="Cluster Provisioning Success",
            properties={
                "proj_id": project_id,
                "cluster_id": made.id,
                "cluster_type": cluster_type,
                "infra_id": infra_id,
            },
        )
        return made

    return lambda number: provision(3, "eks", number)


def _build(project_id: int, user: _User, stack_name: str, *, validate_apply_v2: bool, message: str, logs: str) -> int:  # noqa: ARG001
    return project_id


def _building(client: Client) -> Handler:
    event = by_user(StackBuildFailure, error_message="message", b64_build_logs="logs")
    build = tracks(event, client=client)(_build)
    return lambda number: build(number, _USER, "web", validate_apply_v2=True, message="exit code 1", logs=_LOGS)


def _building_by_segment(track: SegmentTrack) -> Handler:
    def build(
        project_id: int, user: _User, stack_name: str, *, validate_apply_v2: bool, message: str, logs: str
    ) -> int:
        track(
            user_id=USER_ID,
            event="Stack Build Failure",
            properties={
                "email": user.email,
                "name": user.name,
                "company": user.company,
                "validate_apply_v2": validate_apply_v2,
                "stack_name": stack_name,
                "error_message": message,
                "b64_build_logs": logs,
                "proj_id": project_id,
            },
        )
        return project_id

    return lambda number: build(number, _USER, "web", validate_apply_v2=True, message="exit code 1", logs=_LOGS)


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


_ADDRESS = {"street": "12 St James's Square", "city": "London", "country": "GB"}
_LINES: list[dict[str, Any]] = [{"sku": f"sku-{each}", "quantity": each, "price": 9.5 * each} for each in range(1, 4)]
_TOTALS = {"net": 57.0, "vat": 11.4, "gross": 68.4}


def _order(
    project_id: int,  # noqa: ARG001
    order_id: int,
    address: dict[str, str],  # noqa: ARG001
    lines: list[dict[str, Any]],  # noqa: ARG001
    totals: dict[str, float],  # noqa: ARG001
) -> int:
    return order_id


def _ordering(client: Client) -> Handler:
    order = tracks(BenchmarkOrderPlaced, client=client)(_order)
    return lambda number: order(3, number, _ADDRESS, _LINES, _TOTALS)


def _ordering_by_segment(track: SegmentTrack) -> Handler:
    def order(
        project_id: int, order_id: int, address: dict[str, str], lines: list[dict[str, Any]], totals: dict[str, float]
    ) -> int:
        track(
            user_id=USER_ID,
            event="Benchmark Order Placed",
            properties={
                "proj_id": project_id,
                "order_id": order_id,
                "address": address,
                "lines": lines,
                "totals": totals,
            },
        )
        return order_id

    return lambda number: order(3, number, _ADDRESS, _LINES, _TOTALS)


PROVISIONING = Content(
    "Cluster Provisioning Success: 2 ids, 2 properties",
    lambda number: _provision(3, "eks", number),
    _provisioning,
    _provisioning_by_segment,
)
BUILD = Content(
    "Stack Build Failure: 8 properties",
    lambda number: _build(number, _USER, "web", validate_apply_v2=True, message="exit code 1", logs=_LOGS),
    _building,
    _building_by_segment,
)
ORDER = Content(
    "an order: a model, a list of models, a mapping",
    lambda number: _order(3, number, _ADDRESS, _LINES, _TOTALS),
    _ordering,
    _ordering_by_segment,
)
CONTENTS = (PROVISIONING, BUILD, ORDER)
