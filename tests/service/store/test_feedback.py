"""Feedback is on the disk before it is acknowledged, and holds no words."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import anyio
import pytest
from sqlalchemy import URL

from service.present import OVERRIDE_SYSTEM
from service.store.tables import feedback
from tests.service.store.stored import (
    FEEDBACK,
    NOON,
    SIGN,
    accepted,
    body_of,
    everything,
    example,
    overridden,
    rows,
    service_with,
    store_at,
)

pytestmark = pytest.mark.anyio
CARD = "8d3f1c1e-7a70-4e0c-9f1e-0c5c3a8f0001"
PATIENT_IN_WORDS = "Zephyrine Quillfeather says no, 9434765919"


async def test_feedback_on_a_card_is_there_once_it_is_acknowledged(url: URL) -> None:
    async with service_with(store_at(url)) as ehr:
        [card] = (await ehr.post(SIGN, json=example())).json()["cards"]
        suggestion = card["suggestions"][0]["uuid"]
        answer = await ehr.post(FEEDBACK, json=body_of(accepted(card["uuid"], suggestion)))
        [row] = rows(url, feedback)

    assert (answer.status_code, answer.json()) == (200, {})
    assert (row["card"], row["outcome"], row["suggestions"]) == (UUID(card["uuid"]), "accepted", 1)
    assert (row["client"], row["service"]) == ("open", "b12-order-sign")
    assert row["received_ms"] == NOON.timestamp() * 1000
    assert row["outcome_ms"] == row["received_ms"] + 30_000


async def test_one_call_may_tell_of_several_cards(url: URL) -> None:
    cards = [str(uuid4()) for _ in range(3)]
    async with service_with(store_at(url)) as ehr:
        await ehr.post(FEEDBACK, json=body_of(*(overridden(card) for card in cards)))

    assert [str(row["card"]) for row in rows(url, feedback)] == cards


async def test_what_is_told_twice_is_kept_once_and_a_change_of_mind_is_added(url: URL) -> None:
    async with service_with(store_at(url)) as ehr:
        for entry in (overridden(CARD), overridden(CARD), accepted(CARD, outcomeTimestamp="2026-11-23T12:01:00Z")):
            assert (await ehr.post(FEEDBACK, json=body_of(entry, entry))).status_code == 200

    assert [row["outcome"] for row in rows(url, feedback)] == ["overridden", "accepted"]


async def test_many_calls_at_once_are_all_kept(url: URL) -> None:
    cards = [str(uuid4()) for _ in range(60)]
    statuses: list[int] = []
    async with service_with(store_at(url)) as ehr:

        async def tell(card: str) -> None:
            statuses.append((await ehr.post(FEEDBACK, json=body_of(overridden(card)))).status_code)

        async with anyio.create_task_group() as group:
            for card in cards:
                group.start_soon(tell, card)

    assert statuses == [200] * len(cards)
    assert {str(row["card"]) for row in rows(url, feedback)} == set(cards)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        (None, (None, False)),
        ({"reason": {"code": "given-elsewhere", "system": OVERRIDE_SYSTEM}}, ("given-elsewhere", True)),
        ({"reason": {"code": "given-elsewhere", "system": OVERRIDE_SYSTEM, "display": "x"}}, ("given-elsewhere", True)),
        ({"reason": {"code": "12", "system": "urn:oid:1.2.3"}}, ("12", False)),
        ({"reason": {"code": "their-own"}}, ("their-own", False)),
        ({"reason": {"code": PATIENT_IN_WORDS, "system": OVERRIDE_SYSTEM}}, ("unlisted", False)),
        ({"reason": {"code": "9434765919", "system": "urn:oid:1.2.3"}}, ("unlisted", False)),
        ({"userComment": "words only"}, (None, False)),
    ],
)
async def test_of_a_reason_its_code_is_kept(url: URL, reason: Any, kept: tuple[str | None, bool]) -> None:
    entry = overridden(CARD, **({"overrideReason": reason} if reason else {}))
    async with service_with(store_at(url)) as ehr:
        assert (await ehr.post(FEEDBACK, json=body_of(entry))).status_code == 200

    assert [(row["reason"], row["own_reason"]) for row in rows(url, feedback)] == [kept]


async def test_no_word_of_feedback_is_kept(url: URL) -> None:
    reason = {"reason": {"code": PATIENT_IN_WORDS, "display": PATIENT_IN_WORDS}, "userComment": PATIENT_IN_WORDS}
    entries = [
        overridden(CARD, overrideReason=reason, note=PATIENT_IN_WORDS),
        overridden(PATIENT_IN_WORDS),
        accepted(CARD, PATIENT_IN_WORDS),
    ]
    async with service_with(store_at(url)) as ehr:
        assert (await ehr.post(FEEDBACK, json=body_of(*entries))).status_code == 200

    assert [row["card"] for row in rows(url, feedback)] == [UUID(CARD), None, UUID(CARD)]
    assert "Quillfeather" not in everything(url)
    assert "9434765919" not in everything(url)


async def test_a_comment_is_kept_as_far_as_the_settings_say(url: URL) -> None:
    entry = overridden(CARD, overrideReason={"userComment": "given at the practice yesterday"})
    async with service_with(store_at(url), comment_characters=21) as ehr:
        await ehr.post(FEEDBACK, json=body_of(entry))

    assert [row["comment"] for row in rows(url, feedback)] == ["given at the practice"]


async def test_a_call_with_one_wrong_entry_is_refused_whole(url: URL) -> None:
    async with service_with(store_at(url)) as ehr:
        answer = await ehr.post(FEEDBACK, json=body_of(overridden(CARD), overridden(CARD, outcome="ignored")))

    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["feedback[1].outcome"]
    assert rows(url, feedback) == []
