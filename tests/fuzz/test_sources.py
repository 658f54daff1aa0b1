"""Any source gives a clear error where the handler is decorated, or a handler that works as before."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instrument import BindingError, Client, MemoryDestination, Scope, Track, explain, request_scope, tracks
from tests.fuzz.fuzzing import any_text, examples
from tests.strategies import INT_MAX, INT_MIN

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.instrument_lenient

_names = any_text | st.sampled_from(
    [
        *(
            "cluster",
            "result",
            "error",
            "duration",
            "args",
            "kwargs",
            "call",
            "value_0",
            "step",
            "known",
            "None",
            "class",
        ),
        *("__class__", "__dict__", "__debug__", "\ufb01", "a:=b", "'", "\\", "\0step\0", "{}", "(", "#", "\n"),
    ]
)
_paths = st.lists(_names, min_size=1, max_size=6).map(".".join)
_things: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | any_text,
    lambda inner: (
        st.dictionaries(_names, inner, max_size=3)
        | st.dictionaries(_names, inner, max_size=3).map(lambda members: SimpleNamespace(**members))
    ),
    max_leaves=8,
)


class SourceFuzzScope(Scope):
    user_id: int
    place: Any = None


class SourceFuzzed(Track, SourceFuzzScope):
    value: Any


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with_memory = Client(destinations=[MemoryDestination()], durability="memory")
    yield with_memory
    with_memory.close()


@examples(120)
@given(value=_paths, place=_paths | st.none(), message_id=_paths | st.none(), cluster=_things, result=_things)
@example(value=".".join(["cluster"] * 500), place=None, message_id=None, cluster={}, result=None)
@example(value="cluster.\ufb01", place=None, message_id=None, cluster=SimpleNamespace(fi=1), result=None)
def test_any_path_is_refused_or_leaves_the_handler_alone(
    client: Client, value: str, place: str | None, message_id: str | None, cluster: Any, result: Any
) -> None:
    def handler(cluster: Any) -> Any:
        return result

    try:
        decorated = tracks(
            SourceFuzzed.from_call(value=value),
            scope=None if place is None else SourceFuzzScope.from_call(place=place),
            message_id=message_id,
            client=client,
        )(handler)
    except BindingError as error:
        assert str(error)
        return
    assert str(explain(decorated))
    with request_scope(user_id=7):
        for _ in range(2):  # the second time with types that are known
            assert decorated(cluster) is result


@examples(60)
@given(
    keys=st.lists(_names.filter(lambda name: name and "." not in name), min_size=1, max_size=6),
    value=st.integers(INT_MIN, INT_MAX),
)
def test_what_a_path_names_is_what_is_sent(keys: list[str], value: int) -> None:
    memory = MemoryDestination()
    client = Client(destinations=[memory], durability="memory")
    cluster: Any = value
    for key in reversed(keys):
        cluster = {key: cluster}

    @tracks(SourceFuzzed.from_call(value=".".join(["cluster", *keys])), client=client)
    def handler(cluster: Any) -> None: ...

    with request_scope(user_id=7):
        handler(cluster)
    client.close()
    assert [each["properties"]["value"] for each in memory.messages] == [value]


@examples(60)
@given(source=st.none() | st.integers() | st.binary() | st.lists(any_text) | any_text)
def test_what_is_no_path_is_refused_where_it_is_written(source: Any) -> None:
    with contextlib.suppress(BindingError):
        SourceFuzzed.from_call(value=source)
