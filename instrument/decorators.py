"""The decorators: thin wrappers, one for each nature of handler, over one lifecycle."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import lru_cache
from inspect import isclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

from instrument.bindings import Binding
from instrument.client import default_client
from instrument.decorated import decorated_handlers
from instrument.errors import BindingError
from instrument.handlers import Nature, block, describe
from instrument.lifecycle import Instrumentation, Run, compile_instrumentation
from instrument.messages import Alias, Group, Identify, Message, Page, Screen, Track, declaration_of
from instrument.places import Place, caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator

    from instrument.bindings import Source
    from instrument.client import Client
    from instrument.lifecycle import FailedIf
    from instrument.proxies import Wrapper
    from instrument.scopes import Scope

M = TypeVar("M", bound=Message)
F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any]")


class Decorate(Protocol):
    """A decorator that keeps the handler's exact type."""

    def __call__(self, handler: F, /) -> F:
        """Decorate a handler."""
        ...


class SpecDecorator(Generic[M]):
    """The decorator of one call of the Segment spec; `tracks`, `identifies` and the others are its instances.

    Args:
        spec: the base class of the messages that it takes.
    """

    def __init__(self, spec: type[M]) -> None:
        self._spec = spec

    def __repr__(self) -> str:
        return f"<decorator for {self._spec.__name__} messages>"

    def __call__(
        self,
        success: type[M] | Binding[M] | None = None,
        /,
        *,
        start: type[M] | Binding[M] | None = None,
        failure: type[M] | Binding[M] | None = None,
        scope: type[Scope] | Binding[Scope] | None = None,
        failed_if: FailedIf | None = None,
        message_id: Source | None = None,
        transactional: bool | None = None,
        client: Client | None = None,
    ) -> Decorate:
        """Emit messages over a handler.

        Args:
            success: emitted when the handler's body has ended; of a generator, when it is exhausted.
            start: emitted before the body runs.
            failure: emitted when the body raised, was cancelled, or returned what `failed_if` calls a failure.
            scope: where the handler keeps the fields of a scope, made by `from_call`.
            failed_if: given the call when it has ended; a true answer makes it a failure. Without one, what
                raises is a failure and what returns is none.
            message_id: a source for the messages' id, so that a repeated delivery of one webhook keeps it; a start
                or failure message has it with `-start` or `-failure`.
            transactional: whether the messages wait for the transaction that they are emitted in, where
                transactions are followed (`instrument.transactions`); by default the success does, the others not.
            client: the client, if it is not the default one.

        Raises:
            BindingError: the handler and a message do not fit; raised where the handler is defined.

        >>> from instrument import Scope, Track, tracks
        >>> class UserScope(Scope):
        ...     user_id: int
        >>> class FileUploaded(Track, UserScope):
        ...     size: int
        >>> @tracks(FileUploaded)
        ... def upload(user_id: int, size: int) -> str:
        ...     return "stored"
        >>> upload(7, 1024)
        'stored'
        """
        for message in (success, start, failure):
            _check_message(self._spec, message)

        def decorate(handler: F, /) -> F:
            _check_handler(handler)
            instrumentation = compile_instrumentation(
                describe(handler),
                success=success,
                start=start,
                failure=failure,
                scope=scope,
                failed_if=failed_if,
                message_id=message_id,
                transactional=transactional,
                client=client,
            )
            return _in_place_of(handler, instrumentation)

        return decorate


tracks: Final = SpecDecorator(Track)
"""Emit events over a handler: see `SpecDecorator`. https://segment.com/docs/connections/spec/track/"""
identifies: Final = SpecDecorator(Identify)
"""Emit who a user is over a handler. https://segment.com/docs/connections/spec/identify/"""
groups: Final = SpecDecorator(Group)
"""Emit which group a user belongs to over a handler. https://segment.com/docs/connections/spec/group/"""
pages: Final = SpecDecorator(Page)
"""Emit a page that was viewed over a handler. https://segment.com/docs/connections/spec/page/"""
screens: Final = SpecDecorator(Screen)
"""Emit a screen that was viewed over a handler. https://segment.com/docs/connections/spec/screen/"""
aliases: Final = SpecDecorator(Alias)
"""Emit that two ids are one user over a handler. https://segment.com/docs/connections/spec/alias/"""


def emitting(
    success: type[Message] | Binding[Message] | None = None,
    /,
    *,
    start: type[Message] | Binding[Message] | None = None,
    failure: type[Message] | Binding[Message] | None = None,
    scope: type[Scope] | Binding[Scope] | None = None,
    failed_if: FailedIf | None = None,
    message_id: Source | None = None,
    transactional: bool | None = None,
    client: Client | None = None,
    **values: Any,
) -> Run:
    """Emit messages around a block, for work that is no function.

    Args:
        success: emitted when the block ends.
        start: emitted before it runs.
        failure: emitted when it raises or is cancelled.
        scope: sources for the fields of a scope.
        failed_if: given the call when the block has ended; a true answer makes it a failure.
        message_id: a source for the messages' id.
        transactional: whether the messages wait for the transaction that they are emitted in; by default the success
            does.
        client: the client, if it is not the default one.
        values: what a handler would have as arguments; in the block, `call.set(...)` adds to them, and
            `call.result = …` gives what `"result…"` sources read.

    Raises:
        BindingError: a source cannot be.

    >>> from instrument import Scope, Track, emitting
    >>> class UserScope(Scope):
    ...     user_id: int
    >>> class ImportFinished(Track, UserScope):
    ...     rows: int
    >>> with emitting(ImportFinished, user_id=7) as call:
    ...     call.set(rows=120)
    """
    for message in (success, start, failure):
        _check_message(Message, message)
    compiled = _block(caller(), success, start, failure, scope, failed_if, message_id, transactional, client)
    client = client or default_client()
    if not client.active:
        client.tell_disabled()
        compiled = replace(compiled, start=None, success=None, failure=None, failed_if=None)
    return Run(compiled, client, (), values)


@lru_cache(maxsize=256)
def _block(place: Place, *given: Any) -> Instrumentation:
    success, start, failure, scope, failed_if, message_id, transactional, client = given
    return compile_instrumentation(
        block(place),
        success=success,
        start=start,
        failure=failure,
        scope=scope,
        failed_if=failed_if,
        message_id=message_id,
        transactional=transactional,
        client=client,
    )


def _in_place_of(handler: F, instrumentation: Instrumentation) -> F:
    from instrument.proxies import Instrumented  # noqa: PLC0415 - a slow import

    wrapper = _WRAPPERS[instrumentation.handler.nature](instrumentation)
    instrumented = Instrumented(handler, wrapper, instrumentation)
    decorated_handlers.add(instrumented, instrumentation)
    return instrumented  # type: ignore[return-value] # it looks like the handler


def instrumentation_of(handler: object) -> Instrumentation | None:
    """Return what a decorator compiled for a handler, looking through other decorators; `None` if there is none."""
    while handler is not None:
        found = getattr(handler, "_self_instrumentation", None)
        if isinstance(found, Instrumentation):
            return found
        parent = getattr(handler, "_self_parent", None)
        handler = parent if parent is not None else getattr(handler, "__wrapped__", getattr(handler, "__func__", None))
    return None


def _function_wrapper(instrumentation: Instrumentation) -> Wrapper:
    own_client, starts = instrumentation.own_client, instrumentation.start is not None

    def run(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        client = own_client or default_client()
        if not client.active:
            client.tell_disabled()
            return wrapped(*args, **kwargs)
        call = Run(instrumentation, client, args if instance is None else (instance, *args), kwargs)
        if starts:
            call.start()
        # What `with call:` does, without its price: this is on the path of most calls.
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            call.end(error)
            raise
        call.returned = result
        # A function may return a coroutine without being a coroutine function: its body has yet to run.
        if type(result) is CoroutineType:
            return _named_after(result, _awaited(call, _Unstarted(result)))  # pyright: ignore[reportUnknownArgumentType]
        call.end(None)
        return result

    return run


def _made(
    around: Callable[[Run, Any], Any],
) -> Callable[[Instrumentation], Wrapper]:
    """Return the wrapper for handlers whose call only makes the object that runs the body.

    The object is made at once, so that arguments which do not fit raise where the handler is called.
    """

    def wrapper(instrumentation: Instrumentation) -> Wrapper:
        own_client = instrumentation.own_client

        def run(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            client = own_client or default_client()
            made = wrapped(*args, **kwargs)
            if not client.active:
                client.tell_disabled()
                return made
            return _named_after(made, around(Run(instrumentation, client, _all(instance, args), kwargs), made))

        return run

    return wrapper


class _Unstarted:
    """Closes a handler's coroutine with the one around it, so that Python warns of one that was never awaited, not two.

    A coroutine that is closed before it started, as that of a task that was cancelled at once, warns of nothing.
    """

    __slots__ = ("coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine

    def __del__(self) -> None:
        self.coroutine.close()


async def _awaited(call: Run, unstarted: _Unstarted) -> Any:
    call.begin()
    with call:
        call.result = result = await unstarted.coroutine
    return result


def _generated(call: Run, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    call.begin()
    with call:
        call.result = result = yield from generator
    return result


async def _async_generated(call: Run, generator: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    """Do for an asynchronous generator what `yield from` does for a synchronous one (PEP 380, PEP 525)."""
    call.begin()
    with call:
        step = _first_step(generator)
        while True:
            try:
                value = await step
            except StopAsyncIteration:
                call.result = None
                return
            try:
                sent = yield value
            except GeneratorExit:
                await generator.aclose()
                raise
            except BaseException as thrown:  # noqa: BLE001 - whatever is thrown is for the handler
                # Without the entry of this frame, which the handler's own exception would keep.
                step = generator.athrow(thrown.with_traceback(thrown.__traceback__ and thrown.__traceback__.tb_next))
            else:
                step = generator.asend(sent)


def _first_step(generator: AsyncGenerator[Any, Any]) -> Coroutine[Any, Any, Any]:
    """Begin an asynchronous generator unseen by the event loop, which would close it beside the one around it."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


_WRAPPERS: Final = {
    Nature.FUNCTION: _function_wrapper,
    Nature.COROUTINE: _made(lambda call, coroutine: _awaited(call, _Unstarted(coroutine))),
    Nature.GENERATOR: _made(_generated),
    Nature.ASYNC_GENERATOR: _made(_async_generated),
}


def _all(instance: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return args if instance is None else (instance, *args)


def _named_after(inner: Any, outer: Any) -> Any:
    outer.__name__ = getattr(inner, "__name__", outer.__name__)
    outer.__qualname__ = getattr(inner, "__qualname__", outer.__qualname__)
    return outer


def _check_message(spec: type[Message], message: object) -> None:
    if message is None:
        return
    model: object = cast("Binding[Message]", message).model if isinstance(message, Binding) else message
    if not (isclass(model) and issubclass(model, spec)):
        shown = model.__name__ if isclass(model) else type(model).__name__
        raise BindingError(
            f"{caller()}: a declared {spec.__name__} class is expected, or one bound by `from_call`, not {shown}."
        )
    declaration_of(model)


def _check_handler(handler: object) -> None:
    if isclass(handler):
        raise BindingError(f"{caller()}: a class cannot be a handler: decorate its `__init__`, or a method.")
    if not (callable(handler) or isinstance(handler, (classmethod, staticmethod))):
        raise BindingError(
            f"{caller()}: a handler is a function or a method, not {type(handler).__name__}. "
            "Put the decorator next to the function, below `@property` and the like."
        )
