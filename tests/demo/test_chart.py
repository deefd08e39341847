"""The chart of the pretend EHR: what was sent stands in it, what was not is named, and junk breaks nothing."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.library import load
from cards.record import Source
from service.demo import scenarios
from service.demo.chart import Chart, Section, chart
from service.web.timeline import timeline

LONDON = ZoneInfo("Europe/London")
TODAY = date(2026, 11, 23)


def chart_of(request: dict[str, Any]) -> Chart:
    return chart(request, load().terminology, LONDON, TODAY)


def started(place: int) -> Chart:
    return chart_of(dict(scenarios.scenario(f"start/{place}", load()).request))


def section(found: Chart, title: str) -> Section:
    return next(each for each in (*found.lists, *found.others) if each.title == title)


def prefetch(source: Source, *resources: dict[str, Any]) -> dict[str, Any]:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": each} for each in resources]}
    return {"prefetch": {source.value: bundle}}


def test_the_banner_tells_age_and_sex() -> None:
    found = started(1)

    assert (found.age, found.sex, found.born) == ("67 years", "female", "1 Jan 1959")


def test_a_patient_who_was_not_sent_has_no_age() -> None:
    assert (chart_of({}).age, chart_of({}).sex) == ("age not known", "sex not recorded")


def test_medicines_say_how_they_are_taken() -> None:
    first, *_ = section(started(1), "Medicines").entries

    assert (first.name, first.more, first.when) == (
        "Hydroxocobalamin",
        "1 mg intramuscular, every 12 weeks",
        "since 11 Mar 2024",
    )


def test_a_medicine_that_was_stopped_comes_last_and_is_marked() -> None:
    names = [("Stopped one", "stopped"), ("Current one", "active")]
    orders = [
        {"resourceType": "MedicationRequest", "status": status, "medicationCodeableConcept": {"text": name}}
        for name, status in names
    ]

    entries = section(chart_of(prefetch(Source.MEDICATIONS, *orders)), "Medicines").entries

    assert [(each.name, each.past) for each in entries] == [("Current one", False), ("Stopped one", True)]


def test_results_and_injections_are_plotted_by_day() -> None:
    found = started(1)

    assert [(each.concept, each.on, each.said) for each in found.results][:2] == [
        ("b12_total_serum", date(2024, 2, 9), "88 ng/L"),
        ("hemoglobin", date(2024, 2, 9), "92 g/L"),
    ]
    assert (found.given[0].on, found.given[-1].on) == (date(2024, 2, 19), date(2025, 9, 22))


def test_a_result_in_another_unit_is_plotted_in_its_own_place() -> None:
    coding = {"system": "http://loinc.org", "code": "2132-9"}
    lab = {
        "resourceType": "Observation",
        "code": {"coding": [coding]},
        "effectiveDateTime": "2026-11-01",
        "valueQuantity": {"value": 100, "unit": "pmol/L"},
    }

    [result] = chart_of(prefetch(Source.LABS, lab)).results

    assert (round(result.value, 1), result.said) == (135.5, "100 pmol/L")


def test_tablets_are_no_injections() -> None:
    dose = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": {"text": "Cyanocobalamin 1mg tablets"},
        "effectiveDateTime": "2026-11-01",
        "dosage": {"route": {"text": "oral"}, "dose": {"value": 1, "unit": "mg"}},
    }

    assert chart_of(prefetch(Source.DOSES, dose)).given == ()
    assert len(section(chart_of(prefetch(Source.DOSES, dose)), "Injections and other doses given").entries) == 1


@pytest.mark.parametrize(
    ("sent", "gap"),
    [
        ({}, "not sent to the service"),
        ({"problems": {"resourceType": "OperationOutcome"}}, "could not be retrieved"),
        ({"problems": {"resourceType": "Bundle", "total": 9, "entry": []}}, "the list was cut short"),
        ({"problems": None}, ""),
    ],
)
def test_what_the_service_did_not_get_is_named(sent: dict[str, Any], gap: str) -> None:
    assert section(chart_of({"prefetch": sent}), "Problems").gap == gap


# --- the timeline ------------------------------------------------------------------------------------------------


def test_a_chart_without_results_and_injections_has_no_timeline() -> None:
    assert timeline(chart_of({}), 180) is None


def test_the_timeline_is_told_in_words_and_as_a_table() -> None:
    drawn = timeline(started(1), 180)

    assert drawn is not None
    assert drawn.said == (
        "Vitamin B12: 2 results, the last 131 ng/L on 16 Nov 2026. "
        "Haemoglobin: 4 results, the last 107 g/L on 16 Nov 2026. Injections: 12, the last on 22 Sep 2025."
    )
    assert drawn.rows[0] == ("16 Nov 2026", "Vitamin B12", "131 ng/L")
    assert len(drawn.rows) == 18


def test_later_results_stand_to_the_right_and_higher_ones_above() -> None:
    drawn = timeline(started(1), 180)

    assert drawn is not None
    for lane in drawn.lanes:
        assert [point.x for point in lane.points] == sorted(point.x for point in lane.points)
        assert all(lane.top <= point.y <= lane.foot for point in lane.points)
    low, *_, newest = drawn.lanes[1].points
    assert low.y > newest.y


# --- junk --------------------------------------------------------------------------------------------------------

NAMES = ["code", "coding", "text", "system", "dosage", "dosageInstruction", "timing", "repeat", "resourceType", "value"]
NAMES += ["valueQuantity", "unit", "status", "effectiveDateTime", "birthDate", "medicationReference", "dose", "item"]
NAMES += ["doseAndRate", "doseQuantity", "reaction", "servicedDate", "clinicalStatus", "contained", "entry", "resource"]
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(list(Source)), st.lists(json_values, max_size=3))
@settings(max_examples=400, deadline=None)
def test_resources_of_any_shape_still_make_a_chart(source: Source, resources: list[Any]) -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": each} for each in resources]}

    found = chart_of({"prefetch": {source.value: bundle}})

    timeline(found, 180)


@given(json_values)
@settings(max_examples=200, deadline=None)
def test_a_request_of_any_shape_still_makes_a_chart(anything: Any) -> None:
    chart_of({"prefetch": anything})
