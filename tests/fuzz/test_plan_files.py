"""Any file in the place of a plan gives a plan or a clear error: no traceback, and nothing written by halves."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from instrument.cli.app import app
from instrument.plan.codegen.formats import read_plan
from instrument.plan.codegen.problems import PlanFileError
from tests.fuzz.fuzzing import any_text, examples
from tests.plan.plans import PLAN

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy
    from typer.testing import Result

OURS = json.loads(PLAN.model_dump_json(exclude_defaults=True))
_keys = (
    st.sampled_from(
        [
            *(
                "type",
                "key",
                "name",
                "version",
                "rules",
                "jsonSchema",
                "properties",
                "required",
                "items",
                "enum",
                "const",
            ),
            *(
                "$ref",
                "$defs",
                "definitions",
                "allOf",
                "anyOf",
                "oneOf",
                "not",
                "format",
                "pattern",
                "default",
                "title",
            ),
            *(
                "description",
                "additionalProperties",
                "minimum",
                "maxLength",
                "events",
                "messages",
                "scopes",
                "kind",
                "ids",
            ),
            *(
                "class_name",
                "module",
                "doc",
                "schema",
                "emissions",
                "pii",
                "form",
                "event",
                "context",
                "traits",
                "track",
            ),
        ]
    )
    | any_text
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | any_text
    | st.sampled_from(
        ["TRACK", "track", "string", "object", "array", "#/$defs/a", "#", "http://x/", "^(", "(?<!a", "email"]
    )
)
_values: SearchStrategy[Any] = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=5), max_leaves=12
)
_schemas: SearchStrategy[Any] = st.recursive(
    _values,
    lambda inner: st.fixed_dictionaries({"properties": st.dictionaries(_keys, inner, max_size=3)}),
    max_leaves=4,
)
_SEGMENT = {
    "id": "tp",
    "name": "n",
    "rules": [{"type": "TRACK", "key": "A b", "version": 1, "jsonSchema": {"properties": {}}}],
}
_TYPEWRITER = {"name": "n", "events": [{"name": "A b", "description": "d", "rules": {"properties": {}}}]}


def _changed(document: Any) -> SearchStrategy[Any]:
    """Put anything in the place of any part of a document."""
    paths = list(_paths(document))
    return st.tuples(st.sampled_from(paths), _values | _schemas).map(lambda each: _with(document, *each))


def _paths(document: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, part in parts:
        yield from _paths(part, (*path, key))


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = _with(copy[path[0]], path[1:], value)
    return copy


_segment = _changed(_SEGMENT) | st.builds(
    lambda schemas: {
        "rules": [{"type": "TRACK", "key": key, "version": 1, "jsonSchema": each} for key, each in schemas.items()]
    },
    st.dictionaries(_keys, _schemas, max_size=3),
)
_documents = _values | _segment | _changed(_TYPEWRITER) | _changed(OURS)
_cells = any_text | st.sampled_from(
    [
        "event",
        "Event Name",
        "property",
        "type",
        "required",
        "yes",
        "string",
        "track",
        "part",
        "key",
        "schema",
        "{",
        "{}",
        "json_type",
    ]
)
_tables = st.lists(st.lists(_cells, max_size=5).map(",".join), max_size=5).map("\n".join)
_headed = _tables.map(lambda rows: f"event,property,type,required,permitted values\n{rows}")
_ours_headed = _tables.map(lambda rows: f"type,name,part,json_type,schema,key\n{rows}")
_CLEAR = (0, 1, 2)


def written(directory: str, name: str, content: str | bytes) -> Path:
    path = Path(directory, name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def read(path: Path) -> None:
    """Read a plan of anybody's; the one error that may come says which file it is about."""
    try:
        read_plan(path)
    except PlanFileError as error:
        assert str(path) in str(error)
        assert len(str(error)) < 2_000
        str(error).encode()


def run(*arguments: str) -> Result:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["plan", *arguments])
    assert result.exit_code in _CLEAR, (arguments, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@examples(60)
@given(document=_documents)
@example(document={"rules": [{"key": "A", "jsonSchema": {"$ref": "#"}}]})
def test_any_json_is_read_or_said_to_be_wrong(document: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        read(written(directory, "plan.json", json.dumps(document)))


@examples(30)
@given(content=st.binary(max_size=80) | any_text | _tables)
@pytest.mark.parametrize("name", ["plan.json", "plan.csv", "plan", "plan.yaml"])
def test_any_bytes_are_said_to_be_no_plan(content: bytes | str, name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        read(written(directory, name, content))


@examples(40)
@given(table=_tables | _headed | _ours_headed)
def test_any_table_is_read_or_said_to_be_wrong(table: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        read(written(directory, "plan.csv", table))


@examples(30)
@given(schemas=st.lists(_schemas, max_size=3))
def test_any_directory_of_schemas_is_read_or_said_to_be_wrong(schemas: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for number, schema in enumerate(schemas):
            written(directory, f"{number}.json", json.dumps(schema))
        read(Path(directory))


@examples(4)
@given(document=_segment | _changed(OURS))
def test_classes_are_made_of_it_or_nothing_is_written(document: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path, package = written(directory, "plan.json", json.dumps(document)), Path(directory, "made")
        result = run("codegen", str(path), "-o", str(package))
        assert package.exists() is (result.exit_code == 0)


@examples(10)
@given(old=_changed(OURS) | _values, new=_changed(OURS), form=st.sampled_from(["text", "markdown", "json"]))
def test_any_two_files_are_compared_or_said_to_be_no_plans(old: Any, new: Any, form: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        paths = [str(written(directory, name, json.dumps(each))) for name, each in (("old", old), ("new", new))]
        run("diff", *paths, "--format", form)


@examples(10)
@given(
    plan=_changed(OURS),
    lines=st.lists(
        _values.map(json.dumps)
        | any_text
        | _changed(
            {"type": "track", "event": "Invoice Paid", "userId": "7", "properties": {"shop": 1, "amount": 2}}
        ).map(json.dumps),
        max_size=4,
    ),
)
def test_any_events_are_checked_against_any_plan(plan: Any, lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = written(directory, "plan.json", json.dumps(plan))
        run("check", str(written(directory, "events.jsonl", "\n".join(lines))), "--plan", str(path))


@examples(10)
@given(
    plan=_changed(OURS),
    form=st.sampled_from(["plan", "markdown", "html", "csv", "typescript", "json-schema", "protocols"]),
)
def test_any_plan_is_exported_or_said_to_be_none(plan: Any, form: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = written(directory, "plan.json", json.dumps(plan))
        run("export", "--format", form, "--plan", str(path), "-o", f"{directory}/out.txt")
