"""A tracking plan as every format tells it: drafts of the classes that are to be made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instrument.messages import IDENTITY_KEYS, Alias, Group, Identify, Page, Screen, Track

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instrument.messages import Kind, Message
    from instrument.plan.model import PersonalData

BASES: Mapping[Kind, type[Message]] = {
    "track": Track,
    "identify": Identify,
    "group": Group,
    "page": Page,
    "screen": Screen,
    "alias": Alias,
}
"""The base of each call's messages."""

ID_KEYS = {
    key: name
    for each in (IDENTITY_KEYS, *(base.__segment_spec__.own_ids for base in BASES.values()))
    for name, key in each.items()
}
"""The ids of the Segment spec: by key, the name of the field. No property has them."""


@dataclass(frozen=True, slots=True)
class DraftField:
    """A property, a trait, or an id.

    Attributes:
        key: the key that is sent.
        schema: its JSON Schema.
        required: whether it is always there.
        name: the name that the field has to have; `None` where it comes from the key.
        description: what it means.
        deprecated: what is to be used instead, or `True` where nothing is said.
        personal: the marks of personal data.
        notes: comments for whoever reads the class.
    """

    key: str
    schema: Any
    required: bool
    name: str | None = None
    description: str = ""
    deprecated: str | bool = False
    personal: tuple[PersonalData, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftScope:
    """A scope: identifying fields that messages share.

    Attributes:
        name: the name in the plan.
        bases: the names of the scopes that it inherits from.
        fields: the fields of its own.
        where: the place in the plan.
        root: the document in which its schemas look up what they refer to.
        class_name: the name that the class has to have; `None` where it is that in the plan.
        description: what it means.
    """

    name: str
    bases: tuple[str, ...]
    fields: tuple[DraftField, ...]
    where: str
    root: Any = None
    class_name: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class DraftMessage:
    """A message.

    Attributes:
        call: which call of the Segment spec it is.
        name: the name of the event, page or screen.
        fields: the properties or traits that are its own.
        where: the place in the plan.
        scopes: the names of the scopes that it inherits from.
        root: the document in which its schemas look up what they refer to.
        class_name: the name that the class has to have; `None` where it comes from the event's name.
        module: the name of the module that it goes into.
        category: the category of a page or screen.
        description: what it means.
        owner: who looks after it.
        deprecated: what is to be sent instead, or `True` where nothing is said.
        notes: comments for whoever reads the class.
    """

    call: Kind
    name: str | None
    fields: tuple[DraftField, ...]
    where: str
    scopes: tuple[str, ...]
    root: Any = None
    class_name: str | None = None
    module: str = "events"
    category: str | None = None
    description: str = ""
    owner: str | None = None
    deprecated: str | bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything that one package of classes is made of.

    Attributes:
        source: what it was read from, by name alone.
        messages: the messages, in the plan's order.
        scopes: the scopes, each after those that it inherits from.
        remarks: what the plan says and the classes cannot.
    """

    source: str
    messages: tuple[DraftMessage, ...]
    scopes: tuple[DraftScope, ...]
    remarks: tuple[str, ...] = ()


IDENTITY_SCHEMA = {"type": ["string", "integer"]}

USER_SCOPE = DraftScope(
    name="UserScope",
    bases=(),
    fields=(DraftField("userId", IDENTITY_SCHEMA, required=True, name="user_id"),),
    where="",
    description="The user who acts.",
)
"""The scope of plans that know of none."""
