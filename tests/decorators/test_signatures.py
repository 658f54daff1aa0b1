"""Whatever the signature and however it is called: a field found by name is what Python binds to that name."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from instrument import Track, tracks
from instrument.testing import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("a", "b", "c", "d", "e", "f", "g", "h")
ABSENT = -1
"""The default of every field: no argument of a call has it."""


class SignatureSeen(Track):
    user_id: int = 7
    a: Any = ABSENT
    b: Any = ABSENT
    c: Any = ABSENT
    d: Any = ABSENT
    e: Any = ABSENT
    f: Any = ABSENT
    g: Any = ABSENT
    h: Any = ABSENT


@dataclass(frozen=True)
class Called:
    """A function, and one valid call of it.

    Attributes:
        parameters: as they are written.
        args: positional arguments.
        kwargs: keyword arguments.
    """

    parameters: str
    args: tuple[int, ...]
    kwargs: dict[str, int]

    def function(self, first: str = "") -> Callable[..., str]:
        """Define the function, with a parameter before all others."""
        namespace: dict[str, Any] = {}
        exec(f"def handle({first}{self.parameters}): return 'handled'", namespace)
        handle: Callable[..., str] = namespace["handle"]
        return handle


values = st.integers(min_value=0, max_value=9)


@dataclass(frozen=True)
class Parameters:
    """The names of parameters, by kind."""

    only_positional: list[str]
    either: list[str]
    rest: str | None
    only_keyword: list[str]
    others: str | None

    def written(self, defaults: dict[str, int]) -> str:
        """Write them as in a definition."""

        def each(names: list[str]) -> list[str]:
            return [f"{name}={defaults[name]}" if name in defaults else name for name in names]

        return ", ".join(
            [
                *each(self.only_positional),
                *(["/"] if self.only_positional else []),
                *each(self.either),
                *([f"*{self.rest or ''}"] if self.rest or self.only_keyword else []),
                *each(self.only_keyword),
                *([f"**{self.others}"] if self.others else []),
            ]
        )


@st.composite
def called(draw: st.DrawFn) -> Called:
    """Draw a signature with parameters of every kind, and arguments that fit it."""
    names = list(draw(st.permutations(NAMES)))
    parameters = Parameters(
        only_positional=[names.pop() for _ in range(draw(st.integers(0, 2)))],
        either=[names.pop() for _ in range(draw(st.integers(0, 2)))],
        rest=names.pop() if draw(st.booleans()) else None,
        only_keyword=[names.pop() for _ in range(draw(st.integers(0, 2)))],
        others=names.pop() if draw(st.booleans()) else None,
    )
    positional = parameters.only_positional + parameters.either
    # What follows a parameter with a default has one too, but for those that are given by keyword alone.
    optional = positional[draw(st.integers(0, len(positional))) :]
    optional += [name for name in parameters.only_keyword if draw(st.booleans())]
    defaults = {name: draw(values) for name in optional}

    fewest = sum(name not in defaults for name in parameters.only_positional)
    args = [draw(values) for _ in range(draw(st.integers(fewest, len(positional))))]
    by_keyword = [name for name in parameters.either if name not in positional[: len(args)]] + parameters.only_keyword
    kwargs = {name: draw(values) for name in by_keyword if name not in defaults or draw(st.booleans())}
    if parameters.rest and len(args) == len(positional):
        args += draw(st.lists(values, max_size=2))
    if parameters.others:
        # Not only names that are no parameters: `**` holds those of parameters that are only positional, too. Given
        # ones alone, since `inspect` refuses the others before Python 3.13, though Python takes them.
        free = [*names, *parameters.only_positional[: len(args)], parameters.others]
        kwargs |= draw(st.dictionaries(st.sampled_from(free), values, max_size=2))
    return Called(parameters.written(defaults), tuple(args), kwargs)


def bound(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, int]) -> dict[str, Any]:
    """Tell what Python binds to each name; of `**others`, also what it holds by the name that was given."""
    signature = inspect.signature(function)
    arguments = signature.bind(*args, **kwargs)
    arguments.apply_defaults()
    others = [name for name, each in signature.parameters.items() if each.kind is each.VAR_KEYWORD]
    held = arguments.arguments[others[0]] if others else {}
    return {name: arguments.arguments.get(name, held.get(name, ABSENT)) for name in NAMES}


def fields(message: SignatureSeen) -> dict[str, Any]:
    return {name: getattr(message, name) for name in NAMES}


@settings(max_examples=100, deadline=None)
@given(called())
def test_fields_found_by_name_are_the_arguments_that_python_binds(call: Called) -> None:
    recorder = Recorder()
    function = call.function()
    handler = tracks(SignatureSeen, start=SignatureSeen, client=recorder.client)(function)
    assert handler(*call.args, **call.kwargs) == "handled"
    expected = bound(function, call.args, call.kwargs)
    assert [fields(message) for message in recorder.messages] == [expected, expected]


@settings(max_examples=50, deadline=None)
@given(called())
def test_fields_found_by_name_are_the_arguments_that_python_binds_to_a_method(call: Called) -> None:
    recorder = Recorder()
    function = call.function(first="self, /, " if not call.parameters.count("/") else "self, ")

    class Handling:
        method = tracks(SignatureSeen, client=recorder.client)(function)

    handling = Handling()
    assert handling.method(*call.args, **call.kwargs) == "handled"
    assert Handling.method(handling, *call.args, **call.kwargs) == "handled"
    expected = bound(function, (handling, *call.args), call.kwargs)
    assert [fields(message) for message in recorder.messages] == [expected, expected]


@settings(max_examples=50, deadline=None)
@given(called())
def test_what_a_call_tells_of_its_arguments_is_what_python_binds(call: Called) -> None:
    recorder = Recorder()
    function = call.function()
    told = SignatureSeen.from_call(a=lambda call: dict(call.arguments))
    tracks(told, client=recorder.client)(function)(*call.args, **call.kwargs)
    arguments = inspect.signature(function).bind(*call.args, **call.kwargs)
    arguments.apply_defaults()
    assert recorder.one(SignatureSeen).a == arguments.arguments
