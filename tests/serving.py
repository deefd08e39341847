"""The real service on a given day, spoken to over HTTP without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from functools import cache

import httpx
from starlette.types import ASGIApp

from cards.rule import Profile
from service.app import create_app
from service.settings import Settings


@asynccontextmanager
async def service_on(
    today: date,
    profile: Profile = "uk",
    thresholds: Mapping[str, Decimal | bool] | None = None,
    *,
    sandbox: bool = True,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service on this day, in this profile, with a site's own thresholds, with or without a sandbox."""
    own = tuple(sorted((name, Decimal(value)) for name, value in (thresholds or {}).items()))
    async with client_of(_app(today, profile, own, sandbox)) as client:
        yield client


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    """A client that speaks to `app` and to nothing else."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://b12.example.org")


@cache
def _app(today: date, profile: Profile, thresholds: tuple[tuple[str, Decimal], ...], sandbox: bool) -> ASGIApp:
    return create_app(Settings(profile=profile, thresholds=dict(thresholds), sandbox=sandbox), today=lambda: today)
