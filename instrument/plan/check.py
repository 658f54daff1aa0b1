"""Checking what was sent against the plan, without telling any of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from instrument.errors import nearest
from instrument.plan.envelope_schema import envelope_schema
from instrument.plan.formats import FORMATS
from instrument.plan.violations import Violation, Wrong, names_in, violations_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jsonschema import ValidationError as SchemaError

    from instrument.plan.model import Plan, PlannedField, PlannedMessage


def check_envelope(plan: Plan, envelope: Mapping[str, Any]) -> tuple[Violation, ...]:
    """Check one envelope against a plan; for several, make one `PlanChecker`.

    >>> from instrument.plan.model import Plan
    >>> print(*check_envelope(Plan(name="shop"), {"type": "track", "event": "Invoice Paid"}))
    type: the plan has no messages of this type; its types are: none
    """
    return PlanChecker(plan).check(envelope)


class PlanChecker:
    """Checks envelopes against a plan.

    Marked personal data may be absent, masked or hashed: what becomes of it is for each destination to say.

    Args:
        plan: the plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._name_keys = {each.kind: each.name_key for each in plan.messages}
        self._checked: dict[tuple[str, str | None], list[_Checked]] = {}
        for each in plan.messages:
            name = None if each.name_key is None else each.name
            self._checked.setdefault((each.kind, name), []).append(_Checked(each))

    def message_of(self, envelope: Mapping[str, Any]) -> PlannedMessage | None:
        """Return the planned message that an envelope is; `None` where the plan has none of its type and name.

        Where several have one name, as pages may, it is the one that the envelope fits best.
        """
        return self.compare(envelope)[0]

    def check(self, envelope: Mapping[str, Any]) -> tuple[Violation, ...]:
        """Return in what an envelope differs from the plan."""
        return self.compare(envelope)[1]

    def compare(self, envelope: Mapping[str, Any]) -> tuple[PlannedMessage | None, tuple[Violation, ...]]:
        """Return both at once: the planned message, as `message_of` does, and what `check` does."""
        found = self._nearest(envelope)
        return (None, (found,)) if isinstance(found, Violation) else (found[0].message, found[1])

    def _nearest(self, envelope: Mapping[str, Any]) -> tuple[_Checked, tuple[Violation, ...]] | Violation:
        found = self._found(envelope)
        if isinstance(found, Violation):
            return found
        return min(((each, each.check(envelope)) for each in found), key=lambda each: len(each[1]))

    def _found(self, envelope: Mapping[str, Any]) -> Sequence[_Checked] | Violation:
        kind = envelope.get("type")
        if kind is None:
            return Violation(Wrong.MISSING, "type", "it has no type")
        if not isinstance(kind, str) or kind not in self._name_keys:
            kinds = ", ".join(sorted(self._name_keys)) or "none"
            return Violation(Wrong.UNKNOWN, "type", f"the plan has no messages of this type; its types are: {kinds}")
        key = self._name_keys[kind]
        name = None if key is None else envelope.get(key)
        if key is not None and not isinstance(name, str):
            return Violation(Wrong.INVALID if key in envelope else Wrong.MISSING, key, f"a {kind} has a name, as text")
        checked = self._checked.get((kind, name))
        if checked is None:
            names = [known or "" for of_kind, known in self._checked if of_kind == kind]
            hint = nearest(name or "", names)
            return Violation(Wrong.UNKNOWN, key or "type", f"the plan has no {kind} of this name{hint}")
        return checked


class _Checked:
    """One planned message, and what checks it; made when it is first needed."""

    def __init__(self, message: PlannedMessage) -> None:
        self.message = message

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator(envelope_schema(_redacted(self.message)), format_checker=FORMATS)

    def check(self, envelope: Mapping[str, Any]) -> tuple[Violation, ...]:
        try:
            # An id that is null is one that is not there.
            ids = {each.key for each in self.message.ids if envelope.get(each.key, ...) is None}
            sent = {key: value for key, value in envelope.items() if key not in ids}
            errors: Iterator[SchemaError] = self._validator.iter_errors(sent)  # pyright: ignore[reportUnknownMemberType]
            found = {each for error in errors for each in violations_of(error)}
        except (RecursionError, ArithmeticError) as error:
            return (Violation(Wrong.INVALID, "", f"it cannot be checked ({type(error).__name__})"),)
        return tuple(sorted((each for each in found if not self._may_be_redacted(each)), key=_order))

    def _may_be_redacted(self, violation: Violation) -> bool:
        """Whether it is about personal data inside of a property, of which only the names in Python are known."""
        keys = names_in(violation.path)
        return any(
            mark.path and each.key in keys and mark.path[-1] in keys
            for each in self.message.fields
            for mark in each.pii
        )


def _redacted(message: PlannedMessage) -> PlannedMessage:
    """Return a message as it is planned for what redaction may have left of it."""
    return message.model_copy(
        update={
            "ids": tuple(map(_redacted_field, message.ids)),
            "properties": tuple(map(_redacted_field, message.properties)),
        }
    )


def _redacted_field(field: PlannedField) -> PlannedField:
    if all(mark.path for mark in field.pii):
        return field
    return field.model_copy(update={"required": False, "schema_": {"anyOf": [field.schema_, {"type": "string"}]}})


def _order(violation: Violation) -> tuple[str, str]:
    return violation.path, violation.reason
