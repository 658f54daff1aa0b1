"""TypeScript for a front end that sends the same messages: an interface for each, and unions of their names."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from instrument.plan.exports.naming import class_names
from instrument.plan.exports.texts import plain
from instrument.plan.jsons import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from instrument.plan.model import Plan, PlannedField, PlannedMessage

    Refer = Mapping[str, str]

_HEAD = """\
// Made by `instrument plan export --format typescript`: change the classes, and make it anew.
"""
_NO_NAME = re.compile(r"[^A-Za-z0-9_$]")
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_PRIMITIVES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_OF_KINDS = {"track": ("Tracks", "TrackName"), "page": ("Pages", "PageName"), "screen": ("Screens", "ScreenName")}


def document(plan: Plan) -> str:
    """Return a module of types, which needs nothing and runs nothing."""
    names = _Names(plan)
    parts = [_HEAD, f"// The tracking plan of {' '.join(plain(plan.name).split())}.\n"]
    parts += [part for each in plan.messages for part in _message(each, names)]
    parts += [
        part for kind in dict.fromkeys(each.kind for each in plan.messages) for part in _of_kind(plan, kind, names)
    ]
    return "\n".join(parts)


class _Names:
    """The names of types, each for one thing.

    Args:
        plan: the plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._taken = {name for names in _OF_KINDS.values() for name in names}
        self._taken |= {f"{each.kind.capitalize()}Payload" for each in plan.messages}
        self._taken |= {*_PRIMITIVES.values(), "Array", "Record", "any", "unknown", "never", "object", "symbol"}
        classes = class_names(plan.messages)
        self.of_messages = {each.identity: self.new(classes[each.identity]) for each in plan.messages}

    def new(self, wanted: str) -> str:
        """Return a name that is not taken, and take it."""
        name = _NO_NAME.sub("_", wanted)
        name = f"_{name}" if not name or name[0].isdigit() or name in _RESERVED else name
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _message(message: PlannedMessage, names: _Names) -> Iterator[str]:
    name = names.of_messages[message.identity]
    refer = {each: names.new(f"{name}_{each}") for each in message.definitions}
    for each, schema in message.definitions.items():
        yield f"export type {refer[each]} = {_type(schema, refer)};\n"
    deprecated = f"@deprecated {'' if message.deprecated is True else message.deprecated}" if message.deprecated else ""
    owner = f"Owner: {message.owner}" if message.owner else ""
    comment = _comment([message.title, message.doc, owner, deprecated], "")
    members = "".join(_member(each, refer) for each in message.properties)
    yield f"{comment}export interface {name} {{\n{members}}}\n"


def _member(field: PlannedField, refer: Refer) -> str:
    deprecated = f"@deprecated {'' if field.deprecated is True else field.deprecated}" if field.deprecated else ""
    comment = _comment([field.description, deprecated], "  ")
    return f"{comment}  {_key(field.key)}{'' if field.required else '?'}: {_type(field.schema_, refer)};\n"


def _of_kind(plan: Plan, kind: str, names: _Names) -> Iterator[str]:
    messages = [each for each in plan.messages if each.kind == kind]
    if kind not in _OF_KINDS:
        types = " | ".join(names.of_messages[each.identity] for each in messages)
        yield f"export type {kind.capitalize()}Payload = {types};\n"
        return
    by_name: dict[str, list[str]] = {}
    for each in messages:
        by_name.setdefault(each.name or "", []).append(names.of_messages[each.identity])
    members = "".join(f"  {_literal(name)}: {' | '.join(types)};\n" for name, types in by_name.items())
    interface, union = _OF_KINDS[kind]
    yield f"export interface {interface} {{\n{members}}}\n"
    yield f"export type {union} = {' | '.join(map(_literal, by_name))};\n"


def _type(schema: Mapping[str, Any], refer: Refer) -> str:
    for keyword, typed in _TYPED.items():
        if keyword in schema:
            return typed(schema, refer)
    return "unknown"


def _of_type(schema: Mapping[str, Any], refer: Refer) -> str:
    kinds = schema["type"] if is_list(schema["type"]) else [schema["type"]]
    makers = {"array": _array, "object": _object}
    return _union(makers[each](schema, refer) if each in makers else _PRIMITIVES.get(each, "unknown") for each in kinds)


def _array(schema: Mapping[str, Any], refer: Refer) -> str:
    items = schema.get("items")
    rest = _type(items, refer) if is_object(items) else "unknown"
    if "prefixItems" not in schema:
        return f"Array<{rest}>"
    first = [_type(each, refer) for each in schema["prefixItems"]]
    fixed = items is False or schema.get("maxItems") == len(first)
    return f"[{', '.join(first if fixed else [*first, f'...Array<{rest}>'])}]"


def _object(schema: Mapping[str, Any], refer: Refer) -> str:
    required = schema.get("required", ())
    members = [
        f"{_key(key)}{'' if key in required else '?'}: {_type(each, refer)}"
        for key, each in schema.get("properties", {}).items()
    ]
    others = schema.get("additionalProperties")
    record = f"Record<string, {_type(others, refer) if is_object(others) else 'unknown'}>"
    return f"{{ {'; '.join(members)} }}" if members else record


def _union(types: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(types)) or "never"


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else _literal(key)


def _literal(value: Any) -> str:
    if is_object(value) or is_list(value):
        return "unknown"
    return plain(json.dumps(value, ensure_ascii=False))


def _comment(texts: Iterable[str], indent: str) -> str:
    lines = [line.rstrip() for text in texts if text for line in plain(text).replace("*/", "*\\/").split("\n")]
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return f"{indent}/**\n" + "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines) + f"{indent} */\n"


_TYPED: Mapping[str, Callable[[Mapping[str, Any], Refer], str]] = {
    "$ref": lambda schema, refer: refer.get(str(schema["$ref"]).rpartition("/")[2], "unknown"),
    "const": lambda schema, _: _literal(schema["const"]),
    "enum": lambda schema, _: _union(map(_literal, schema["enum"])),
    "anyOf": lambda schema, refer: _union(_type(each, refer) for each in schema["anyOf"]),
    "oneOf": lambda schema, refer: _union(_type(each, refer) for each in schema["oneOf"]),
    "allOf": lambda schema, refer: " & ".join(f"({_type(each, refer)})" for each in schema["allOf"]),
    "type": _of_type,
}
_RESERVED = frozenset(
    {
        *("break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do", "else"),
        *("enum", "export", "extends", "false", "finally", "for", "function", "if", "import", "in", "instanceof"),
        *("new", "null", "return", "super", "switch", "this", "throw", "true", "try", "typeof", "var", "void"),
        *("while", "with", "let", "static", "yield", "implements", "interface", "package", "private", "protected"),
        *("public", "await", "type"),
    }
)
