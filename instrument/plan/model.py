"""The tracking plan as data: planned messages, their scopes, and the plan file.

The plan file is JSON that is fit for version control: the same bytes on every machine, and the same after a change of
code that changes no message. So files are relative to the root of the project, what is not set is left out, and a
place has no line: each edit above a class or a handler would move it. Lines are for pages that are made anew.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from instrument.plan.jsons import written
from instrument.plan.shapes import CHECKED, JsonSchema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import ValidationError
    from typing_extensions import Self

Deprecation = str | bool
"""What to use instead, or `True` where nothing is said."""

_SPEC_KEYS = frozenset({"type", "items", "$ref", "anyOf", "oneOf", "allOf", "properties", "prefixItems"})
_NO_CONSTRAINTS = _SPEC_KEYS | {"title", "description", "default", "examples", "deprecated", "additionalProperties"}


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True
    )


class CodePlace(_Part):
    """Where something stands in the code."""

    file: str
    """The file, relative to the root of the project, with forward slashes."""
    line: int | None = None
    """The line, counted from one; `None` in a plan file."""

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Emission(_Part):
    """One place in the code that emits a message."""

    handler: str
    """`module:qualified.name` of the function; `module` alone for code outside of one."""
    moment: Literal["start", "success", "failure", "direct"]
    """When in a handler's call, or `direct` where the message itself is handed to a client."""
    place: CodePlace


class PersonalData(_Part):
    """A mark of personal data."""

    category: str
    """The kind of data, such as `email`."""
    policy: Literal["drop", "mask", "hash", "keep"] = "drop"
    """What becomes of it where no setting says otherwise."""
    path: tuple[str, ...] = ()
    """The names that lead to it inside of the field; empty where the field itself is marked."""


class PlannedField(_Part):
    """One field of a message or scope: a property, a trait or an id."""

    key: str
    """The key that is sent."""
    name: str
    """The name of the field in Python."""
    type: str
    """The type as it is written in Python."""
    schema_: JsonSchema = Field(alias="schema")
    """The JSON Schema (2020-12) of what is sent; its references lead to the definitions of the message or scope."""
    required: bool = True
    """Whether a message cannot be made without it."""
    description: str = ""
    deprecated: Deprecation = False
    """What to use instead, or `True` where nothing is said."""
    pii: tuple[PersonalData, ...] = ()
    """The personal data that it is, or that is in it."""
    scope: str | None = None
    """The scope that declares it, by its name in the plan; `None` for a field of the message's own."""
    computed: bool = False
    """Whether it is computed of other fields, so that it is sent but not given."""

    @property
    def constraints(self) -> Mapping[str, Any]:
        """What the schema asks for beyond a type: `minimum`, `pattern`, `enum` and the like."""
        return {key: value for key, value in self.schema_.items() if key not in _NO_CONSTRAINTS}


class PlannedScope(_Part):
    """A scope: identifying fields that messages share."""

    name: str
    """The name in the plan: that of the class, with its module before it where several scopes have one name."""
    class_name: str
    module: str
    doc: str = ""
    bases: tuple[str, ...] = ()
    """The scopes that it inherits from, by their names in the plan."""
    fields: tuple[PlannedField, ...] = ()
    """The fields that it adds to those of its bases."""
    definitions: dict[str, JsonSchema] = Field(default={})
    """What the schemas of its fields refer to as `#/$defs/…`."""
    declared: CodePlace


class PlannedMessage(_Part):
    """A message that may be sent: an event, or another call of the Segment spec."""

    kind: str
    """The call of the spec: `track`, `identify`, `group`, `page`, `screen`, `alias`."""
    name: str | None = None
    """The name of the event, page or screen; `None` where the call has none."""
    class_name: str
    module: str
    doc: str = ""
    """The docstring, without its line `Owner: …`."""
    owner: str | None = None
    deprecated: Deprecation = False
    """What to send instead, or `True` where nothing is said."""
    category: str | None = None
    """The category of a page or screen."""
    name_key: Literal["event", "name"] | None = "event"
    """The key of the envelope that holds the name."""
    payload: Literal["properties", "traits"] | None = "properties"
    """The key of the envelope that holds the properties."""
    scopes: tuple[str, ...] = ()
    """The scopes that the class inherits from itself, by their names in the plan."""
    ids: tuple[PlannedField, ...] = ()
    properties: tuple[PlannedField, ...] = ()
    definitions: dict[str, JsonSchema] = Field(default={})
    """What the schemas of its fields refer to as `#/$defs/…`."""
    declared: CodePlace
    emissions: tuple[Emission, ...] = ()

    @property
    def title(self) -> str:
        """The name, or that of the class where the call has none."""
        return self.class_name if self.name is None else self.name

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it from every other message of a plan, and is the same in the next one: kind and name.

        As in the registry, only an event is known by its name; the others are by their class.
        """
        if self.name_key == "event" and self.name is not None:
            return self.kind, self.name
        return self.kind, f"{self.module}:{self.class_name}"

    @property
    def fields(self) -> tuple[PlannedField, ...]:
        """The ids and the properties."""
        return (*self.ids, *self.properties)


class Plan(_Part):
    """A tracking plan: every message that an application may send.

    >>> plan = Plan(name="shop")
    >>> print(plan.to_json(), end="")
    {
      "format": 1,
      "name": "shop"
    }
    >>> Plan.from_json(plan.to_json()) == plan
    True
    """

    format: Literal[1] = 1
    name: str
    scopes: tuple[PlannedScope, ...] = ()
    """The scopes of the messages, by name."""
    messages: tuple[PlannedMessage, ...] = ()
    """The messages, by kind and name."""

    @model_validator(mode="after")
    def _scopes_are_there(self) -> Self:
        known = {each.name: each.bases for each in self.scopes}
        if len(known) < len(self.scopes):
            raise ValueError("two scopes have one name")
        named = {*(base for bases in known.values() for base in bases), *(n for m in self.messages for n in m.scopes)}
        if named - known.keys():
            raise ValueError(f"the plan has no scope {', '.join(sorted(named - known.keys()))}")
        try:
            TopologicalSorter(known).prepare()
        except CycleError as error:
            raise ValueError(f"scopes inherit from each other: {', '.join(error.args[1])}") from None
        return self

    def scope(self, name: str) -> PlannedScope:
        """Return a scope.

        Raises:
            KeyError: there is none of this name.
        """
        for each in self.scopes:
            if each.name == name:
                return each
        raise KeyError(name)

    def scopes_of(self, message: PlannedMessage) -> tuple[str, ...]:
        """Name every scope of a message, those that its scopes inherit from too: the outermost first."""
        return tuple(dict.fromkeys(self._outermost_first(message.scopes)))

    def _outermost_first(self, names: tuple[str, ...]) -> Iterator[str]:
        for name in names:
            yield from self._outermost_first(self.scope(name).bases)
            yield name

    def without_lines(self) -> Plan:
        """Return the plan as it stands in a plan file."""
        return self.model_copy(
            update={
                "scopes": tuple(each.model_copy(update={"declared": _file(each.declared)}) for each in self.scopes),
                "messages": tuple(map(_without_lines, self.messages)),
            }
        )

    def to_json(self) -> str:
        """Return the text of the plan file: places without lines, see above."""
        content = self.without_lines().model_dump(mode="json", exclude_defaults=True)
        return written({"format": self.format, **content})

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """Read the text of a plan file.

        Raises:
            pydantic.ValidationError: it is no plan.
        """
        return cls.model_validate_json(text, context=CHECKED)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read a plan file.

        Raises:
            OSError: the file cannot be read.
            pydantic.ValidationError: it is no plan.
        """
        return cls.from_json(path.read_bytes())

    @field_validator("format", mode="before")
    @classmethod
    def _format_of_this_version(cls, number: object) -> object:
        if number != 1:
            raise PydanticCustomError(
                "plan_format",
                "this version reads format 1 alone, and the file has another: write it anew with "
                "`instrument plan export --format plan`",
            )
        return number


def wrong_in_plan(error: ValidationError) -> str:
    """Return the first thing that is wrong with a plan file, and where, without its value.

    >>> from pydantic import ValidationError
    >>> try:
    ...     Plan.from_json('{"format": 1}')
    ... except ValidationError as error:
    ...     print(wrong_in_plan(error))
    name: Field required
    """
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


def _without_lines(message: PlannedMessage) -> PlannedMessage:
    emissions = (each.model_copy(update={"place": _file(each.place)}) for each in message.emissions)
    # Several places of one file are told apart by their lines alone.
    return message.model_copy(
        update={"declared": _file(message.declared), "emissions": tuple(dict.fromkeys(emissions))}
    )


def _file(place: CodePlace) -> CodePlace:
    return CodePlace(file=place.file)
