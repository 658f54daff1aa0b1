"""JSON Schemas that come out of a file: each is checked against the schema of schemas (2020-12) before it is read."""

from __future__ import annotations

from functools import lru_cache
from json import dumps, loads
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ValidationInfo

from instrument.plan.jsons import is_object

_SEVERAL: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_MOST_SAID = 120
"""Characters of what is wrong that are repeated: it may quote a whole schema."""


def _checked(schema: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """Check a schema where `CHECKED` is the context, and spell out what is short in it.

    Raises:
        ValueError: it is none.
    """
    if info.context is CHECKED:
        problem = _problem(dumps(schema))
        if problem is not None:
            raise ValueError(f"not a JSON Schema: {problem}")
        _spell_out(schema)
    return schema


@lru_cache(maxsize=1_000)
def _problem(text: str) -> str | None:
    """Return what keeps a text from being a schema; most of those in a plan are the same few."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - of an extra

    try:
        Draft202012Validator.check_schema(loads(text))
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "all of it"
        return f"{where}: {error.message[:_MOST_SAID]}"
    except RecursionError:
        return "it is nested too deeply"
    return None


def _spell_out(schema: dict[str, Any]) -> None:
    """Replace `true` and `false`, where they are one of several schemas or a property's, by what they mean (4.3.2)."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        for keyword in _SEVERAL:
            if keyword in one:
                one[keyword] = [_spelled_out(each) for each in one[keyword]]
                waiting += one[keyword]
        if "properties" in one:
            one["properties"] = {name: _spelled_out(each) for name, each in one["properties"].items()}
            waiting += one["properties"].values()
        waiting += [one[keyword] for keyword in ("items", "additionalProperties") if is_object(one.get(keyword))]


def _spelled_out(schema: dict[str, Any] | bool) -> dict[str, Any]:  # noqa: FBT001 - a schema may be one
    if isinstance(schema, dict):
        return schema
    return {} if schema else {"not": {}}


CHECKED: Final = "schemas are checked"
"""The context of a validation that asks whether schemas are some: classes give no others."""
JsonSchema = Annotated[dict[str, Any], AfterValidator(_checked)]
"""A JSON Schema; one out of a file has been checked."""
