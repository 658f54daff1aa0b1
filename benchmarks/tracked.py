"""The messages that are measured, as handlers that emit nothing or call a client's `track`; of plain Python alone.

Every client gets the same content: a process that measures another client imports none of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Handler = Callable[[int], object]
TrackCall = Callable[..., object]
"""Takes `user_id`, `event` and `properties`, as `track` of Segment's client does."""

USER_ID = 7
"""Who acts: in the request scope for the decorators, an argument for other clients."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """One message, with the same content for every client.

    Attributes:
        name: what it is.
        bare: the handler that emits nothing.
        tracking: makes the handler that calls `track` of a client in its body.
    """

    name: str
    bare: Handler
    tracking: Callable[[TrackCall], Handler]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What provisioning gives."""

    id: int


@dataclass(frozen=True, slots=True)
class User:
    """Whose stack is built."""

    email: str
    name: str
    company: str


CLUSTER = Cluster(42)
USER = User("ada@example.com", "Ada Lovelace", "Analytical Engines")
LOGS = "c3RlcCAxLzQ6IGRvbmUK" * 8
ADDRESS = {"street": "12 St James's Square", "city": "London", "country": "GB"}
LINES: list[dict[str, Any]] = [{"sku": f"sku-{each}", "quantity": each, "price": 9.5 * each} for each in range(1, 4)]
TOTALS = {"net": 57.0, "vat": 11.4, "gross": 68.4}


def provision(project_id: int, cluster_type: str, infra_id: int) -> Cluster:  # noqa: ARG001
    """Give a cluster."""
    return CLUSTER


def _provisioning(track: TrackCall) -> Handler:
    def provision(project_id: int, cluster_type: str, infra_id: int) -> Cluster:
        made = CLUSTER
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


def build(project_id: int, user: User, stack_name: str, *, validate_apply_v2: bool, message: str, logs: str) -> int:  # noqa: ARG001
    """Fail to build a stack."""
    return project_id


def _building(track: TrackCall) -> Handler:
    def build(project_id: int, user: User, stack_name: str, *, validate_apply_v2: bool, message: str, logs: str) -> int:
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

    return lambda number: build(number, USER, "web", validate_apply_v2=True, message="exit code 1", logs=LOGS)


def order(
    project_id: int,  # noqa: ARG001
    order_id: int,
    address: dict[str, str],  # noqa: ARG001
    lines: list[dict[str, Any]],  # noqa: ARG001
    totals: dict[str, float],  # noqa: ARG001
) -> int:
    """Take an order."""
    return order_id


def _ordering(track: TrackCall) -> Handler:
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

    return lambda number: order(3, number, ADDRESS, LINES, TOTALS)


PROVISIONING = Tracked(
    "Cluster Provisioning Success: 2 ids, 2 properties", lambda number: provision(3, "eks", number), _provisioning
)
BUILD = Tracked(
    "Stack Build Failure: 8 properties",
    lambda number: build(number, USER, "web", validate_apply_v2=True, message="exit code 1", logs=LOGS),
    _building,
)
ORDER = Tracked(
    "an order: a model, a list of models, a mapping",
    lambda number: order(3, number, ADDRESS, LINES, TOTALS),
    _ordering,
)
TRACKED = (PROVISIONING, BUILD, ORDER)
