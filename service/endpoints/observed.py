"""Around everything: hook calls are counted and timed, and belong to the trace of whoever calls."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cards.rule import NOT_EVALUATED_TOPIC
from service.operations import metrics, tracing
from service.operations.faults import noted
from service.respond import Answer

_TRACEPARENT = tracing.HEADER.encode()
# Nobody was left to be answered.
_HUNG_UP = 499


class Observed:
    """An ASGI app around another one. `hooks`: the hook that is called at a path."""

    def __init__(self, app: ASGIApp, hooks: Mapping[str, str]) -> None:
        self._app = app
        self._hooks = hooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, and looks at what becomes of a hook call."""
        hook = self._hooks.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if hook is None:
            await self._app(scope, receive, send)
            return
        parent = _trace_of(scope)
        if parent is None and not tracing.collecting():
            await self._timed(hook, scope, receive, send)
            return
        with tracing.span(f"hook {hook}", parent):
            await self._timed(hook, scope, receive, send)

    async def _timed(self, hook: str, scope: Scope, receive: Receive, send: Send) -> None:
        status = _HUNG_UP

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = perf_counter()
        await self._app(scope, receive, noting)
        _counted(hook, status, perf_counter() - began)
        tracing.note("http.response.status_code", status)


def _counted(hook: str, status: int, seconds: float) -> None:
    """The answer has been sent: what goes wrong from here on is nobody's matter but ours."""
    try:
        metrics.call_answered(hook, status, seconds)
    except Exception as fault:
        noted("metrics", fault, hook)


def count(answer: Answer) -> None:
    """Counts what an answer says: its cards, what was not evaluated and why, codes that nobody knows."""
    for each in answer.spoken:
        metrics.card_made(each.raised.rule.topic, each.raised.level, silent=each.silent)
    if answer.open_questions:
        metrics.card_made(NOT_EVALUATED_TOPIC, "info")
    if answer.evaluation:
        for gap in answer.evaluation.not_evaluated:
            metrics.not_evaluated(gap.reason)
    if answer.unrecognised_codes:
        metrics.unrecognised_codes(answer.unrecognised_codes)


def _trace_of(scope: Scope) -> tracing.Trace | None:
    found = [value for name, value in scope["headers"] if name == _TRACEPARENT]
    # Two of them would say nothing certain (W3C Trace Context, section 3.2).
    return tracing.read(found[0].decode("latin-1")) if len(found) == 1 else None
