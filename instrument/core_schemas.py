"""What the core schemas that pydantic builds tell, and the few things that we change in them."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

from pydantic_core.core_schema import plain_serializer_function_ser_schema, str_schema

from instrument.errors import DeclarationError
from instrument.privacy.marks import mark_of_schema, mark_of_serialization

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from pydantic_core import CoreSchema

    from instrument.privacy.marks import PII

    _Schema = dict[str, Any]

INT_RANGE = range(-(2**63), 2**64)

# What stands around the schemas of a model's fields.
_AROUND_FIELDS = frozenset({"model", "function-after", "function-before", "function-wrap"})
# Where the schema of a field holds the schemas of its parts.
_PARTS = ("schema", "items_schema", "values_schema", "keys_schema")
# Where a schema holds schemas by names, which are those of a user.
_NAMED = frozenset({"fields", "choices"})
# What keeps its own rules inside of a message.
_WITH_RULES_OF_THEIR_OWN = frozenset({"model", "dataclass", "typed-dict", "named-tuple", "definition-ref"})
# What else is in a schema, and may look like one.
_NO_SCHEMAS = frozenset({"metadata", "default"})
LEAVES = frozenset(
    {
        *("str", "int", "bool", "float", "decimal", "datetime", "date", "time", "timedelta", "uuid", "url"),
        *("multi-host-url", "enum", "literal", "none", "bytes"),
    }
)
"""Types of schemas whose values have no parts."""
# Types of schemas whose values pydantic checks down to the leaf, under the configuration of the message itself.
_CLOSED = LEAVES | {"list", "tuple", "set", "frozenset", "nullable", "default", "union"}


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).decode()


# On the leaf, and not as `ser_json_bytes` of the class: that would encode what Base64Bytes has encoded once more.
_BASE64 = plain_serializer_function_ser_schema(_base64, return_schema=str_schema(), when_used="json-unless-none")


def strict_leaves(model: type, schema: CoreSchema, resolve: Callable[[CoreSchema], CoreSchema]) -> CoreSchema:
    """Let only pass what JSON can say without loss.

    Text is strict, so that no bytes pass for text as in pydantic's lax mode, integers that have no bounds get those
    of 64 bits, signed or unsigned, and bytes are written in base64.

    Args:
        model: whose schema it is.
        schema: of the model.
        resolve: what a reference stands for; raises `LookupError` where that is not known yet.
    """
    return cast("CoreSchema", _Strictness(model, resolve).of(schema))


def open_fields(schema: CoreSchema) -> frozenset[str] | None:
    """Name the fields that may hold anything (`Any`, mappings, models, custom types) and need a look at run time.

    Returns:
        The names; `None` where the schema is too unusual to tell, so that any field may be one.
    """
    fields = _message_fields(schema)
    return None if fields is None else frozenset(name for name, part in fields.items() if not _is_closed(part))


def refers_elsewhere(schema: CoreSchema, name: str) -> bool:
    """Whether a field holds what is defined elsewhere in the schema, of which nothing is known here."""
    fields = _message_fields(schema)
    return fields is not None and any(each.get("type") == "definition-ref" for each in _every(fields[name]))


def custom_serialized(schema: CoreSchema, name: str) -> bool:
    """Whether a field's JSON form is not simply that of its value: it has a serializer, or that cannot be told."""
    fields = _message_fields(schema)
    return fields is None or _has_serializer(fields[name]["schema"])


def field_schema(schema: CoreSchema, name: str) -> CoreSchema | None:
    """Return the schema of a field's values; `None` where it cannot be told."""
    fields = _message_fields(schema)
    return None if fields is None else cast("CoreSchema", fields[name]["schema"])


def marks_in(schema: CoreSchema) -> frozenset[PII]:
    """Return every mark of personal data in a schema."""
    return frozenset(_marks(_every(schema)))


def without_marks(schema: CoreSchema) -> tuple[CoreSchema, Mapping[str, PII]]:
    """Take the marks off the fields of a model; marks further inside of a field stay.

    Returns:
        The schema without them, and what they were, by field.
    """
    marks = {name: mark for name, field in (_model_fields(schema) or {}).items() if (mark := _mark(_valued(field)))}

    def changed(name: str, field: _Schema) -> _Schema:
        return _with_value(field, _unmarked) if name in marks else field

    return cast("CoreSchema", _with_fields(schema, changed)), marks


def serialized_by(schema: CoreSchema, serializations: Mapping[str, Any]) -> CoreSchema:
    """Return a schema of `fields_alone` with serialisations for the values of some of its fields."""

    def changed(name: str, field: _Schema) -> _Schema:
        if name not in serializations:
            return field
        return _with_value(field, lambda value: {**value, "serialization": serializations[name]})

    return cast("CoreSchema", _with_fields(schema, changed))


def value_schema(schema: CoreSchema, name: str) -> CoreSchema:
    """Return the schema of what stands in a field of `fields_alone`, be it its default."""
    typed_dict: Any = schema
    return cast("CoreSchema", _valued(typed_dict["fields"][name]))


def holds_text(schema: CoreSchema, name: str) -> bool:
    """Whether what stands in a field of `fields_alone`, be it its default, is a text or nothing."""
    typed_dict: Any = schema
    field = typed_dict["fields"][name]
    default: object = field["schema"].get("default") if "default_factory" not in field["schema"] else ...
    value = _valued(field)
    kind = (value["schema"] if value["type"] == "nullable" else value)["type"]
    return kind == "str" and (default is None or type(default) is str)


def check_marks(schema: CoreSchema) -> None:
    """Check that the serialisation meets every mark.

    The schema is asked, and not the fields of the models in it: a model that is not complete has fields that tell
    nothing, while the schema of a message that holds it is.

    Raises:
        DeclarationError: a serializer of a model or a field stands before one.
    """
    definitions = {each["ref"]: each for each in _every(schema) if "ref" in each}
    for each in _every(schema):
        if each.get("type") == "model":
            _check_marks_of_model(each, definitions)


def _check_marks_of_model(schema: _Schema, definitions: Mapping[str, _Schema]) -> None:
    model = schema["cls"].__name__
    if next(_passed_over(schema, definitions), None) is not None:
        raise DeclarationError(
            f"{model}: its model_serializer passes over the marks of personal data in it. Leave it out."
        )
    for name, field in (_model_fields(schema) or {"root": schema["schema"]}).items():
        for each in _every(field, of_models=False):
            mark = next(_passed_over(each, definitions), None)
            if mark is not None:
                raise DeclarationError(
                    f"{model}.{name}: its field_serializer passes over the mark {mark!r}. Convert the value by a "
                    "validator instead."
                )


def _passed_over(schema: _Schema, definitions: Mapping[str, _Schema]) -> Iterator[PII]:
    """Yield the marks in a schema that its own serialisation does not meet."""
    serialization: _Schema | None = schema.get("serialization")
    if serialization is None or _is_left_to_the_value(serialization) or _mark(schema) is not None:
        return
    met = set(_marks(_reached(serialization, definitions)))
    declared = _marks(_reached({**schema, "serialization": None}, definitions))
    yield from (mark for mark in declared if mark not in met)


def _is_left_to_the_value(serialization: _Schema) -> bool:
    """Whether a value is serialised as what it is, like that of `Any`: what `SerializeAsAny` asks for."""
    return bool((serialization.get("schema") or serialization)["type"] == "any")


def _every(schema: Any, *, of_models: bool = True) -> Iterator[_Schema]:
    """Yield every schema in a schema.

    Args:
        schema: where to look.
        of_models: also what is in the models in it, and these themselves.
    """
    if isinstance(schema, dict):
        node = cast("_Schema", schema)
        if not of_models and node.get("type") == "model":
            return
        yield node
        for key, part in node.items():
            if key in _NAMED and isinstance(part, dict):
                yield from _every(list(cast("_Schema", part).values()), of_models=of_models)
            elif key not in _NO_SCHEMAS:
                yield from _every(part, of_models=of_models)
    elif isinstance(schema, (list, tuple)):
        for part in cast("list[Any]", schema):
            yield from _every(part, of_models=of_models)


def _reached(schema: _Schema, definitions: Mapping[str, _Schema]) -> Iterator[_Schema]:
    """Yield every schema in a schema, and in those that it refers to."""
    waiting, seen = [schema], set[str]()
    while waiting:
        for each in _every(waiting.pop()):
            yield each
            ref: str = each.get("schema_ref", "")
            if ref in definitions and ref not in seen:
                seen.add(ref)
                waiting.append(definitions[ref])


def _marks(schemas: Iterable[_Schema]) -> Iterator[PII]:
    for each in schemas:
        mark = mark_of_schema(each)
        if mark is not None:
            yield mark


def _mark(schema: _Schema) -> PII | None:
    serialization = schema.get("serialization")
    return mark_of_serialization(cast("_Schema", serialization)) if isinstance(serialization, dict) else None


def has_own_output(schema: CoreSchema) -> bool:
    """Whether the JSON of a model may hold what no field holds: it computes fields, or serializes itself."""
    inner: Any = schema
    while inner["type"] != "model-fields":
        if "serialization" in inner or "schema" not in inner:
            return True
        inner = inner["schema"]
    return bool(inner.get("computed_fields"))


def bare_fields(schema: CoreSchema) -> Mapping[str, Any] | None:
    """Return the schemas of a model's fields; `None` where the model is more than these.

    It has a validator, a serializer or a computed field of its own, keeps what is no field, or does something when it
    is made.
    """
    model: Any = schema
    if model["type"] != "model" or any(model.get(key) for key in _OF_ITS_OWN):
        return None
    inner = model["schema"]
    if inner["type"] != "model-fields" or inner.get("computed_fields") or "extras_schema" in inner:
        return None
    if model.get("config", {}).get("extra_fields_behavior") == "allow":
        return None
    return cast("Mapping[str, Any]", inner["fields"])


def fields_alone(schema: CoreSchema) -> CoreSchema | None:
    """Return the schema of a model's fields as a dictionary, by which they are validated without making the model.

    It ignores what is no field, since looking for that takes as long as two fields: who uses it gives nothing else.

    Args:
        schema: of a model.

    Returns:
        The schema; `None` where a model is more than its fields, or one of them is not of a closed type.
    """
    model: Any = schema
    fields = bare_fields(schema)
    if fields is None or not all(map(_is_closed, fields.values())) or any(map(_has_factory_of_data, fields.values())):
        return None
    config = {**model.get("config", {}), "extra_fields_behavior": "ignore"}
    entries = {name: _entry(field) for name, field in fields.items()}
    return cast("CoreSchema", {"type": "typed-dict", "fields": entries, "config": config})


def without(schema: CoreSchema, excluded: Collection[str]) -> CoreSchema:
    """Return a schema of `fields_alone` with fields that are validated, and not serialized."""

    def changed(name: str, field: _Schema) -> _Schema:
        return {**field, "serialization_exclude": True} if name in excluded else field

    return cast("CoreSchema", _with_fields(schema, changed))


def may_warn(schema: CoreSchema) -> bool:
    """Whether a field of `fields_alone` may be left at a default that is not of its type, of which pydantic warns."""
    typed_dict: Any = schema
    return any(map(_has_unchecked_default, typed_dict["fields"].values()))


def _has_unchecked_default(schema: Any) -> bool:
    if schema["type"] == "default" and not (
        schema["schema"]["type"] == "nullable" and schema.get("default", 0) is None
    ):
        return True
    return any(map(_has_unchecked_default, _parts(schema)))


# What makes a model more than its fields.
_OF_ITS_OWN = frozenset({"custom_init", "root_model", "post_init", "serialization"})
_ENTRY_KEYS = ("schema", "validation_alias", "serialization_alias", "serialization_exclude", "metadata")


def _entry(field: _Schema) -> _Schema:
    entry: _Schema = {key: field[key] for key in _ENTRY_KEYS if key in field}
    return {**entry, "type": "typed-dict-field", "required": field["schema"]["type"] != "default"}


def _has_factory_of_data(schema: Any) -> bool:
    return bool(schema.get("default_factory_takes_data")) or any(map(_has_factory_of_data, _parts(schema)))


def _has_serializer(schema: Any) -> bool:
    serialization = schema.get("serialization", _BASE64)
    own = serialization != _BASE64 and not _is_left_to_the_value(serialization)
    return own or schema["type"] == "definition-ref" or any(map(_has_serializer, _parts(schema)))


def _message_fields(schema: Any) -> dict[str, Any] | None:
    """Return the fields of a message, also where a type in it refers to itself, or stands in it twice."""
    return _model_fields(schema["schema"] if schema["type"] == "definitions" else schema)


def _model_fields(schema: Any) -> dict[str, Any] | None:
    if schema["type"] == "definitions":
        return None
    while schema["type"] in _AROUND_FIELDS:
        schema = schema["schema"]
    return cast("dict[str, Any]", schema["fields"]) if schema["type"] == "model-fields" else None


def _with_fields(schema: Any, change: Callable[[str, _Schema], _Schema]) -> Any:
    """Return a schema with the schemas of its fields changed; they are the fields of a model, or of a dictionary."""
    if schema["type"] in _AROUND_FIELDS:
        return {**schema, "schema": _with_fields(schema["schema"], change)}
    if schema["type"] not in ("model-fields", "typed-dict"):
        return schema
    return {**schema, "fields": {name: change(name, field) for name, field in schema["fields"].items()}}


def _valued(field: _Schema) -> _Schema:
    """Return the schema of what stands in a field, be it its default."""
    schema: _Schema = field["schema"]
    return cast("_Schema", schema["schema"]) if schema["type"] == "default" else schema


def _with_value(field: _Schema, change: Callable[[_Schema], _Schema]) -> _Schema:
    schema = field["schema"]
    changed = {**schema, "schema": change(schema["schema"])} if schema["type"] == "default" else change(schema)
    return {**field, "schema": changed}


def _unmarked(schema: _Schema) -> _Schema:
    """Take a mark off a schema; what else was written, after the mark too, stays."""
    inner = schema["serialization"]["schema"]
    own = {"serialization": inner["serialization"]} if "serialization" in inner else {}
    return {key: part for key, part in schema.items() if key != "serialization"} | own


def _is_closed(schema: Any) -> bool:
    kind = schema["type"]
    if kind == "model-field":
        return "serialization" not in schema and _is_closed(schema["schema"])
    if kind not in _CLOSED or schema.get("serialization", _BASE64) != _BASE64 or _is_infinite(schema.get("default")):
        return False
    return all(map(_is_closed, _parts(schema)))


def _is_infinite(default: object) -> bool:
    """Whether a default, which pydantic does not check, is a number that JSON cannot say."""
    return isinstance(default, float) and not isfinite(default)


def _parts(schema: _Schema) -> list[_Schema]:
    parts = [part for key in _PARTS if key in schema for part in _schemas(schema[key])]
    choices: Any = schema.get("choices", ())
    tagged: _Schema = choices
    return parts + [_choice(choice) for choice in (tagged.values() if schema["type"] == "tagged-union" else choices)]


def _schemas(parts: _Schema | list[_Schema]) -> list[_Schema]:
    return parts if isinstance(parts, list) else [parts]


def _choice(choice: _Schema | tuple[_Schema, str]) -> _Schema:
    return choice[0] if isinstance(choice, tuple) else choice


class _Strictness:
    """Makes the schema of one model strict.

    Args:
        model: whose schema it is.
        resolve: see `strict_leaves`.
    """

    def __init__(self, model: type, resolve: Callable[[CoreSchema], CoreSchema]) -> None:
        self._model = model
        self._resolve = resolve
        self._within: list[str] = []

    def of(self, schema: Any) -> Any:
        """Return a strict copy of a schema."""
        if _mark(schema) is not None:
            serialization = schema["serialization"]
            plain = self.of({key: part for key, part in schema.items() if key != "serialization"})
            inner = self.of(serialization["schema"])
            return {**plain, "serialization": {**serialization, "schema": inner}}
        kind: str = schema["type"]
        if kind in _STRICT_LEAVES:
            return _STRICT_LEAVES[kind](schema)
        if kind == "definition-ref":
            return self._of_alias(schema)
        if kind == "model" and schema["cls"] is not self._model:
            return schema  # a nested model keeps its own rules
        changed = {key: self.of(schema[key]) for key in _PARTS if isinstance(schema.get(key), dict)}
        if kind == "model-fields":
            changed["fields"] = {name: self.of(part) for name, part in schema["fields"].items()}
        if kind == "union":
            changed["choices"] = [
                (self.of(choice[0]), *choice[1:]) if isinstance(choice, tuple) else self.of(choice)
                for choice in schema["choices"]
            ]
        return {**schema, **changed}

    def _of_alias(self, schema: Any) -> Any:
        """Put what an alias of a type stands for in its place; an alias that refers to itself stays as it is."""
        ref: str = schema["schema_ref"]
        if ref in self._within:
            return schema
        try:
            meant: Any = self._resolve(schema)
        except LookupError:
            return schema
        if meant["type"] in _WITH_RULES_OF_THEIR_OWN:
            return schema
        self._within.append(ref)
        try:
            own = {key: part for key, part in meant.items() if key != "ref"}
            return self.of(own | ({"serialization": schema["serialization"]} if "serialization" in schema else {}))
        finally:
            self._within.pop()


def _bounded(schema: Any) -> Any:
    low = {} if "ge" in schema or "gt" in schema else {"ge": INT_RANGE.start}
    high = {} if "le" in schema or "lt" in schema else {"le": INT_RANGE.stop - 1}
    return {**schema, **low, **high}


_STRICT_LEAVES: Mapping[str, Callable[[_Schema], _Schema]] = {
    "str": lambda schema: {**schema, "strict": True},
    "int": _bounded,
    "bytes": lambda schema: {"serialization": _BASE64, **schema},
}
