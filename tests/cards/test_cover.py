"""Cover: what ensures B12 treatment, and what only looks as if it did."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from cards.cover import cover, first_dose, oral_bridging, ordered_without_dose
from cards.library import load
from cards.record import (
    Course,
    CourseStatus,
    Dose,
    Instruction,
    Medicine,
    Order,
    PatientRecord,
    Problem,
    Repeat,
    Route,
    Strength,
    When,
)
from cards.rule import PROFILES, Limits, Profile
from cards.terminology import Concept
from cards.vignettes import amount, period

TODAY = date(2026, 11, 23)
LIMITS: dict[Profile, Limits] = {profile: load().rules(profile)[0].limits for profile in PROFILES}
UK = LIMITS["uk"]
DAILY = Repeat(Decimal(1), period("1 d"))
AMPOULE = Medicine(("hydroxocobalamin",), form_route=Route.INJECTION)


def _by_mouth(
    dose: str = "1000 mcg",
    route: Route | None = Route.ORAL,
    status: CourseStatus = CourseStatus.ACTIVE,
    since: date = date(2026, 9, 1),
) -> Course:
    instruction = Instruction(amount(dose), route, repeat=DAILY)
    return Course("", Medicine(("cyanocobalamin",)), status, (instruction,), When.on(since))


def _covered(record: PatientRecord, limits: Limits = UK, starts: date = TODAY) -> bool:
    return cover(record, limits, TODAY, starts) is not None


def test_nothing_on_record_is_no_cover() -> None:
    assert not _covered(PatientRecord())


@pytest.mark.parametrize(
    ("course", "covers"),
    [
        (_by_mouth(), True),
        (_by_mouth(route=Route.SUBLINGUAL), True),
        (_by_mouth(route=Route.NASAL), True),
        (_by_mouth(route=Route.TRANSDERMAL), False),
        (_by_mouth("999 mcg"), False),
        (_by_mouth("500-1000 mcg"), False),  # the smaller dose may be the one that is taken
        (_by_mouth(status=CourseStatus.ON_HOLD), False),
        (_by_mouth(status=CourseStatus.STOPPED), False),
        (_by_mouth(status=CourseStatus.COMPLETED), False),
        (_by_mouth(status=CourseStatus.UNKNOWN), False),
        (replace(_by_mouth(), do_not_perform=True), False),
        (replace(_by_mouth(), medicine=Medicine(("folic_acid",))), False),
        (replace(_by_mouth(), medicine=Medicine(("radiolabelled_b12",))), False),
    ],
)
def test_oral_b12_covers_when_it_is_enough_and_being_taken(course: Course, covers: bool) -> None:
    assert _covered(PatientRecord(courses=(course,))) is covers


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("name", "meaning", "doubtful"),
    [
        ("pernicious_anemia", None, True),
        ("gastrectomy_status", "total", True),
        ("bariatric_status", "bypass", False),
        ("celiac", None, False),
    ],
)
def test_oral_b12_is_doubtful_in_three_causes_in_the_united_kingdom(
    profile: Profile, name: str, meaning: str | None, doubtful: bool
) -> None:
    problem = Problem((Concept("condition", name, meaning),), began=When.on(date(2020, 1, 1)))
    record = PatientRecord(problems=(problem,), courses=(_by_mouth(),))

    assert _covered(record, LIMITS[profile]) is not (doubtful and profile == "uk")


def _draft(medicine: Medicine, dose: str, starts: date | None = None) -> Order:
    return Order("", medicine, CourseStatus.DRAFT, (Instruction(amount(dose), repeat=DAILY, starts=starts),))


@pytest.mark.parametrize(
    ("b12", "dose", "covers"),
    [("1000", "1 tablet", True), ("50", "1 tablet", False), ("1000", "5 mg", False), ("500", "2 tablets", True)],
)
def test_the_b12_of_a_combined_product_covers_when_it_is_enough(b12: str, dose: str, covers: bool) -> None:
    strengths = {"folic_acid": Strength(Decimal(5000)), "cobalamin": Strength(Decimal(b12))}
    combined = Medicine(("folic_acid", "cobalamin"), strengths=strengths, form_route=Route.ORAL)

    assert _covered(PatientRecord(drafts=(_draft(combined, dose),))) is covers


@pytest.mark.parametrize(
    ("draft", "covers"),
    [
        (_draft(AMPOULE, "1 mg"), True),
        (_draft(AMPOULE, "1 mg", starts=TODAY), True),
        (_draft(AMPOULE, "1 mg", starts=date(2026, 11, 24)), False),
        (replace(_draft(AMPOULE, "1 mg"), status=CourseStatus.CANCELLED), False),
        (replace(_draft(AMPOULE, "1 mg"), do_not_perform=True), False),
        (_draft(Medicine(("hydroxocobalamin_antidote",), form_route=Route.INTRAVENOUS), "5 g"), False),
    ],
)
def test_a_drafted_injection_covers_when_it_comes_no_later_than_the_folate(draft: Order, covers: bool) -> None:
    assert _covered(PatientRecord(drafts=(draft,))) is covers


def test_a_folate_of_next_week_is_covered_by_b12_of_tomorrow() -> None:
    draft = _draft(AMPOULE, "1 mg", starts=date(2026, 11, 24))

    assert _covered(PatientRecord(drafts=(draft,)), starts=date(2026, 11, 30))


def test_the_first_dose_is_a_planned_day_else_the_start_else_today() -> None:
    both = Instruction(starts=date(2026, 12, 1), events=(date(2026, 12, 3), date(2026, 12, 2)))
    start = Instruction(starts=date(2026, 12, 1))

    assert first_dose(Order("", AMPOULE, CourseStatus.DRAFT, (both,)), TODAY) == date(2026, 12, 2)
    assert first_dose(Order("", AMPOULE, CourseStatus.DRAFT, (start,)), TODAY) == date(2026, 12, 1)
    assert first_dose(Order("", AMPOULE, CourseStatus.DRAFT), TODAY) == TODAY


def test_an_ordered_injection_without_any_dose_is_no_cover_but_is_named() -> None:
    ordered = Course("", AMPOULE, CourseStatus.ACTIVE, (Instruction(amount("1 mg")),), When.on(date(2026, 11, 1)))
    given = Dose(AMPOULE, When.on(date(2020, 1, 1)), route=Route.INTRAMUSCULAR)

    assert not _covered(PatientRecord(courses=(ordered,)))
    assert ordered_without_dose(PatientRecord(courses=(ordered,)), UK, TODAY) is ordered
    assert ordered_without_dose(PatientRecord(courses=(ordered,), doses=(given,)), UK, TODAY) is None


@pytest.mark.parametrize(
    ("course", "bridges"),
    [(_by_mouth(), True), (_by_mouth("500 mcg"), False), (_by_mouth(status=CourseStatus.ON_HOLD), False)],
)
def test_oral_b12_bridges_whatever_the_cause(course: Course, bridges: bool) -> None:
    pernicious = Problem((Concept("condition", "pernicious_anemia"),))

    assert oral_bridging(PatientRecord(problems=(pernicious,), courses=(course,)), UK, TODAY) is bridges
