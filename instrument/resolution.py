"""The compiled plan: from where each field of a message comes, decided once, when the decorator runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from instrument.bindings import Binding
from instrument.declared import IDENTITY
from instrument.errors import BindingError, Reason, Refusal, nearest
from instrument.messages import declaration_of
from instrument.missing import MISSING

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from instrument.bindings import Source
    from instrument.calls import Call
    from instrument.handlers import Handler
    from instrument.messages import Message
    from instrument.scopes import Scope

    Read = Callable[[Call], Any]

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
        read: gives the value, or `MISSING`.
        argument: the parameter, where it is the plain value of one.
    """

    origin: str
    read: Read
    argument: str | None = None


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

    def reader(self) -> Read:
        """Return one function for all the candidates."""
        if len(self.candidates) == 1:
            return self.candidates[0].read
        reads = tuple(candidate.read for candidate in self.candidates)

        def first(call: Call) -> Any:
            for read in reads:
                value = read(call)
                if value is not MISSING:
                    return value
            return MISSING

        return first


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """How one message is built from a call.

    Attributes:
        model: the message class.
        moment: when it is emitted.
        fields: where each field comes from.
        steps: the same, compiled.
        validate: makes the message of the values of its fields.
    """

    model: type[Message]
    moment: Moment
    fields: tuple[FieldPlan, ...]
    steps: tuple[tuple[str, Read], ...]
    validate: Callable[[dict[str, Any]], Message]

    def build(self, call: Call) -> Message:
        """Build the message.

        Raises:
            Refusal: a field was not found, its source raised, or a value does not fit.
        """
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, read in self.steps:
                value = read(call)
                if value is not MISSING:
                    values[name] = value
            return self.validate(values)
        except ValidationError as error:
            raise self._invalid(error, call) from None
        except Refusal:
            raise
        except Exception as error:
            raise self._source_failed(name, error) from error

    def build_with_provenance(self, call: Call) -> tuple[Message, dict[str, str]]:
        """Build the message, and tell where each field came from.

        Raises:
            Refusal: as `build`.
        """
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for plan in self.fields:
            origins[plan.name] = "default"
            for candidate in plan.candidates:
                try:
                    value = candidate.read(call)
                except Refusal:
                    raise
                except Exception as error:
                    raise self._source_failed(plan.name, error) from error
                if value is not MISSING:
                    values[plan.name], origins[plan.name] = value, candidate.origin
                    break
        return self._validated(values, call), origins

    def _validated(self, values: dict[str, Any], call: Call) -> Message:
        try:
            return self.validate(values)
        except ValidationError as error:
            raise self._invalid(error, call) from None

    def _invalid(self, error: ValidationError, call: Call) -> Refusal:
        missing = [str(each["loc"][0]) for each in error.errors(include_url=False) if each["type"] == "missing"]
        texts = [f"field {'.'.join(map(str, e['loc'])) or '?'!r}: {_told(e)}" for e in error.errors(include_url=False)]
        for plan in self.fields:
            if plan.name in missing:
                texts.append(f"for {plan.name!r} were tried: {', '.join(plan.tried)}")
        reason = Reason.UNRESOLVED if missing else Reason.INVALID
        late = "; the call began after its request scope was closed" if call.late else ""
        return Refusal(reason, f"{self.model.__name__}: {'; '.join(texts)}{late}")

    def _source_failed(self, name: str, error: Exception) -> Refusal:
        origin = next(plan.candidates[0].origin for plan in self.fields if plan.name == name)
        return Refusal(
            Reason.SOURCE_FAILED,
            f"{self.model.__name__}: field {name!r}: reading {origin} raised {type(error).__name__}",
        )


def compile_message(
    handler: Handler,
    message: type[Message] | Binding[Message],
    scope: type[Scope] | Binding[Scope] | None,
    moment: Moment,
    *,
    has_failed_if: bool,
) -> MessagePlan:
    """Compile the plan of one message.

    Args:
        handler: what is decorated.
        message: the class, or the class bound to sources.
        scope: sources for the fields of a scope.
        moment: when the message is emitted.
        has_failed_if: whether a returned result may be a failure.

    Raises:
        BindingError: a source that this handler cannot have, or a required field of the event with no possible
            source; naming the handler, the field, and what was tried.
        DeclarationError: the message class is abstract.
    """
    bound = message if isinstance(message, Binding) else Binding(message)
    sources = {**_scope_sources(scope, bound.model), **bound.sources}
    compiler = _Compiler(handler, bound.model, moment, has_failed_if=has_failed_if)
    fields = tuple(
        compiler.field(name, info, sources.get(name)) for name, info in bound.model.model_fields.items()
    )
    return MessagePlan(
        model=bound.model,
        moment=moment,
        fields=fields,
        steps=tuple((plan.name, plan.reader()) for plan in fields if plan.candidates),
        validate=_validator(bound.model),
    )


def compile_source(handler: Handler, source: Source, moment: Moment, what: str) -> Read:
    """Compile a source that is for no field of a message, as `message_id=`.

    Raises:
        BindingError: this handler cannot have such a source.
    """
    candidate = source_candidate(handler, source)
    if isinstance(candidate, str):
        raise BindingError(f"{handler.place}: {handler.name}: {what}: {candidate}")
    if moment is Moment.START and isinstance(source, str) and source.partition(".")[0] in _AFTER:
        raise BindingError(f"{handler.place}: {handler.name}: {what}: {source!r} is not known when the handler starts.")
    return candidate.read


def source_candidate(handler: Handler, source: Source) -> Candidate | str:
    """Compile one source; answer with a text where this handler cannot have it."""
    if callable(source):
        return Candidate(f"callable {getattr(source, '__qualname__', type(source).__name__)}", source)
    head, *path = source.split(".")
    if head in _AFTER:
        return Candidate(f"{head} {source!r}" if path else head, _followed(_after_reader(head, alone=not path), path))
    read = handler.reader(head)
    if read is None:
        return f"there is no parameter {head!r}{nearest(head, [*handler.parameters, *_AFTER])}"
    if path:
        return Candidate(f"path {source!r}", _followed(read, path))
    return Candidate(f"argument {head!r}", read)


@dataclass(frozen=True, slots=True)
class _Compiler:
    handler: Handler
    model: type[Message]
    moment: Moment
    has_failed_if: bool

    def field(self, name: str, info: FieldInfo, source: Source | None) -> FieldPlan:
        """Compile one field, in the order of the design: source, parameter, request scope, default."""
        default = None if info.is_required() else _default_text(info)
        if source is not None:
            candidate = self._source(name, info, source)
            return FieldPlan(name, (candidate,), (candidate.origin,), default)
        places = self._places(name)
        candidates = self._reachable([each for each in places if isinstance(each, Candidate)])
        tried = [each.origin if isinstance(each, Candidate) else each for each in places]
        if not candidates and info.is_required():
            raise self._nowhere(name, tried)
        return FieldPlan(name, tuple(candidates), tuple(tried), default)

    def _places(self, name: str) -> list[Candidate | str]:
        """Order the places that a field without a source is looked for at; text for one this handler cannot have."""
        places: list[Candidate | str] = []
        argument = self.handler.reader(name)
        if argument is None:
            places.append(f"argument {name!r} (the handler has no such parameter)")
        else:
            places.append(Candidate(f"argument {name!r}", argument, argument=name))
        if name in IDENTITY:
            read = _scope_reader(name) if argument is None else _identity_reader(name, argument)
            # A parameter `user_id` is often the user acted upon, not the one who acts.
            places.insert(0, Candidate(f"request scope {name!r}", read))
        elif name in declaration_of(self.model).scope_fields:
            places.append(Candidate(f"request scope {name!r}", _scope_reader(name)))
        return places

    def _reachable(self, candidates: list[Candidate]) -> list[Candidate]:
        """Cut what stands behind a parameter: a call has an argument for it, be it the default."""
        for number, candidate in enumerate(candidates, start=1):
            if candidate.argument is not None and self.handler.always_has(candidate.argument):
                return candidates[:number]
        return candidates

    def _source(self, name: str, info: FieldInfo, source: Source) -> Candidate:
        candidate = source_candidate(self.handler, source)
        if isinstance(candidate, str):
            raise self._error(name, f"its source is {source!r}, but {candidate}.")
        head = source.partition(".")[0] if isinstance(source, str) else ""
        if head not in _AFTER:
            return candidate
        if self.moment is Moment.START:
            raise self._error(name, f"its source {source!r} is not known when the handler starts.")
        if self.moment is Moment.FAILURE and head != "duration":
            return self._failure_source(name, info, candidate, head)
        if self.moment is Moment.SUCCESS and head == "error":
            raise self._error(name, f"its source is {source!r}, but a success has no error.")
        return candidate

    def _failure_source(self, name: str, info: FieldInfo, candidate: Candidate, head: str) -> Candidate:
        if head == "result" and not self.has_failed_if:
            raise self._error(
                name,
                f"it comes from the {candidate.origin}, but a failed call has no result. "
                "Take it from an argument, or give the decorator `failed_if=`, by which a returned result can fail.",
            )
        if not self.has_failed_if:
            return candidate
        if info.is_required():
            raise self._error(
                name,
                f"it comes from the {candidate.origin}; with `failed_if=` a failure has either a result or an error, "
                f"so the field needs a default: `{name}: … | None = None`.",
            )
        return Candidate(candidate.origin, _if_there(head, candidate.read))

    def _nowhere(self, name: str, tried: list[str]) -> BindingError:
        paths = [f"{each}.{name}" for each in self.handler.parameters if self.handler.holds(each, name)]
        hint = "" if paths else nearest(name, self.handler.parameters)
        return self._error(
            name,
            f"no source is possible{hint}. Tried: {', '.join(tried)}; default (the field has none). "
            f"Write where the handler keeps it: `{self.model.__name__}.from_call({name}=\"{(paths or '…')[0]}\")`.",
        )

    def _error(self, name: str, text: str) -> BindingError:
        return BindingError(
            f"{self.handler.place}: {self.handler.name}: {self.moment.value} message {self.model.__name__}, "
            f"field {name!r}: {text}"
        )


def _validator(model: type[Message]) -> Callable[[dict[str, Any]], Message]:
    if not model.__pydantic_complete__:  # a forward reference: pydantic completes the class at its first use
        return model.model_validate
    validate: Callable[[dict[str, Any]], Message] = model.__pydantic_validator__.validate_python
    return validate


def _scope_sources(scope: type[Scope] | Binding[Scope] | None, model: type[Message]) -> Mapping[str, Source]:
    if not isinstance(scope, Binding):
        return {}
    return {name: source for name, source in scope.sources.items() if name in model.model_fields}


def _scope_reader(name: str) -> Read:
    return lambda call: call.context_value(name)


def _identity_reader(name: str, argument: Read) -> Read:
    """Read the identity from the request scope; in strict mode, ask when a parameter of the name says otherwise."""

    def read(call: Call) -> Any:
        value = call.context_value(name)
        if call.strict and value is not MISSING:
            given = argument(call)
            if given is not MISSING and given != value:
                raise Refusal(
                    Reason.AMBIGUOUS,
                    f"field {name!r}: the request scope and the parameter {name!r} of {call.handler.name} differ. "
                    f"A parameter is often the user acted upon: say which is meant, with "
                    f'`from_call({name}="{name}")` for the parameter.',
                )
        return value

    return read


def _after_reader(head: str, *, alone: bool) -> Read:
    if head == "error":
        return (lambda call: str(call.error)) if alone else (lambda call: call.error)
    return (lambda call: call.result) if head == "result" else (lambda call: call.duration)


def _if_there(head: str, read: Read) -> Read:
    if head == "error":
        return lambda call: MISSING if call.error is None else read(call)
    return lambda call: read(call) if call.has_result else MISSING


def _followed(read: Read, path: list[str]) -> Read:
    """Follow a path from a value: each step a key of a mapping that has it, else an attribute."""
    for step in path:
        read = _step(read, step)
    return read


def _step(read: Read, step: str) -> Read:
    def follow(call: Call) -> Any:
        value = read(call)
        if value is MISSING:
            return MISSING
        return value[step] if isinstance(value, Mapping) and step in value else getattr(value, step)

    return follow


def _default_text(info: FieldInfo) -> str:
    return f"{info.default_factory.__name__}()" if info.default_factory is not None else repr(info.default)


def _told(error: Any) -> str:
    """Tell one error of pydantic; the text of a user's own validator may hold the value, and is left out."""
    if error["type"] in ("value_error", "assertion_error"):
        return "its validator refused the value"
    return str(error["msg"])


