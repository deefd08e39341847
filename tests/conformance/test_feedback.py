"""What a client may tell of cards, requirement by requirement; tests/service/store has what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings import Settings
from service.store.ledger import FeedbackNoted, NoLedger
from tests.service.calls import Json, Listener, issue
from tests.service.store.stored import FEEDBACK, accepted, body_of, overridden
from tests.serving import client_of

pytestmark = pytest.mark.anyio
CARD = "8d3f1c1e-7a70-4e0c-9f1e-0c5c3a8f0001"
REQUESTS = Path(__file__).parents[1] / "real_requests"


class Kept(NoLedger):
    """Keeps feedback in a list."""

    def __init__(self) -> None:
        self.entries: list[FeedbackNoted] = []

    async def keep(self, entries: Any) -> None:
        """Keeps them."""
        self.entries += entries


def ehr(ledger: NoLedger) -> httpx.AsyncClient:
    """An EHR connected to a service that has this ledger."""
    return client_of(create_app(Settings(), responder=Listener(), ledger=ledger))


async def told(body: object) -> tuple[int, list[FeedbackNoted], Json]:
    """Status, what was kept, and the body of the answer to this feedback."""
    kept = Kept()
    async with ehr(kept) as client:
        answer = await client.post(FEEDBACK, json=body)
    if answer.status_code != 200:
        issue(answer)
    return answer.status_code, kept.entries, answer.json()


@pytest.mark.req(148, 152)
async def test_every_service_takes_feedback_below_its_own_address() -> None:
    """Feedback is a POST of JSON to `feedback` below the address of the service."""
    async with ehr(Kept()) as client:
        for service in Listener().services:
            answer = await client.post(f"/cds-services/{service}/feedback", json=body_of(overridden(CARD)))
            assert (answer.status_code, answer.json()) == (200, {})
        assert (await client.post("/cds-services/unknown/feedback", json=body_of())).status_code == 404
        assert (await client.get(FEEDBACK)).status_code == 405


@pytest.mark.req(154)
@pytest.mark.parametrize("body", [{}, {"feedback": None}, {"feedback": overridden(CARD)}, {"feedback": [1]}, [], 1])
async def test_feedback_is_an_array_in_an_object(body: object) -> None:
    """Anything else is refused."""
    assert (await told(body))[0] == 400


@pytest.mark.req(154)
async def test_an_array_may_be_empty_or_hold_several_entries() -> None:
    """Several cards, of several hook calls, may be told of at once."""
    assert await told(body_of()) == (200, [], {})
    assert len((await told(body_of(overridden(CARD), accepted(CARD), overridden("another"))))[1]) == 3


@pytest.mark.req(155)
async def test_an_entry_names_its_card_whether_or_not_we_know_it() -> None:
    """The card may have been shown by another replica, or by an older store."""
    assert (await told(body_of(overridden("urn:uuid:unknown"))))[0] == 200
    for card in (None, "", 7, ...):
        entry = {name: value for name, value in overridden(CARD, card=card).items() if value is not ...}
        assert (await told(body_of(entry)))[0] == 400


@pytest.mark.req(156)
@pytest.mark.parametrize("outcome", [None, "", "ignored", "Accepted", 1])
async def test_an_outcome_is_accepted_or_overridden(outcome: object) -> None:
    """No other word is understood."""
    status, kept, _ = await told(body_of(overridden(CARD, outcome=outcome)))

    assert (status, kept) == (400, [])


@pytest.mark.req(158, 162)
async def test_what_was_accepted_is_named() -> None:
    """An accepted card comes with the ids of the suggestions that were followed."""
    assert (await told(body_of(accepted(CARD, "s-1", "s-2"))))[1][0].suggestions == 2
    wrongs: tuple[object, ...] = (None, [], [{}], [{"id": 1}], ["s-1"], {"id": "s-1"})
    for wrong in wrongs:
        assert (await told(body_of(accepted(CARD, acceptedSuggestions=wrong))))[0] == 400


@pytest.mark.req(159, 160, 165, 166, 167)
async def test_an_override_may_say_why_by_a_code_in_words_or_both() -> None:
    """A reason without display, one that is not in our list, and a comment alone are all taken; nothing is not."""
    for why in (
        {"reason": {"code": "given-elsewhere", "system": "urn:b12-cds:override-reason"}},
        {"reason": {"code": "x", "system": "urn:other", "display": None}, "userComment": "words"},
        {"userComment": "words"},
    ):
        assert (await told(body_of(overridden(CARD, overrideReason=why))))[0] == 200
    wrongs: tuple[object, ...] = ({}, {"reason": {}}, {"reason": {"display": "x"}}, {"userComment": 1}, "words")
    for wrong in wrongs:
        assert (await told(body_of(overridden(CARD, overrideReason=wrong))))[0] == 400


async def test_an_override_need_not_say_why() -> None:
    """The official sandbox dismisses cards without a reason."""
    request = json.loads((REQUESTS / "feedback-dismissed.json").read_text(encoding="utf-8"))
    status, [entry], _ = await told(request)

    assert (status, entry.outcome, entry.reason) == (200, "overridden", None)


@pytest.mark.req(161)
@pytest.mark.parametrize(
    ("moment", "utc"),
    [
        ("2026-11-22T07:36:06Z", "2026-11-22T07:36:06+00:00"),
        ("2026-11-22T07:36:06.571Z", "2026-11-22T07:36:06.571000+00:00"),
        ("2026-11-22t07:36:06.5714447z", "2026-11-22T07:36:06.571444+00:00"),
        ("2026-11-22T08:36:06+01:00", "2026-11-22T07:36:06+00:00"),
    ],
)
async def test_the_moment_of_an_outcome_is_rfc_3339(moment: str, utc: str) -> None:
    """UTC, with or without a fraction of a second; other offsets are understood."""
    [entry] = (await told(body_of(overridden(CARD, outcomeTimestamp=moment))))[1]

    assert entry.outcome_at.isoformat() == utc


@pytest.mark.req(161)
@pytest.mark.parametrize(
    "moment",
    [None, "", 1764230166, "2026-11-22", "2026-11-22T07:36:06", "2026-13-22T07:36:06Z", "0001-01-01T00:00:00+14:00"],
)
async def test_a_moment_that_is_none_is_refused(moment: object) -> None:
    """Without a zone nobody knows when that was."""
    assert (await told(body_of(overridden(CARD, outcomeTimestamp=moment))))[0] == 400


@pytest.mark.req(163, 164)
async def test_members_that_the_standard_does_not_name_are_let_pass() -> None:
    """An extension, a suggestion's label, the card's own text: some EHRs add them."""
    entry = accepted(CARD, extension={"urn:x": {}}, acceptedSuggestions=[{"id": "s-1", "label": "x"}])

    assert (await told({**body_of(entry), "extension": {}}))[0] == 200


async def test_feedback_that_cannot_be_kept_is_not_acknowledged() -> None:
    """The EHR is told to send it again."""
    async with ehr(NoLedger()) as client:
        answer = await client.post(FEEDBACK, json=body_of(overridden(CARD)))

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert issue(answer)["code"] == "transient"
