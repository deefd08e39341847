"""The chart as it stood: nothing counts before it was known, and nothing of the future is seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from cards.library import load
from cards.record import Source
from service.demo import ordinary, population
from service.fhir.sources import TYPES
from service.replay.history import ALWAYS, NEVER, as_draft, moment, ordered, versions, visited
from tests.replay.charts import (
    LONDON,
    PATIENT,
    TODAY,
    Resource,
    anaemia,
    b12,
    calls,
    hydroxocobalamin,
    order,
    person,
    topics,
    visit,
)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- since when --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "resource", "known"),
    [
        (Source.PROBLEMS, {"onsetDateTime": "2019", "recordedDate": "2025-03-01"}, "2025-03-01"),
        (Source.PROBLEMS, {"onsetDateTime": "2025-03"}, "2025-03-31"),
        (Source.PROBLEMS, {"meta": {"lastUpdated": "2025-03-01T09:00:00Z"}}, "2025-03-01T09:00"),
        (Source.MEDICATIONS, {"authoredOn": "2025-07-01T09:30:00Z"}, "2025-07-01T10:30"),
        (Source.DOSES, {"status": "completed", "effectivePeriod": {"start": "2025-03-01"}}, "2025-03-01"),
        (Source.DOSES, {"status": "in-progress", "effectiveDateTime": "2025-03-01"}, "2025-03-03"),
        (Source.STATEMENTS, {"dateAsserted": "2025-03-01", "effectivePeriod": {"start": "2020-01-01"}}, "2025-03-01"),
        (Source.DISPENSES, {"whenHandedOver": "2025-03-01"}, "2025-03-01"),
        (Source.LABS, {"effectiveDateTime": "2025-03-01", "issued": "2025-03-03T12:00:00Z"}, "2025-03-03T12:00"),
        (Source.LABS, {"effectiveDateTime": "2025-03-05", "issued": "2025-03-03T12:00:00Z"}, "2025-03-05"),
        (Source.PROCEDURES, {"performedPeriod": {"start": "2025-03-01", "end": "2025-03-04"}}, "2025-03-04"),
        (Source.ALLERGIES, {"onsetDateTime": "2011", "recordedDate": "2025-03-01"}, "2025-03-01"),
        (Source.TESTS, {"authoredOn": "2025-03-01"}, "2025-03-01"),
        (Source.APPOINTMENTS, {"created": "2025-03-01", "start": "2025-05-01T09:00:00Z"}, "2025-03-01"),
        (Source.CLAIMS, {"created": "2025-03-09", "item": [{"servicedDate": "2025-03-01"}]}, "2025-03-09"),
    ],
)
def test_a_resource_counts_from_the_moment_it_was_known(source: Source, resource: Resource, known: str) -> None:
    assert next(versions(source, resource, LONDON)).known == day(known)


@pytest.mark.parametrize("source", [Source.PROBLEMS, Source.MEDICATIONS, Source.LABS, Source.PROCEDURES])
def test_what_has_no_date_at_all_counts_nowhere(source: Source) -> None:
    assert [*versions(source, {}, LONDON)] == []


@pytest.mark.parametrize("source", [Source.PATIENT, Source.ALLERGIES, Source.FAMILY])
def test_what_holds_for_life_counts_always_when_it_has_no_date(source: Source) -> None:
    assert [version.known for version in versions(source, {}, LONDON)] == [ALWAYS]


# --- what changed later ------------------------------------------------------------------------------------------


def states(source: Source, resource: Resource) -> list[tuple[str, Any]]:
    """Since when, and with which status, the chart held a resource."""
    return [
        (version.known.date().isoformat(), version.resource.get("status"))
        for version in versions(source, resource, LONDON)
    ]


def test_an_order_is_active_until_its_known_end() -> None:
    stopped = {"authoredOn": "2025-01-10", "status": "stopped", "meta": {"lastUpdated": "2025-06-01T00:00:00Z"}}

    assert states(Source.MEDICATIONS, stopped) == [("2025-01-10", "active"), ("2025-06-01", "stopped")]


def test_the_reason_of_a_stop_is_not_known_before_it() -> None:
    because = {"text": "level normal"}
    stopped = {"authoredOn": "2025-01-10", "status": "stopped", "statusReason": because, "statusChanged": "2025-06-01"}

    before, after = versions(Source.MEDICATIONS, stopped, LONDON)

    assert "statusReason" not in before.resource
    assert after.resource["statusReason"] == because
    assert before.until == after.known == day("2025-06-01")
    assert after.until == NEVER


def test_an_order_that_tells_no_end_is_over_on_the_day_after_it_was_written() -> None:
    assert states(Source.MEDICATIONS, {"authoredOn": "2025-01-10", "status": "completed"}) == [
        ("2025-01-10", "active"),
        ("2025-01-11", "completed"),
    ]


def test_an_order_that_is_active_has_one_state() -> None:
    assert states(Source.MEDICATIONS, {"authoredOn": "2025-01-10", "status": "active"}) == [("2025-01-10", "active")]


def test_a_problem_is_present_until_it_abated() -> None:
    resolved = anaemia("2025-01-10", clinicalStatus={"coding": [{"code": "resolved"}]}, abatementDateTime="2025-04-01")

    before, after = versions(Source.PROBLEMS, resolved, LONDON)

    assert before.resource["clinicalStatus"] == {"coding": [{"code": "active"}]}
    assert "abatementDateTime" not in before.resource
    assert after.resource == resolved


def test_a_death_is_not_known_before_it() -> None:
    before, after = versions(Source.PATIENT, person(deceasedDateTime="2026-01-05T04:00:00Z"), LONDON)

    assert "deceasedDateTime" not in before.resource
    assert after.known == day("2026-01-05T04:00")


def test_whoever_visits_is_alive_when_the_day_of_death_is_not_told() -> None:
    [only] = versions(Source.PATIENT, person(deceasedBoolean=True), LONDON)

    assert "deceasedBoolean" not in only.resource


def test_an_appointment_was_booked_before_it_was_kept() -> None:
    kept = {"status": "fulfilled", "created": "2025-01-10", "start": "2025-02-01T09:00:00Z"}

    assert states(Source.APPOINTMENTS, kept) == [("2025-01-10", "booked"), ("2025-02-01", "fulfilled")]


def test_a_draft_says_nothing_of_what_came_after_it_was_signed() -> None:
    stopped = order("Folic acid 5mg tablets", "2025-01-10", status="stopped", statusReason={"text": "wrong patient"})

    assert as_draft(stopped) == order("Folic acid 5mg tablets", "2025-01-10", status="draft")


# --- when the rules are asked ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["planned", "cancelled", "entered-in-error"])
def test_a_visit_that_was_not_made_is_none(status: str) -> None:
    assert visited({**visit("2025-01-10"), "status": status}, LONDON) is None


@pytest.mark.parametrize("members", [{"intent": "plan"}, {"intent": "proposal"}, {"reportedBoolean": True},
                                     {"status": "draft"}, {"authoredOn": None}])  # fmt: skip
def test_what_nobody_signed_is_no_order(members: Resource) -> None:
    assert ordered(order("Folic acid 5mg tablets", "2025-01-10"), LONDON)
    assert ordered(order("Folic acid 5mg tablets", "2025-01-10") | members, LONDON) is None


def test_the_rules_are_asked_at_each_visit_and_each_order() -> None:
    found = calls([person(), visit("2025-01-10"), visit("2025-02-10"), order("Amoxicillin", "2025-03-10")])

    assert [(call["hook"], call["day"]) for call in found] == [
        ("patient-view", "2025-01-10"),
        ("patient-view", "2025-02-10"),
        ("order-sign", "2025-03-10"),
    ]


def test_where_there_is_no_visit_the_rules_are_asked_each_month() -> None:
    found = calls([person()])

    assert [call["day"] for call in found][:2] == ["2024-12-01", "2025-01-01"]
    assert len(found) == 24


def test_nothing_is_asked_outside_the_period() -> None:
    found = calls([person(), visit("2024-11-22"), visit("2024-11-23"), visit("2026-11-23"), visit("2026-11-24")])

    assert [call["day"] for call in found] == ["2024-11-23", "2026-11-23"]


# --- nothing of the future ---------------------------------------------------------------------------------------

FOLIC_ACID = order("Folic acid 5mg tablets", "2026-02-10T10:00:00Z", "folic-acid")


def signing(*chart: Resource) -> set[str]:
    """The rules that speak as folic acid is signed."""
    found = [call for call in calls([person(), *chart, FOLIC_ACID]) if call["ordered"] == "folic acid"]
    [call] = found
    return topics(call)


def test_an_order_is_not_in_its_own_chart() -> None:
    assert "folate-before-b12" in signing(anaemia("2025-03-01"))


def test_a_problem_counts_from_the_day_it_was_recorded() -> None:
    assert "folate-before-b12" in signing(anaemia("2026-02-10T09:59:00Z"))
    assert "folate-before-b12" not in signing(anaemia("2026-02-10T10:01:00Z"))


def test_a_treatment_that_was_stopped_later_was_there_before() -> None:
    later: Resource = {"status": "stopped", "meta": {"lastUpdated": "2026-06-01T00:00:00Z"}}
    earlier: Resource = {"status": "stopped", "meta": {"lastUpdated": "2025-06-01T00:00:00Z"}}
    given = {
        "resourceType": "MedicationAdministration",
        "id": "given",
        "status": "completed",
        "medicationCodeableConcept": {"text": "Hydroxocobalamin 1mg/1ml injection"},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": "2026-01-20",
        "dosage": {"dose": {"value": 1, "unit": "mg"}},
    }
    chart = [anaemia("2025-03-01")]

    assert "folate-before-b12" not in signing(*chart, hydroxocobalamin("2025-04-01", **later), given)
    assert "folate-before-b12" in signing(*chart, hydroxocobalamin("2025-04-01", **earlier))


def test_orders_of_one_moment_are_drafts_beside_each_other() -> None:
    together = hydroxocobalamin("2026-02-10T10:00:00Z")
    next_day = hydroxocobalamin("2026-02-11T10:00:00Z")

    assert "folate-before-b12" in signing(anaemia("2025-03-01"), next_day)
    assert "folate-before-b12" not in signing(anaemia("2025-03-01"), together)


NEWS = [
    anaemia("2026-08-01"),
    b12(60, "2026-08-01"),
    b12(900, "2026-08-03T10:00:00Z"),
    hydroxocobalamin("2026-08-01"),
    order("Metformin 500mg tablets", "2026-08-01", "metformin"),
    order("Folic acid 5mg tablets", "2026-08-04", "later-folic-acid", status="stopped"),
    visit("2026-08-05"),
    {"resourceType": "AllergyIntolerance", "id": "allergy", "code": {"text": "Hydroxocobalamin"},
     "patient": {"reference": f"Patient/{PATIENT}"}, "recordedDate": "2026-08-01"},
    {"resourceType": "Procedure", "id": "gastrectomy", "status": "completed", "code": {"text": "Total gastrectomy"},
     "subject": {"reference": f"Patient/{PATIENT}"}, "performedDateTime": "2026-08-01"},
]  # fmt: skip
CUT = "2026-08-01"


def of_demo(count: int) -> list[list[Resource]]:
    """Charts of vignettes and of ordinary patients."""
    vignettes = population.usable("uk")
    chosen = vignettes[:: len(vignettes) // count]
    found = [population.of_vignette(vignette, file.today, PATIENT, load()) for _, file, vignette in chosen]
    return [*found, ordinary.chart(PATIENT, Random(3), TODAY)]  # noqa: S311


def test_what_happens_later_changes_nothing_of_what_was_said_before() -> None:
    spoke = 0
    for chart in of_demo(60):
        visits = [visit(day) for day in ("2026-02-01", "2026-05-01", "2026-07-31T09:00:00Z")]
        then = [*(each for each in chart if _known_before_the_cut(each)), *visits]
        now = [*(_as_it_went_on(each) for each in then), *NEWS]

        before, after = ([call for call in calls(each) if call["day"] < CUT] for each in (then, now))

        assert before == after
        spoke += any(call["alerts"] for call in before)
    assert spoke > 5


def test_the_future_would_have_been_heard() -> None:
    chart = [person(), visit("2026-07-30"), visit("2026-10-02")]

    quiet, loud = calls([*chart, anaemia("2026-08-01"), b12(60, "2026-08-01")])

    assert topics(quiet) == set()
    assert topics(loud) == {"untreated-deficiency"}


def _known_before_the_cut(resource: Resource) -> bool:
    if resource["resourceType"] == "Encounter":
        return bool(resource["period"]["start"] < CUT)
    source = next(source for source, kinds in TYPES.items() if resource["resourceType"] in kinds)
    found = [*versions(source, resource, LONDON)]
    # One state from before the cut on: what an export of that day would hold, too.
    return len(found) == 1 and found[0].known < day(CUT) - timedelta(days=1)


def _as_it_went_on(resource: Resource) -> Resource:
    """The same resource in a later export: the patient has died, orders were stopped, problems have resolved."""
    match resource["resourceType"]:
        case "Patient":
            return {**resource, "deceasedDateTime": "2026-08-20"}
        case "MedicationRequest" if resource["status"] == "active" and "meta" not in resource:
            changed = {"meta": {"lastUpdated": "2026-08-10T12:00:00Z"}, "statusReason": {"text": "level normal"}}
            return {**resource, "status": "stopped", **changed}
        case "Condition" if "clinicalStatus" in resource:
            over = {"coding": [{"code": "resolved"}]}
            return {**resource, "clinicalStatus": over, "abatementDateTime": "2026-08-06"}
    return resource


def test_a_date_without_a_time_is_the_start_of_its_last_day_or_its_end() -> None:
    assert moment("2026-02", LONDON) == day("2026-02-28")
    assert moment("2026-02-10", LONDON, end_of_day=True) == day("2026-02-10T23:59:59.999999")
    assert moment("no date", LONDON) is None
