"""No length of text keeps other calls waiting: so much is read of a call, and what goes beyond is named."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cards.library import load
from cards.words import Budget, TooMuchText, normalised, within
from service.clients.client import open_client
from service.endpoints.hooks import envelope, hook_call
from service.respond import Responder
from service.settings import Settings

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
Json = dict[str, Any]
NOTHING: Json = {"resourceType": "Bundle", "type": "searchset", "entry": []}
FOLIC_ACID = {
    "resourceType": "MedicationRequest",
    "id": "1",
    "status": "draft",
    "medicationCodeableConcept": {"text": "Folic acid 5mg tablets"},
    "dosageInstruction": [{"text": "5 mg once daily"}],
}
DEFICIENCY = {"resourceType": "Condition", "code": {"text": "Pernicious anaemia"}}


def _problem(text: str) -> Json:
    return {"resourceType": "Condition", "code": {"text": text}}


def call(problems: list[Json]) -> Json:
    """Folic acid is signed for a patient with these problems."""
    found = dict.fromkeys(("patient", "medications", "doses", "labs", "procedures", "family", "allergies"), NOTHING)
    bundle = {**NOTHING, "entry": [{"resource": each} for each in problems]}
    return {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "patientId": "p",
            "userId": "Practitioner/1",
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": FOLIC_ACID}]},
        },
        "prefetch": {**found, "patient": None, "problems": bundle},
    }


async def answered(problems: list[Json], characters: int) -> Json:
    """The answer where so many characters of a chart are read."""
    responder = Responder(load(), open_client(Settings()), text_characters=characters)
    service = responder.services["b12-order-sign"]
    answer = await responder.respond(service, hook_call(service, envelope(call(problems))), TODAY)
    return answer.body()


def topics(body: Json) -> list[str]:
    """The topics of the cards."""
    return [card["source"]["topic"]["code"] for card in body["cards"]]


@pytest.mark.parametrize("letter", ["é", "_", "a", "µ"])
async def test_what_goes_beyond_what_is_read_of_a_call_is_named(letter: str) -> None:
    long = [_problem(f"{number} {letter * 290}") for number in range(60)]

    body = await answered([*long, DEFICIENCY], 10_000)

    assert topics(body) == ["not-evaluated"]
    [gap] = body["extension"]["urn:b12-cds:evaluation"]["notEvaluated"]
    assert gap == {"topic": "folate-before-b12", "data": ["problems"], "reason": "too-long"}


async def test_short_texts_are_not_counted() -> None:
    short = [_problem(f"{number} {'ö' * 190}") for number in range(60)]

    assert "folate-before-b12" in topics(await answered([*short, DEFICIENCY], 10_000))


async def test_what_was_read_before_counts() -> None:
    long = [_problem(f"{number} {'ö' * 290}") for number in range(60)]

    assert "folate-before-b12" in topics(await answered([DEFICIENCY, *long], 10_000))
    assert "folate-before-b12" in topics(await answered([*long, DEFICIENCY], 100_000))


async def test_a_text_of_which_the_end_was_not_read_and_that_names_nothing_of_ours_is_named() -> None:
    hidden = _problem("x " * 3_000 + "pernicious anaemia")

    body = await answered([hidden], 200_000)

    [gap] = body["extension"]["urn:b12-cds:evaluation"]["notEvaluated"]
    assert gap == {"topic": "folate-before-b12", "data": ["problems"], "reason": "too-long"}


@pytest.mark.parametrize("text", ["é" * 9_000, "_" * 9_000, "vitamin B12 " * 900, " " * 9_000])
def test_texts_are_counted_as_far_as_they_are_read(text: str) -> None:
    budget = Budget(5_000)
    with within(budget):
        normalised(text)
        assert budget.left == 1_000
        assert budget.cut
        with pytest.raises(TooMuchText):
            normalised(text)
    normalised(text)  # outside of a call nothing is counted
