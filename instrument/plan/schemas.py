"""The JSON Schema of what a message's fields send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import override

from instrument.core_schemas import INT_RANGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode
    from pydantic_core.core_schema import IntSchema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/$defs/"

_PLAIN = (str, int, bool)
_BOUNDS = {"minimum": INT_RANGE.start, "maximum": INT_RANGE.stop - 1}


@dataclass(frozen=True, slots=True)
class Schemas:
    """The schemas of a model's fields.

    Attributes:
        of_keys: by the key that is sent.
        definitions: what they refer to as `#/$defs/…`.
    """

    of_keys: Mapping[str, dict[str, Any]]
    definitions: dict[str, Any]


def schemas_of(model: type[BaseModel]) -> Schemas:
    """Return the schemas of what a model's fields send; what JSON Schema cannot say may be anything.

    Raises:
        pydantic.errors.PydanticUndefinedAnnotation: a type is named that is not defined.
    """
    whole = model.model_json_schema(mode="serialization", schema_generator=_AsSent)
    definitions: dict[str, Any] = whole.pop("$defs", {})
    if "$ref" in whole:  # the model refers to itself
        whole = definitions[whole["$ref"].removeprefix(REF)]
    return Schemas(whole.get("properties", {}), definitions)


def any_order(value: Any) -> Any:
    """Return a value with each set as a list in one order, whatever order this process has it in."""
    # Typed before they are told apart: what `isinstance` tells leaves the types of the parts unknown.
    several: Iterable[Any] = value
    mapping: Mapping[str, Any] = value
    if isinstance(value, dict):
        return {key: any_order(each) for key, each in mapping.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(any_order, several), key=lambda each: json.dumps(each, default=str))
    if isinstance(value, (list, tuple)):
        return [any_order(each) for each in several]
    return value


def _is_plain(value: object) -> bool:
    """Whether a value is written as it is, so that no serialiser need be made for it."""
    return (
        value is None
        or type(value) in _PLAIN
        or (type(value) is list and all(map(_is_plain, cast("list[object]", value))))
    )


class _AsSent(GenerateJsonSchema):
    # A default without a JSON form is left out, which is no news to whoever asked for the plan.
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as pydantic has it

    @property
    @override
    def mode(self) -> JsonSchemaMode:
        return "serialization"  # whatever a model within says of itself, and without asking it at each step

    @override
    def int_schema(self, schema: IntSchema) -> dict[str, Any]:
        # The bounds of 64 bits are those of every integer: they tell nothing about this one.
        found = super().int_schema(schema)
        return {key: value for key, value in found.items() if _BOUNDS.get(key) != value}

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # the key again, with spaces

    @override
    def encode_default(self, dft: Any) -> Any:
        return dft if _is_plain(dft) else super().encode_default(any_order(dft))

    @override
    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
        return {}
