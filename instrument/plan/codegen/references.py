"""What a schema refers to: `$ref` inside of its own document, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from instrument.plan.codegen.problems import PlanFileError
from instrument.plan.jsons import is_list, is_object

_MAX_LOOK_UPS = 10_000


@dataclass(slots=True)
class Document:
    """A document, and the schemas in it by their JSON Pointers (RFC 6901).

    Attributes:
        root: the document.
        where: the place of the document, for messages.
    """

    root: Any
    where: str
    _look_ups: int = field(default=0, init=False)

    def resolve(self, reference: object, where: str) -> Any:
        """Return what a `$ref` refers to. Nothing is ever fetched.

        Args:
            reference: the value of `$ref`.
            where: the place of the schema that has it.

        Raises:
            PlanFileError: it leads out of the document, or to nothing in it; or there are too many look-ups, as there
                are when references multiply each other.
        """
        self._look_ups += 1
        if self._look_ups > _MAX_LOOK_UPS:
            raise PlanFileError(self.where, f"its schemas refer to others more than {_MAX_LOOK_UPS} times")
        if not isinstance(reference, str):
            raise PlanFileError(where, "a `$ref` is a text")
        if not reference.startswith("#"):
            raise PlanFileError(
                where, f"{reference!a} leads out of this document, and nothing is fetched: write it in here"
            )
        found = self.root
        for part in reference[1:].split("/")[1:]:
            found = _step(found, unquote(part).replace("~1", "/").replace("~0", "~"))
            if found is None:
                raise PlanFileError(where, f"{reference!a} leads to nothing in this document")
        if reference != "#" and not reference.startswith("#/"):
            raise PlanFileError(where, f"{reference!a} is no JSON Pointer: write for instance '#/$defs/address'")
        return found


def _step(value: Any, part: str) -> Any:
    if is_object(value):
        return value.get(part)
    if is_list(value) and part.isdecimal():
        return value[int(part)] if int(part) < len(value) else None
    return None
