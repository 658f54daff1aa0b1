"""What every entry point shares: from a framework's request to the request scope that it runs in."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypedDict, TypeVar
from urllib.parse import unquote

from instrument.calls import Outcome
from instrument.context import Entry
from instrument.errors import ScopeError, nearest
from instrument.faults import ambient
from instrument.integrations.baggage import extract
from instrument.places import of_function
from instrument.routes import preload
from instrument.scopes import Scope, is_scope_name, scope_names

if TYPE_CHECKING:
    from collections.abc import Collection, Container

    from typing_extensions import TypeIs, Unpack

    from instrument.calls import Call
    from instrument.context import Frame
    from instrument.outcomes import Judge

R = TypeVar("R")

Fields = Scope | Mapping[str, Any] | None
"""What a request's scope is made of: an instance of a scope class, or fields by name; `None` for nothing."""
ScopeFrom = Callable[[R], Fields | Awaitable[Fields]]
"""A user's function from a framework's request to the fields of its scope, `def` or `async def`."""

FAILING: Final = range(400, 600)
"""The statuses that count as failures where nothing else is said."""
OPENED: Final = "instrument.frame"
"""The key under which a request keeps its frame, in an ASGI scope or a WSGI environment."""

_MOST_TEXT = 1_024
_LOCALE = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:[,;]|$)")
_ANONYMOUS_ID = re.compile(r"[\x21-\x7e]{1,100}")
_ANONYMOUS_ID_COOKIE = re.compile(r"(?:^|;)\s*ajs_anonymous_id=([^;]*)")


class Facts(Protocol):
    """What is known of any request of HTTP, whatever framework it is for."""

    @property
    def ip(self) -> str | None:
        """The address of who is connected: of a proxy, unless the server was told to trust it."""
        ...

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        ...

    @property
    def path(self) -> str:
        """The whole path, unquoted."""
        ...

    @property
    def query(self) -> str:
        """What stands behind the question mark, as it was sent."""
        ...

    def header(self, name: str) -> str | None:
        """Return a header by its name in lower case; the values of one that came repeatedly are joined by commas."""
        ...


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What of a request is told in Segment's `context` of each message.

    See https://segment.com/docs/connections/spec/common/#context for what becomes of it.

    Attributes:
        user_agent: `userAgent`, from the header User-Agent.
        page: `page`, with `path`, `url` and `referrer`.
        query: whether `page` has the query strings too, as `search` and in its addresses: they may hold secrets.
        locale: `locale`, the first language of the header Accept-Language.
        request_id: `requestId`, from the header X-Request-ID.
        ip: `ip`, the address of who is connected: personal data.
    """

    user_agent: bool = True
    page: bool = True
    query: bool = False
    locale: bool = True
    request_id: bool = True
    ip: bool = False

    def of(self, facts: Facts) -> dict[str, Any]:
        """Return the context of one request, without what the request does not say."""
        context = {
            "ip": facts.ip if self.ip else None,
            "userAgent": facts.header("user-agent") if self.user_agent else None,
            "locale": _locale(facts.header("accept-language")) if self.locale else None,
            "requestId": facts.header("x-request-id") if self.request_id else None,
        }
        told: dict[str, Any] = {key: _text(value) for key, value in context.items() if value}
        if self.page:
            told["page"] = {key: _text(value) for key, value in self._page(facts).items() if value}
        return told

    def _page(self, facts: Facts) -> dict[str, str | None]:
        host, path, search = facts.header("host"), facts.path, f"?{facts.query}" if facts.query else ""
        referrer = facts.header("referer")
        if not self.query:
            search = ""
            referrer = referrer and re.split("[?#]", referrer, maxsplit=1)[0]
        return {
            "path": path,
            "url": f"{facts.scheme}://{host}{path}{search}" if host else None,
            "search": search,
            "referrer": referrer,
        }


class Options(TypedDict, total=False):
    """What every entry point can be told.

    Attributes:
        context: what of the request is told in Segment's context of each message; by default nothing.
        anonymous_id: whether the request's anonymous id is read from Segment's cookie, `ajs_anonymous_id`.
        baggage: whether the fields marked as `Propagated` are taken from the W3C header `baggage`: only for services
            that nobody outside can reach. A collection of names takes these alone.
        failing: the statuses of HTTP that count as failures of a handler; by default all from 400 to 599.
    """

    context: RequestContext | None
    anonymous_id: bool
    baggage: bool | Collection[str]
    failing: Container[int]


class EntryPoint(Generic[R]):
    """Opens the request scope of each request of one application.

    Whatever goes wrong in making the scope stays here, but in strict mode: the request is answered as ever.

    Args:
        scope_from: from a request to the fields of its scope.
        options: see `Options`.

    Raises:
        TypeError: `scope_from` is no function, or there is no such option.
    """

    __slots__ = ("_anonymous_id", "_baggage", "_context", "_failing", "_scope_from")

    def __init__(self, scope_from: ScopeFrom[R] | None, **options: Unpack[Options]) -> None:
        if scope_from is not None and not callable(scope_from):
            raise TypeError(
                "scope_from is a function from a request to its scope, such as "
                f"`lambda request: UserScope(user_id=…)`, not {type(scope_from).__name__}"
            )
        unknown = options.keys() - Options.__annotations__.keys()
        if unknown:
            raise TypeError(f"there is no option {min(unknown)!r}; there are {', '.join(Options.__annotations__)}")
        self._scope_from = scope_from
        self._context = options.get("context")
        self._anonymous_id = options.get("anonymous_id", False)
        self._baggage = options.get("baggage", False)
        self._failing = options.get("failing", FAILING)

    def entry(self, facts: Facts, values: Mapping[str, Any], *, inherit: bool) -> Entry:
        """Return the way into the request scope.

        Args:
            facts: what is known of the request.
            values: what `fields` gave, or nothing where that is known later.
            inherit: whether the request came through another entry point, whose fields go on to hold.
        """
        context = None if self._context is None else self._context.of(facts)
        return Entry(values, inherit=inherit, context=context, failing=self._failing)

    def fields(self, request: R, facts: Facts) -> dict[str, Any]:
        """Return the fields of a request's scope."""
        return self._complete(self._asked(request), facts)

    async def fields_async(self, request: R, facts: Facts) -> dict[str, Any]:
        """Return the fields of a request's scope, from a function that may be asynchronous."""
        given = self._asked(request)
        if isawaitable(given):
            try:
                given = await given
            except Exception as error:  # noqa: BLE001 - the request is answered as ever
                self._raised(error)
                given = None
        return self._complete(given, facts)

    def complete(self, given: Fields, facts: Facts) -> dict[str, Any]:
        """Return the fields of a request's scope, given what the function has answered already."""
        return self._complete(given, facts)

    def _asked(self, request: R) -> object:
        if self._scope_from is None:
            return None
        try:
            return self._scope_from(request)
        except Exception as error:  # noqa: BLE001 - the request is answered as ever
            self._raised(error)
            return None

    def _raised(self, error: Exception) -> None:
        raised = ScopeError(f"it raised {type(error).__name__}; the request has no fields from it")
        raised.__cause__ = error
        self._report(raised)

    def _complete(self, given: object, facts: Facts) -> dict[str, Any]:
        fields = self._known(given)
        if self._anonymous_id and "anonymous_id" not in fields:
            anonymous_id = anonymous_id_of(facts.header("cookie"))
            if anonymous_id is not None:
                fields["anonymous_id"] = anonymous_id
        if self._baggage:
            header = facts.header("baggage")
            if header is not None:
                fields = {**extract({"baggage": header}, trust=self._baggage), **fields}
        return fields

    def _known(self, given: object) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, value in self._named(given).items():
            if is_scope_name(name):
                if value is not None:
                    fields[name] = value
            else:
                known = scope_names()
                self._report(
                    ScopeError(
                        f"no declared scope has a field {name!r}{nearest(str(name), known)}. "
                        f"The fields are: {', '.join(sorted(known))}."
                    )
                )
        return fields

    def _named(self, given: object) -> Mapping[str, Any]:
        if given is None:
            return {}
        if _is_fields(given):
            return given
        if isinstance(given, Scope):
            return {name: getattr(given, name) for name in type(given).model_fields}
        hint = ": it is asynchronous, and this entry point is not" if isawaitable(given) else ""
        if iscoroutine(given):
            given.close()  # it is never awaited
        self._report(ScopeError(f"it returned {type(given).__name__}, neither a scope nor fields by name{hint}"))
        return {}

    def _report(self, error: ScopeError) -> None:
        function = self._scope_from
        name = getattr(function, "__qualname__", type(function).__name__)
        ambient.faults.report(error, f"scope_from {name} ({of_function(function)})")


def entry_point_of_service(scope_from: ScopeFrom[R] | None, **options: Unpack[Options]) -> EntryPoint[R]:
    """Make the entry point of a process that is to last: what its first message would wait for is imported now.

    The default client is made by the first message, since the application may configure it until then.

    Raises:
        TypeError: as for `EntryPoint`.
    """
    preload()
    return EntryPoint(scope_from, **options)


def fill(frame: Frame, fields: Mapping[str, Any]) -> None:
    """Give a request's frame the fields that became known after it was opened."""
    for name, value in fields.items():
        frame.assign(name, value)


def by_status(status_of: Callable[[Any], int | None]) -> Judge:
    """Return a judge of a framework's responses or exceptions, by the status that they are answered with.

    What is returned with a status that counts as a failure has failed. What is raised with another one, such as a
    redirect, is control flow: neither a success, since there is no result, nor a failure.

    Args:
        status_of: the status of a response or an exception; `None` where it has none.
    """

    def judge(value: Any, call: Call) -> Outcome | None:
        status = status_of(value)
        if status is None:
            return None
        frame = call.frame
        failing = FAILING if frame is None or frame.failing is None else frame.failing
        if status in failing:
            call.returned_error = f"status {status}"
            return Outcome.FAILURE
        return Outcome.SUCCESS if call.error is None else Outcome.DIVERTED

    return judge


def anonymous_id_of(cookies: str | None) -> str | None:
    """Return the anonymous id that Segment's library in the browser keeps, out of a header Cookie."""
    found = None if cookies is None else _ANONYMOUS_ID_COOKIE.search(cookies)
    if found is None:
        return None
    value = unquote(found[1]).strip().strip('"')  # some versions of the library write it as JSON
    return value if _ANONYMOUS_ID.fullmatch(value) else None


def _is_fields(given: object) -> TypeIs[Mapping[str, Any]]:
    return isinstance(given, Mapping)


def _locale(languages: str | None) -> str | None:
    found = None if languages is None else _LOCALE.match(languages)
    return None if found is None else found[1]


def _text(value: str) -> str:
    return value[:_MOST_TEXT].encode("utf-8", "replace").decode()
