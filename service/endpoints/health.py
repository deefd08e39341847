"""/healthz, /readyz and /metrics: for those who run the service, not for EHRs."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address

import orjson
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from service.endpoints.answers import NO_STORE, Header, Refused, send_json, send_wrong_method
from service.endpoints.faults import log_fault
from service.operations import metrics

HEALTH, READINESS, METRICS = "/healthz", "/readyz", "/metrics"
ADDRESSES = frozenset({HEALTH, READINESS, METRICS})
# Why a part is not ready, in a word of ours; None when it is. May raise: that is not ready, either.
Check = Callable[[], Awaitable[str | None]]
READY = "ready"
_ALLOWED = "GET, HEAD, OPTIONS"
_NOTHING_HERE = Refused(404, "not-found", "There is nothing at this address.").body
_ALIVE = orjson.dumps({"status": "alive"})


class Health:
    """The addresses for operators.

    `needed`: the parts without which calls should go elsewhere, by name. `watched`: parts that are only reported on,
    because without them calls are still answered. `operator_token`: what `/metrics` asks for; without one it answers
    only whoever calls from this machine. `seconds`: how long a check may take.
    """

    def __init__(
        self,
        needed: Mapping[str, Check],
        watched: Mapping[str, Check],
        operator_token: str | None = None,
        seconds: float = 1.0,
    ) -> None:
        self._needed = needed
        self._seconds = seconds
        self._checks = {**watched, **needed}
        self._token = operator_token.encode() if operator_token else None

    @property
    def routes(self) -> list[BaseRoute]:
        """What the app mounts."""
        return [
            Route(HEALTH, _Page(self._alive)),
            Route(READINESS, _Page(self._ready)),
            Route(METRICS, _Page(self._metrics)),
        ]

    async def _alive(self, _: Scope, send: Send) -> None:
        await send_json(send, 200, _ALIVE, (NO_STORE,))

    async def _ready(self, _: Scope, send: Send) -> None:
        outcomes = await asyncio.gather(*(self._outcome(check) for check in self._checks.values()))
        found = dict(zip(self._checks, outcomes, strict=True))
        ready = all(found[name] == READY for name in self._needed)
        body = orjson.dumps({"status": READY if ready else "not ready", "checks": found})
        await send_json(send, 200 if ready else 503, body, (NO_STORE,))

    async def _outcome(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._seconds):
                return await check() or READY
        except TimeoutError:
            return "late"
        except Exception as fault:
            log_fault(fault, None)
            return "failed"

    async def _metrics(self, scope: Scope, send: Send) -> None:
        if self._token is None and not _is_from_here(scope):
            await send_json(send, 404, _NOTHING_HERE)
            return
        if self._token is not None and not self._is_operator(scope):
            refused = Refused(401, "login", "The caller is not known.")
            await send_json(send, refused.status, refused.body, (NO_STORE, (b"www-authenticate", b"Bearer")))
            return
        body = await asyncio.to_thread(metrics.page)
        kind: Header = (b"content-type", metrics.CONTENT_TYPE.encode())
        length: Header = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [kind, length, NO_STORE]})
        await send({"type": "http.response.body", "body": body})

    def _is_operator(self, scope: Scope) -> bool:
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        expected = b"Bearer " + (self._token or b"")
        return len(sent) == 1 and hmac.compare_digest(sent[0], expected)


class _Page:
    """An address that is only looked at, as an ASGI app."""

    def __init__(self, show: Callable[[Scope, Send], Awaitable[None]]) -> None:
        self._show = show

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            await self._show(scope, send)
        else:
            await send_wrong_method(send, scope["method"], _ALLOWED)


def _is_from_here(scope: Scope) -> bool:
    """Whether the caller, whom a proxy on this machine names, is on this machine."""
    client = scope.get("client")
    try:
        return client is not None and ip_address(client[0]).is_loopback
    except ValueError:
        return False
