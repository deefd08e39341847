"""After an override the same card on the same facts stays quiet for the days that are set; a critical one never."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from cards.library import load
from cards.vignettes import all_files
from service.demo import ehr as pretend
from service.store.store import Store
from tests.service.store.stored import (
    PSEUDONYM_KEY,
    Clock,
    body_of,
    overridden,
    store_at,
)

pytestmark = pytest.mark.anyio
DAYS = 30
ON = {"override_quiet_days": DAYS, "pseudonym_key": PSEUDONYM_KEY}
Request = dict[str, Any]


def store_on(url: URL, clock: Clock) -> Store:
    return store_at(url, clock=clock, quiet_days=DAYS)


def vignette(topic: str, name: str) -> tuple[Request, date]:
    """The request of one example patient."""
    file = all_files()[topic]
    [found] = [each for each in file.vignettes if each.name == name]
    return pretend.request(found, file.today, load().terminology), file.today


async def shown(ehr: httpx.AsyncClient, request: Request) -> Mapping[str, Any]:
    """The cards that a request gets, by topic."""
    answer = await ehr.post(f"/cds-services/b12-{request['hook']}", json=request)
    assert answer.status_code == 200
    return {card["source"]["topic"]["code"]: card for card in answer.json()["cards"]}


async def override(ehr: httpx.AsyncClient, store: Store, request: Request, topic: str) -> None:
    """Shows the card of a topic and has it overridden."""
    card = (await shown(ehr, request))[topic]
    await store.flush()
    answer = await ehr.post(f"/cds-services/b12-{request['hook']}/feedback", json=body_of(overridden(card["uuid"])))
    assert answer.status_code == 200
