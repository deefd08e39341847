"""Doses and due dates: what the example patients do not show readily."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from cards.dosing import Mcg, Phase, between_doses, daily, ends_on, mass, phase, runs_on
from cards.due_date import (
    DueState,
    Plan,
    current_plan,
    grace_days,
    injections,
    past_plan,
    shortened_recently,
    standing,
    unread_plan,
)
from cards.library import load
from cards.record import (
    Amount,
    AmountUnit,
    Course,
    CourseStatus,
    Dispensed,
    Dose,
    Instruction,
    Medicine,
    PatientRecord,
    Period,
    PeriodUnit,
    Repeat,
    Route,
    Source,
    Strength,
    When,
)
from cards.rule import Limits
from cards.vignettes import amount, period

LIMITS: Limits = load().rules("uk")[0].limits
AMPOULE = Medicine(
    ("hydroxocobalamin",),
    strengths={"hydroxocobalamin": Strength(Decimal(1000), Decimal(1))},
    form_route=Route.INJECTION,
)
TABLET = Medicine(("folic_acid",), strengths={"folic_acid": Strength(Decimal(5000))}, form_route=Route.ORAL)
TWELVE_WEEKS = Plan(period("12 wk"), None)


def _every(text: str, times: int = 1) -> Repeat:
    return Repeat(Decimal(times), period(text))


def _given(day: str, source: Source = Source.DOSES, medicine: Medicine = AMPOULE) -> Dose:
    when = When.on(date.fromisoformat(day))
    return Dose(medicine, when, route=Route.INTRAMUSCULAR, source=source, stated=source is Source.STATEMENTS)


def _order(
    *repeats: Repeat, status: CourseStatus = CourseStatus.ACTIVE, since: str = "2026-01-01", ends: str | None = None
) -> Course:
    instructions = tuple(Instruction(repeat=each, ends=date.fromisoformat(ends) if ends else None) for each in repeats)
    return Course("", AMPOULE, status, instructions, When.on(date.fromisoformat(since)))


def _supply(day: str, quantity: str | None = None, days: int | None = None) -> Dispensed:
    when = When.on(date.fromisoformat(day))
    return Dispensed(AMPOULE, when, amount(quantity) if quantity else None, Decimal(days) if days else None)


# --- doses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "medicine", "ingredient", "mcg"),
    [
        ("1 mg", AMPOULE, "hydroxocobalamin", ("1000", "1000")),
        ("1 ampoule", AMPOULE, "hydroxocobalamin", ("1000", "1000")),
        ("2 ampoules", AMPOULE, "hydroxocobalamin", ("2000", "2000")),
        ("1 ml", AMPOULE, "hydroxocobalamin", ("1000", "1000")),
        ("0.5 ml", AMPOULE, "hydroxocobalamin", ("500", "500")),
        ("1-2 tablets", TABLET, "folic_acid", ("5000", "10000")),
        ("1 ml", TABLET, "folic_acid", None),  # a tablet has no volume
        ("1", TABLET, "folic_acid", None),  # one what?
        ("1 drop", TABLET, "folic_acid", None),
        ("1 tablet", TABLET, "cobalamin", None),
    ],
)
def test_a_dose_is_turned_into_micrograms_or_not_known(
    written: str, medicine: Medicine, ingredient: str, mcg: tuple[str, str] | None
) -> None:
    expected = Mcg(Decimal(mcg[0]), Decimal(mcg[1])) if mcg else None

    assert mass(amount(written), medicine, ingredient) == expected


def test_one_ampoule_of_ten_milligrams_in_two_millilitres_holds_ten_milligrams() -> None:
    strong = Medicine(("hydroxocobalamin",), strengths={"hydroxocobalamin": Strength(Decimal(10000), Decimal(2))})

    assert mass(amount("1 ampoule"), strong, "hydroxocobalamin") == Mcg(Decimal(10000), Decimal(10000))
    assert mass(amount("1 ml"), strong, "hydroxocobalamin") == Mcg(Decimal(5000), Decimal(5000))


def test_a_mass_of_folic_acid_with_b12_is_not_taken_for_a_dose_of_b12() -> None:
    both = Medicine(("cobalamin", "folic_acid"), strengths={"cobalamin": Strength(Decimal(50))})

    assert mass(amount("5 mg"), both, "folic_acid") == Mcg(Decimal(5000), Decimal(5000))
    assert mass(amount("5 mg"), both, "cobalamin") is None
    assert mass(amount("1 tablet"), both, "cobalamin") == Mcg(Decimal(50), Decimal(50))


@pytest.mark.parametrize(
    ("repeat", "low", "high"),
    [
        (None, "5000", "5000"),  # does not say how often: taken as daily
        (_every("1 d"), "5000", "5000"),
        (_every("1 d", 2), "10000", "10000"),
        (_every("1 wk"), "714.3", "714.3"),  # 5 mg weekly is 0.71 mg a day
        (_every("2-3 d"), "1666.7", "2500"),
    ],
)
def test_a_daily_amount_is_shared_out_evenly(repeat: Repeat | None, low: str, high: str) -> None:
    found = daily(Instruction(amount("5 mg"), repeat=repeat), TABLET, "folic_acid")

    assert found
    assert (round(found.low, 1), round(found.high, 1)) == (Decimal(low), Decimal(high))


def test_a_dose_that_is_not_known_has_no_daily_amount() -> None:
    assert daily(Instruction(repeat=_every("1 d")), TABLET, "folic_acid") is None
    assert daily(Instruction(amount("5 mg"), repeat=_every("0 d")), TABLET, "folic_acid") is None


# --- phases and bounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repeat", "is_phase"),
    [
        (_every("2 d"), Phase.LOADING),
        (_every("1 wk", 3), Phase.LOADING),
        (_every("1 wk"), Phase.LOADING),
        (_every("7 d"), Phase.LOADING),
        (_every("8 d"), Phase.MAINTENANCE),
        (_every("1-2 wk"), Phase.MAINTENANCE),
        (_every("1 mo"), Phase.MAINTENANCE),
        (_every("2-3 mo"), Phase.MAINTENANCE),
        (None, Phase.SINGLE),
    ],
)
def test_injections_at_most_seven_days_apart_are_loading(repeat: Repeat | None, is_phase: Phase) -> None:
    assert phase(Instruction(repeat=repeat)) is is_phase


def test_one_dose_is_neither_loading_nor_maintenance() -> None:
    assert phase(Instruction(repeat=_every("3 mo"), count=1)) is Phase.SINGLE


def test_three_times_a_week_is_every_seven_thirds_of_a_day() -> None:
    gap = between_doses(Instruction(repeat=_every("1 wk", 3)))

    assert gap
    assert gap.unit is PeriodUnit.DAY
    assert round(gap.high, 3) == Decimal("2.333")


@pytest.mark.parametrize(
    ("instruction", "ends"),
    [
        (Instruction(repeat=_every("3 mo")), None),
        (Instruction(repeat=_every("2 d"), lasts=period("2 wk")), date(2026, 1, 15)),
        (Instruction(repeat=_every("2 d"), lasts=period("2 wk"), starts=date(2026, 2, 1)), date(2026, 2, 15)),
        (Instruction(repeat=_every("1 wk", 3), count=6), date(2026, 1, 13)),  # the sixth dose
        (Instruction(repeat=_every("3 mo"), count=4), date(2026, 10, 1)),
        (Instruction(repeat=_every("3 mo"), ends=date(2026, 6, 1), count=4), date(2026, 6, 1)),
    ],
)
def test_an_instruction_ends_by_its_own_bounds(instruction: Instruction, ends: date | None) -> None:
    assert ends_on(instruction, date(2026, 1, 1)) == ends


def test_loading_then_maintenance_runs_on_after_the_loading() -> None:
    loading = Instruction(repeat=_every("2 d"), lasts=period("2 wk"))
    course = Course("", AMPOULE, CourseStatus.ACTIVE, (loading,), When.on(date(2026, 1, 1)))
    both = Course("", AMPOULE, CourseStatus.ACTIVE, (loading, Instruction(repeat=_every("3 mo"))), course.authored)

    assert runs_on(course, date(2026, 1, 15))
    assert not runs_on(course, date(2026, 1, 16))
    assert runs_on(both, date(2027, 1, 16))


# --- what was given ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "days"),
    [
        ([("2026-09-01", Source.DOSES), ("2026-09-01", Source.CLAIMS)], ["2026-09-01"]),
        ([("2026-09-01", Source.DOSES), ("2026-09-01", Source.DOSES)], ["2026-09-01"]),
        ([("2026-09-01", Source.DOSES), ("2026-09-02", Source.CLAIMS)], ["2026-09-01"]),
        ([("2026-09-01", Source.CLAIMS), ("2026-09-02", Source.DOSES)], ["2026-09-02"]),
        ([("2026-09-01", Source.STATEMENTS), ("2026-09-02", Source.DOSES)], ["2026-09-02"]),
        ([("2026-09-01", Source.DOSES), ("2026-09-02", Source.DOSES)], ["2026-09-01", "2026-09-02"]),
        ([("2026-09-01", Source.DOSES), ("2026-09-03", Source.CLAIMS)], ["2026-09-01", "2026-09-03"]),
        ([("2026-09-03", Source.DOSES), ("2026-09-01", Source.DOSES)], ["2026-09-01", "2026-09-03"]),
        (
            [("2026-09-01", Source.DOSES), ("2026-09-01", Source.STATEMENTS), ("2026-09-01", Source.CLAIMS)],
            ["2026-09-01"],
        ),
    ],
)
def test_one_injection_recorded_in_several_places_is_one(records: list[tuple[str, Source]], days: list[str]) -> None:
    record = PatientRecord(doses=tuple(_given(day, source) for day, source in records))

    assert [dose.when.latest.isoformat() for dose in injections(record)] == days


def test_an_administration_beside_its_claim_is_not_waited_for_as_a_claim() -> None:
    both = PatientRecord(doses=(_given("2026-09-01", Source.CLAIMS), _given("2026-09-02")))
    claim = PatientRecord(doses=(_given("2026-09-01", Source.CLAIMS),))

    counted, waited = (standing(each, TWELVE_WEEKS, LIMITS, date(2026, 12, 31)) for each in (both, claim))

    assert counted
    assert waited
    assert (counted.due, counted.grace_ends) == (date(2026, 11, 25), date(2026, 12, 16))
    assert (waited.due, waited.grace_ends) == (date(2026, 11, 24), date(2027, 1, 14))


@pytest.mark.parametrize(
    "medicine",
    [
        Medicine(("hydroxocobalamin_antidote",), form_route=Route.INJECTION),
        Medicine(("radiolabelled_b12",), form_route=Route.INJECTION),
        Medicine(("folic_acid",), form_route=Route.INJECTION),
    ],
)
def test_what_is_no_b12_treatment_is_no_injection(medicine: Medicine) -> None:
    assert injections(PatientRecord(doses=(_given("2026-09-01", medicine=medicine),))) == ()


# --- plans -------------------------------------------------------------------------------------------------------


def test_of_two_active_orders_the_shorter_interval_counts() -> None:
    record = PatientRecord(courses=(_order(_every("3 mo")), _order(_every("8 wk")), _order(_every("12 wk"))))

    plan = current_plan(record, date(2026, 11, 23))

    assert plan
    assert plan.interval == Period(Decimal(8), Decimal(8), PeriodUnit.WEEK)


@pytest.mark.parametrize(
    "course",
    [
        _order(_every("1 wk")),
        _order(_every("3 mo"), status=CourseStatus.STOPPED),
        _order(_every("3 mo"), status=CourseStatus.COMPLETED),
        _order(_every("3 mo"), ends="2026-11-22"),
    ],
)
def test_an_order_that_loads_or_has_ended_is_no_plan(course: Course) -> None:
    assert current_plan(PatientRecord(courses=(course,)), date(2026, 11, 23)) is None


def test_an_order_on_hold_is_still_the_plan() -> None:
    held = _order(_every("3 mo"), status=CourseStatus.ON_HOLD)

    assert current_plan(PatientRecord(courses=(held,)), date(2026, 11, 23))


def test_the_newest_order_that_ended_says_how_often() -> None:
    older = _order(_every("1 mo"), status=CourseStatus.COMPLETED, since="2024-01-01")
    newer = _order(_every("3 mo"), status=CourseStatus.STOPPED, since="2025-01-01")

    plan = past_plan(PatientRecord(courses=(newer, older)), period("2 mo"))

    assert plan == Plan(period("3 mo"), newer)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(["2026-01-01", "2026-01-09"], True), (["2026-01-01", "2026-01-08"], False), (["2026-01-01"], False)],
)
def test_doses_more_than_a_week_apart_are_past_maintenance(days: list[str], expected: bool) -> None:
    record = PatientRecord(doses=tuple(_given(day) for day in days))

    assert (past_plan(record, period("2 mo")) is not None) is expected


def test_an_active_order_whose_timing_could_not_be_read_is_named() -> None:
    unread = Course("", AMPOULE, CourseStatus.ACTIVE, (Instruction(timing_unread=True),))

    assert unread_plan(PatientRecord(courses=(unread,)), date(2026, 11, 23)) is unread
    assert unread_plan(PatientRecord(courses=(_order(_every("3 mo")),)), date(2026, 11, 23)) is None


def test_an_interval_that_was_lengthened_gives_no_extra_time() -> None:
    longer, shorter = _order(_every("3 mo"), since="2026-11-20"), _order(_every("1 mo"), since="2025-01-01")
    record = PatientRecord(courses=(longer, shorter))

    assert not shortened_recently(record, Plan(period("3 mo"), longer), date(2026, 11, 23), LIMITS)


# --- standing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "interval", "due", "grace_ends"),
    [
        ("2026-01-31", "1 mo", "2026-02-28", "2026-03-07"),
        ("2025-11-30", "3 mo", "2026-02-28", "2026-03-21"),
        ("2026-01-01", "12 wk", "2026-03-26", "2026-04-16"),
        ("2026-01-01", "2-3 mo", "2026-04-01", "2026-04-22"),
        ("2026-01-01", "2 mo", "2026-03-01", "2026-03-16"),
        ("2026-01-01", "2 wk", "2026-01-15", "2026-01-22"),
    ],
)
def test_a_dose_is_due_after_the_upper_bound_by_the_calendar(
    last: str, interval: str, due: str, grace_ends: str
) -> None:
    where = standing(PatientRecord(doses=(_given(last),)), Plan(period(interval), None), LIMITS, date(2026, 6, 1))

    assert where
    assert (where.due.isoformat(), where.grace_ends.isoformat()) == (due, grace_ends)


@pytest.mark.parametrize(
    ("today", "state"),
    [
        ("2026-03-25", DueState.NOT_DUE),
        ("2026-03-26", DueState.DUE),
        ("2026-04-16", DueState.DUE),
        ("2026-04-17", DueState.OVERDUE),
        ("2026-06-17", DueState.OVERDUE),
        ("2026-06-18", DueState.SERIOUSLY_OVERDUE),
        ("2026-12-31", DueState.SERIOUSLY_OVERDUE),
        ("2027-01-01", DueState.LOST),
    ],
)
def test_twelve_weeks_pass_through_every_state(today: str, state: DueState) -> None:
    record = PatientRecord(doses=(_given("2026-01-01"),))

    where = standing(record, TWELVE_WEEKS, LIMITS, date.fromisoformat(today))

    assert where
    assert where.state is state


@pytest.mark.parametrize(("days", "grace"), [(14, 7), (28, 7), (30, 8), (56, 14), (60, 15), (84, 21), (182, 21)])
def test_the_grace_is_a_quarter_of_the_interval_within_one_to_three_weeks(days: int, grace: int) -> None:
    assert grace_days(timedelta(days=days), LIMITS) == grace


@pytest.mark.parametrize(
    ("supply", "given", "last"),
    [
        # The first ampoule is used on the day of the hand-over.
        (_supply("2026-01-01", "1 ampoule"), [], "2026-01-01"),
        (_supply("2026-01-01", "2 ampoules"), [], "2026-03-26"),
        (_supply("2026-01-01", "3"), [], "2026-06-18"),
        (_supply("2026-01-01", "2 ml"), [], "2026-03-26"),  # of 1 mg/ml
        (_supply("2026-01-01", days=168), [], "2026-03-26"),
        (_supply("2026-01-01", days=84), [], "2026-01-01"),
        (_supply("2026-01-01", days=80), [], "2026-01-01"),
        (_supply("2026-01-01", "2 ampoules", days=84), [], "2026-03-26"),
        (_supply("2026-01-01", "2 ampoules"), ["2026-01-10"], "2026-04-04"),  # one was given, one is left
        (_supply("2026-01-01", "1 ampoule"), ["2026-01-10"], "2026-01-10"),  # the nurse gave the ampoule
        (_supply("2026-01-01", "1 ampoule"), ["2025-12-01"], "2026-01-01"),
    ],
)
def test_a_supply_for_self_injection_covers_its_ampoules(supply: Dispensed, given: list[str], last: str) -> None:
    record = PatientRecord(doses=tuple(_given(day) for day in given), dispensed=(supply,))

    where = standing(record, TWELVE_WEEKS, LIMITS, date(2026, 6, 1))

    assert where
    assert where.last.isoformat() == last


@pytest.mark.parametrize(("days", "last"), [(90, "2026-01-01"), (182, "2026-04-01"), (365, "2026-10-01")])
def test_ninety_days_of_supply_are_three_months(days: int, last: str) -> None:
    record = PatientRecord(dispensed=(_supply("2026-01-01", days=days),))

    where = standing(record, Plan(period("3 mo"), None), LIMITS, date(2026, 6, 1))

    assert where
    assert where.last.isoformat() == last


def test_nothing_on_record_stands_nowhere() -> None:
    tablets = Dispensed(Medicine(("cyanocobalamin",), form_route=Route.ORAL), When.on(date(2026, 1, 1)), amount("50"))

    assert standing(PatientRecord(), TWELVE_WEEKS, LIMITS, date(2026, 6, 1)) is None
    assert standing(PatientRecord(dispensed=(tablets,)), TWELVE_WEEKS, LIMITS, date(2026, 6, 1)) is None


def test_a_dose_known_only_to_the_month_counts_at_its_last_day() -> None:
    told = Dose(AMPOULE, When(date(2026, 1, 1), date(2026, 1, 31)), route=Route.INTRAMUSCULAR, stated=True)

    where = standing(PatientRecord(doses=(told,)), TWELVE_WEEKS, LIMITS, date(2026, 6, 1))

    assert where
    assert where.last == date(2026, 1, 31)
    assert where.days_overdue(date(2026, 4, 26)) == 1


def test_an_amount_without_a_unit_is_kept_apart_from_one_with_an_unknown_unit() -> None:
    assert amount("5") == Amount(Decimal(5), Decimal(5), AmountUnit.NONE)
    assert amount("5 drops").unit is AmountUnit.UNKNOWN
