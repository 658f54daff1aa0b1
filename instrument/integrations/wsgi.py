"""Any application of WSGI: the request scope is open while it runs, and until its response is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instrument.context import Intermittent
from instrument.integrations.entry import OPENED, entry_point_of_service

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from typing_extensions import Unpack

    from instrument.context import Entry
    from instrument.integrations.entry import Options, ScopeFrom


class Environment:
    """What a WSGI environment tells of a request: the `Facts` of entry points."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    @property
    def ip(self) -> str | None:
        """The address of who is connected."""
        return self._environ.get("REMOTE_ADDR")

    @property
    def scheme(self) -> str:
        """The scheme of the address."""
        return str(self._environ.get("wsgi.url_scheme", "http"))

    @property
    def path(self) -> str:
        """The whole path, unquoted."""
        raw: str = self._environ.get("SCRIPT_NAME", "") + self._environ.get("PATH_INFO", "")
        try:
            return raw.encode("latin-1").decode("utf-8", "replace")  # as PEP 3333 has it
        except UnicodeEncodeError:
            return raw  # decoded already, as Django's is

    @property
    def query(self) -> str:
        """The query, as it was sent."""
        return str(self._environ.get("QUERY_STRING", ""))

    def header(self, name: str) -> str | None:
        """Return a header by its name in lower case."""
        return self._environ.get(f"HTTP_{name.upper().replace('-', '_')}")


class ScopeMiddleware:
    """Opens a request scope around any WSGI application; `scope_from` is given the environment.

    Args:
        app: the application.
        scope_from: from a WSGI environment to the fields of its scope.
        options: see `instrument.integrations.entry.Options`.

    >>> from instrument import Scope
    >>> class UserScope(Scope):
    ...     user_id: str
    >>> def user_scope(environ):
    ...     return UserScope(user_id=environ["HTTP_X_USER"])
    >>> def app(environ, start_response):
    ...     return []
    >>> app = ScopeMiddleware(app, scope_from=user_scope)
    """

    def __init__(
        self, app: WSGIApplication, scope_from: ScopeFrom[WSGIEnvironment] | None = None, **options: Unpack[Options]
    ) -> None:
        self.app = app
        self._entry_point = entry_point_of_service(scope_from, **options)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application for one request, in its request scope."""
        facts = Environment(environ)
        fields = self._entry_point.fields(environ, facts)
        entry = self._entry_point.entry(facts, fields, inherit=OPENED in environ)
        steps = Intermittent()
        with steps:
            environ[OPENED] = entry.__enter__()
            try:
                body = self.app(environ, start_response)
            except BaseException:
                entry.__exit__(None, None, None)
                raise
            if _is_complete(body, environ):
                entry.__exit__(None, None, None)
                return body
        return ScopedBody(body, entry, steps)


class ScopedBody:
    """A response that is being sent: its request scope ends when the server closes it, as PEP 3333 bids it.

    Args:
        body: the response of the application.
        entry: the request scope.
        steps: in which the application runs.
    """

    __slots__ = ("_body", "_entry", "_steps")

    def __init__(self, body: Iterable[bytes], entry: Entry, steps: Intermittent) -> None:
        self._body = body
        self._entry = entry
        self._steps = steps

    def __iter__(self) -> Iterator[bytes]:
        with self._steps:
            parts = iter(self._body)
        while True:
            with self._steps:
                try:
                    part = next(parts)
                except StopIteration:
                    return
            yield part

    def close(self) -> None:
        """Close the response, which runs what the application does after it, and the request scope."""
        with self._steps:
            try:
                close = getattr(self._body, "close", None)
                if close is not None:
                    close()
            finally:
                self._entry.__exit__(None, None, None)


def _is_complete(body: Iterable[bytes], environ: WSGIEnvironment) -> bool:
    """Whether nothing of the application runs any more: a file is sent by the server, which must see it as it is."""
    of_files = environ.get("wsgi.file_wrapper")
    return isinstance(body, (list, tuple)) or (isinstance(of_files, type) and isinstance(body, of_files))
