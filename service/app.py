"""create_app(): the only place where parts are put together."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from service.bookkeeping import Bookkeeping
from service.cds_hooks.outcome import operation_outcome
from service.endpoints import openapi
from service.endpoints.discovery import Discovery
from service.endpoints.edge import Edge
from service.endpoints.feedback import Feedback
from service.endpoints.hooks import Answers, Hooks
from service.respond import build
from service.settings import Settings, from_environment
from service.store.configured import opened
from service.store.ledger import Ledger, NoLedger
from service.store.memory import Memory

# A request builds thousands of objects: at Python's own 700 the collector would run many times in each.
_COLLECT_AFTER = 50_000


def create_app(
    settings: Settings,
    today: Callable[[], date] | None = None,
    responder: Answers | None = None,
    ledger: Ledger | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ASGIApp:
    """The service as an ASGI app.

    `today` says which day it is (default: the day in the time zone of the settings); `responder` answers
    the hook calls (default: the rules of the library); `ledger` writes down what is shown and takes feedback
    (default: nothing is written down, feedback is refused); it runs while the app does. `now` dates both.
    Raises `cards.library.RuleError` for a malformed rule.
    """
    responder = responder or build(settings)
    today = today or (lambda: datetime.now(settings.zone).date())
    ledger = ledger or NoLedger()
    key = settings.pseudonym_key
    books = Bookkeeping(ledger, Memory(key.get_secret_value()) if key else None, now)
    discovery = Discovery(responder.services.values(), settings.hooks_version)
    # Hook calls pass by FastAPI, whose own layers would cost as much as a small request.
    router = Router(
        [
            Route("/cds-services/{id}", Hooks(responder, books, settings.max_body_bytes, today)),
            Route(
                "/cds-services/{id}/feedback",
                Feedback(responder.services, ledger, settings.max_body_bytes, now, settings.comment_characters),
            ),
            Route("/cds-services", discovery),
            Route("/cds-services/", discovery),
        ],
        redirect_slashes=False,
        default=_Documented(openapi.document(responder.services.values())),
        lifespan=partial(_running, ledger=ledger),
    )
    return Edge(router)


def from_settings_in_environment() -> ASGIApp:
    """The app that a server process starts. Raises `service.settings.WrongSetting`."""
    settings = from_environment()
    return create_app(settings, ledger=opened(settings))


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
async def _running(_: object, *, ledger: Ledger) -> AsyncIterator[None]:
    """What runs while the app does."""
    async with _steady_memory(), ledger.running():
        yield


@asynccontextmanager
async def _steady_memory() -> AsyncIterator[None]:
    """Takes what start has built out of the collector's rounds for as long as the app runs."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *before[1:])
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
