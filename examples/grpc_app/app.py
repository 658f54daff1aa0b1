# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# gRPC has no types of its own.
"""The server. An application with Protocol Buffers registers its servicer as ever; this one speaks in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from instrument import Scope, Track, tracks
from instrument.integrations.grpc import ScopeInterceptor, returns_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import ThreadPoolExecutor

WORDS = {b"cat": b"Katze", b"dog": b"Hund"}


class ReaderScope(Scope):
    """Who asks."""

    user_id: int


class WordFound(Track, ReaderScope):
    """A word was looked up."""

    letters: int


class WordNotFound(Track, ReaderScope):
    """A word was looked up in vain."""

    code: str


def reader_of(method: str, metadata: Mapping[str, str | bytes]) -> dict[str, Any]:
    """Return who asks, as the gateway has established it."""
    del method
    return {"user_id": metadata.get("x-user-id")}


def code_of(call: Any) -> str:
    """Return the name of the status."""
    return str(call.arguments["context"].code().name)


@tracks(
    WordFound.from_call(letters=lambda call: len(call.arguments["request"])),
    failure=WordNotFound.from_call(code=code_of),
    failed_if=returns_error,
)
def look_up(request: bytes, context: Any) -> bytes:
    """Answer with the translation."""
    if request not in WORDS:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        return b""
    return WORDS[request]


def server(pool: ThreadPoolExecutor) -> Any:
    """Return the server, which has yet to be given a port and started."""
    methods: dict[str, Any] = {"LookUp": grpc.unary_unary_rpc_method_handler(look_up)}
    handlers = [grpc.method_handlers_generic_handler("Dictionary", methods)]
    return grpc.server(pool, handlers=handlers, interceptors=[ScopeInterceptor(reader_of)])
