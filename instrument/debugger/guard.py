"""Who may ask the debugger: this machine's own programs, its own page, and the pages that were named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response

from instrument.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_OWN = "Cross-Origin-Resource-Policy"
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]+)?")
_ELSEWHERE = ("cross-site", "same-site")


class Guard:
    """Refuses what comes by another name, or from another site; and tells browsers to be strict.

    A page of any site can let a browser send requests to this machine. A request is answered only where its `Host`
    is a name of this machine (another means that a stranger's domain was made to point here, DNS rebinding), and
    where its `Origin`, if it has one, is the debugger's own or among those that were allowed.

    Args:
        app: what is guarded.
        allowed: the origins of pages that may send messages.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()) -> None:
        self._app = app
        self._allowed = frozenset(each.rstrip("/").lower() for each in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        permitted = origin is not None and origin.lower() in self._allowed and _takes_messages(scope["path"])

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered.update(_HEADERS)
                answered.append("Vary", "Origin")
                answered[_OWN] = "cross-origin" if permitted else "same-origin"
                if permitted:
                    answered["Access-Control-Allow-Origin"] = origin or ""
            await send(message)

        refusal = _wrong_host(headers)
        if refusal is None and not permitted:
            refusal = _wrong_site(scope, headers)
        if refusal is None and permitted and scope["method"] == "OPTIONS":
            refusal = _preflight()
        await (refusal or self._app)(scope, receive, send_strictly)


def _wrong_host(headers: Headers) -> Response | None:
    host = _HOST.fullmatch(headers.get("host", ""))
    if host is None or not is_loopback(host["name"].strip("[]")):
        return _refused("the Host is none of this machine's own: open the debugger by 127.0.0.1 or localhost")
    return None


def _wrong_site(scope: Scope, headers: Headers) -> Response | None:
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{headers['host'].lower()}":
        return _refused("the Origin is another site: name it with --allow-origin where it may send messages")
    navigated = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site") in _ELSEWHERE and not navigated:
        return _refused("the request comes from another site")
    return None


def _takes_messages(path: str) -> bool:
    return not (path == "/" or path.startswith(("/api/", "/static/")))


def _refused(why: str) -> Response:
    return JSONResponse({"success": False, "message": why}, status_code=403)


def _preflight() -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
            "Access-Control-Allow-Private-Network": "true",
            "Access-Control-Max-Age": "600",
        },
    )
