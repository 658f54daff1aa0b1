"""Any plan at all becomes a package that imports, checks, and accepts what its schemas accept."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.plan.codegen.made import Workshop, plan_of, rule
from tests.strategies import texts

if TYPE_CHECKING:
    import pytest
    from hypothesis.strategies import SearchStrategy

_keys = texts | st.sampled_from(
    ["event", "json", "copy", "class", "user_id", "date", "list", "a b", "a-b", "A B", "_x", "1st", 'say "hi"\n', "🎉"]
)

_leaves: SearchStrategy[tuple[Any, Any]] = st.sampled_from(
    [
        ({}, 1),
        (True, None),
        ({"type": "string"}, "a"),
        ({"type": ["string", "null"], "minLength": 1}, None),
        ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "format": "uuid"}, "6b1b2d68-5f06-4d2a-9d11-5c1c0f2f4b1e"),
        ({"type": "string", "pattern": "^a(?=b)"}, "ab"),
        ({"type": "integer", "minimum": 0, "maximum": 9}, 3),
        ({"type": ["integer", "string"], "minimum": 3, "pattern": "^x"}, "xy"),
        ({"type": "number", "exclusiveMinimum": 0}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": "array"}, [1, "a"]),
        ({"enum": ["a", 'b"\n', 3, None, True]}, 'b"\n'),
        ({"const": "a'b"}, "a'b"),
        ({"enum": [1.5]}, 1.5),
        ({"type": "object"}, {"any": "thing"}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"any": 1}),
        ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "ab"),
        ({"oneOf": [{"type": "string", "maxLength": 1}, {"type": "integer"}]}, 12),
        ({"type": "array", "items": {"type": ["string", "null"], "maxLength": 3}}, ["abc", None]),
        ({"not": {"type": "string"}}, 1),
    ]
)


@st.composite
def _objects(draw: st.DrawFn, inner: SearchStrategy[tuple[Any, Any]]) -> tuple[Any, Any]:
    """An object that takes every key that its values have: by name only where a key is no name."""
    members = draw(st.dictionaries(st.from_regex(r"[a-d]_[a-d]", fullmatch=True), inner, min_size=1, max_size=3))
    schema = {
        "type": "object",
        "properties": {key: each for key, (each, _) in members.items()},
        "required": list(members),
    }
    return schema, {key: value for key, (_, value) in members.items()}


_schemas: SearchStrategy[tuple[Any, Any]] = st.recursive(
    _leaves,
    lambda inner: _objects(inner) | inner.map(lambda each: ({"type": "array", "items": each[0]}, [each[1]])),
    max_leaves=6,
)
_plans = st.dictionaries(texts.filter(str.strip), st.dictionaries(_keys, _schemas, max_size=5), min_size=1, max_size=6)


@given(_plans)
# Without shrinking, which would take minutes.
@settings(
    max_examples=4,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_the_package_has_every_name_and_key_and_accepts_the_values(plan: dict[str, dict[str, tuple[Any, Any]]]) -> None:
    rules = [
        rule(
            name,
            {
                "properties": {
                    "type": "object",
                    "properties": {key: schema for key, (schema, _) in fields.items()},
                    "required": list(fields),
                },
                "context": {},
            },
        )
        for name, fields in plan.items()
    ]
    with tempfile.TemporaryDirectory() as directory:
        workshop = Workshop(Path(directory), f"made_{uuid4().hex[:12]}", lambda: nullcontext(Path(directory)))
        workshop.made(plan_of(*rules))
        before = workshop.files()
        workshop.made(plan_of(*rules))
        assert workshop.files() == before
        with workshop.imported() as messages:
            by_name = {each.__declaration__.name: each for each in messages.values() if each.__declaration__}
            assert by_name.keys() == plan.keys()
            for name, fields in plan.items():
                message = by_name[name]
                keys = {
                    each if field.serialization_alias is None else field.serialization_alias: each
                    for each, field in message.model_fields.items()
                    if each != "user_id"
                }
                assert keys.keys() == fields.keys()
                message.model_validate({"user_id": 1, **{keys[key]: value for key, (_, value) in fields.items()}})


def test_the_package_of_such_a_plan_passes_the_checks(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workshop.root)
    keys = [
        "event",
        "json",
        "class",
        "user_id",
        "date",
        "list",
        "a b",
        "a-b",
        "1st",
        'say "hi"\n',
        "🎉",
        "Ünï",
        "x" * 200,
        "a\u202eb",
    ]
    leaves: list[Any] = [
        {
            "type": "string",
            "format": "date-time",
            "description": "A 'quoted' \"text\"\\ with\ttabs.\n\n    And lines. \n",
        },
        {"type": "string", "default": 'a"b'},
        {"type": ["integer", "null"], "minimum": 0, "description": '"'},
        {
            "type": "object",
            "properties": {
                "x" * 90: {"enum": ["y" * 90, 'z"']},
                "b": {"type": "array", "items": {"properties": {"c": {}}}},
            },
        },
    ]
    rules = [
        rule(
            name,
            {
                "properties": {
                    "properties": {key: leaves[(index + each) % len(leaves)] for each, key in enumerate(keys)}
                }
            },
            description=f'"{name}\\"',
        )
        for index, name in enumerate(
            ["Track", "track", 'say "hi"\n', "🎉", "42", "None", "n" * 200, "a\u202eb", "'''", "Žádost podána"]
        )
    ]
    workshop.made(plan_of(*rules))
    workshop.check()
