"""Why an order was stopped: a normal level counts wherever it is written."""

from __future__ import annotations

from typing import Any

import pytest

from cards.record import WhyNot
from tests.service.fhir.reading import order

DRUG = {"text": "Hydroxocobalamin 1mg/1ml injection"}


@pytest.mark.parametrize(
    "said",
    [
        {"statusReason": {"text": "B12 normal"}},
        {"reasonCode": [{"text": "Level now OK"}]},
        {"note": [{"text": "B12 is high, no need for more"}]},
        {"note": [{"text": "replete"}]},
        {"statusReason": {"text": "High B12"}},
        {"statusReason": {"text": "B12 level >1500"}},
        {"statusReason": {"text": "B12 level > 1500 ng/L"}},
        {"note": [{"text": "B12>2000, stop"}]},
        {"statusReason": {"text": "B12 level over 400"}},
        {"statusReason": {"text": "B12 1500 ng/L"}},
        {"statusReason": {"text": "B12 high"}},
        {"statusReason": {"text": "Vitamin B12 raised"}},
        {"statusReason": {"text": "levels now normal"}},
        {"statusReason": {"text": "level normal so stop"}},
        {"statusReason": {"text": "Level is now satisfactory"}},
        {"statusReason": {"text": "serum B12 above range"}},
        {"statusReason": {"text": "B12 levels have been over 1000"}},
    ],
)
def test_a_stop_for_a_normal_or_high_level(said: dict[str, Any]) -> None:
    stopped = order(medicationCodeableConcept=DRUG, status="stopped", **said)

    assert stopped.why_not is WhyNot.NORMAL_LEVEL


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        ("stopped", {"statusReason": {"text": "abnormal liver tests"}}, WhyNot.OTHER),
        ("stopped", {"statusReason": {"text": "patient declined"}}, WhyNot.REFUSED),
        ("stopped", {"statusReason": {"text": "Anaphylaxis after the last dose"}}, WhyNot.ANAPHYLAXIS),
        ("stopped", {"statusReason": {"coding": [{"display": "Drug allergy"}]}}, WhyNot.ALLERGY),
        ("stopped", {"statusReason": {"text": "No allergy, moved away"}}, WhyNot.AWAY),
        ("stopped", {"statusReason": {"text": "no known allergies, patient request"}}, WhyNot.OTHER),
        ("stopped", {"note": [{"text": "level not normal yet"}]}, None),
        ("stopped", {"statusReason": {"text": "B12 1000 mcg replaced"}}, WhyNot.OTHER),
        ("stopped", {"statusReason": {"text": "B12 level 150"}}, WhyNot.OTHER),
        ("stopped", {"statusReason": {"text": "B12 level >150"}}, WhyNot.OTHER),
        ("stopped", {"statusReason": {"text": "B12 level over 399"}}, WhyNot.OTHER),
        ("stopped", {"statusReason": {"text": "B12 <1500 still"}}, WhyNot.OTHER),
        ("stopped", {"statusReason": {"text": "high potassium"}}, WhyNot.OTHER),
        ("stopped", {"statusReason": {"text": "vitamin B12 not needed"}}, WhyNot.OTHER),
        ("stopped", {"statusReason": {"text": "B12 1 mg every 3 months by another order"}}, WhyNot.OTHER),
        ("draft", {"note": [{"text": "B12 normal"}]}, None),
        ("draft", {"reasonCode": [{"text": "B12 high"}]}, None),
    ],
)
def test_other_words_are_no_normal_level(status: str, said: dict[str, Any], expected: WhyNot | None) -> None:
    found = order(medicationCodeableConcept=DRUG, status=status, **said)

    assert found.why_not is expected
