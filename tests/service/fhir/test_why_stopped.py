"""Why an order was stopped: a normal level counts wherever it is written."""

from __future__ import annotations

from typing import Any

import pytest

from cards.record import WhyNot
from cards.terminology import Terminology
from tests.service.fhir.reading import Json, course, order

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


# --- by code -------------------------------------------------------------------------------------------------------

TERMINOLOGY = Terminology.load()
CODED = [
    pytest.param(TERMINOLOGY.uri(each.system), each.code, WhyNot(each.meaning), id=f"{each.system} {each.code}")
    for each in TERMINOLOGY.members("reasons")
]
EPS = "https://fhir.nhs.uk/CodeSystem/medicationrequest-status-reason"
HL7 = "http://terminology.hl7.org/CodeSystem/medicationrequest-status-reason"
GP_CONNECT = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-MedicationStatusReason-1"


def coded(system: str, *codes: str) -> Json:
    return {"coding": [{"system": system, "code": code} for code in codes]}


def gp_connect(reason: Any) -> Json:
    """An order of GP Connect that says when and why it was stopped."""
    said = [{"url": "statusReason", **reason}, {"url": "statusChangeDate", "valueDateTime": "2026-10-20"}]
    return {
        "extension": [
            {"url": "https://example.org/other", "valueString": "died"},
            {"url": GP_CONNECT, "extension": said},
        ]
    }


def why(status: str = "stopped", **said: Any) -> WhyNot | None:
    return order(medicationCodeableConcept=DRUG, status=status, **said).why_not


@pytest.mark.parametrize(("system", "code", "expected"), CODED)
def test_a_reason_is_read_by_its_code_alone_wherever_it_stands(system: str, code: str, expected: WhyNot) -> None:
    reason = coded(system, code)
    places: list[Json] = [
        {"statusReason": reason},
        {"statusReason": [reason]},
        {"statusReason": {"coding": reason["coding"][0]}},
        {"statusReason": coded(f"{system}/", code.lower())},
        {"statusReason": coded(system.replace("http://", "https://"), f" {code} ")},
        {"reasonEnded": reason},
        {"statusReasonCodeableConcept": reason},
        gp_connect({"valueCodeableConcept": reason}),
        gp_connect({"valueCoding": reason["coding"][0]}),
    ]
    for status in ("stopped", "Cancelled", "on-hold"):
        assert [why(status, **place) for place in places] == [expected] * len(places)
    assert course(medicationCodeableConcept=DRUG, status="stopped", statusReason=reason).why_not is expected


@pytest.mark.parametrize(("system", "code", "expected"), CODED)
def test_the_reason_of_an_order_is_no_reason_of_its_end_before_it_has_ended(
    system: str, code: str, expected: WhyNot
) -> None:
    said = {"reasonCode": [coded(system, code)]}
    assert why("draft", **said) is None
    assert why("stopped", **said) is (None if expected is WhyNot.OTHER else expected)


def test_a_number_of_the_nhs_may_have_lost_its_noughts() -> None:
    assert why(statusReason=coded(EPS, "7")) is WhyNot.DIED


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"statusReason": {"text": "Notification of Death"}}, WhyNot.DIED),
        ({"statusReason": {"text": "Patient has died"}}, WhyNot.DIED),
        ({"statusReason": {"text": "Deceased"}}, WhyNot.DIED),
        ({"note": [{"text": "RIP 3 March"}]}, WhyNot.DIED),
        ({"reasonCode": [{"text": "Pernicious anaemia"}], "note": [{"text": "Patient died"}]}, WhyNot.DIED),
        ({"statusReason": {"text": "Patient deducted - registered with new practice"}}, WhyNot.LEFT),
        ({"statusReason": {"text": "Moved to another surgery"}}, WhyNot.LEFT),
        ({"statusReason": {"text": "no longer registered"}}, WhyNot.LEFT),
        ({"statusReason": {"text": "Duplicate"}}, WhyNot.DUPLICATE),
        ({"note": [{"text": "duplicate order"}]}, WhyNot.DUPLICATE),
        (gp_connect({"valueCodeableConcept": {"text": "Duplicate therapy"}}), WhyNot.DUPLICATE),
        (gp_connect({"valueString": "B12 level normal"}), WhyNot.NORMAL_LEVEL),
        # Somebody else's death, and what is no duplicate.
        ({"statusReason": {"text": "Husband died, will think about it"}}, WhyNot.OTHER),
        ({"statusReason": {"text": "Not a duplicate, wrong dose"}}, WhyNot.OTHER),
        ({"statusReason": {"text": "Registered nurse gave it"}}, WhyNot.OTHER),
    ],
)
def test_death_departure_and_duplicates_in_words(said: Json, expected: WhyNot) -> None:
    assert why(**said) is expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # There is no patient to treat, whatever the level was.
        ({"statusReason": coded(EPS, "0007"), "note": [{"text": "B12 normal"}]}, WhyNot.DIED),
        ({"statusReason": {"text": "Notification of death"}, "note": [{"text": "B12 normal"}]}, WhyNot.DIED),
        ({"statusReason": coded(HL7, "drughigh", "surg")}, WhyNot.NORMAL_LEVEL),
        ({"statusReason": coded(HL7, "sdupther", "drughigh")}, WhyNot.NORMAL_LEVEL),
        ({"statusReason": coded(HL7, "surg"), "note": [{"text": "B12 normal"}]}, WhyNot.NORMAL_LEVEL),
        # A duplicate by its code is one; by words beside a level it may be anything.
        ({"statusReason": coded(HL7, "sdupther"), "note": [{"text": "level normal"}]}, WhyNot.DUPLICATE),
        ({"statusReason": {"text": "Level normal, duplicate of last test"}}, WhyNot.NORMAL_LEVEL),
        # What the code leaves open, its words may say; and a local code is known by its words alone.
        ({"statusReason": {**coded(EPS, "0005"), "text": "Patient declines injections"}}, WhyNot.REFUSED),
        ({"statusReason": coded("urn:local", "sdupther")}, WhyNot.OTHER),
        ({"statusReason": {"coding": [{"system": "urn:local", "code": "9", "display": "No stock"}]}}, WhyNot.NO_STOCK),
    ],
)
def test_of_several_reasons_the_one_that_matters_most_counts(said: Json, expected: WhyNot) -> None:
    assert why(**said) is expected
