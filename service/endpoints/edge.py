"""The outermost ring, around every answer: calls from any web page are allowed, and no fault escapes."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.endpoints.answers import Header, send_json
from service.endpoints.faults import FAULT_BODY, log_fault

_ANY_ORIGIN: Header = (b"access-control-allow-origin", b"*")
# How long a browser may remember the answer to a preflight, in seconds; none keeps it for longer than a day.
_REMEMBER_SECONDS = b"86400"
_PREFLIGHT = [
    _ANY_ORIGIN,
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", _REMEMBER_SECONDS),
]


class Edge:
    """An ASGI app around another one.

    It stands outside of everything else, so that refusals and faults carry the CORS headers too: a browser
    hides an answer without them, and the clinician sees nothing at all.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers preflights; passes on everything else."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and _is_preflight(scope["headers"]):
            await send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
            await send({"type": "http.response.body", "body": b""})
            return
        started = False

        async def send_to_any_origin(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), _ANY_ORIGIN]
            await send(message)

        try:
            await self._app(scope, receive, send_to_any_origin)
        except Exception as fault:
            log_fault(fault, None)
            if not started:
                await send_json(send_to_any_origin, 500, FAULT_BODY)


def _is_preflight(headers: Iterable[Header]) -> bool:
    return any(name == b"access-control-request-method" for name, _ in headers)
