"""What is written down of a hook call: each card, and counts; nothing of the patient."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from sqlalchemy import URL

from cards.library import load
from service.clients.client import Client, open_client
from service.respond import Responder
from service.settings import Settings
from service.store.tables import call_count, card_shown, rule_count
from tests.service.store.stored import NOON, SIGN, Clock, example, rows, service_with, store_at

pytestmark = pytest.mark.anyio
DAY = int(NOON.timestamp()) // 86_400


async def test_a_card_is_written_down_with_its_rule_and_no_patient(url: URL) -> None:
    store = store_at(url)
    async with service_with(store) as ehr:
        [card] = (await ehr.post(SIGN, json=example())).json()["cards"]
        await store.flush()
        [row] = rows(url, card_shown)

    assert str(row.pop("card")) == card["uuid"]
    assert row == {
        "shown_ms": NOON.timestamp() * 1000,
        "client": "open",
        "hook": "order-sign",
        "topic": "folate-before-b12",
        "version": load().folders["folate-before-b12"].definition.version,
        "level": "critical",
        "variant": "documented",
        "delivery": "shown",
        "memory": None,
    }


async def test_what_waits_is_written_down_when_the_service_ends(url: URL) -> None:
    async with service_with(store_at(url)) as ehr:
        await ehr.post(SIGN, json=example())

    assert len(rows(url, card_shown)) == 1


async def test_what_waits_is_written_down_without_being_asked_for(url: URL) -> None:
    async with service_with(store_at(url)) as ehr:
        await ehr.post(SIGN, json=example())
        with anyio.fail_after(60):
            while not rows(url, card_shown):
                await anyio.lowlevel.checkpoint()


async def test_calls_and_rules_are_counted_by_day(url: URL) -> None:
    clock = Clock()
    store = store_at(url)
    async with service_with(store, clock) as ehr:
        for _ in range(3):
            await ehr.post(SIGN, json=example())
        await store.flush()
        await ehr.post(SIGN, json=example())
        clock.pass_by(days=1)
        await ehr.post(SIGN, json=example())

    assert [(row["day"], row["calls"]) for row in rows(url, call_count)] == [(DAY, 4), (DAY + 1, 1)]
    assert [
        (row["day"], row["topic"], row["outcome"], row["times"])
        for row in rows(url, rule_count)
        if row["topic"] == "folate-before-b12"
    ] == [(DAY, "folate-before-b12", "evaluated", 4), (DAY + 1, "folate-before-b12", "evaluated", 1)]


async def test_an_order_that_no_rule_is_about_counts_as_a_call_only(url: URL) -> None:
    request = example()
    request["context"]["draftOrders"]["entry"] = []
    async with service_with(store_at(url)) as ehr:
        await ehr.post(SIGN, json=request)

    assert [row["calls"] for row in rows(url, call_count)] == [1]
    assert rows(url, rule_count) == []
    assert rows(url, card_shown) == []


async def test_what_could_not_be_evaluated_is_counted_with_its_reason_and_the_data_it_lacked(url: URL) -> None:
    request = example()
    request["prefetch"]["labs"] = {"resourceType": "OperationOutcome", "issue": []}
    request["prefetch"]["problems"] = {"resourceType": "Bundle", "entry": []}
    async with service_with(store_at(url)) as ehr:
        answer = (await ehr.post(SIGN, json=request)).json()

    counted = [row for row in rows(url, rule_count) if row["outcome"] == "failed"]
    told: list[dict[str, Any]] = answer["extension"]["urn:b12-cds:evaluation"]["notEvaluated"]
    assert [(row["topic"], row["data"].split(","), row["times"]) for row in counted] == [
        (each["topic"], each["data"], 1) for each in told
    ]
    assert counted


async def test_the_card_of_open_questions_is_written_down_too(url: URL) -> None:
    request = example()
    request["prefetch"]["labs"] = {"resourceType": "OperationOutcome", "issue": []}
    request["prefetch"]["problems"] = {"resourceType": "Bundle", "entry": []}
    async with service_with(store_at(url)) as ehr:
        cards = (await ehr.post(SIGN, json=request)).json()["cards"]

    assert {str(row["card"]): row["topic"] for row in rows(url, card_shown)} == {
        card["uuid"]: card["source"]["topic"]["code"] for card in cards
    }
    assert "not-evaluated" in {row["topic"] for row in rows(url, card_shown)}


async def test_a_call_refused_for_lack_of_data_is_counted(url: URL) -> None:
    request = example()
    del request["prefetch"]
    async with service_with(store_at(url)) as ehr:
        assert (await ehr.post(SIGN, json=request)).status_code == 412

    assert {row["outcome"] for row in rows(url, rule_count)} == {"missing"}
    assert [row["calls"] for row in rows(url, call_count)] == [1]


async def test_unrecognised_codes_are_counted(url: URL) -> None:
    request = example()
    request["prefetch"]["medications"] = {
        "resourceType": "Bundle",
        "entry": [
            {
                "resource": {
                    "resourceType": "MedicationRequest",
                    "id": "m-1",
                    "status": "active",
                    "medicationCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "1"}]},
                }
            }
        ],
    }
    async with service_with(store_at(url)) as ehr:
        answer = (await ehr.post(SIGN, json=request)).json()

    told = answer["extension"]["urn:b12-cds:evaluation"].get("unrecognisedCodes", 0)
    [row] = rows(url, call_count)
    assert told > 0
    assert (row["calls"], row["with_unrecognised"], row["unrecognised_codes"]) == (1, 1, told)


async def test_a_silent_client_sees_no_card_and_every_card_is_written_down(url: URL) -> None:
    known = open_client(Settings())
    silent = Client(known.name, known.profile, known.zone, mode="silent")
    async with service_with(store_at(url), responder=Responder(load(), silent)) as ehr:
        answer = (await ehr.post(SIGN, json=example())).json()

    assert answer["cards"] == []
    assert [(row["topic"], row["delivery"]) for row in rows(url, card_shown)] == [("folate-before-b12", "silent")]
