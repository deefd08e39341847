"""Every example patient, twice: through the rules directly, and as FHIR over HTTP.

What is asserted is the exact text of the card, so that wording cannot drift from logic.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from cards.library import load
from cards.offers import Offers
from cards.rule import evaluate, triggered
from cards.vignettes import ExpectedCard, ExpectedGap, Vignette, VignetteFile, all_files, record
from cards.wording import Wording
from service.demo import ehr
from tests.expected_answers import EVIDENCE, check
from tests.serving import service_on

pytestmark = pytest.mark.anyio

CASES = [
    pytest.param(topic, file, vignette, id=f"{topic}: {vignette.name}")
    for topic, file in all_files().items()
    for vignette in file.vignettes
]


@pytest.mark.parametrize(("topic", "file", "vignette"), CASES)
def test_the_rules_say_what_the_vignette_says(topic: str, file: VignetteFile, vignette: Vignette) -> None:
    library = load()
    patient = record(vignette, file.today, library.terminology)
    overrides = {name: Decimal(value) for name, value in vignette.settings.items()}
    rules = [rule for rule in library.rules(vignette.profile, overrides) if rule.topic == topic]

    asked = triggered(rules, vignette.hook, patient.drafts)
    evaluation = evaluate(asked, vignette.hook, patient, file.today)

    offers = Offers(library, vignette.profile, patient, file.today)
    cards = [(raised, Wording(library, vignette.profile).text(raised, offers)) for raised in evaluation.raised]
    gaps = [(gap.data, gap.reason) for gap in evaluation.not_evaluated]
    expected = vignette.expect
    if isinstance(expected, ExpectedCard):
        [(raised, text)] = cards
        assert raised.level is expected.level
        assert text.summary == expected.summary
        assert text.detail.split(EVIDENCE)[0] == expected.detail.strip()
        assert tuple(each.label for each in text.suggestions) == expected.suggestions
    else:
        assert cards == []
    assert gaps == ([(expected.not_evaluated, expected.reason)] if isinstance(expected, ExpectedGap) else [])


@pytest.mark.parametrize(("topic", "file", "vignette"), CASES)
async def test_an_ehr_gets_what_the_vignette_says(topic: str, file: VignetteFile, vignette: Vignette) -> None:
    request = ehr.request(vignette, file.today, load().terminology)

    async with service_on(file.today, vignette.profile, vignette.settings) as client:
        answer = await client.post(f"/cds-services/b12-{vignette.hook.value}", json=request)

    check(answer, topic, file, vignette)
