"""Types of expressions, as far as the source says them: JSON Schemas, of which an empty one is what cannot be known."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from instrument.plan.adopt.clients import dotted

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]

UNKNOWN: Schema = {}
_PLAIN: Mapping[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "dict": {"type": "object"},
    "list": {"type": "array"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "UUID": {"type": "string", "format": "uuid"},
    "Any": UNKNOWN,
}
_LISTS = frozenset({"list", "List", "Sequence", "Iterable", "set", "frozenset", "tuple", "Tuple"})
_DICTS = frozenset({"dict", "Dict", "Mapping"})
_CALLS: Mapping[str, Schema] = {
    **{name: _PLAIN[name] for name in ("str", "int", "float", "bool")},
    **dict.fromkeys(("repr", "hex", "chr", "format"), _PLAIN["str"]),
    **dict.fromkeys(("len", "ord", "hash", "id"), _PLAIN["int"]),
    **dict.fromkeys(("isinstance", "any", "all", "hasattr", "callable"), _PLAIN["bool"]),
}
_TEXT_METHODS = frozenset({"lower", "upper", "strip", "title", "format", "join", "replace", "isoformat", "strftime"})


def type_of(node: ast.expr, names: Mapping[str, Schema]) -> Schema:
    """Return the type of an expression.

    Args:
        node: the expression.
        names: the types of the names that it may use.
    """
    if isinstance(node, ast.Constant):
        return _PLAIN.get("None" if node.value is None else type(node.value).__name__, UNKNOWN)
    if isinstance(node, ast.Name):
        return names.get(node.id, UNKNOWN)
    if isinstance(node, ast.JoinedStr):
        return _PLAIN["str"]
    if isinstance(node, (ast.Compare, ast.UnaryOp, ast.BoolOp, ast.IfExp)):
        return _of_choice(node, names)
    return _of_container(node, names)


def _of_choice(node: ast.Compare | ast.UnaryOp | ast.BoolOp | ast.IfExp, names: Mapping[str, Schema]) -> Schema:
    if isinstance(node, ast.IfExp):
        return united([type_of(node.body, names), type_of(node.orelse, names)])
    if isinstance(node, ast.BoolOp):
        return united([type_of(each, names) for each in node.values])
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
        return type_of(node.operand, names)
    return _PLAIN["bool"]


def _of_container(node: ast.expr, names: Mapping[str, Schema]) -> Schema:
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return _array(united([type_of(each, names) for each in node.elts]) if node.elts else UNKNOWN)
    if isinstance(node, ast.ListComp):
        return _array(UNKNOWN)
    if isinstance(node, ast.Dict):
        return _of_dict(node, names)
    if isinstance(node, ast.Call):
        return _of_call(node)
    return _of_arithmetic(node, names) if isinstance(node, ast.BinOp) else UNKNOWN


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items} if items else {"type": "array"}


def _of_dict(node: ast.Dict, names: Mapping[str, Schema]) -> Schema:
    keys = [each.value for each in node.keys if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if len(keys) != len(node.keys) or len(set(keys)) != len(keys) or not keys:
        return {"type": "object"}
    properties = {key: type_of(each, names) for key, each in zip(keys, node.values, strict=True)}
    return {"type": "object", "properties": properties, "required": keys}


def _of_call(node: ast.Call) -> Schema:
    name = dotted(node.func)
    if name is not None and name in _CALLS:
        return _CALLS[name]
    is_method = isinstance(node.func, ast.Attribute) and node.func.attr in _TEXT_METHODS
    return _PLAIN["str"] if is_method else UNKNOWN


def _of_arithmetic(node: ast.BinOp, names: Mapping[str, Schema]) -> Schema:
    left, right = type_of(node.left, names), type_of(node.right, names)
    if _PLAIN["str"] in (left, right) and isinstance(node.op, (ast.Add, ast.Mod)):
        return _PLAIN["str"]
    numbers = (_PLAIN["int"], _PLAIN["float"])
    if left not in numbers or right not in numbers:
        return UNKNOWN
    whole = isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)) and left == right == numbers[0]
    return numbers[0] if whole else numbers[1]


def type_of_annotation(node: ast.expr | None) -> Schema:
    """Return the type that an annotation says, where it is a plain one."""
    if node is None:
        return UNKNOWN
    if isinstance(node, ast.Constant):
        return _quoted(node.value) if isinstance(node.value, str) else _PLAIN["None"] if node.value is None else UNKNOWN
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return united([type_of_annotation(node.left), type_of_annotation(node.right)])
    if isinstance(node, ast.Subscript):
        return _of_generic(node)
    return _PLAIN.get((dotted(node) or "").rpartition(".")[2], UNKNOWN)


def _quoted(text: str) -> Schema:
    try:
        return type_of_annotation(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        return UNKNOWN


def _of_generic(node: ast.Subscript) -> Schema:
    name = (dotted(node.value) or "").rpartition(".")[2]
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name in ("Optional", "Union"):
        return united([*map(type_of_annotation, arguments), *([_PLAIN["None"]] if name == "Optional" else [])])
    if name == "Literal":
        values = [each.value for each in arguments if isinstance(each, ast.Constant)]
        is_plain = len(values) == len(arguments) and all(isinstance(each, (str, int)) for each in values)
        return {"enum": values} if is_plain else UNKNOWN
    if name in _LISTS:
        return _array(UNKNOWN if name in ("tuple", "Tuple") else type_of_annotation(arguments[0]))
    if name in _DICTS:
        return {"type": "object"}
    return UNKNOWN


def united(schemas: list[Schema]) -> Schema:
    """Return a type that all of some types are; what cannot be known stays so.

    >>> united([{"type": "integer"}, {"type": "null"}])
    {'anyOf': [{'type': 'integer'}, {'type': 'null'}]}
    >>> united([{"type": "integer"}, {"type": "number"}]), united([{"type": "string"}, {}])
    ({'type': 'number'}, {})
    """
    found: list[Schema] = []
    for schema in (part for each in schemas for part in each.get("anyOf", [each])):
        if not schema:
            return UNKNOWN
        _add(found, schema)
    found.sort(key=lambda each: each.get("type") == "null")
    return found[0] if len(found) == 1 else {"anyOf": found}


def _add(found: list[Schema], schema: Schema) -> None:
    """Add a type, or widen the one that can hold it too."""
    for index, other in enumerate(found):
        wider = _wider(other, schema)
        if wider is not None:
            found[index] = wider
            return
    found.append(schema)


def _wider(one: Schema, other: Schema) -> Schema | None:
    if one == other:
        return one
    kinds = one.get("type"), other.get("type")
    if set(kinds) == {"integer", "number"}:
        return _PLAIN["float"]
    if kinds == ("array", "array"):
        return _array(united([one.get("items", UNKNOWN), other.get("items", UNKNOWN)]))
    if kinds == ("object", "object"):
        return _united_objects(one, other)
    return None


def _united_objects(one: Schema, other: Schema) -> Schema:
    if "properties" not in one or "properties" not in other:
        return {"type": "object"}
    first, second = one["properties"], other["properties"]
    properties = {
        key: united([each[key] for each in (first, second) if key in each]) for key in dict.fromkeys([*first, *second])
    }
    required = [key for key in one["required"] if key in other["required"]]
    return {"type": "object", "properties": properties, "required": required}
