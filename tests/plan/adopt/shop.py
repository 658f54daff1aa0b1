"""A small code base that calls Segment's client in every way that people do."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "shop/__init__.py": "",
    "shop/clients.py": """
        from segment.analytics import Client

        segment = Client("key")
    """,
    "shop/orders.py": '''
        import segment.analytics as analytics
        from datetime import date

        from shop.clients import segment

        SHIPPED = "Order Shipped"


        def complete(user_id: int, order: "Order", total: float, day: date, note: str | None = None) -> None:
            """Complete an order."""
            properties = {"order_id": order.id, "total": total, "lines": [{"sku": "a", "count": 1}]}
            analytics.track(user_id, "Order Completed", properties)
            segment.track(
                user_id=user_id,
                event="Order Completed",
                properties={"order_id": str(order.id), "total": 3, "day": day, "note": note, "class": f"x{total}"},
            )


        def ship(user_id: int, order: "Order") -> None:
            analytics.track(user_id, SHIPPED, dict(count=len(order.lines), is_gift=not order.price, price=2.5))
    ''',
    "shop/accounts.py": """
        from typing import Optional

        import analytics
        from segment.analytics import Client, identify as know, screen


        class Accounts:
            def __init__(self, client: Optional[Client] = None) -> None:
                self.client: "Client" = client or Client("key")

            def open(self, user_id: int, email: str, plan: str) -> None:
                know(user_id, {"email": email, "plan": "pro" if plan else None})
                self.client.group(user_id, "acme", {"seats": 3})
                self.client.alias("visitor", user_id)
                self.client.page(user_id, "Docs", "Start", {"url": "/"})
                screen(user_id, name="Basket")
                analytics.track(anonymous_id="a", event="Account Seen", properties={"plan": plan.lower()})
    """,
    "shop/dynamic.py": """
        from segment import analytics


        def forward(user_id: int, event: str, properties: dict, options: dict) -> None:
            analytics.track(user_id, event, {})
            analytics.track(user_id, "Forwarded", properties)
            analytics.track(user_id, "Forwarded", {"known": 1, **properties})
            analytics.track(user_id, "Forwarded", {event: 1})
            analytics.track(**options)
            changed = {"a": 1}
            changed["b"] = 2
            analytics.track(user_id, "Changed", changed)
            analytics.track(user_id, "  ")
    """,
    "shop/unrelated.py": """
        from shop import metrics


        def count(track, client) -> None:
            metrics.track(1, "Nothing", {"a": 1})
            track(1, "Nothing")
            client.identify(1)
    """,
    "shop/metrics.py": "def track(*arguments): ...",
    "shop/broken.py": "x = (",
    "venv/pyvenv.cfg": "",
    "venv/lib/other.py": "import analytics\nanalytics.track(1, 'Of somebody else')",
    ".hidden/other.py": "import analytics\nanalytics.track(1, 'Of somebody else')",
}


def write(root: Path, files: dict[str, str]) -> Path:
    """Write a code base below a directory."""
    for name, text in files.items():
        path = root / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return root / "code"
