"""The outermost rings: slashes too many, which web pages may read an answer, and no fault escapes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.cds_hooks.addresses import plain_path
from service.endpoints.answers import Header, refused_by_starlette, send_json
from service.endpoints.faults import FAULT_BODY, log_fault

# The origins of the web pages that may call; None for any.
Origins = Callable[[], frozenset[str] | None]
_ANY_ORIGIN: Header = (b"access-control-allow-origin", b"*")
_VARIES: Header = (b"vary", b"origin")
# How long a browser may remember the answer to a preflight, in seconds; none keeps it for longer than a day.
_REMEMBER_SECONDS = b"86400"
_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", _REMEMBER_SECONDS),
]


class PlainPaths:
    """An ASGI app around another one, which sees each path without slashes that say nothing.

    A client that was given the address of the service with a slash at its end calls `/cds-services//ID`. It gets its
    answer at that address: a redirect would lose the body of its POST. This ring stands outside of everything that
    looks at paths. `exact` are the paths that a proxy may have closed by their names: they have no other ones.
    """

    def __init__(self, app: ASGIApp, exact: Collection[str] = ()) -> None:
        self._app = app
        self._exact = exact

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on."""
        path = scope.get("path", "/")
        if path != "/" and (path[-1:] == "/" or "//" in path):
            plain = plain_path(path)
            if plain not in self._exact:
                scope["path"] = plain
        await self._app(scope, receive, send)


class Edge:
    """An ASGI app around another one.

    It stands outside of everything else, so that refusals and faults carry the CORS headers too: a browser
    hides an answer without them, and the clinician sees nothing at all.
    """

    def __init__(self, app: ASGIApp, origins: Origins = lambda: None) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers preflights; passes on everything else."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowed = _allowed(scope["headers"], self._origins())
        if scope["method"] == "OPTIONS" and _is_preflight(scope["headers"]):
            await send({"type": "http.response.start", "status": 204, "headers": [*_PREFLIGHT, *allowed]})
            await send({"type": "http.response.body", "body": b""})
            return
        started = False

        async def send_to_origin(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *allowed]
            await send(message)

        try:
            await self._app(scope, receive, send_to_origin)
        except HTTPException as refused:
            if not started:
                told = refused_by_starlette(refused)
                await send_json(send_to_origin, told.status, told.body, told.headers)
        except Exception as fault:
            log_fault(fault, None)
            if not started:
                await send_json(send_to_origin, 500, FAULT_BODY)


def _allowed(headers: Iterable[Header], origins: frozenset[str] | None) -> tuple[Header, ...]:
    """What tells a browser whether the page that calls may read the answer."""
    if origins is None:
        return (_ANY_ORIGIN,)
    own = next((value for name, value in headers if name == b"origin"), b"")
    if own.decode("latin-1").lower() in origins:
        return ((b"access-control-allow-origin", own), _VARIES)
    return (_VARIES,)


def _is_preflight(headers: Iterable[Header]) -> bool:
    return any(name == b"access-control-request-method" for name, _ in headers)
