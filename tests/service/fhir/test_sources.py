"""What a prefetched or fetched value is: of its states only two say anything; whose it is, and how far it is known."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cards.record import Source, SourceState, Supplied
from service.fhir.prefetch import SEARCHES
from service.fhir.sources import received
from tests.service.fhir.reading import PATIENT, Json, bundle, record

CONDITION = {"resourceType": "Condition", "code": {"text": "Pernicious anaemia"}}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
INCOMPLETE = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "incomplete"}]}
WARNING = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "suppressed"}]}
REMARK = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
NEXT = [{"relation": "self", "url": "urn:1"}, {"relation": "next", "url": "urn:2"}]
PAGE = SEARCHES[Source.PROBLEMS].page
INCLUDED = {"resource": {"resourceType": "Patient"}, "search": {"mode": "include"}}


def state(value: Any) -> Supplied:
    return received({"problems": value}, [Source.PROBLEMS], PATIENT)[Source.PROBLEMS].state


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
        page_of(1, {"resource": REMARK}, total=2),
        page_of(1, {"resource": WARNING}),
        page_of(1, total="1"),
        page_of(1, total="many"),
        {"resourceType": "Bundle", "entry": {"resource": CONDITION}},
        {"resourceType": "Bundle", "entry": [CONDITION]},
        [CONDITION],
        [{"resource": CONDITION}],
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
        page_of(0, {"resource": WARNING}, total=1),
        page_of(0, INCLUDED),
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
        REMARK,
        page_of(0, {"resource": ERROR}),
        page_of(0, {"resource": {"resourceType": "OperationOutcome", "issue": []}}),
        page_of(0, {"resource": {"resourceType": "OperationOutcome", "issue": {"severity": "Fatal"}}}),
        page_of(1, {"response": {"status": "404 Not Found"}, "resource": CONDITION}),
        page_of(1, {"response": {"status": "200", "outcome": ERROR}, "resource": CONDITION}),
    ],
)
def test_an_outcome_alone_or_of_an_error_is_a_failed_query(value: object) -> None:
    assert state(value) is Supplied.FAILED


@pytest.mark.parametrize(
    "value",
    [
        page_of(1, link=NEXT),
        page_of(0, link=NEXT),
        page_of(1, total=2),
        page_of(1, total="2"),
        page_of(1, INCLUDED, total=2),
        page_of(1, {"resource": INCOMPLETE}),
        page_of(0, {"resource": INCOMPLETE}),
        page_of(1, {"response": {"status": "200", "outcome": INCOMPLETE}, "resource": CONDITION}),
        page_of(1, link=NEXT[1]),
        page_of(5, link=[{"relation": "self", "url": "https://ehr.example.org/Condition?patient=1&_count=5"}]),
        page_of(0, total=1),
        page_of(PAGE),
        page_of(PAGE, INCLUDED),
    ],
)
def test_a_bundle_with_a_next_page_or_fewer_matches_than_its_total_is_truncated(value: Json) -> None:
    assert state(value) is Supplied.TRUNCATED


@pytest.mark.parametrize("prefetch", [None, {}, {"labs": bundle()}])
def test_an_absent_key_was_not_supplied(prefetch: Json | None) -> None:
    assert received(prefetch, [Source.PROBLEMS], PATIENT)[Source.PROBLEMS].state is Supplied.MISSING


def test_only_the_wanted_keys_are_looked_at() -> None:
    assert set(received({"problems": bundle(), "labs": bundle()}, [Source.LABS], PATIENT)) == {Source.LABS}


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
def test_a_truncated_list_newest_first_is_complete_back_to_its_oldest_day(
    source: Source, type_: str, name: str
) -> None:
    days = ("2026-11-01", "2026-07-01", "2026-03-01")
    found = record({source: {**bundle(*({"resourceType": type_, name: day} for day in days)), "link": NEXT}})
    assert found.state(source).back_to == date(2026, 3, 1)
    assert found.known(source, date(2026, 3, 1))
    assert not found.known(source, date(2026, 2, 28))
    assert not found.known(source)


def test_a_truncated_list_without_any_date_is_complete_back_to_nothing() -> None:
    found = record({Source.PROBLEMS: page_of(1, link=NEXT)})
    assert found.state(Source.PROBLEMS).back_to is None
    assert not found.known(Source.PROBLEMS, date(2026, 11, 23))


# --- what is not what was asked for ----------------------------------------------------------------------------------

OBSERVATION = {"resourceType": "Observation", "code": {"text": "Serum B12"}}
DOCUMENT = {"resourceType": "DocumentReference"}
MINE, THEIRS = ({**CONDITION, "subject": {"reference": f"Patient/{each}"}} for each in (PATIENT, "somebody-else"))


def wrapped(*inside: Json, kind: str = "batch-response") -> Json:
    entries = [{"response": {"status": "200 OK"}, "resource": each} for each in inside]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def parameters(*inside: Json) -> Json:
    return {"resourceType": "Parameters", "parameter": [{"name": "result", "resource": each} for each in inside]}


@pytest.mark.parametrize(
    "value",
    [
        {"resourceType": 7},
        {"entry": [{"resource": CONDITION}]},
        {},
        [],
        "timeout",
        500,
        True,
        OBSERVATION,
        DOCUMENT,
        {"resourceType": "Conditon", "code": {"text": "Pernicious anaemia"}},
        bundle(OBSERVATION),
        bundle(DOCUMENT),
        bundle({"resourceType": "Patient", "id": PATIENT}),
        bundle(MINE, OBSERVATION),
        bundle("x"),
        bundle({"code": {"text": "Pernicious anaemia"}}),
        {"resourceType": "Bundle", "entry": "none"},
        {"resourceType": "Bundle", "entries": [{"resource": CONDITION}]},
        {"resourceType": "Binary", "contentType": "application/json", "data": "e30="},
        {"resourceType": "List", "entry": [{"item": {"reference": "Condition/1"}}]},
        {"resourceType": "Parameters"},
        {"resourceType": "Parameters", "parameter": [{"name": "result", "valueString": "none"}]},
        parameters(wrapped(bundle(MINE))),
        wrapped(wrapped(bundle(MINE))),
        wrapped({"resourceType": "Binary"}),
    ],
)
def test_a_key_that_holds_something_else_is_unreadable_and_never_empty(value: Any) -> None:
    assert state(value) is Supplied.UNREADABLE


@pytest.mark.parametrize(
    "wrap",
    [
        wrapped,
        parameters,
        lambda each: [each],
        lambda each: wrapped(each, kind="searchset"),
        lambda each: wrapped(each, kind="collection"),
    ],
    ids=["a batch", "Parameters", "a list", "a searchset", "a collection"],
)
def test_one_wrapper_is_opened_and_what_is_inside_means_the_same(wrap: Any) -> None:
    for inside in (bundle(MINE), page_of(2, link=NEXT), page_of(1, total=9), page_of(0), bundle(OBSERVATION)):
        assert received({"problems": wrap(inside)}, [Source.PROBLEMS], PATIENT) == received(
            {"problems": inside}, [Source.PROBLEMS], PATIENT
        )


def test_pages_that_follow_each_other_are_one_list() -> None:
    first, last = page_of(2, total=3, link=NEXT), page_of(1, total=3)
    assert state([first, last]) is Supplied.SUPPLIED
    assert state([first, first]) is Supplied.TRUNCATED
    assert state([{**first, "total": 4}, {**last, "total": 4}]) is Supplied.TRUNCATED


@pytest.mark.parametrize(
    "kind",
    [
        "Medication",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Encounter",
        "Location",
        "Provenance",
        "Specimen",
        "DocumentReference",
    ],
)
def test_what_stands_beside_the_matches_is_no_fault(kind: str) -> None:
    value = bundle(MINE, {"resourceType": kind, "id": "x"})
    assert received({"problems": value}, [Source.PROBLEMS], PATIENT)[Source.PROBLEMS].resources == [MINE]
    assert state(value) is Supplied.SUPPLIED


def test_an_included_resource_is_no_fault_whatever_its_type() -> None:
    assert state(page_of(1, {"resource": OBSERVATION, "search": {"mode": "include"}})) is Supplied.SUPPLIED


def test_what_is_read_of_a_key_that_also_holds_another_ones_still_speaks() -> None:
    found = record({Source.PROBLEMS: bundle(MINE, OBSERVATION)})
    assert len(found.problems) == 1
    assert not found.known(Source.PROBLEMS)


@pytest.mark.parametrize(
    "said",
    [
        {"code": "too-costly"},
        {"code": "TIMEOUT"},
        {
            "code": "processing",
            "diagnostics": "The search timed out; partial results follow.",
        },
        {"code": "informational", "details": {"text": "Only the first 100 results are shown"}},
        {"code": "processing", "details": {"coding": [{"display": "Not all data were searched"}]}},
        {"code": "processing", "diagnostics": "The maximum number of resources was exceeded"},
    ],
)
def test_a_warning_that_the_list_is_not_whole_makes_it_truncated(said: Json) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", **said}]}
    assert state(page_of(1, {"resource": outcome, "search": {"mode": "outcome"}})) is Supplied.TRUNCATED


@pytest.mark.parametrize(
    "words",
    [
        "This response includes information available to the authorized user at the time of the request. It may not "
        "contain the entire record available in the system.",
        "Resource request returns no results.",
        "The _sort parameter is not supported and was ignored.",
        "All results are shown.",
    ],
)
def test_any_other_warning_is_ignored(words: str) -> None:
    issue = {"severity": "warning", "code": "processing", "details": {"text": words}}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    assert state(page_of(1, {"resource": outcome, "search": {"mode": "outcome"}})) is Supplied.SUPPLIED


# --- whose it is ---------------------------------------------------------------------------------------------------

UUID = "5f339d06-b1d0-366b-8578-1dffecfe4f07"


@pytest.mark.parametrize(
    "subject",
    [
        None,
        {},
        {"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000009"}},
        {"display": "somebody"},
        {"reference": f"Patient/{PATIENT}"},
        {"reference": f"Patient/{PATIENT}/_history/4"},
        {"reference": f"https://ehr.example.org/r4/Patient/{PATIENT}"},
        {"reference": f"https://ehr.example.org/r4/Patient/{PATIENT}/_history/4"},
        {"reference": "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9000000009"},
        {"reference": "#p"},
        [{"reference": f"Patient/{PATIENT}"}],
        f"Patient/{PATIENT}",
        {"reference": f"urn:uuid:{PATIENT.upper()}"},
    ],
)
def test_this_patient_is_recognised_in_any_form_of_reference(subject: Any) -> None:
    contained = [{"resourceType": "Patient", "id": "p", "identifier": [{"value": "9000000009"}]}]
    value = bundle({**CONDITION, "contained": contained, "subject": subject})
    assert state(value) is Supplied.SUPPLIED
    assert state(bundle({**CONDITION, "contained": contained, "patient": subject})) is Supplied.SUPPLIED


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/somebody-else",
        "Patient/somebody-else/_history/1",
        "https://ehr.example.org/r4/Patient/somebody-else",
        f"urn:uuid:{UUID}",
        f"Group/{PATIENT}",
        f"Practitioner/{PATIENT}",
        "#group",
    ],
)
def test_another_patients_resources_are_left_out_and_a_key_of_nothing_else_is_not_known(reference: str) -> None:
    theirs = {**CONDITION, "contained": {"resourceType": "Group", "id": "group"}, "subject": {"reference": reference}}
    assert state(bundle(theirs)) is Supplied.ANOTHER_PATIENT
    assert state(theirs) is Supplied.ANOTHER_PATIENT

    found = record({Source.PROBLEMS: bundle(theirs, MINE)})
    assert len(found.problems) == 1
    assert found.known(Source.PROBLEMS)
    assert found.state(Source.PROBLEMS).remarks == ("another-patient",)


def test_a_urn_is_resolved_by_the_address_of_a_patient_in_the_same_bundle() -> None:
    def entries(patient: str) -> Json:
        return {
            "resourceType": "Bundle",
            "entry": [
                {"fullUrl": f"urn:uuid:{UUID}", "resource": {"resourceType": "Patient", "id": patient}},
                {"resource": {**CONDITION, "subject": {"reference": f"urn:uuid:{UUID}"}}},
            ],
        }

    assert state(entries(PATIENT)) is Supplied.SUPPLIED
    assert state(entries("somebody-else")) is Supplied.ANOTHER_PATIENT


def test_the_patient_of_another_id_is_not_this_one() -> None:
    for other in ({"resourceType": "Patient", "id": "x"}, bundle({"resourceType": "Patient", "id": "x"})):
        found = record({Source.PATIENT: {**other, "birthDate": "1950"}})
        assert found.patient.born is None
        assert found.state(Source.PATIENT).supplied is Supplied.ANOTHER_PATIENT


@pytest.mark.parametrize(
    ("actors", "mine"),
    [
        ([PATIENT], True),
        (["somebody-else"], False),
        (["somebody-else", PATIENT], True),
        ([], True),
    ],
)
def test_an_appointment_is_of_those_who_take_part(actors: list[str], mine: bool) -> None:
    participant = [{"actor": {"reference": f"Patient/{each}"}} for each in actors]
    participant.append({"actor": {"reference": "Practitioner/1"}})
    value = bundle({"resourceType": "Appointment", "status": "booked", "participant": participant})
    found = received({"appointments": value}, [Source.APPOINTMENTS], PATIENT)[Source.APPOINTMENTS]
    assert (found.state is Supplied.SUPPLIED) is mine


# --- what stands twice ---------------------------------------------------------------------------------------------


def dated(day: str, **members: Any) -> Json:
    return {**CONDITION, "id": "c1", "recordedDate": day, **members}


def test_a_resource_that_stands_twice_counts_once() -> None:
    found = record({Source.PROBLEMS: bundle(dated("2020-01-01"), {**CONDITION, "id": "c2"}, dated("2020-01-01"))})
    assert len(found.problems) == 2
    assert found.state(Source.PROBLEMS) == SourceState(Supplied.SUPPLIED)


def test_two_resources_without_an_id_are_two() -> None:
    assert len(record({Source.PROBLEMS: bundle(CONDITION, CONDITION)}).problems) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"versionId": "9"}, {"versionId": "10"}),
        ({"lastUpdated": "2026-01-01T10:00:00+02:00"}, {"lastUpdated": "2026-01-01T09:00:00Z"}),
        ({"versionId": "a", "lastUpdated": "2026-01-01"}, {"versionId": "b", "lastUpdated": "2026-01-02"}),
    ],
)
def test_of_two_versions_the_newest_counts(old: Json, new: Json) -> None:
    versions = [dated("2020-01-01", meta=old), dated("2021-01-01", meta=new)]
    for resources in (versions, versions[::-1]):
        [only] = record({Source.PROBLEMS: bundle(*resources)}).problems
        assert only.recorded
        assert only.recorded.latest == date(2021, 1, 1)


@pytest.mark.parametrize("meta", [{}, {"versionId": "1"}, {"versionId": "x"}])
def test_of_two_versions_that_do_not_say_which_is_newer_both_count_and_the_key_is_named(meta: Json) -> None:
    found = record({Source.PROBLEMS: bundle(dated("2020-01-01", meta=meta), dated("2021-01-01"))})
    assert len(found.problems) == 2
    assert found.state(Source.PROBLEMS).remarks == ("duplicate",)
    assert found.known(Source.PROBLEMS)


# --- in what order -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "sort", "back_to"),
    [
        (["2026-11-01", "2026-03-01"], None, date(2026, 3, 1)),
        (["2026-11-01"], "-recorded-date", date(2026, 11, 1)),
        (["2026-11-01", "2026-11-01"], "-recorded-date,_id", date(2026, 11, 1)),
        (["2026-11-01"], None, None),
        (["2026-11-01", "2026-11-01"], None, None),
        (["2026-03-01", "2026-11-01"], "-recorded-date", None),
        (["2026-11-01", "2026-03-01", "2026-07-01"], None, None),
        (["2026-11-01"], "recorded-date", None),
        (["2026-11-01"], "-onset-date", None),
    ],
)
def test_a_list_that_was_cut_short_is_known_only_where_its_order_is_proved(
    days: list[str], sort: str | None, back_to: date | None
) -> None:
    itself = {"relation": "self", "url": f"https://ehr.example.org/Condition?patient=1&_sort={sort}"}
    links = [NEXT[1], *([itself] if sort else [])]
    found = record({Source.PROBLEMS: {**bundle(*({**CONDITION, "recordedDate": day} for day in days)), "link": links}})
    assert found.state(Source.PROBLEMS).back_to == back_to
