"""create_app(): the only place where parts are put together."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from service.cds_hooks.outcome import operation_outcome
from service.endpoints import openapi
from service.endpoints.discovery import Discovery
from service.endpoints.edge import Edge
from service.endpoints.hooks import Answers, Hooks
from service.respond import build
from service.settings import Settings, from_environment

# A request builds thousands of objects: at Python's own 700 the collector would run many times in each.
_COLLECT_AFTER = 50_000
_SERVICES = "/cds-services"


def create_app(
    settings: Settings, today: Callable[[], date] | None = None, responder: Answers | None = None
) -> ASGIApp:
    """The service as an ASGI app.

    `today` says which day it is (default: the day in the time zone of the settings); `responder` answers
    the hook calls (default: the rules of the library). Raises `cards.library.RuleError` for a malformed rule.
    """
    responder = responder or build(settings)
    zone = settings.zone
    today = today or (lambda: datetime.now(zone).date())
    discovery = Discovery(responder.services.values(), settings.hooks_version)
    hooks = Hooks(responder, settings.max_body_bytes, today)
    # Hook calls pass by FastAPI, whose own layers would cost as much as a small request.
    router = Router(
        [
            Route(f"{_SERVICES}/{{id}}", hooks),
            Route(_SERVICES, discovery),
            Route(f"{_SERVICES}/", discovery),
        ],
        redirect_slashes=False,
        default=_Documented(openapi.document(responder.services.values())),
        lifespan=_steady_memory,
    )
    return Edge(_Addresses(responder.services, hooks, router))


def from_settings_in_environment() -> ASGIApp:
    """The app that a server process starts. Raises `service.settings.WrongSetting`."""
    return create_app(from_environment())


class _Addresses:
    """The services by one look-up; every other address, and what is no request, by the router."""

    def __init__(self, services: Iterable[str], hooks: ASGIApp, router: ASGIApp) -> None:
        self._services = {f"{_SERVICES}/{service}": {"id": service} for service in services}
        self._hooks = hooks
        self._router = router

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes on to whoever answers at this address."""
        found = self._services.get(scope.get("path", ""))
        if found is None:
            return self._router(scope, receive, send)
        scope["path_params"] = found
        return self._hooks(scope, receive, send)


class _Documented(FastAPI):
    """Everything but the calls that EHRs make: the OpenAPI document, and the answer to unknown addresses."""

    def __init__(self, document: dict[str, Any]) -> None:
        # The pages that FastAPI offers would load scripts from elsewhere.
        super().__init__(
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            exception_handlers={HTTPException: _refusal},
        )
        self._document = document

    def openapi(self) -> dict[str, Any]:
        """The document, which FastAPI cannot write for the routes that pass it by."""
        return self._document


async def _refusal(_: Request, refused: HTTPException) -> Response:
    if refused.status_code == 404:
        outcome = operation_outcome("not-found", "There is nothing at this address.")
    else:
        outcome = operation_outcome("not-supported", "This address does not allow that.")
    return JSONResponse(outcome, refused.status_code, refused.headers)


@asynccontextmanager
async def _steady_memory(_: object) -> AsyncIterator[None]:
    """Takes what start has built out of the collector's rounds for as long as the app runs."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *before[1:])
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
