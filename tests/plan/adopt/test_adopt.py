"""Classes of a code base that calls Segment's client."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from instrument.plan.adopt.adoption import adopt
from tests.plan.adopt.shop import FILES, write

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests.plan.codegen.made import Workshop

EVENTS = '''\
"""The messages of the tracking plan."""

import datetime as dt
from typing import Any

from instrument import Alias, Group, Identify, Page, Screen, Track
from pydantic import Field

from .objects import OrderCompletedLines
from .scopes import UserScope, VisitorScope


class UserAlias(Alias, UserScope):
    # Called at shop/accounts.py:15.
    pass


class GroupTraits(Group, UserScope):
    # Called at shop/accounts.py:14.

    seats: int


class UserTraits(Identify, UserScope):
    # Called at shop/accounts.py:13.

    email: str
    plan: str | None


class Start(Page, UserScope, category="Docs"):
    # Called at shop/accounts.py:16.

    url: str


class Basket(Screen, UserScope):
    # Called at shop/accounts.py:17.
    pass


class AccountSeen(Track, VisitorScope):
    # Called at shop/accounts.py:18.

    plan: str


class Changed(Track, UserScope):
    # Called at shop/dynamic.py:13.
    # TODO: add what else is sent at shop/dynamic.py:13, which cannot be read.
    pass


class Forwarded(Track, UserScope):
    # Called at shop/dynamic.py:7, shop/dynamic.py:8, shop/dynamic.py:9.
    # TODO: add what else is sent at shop/dynamic.py:7, shop/dynamic.py:8,
    # shop/dynamic.py:9, which cannot be read.

    known: int | None = None


class OrderCompleted(Track, UserScope):
    # Called at shop/orders.py:13, shop/orders.py:14.

    # TODO: give it a type, which cannot be read at shop/orders.py:13.
    order_id: Any
    total: float
    lines: list[OrderCompletedLines] | None = None
    day: dt.date | None = None
    note: str | None = None
    class_: str | None = Field(default=None, serialization_alias="class")


class OrderShipped(Track, UserScope):
    # Called at shop/orders.py:22.

    count: int
    is_gift: bool
    price: float
'''

UNREAD = """\
not read: shop/broken.py:1: it cannot be read: '(' was never closed
not read: shop/dynamic.py:6: track: the name of the event is not written here
not read: shop/dynamic.py:7: track: its properties are not written here
not read: shop/dynamic.py:8: track: `**` in its properties is not written here
not read: shop/dynamic.py:9: track: the name of one of its properties is not written here
not read: shop/dynamic.py:10: track: its arguments are unpacked from something that is not written here
not read: shop/dynamic.py:13: track: its properties are not written here
not read: shop/dynamic.py:14: track: the name of the event is empty
"""


def _adopt(workshop: Workshop, code: Path, *options: str) -> Result:
    return workshop.run("plan", "adopt", str(code), "-o", str(workshop.package), *options)


def test_each_event_becomes_a_class_of_what_its_calls_send(workshop: Workshop) -> None:
    result = _adopt(workshop, write(workshop.root, FILES))
    assert result.exit_code == 0, result.output
    kept = ("# Made by", "# What is", "# Fingerprint")
    lines = (workshop.package / "events.py").read_text(encoding="utf-8").splitlines(keepends=True)
    assert "".join(line for line in lines if not line.startswith(kept)) == EVENTS
    assert workshop.source("scopes.py").endswith(
        "class UserScope(Scope):\n"
        '    """The user who acts."""\n\n'
        "    user_id: int\n\n\n"
        "class VisitorScope(Scope):\n"
        '    """Somebody who is not known."""\n\n'
        "    anonymous_id: str\n"
    )


def test_what_cannot_be_read_is_told_with_its_file_and_line(workshop: Workshop) -> None:
    result = _adopt(workshop, write(workshop.root, FILES))
    assert "".join(line for line in result.stderr.splitlines(keepends=True) if "not read" in line) == UNREAD
    assert result.stdout.splitlines()[-1] == "13 calls read, 8 not, or not as a whole"


def test_the_package_passes_the_checks_and_is_made_again_without_a_change(workshop: Workshop) -> None:
    code = write(workshop.root, FILES)
    _adopt(workshop, code)
    workshop.check()
    before = workshop.files()
    assert _adopt(workshop, code).exit_code == 0
    assert workshop.files() == before


def test_the_events_can_be_built_and_send_what_the_calls_did(workshop: Workshop) -> None:
    _adopt(workshop, write(workshop.root, FILES))
    with workshop.imported() as messages:
        built: Any = messages["OrderCompleted"].model_validate(
            {"user_id": 7, "order_id": "o", "total": 2.5, "lines": [{"sku": "a", "count": 1}], "class_": "x"}
        )
        assert (built.event, built.properties) == (
            "Order Completed",
            {
                "order_id": "o",
                "total": 2.5,
                "lines": [{"sku": "a", "count": 1}],
                "day": None,
                "note": None,
                "class": "x",
            },
        )


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("import segment.analytics", "segment.analytics.track"),
        ("import segment.analytics as a", "a.track"),
        ("from segment import analytics", "analytics.track"),
        ("from segment import analytics as a", "a.track"),
        ("from segment.analytics import track as send", "send"),
        ("import analytics", "analytics.track"),
        ("import analytics as a", "a.default_client.track"),
        ("from analytics import Client\nclient = Client('key')", "client.track"),
        ("from segment.analytics.client import Client as C\nclient: C", "client.track"),
        ("import segment.analytics as a\nclient = a.Client('key')", "client.track"),
        ("import instrument.compat.segment as analytics", "analytics.track"),
        ("from instrument.compat import segment", "segment.track"),
    ],
)
def test_the_client_is_known_however_it_is_imported(workshop: Workshop, imports: str, call: str) -> None:
    code = write(workshop.root, {"app.py": f"{imports}\n{call}(1, 'Seen', {{'a': 1}})\n"})
    (found,) = adopt(code / "app.py").calls
    assert (found.call, found.name, found.fields) == ("track", "Seen", {"a": {"type": "integer"}})


_TYPES = {
    "'a'": "str",
    "1": "int",
    "-1.5": "float",
    "None": "None",
    "True": "bool",
    "1 < 2": "bool",
    "f'{number}'": "str",
    "number": "int",
    "number * 2": "int",
    "number / 2": "float",
    "'a' + text": "str",
    "text or None": "str | None",
    "len(text)": "int",
    "text.strip()": "str",
    "[1, 2.5]": "list[float]",
    "[]": "list[Any]",
    "[each for each in text]": "list[Any]",
    "{}": "dict[str, Any]",
    "{text: 1}": "dict[str, Any]",
    "moment": "AwareDatetime",
    "names": "list[str]",
    "choice": 'Literal["a", "b"]',
    "maybe": "float | None",
    "bytes(3)": "Any",
    "unknown": "Any",
    "number.real": "Any",
    "twice": "int | str",
}


def test_types_are_those_that_the_code_says(workshop: Workshop) -> None:
    properties = ", ".join(f"'e{index}': {expression}" for index, expression in enumerate(_TYPES))
    code = write(
        workshop.root,
        {
            "app.py": f"""
                import analytics

                def run(number: int, text: str, moment: datetime.datetime, names: "list[str]",
                        choice: Literal["a", "b"], maybe: Union[int, float, None], unknown):
                    twice = 1
                    twice = "a"
                    analytics.track(1, "Seen", {{{properties}}})
            """
        },
    )
    _adopt(workshop, code)
    found = dict(re.findall(r"^    e(\d+): (.*)$", workshop.source("events.py"), re.MULTILINE))
    assert {each: found[str(index)] for index, each in enumerate(_TYPES)} == _TYPES


def test_calls_without_what_the_class_needs_are_told(workshop: Workshop) -> None:
    code = write(
        workshop.root,
        {
            "app.py": """
                import analytics
                analytics.track(event="Seen", anonymous_id="a")
                analytics.track(1, "Seen")
                analytics.page(1, "Docs", "Start")
                analytics.page(1, "Shop", "Start")
                analytics.page(1)
            """
        },
    )
    notes = [line for line in _adopt(workshop, code).stderr.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: app.py:7: page: it has no name; the class gives it one",
        "note: app.py:6: page 'Start': its category is another than at app.py:5, which the class has",
        "note: app.py:3: track 'Seen': it gives no user id, which the class requires",
    ]


def test_a_code_base_without_a_call_is_told(workshop: Workshop) -> None:
    code = write(workshop.root, {"app.py": "track = print\ntrack(1, 'Seen')\n"})
    result = _adopt(workshop, code)
    assert (result.exit_code, result.output) == (1, f"{code}: no call of Segment's client is found in it\n")
    assert _adopt(workshop, code / "nowhere").output == f"{code / 'nowhere'}: there is no such directory or file\n"
    assert not workshop.package.exists()


def test_files_that_cannot_be_read_cost_nothing_but_themselves(workshop: Workshop) -> None:
    code = write(
        workshop.root, {"app.py": "import analytics\nanalytics.track(1, 'Seen')\n", "deep.py": "(" * 500 + ")" * 500}
    )
    (code / "null.py").write_bytes(b"x = '\0'\n")
    (code / "latin.py").write_bytes(b"x = '\xff'\n")
    (code / "huge.py").write_bytes(b"#" * (5 << 20))
    (code / "chain.py").write_text("x = " + "+".join("1" * 50_000) + "\n", encoding="utf-8")
    (code / "gone.py").symlink_to(code / "nowhere")
    result = _adopt(workshop, code)
    assert result.exit_code == 0, result.output
    assert {line.split(": ")[1].split(":")[0] for line in result.stderr.splitlines()} >= {
        "deep.py",
        "null.py",
        "latin.py",
        "huge.py",
        "gone.py",
    }
    assert "class Seen(Track, UserScope):" in workshop.source("events.py")


def test_nothing_of_the_code_is_run(workshop: Workshop) -> None:
    touch = "import pathlib\npathlib.Path('evil').touch()\n"
    code = write(
        workshop.root, {"app.py": f"import analytics\n{touch}analytics.track(1, 'Seen', {{'a': open('evil', 'w')}})\n"}
    )
    assert _adopt(workshop, code).exit_code == 0
    assert not (workshop.root / "evil").exists()


def test_a_module_of_the_code_s_own_is_not_segment_s(workshop: Workshop) -> None:
    code = write(
        workshop.root,
        {"analytics.py": "def track(*a): ...\n", "app.py": "import analytics\nanalytics.track(1, 'Seen')\n"},
    )
    assert _adopt(workshop, code).exit_code == 1
