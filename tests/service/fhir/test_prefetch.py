"""What became of each prefetch key: five states, of which only two say anything about the patient."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cards.record import Source, SourceState, Supplied
from service.fhir.prefetch import SEARCHES, received
from tests.service.fhir.reading import Json, bundle, record

CONDITION = {"resourceType": "Condition", "code": {"text": "Pernicious anaemia"}}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
WARNING = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "incomplete"}]}
REMARK = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
NEXT = [{"relation": "self", "url": "urn:1"}, {"relation": "next", "url": "urn:2"}]
PAGE = SEARCHES[Source.PROBLEMS].page
INCLUDED = {"resource": {"resourceType": "Patient"}, "search": {"mode": "include"}}


def state(value: Any) -> Supplied:
    return received({"problems": value}, [Source.PROBLEMS])[Source.PROBLEMS].state


def page_of(number: int, *more: Json, **members: Any) -> Json:
    entries = [{"resource": CONDITION, "search": {"mode": "match"}}] * number
    return {"resourceType": "Bundle", "type": "searchset", "entry": [*entries, *more], **members}


@pytest.mark.parametrize(
    "value",
    [
        bundle(CONDITION),
        page_of(1),
        page_of(3, total=3),
        page_of(3, total=2),
        page_of(1, INCLUDED, total=1),
        page_of(1, link=[{"relation": "self", "url": "urn:1"}]),
        page_of(1, {"resource": REMARK}, total=1),
        page_of(PAGE, total=PAGE),
        page_of(PAGE - 1),
        page_of(PAGE - 1, INCLUDED),
        page_of(2, total=True),
        {"resourceType": "Bundle", "entry": [{"resource": CONDITION}, {}]},
    ],
)
def test_a_bundle_with_all_it_announces_is_supplied(value: Json) -> None:
    assert state(value) is Supplied.SUPPLIED


@pytest.mark.parametrize(
    "value",
    [
        None,
        bundle(),
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "entry": []},
        {"resourceType": "Bundle", "entry": None, "total": 0},
        page_of(0, {"resource": REMARK}),
    ],
)
def test_null_and_an_empty_bundle_say_that_nothing_was_found(value: Json | None) -> None:
    assert state(value) is Supplied.NONE_FOUND


@pytest.mark.parametrize(
    "value",
    [
        ERROR,
        {"resourceType": "OperationOutcome"},
        page_of(1, {"resource": ERROR}),
        page_of(0, {"resource": WARNING}),
        page_of(0, {"resource": {"resourceType": "OperationOutcome", "issue": []}}),
        {"resourceType": "Bundle", "entry": "none"},
        {"resourceType": "Bundle", "entry": {"resource": CONDITION}},
        {"resourceType": 7},
        {},
        [],
        [CONDITION],
        "timeout",
        500,
        True,
    ],
)
def test_an_outcome_or_what_is_no_resource_is_a_failed_query(value: object) -> None:
    assert state(value) is Supplied.FAILED


@pytest.mark.parametrize(
    "value",
    [
        page_of(1, link=NEXT),
        page_of(0, link=NEXT),
        page_of(1, total=2),
        page_of(1, INCLUDED, total=2),
        page_of(0, total=1),
        page_of(PAGE),
        page_of(PAGE, INCLUDED),
    ],
)
def test_a_bundle_with_a_next_page_or_fewer_matches_than_its_total_is_truncated(value: Json) -> None:
    assert state(value) is Supplied.TRUNCATED


@pytest.mark.parametrize("prefetch", [None, {}, {"labs": bundle()}])
def test_an_absent_key_was_not_supplied(prefetch: Json | None) -> None:
    assert received(prefetch, [Source.PROBLEMS])[Source.PROBLEMS].state is Supplied.MISSING


def test_only_the_wanted_keys_are_looked_at() -> None:
    assert set(received({"problems": bundle(), "labs": bundle()}, [Source.LABS])) == {Source.LABS}


def test_one_resource_where_a_bundle_was_asked_for_is_the_answer() -> None:
    found = record({Source.PROBLEMS: CONDITION})
    assert [each.concepts[0].name for each in found.problems] == ["pernicious_anemia"]
    assert found.state(Source.PROBLEMS) == SourceState(Supplied.SUPPLIED)


@pytest.mark.parametrize(
    "value",
    [{"resourceType": "Patient", "birthDate": "1950"}, bundle({"resourceType": "Patient", "birthDate": "1950"})],
)
def test_the_patient_is_read_bare_or_in_a_bundle(value: Json) -> None:
    found = record({Source.PATIENT: value})
    assert found.patient.born
    assert found.patient.born.latest == date(1950, 12, 31)


@pytest.mark.parametrize("entry", [{}, {"resource": None}, {"fullUrl": "urn:x"}, None, "entry", []])
def test_an_entry_without_a_resource_counts_as_unreadable_and_leaves_the_others(entry: object) -> None:
    found = record({Source.PROBLEMS: {"resourceType": "Bundle", "entry": [entry, {"resource": CONDITION}]}})
    assert len(found.problems) == 1
    assert [each.reason for each in found.state(Source.PROBLEMS).unreadable] == ["unreadable"]


def test_what_came_with_a_failed_query_is_read_but_not_trusted_to_be_all() -> None:
    found = record({Source.PROBLEMS: page_of(1, {"resource": ERROR})})
    assert len(found.problems) == 1
    assert not found.known(Source.PROBLEMS, date(2026, 11, 23))


@pytest.mark.parametrize(
    ("value", "known"),
    [(bundle(CONDITION), True), (None, True), (ERROR, False), (page_of(1, link=NEXT), False)],
)
def test_only_what_was_supplied_or_found_empty_is_known(value: Json | None, known: bool) -> None:
    assert record({Source.PROBLEMS: value}).known(Source.PROBLEMS) is known


def test_a_key_that_was_not_supplied_is_not_known() -> None:
    found = record({Source.LABS: bundle()})
    assert not found.known(Source.PROBLEMS)
    assert found.state(Source.PROBLEMS).supplied is Supplied.MISSING


@pytest.mark.parametrize(
    ("source", "type_", "name"),
    [
        (Source.LABS, "Observation", "effectiveDateTime"),
        (Source.LABS, "Observation", "issued"),
        (Source.DOSES, "MedicationAdministration", "effectiveDateTime"),
        (Source.MEDICATIONS, "MedicationRequest", "authoredOn"),
        (Source.MEDICATIONS, "MedicationOrder", "dateWritten"),
        (Source.DISPENSES, "MedicationDispense", "whenHandedOver"),
        (Source.PROCEDURES, "Procedure", "performedDateTime"),
        (Source.PROBLEMS, "Condition", "recordedDate"),
    ],
)
def test_a_truncated_list_is_complete_back_to_its_oldest_day(source: Source, type_: str, name: str) -> None:
    days = ("2026-11-01", "2026-03-01", "2026-07-01")
    found = record({source: {**bundle(*({"resourceType": type_, name: day} for day in days)), "link": NEXT}})
    assert found.state(source).back_to == date(2026, 3, 1)
    assert found.known(source, date(2026, 3, 1))
    assert not found.known(source, date(2026, 2, 28))
    assert not found.known(source)


def test_a_truncated_list_without_any_date_is_complete_back_to_nothing() -> None:
    found = record({Source.PROBLEMS: page_of(1, link=NEXT)})
    assert found.state(Source.PROBLEMS).back_to is None
    assert not found.known(Source.PROBLEMS, date(2026, 11, 23))
