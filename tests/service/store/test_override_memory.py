"""After an override the same card on the same facts stays quiet for the days that are set; a critical one never."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, time
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from cards.library import load
from cards.vignettes import all_files
from service.cds_hooks.as_if import AS_IF
from service.demo import ehr as pretend
from service.store.ledger import REHEARSED
from service.store.store import Store
from service.store.tables import card_shown
from tests.service.store.stored import (
    PSEUDONYM_KEY,
    Clock,
    accepted,
    body_of,
    everything,
    overridden,
    rows,
    service_with,
    store_at,
)

pytestmark = pytest.mark.anyio
DAYS = 30
OVERDUE = ("missed-maintenance-dose", "The first day after the grace of twelve weeks")
BUTTOCK = ("buttock-injection-site", "Hydroxocobalamin into the left buttock")
CRITICAL = ("missed-maintenance-dose", "Two intervals missed after subacute combined degeneration")
Request = dict[str, Any]


class Ehr:
    """An EHR that shows the patient of a vignette to a service that remembers overrides."""

    def __init__(self, client: httpx.AsyncClient, store: Store, clock: Clock, topic: str, name: str) -> None:
        file = all_files()[topic]
        [vignette] = [each for each in file.vignettes if each.name == name]
        self.request = pretend.request(vignette, file.today, load().terminology)
        self.clock = clock
        self.clock.now = datetime.combine(file.today, time(9), UTC)
        self._client, self._store, self._topic = client, store, topic

    async def card(self, request: Request | None = None) -> dict[str, Any] | None:
        """The card of the vignette's rule, as the request gets it now."""
        request = request or self.request
        answer = await self._client.post(f"/cds-services/b12-{request['hook']}", json=request)
        assert answer.status_code == 200
        cards = [card for card in answer.json()["cards"] if card["source"]["topic"]["code"] == self._topic]
        return cards[0] if cards else None

    async def override(self, request: Request | None = None, outcome: Callable[..., Any] = overridden) -> None:
        """Shows the card and has it overridden."""
        card = await self.card(request)
        assert card is not None
        await self._store.flush()
        path = f"/cds-services/b12-{self.request['hook']}/feedback"
        assert (await self._client.post(path, json=body_of(outcome(card["uuid"])))).status_code == 200


@asynccontextmanager
async def ehr_on(url: URL, topic: str, name: str, days: int = DAYS, **given: Any) -> AsyncIterator[Ehr]:
    """The EHR, with override memory for so many days."""
    clock = Clock()
    store = store_at(url, clock=clock, quiet_days=days, **given)
    async with service_with(store, clock, override_quiet_days=days, pseudonym_key=PSEUDONYM_KEY) as client:
        yield Ehr(client, store, clock, topic, name)


async def test_a_card_that_was_overridden_stays_quiet_until_the_days_are_over(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK) as ehr:
        await ehr.override()
        assert await ehr.card() is None
        ehr.clock.pass_by(days=DAYS, seconds=-1)
        assert await ehr.card() is None
        ehr.clock.pass_by(days=1)
        assert await ehr.card() is not None

    assert [row["delivery"] for row in rows(url, card_shown)].count("quiet") == 2


async def test_a_card_that_nobody_overrode_is_shown_again(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK) as ehr:
        assert await ehr.card() is not None
        await ehr.override(outcome=accepted)
        assert await ehr.card() is not None


async def test_without_the_setting_nothing_is_remembered(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK, days=0) as ehr:
        await ehr.override()
        assert await ehr.card() is not None

    assert [row["memory"] for row in rows(url, card_shown)] == [None, None]


async def test_a_critical_card_is_never_kept_quiet(url: URL) -> None:
    async with ehr_on(url, *CRITICAL) as ehr:
        await ehr.override()
        card = await ehr.card()

    assert card is not None
    assert card["indicator"] == "critical"


async def test_that_weeks_pass_is_no_new_fact_and_that_it_grows_serious_is_one(url: URL) -> None:
    async with ehr_on(url, *OVERDUE, days=365) as ehr:
        await ehr.override()
        ehr.clock.pass_by(weeks=2)
        assert await ehr.card() is None
        # Two intervals without an injection: the rule calls it seriously overdue.
        ehr.clock.pass_by(weeks=12)
        assert await ehr.card() is not None


async def test_new_data_that_the_rule_reads_are_new_facts(url: URL) -> None:
    async with ehr_on(url, *OVERDUE) as ehr:
        await ehr.override()
        later = deepcopy(ehr.request)
        later["prefetch"]["problems"]["entry"].append(
            {
                "resource": {
                    "resourceType": "Condition",
                    "code": {"text": "Subacute combined degeneration of the cord"},
                    "onsetDateTime": "2026-11-20",
                }
            }
        )
        assert await ehr.card(later) is not None
        assert await ehr.card() is None


async def test_the_order_of_the_data_and_what_the_rule_does_not_read_are_no_facts(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK) as ehr:
        ehr.request["prefetch"]["doses"]["entry"] += [dose("2026-01-02", "left"), dose("2026-03-04", "right")]
        await ehr.override()
        ehr.request["prefetch"]["doses"]["entry"].reverse()
        ehr.request["prefetch"]["labs"] = {
            "resourceType": "Bundle",
            "entry": [
                {
                    "resource": {
                        "resourceType": "Observation",
                        "status": "final",
                        "code": {"text": "Serum ferritin"},
                        "valueQuantity": {"value": 60, "unit": "ug/L"},
                    }
                }
            ],
        }
        assert await ehr.card() is None


def dose(day: str, side: str) -> dict[str, Any]:
    """An injection into the deltoid."""
    return {
        "resource": {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "medicationCodeableConcept": {"text": "Hydroxocobalamin 1mg/1ml solution for injection"},
            "effectiveDateTime": day,
            "dosage": {"site": {"text": f"{side} deltoid"}, "dose": {"value": 1, "unit": "mg"}},
        }
    }


async def test_the_same_order_drafted_anew_is_the_same_and_another_site_is_not(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK) as ehr:
        await ehr.override()
        again = deepcopy(ehr.request)
        [entry] = again["context"]["draftOrders"]["entry"]
        entry["resource"] |= {"id": "another-draft", "authoredOn": "2026-11-24"}
        assert await ehr.card(again) is None
        entry["resource"]["dosageInstruction"][0]["site"] = {"text": "right buttock"}
        assert await ehr.card(again) is not None


async def test_another_patient_s_card_is_shown(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK) as ehr:
        await ehr.override()
        other = deepcopy(ehr.request)
        other["context"]["patientId"] = "another"
        for entry in other["context"]["draftOrders"]["entry"]:
            entry["resource"]["subject"] = {"reference": "Patient/another"}
        assert await ehr.card(other) is not None


async def test_feedback_of_another_client_keeps_nothing_quiet(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK) as ehr:
        card = await ehr.card()
        assert card is not None
    async with store_at(url, quiet_days=DAYS).running() as store:
        [row] = rows(url, card_shown)
        assert await store.overridden([row["memory"]]) == frozenset()
    async with ehr_on(url, *BUTTOCK) as ehr:
        await ehr.override()
    async with store_at(url, quiet_days=DAYS).running() as store:
        assert await store.overridden([row["memory"], b"another"]) == {row["memory"]}


async def test_no_identifier_of_the_patient_is_kept(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK) as ehr:
        await ehr.override()

    assert pretend.PATIENT not in everything(url)
    assert all(len(row["memory"]) == 32 for row in rows(url, card_shown))


async def test_in_the_sandbox_an_override_is_told_but_not_remembered(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK) as ehr:
        rehearsed = {**ehr.request, "extension": {AS_IF: {"today": ehr.clock().date().isoformat()}}}
        await ehr.override(rehearsed)

        assert await ehr.card(rehearsed) is not None

    assert {row["client"] for row in rows(url, card_shown)} == {REHEARSED}
