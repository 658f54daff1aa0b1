"""JSON Schemas reduced to what classes can say.

A plan's schemas are somebody else's text, and the generator of types understands words of its own in them, down to
imports. So only known words pass. What an object with properties says becomes a class of its own; references to
anything else are replaced by what they refer to. What no class can say is left out, with a remark.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import StringConstraints, TypeAdapter
from pydantic_core import SchemaError

from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.jsons import is_list, is_object, is_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from instrument.plan.codegen.drafts import DraftField
    from instrument.plan.codegen.references import Document

Schema = dict[str, Any]

_MAX_SCHEMAS = 100_000
_FORMATS = frozenset({"date-time", "date", "time", "uuid", "duration"})
_NUMBER_WORDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_WORDS: Mapping[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": _NUMBER_WORDS,
    "number": _NUMBER_WORDS,
    "boolean": (),
    "null": (),
    "array": ("minItems", "maxItems"),
    "object": (),
}
_TYPED_BY = {"properties": "object", "additionalProperties": "object", "patternProperties": "object", "items": "array"}
_UNSAID = (
    *("not", "if", "dependencies", "dependentRequired", "dependentSchemas", "contains", "propertyNames"),
    *("unevaluatedProperties", "unevaluatedItems", "prefixItems"),
)


@dataclass(frozen=True, slots=True)
class Member:
    """A field with its schema reduced.

    Attributes:
        key: its key in the message.
        schema: its JSON Schema, reduced.
        required: whether it has to be there.
        description: what the plan says of it.
        default: its value where it is not there.
        draft: what it was drafted as; `None` of a field of a nested object.
    """

    key: str
    schema: Schema
    required: bool
    description: str = ""
    default: Any = None
    draft: DraftField | None = None


@dataclass(slots=True)
class NestedObject:
    """An object inside of a message that becomes a class.

    Attributes:
        id: what the reduced schemas refer to it by.
        hint: what to name the class after.
        open: whether it may have other keys too.
        description: what it means.
        members: its fields.
    """

    id: str
    hint: str
    open: bool
    description: str = ""
    members: list[Member] = field(default_factory=list[Member])


@dataclass(slots=True)
class Reduction:
    """The state of reducing the schemas of one plan.

    Attributes:
        objects: the nested objects found so far, in the order they were met.
        remarks: what was left out.
        of_references: by document and reference, what an object that is referred to was reduced to.
    """

    objects: list[NestedObject] = field(default_factory=list[NestedObject])
    remarks: list[str] = field(default_factory=list[str])
    of_references: dict[tuple[int, str], Schema] = field(default_factory=dict[tuple[int, str], Schema])
    _count: int = 0

    def member(self, draft: DraftField, document: Document, where: str, owner: str) -> Member:
        """Reduce the schema of a field.

        Args:
            draft: the field.
            document: what its references lead into.
            where: the place of the field.
            owner: the name of the class that has it.

        Raises:
            PlanFileError: the schema is none.
        """
        schema = _Reducer(self, document).reduce(draft.schema, where, f"{owner} {draft.key}")
        description = draft.description or description_of(draft.schema)
        default = self.default(draft.schema, schema, where)
        return Member(draft.key, schema, draft.required, description, default, draft)

    def count(self, where: str) -> None:
        """Count a schema.

        Raises:
            PlanFileError: there are too many, as there are when references multiply each other.
        """
        self._count += 1
        if self._count > _MAX_SCHEMAS:
            raise PlanFileError(where, f"with all that is referred to, there are more than {_MAX_SCHEMAS} schemas")

    def remark(self, where: str, text: str) -> None:
        """Keep what was left out."""
        self.remarks.append(f"{where}: {text}")

    def default(self, schema: Any, reduced: Schema, where: str) -> Any:
        """Return the default of a schema, if a class can have it.

        Args:
            schema: as the plan has it.
            reduced: what is left of it, whose type the default must have.
            where: the place in the file, for errors.
        """
        default: Any = schema.get("default") if is_object(schema) else None
        if default is None or _is_plain_value(default, reduced):
            return default
        self.remark(where, "its default is left out: only texts, numbers and booleans of its own type are kept")
        return None


def members_of(schema: Any, document: Document, where: str) -> Iterator[tuple[str, Any, bool]]:
    """Give the key and the schema of each property of an object, and whether it is required.

    Args:
        schema: what JSON says.
        document: what its references are resolved in.
        where: the place in the file, for errors.

    Raises:
        PlanFileError: the schema is none of an object.
    """
    merged = _merged(schema, document, where, frozenset())
    properties = _mapping(merged.get("properties", {}), f"{where}.properties")
    required = _required(merged, where)
    for key, each in properties.items():
        yield key, each, key in required


def description_of(schema: Any) -> str:
    """Return the description of a schema, empty where it has none."""
    text: Any = schema.get("description") if is_object(schema) else None
    return text if isinstance(text, str) else ""


@dataclass(frozen=True, slots=True)
class _Reducer:
    """Reduces the schemas of one document."""

    reduction: Reduction
    document: Document
    open_references: frozenset[str] = frozenset()

    def reduce(self, schema: Any, where: str, hint: str) -> Schema:
        self.reduction.count(where)
        if isinstance(schema, bool):
            if not schema:
                self.reduction.remark(where, "nothing fits it, which no type can say: it may be anything")
            return {}
        node = _mapping(schema, where)
        if "$ref" in node:
            return self._reference(node, where, hint)
        if "allOf" in node:
            return self.reduce(_merged(node, self.document, where, frozenset()), where, hint)
        self._remark_on(node, where)
        if "enum" in node or "const" in node:
            return self._values(node, where)
        if "anyOf" in node or "oneOf" in node:
            return self._choice(node, where, hint)
        return self._typed(node, where, hint)

    def _reference(self, node: Schema, where: str, hint: str) -> Schema:
        reference = node["$ref"]
        target = self.document.resolve(reference, where)
        known = self.reduction.of_references.get((id(self.document.root), reference))
        if known is not None:
            return known
        if reference in self.open_references:
            self.reduction.remark(
                where, f"{reference!a} refers to itself without an object between: it may be anything"
            )
            return {}
        inner = _Reducer(self.reduction, self.document, self.open_references | {reference})
        merged = _merged(node, self.document, where, frozenset())
        if _is_object_with_properties(merged):
            named = reference.rpartition("/")[2] if reference != "#" else hint
            return inner._object(merged, where, named, (id(self.document.root), reference))
        siblings = {key: value for key, value in node.items() if key != "$ref"}
        return inner.reduce({**target, **siblings} if is_object(target) else target, where, hint)

    def _values(self, node: Schema, where: str) -> Schema:
        values: Any = node["enum"] if "enum" in node else [node["const"]]
        if not is_list(values):
            raise PlanFileError(f"{where}.enum", "it is no list")
        plain: list[Any] = [each for each in values if _is_literal(each)]
        if plain and len(plain) == len(values):
            return {"enum": plain}
        self.reduction.remark(where, "its values are left out: only texts, integers, booleans and null can be listed")
        return self._typed({key: each for key, each in node.items() if key not in {"enum", "const"}}, where, "")

    def _choice(self, node: Schema, where: str, hint: str) -> Schema:
        word = "anyOf" if "anyOf" in node else "oneOf"
        branches: Any = node[word]
        if not is_list(branches) or not branches:
            raise PlanFileError(f"{where}.{word}", "it is no list of schemas")
        base = {key: value for key, value in node.items() if key not in {"anyOf", "oneOf", "description", "title"}}
        found: list[Schema] = []
        for index, branch in enumerate(branches):
            place = f"{where}.{word}[{index}]"
            whole: Any = {**base, **branch} if is_object(branch) and "$ref" not in branch else branch
            reduced = self.reduce(whole, place, hint)
            if reduced not in found:
                found.append(reduced)
        if {} in found:
            return {}
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _typed(self, node: Schema, where: str, hint: str) -> Schema:
        kinds = _types(node, where)
        if node.get("nullable") is True and kinds:
            kinds = list(dict.fromkeys([*kinds, "null"]))
        found = [self._of_type(kind, node, where, hint) for kind in kinds]
        if not found:
            return {}
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _of_type(self, kind: str, node: Schema, where: str, hint: str) -> Schema:
        if kind == "object":
            return self._mapping_or_object({**node, "type": "object"}, where, hint)
        words = {word: node[word] for word in _WORDS[kind] if word in node}
        reduced: Schema = {"type": kind, **self._checked_words(words, where)}
        if kind == "array" and "items" in node:
            reduced["items"] = self._items(node["items"], f"{where}.items", hint)
        if kind == "array" and node.get("uniqueItems") is True:
            self.reduction.remark(where, "`uniqueItems` is not checked")
        return reduced

    def _items(self, items: Any, where: str, hint: str) -> Schema:
        if is_list(items):
            self.reduction.remark(where, "the types of single positions are left out")
            return {}
        return self.reduce(items, where, hint)

    def _mapping_or_object(self, node: Schema, where: str, hint: str) -> Schema:
        if _is_object_with_properties(node):
            title = node.get("title")
            return self._object(node, where, title if isinstance(title, str) and title else hint, None)
        values = node.get("additionalProperties")
        if is_object(values):
            inner = self.reduce(values, f"{where}.additionalProperties", hint)
            return {"type": "object", "additionalProperties": inner}
        return {"type": "object"}

    def _object(self, node: Schema, where: str, hint: str, reference: tuple[int, str] | None) -> Schema:
        nested = NestedObject(
            f"T{len(self.reduction.objects)}", hint, node.get("additionalProperties") is True, description_of(node)
        )
        self.reduction.objects.append(nested)
        schema: Schema = {"$ref": f"#/$defs/{nested.id}"}
        if reference is not None:
            self.reduction.of_references[reference] = schema
        if is_object(node.get("additionalProperties")) or "patternProperties" in node:
            self.reduction.remark(where, "it has named properties: the types of all others are left out")
        for key, each, required in members_of(node, self.document, where):
            place = f"{where}.properties[{key!a}]"
            reduced = self.reduce(each, place, f"{hint} {key}")
            default = self.reduction.default(each, reduced, place)
            nested.members.append(Member(key, reduced, required, description_of(each), default))
        return schema

    def _checked_words(self, words: Schema, where: str) -> Schema:
        kept: Schema = {}
        for word, value in words.items():
            if word == "format":
                if value in _FORMATS:
                    kept[word] = value
            elif word == "pattern":
                self._check_text(value, f"{where}.pattern")
                if _is_pattern(value):
                    kept[word] = value
                else:
                    self.reduction.remark(where, "its `pattern` is left out: pydantic cannot check it")
            elif isinstance(value, bool) and word.startswith("exclusive"):
                self.reduction.remark(where, f"`{word}` is left out: since draft 6 it is a number")
            else:
                self._check_number(value, f"{where}.{word}")
                kept[word] = value
        return kept

    @staticmethod
    def _check_text(value: object, where: str) -> None:
        if not isinstance(value, str):
            raise PlanFileError(where, "it is no text")

    @staticmethod
    def _check_number(value: object, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise PlanFileError(where, "it is no number")

    def _remark_on(self, node: Schema, where: str) -> None:
        for word in _UNSAID:
            if word in node:
                self.reduction.remark(where, f"`{word}` is not checked")


def _merged(schema: Any, document: Document, where: str, open_references: frozenset[str]) -> Schema:
    """Return a schema with its `$ref` and the parts of its `allOf` written into it.

    Args:
        schema: what JSON says.
        document: what its references are resolved in.
        where: the place in the file, for errors.
        open_references: those that are being resolved, of which none may come again.

    Raises:
        PlanFileError: it is no schema, or refers to itself.
    """
    node = _mapping(schema, where)
    parts: list[Any] = []
    if "$ref" in node:
        reference: Any = node["$ref"]
        target = document.resolve(reference, where)
        if reference in open_references:
            raise PlanFileError(where, f"{reference!a} refers to itself")
        parts.append(_merged(target, document, where, open_references | {reference}) if target is not True else {})
    branches: Any = node.get("allOf", [])
    if not is_list(branches):
        raise PlanFileError(f"{where}.allOf", "it is no list of schemas")
    for index, branch in enumerate(branches):
        parts.append(_merged(branch, document, f"{where}.allOf[{index}]", open_references))
    own = {key: value for key, value in node.items() if key not in {"$ref", "allOf"}}
    whole: Schema = {}
    for part in (*parts, own):
        whole = _united(whole, part, where)
    return whole


def _united(first: Schema, second: Schema, where: str) -> Schema:
    united = {**first, **second}
    if "properties" in first and "properties" in second:
        place = f"{where}.properties"
        united["properties"] = {**_mapping(first["properties"], place), **_mapping(second["properties"], place)}
    if "required" in first and "required" in second:
        united["required"] = sorted(_required(first, where) | _required(second, where))
    return united


def _types(node: Schema, where: str) -> list[str]:
    kinds: Any = node.get("type")
    if kinds is None:
        return list(dict.fromkeys(kind for word, kind in _TYPED_BY.items() if word in node))
    several: list[Any] = kinds if is_list(kinds) else [kinds]
    for kind in several:
        if kind not in _WORDS:
            names = ", ".join(_WORDS)
            raise PlanFileError(f"{where}.type", f"it is none of {names}, and no list of them")
    # Every integer is a number.
    return list(dict.fromkeys(kind for kind in several if not (kind == "integer" and "number" in several)))


def _required(node: Schema, where: str) -> set[str]:
    required: Any = node.get("required", [])
    if isinstance(required, bool):  # draft 3 has it on each property
        return set()
    if not is_texts(required):
        raise PlanFileError(f"{where}.required", "it is no list of keys")
    return set(required)


def _mapping(value: Any, where: str) -> Schema:
    if not is_object(value):
        raise PlanFileError(where, f"an object is expected here, not {_kind_of(value)}")
    return value


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    kinds = ((dict, "an object"), (list, "a list"), (bool, "a boolean"), (str, "a text"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a number")


def _is_object_with_properties(node: Schema) -> bool:
    kinds = node.get("type", "object")
    return bool(node.get("properties")) and kinds == "object"


def _is_literal(value: object) -> bool:
    return value is None or isinstance(value, (str, int))


def _is_pattern(pattern: str) -> bool:
    try:
        TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except SchemaError:
        return False
    return True


def _is_plain_value(value: object, schema: Schema) -> bool:
    if "enum" in schema:
        return any(type(each) is type(value) and each == value for each in schema["enum"])
    if "format" in schema:
        return False
    kinds: Mapping[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "boolean": (bool,),
        "number": (int, float),
    }
    return type(value) in kinds.get(schema.get("type", ""), ())
