"""Messages that the debugger of the tests knows."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from instrument import Identify, Page, Scope, Track


class CheckedUser(Scope):
    user_id: int


class CheckedShop(CheckedUser):
    shop_id: int = Field(serialization_alias="shop")


class Size(str, Enum):
    SMALL = "small"
    LARGE = "large"


class Line(BaseModel):
    article: str
    count: int = 1


class CheckedOrder(Track, CheckedShop):
    """Somebody ordered something."""

    amount: int
    note: str | None = None


class CheckedParcel(Track, CheckedUser):
    lines: list[Line]
    size: Size
    weight: Decimal
    sent_at: datetime
    due: date
    code: UUID
    tags: frozenset[str]
    extra: dict[str, Any]


class CheckedProfile(Identify, CheckedUser):
    plan: str


class CheckedCompany(Identify, CheckedUser):
    staff: int


class CheckedPrices(Page, CheckedUser): ...


DECLARED = (CheckedOrder, CheckedParcel, CheckedProfile, CheckedCompany, CheckedPrices)

PARCEL = CheckedParcel(
    user_id=7,
    lines=[Line(article='a "book"', count=2), Line(article="pen")],
    size=Size.LARGE,
    weight=Decimal("1.50"),
    sent_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
    due=date(2026, 1, 9),
    code=UUID(int=7),
    tags=frozenset({"fragile", "gift"}),
    extra={"ways": ["truck", {"ship": True}], "nothing": None},
)
