"""The shapes that the keywords of a JSON Schema have (2020-12), as far as plans are read by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, ValidationInfo

from instrument.plan.jsons import is_list, is_object, is_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SCHEMA = ("items", "additionalProperties")
_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")


def _is_type(value: object) -> bool:
    return isinstance(value, str) or is_texts(value)


def _is_schema(value: object) -> bool:
    return isinstance(value, (dict, bool))


def _is_schemas(value: object) -> bool:
    return is_list(value) and all(map(_is_schema, value))


def _is_named_schemas(value: object) -> bool:
    return is_object(value) and all(map(_is_schema, value.values()))


_SHAPES: dict[str, tuple[Callable[[object], bool], str]] = {
    **dict.fromkeys(_SCHEMA, (_is_schema, "a schema")),
    **dict.fromkeys(_SCHEMAS, (_is_schemas, "a list of schemas")),
    "properties": (_is_named_schemas, "an object of schemas"),
    "required": (is_texts, "a list of texts"),
    "enum": (is_list, "a list"),
    "type": (_is_type, "a text, or a list of texts"),
    "$ref": (lambda value: isinstance(value, str), "a text"),
}


def _shaped(schema: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """Check a schema, and every schema in it, where `CHECKED` is the context.

    Raises:
        ValueError: a keyword holds what it cannot.
    """
    if info.context is not CHECKED:
        return schema
    waiting: list[dict[str, Any]] = [schema]
    while waiting:
        one = waiting.pop()
        for keyword, (fits, shape) in _SHAPES.items():
            if keyword in one and not fits(one[keyword]):
                raise ValueError(f"not a JSON Schema: {keyword!r} holds something else than {shape}")
        waiting += filter(is_object, _parts(one))
    return schema


def _parts(schema: dict[str, Any]) -> Iterator[object]:
    for keyword in _SCHEMA:
        yield schema.get(keyword)
    for keyword in _SCHEMAS:
        yield from schema.get(keyword, ())
    yield from schema.get("properties", {}).values()


CHECKED: Final = "schemas are checked"
"""The context of a validation that asks whether schemas are some: classes give no others."""
JsonSchema = Annotated[dict[str, Any], AfterValidator(_shaped)]
"""A JSON Schema; one out of a file has in its keywords what they must hold."""
