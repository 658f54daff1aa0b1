"""What the debugger keeps of one message: the contract of its API, of its page, and of `instrument tail`."""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json


class Status(str, Enum):
    """What the debugger thinks of a message."""

    VALID = "valid"
    INVALID = "invalid"
    """It does not fit its declaration, or Segment's limits."""
    UNKNOWN = "unknown"
    """Nothing that was loaded declares it."""
    REFUSED = "refused"
    """The client did not accept it: it was never sent."""
    DROPPED = "dropped"
    """The client accepted it, and no destination will ever get it."""


class _Part(BaseModel):
    # A number that was beyond a double is shown as what it became, and not as null.
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, ser_json_inf_nan="strings")


class Violation(_Part):
    """One thing that is wrong with a message.

    Attributes:
        path: where: `properties.amount`; empty for the message as a whole.
        reason: what, without the value.
    """

    path: str
    reason: str


class HandlerPlace(_Part):
    """The handler that emitted a message."""

    name: str
    file: str | None = None
    line: int | None = None


class Record(_Part):
    """One message that the debugger was sent, and what it thinks of it.

    Attributes:
        seq: its number, one more than that of the record before.
        received_at: when it came (RFC 3339, in UTC).
        type: the call of the spec.
        name: the name of the event, page or screen.
        user: the user's id, or the anonymous id.
        message_id: the id of the message; empty where it has none.
        write_key_hint: the last four characters of the write key that it was sent with.
        envelope: the message as it was sent, made valid JSON, and shortened where it is huge.
        status: what the debugger thinks of it.
        violations: what is wrong with it.
        duplicate_of: the number of the first record with its id, where it is not the first.
        late: whether it began after its request had ended.
        provenance: by field, where it came from; known in debug mode.
        handler: the handler that emitted it; known in debug mode.
        request: what the messages of one request have in common; known in debug mode.
        scope: the fields that scopes declare, and their values.
        reason: why it was refused or dropped, or is unknown.
        assertion: the source of a test's assertion that it was emitted.
    """

    seq: int
    received_at: str
    type: str
    name: str | None = None
    user: str | None = None
    message_id: str = ""
    write_key_hint: str | None = None
    envelope: dict[str, Any]
    status: Status
    violations: tuple[Violation, ...] = ()
    duplicate_of: int | None = None
    late: bool = False
    provenance: dict[str, str] | None = None
    handler: HandlerPlace | None = None
    request: str | None = None
    scope: dict[str, Any] = {}
    reason: str | None = None
    assertion: str | None = None

    def as_json(self) -> bytes:
        """Return the record as JSON: always valid, on one line."""
        return to_json(self)
