"""create_app(): the only place where parts are put together."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from cards.library import RuleError, load
from cards.rule import Hook
from cards.terminology import ValueSetError
from service.bookkeeping import Bookkeeping
from service.clientele import Answers, Clientele, anyone, registered
from service.clients.client import open_client
from service.clients.file import WrongClients, is_loopback, read_clients
from service.clients.keys import PublishedKeys
from service.clients.replay import ReplayGuard, Replays
from service.clients.trust import Clients
from service.endpoints import health, openapi
from service.endpoints.answers import refused_by_starlette
from service.endpoints.client_auth import Door, GuardedDoor, OpenDoor
from service.endpoints.discovery import Discovery
from service.endpoints.edge import Edge, PlainPaths
from service.endpoints.feedback import Feedback
from service.endpoints.governance import GOVERNANCE, GovernanceEndpoints
from service.endpoints.health import Check, Health
from service.endpoints.hooks import Hooks
from service.endpoints.observed import Observed
from service.endpoints.operator import Operators
from service.endpoints.pages import RULES, HumanPages, RuleEndpoints, static_files, to_the_rules
from service.endpoints.sandbox import SANDBOX, SandboxEndpoints
from service.fhir.client import FhirClient
from service.fhir.fallback import Fallback
from service.hangup import Hangup
from service.operations import counting, metrics, tracing
from service.rehearsal import Rehearsals, has_sandbox
from service.respond import Responder, Service, build
from service.settings import Settings, WrongSetting, from_environment
from service.store.configured import opened
from service.store.ledger import Ledger, NoLedger
from service.store.memory import Memory
from service.store.store import Store
from service.value_sets.site import library_of

_log = logging.getLogger(__name__)

# A request builds thousands of objects: at Python's own 700 the collector would run many times in each.
_COLLECT_AFTER = 50_000
# A call may be answered in less than the 5 ms for which Python lets another thread go on.
_SECONDS_OF_A_TURN = 0.0005
_SERVICES = "/cds-services"


def create_app(
    settings: Settings,
    today: Callable[[], date] | None = None,
    responder: Answers | None = None,
    *,
    clients: Callable[[], Clients] | None = None,
    replay: ReplayGuard | None = None,
    ledger: Ledger | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    hangup: Hangup | None = None,
    watched: Mapping[str, Check] | None = None,
) -> ASGIApp:
    """The service as an ASGI app.

    `clients` reads who may call, at start and after each `hangup`; without it everyone may, and `responder` answers
    (default: the rules of the library). `replay` remembers tokens for all processes. `ledger` writes down what is shown
    and takes feedback, and runs while the app does (default: nothing is written down, feedback is refused). `now` is
    the clock; `today` says which day it is everywhere (default: by the clock, in the time zone of the client that
    calls). `watched`: more parts that `/readyz` reports on, without which calls are still answered.

    Raises `cards.library.RuleError` for a malformed rule, `cards.terminology.ValueSetError` for a site's own products
    that cannot be used, `service.clients.file.WrongClients`.
    """
    fallback = Fallback(FhirClient(settings.max_body_bytes), settings.fhir_budget_ms)

    def day(zone: ZoneInfo) -> date:
        return today() if today else now().astimezone(zone).date()

    known = _Known(settings, clients, fallback, replay, now) if clients else None
    rehearsals = None
    if known:
        door: Door = known.door
    else:
        responder = responder or build(settings, fallback)
        door = OpenDoor(anyone(open_client(settings), responder))
        if has_sandbox(settings):
            rehearsals = Rehearsals(settings, responder if isinstance(responder, Responder) else None)
    ledger = ledger or NoLedger()
    memory = Memory(settings.pseudonym_key.get_secret_value()) if settings.pseudonym_key else None
    discovery = Discovery(lambda: door.clientele.services, settings.hooks_version)
    hooks = Hooks(door, Bookkeeping(ledger, memory, now), settings.max_body_bytes, day, rehearsals)
    feedback = Feedback(door, ledger, settings.max_body_bytes, now, settings.comment_characters)

    operator_token = settings.operator_token.get_secret_value() if settings.operator_token else None

    async def rules_loaded() -> str | None:
        return None if door.clientele.services else "no rules"

    @asynccontextmanager
    async def running(_: object) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(fallback.close)
            if settings.otlp_endpoint:
                # The last spans are sent from a thread of their own, which may wait for the collector.
                stack.push_async_callback(asyncio.to_thread, tracing.export_to(settings.otlp_endpoint))
            stack.enter_context(_steady_memory())
            stack.enter_context(_answers_first())
            await stack.enter_async_context(ledger.running())
            if known:
                await stack.enter_async_context(known.ready(hangup))
            yield

    # Hook calls pass by FastAPI, whose own layers would cost as much as a small request.
    router = Router(
        [
            Route(f"{_SERVICES}/{{id}}", hooks),
            Route(f"{_SERVICES}/{{id}}/feedback", feedback),
            Route(_SERVICES, discovery),
            *_pages(settings, lambda: day(settings.zone), rehearsals, ledger, now),
            *Health({"rules": rules_loaded, **(known.checks if known else {})}, watched or {}, operator_token).routes,
        ],
        redirect_slashes=False,
        default=_Documented(lambda: door.clientele.services),
        lifespan=running,
    )
    edge = Edge(_Addresses(hooks, router), lambda: door.clientele.origins)
    observed = Observed(edge, {f"{_SERVICES}/b12-{hook}": hook for hook in Hook})
    return PlainPaths(observed, exact=health.ADDRESSES)


def from_settings_in_environment() -> ASGIApp:
    """The app that a server process starts.

    Raises `service.settings.WrongSetting`, `service.clients.file.WrongClients`.
    """
    counting.hold()
    settings = from_environment()
    store = opened(settings)
    watched = {"store": partial(_reachable, store)}
    if settings.open:
        return create_app(settings, ledger=store, watched=watched)
    if settings.clients is None:
        raise WrongSetting("B12_CDS_CLIENTS must be the path of clients.toml, or B12_CDS_OPEN must be 1")
    hangup = Hangup()
    clients = partial(read_clients, settings.clients, settings, load())
    return create_app(settings, clients=clients, replay=store, ledger=store, hangup=hangup, watched=watched)


async def _reachable(store: Store) -> str | None:
    return None if await store.reachable() else "unreachable"


class _Known:
    """The registered clients: their door, and how they are read again while calls go on."""

    def __init__(
        self,
        settings: Settings,
        clients: Callable[[], Clients],
        fallback: Fallback,
        replay: ReplayGuard | None,
        now: Callable[[], datetime],
    ) -> None:
        if settings.public_url is None:
            raise WrongClients("B12_CDS_PUBLIC_URL must be set: the tokens of clients are made for this address")
        self._read = clients
        self._clients = clients()
        self._http = httpx.AsyncClient()
        self._keys = PublishedKeys(self._http)
        self._fallback = fallback
        self._data_dir = settings.data_dir
        self._text_characters = settings.text_characters
        clientele = self._registered(self._clients)
        refused = metrics.authentication_failed
        replays = Replays(replay, now, metrics.replay_checked_alone)
        self.door = GuardedDoor(clientele, settings.public_url, self._keys, replays, now, refused)

    @asynccontextmanager
    async def ready(self, hangup: Hangup | None) -> AsyncIterator[None]:
        """Fetches the clients' keys beforehand, and reads the clients again after each hang-up."""
        self._keys.fetch_ahead(self._clients.trusts)
        try:
            if hangup is None:
                yield
            else:
                async with hangup.each_time(self._read_again):
                    yield
        finally:
            await self._keys.close()
            await self._http.aclose()

    @property
    def checks(self) -> Mapping[str, Check]:
        """What `/readyz` asks of the clients."""
        return {"keys": self._have_keys}

    async def _have_keys(self) -> str | None:
        """Not ready while no client's token could be verified; the keys are then asked for again."""
        trusts = self._clients.trusts
        self._keys.fetch_ahead(trusts)
        return None if any(self._keys.usable(trust) for trust in trusts) else "no client's keys are known"

    async def _read_again(self) -> None:
        try:
            clients = await asyncio.to_thread(self._read)
            clientele = await asyncio.to_thread(self._registered, clients)
        except (WrongClients, RuleError, ValueSetError) as wrong:
            _log.error("the clients stay as they were: %s", wrong)
            return
        # Calls that are going on finish with what they began with.
        self._clients, self.door.clientele = clients, clientele
        self._keys.fetch_ahead(clients.trusts)
        _settle()
        _log.info("clients read again: %s", ", ".join(clientele.callers))

    def _registered(self, clients: Clients) -> Clientele:
        return registered(clients, library_of(self._data_dir), self._fallback, self._text_characters)


class _Addresses:
    """A service's address by a look at its beginning; every other address, and what is no request, by the router."""

    def __init__(self, hooks: ASGIApp, router: ASGIApp) -> None:
        self._hooks = hooks
        self._router = router

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes on to whoever answers at this address."""
        folder, _, service = scope.get("path", "").rpartition("/")
        if folder != _SERVICES or not service:
            # A route of Starlette that refuses a method then raises, and the refusal gets the form of the others.
            scope["app"] = self._router
            return self._router(scope, receive, send)
        scope["path_params"] = {"id": service}
        return self._hooks(scope, receive, send)


def _pages(
    settings: Settings,
    today: Callable[[], date],
    rehearsals: Rehearsals | None,
    ledger: Ledger,
    now: Callable[[], datetime],
) -> list[BaseRoute]:
    """The human pages; without a sandbox they are those of the rules and the governance view."""
    pages = HumanPages([SANDBOX, RULES, GOVERNANCE] if rehearsals else [RULES, GOVERNANCE])
    rules = RuleEndpoints(pages, load(), sandbox=rehearsals is not None)
    if rehearsals is None:
        front: list[BaseRoute] = [Route("/", to_the_rules)]
    else:
        front = SandboxEndpoints(pages, load(), settings, today, rehearsals).routes
    operators = Operators(
        settings.operator_token.get_secret_value() if settings.operator_token else None,
        now,
        GOVERNANCE.path,
        free=settings.open and is_loopback(settings.host),
        secure=(settings.public_url or "").startswith("https:"),
    )
    governance = GovernanceEndpoints(pages, load(), ledger, operators, lambda: now().date())
    return [*front, *rules.routes, *governance.routes, static_files()]


class _Documented(FastAPI):
    """Everything but the calls that EHRs make: the OpenAPI document, and the answer to unknown addresses."""

    def __init__(self, services: Callable[[], Mapping[str, Service]]) -> None:
        # The pages that FastAPI offers would load scripts from elsewhere.
        super().__init__(
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            exception_handlers={HTTPException: _refusal},
        )
        self._services = services
        self._told: Mapping[str, Service] | None = None
        self._document: dict[str, Any] = {}

    def openapi(self) -> dict[str, Any]:
        """The document, which FastAPI cannot write for the routes that pass it by."""
        services = self._services()
        if services is not self._told:
            self._document = openapi.document(services.values())
            self._told = services
        return self._document


async def _refusal(_: Request, refused: HTTPException) -> Response:
    told = refused_by_starlette(refused)
    headers = {name.decode(): value.decode() for name, value in told.headers}
    return Response(told.body, told.status, headers, media_type="application/json")


@contextmanager
def _steady_memory() -> Iterator[None]:
    """Takes what start has built out of the collector's rounds for as long as the app runs."""
    before = gc.get_threshold()
    _settle()
    gc.set_threshold(_COLLECT_AFTER, *before[1:])
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@contextmanager
def _answers_first() -> Iterator[None]:
    """Gives the thread that answers its turn sooner when others, which write down what was shown, are at work."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SECONDS_OF_A_TURN)
    yield
    sys.setswitchinterval(before)


def _settle() -> None:
    """Collects what nobody needs any more; what is left stays."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
