"""Why folic acid is ordered: methotrexate counts wherever the order names it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.fhir.reading import order

FOLIC_ACID = {"text": "Folic acid 5mg tablets"}


@pytest.mark.parametrize(
    "said",
    [
        {"reasonCode": [{"text": "Methotrexate side effects"}]},
        {"dosageInstruction": [{"text": "ONE once a week, not on the day of methotrexate"}]},
        {"dosageInstruction": [{"text": "5 mg weekly, not on methotrexate day"}]},
        {"dosageInstruction": [{"text": "One weekly", "patientInstruction": "The day after your MTX"}]},
        {"note": [{"text": "with methotrexate from rheumatology"}]},
    ],
)
def test_folic_acid_that_goes_with_methotrexate(said: dict[str, Any]) -> None:
    found = order(medicationCodeableConcept=FOLIC_ACID, **said)

    assert [each.name for each in found.indications] == ["methotrexate"]


@pytest.mark.parametrize(
    "said",
    [
        {"note": [{"text": "methotrexate stopped in March"}]},
        {"note": [{"text": "Patient is not on methotrexate"}]},
        {"reasonCode": [{"text": "Folate deficiency"}]},
        {"dosageInstruction": [{"text": "One daily"}]},
    ],
)
def test_folic_acid_for_another_reason(said: dict[str, Any]) -> None:
    found = order(medicationCodeableConcept=FOLIC_ACID, **said)

    assert "methotrexate" not in [each.name for each in found.indications]
