"""Files that are no plan, or a plan that means harm: a clear error, nothing written, nothing run, nothing fetched."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.plan.codegen.made import plan_of, rule

if TYPE_CHECKING:
    from tests.plan.codegen.made import Workshop


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "plan.json:1:1: it is no JSON: Expecting value"),
        ('{"rules": [,]}', "plan.json:1:12: it is no JSON: "),
        ('{"rules": NaN}', "plan.json: it is no JSON: NaN is none of its numbers"),
        ('{"rules": [], "rules": []}', "plan.json: the whole file: it has the key 'rules' twice"),
        ("[" * 500_000, "plan.json: it is nested deeper than 100 levels"),
        ('{"a":' * 200 + "1" + "}" * 200, "it is nested deeper than 100 levels"),
        (r'{"rules": [{"key": "\ud800"}]}', "plan.json: rules[0].key: the text has a lone surrogate"),
        ('{"rules": [' + "9" * 5000 + "]}", "plan.json: it is no JSON: "),
    ],
)
def test_what_is_no_json_is_told(workshop: Workshop, text: str, problem: str) -> None:
    result = workshop.codegen(text)
    assert result.exit_code == 1
    assert problem in result.output
    assert len(result.output) < 1000
    assert not workshop.package.exists()


def test_what_is_no_text_or_no_file_is_told(workshop: Workshop) -> None:
    path = workshop.root / "plan.json"
    path.write_bytes(b'{"rules": "\xff"}')
    assert workshop.codegen(path).output == f"{path}: it is no UTF-8: byte 11\n"
    path.unlink()
    assert workshop.codegen(path).output == f"{path}: it cannot be read: No such file or directory\n"


def test_a_file_that_is_too_large_is_not_read_to_its_end(workshop: Workshop) -> None:
    path = workshop.root / "plan.json"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    assert workshop.codegen(path).output == f"{path}: it has more than 64 MiB\n"


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("http://127.0.0.1:{port}/x.json", "leads out of this document, and nothing is fetched: write it in here"),
        ("file:///etc/passwd", "leads out of this document, and nothing is fetched: write it in here"),
        ("other.json#/a", "leads out of this document, and nothing is fetched: write it in here"),
        ("#/nowhere", "'#/nowhere' leads to nothing in this document"),
        ("#anchor", "'#anchor' is no JSON Pointer: write for instance '#/$defs/address'"),
        (7, "a `$ref` is a text"),
    ],
)
def test_a_reference_that_leads_out_is_an_error_and_never_followed(
    workshop: Workshop, reference: Any, problem: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        value = reference.format(port=port) if isinstance(reference, str) else reference
        result = workshop.codegen(plan_of(rule("A", {"b": {"$ref": value}})))
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert result.exit_code == 1
    assert problem in result.output
    assert "rules[0]: property 'b'" in result.output
    assert not workshop.package.exists()


def test_objects_that_refer_to_themselves_become_classes_that_do(workshop: Workshop) -> None:
    node = {
        "type": "object",
        "properties": {
            "label": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#/definitions/node"}},
        },
    }
    other = {"type": "object", "properties": {"back": {"$ref": "#/definitions/far"}}}
    far = {"type": "object", "properties": {"there": {"$ref": "#/definitions/near"}}}
    workshop.made(
        plan_of(
            rule(
                "A",
                {"tree": {"$ref": "#/definitions/node"}, "near": {"$ref": "#/definitions/near"}},
                definitions={"node": node, "near": other, "far": far},
            )
        )
    )
    with workshop.imported() as messages:
        built = messages["A"].model_validate(
            {"user_id": 1, "tree": {"label": "a", "children": [{"label": "b"}]}, "near": {"back": {"there": {}}}}
        )
        assert built.model_dump(exclude_none=True) == {
            "user_id": 1,
            "tree": {"label": "a", "children": [{"label": "b"}]},
            "near": {"back": {"there": {}}},
        }
    workshop.check()


def test_what_refers_to_itself_without_an_object_between_may_be_anything(workshop: Workshop) -> None:
    definitions = {"b": {"anyOf": [{"type": "string"}, {"$ref": "#/definitions/b"}]}}
    result = workshop.codegen(plan_of(rule("A", {"x": {"$ref": "#/definitions/b"}}, definitions=definitions)))
    assert result.exit_code == 0
    assert "refers to itself without an object between: it may be anything" in result.output
    assert "    x: Any = None\n" in workshop.source("events.py")


def test_a_circle_of_references_is_an_error(workshop: Workshop) -> None:
    definitions = {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}
    result = workshop.codegen(plan_of(rule("A", {"x": {"$ref": "#/definitions/b"}}, definitions=definitions)))
    assert result.exit_code == 1
    assert "refers to itself" in result.output


@pytest.mark.parametrize("word", ["anyOf", "allOf"])
def test_references_that_multiply_each_other_are_an_error(workshop: Workshop, word: str) -> None:
    definitions: dict[str, Any] = {
        f"a{level}": {word: [{"$ref": f"#/definitions/a{level + 1}"}, {"$ref": f"#/definitions/a{level + 1}"}]}
        for level in range(40)
    }
    definitions["a40"] = {"type": "string"}
    result = workshop.codegen(plan_of(rule("A", {"x": {"$ref": "#/definitions/a0"}}, definitions=definitions)))
    assert result.exit_code == 1
    assert re.search("more than 10{4,5} ", result.output)


def test_a_plan_cannot_bring_code_along(workshop: Workshop) -> None:
    evil = '"""\nimport os; os.system("touch evil")\n"""'
    source = workshop.made(
        plan_of(
            rule(
                evil,
                {
                    evil: {"type": "string", "description": evil, "default": evil, "title": evil, "enum": [evil, "x"]},
                    "b": {
                        "type": "integer",
                        "customTypePath": "os.system",
                        "x-python-type": "os.system",
                        "x-python-import": {"module": "os", "name": "system"},
                    },
                    "c": {
                        "type": "object",
                        "title": evil,
                        "customBasePath": "os.system",
                        "properties": {evil: {"$comment": evil}},
                    },
                    "d": {"type": "string", "pattern": evil},
                },
                description=evil,
            )
        )
    )
    assert json.dumps("os.system") not in source
    with workshop.imported() as messages:
        (message,) = messages.values()
        assert message.__declaration__ is not None
        assert message.__declaration__.name == evil
        assert evil in {field.serialization_alias for field in message.model_fields.values()}
    assert not (workshop.root / "evil").exists()
