"""The plan is what the classes of a project declare."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instrument.plan.collect import UnplannableError, collect
from instrument.plan.model import CodePlace, PersonalData, Plan, PlannedField, PlannedMessage, PlannedScope

if TYPE_CHECKING:
    from collections.abc import Callable

    from instrument.plan.project import Project

    WriteProject = Callable[..., Project]

HEAD = """
    from __future__ import annotations
    from typing import Annotated, Any, Callable, Generic, Literal, TypeVar
    from instrument import PII, Alias, Group, Identify, Page, Scope, Screen, Track
    from pydantic import BaseModel, Field, computed_field
    from typing_extensions import deprecated
    from shop.scopes import ShopScope, UserScope
"""


def event(plan: Plan, class_name: str) -> PlannedMessage:
    (found,) = (each for each in plan.messages if each.class_name == class_name)
    return found


def test_an_event_is_planned_with_all_that_its_class_says(write_project: WriteProject) -> None:
    plan = collect(
        write_project(
            events=HEAD
            + '''
    class Paid(Track, ShopScope, abstract=True, owner="billing"):
        """Something was paid."""
        amount: Annotated[int, Field(gt=0, description="In cents.")]

    class InvoicePaid(Paid, name="Invoice paid", deprecated="Bill Paid"):
        """An invoice was paid.

        By whoever got it.
        """
        method: Literal["card", "cash"] = "card"
        payer: Annotated[str | None, PII("email", policy="hash")] = None
    '''
        )
    )
    assert event(plan, "InvoicePaid") == PlannedMessage(
        kind="track",
        name="Invoice paid",
        class_name="InvoicePaid",
        module="shop.events",
        doc="An invoice was paid.\n\nBy whoever got it.",
        owner="billing",
        deprecated="Bill Paid",
        scopes=("ShopScope",),
        ids=(PlannedField(key="userId", name="user_id", type="int", schema={"type": "integer"}, scope="UserScope"),),
        properties=(
            PlannedField(
                key="shop",
                name="shop_id",
                type="int",
                schema={"minimum": 1, "type": "integer"},
                scope="ShopScope",
            ),
            PlannedField(
                key="amount",
                name="amount",
                type="Annotated[int, Field(gt=0, description='In cents.')]",
                schema={"exclusiveMinimum": 0, "type": "integer"},
                description="In cents.",
            ),
            PlannedField(
                key="method",
                name="method",
                type="Literal['card', 'cash']",
                schema={"default": "card", "enum": ["card", "cash"], "type": "string"},
                required=False,
            ),
            PlannedField(
                key="payer",
                name="payer",
                type="Annotated[str | None, PII('email', policy='hash')]",
                schema={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                required=False,
                pii=(PersonalData(category="email", policy="hash"),),
            ),
        ),
        declared=CodePlace(file="shop/events.py", line=12),
    )


def test_scopes_are_planned_with_the_fields_that_they_add(write_project: WriteProject) -> None:
    plan = collect(write_project(events=HEAD + "\n    class ShopOpened(Track, ShopScope): ...\n"))
    assert plan.scopes == (
        PlannedScope(
            name="ShopScope",
            class_name="ShopScope",
            module="shop.scopes",
            doc="The shop that something happens in.",
            bases=("UserScope",),
            fields=(PlannedField(key="shop", name="shop_id", type="int", schema={"minimum": 1, "type": "integer"}),),
            declared=CodePlace(file="shop/scopes.py", line=9),
        ),
        PlannedScope(
            name="UserScope",
            class_name="UserScope",
            module="shop.scopes",
            doc="Who acts.",
            fields=(PlannedField(key="userId", name="user_id", type="int", schema={"type": "integer"}),),
            declared=CodePlace(file="shop/scopes.py", line=5),
        ),
    )
    assert plan.scopes_of(event(plan, "ShopOpened")) == ("UserScope", "ShopScope")


def test_scopes_of_one_name_are_told_apart_by_their_modules(write_project: WriteProject) -> None:
    plan = collect(
        write_project(
            events=HEAD
            + """
    class Elsewhere:
        class ShopScope(UserScope):
            street: str

    class ShopOpened(Track, ShopScope): ...
    class ShopMoved(Track, Elsewhere.ShopScope): ...
    """
        )
    )
    assert [each.name for each in plan.scopes] == [
        "UserScope",
        "shop.events.Elsewhere.ShopScope",
        "shop.scopes.ShopScope",
    ]
    assert event(plan, "ShopMoved").properties[0].scope == "shop.events.Elsewhere.ShopScope"


def test_every_call_of_the_spec_is_planned(write_project: WriteProject) -> None:
    plan = collect(
        write_project(
            events=HEAD
            + """
    class AUser(Identify, UserScope):
        email: str
    class ATeam(Group, UserScope):
        size: int
    class APage(Page, UserScope, name="Start", category="Docs", owner="web"): ...
    class AScreen(Screen, UserScope): ...
    class AnAlias(Alias, UserScope): ...
    class AnEvent(Track, UserScope): ...
    """
        )
    )
    shown = [
        (each.kind, each.name, each.category, each.owner, each.name_key, each.payload, [i.key for i in each.ids])
        for each in plan.messages
    ]
    assert shown == [
        ("alias", None, None, None, None, None, ["userId", "previousId"]),
        ("group", None, None, None, None, "traits", ["userId", "groupId"]),
        ("identify", None, None, None, None, "traits", ["userId"]),
        ("page", "Start", "Docs", "web", "name", "properties", ["userId"]),
        ("screen", "A Screen", None, None, "name", "properties", ["userId"]),
        ("track", "An Event", None, None, "event", "properties", ["userId"]),
    ]


@pytest.mark.parametrize(
    ("declaration", "owner"),
    [
        ("class E(Track, UserScope, owner='growth'): ...", "growth"),
        ("class E(Track, UserScope):\n        '''An event.\n\n        Owner: growth team\n        '''", "growth team"),
        ("class E(Track, UserScope, owner='web'):\n        '''An event.\n\n        Owner: growth\n        '''", "web"),
        ("class B(Track, abstract=True):\n        'Owner: base'\n    class E(B, UserScope): ...", "base"),
        ("class E(Track, UserScope):\n        'The Owner: is not on a line of its own.'", None),
    ],
)
def test_an_owner_is_a_class_argument_or_a_line_of_the_docstring(
    write_project: WriteProject, declaration: str, owner: str | None
) -> None:
    planned = event(collect(write_project(events=f"{HEAD}\n    {declaration}\n")), "E")
    assert planned.owner == owner
    assert owner is None or "Owner:" not in planned.doc


@pytest.mark.parametrize(
    ("declaration", "deprecated"),
    [
        ("class E(Track, UserScope, deprecated=True): ...", True),
        ("class E(Track, UserScope, deprecated='Use F.'): ...", "Use F."),
        ("@deprecated('Use G.')\n    class E(Track, UserScope): ...", "Use G."),
        ("class B(Track, abstract=True, deprecated=True): ...\n    class E(B, UserScope): ...", False),
    ],
)
def test_a_deprecation_is_of_the_class_itself(
    write_project: WriteProject, declaration: str, deprecated: str | bool
) -> None:
    assert event(collect(write_project(events=f"{HEAD}\n    {declaration}\n")), "E").deprecated == deprecated


def test_fields_say_that_they_are_deprecated_computed_or_not_sent(write_project: WriteProject) -> None:
    plan = collect(
        write_project(
            events=HEAD
            + '''
    class E(Track, UserScope):
        old: int = Field(default=1, deprecated="Use new.")
        older: int = Field(default=1, deprecated=True)
        secret: str = Field(default="", exclude=True)
        @computed_field
        @property
        def twice(self) -> int:
            """Two times."""
            return 2
    '''
        )
    )
    old, older, twice = event(plan, "E").properties
    assert (old.deprecated, older.deprecated) == ("Use new.", True)
    assert twice == PlannedField(
        key="twice", name="twice", type="int", schema={"type": "integer"}, description="Two times.", computed=True
    )


def test_models_inside_of_a_field_are_definitions(write_project: WriteProject) -> None:
    plan = collect(
        write_project(
            events=HEAD
            + """
    class Part(BaseModel):
        mail: Annotated[str, PII("email")]
        parts: list[Part] = []

    class E(Track, UserScope):
        part: Part
    """
        )
    )
    (part,) = event(plan, "E").properties
    assert part.schema_ == {"$ref": "#/$defs/Part"}
    assert part.pii[0] == PersonalData(category="email", path=("mail",))
    assert event(plan, "E").definitions["Part"]["properties"]["parts"]["items"] == {"$ref": "#/$defs/Part"}


def test_a_generic_event_is_planned_once(write_project: WriteProject) -> None:
    plan = collect(
        write_project(
            events=HEAD
            + """
    from instrument import tracks
    T = TypeVar("T")
    class E(Track, UserScope, Generic[T]):
        value: T
    @tracks(E[int])
    def handle(value): ...
    """
        )
    )
    assert [each.title for each in plan.messages] == ["E"]
    assert [each.handler for each in event(plan, "E").emissions] == ["shop.events:handle"]


def test_what_json_schema_cannot_say_may_be_anything(write_project: WriteProject) -> None:
    source = "class E(Track, UserScope):\n        callback: Callable[[], int] | None = None\n        anything: Any"
    planned = event(collect(write_project(events=f"{HEAD}\n    {source}\n")), "E")
    assert [each.schema_ for each in planned.properties] == [{"anyOf": [{}, {"type": "null"}], "default": None}, {}]


def test_a_type_that_is_not_defined_is_told_with_its_place(write_project: WriteProject) -> None:
    project = write_project(events=f"{HEAD}\n    class E(Track, UserScope):\n        value: Nowhere\n")
    with pytest.raises(UnplannableError, match=r"shop/events\.py:8: E: .*Nowhere"):
        collect(project)


def test_a_lone_surrogate_becomes_its_escape(write_project: WriteProject) -> None:
    source = 'class E(Track, UserScope):\n        half: int = Field(description="\\ud800 is half of one.")'
    (planned,) = event(collect(write_project(events=f"{HEAD}\n    {source}\n")), "E").properties
    assert planned.description == "\\ud800 is half of one."


def test_only_messages_of_the_packages_are_planned(write_project: WriteProject) -> None:
    project = write_project(
        **{
            "events": f"{HEAD}\n    class Real(Track, UserScope): ...\n",
            "tests/__init__": "raise RuntimeError('not to be imported')",
            "__main__": "raise RuntimeError('not to be run')",
            "conftest": "raise RuntimeError('not to be imported')",
        }
    )
    assert [each.class_name for each in collect(project).messages] == ["Real"]


_SCRIPT = """
import sys
from importlib import import_module
from pathlib import Path
from instrument.plan.collect import collect
from instrument.plan.project import Project

root = Path(sys.argv[1])
sys.path.insert(0, str(root))
for name in sys.argv[2:]:
    import_module(name)
print(collect(Project(root, ("shop",))).to_json())
"""


def test_the_plan_file_is_the_same_whatever_the_order_of_imports(
    write_project: WriteProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    declares = """
    class {name}(Track, ShopScope):
        tags: set[str] = {{"red", "green", "blue", "white"}}
        more: dict[str, frozenset[str]] = {{"b": frozenset({{"x", "y", "z"}})}}
    """
    project = write_project(
        first=HEAD + declares.format(name="FirstSeen"),
        second=HEAD + declares.format(name="SecondSeen"),
    )
    files = set()
    for seed, order in (("1", ["shop.first", "shop.second"]), ("2", ["shop.second", "shop.first"]), ("3", [])):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        command = [sys.executable, "-c", _SCRIPT, str(project.root), *order]
        files.add(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    (file,) = files
    assert [each["name"] for each in json.loads(file)["messages"]] == ["First Seen", "Second Seen"]


def test_the_plan_file_stays_when_lines_move_and_can_be_read_back(write_project: WriteProject) -> None:
    source = f"{HEAD}\n    class E(Track, UserScope): ...\n    from instrument import tracks\n    @tracks(E)\n    def f(): ...\n"
    plan = collect(write_project(events=source))
    assert Plan.from_json(plan.to_json()) == plan.without_lines()
    moved = plan.messages[0].model_copy(update={"declared": CodePlace(file="shop/events.py", line=99)})
    assert plan.model_copy(update={"messages": (moved,)}).to_json() == plan.to_json()
    assert '"line"' not in plan.to_json()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"scopes": []}, "the plan has no scope UserScope"),
        ({"format": 2}, "format"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_no_plan_is_refused(write_project: WriteProject, change: dict[str, Any], problem: str) -> None:
    plan = collect(write_project(events=f"{HEAD}\n    class E(Track, UserScope): ...\n"))
    with pytest.raises(ValueError, match=problem):
        Plan.from_json(json.dumps({**json.loads(plan.to_json()), **change}))


def test_scopes_that_inherit_from_each_other_are_refused(write_project: WriteProject) -> None:
    content = json.loads(collect(write_project(events=f"{HEAD}\n    class E(Track, ShopScope): ...\n")).to_json())
    content["scopes"][1]["bases"] = ["ShopScope"]
    with pytest.raises(ValueError, match="inherit from each other"):
        Plan.from_json(json.dumps(content))
