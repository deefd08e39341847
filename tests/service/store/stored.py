"""A service with a store, called over HTTP, and a look at what its tables hold."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import URL, Table, select

from service.app import create_app
from service.clientele import Answers
from service.respond import build
from service.settings import Settings
from service.store.database import Use, engine
from service.store.store import Store, Where
from service.store.tables import metadata
from tests.serving import client_of

TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SIGN = "/cds-services/b12-order-sign"
FEEDBACK = f"{SIGN}/feedback"
EXAMPLE = Path(__file__).parents[2] / "real_requests" / "example-order-sign.json"
# The tests' machine may be busy with other things; those that are about waiting say how long.
UNHURRIED = 30.0
PSEUDONYM_KEY = "a key that only this test knows, and nobody else"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """What it shows."""
        return self.now

    def pass_by(self, **time: float) -> None:
        """Moves it forward, by `days`, `seconds` and the like."""
        self.now += timedelta(**time)


def store_at(url: URL, **given: Any) -> Store:
    """A store that is given the time it needs."""
    return Store(Where(url), **{"patience": UNHURRIED, "clock": Clock(), **given})


@asynccontextmanager
async def service_with(
    store: Store,
    clock: Clock | None = None,
    responder: Answers | None = None,
    **settings: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that has this store, which runs meanwhile."""
    clock = clock or Clock()
    async with store.running():
        app = create_app(
            Settings(**settings),
            lambda: clock().date(),
            responder or _responder(),
            ledger=store,
            now=clock,
        )
        async with client_of(app) as client:
            yield client


@cache
def _responder() -> Answers:
    return build(Settings())


def example() -> dict[str, Any]:
    """A signed order of folic acid that gets one critical card."""
    request: dict[str, Any] = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    return request


def overridden(card: str, /, **changes: Any) -> dict[str, Any]:
    """An entry of feedback: this card was not followed."""
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-23T12:00:30Z", **changes}


def accepted(card: str, /, *suggestions: str, **changes: Any) -> dict[str, Any]:
    """An entry of feedback: these suggestions of this card were followed."""
    entry = {"card": card, "outcome": "accepted", "outcomeTimestamp": "2026-11-23T12:00:30Z"}
    return {**entry, "acceptedSuggestions": [{"id": each} for each in suggestions or ("s-1",)], **changes}


def body_of(*entries: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a feedback call."""
    return {"feedback": list(entries)}


def rows(url: URL, table: Table) -> list[dict[str, Any]]:
    """What a table holds, seen from outside."""
    with engine(url, Use.READING).connect() as connection:
        return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]


def everything(url: URL) -> str:
    """What all tables hold, in one text."""
    return json.dumps({name: rows(url, table) for name, table in metadata.tables.items()}, default=_readable)


def _readable(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
