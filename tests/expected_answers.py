"""Whether an answer over HTTP is what a vignette expects, to the last word of its card."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx

from cards.library import load
from cards.rule import evaluate, triggered
from cards.vignettes import ExpectedCard, ExpectedGap, Vignette, VignetteFile, record
from service.cds_hooks.response import CDSResponse

EVIDENCE = "\n\n**Evidence** "


def check(answer: httpx.Response, topic: str, file: VignetteFile, vignette: Vignette) -> None:
    """Fails unless `answer` says of the rule `topic` exactly what the vignette expects."""
    if answer.status_code == httpx.codes.PRECONDITION_FAILED:
        assert isinstance(vignette.expect, ExpectedGap)
        assert vignette.expect.reason == "missing"
        return
    assert answer.status_code == httpx.codes.OK
    body = answer.json()
    CDSResponse.model_validate(body)
    cards = [card for card in body["cards"] if card["source"]["topic"]["code"] == topic]
    expected = vignette.expect
    if isinstance(expected, ExpectedCard) and (speaker := _merged_into(topic, file, vignette)):
        assert cards == []
        assert speaker in {card["source"]["topic"]["code"] for card in body["cards"]}
    elif isinstance(expected, ExpectedCard):
        [card] = cards
        assert card["indicator"] == expected.level
        assert card["summary"] == expected.summary
        offered = [each["label"] for each in card.get("suggestions", [])]
        by_hand = _by_hand(card)
        assert card["detail"].split(EVIDENCE)[0] == expected.detail.strip()
        assert sorted([*offered, *by_hand]) == sorted(expected.suggestions)
    else:
        assert cards == []
    assert _gaps(body, topic) == (
        [(list(expected.not_evaluated), expected.reason)] if isinstance(expected, ExpectedGap) else []
    )


def _merged_into(topic: str, file: VignetteFile, vignette: Vignette) -> str | None:
    """The rule whose card speaks of the same problem, when all rules are asked at once."""
    patient = record(vignette, file.today, load().terminology)
    overrides = {name: Decimal(value) for name, value in vignette.settings.items()}
    asked = triggered(load().rules(vignette.profile, overrides), vignette.hook, patient.drafts)
    return evaluate(asked, vignette.hook, patient, file.today).merged.get(topic)


def _by_hand(card: dict[str, Any]) -> list[str]:
    """Suggestions that could not be written for this order and stand in the detail instead."""
    _, found, words = card["detail"].partition("**To do by hand** ")
    return words.removesuffix(".").split("; ") if found else []


def _gaps(body: dict[str, Any], topic: str) -> list[tuple[list[str], str]]:
    report = body.get("extension", {}).get("urn:b12-cds:evaluation", {})
    return [(each["data"], each["reason"]) for each in report.get("notEvaluated", []) if each["topic"] == topic]
