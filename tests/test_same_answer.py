"""Every example patient in other clothes: what says the same thing is answered the same."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cards.library import load
from cards.vignettes import VignetteFile, all_files
from service.demo import ehr
from tests.disguises import SAME, VERSIONS, Disguise
from tests.serving import service_on

pytestmark = pytest.mark.anyio

FILES = [pytest.param(file, id=topic) for topic, file in all_files().items()]
_EVALUATION = "urn:b12-cds:evaluation"


async def _answer(file: VignetteFile, vignette: Any, request: Any) -> Any:
    async with service_on(file.today, vignette.profile, vignette.settings) as client:
        answer = await client.post(f"/cds-services/b12-{vignette.hook.value}", json=request)
    return answer.status_code, answer.json()


def _said(answer: tuple[int, Any]) -> Any:
    """All that a clinician reads, and what the EHR is told of the rules."""
    status, body = answer
    cards = [
        (
            card["source"]["topic"]["code"],
            card["indicator"],
            card["summary"],
            card.get("detail"),
            [each["label"] for each in card.get("suggestions", [])],
        )
        for card in body.get("cards", [])
    ]
    report = dict(body.get("extension", {}).get(_EVALUATION, {}))
    report.pop("unrecognisedCodes", None)
    return status, cards, report


def _heard(answer: tuple[int, Any]) -> Any:
    """Who speaks, how loud, and which questions stay open."""
    status, cards, report = _said(answer)
    return status, [card[:3] for card in cards], report


async def _compare(file: VignetteFile, disguise: Disguise, told: Any) -> list[str]:
    different = []
    for vignette in file.vignettes:
        request = ehr.request(vignette, file.today, load().terminology)
        plain = told(await _answer(file, vignette, request))
        disguised = told(await _answer(file, vignette, disguise(request)))
        if plain != disguised:
            different.append(f"{vignette.name}: {plain} became {disguised}")
    return different


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("clothes", SAME)
async def test_what_says_the_same_is_answered_the_same(clothes: str, file: VignetteFile) -> None:
    assert await _compare(file, SAME[clothes], _said) == []


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_of_fhir_raises_the_same_cards(version: str, file: VignetteFile) -> None:
    assert await _compare(file, VERSIONS[version], _heard) == []


def test_the_clothes_are_others() -> None:
    """Each disguise changes some call: one that changed none would prove nothing."""
    requests = [
        ehr.request(vignette, file.today, load().terminology)
        for file in all_files().values()
        for vignette in file.vignettes[:20]
    ]
    for name, disguise in (SAME | VERSIONS).items():
        assert any(disguise(request) != request for request in requests), re.sub(r"\s+", " ", name)
