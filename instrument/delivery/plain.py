"""Messages of plain fields: made envelopes of without being made themselves, which takes half as long."""

from __future__ import annotations

from functools import cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pydantic_core import SchemaSerializer, SchemaValidator
from pydantic_core.core_schema import (
    plain_serializer_function_ser_schema,
    str_schema,
    wrap_serializer_function_ser_schema,
)

from instrument.core_schemas import (
    fields_alone,
    holds_text,
    may_warn,
    serialized_by,
    value_schema,
    without,
    without_marks,
)
from instrument.delivery.envelope import assembler, leaving_out_dropped, refusing_dropped
from instrument.messages import declaration_of
from instrument.privacy.redaction import UNCONFIGURED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import CoreConfig, CoreSchema
    from pydantic_core.core_schema import SerializerFunctionWrapHandler, SerSchema

    from instrument.delivery.envelope import EncodeParts
    from instrument.messages import Message
    from instrument.privacy.marks import PII, Policy
    from instrument.privacy.redaction import Redaction


class PlainCodec(NamedTuple):
    """How the fields of a message are validated and serialised where it is nothing but these.

    Attributes:
        validate: checks the values of fields, by name, and returns all of them as the message would have them.
            Raises `pydantic_core.ValidationError`, or whatever a value raises.
        encoder: gives the serialisation of the checked values under policies for personal data.
    """

    validate: Callable[[dict[str, Any]], dict[str, Any]]
    encoder: Callable[[Redaction], EncodeParts[dict[str, Any]]]


@cache
def plain_codec(model: type[Message]) -> PlainCodec | None:
    """Return how a message class, which is complete, is validated and serialised by its fields alone.

    What comes out is what `compile_encoder` gives for the message itself.

    Returns:
        Both functions; `None` where a message is more than its fields, or personal data is marked inside of one.

    Raises:
        DeclarationError: the class is abstract.
    """
    unmarked, marks = without_marks(model.__pydantic_core_schema__)
    schema = fields_alone(unmarked)
    if schema is None:
        return None
    validate = SchemaValidator(schema).validate_python
    if marks:
        return PlainCodec(validate, partial(_redacting, model, schema, marks))
    encode = _redacting(model, schema, {}, UNCONFIGURED)

    def encoder(_: Redaction) -> EncodeParts[dict[str, Any]]:
        return encode

    return PlainCodec(validate, encoder)


def _redacting(
    model: type[Message], schema: CoreSchema, marks: Mapping[str, PII], redaction: Redaction
) -> EncodeParts[dict[str, Any]]:
    """Compile the serialisation of a message's fields; what becomes of marked values is decided here, for all calls.

    Args:
        model: whose fields they are.
        schema: of the model.
        marks: those of its fields, by field name.
        redaction: what holds for the destination.
    """
    declaration = declaration_of(model)
    policies: dict[str, Policy] = {name: redaction.policy_of(mark) for name, mark in marks.items()}
    left_out = {*declaration.ids, *(name for name, policy in policies.items() if policy == "drop")}
    payload_of = _payload_of(without(_redacted(schema, marks, policies, redaction), left_out))
    if any(redaction.drops(policy) for name, policy in policies.items() if name not in left_out):
        payload_of = leaving_out_dropped(payload_of)
    policies_of_ids: dict[str, Policy] = {
        name: redaction.of_ids.policy_of(marks[name]) for name in declaration.ids if name in marks
    }
    ids_of = _serializer(_redacted(schema, marks, policies_of_ids, redaction)).to_python
    if policies_of_ids:
        ids_of = refusing_dropped(declaration, ids_of)
    return assembler(model, payload_of, itemgetter, ids_of)


def _payload_of(schema: CoreSchema) -> Callable[[dict[str, Any]], bytes]:
    serialize = _serializer(schema).to_json
    # Warnings would show values. To forbid them takes a third longer, so it is done where there can be one.
    return partial(serialize, warnings=False) if may_warn(schema) else serialize


def _redacted(
    schema: CoreSchema, marks: Mapping[str, PII], policies: Mapping[str, Policy], redaction: Redaction
) -> CoreSchema:
    """Return a schema whose marked fields are serialised as policies say.

    Args:
        schema: of the model.
        marks: those of its fields, by field name.
        policies: what becomes of each of these fields, by field name.
        redaction: what applies a policy.
    """
    serializations: dict[str, SerSchema] = {}
    for name, policy in policies.items():
        replacing = redaction.of_text(policy) if holds_text(schema, name) else None
        if replacing is not None:
            serializations[name] = plain_serializer_function_ser_schema(
                replacing, return_schema=str_schema(), when_used="json-unless-none"
            )
        elif policy != "keep":
            serializations[name] = _applying(redaction, policy, marks[name], value_schema(schema, name))
    return serialized_by(schema, serializations)


def _applying(redaction: Redaction, policy: Policy, mark: PII, schema: CoreSchema) -> SerSchema:
    def serialize(value: Any, plainly: SerializerFunctionWrapHandler) -> Any:
        return redaction.applied(policy, mark, value, plainly)

    return wrap_serializer_function_ser_schema(serialize, schema=schema)


def _serializer(schema: CoreSchema) -> SchemaSerializer:
    return SchemaSerializer(schema, cast("CoreConfig", {**schema.get("config", {}), "serialize_by_alias": True}))
