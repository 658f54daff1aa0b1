"""The compiled plan: from where each field of a message comes, decided once, when the decorator runs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from instrument.bindings import Binding, check_path
from instrument.context import lookup
from instrument.declared import IDENTITY
from instrument.delivery.envelope import encoder_of, holds_personal_data
from instrument.delivery.plain import plain_codec
from instrument.errors import BindingError, Reason, Refusal, nearest
from instrument.expressions import Expression, collector, own
from instrument.gate import has_conditions
from instrument.messages import declaration_of
from instrument.missing import MISSING
from instrument.privacy.redaction import UNCONFIGURED
from instrument.validation import field_path, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic.fields import FieldInfo

    from instrument.bindings import Source
    from instrument.calls import Call
    from instrument.delivery.envelope import EncodeParts
    from instrument.delivery.plain import PlainCodec
    from instrument.handlers import Handler
    from instrument.messages import Message
    from instrument.scopes import Scope

    Read = Callable[[Call], Any]

# Its property would be called for every message; it is left to say that there is none.
_RESULT = Expression(
    f"(returned if (returned := call.returned) is not {own('missing')} else call.result)",
    {"missing": MISSING},
    certain=True,
)
_AFTER = ("result", "error", "duration")
"""What a source can name only once the handler has ended; wins over parameters of these names."""


class Moment(Enum):
    """When a message of a call is emitted."""

    START = "start"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place that a field may come from.

    Attributes:
        origin: the place as a person would name it; the provenance.
        expression: gives the value, or `MISSING`.
        read: the same, compiled at its first call.
    """

    origin: str
    expression: Expression
    read: Read

    @classmethod
    def of(cls, origin: str, expression: Expression) -> Candidate:
        """Make a candidate."""
        return cls(origin, expression, _at_first_call(expression.reader))


def _at_first_call(compiled: Callable[[], Read]) -> Read:
    """Put off compiling a function until it is called: most of what is decorated is not called in most processes."""
    read = cache(compiled)

    def first(call: Call) -> Any:
        return read()(call)

    return first


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """Where one field comes from: the first candidate that has a value, else the field's default.

    Attributes:
        name: the field.
        candidates: in order.
        tried: every place that was looked at, also those that this handler cannot have.
        default: how the default is written, `None` where the field has none.
    """

    name: str
    candidates: tuple[Candidate, ...]
    tried: tuple[str, ...]
    default: str | None


@dataclass(slots=True)
class ShortWay:
    """How an envelope is made of a call, in as few steps as the message class allows.

    Attributes:
        collect: reads the fields from a call and checks them. It gives the message, or only its fields where that is
            enough.
        plain: whether it gives only the fields; known, as the next, once it was called.
        encode: makes the envelope of what `collect` gave; `None` where that is for the client to say, since the class
            asks for more, or was not complete at the first call.
    """

    collect: Callable[[Call], Any]
    plain: bool = False
    encode: EncodeParts[Any] | None = None

    @classmethod
    def compiled_when_called(cls, model: type[Message], fields: Sequence[FieldPlan]) -> ShortWay:
        """Compile it at the first call."""

        def compile_and_collect(call: Call) -> Any:
            codec, way.encode = _short_way(model)
            way.plain = codec is not None
            expressions = [(plan.name, [each.expression for each in plan.candidates]) for plan in fields]
            collect = collector(expressions, _validator(model) if codec is None else codec.validate)
            way.collect = collect  # the last, since whoever has it takes the others for compiled
            return collect(call)

        way = cls(compile_and_collect)
        return way


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """How one message is built from a call.

    Attributes:
        model: the message class.
        moment: when it is emitted.
        fields: where each field comes from.
        validate: makes the message of the values.
        short: the above, compiled.
        read_id: gives the id of the message, where it has one of its own.
        transactional: whether it waits for the transaction that it is emitted in.
    """

    model: type[Message]
    moment: Moment
    fields: tuple[FieldPlan, ...]
    validate: Callable[[dict[str, Any]], Message]
    short: ShortWay
    read_id: Read | None
    transactional: bool

    def make(self, call: Call) -> Message:
        """Build the message.

        Raises:
            Refusal: a field was not found, its source raised, or a value does not fit.
        """
        made: object = None
        with suppress(Exception):  # whatever it was, building place by place meets it again, and says so
            made = self.short.collect(call)
            if self.short.plain:  # only its fields, which are read once: a source may be a function
                made = self.validate(cast("dict[str, Any]", made))
        return made if isinstance(made, self.model) else self.build(call)[0]

    def build(self, call: Call) -> tuple[Message, dict[str, str]]:
        """Build the message place by place, and tell where each field came from.

        The envelope of what is built is what the short way gives; this one knows which field is at fault.

        Raises:
            Refusal: a field was not found, its source raised, or a value does not fit.
        """
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for plan in self.fields:
            value, origins[plan.name] = self._found(plan, call)
            if value is not MISSING:
                values[plan.name] = value
        try:
            return self.validate(values), origins
        except ValidationError as error:
            raise self._invalid(error, call) from None

    def message_id(self, call: Call) -> str | None:
        """Return the id that the call has for the message; `None` where it has none.

        What succeeds after a failure is another message, so that only a success has the id as it is.

        Raises:
            Refusal: its source raised.
        """
        if self.read_id is None:
            return None
        value = self._read(self.read_id, call, "reading message_id")
        if value is MISSING or value is None:
            return None
        return str(value) if self.moment is Moment.SUCCESS else f"{value}-{self.moment.value}"

    def _found(self, plan: FieldPlan, call: Call) -> tuple[Any, str]:
        for candidate in plan.candidates:
            what = f"{self.model.__name__}: field {plan.name!r}: reading {candidate.origin}"
            value = self._read(candidate.read, call, what)
            if value is not MISSING:
                return value, candidate.origin
        return MISSING, "default"

    def _read(self, read: Read, call: Call, what: str) -> Any:
        try:
            return read(call)
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - a source may raise anything
            raised = error
        refusal = Refusal(Reason.SOURCE_FAILED, f"{what} raised {type(raised).__name__}")
        # What was raised may hold what was read; raised outside of the block, it does not come along by itself.
        refusal.__cause__ = None if holds_personal_data(self.model) else raised
        raise refusal

    def _invalid(self, error: ValidationError, call: Call) -> Refusal:
        details = [(field_path(self.model, each["loc"]), each) for each in error.errors(include_url=False)]
        missing = {path[0] for path, each in details if len(each["loc"]) == 1 and each["type"] == "missing"}
        texts = [f"field {'.'.join(path) or '?'!r}: {told(each)}" for path, each in details]
        texts += [
            f"for {each.name!r} were tried: {', '.join(each.tried)}" for each in self.fields if each.name in missing
        ]
        reason = Reason.UNRESOLVED if missing else Reason.INVALID
        late = "; the call began after its request scope was closed" if call.late else ""
        return Refusal(reason, f"{self.model.__name__}: {'; '.join(texts)}{late}")


def compile_message(
    handler: Handler,
    message: type[Message] | Binding[Message],
    scope: type[Scope] | Binding[Scope] | None,
    moment: Moment,
    *,
    has_failed_if: bool,
    message_id: Source | None = None,
    transactional: bool | None = None,
) -> MessagePlan:
    """Compile the plan of one message.

    Args:
        handler: what is decorated.
        message: the class, or the class bound to sources.
        scope: sources for the fields of a scope.
        moment: when the message is emitted.
        has_failed_if: whether a returned result may be a failure.
        message_id: a source for the message's id.
        transactional: whether it waits for the transaction that it is emitted in; by default a success does. That
            something was begun, or failed, is true whatever becomes of the transaction.

    Raises:
        BindingError: a source that this handler cannot have, or a required field of the event with no possible
            source; naming the handler, the field, and what was tried.
        DeclarationError: the message class is abstract, or hides a mark of personal data.
    """
    bound = message if isinstance(message, Binding) else Binding(message)
    declaration_of(bound.model)  # raises where the class is abstract
    if bound.model.__pydantic_complete__:
        holds_personal_data(bound.model)  # raises where the class hides a mark
    sources = {**_scope_sources(scope, bound.model), **bound.sources}
    compiler = _Compiler(handler, bound.model, moment, has_failed_if=has_failed_if)
    fields = tuple(compiler.field(name, info, sources.get(name)) for name, info in bound.model.model_fields.items())
    return MessagePlan(
        model=bound.model,
        moment=moment,
        fields=fields,
        validate=_validator(bound.model),
        short=ShortWay.compiled_when_called(bound.model, fields),
        read_id=None if message_id is None else compiler.message_id(message_id),
        transactional=moment is Moment.SUCCESS if transactional is None else transactional,
    )


def source_candidate(handler: Handler, source: Source) -> Candidate | str:
    """Compile one source; answer with a text where this handler cannot have it."""
    if callable(source):
        shown = getattr(source, "__qualname__", type(source).__name__)
        return Candidate.of(f"callable {shown}", Expression(f"{own('source')}(call)", {"source": source}, certain=True))
    head, *path = source.split(".")
    if head in _AFTER:
        # Alone, an error is its text: the exception itself is no value of a message.
        alone = "call.error_text" if head == "error" else f"call.{head}"
        expression = _RESULT if head == "result" else Expression(f"call.{head}" if path else alone, certain=True)
        return Candidate.of(f"{head} {source!r}" if path else head, _walked(expression, path))
    argument = handler.argument(head)
    if argument is None:
        return f"there is no parameter {head!r}{nearest(head, [*handler.parameters, *_AFTER])}"
    return Candidate.of(f"path {source!r}" if path else f"argument {head!r}", _walked(argument, path))


def _walked(expression: Expression, path: list[str]) -> Expression:
    for name in path:
        expression = expression.step(name)
    return expression


@dataclass(frozen=True, slots=True)
class _Compiler:
    handler: Handler
    model: type[Message]
    moment: Moment
    has_failed_if: bool

    def field(self, name: str, info: FieldInfo, source: Source | None) -> FieldPlan:
        """Compile one field, in the order of the design: source, parameter, request scope, default.

        Args:
            name: of the field.
            info: what the message's class says of it.
            source: where the binding says that it is; `None` where it says nothing.

        Raises:
            BindingError: it is required, and can come from nowhere.
        """
        default = None if info.is_required() else _default_text(info)
        if source is not None:
            candidate = self._source(f"field {name!r}", source, required=info.is_required())
            return FieldPlan(name, (candidate,), (candidate.origin,), default)
        places = self._places(name)
        candidates = self._reachable([each for each in places if isinstance(each, Candidate)])
        tried = [each.origin if isinstance(each, Candidate) else each for each in places]
        if not candidates and info.is_required():
            raise self._nowhere(name, tried)
        return FieldPlan(name, tuple(candidates), tuple(tried), default)

    def message_id(self, source: Source) -> Read:
        """Compile the source of the message's id."""
        if not callable(source):
            check_path(source, f"{self.handler.place}: {self.handler.name}: message_id")
        return self._source("message_id", source, required=False).read

    def _places(self, name: str) -> list[Candidate | str]:
        """Order the places that a field without a source is looked for at; text for one this handler cannot have."""
        places: list[Candidate | str] = []
        argument = self.handler.argument(name)
        if argument is None:
            places.append(f"argument {name!r} (the handler has no such parameter)")
        else:
            places.append(Candidate.of(f"argument {name!r}", argument))
        if name in IDENTITY:
            # A parameter `user_id` is often the user acted upon, not the one who acts.
            scoped = _scoped(name) if argument is None else _identity(name, argument)
            places.insert(0, Candidate.of(f"request scope {name!r}", scoped))
        elif name in declaration_of(self.model).scope_fields:
            places.append(Candidate.of(f"request scope {name!r}", _scoped(name)))
        return places

    def _reachable(self, candidates: list[Candidate]) -> list[Candidate]:
        """Cut what stands behind a parameter: a call has an argument for it, be it the default."""
        for number, candidate in enumerate(candidates, start=1):
            if candidate.expression.certain:
                return candidates[:number]
        return candidates

    def _source(self, what: str, source: Source, *, required: bool) -> Candidate:
        candidate = source_candidate(self.handler, source)
        if isinstance(candidate, str):
            raise self._error(what, f"its source is {source!r}, but {candidate}.")
        head = source.partition(".")[0] if isinstance(source, str) else ""
        if head not in _AFTER:
            return candidate
        if self.moment is Moment.START:
            raise self._error(
                what, f"its source {source!r} is not known when the handler starts. Take it from an argument."
            )
        if self.moment is Moment.FAILURE and head != "duration":
            return self._failure_source(what, candidate, head, required=required)
        if self.moment is Moment.SUCCESS and head == "error":
            raise self._error(what, f"its source is {source!r}, but a success has no error.")
        return candidate

    def _failure_source(self, what: str, candidate: Candidate, head: str, *, required: bool) -> Candidate:
        if head == "result" and not self.has_failed_if:
            raise self._error(
                what,
                f"it comes from the {candidate.origin}, but a failed call has no result. "
                "Take it from an argument, or give the decorator `failed_if=`, by which a returned result can fail.",
            )
        if not self.has_failed_if and (required or candidate.origin == head):
            return candidate
        if required:
            raise self._error(
                what,
                f"it comes from the {candidate.origin}; with `failed_if=` a failure has either a result or an error, "
                "so the field needs a default: `… | None = None`.",
            )
        there = "call.error is not None" if head == "error" else "call.has_result"
        return Candidate.of(candidate.origin, candidate.expression.and_only_if(there))

    def _nowhere(self, name: str, tried: list[str]) -> BindingError:
        paths = [f"{each}.{name}" for each in self.handler.parameters if self.handler.holds(each, name)]
        hint = nearest(name, self.handler.parameters)
        return self._error(
            f"field {name!r}",
            f"no source is possible{hint}. Tried: {', '.join(tried)}; default (the field has none). "
            f'Write where the handler keeps it: `{self.model.__name__}.from_call({name}="{(paths or "…")[0]}")`.',
        )

    def _error(self, what: str, text: str) -> BindingError:
        return BindingError(
            f"{self.handler.place}: {self.handler.name}: {self.moment.value} message {self.model.__name__}, "
            f"{what}: {text}"
        )


def _validator(model: type[Message]) -> Callable[[dict[str, Any]], Message]:
    if not model.__pydantic_complete__:  # a forward reference: pydantic completes the class at its first use
        return model.model_validate
    validate: Callable[[dict[str, Any]], Message] = model.__pydantic_validator__.validate_python
    return validate


def _short_way(model: type[Message]) -> tuple[PlainCodec | None, EncodeParts[Any] | None]:
    """Return how a message's fields make do for it, where they do, and the `encode` of its plan."""
    if not model.__pydantic_complete__:
        return None, None
    personal = holds_personal_data(model)
    if has_conditions(model):
        return None, None
    codec = plain_codec(model)
    if personal:
        return codec, None
    return codec, encoder_of(model) if codec is None else codec.encoder(UNCONFIGURED)


def _scope_sources(scope: type[Scope] | Binding[Scope] | None, model: type[Message]) -> Mapping[str, Source]:
    if not isinstance(scope, Binding):
        return {}
    return {name: source for name, source in scope.sources.items() if name in model.model_fields}


def _scoped(name: str) -> Expression:
    # Most often the innermost frame has it, which was open when the call captured it: that spares the walk.
    here = f"frame is not None and not frame.conflicts and (found := frame.values.get({name!r})) is not None"
    walk = f"{own('missing')} if frame is None else {own('lookup')}(frame, {name!r}, call.captured)"
    return Expression(f"(found if {here} else {walk})", {"missing": MISSING, "lookup": lookup})


def _identity(name: str, argument: Expression) -> Expression:
    """Read the identity from the request scope; in strict mode, ask where a parameter of the name says otherwise."""
    scoped = _scoped(name)

    def checked(call: Call, value: object, given: object) -> object:
        if value is not MISSING and given not in (MISSING, value):
            raise Refusal(
                Reason.AMBIGUOUS,
                f"field {name!r}: the request scope and the parameter {name!r} of {call.handler.name} differ. "
                f"A parameter is often the user acted upon: say which is meant, with "
                f'`from_call({name}="{name}")` for the parameter.',
            )
        return value

    source = f"({own('checked')}(call, {scoped.source}, {argument.source}) if call.strict else {scoped.source})"
    return Expression(source, {**scoped.names, **argument.names, "checked": checked})


def _default_text(info: FieldInfo) -> str:
    return f"{info.default_factory.__name__}()" if info.default_factory is not None else repr(info.default)
