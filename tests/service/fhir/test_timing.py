"""When doses are to be given: structures of every version, timing codes, and the words that prescribers write."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cards.record import Instruction, Period, PeriodUnit, Repeat
from tests.service.fhir.reading import Json, order

V3 = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0335"
_UNITS = {unit.value: unit for unit in PeriodUnit}


def instructions(*dosages: Json) -> tuple[Instruction, ...]:
    drug = {"text": "Hydroxocobalamin 1mg/1ml injection"}
    return order(medicationCodeableConcept=drug, dosageInstruction=list(dosages)).instructions


def timed(**timing: Any) -> Instruction:
    (found,) = instructions({"timing": timing})
    return found


def said(text: str) -> Instruction:
    (found,) = instructions({"text": text})
    return found


def often(text: str) -> Repeat:
    """`3/1wk` is three times a week, `1/2-3mo` every two to three months."""
    times, _, period = text.partition("/")
    span = period.rstrip("hdwkmoa")
    low, _, high = span.partition("-")
    return Repeat(Decimal(times), Period(Decimal(low), Decimal(high or low), _UNITS[period.removeprefix(span)]))


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        ({"frequency": 3, "period": 1, "periodUnit": "wk"}, "3/1wk"),
        ({"frequency": 1, "period": 3, "periodUnit": "mo"}, "1/3mo"),
        ({"frequency": 1, "period": 2, "periodUnit": "mo"}, "1/2mo"),
        ({"frequency": 1, "period": 12, "periodUnit": "wk"}, "1/12wk"),
        ({"frequency": 1, "period": 2, "periodUnit": "d"}, "1/2d"),
        ({"frequency": 1, "period": 2, "periodMax": 3, "periodUnit": "mo"}, "1/2-3mo"),
        ({"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "d"}, "2/1d"),
        ({"period": 48, "periodUnit": "h"}, "1/48h"),
        ({"period": 90, "periodUnit": "min"}, "1/1.5h"),
        ({"period": 1, "periodUnit": "a"}, "1/1a"),
        ({"frequency": 1, "period": 1, "periodUnits": "d"}, "1/1d"),
        ({"frequency": "1", "period": "3", "periodUnit": "mo"}, "1/3mo"),
        ({"dayOfWeek": ["mon", "wed", "fri"]}, "3/1wk"),
        ({"dayOfWeek": ["mon", "wed", "fri"], "frequency": 1, "period": 1, "periodUnit": "d"}, "3/1wk"),
        ({"dayOfWeek": ["mon", "wed", "fri"], "frequency": 1, "period": 1, "periodUnit": "wk"}, "3/1wk"),
        ({"dayOfWeek": ["mon"], "frequency": 1, "period": 2, "periodUnit": "wk"}, "1/2wk"),
        ({"when": ["MORN"]}, "1/1d"),
        ({"timeOfDay": ["08:00:00", "20:00:00"]}, "2/1d"),
    ],
)
def test_a_structured_repetition_is_read(repeat: Json, expected: str) -> None:
    assert timed(repeat=repeat).repeat == often(expected)


@pytest.mark.parametrize("text", ["inject monthly", "every 8 weeks", "every 3 months, then monthly for a year", "stat"])
def test_a_structured_repetition_stands_when_the_words_do_not_contradict_it(text: str) -> None:
    timing = {"repeat": {"frequency": 1, "period": 3, "periodUnit": "mo"}}
    (found,) = instructions({"timing": timing, "text": text})
    contradicted = text in ("inject monthly", "every 8 weeks")
    assert (found.repeat, found.timing_unread) == (None if contradicted else often("1/3mo"), contradicted)


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (V3, "QOD", "1/2d"),
        (V3, "BID", "2/1d"),
        (V3, "TID", "3/1d"),
        (V3, "QD", "1/1d"),
        (V3, "WK", "1/1wk"),
        (V3, "MO", "1/1mo"),
        (V3, "Q4H", "1/4h"),
        ("http://hl7.org/fhir/v3/GTSAbbreviation", "QOD", "1/2d"),
        (V2, "QOD", "1/2d"),
        (V2, "Q2D", "1/2d"),
        (V2, "Q4W", "1/4wk"),
        (V2, "Q12W", "1/12wk"),
        (V2, "Q2L", "1/8wk"),
    ],
)
def test_a_timing_code_is_read(system: str, code: str, expected: str) -> None:
    assert timed(code={"coding": [{"system": system, "code": code}]}).repeat == often(expected)


def test_a_code_without_a_known_meaning_is_read_by_its_words() -> None:
    assert timed(code={"coding": [{"code": "x", "display": "Every three months"}]}).repeat == often("1/3mo")
    assert timed(code={"text": "every 12 weeks"}).repeat == often("1/12wk")


def test_codes_for_once_and_as_needed_are_no_repetition() -> None:
    once = timed(code={"coding": [{"system": V2, "code": "Once"}]})
    needed = timed(code={"coding": [{"system": V2, "code": "PRN"}]})
    assert (once.repeat, once.count, once.timing_unread) == (None, 1, False)
    assert (needed.repeat, needed.as_needed, needed.timing_unread) == (None, True, False)


@pytest.mark.parametrize(
    "timing",
    [
        {"code": {"coding": [{"system": "urn:local", "code": "F17"}]}},
        {"code": {"coding": [{"system": V2, "code": "Q0D"}]}},
        {"repeat": {"frequency": 1, "period": 3, "periodUnit": "moon"}},
        {"repeat": {"frequency": 1, "period": 0, "periodUnit": "d"}},
        {"repeat": {"frequency": 1, "period": -3, "periodUnit": "mo", "dayOfWeek": []}},
        {"repeat": {"frequency": 1, "period": 1e300, "periodUnit": "d"}},
    ],
)
def test_a_timing_that_cannot_be_read_is_reported_and_not_guessed(timing: Json) -> None:
    found = timed(**timing)
    assert (found.repeat, found.timing_unread) == (None, True)


def test_an_order_without_any_timing_is_not_reported_as_unread() -> None:
    assert instructions({"text": "as directed"}) == (Instruction(),)
    assert not timed(repeat={"count": 1}).timing_unread


TWO_WEEKS = Period(Decimal(2), Decimal(2), PeriodUnit.WEEK)
TWO_TO_THREE = Period(Decimal(2), Decimal(3), PeriodUnit.WEEK)


@pytest.mark.parametrize(
    ("repeat", "lasts"),
    [
        ({"boundsDuration": {"value": 2, "code": "wk"}}, TWO_WEEKS),
        ({"boundsDuration": {"value": 2, "unit": "Weeks"}}, TWO_WEEKS),
        ({"boundsQuantity": {"value": 2, "code": "wk"}}, TWO_WEEKS),
        ({"boundsRange": {"low": {"value": 2, "code": "wk"}, "high": {"value": 3, "code": "wk"}}}, TWO_TO_THREE),
        ({"boundsDuration": {"value": 2, "unit": "moons"}}, None),
        ({"boundsDuration": {"unit": "weeks"}}, None),
    ],
)
def test_bounds_as_a_duration_say_how_long_the_course_lasts(repeat: Json, lasts: Period | None) -> None:
    assert timed(repeat=repeat).lasts == lasts


@pytest.mark.parametrize("name", ["boundsPeriod", "bounds"])
def test_bounds_as_a_period_say_when_the_course_starts_and_ends(name: str) -> None:
    found = timed(repeat={name: {"start": "2026-11-23", "end": "2026-12-07T23:30:00Z"}})
    assert (found.starts, found.ends) == (date(2026, 11, 23), date(2026, 12, 7))


@pytest.mark.parametrize(
    ("repeat", "count"),
    [
        ({"count": 6}, 6),
        ({"count": 5, "countMax": 6}, 6),
        ({"count": "6"}, 6),
        ({"count": 0}, None),
        ({"count": -1}, None),
        ({"count": 1e9}, None),
        ({"count": True}, None),
    ],
)
def test_a_count_of_doses_is_read_when_it_can_be_one(repeat: Json, count: int | None) -> None:
    assert timed(repeat=repeat).count == count


def test_planned_days_are_read_in_the_time_zone_of_the_site() -> None:
    found = timed(event=["2026-07-01", "2026-07-02T23:30:00Z", "soon"])
    assert found.events == (date(2026, 7, 1), date(2026, 7, 3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("three times a week", "3/1wk"),
        ("3 times a week", "3/1wk"),
        ("three times weekly", "3/1wk"),
        ("3x/week", "3/1wk"),
        ("x3 per week", "3/1wk"),
        ("3x weekly", "3/1wk"),
        ("Mon, Wed, Fri", "3/1wk"),
        ("twice weekly", "2/1wk"),
        ("3 days a week", "3/1wk"),
        ("on alternate days", "1/2d"),
        ("alt days", "1/2d"),
        ("every other day", "1/2d"),
        ("every second day", "1/2d"),
        ("EOD", "1/2d"),
        ("every 3 months", "1/3mo"),
        ("EVERY THREE MONTHS", "1/3mo"),
        ("once every 3 months", "1/3mo"),
        ("every third month", "1/3mo"),
        ("3 monthly", "1/3mo"),
        ("three-monthly", "1/3mo"),
        ("quarterly", "1/3mo"),
        ("every quarter", "1/3mo"),
        ("q3m", "1/3mo"),
        ("Q 3 months", "1/3mo"),
        ("every 3/12", "1/3mo"),
        ("1mg i.m. 3/12", "1/3mo"),
        ("3/52", "1/3wk"),
        ("5/7", "1/5d"),
        ("every 2 months", "1/2mo"),
        ("every other month", "1/2mo"),
        ("every 12 weeks", "1/12wk"),
        ("every twelve weeks", "1/12wk"),
        ("12-weekly", "1/12wk"),
        ("12 weekly", "1/12wk"),
        ("Q12W", "1/12wk"),
        ("every 12/52", "1/12wk"),
        ("every 2-3 months", "1/2-3mo"),
        ("every 2 to 3 months", "1/2-3mo"),
        ("every two or three months", "1/2-3mo"),
        ("2-3 monthly", "1/2-3mo"),
        ("every 8–12 weeks", "1/8-12wk"),
        ("every 8/52-12/52", "1/8-12wk"),
        ("every 28 days", "1/28d"),
        ("every 72 hours", "1/72h"),
        ("fortnightly", "1/2wk"),
        ("weekly", "1/1wk"),
        ("every Monday", "1/1wk"),
        ("monthly", "1/1mo"),
        ("once a month", "1/1mo"),
        ("twice a year", "2/1a"),
        ("every 6 months (dietary)", "1/6mo"),
        ("take one daily", "1/1d"),
        ("1 tablet/day", "1/1d"),
        ("o.d.", "1/1d"),
        ("at night", "1/1d"),
        ("bd", "2/1d"),
        ("tds", "3/1d"),
        ("qds", "4/1d"),
        ("6 injections over 2 weeks", "6/2wk"),
    ],
)
def test_the_words_of_prescribers_are_read(text: str, expected: str) -> None:
    assert said(text).repeat == often(expected)


@pytest.mark.parametrize(
    "text",
    [
        "review in 3/12",
        "Review 3/12",
        "recheck bloods in 3 months",
        "blood test every 3 months",
        "B12 level in 3/12",
        "follow-up at 12 weeks",
        "repeat in 3 months",
        "next due in 3 months",
        "start 3/12",
        "after 3/12",
        "on 3/7",
        "last given 3/12 ago",
        "3 months ago",
        "12/12/2026",
        "for 3 months",
        "give over 5 minutes",
        "starting Monday",
        "as directed",
    ],
)
def test_a_time_that_is_no_interval_of_doses_is_not_taken_for_one(text: str) -> None:
    assert said(text).repeat is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Give 3 monthly. Bloods 12 monthly.", "1/3mo"),
        ("every 3 months (review in 6 months)", "1/3mo"),
        ("Recheck levels, then 3 monthly", "1/3mo"),
        ("every 3 months for life", "1/3mo"),
        ("weekly for 4 weeks", "1/1wk"),
        ("daily for 4 months", "1/1d"),
    ],
)
def test_the_interval_is_found_beside_other_times(text: str, expected: str) -> None:
    assert said(text).repeat == often(expected)


@pytest.mark.parametrize(
    ("text", "lasts"),
    [
        ("alternate days for 2 weeks", Period(Decimal(2), Decimal(2), PeriodUnit.WEEK)),
        ("alternate days for 2/52", Period(Decimal(2), Decimal(2), PeriodUnit.WEEK)),
        ("daily for four months", Period(Decimal(4), Decimal(4), PeriodUnit.MONTH)),
        ("daily for 1-2 months", Period(Decimal(1), Decimal(2), PeriodUnit.MONTH)),
        ("daily for a week", Period(Decimal(1), Decimal(1), PeriodUnit.WEEK)),
        ("daily", None),
    ],
)
def test_words_say_how_long_a_course_lasts(text: str, lasts: Period | None) -> None:
    assert said(text).lasts == lasts


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("6 doses on alternate days", 6),
        ("alternate days x6", 6),
        ("for six doses", 6),
        ("stat", 1),
        ("single dose", 1),
        ("one-off injection", 1),
        ("3 doses per week", None),
        ("weekly", None),
        ("x 5 mg weekly", None),
    ],
)
def test_words_say_how_many_doses_there_are(text: str, count: int | None) -> None:
    assert said(text).count == count


@pytest.mark.parametrize(
    ("text", "needed"), [("when required", True), ("PRN", True), ("as needed", True), ("daily", False)]
)
def test_words_say_that_a_dose_is_taken_as_needed(text: str, needed: bool) -> None:
    assert said(text).as_needed is needed


@pytest.mark.parametrize("text", ["next due in 3 months", "1 in 4 weeks", "week 1, 3 and 6", "for 3 months"])
def test_words_of_time_that_cannot_be_read_are_reported(text: str) -> None:
    assert said(text).timing_unread


@pytest.mark.parametrize("text", ["every 3 months", "stat", "review in 3/12", "into the thigh"])
def test_words_that_are_read_or_say_nothing_of_time_are_not_reported(text: str) -> None:
    assert not said(text).timing_unread


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("1 mg im alt days for 2/52 then 1 mg every 3/12", ["1/2d", "1/3mo"]),
        ("three times a week for 2 weeks. Thereafter every 2-3 months", ["3/1wk", "1/2-3mo"]),
        ("weekly for 4 weeks, followed by monthly", ["1/1wk", "1/1mo"]),
    ],
)
def test_a_regimen_written_as_one_text_has_its_phases(text: str, repeats: list[str]) -> None:
    assert [each.repeat for each in instructions({"text": text})] == [often(each) for each in repeats]


def test_a_phase_has_the_dose_route_and_site_of_the_whole_unless_it_says_its_own() -> None:
    first, second = instructions({"text": "1 mg IM deltoid alternate days for 2 weeks, then every 3 months"})
    assert first.amount
    assert (second.amount, second.route, second.site) == (first.amount, first.route, first.site)
    assert (first.lasts, second.lasts) == (TWO_WEEKS, None)


def test_a_structured_timing_is_one_phase_whatever_the_text_adds() -> None:
    timing = {"repeat": {"frequency": 1, "period": 2, "periodUnit": "d"}}
    found = instructions({"timing": timing, "text": "alternate days for 2 weeks, then every 3 months"})
    assert [each.repeat for each in found] == [often("1/2d")]


@pytest.mark.parametrize(
    "dosage",
    [
        {"patientInstruction": "every 3 months"},
        {"additionalInstruction": [{"text": "every 3 months"}]},
        {"additionalInstructions": {"text": "every 3 months"}},
    ],
)
def test_words_are_read_wherever_a_version_puts_them(dosage: Json) -> None:
    (found,) = instructions(dosage)
    assert found.repeat == often("1/3mo")


# --- what is said and not understood -----------------------------------------------------------------------------

EVERY_12_WEEKS = {"frequency": 1, "period": 12, "periodUnit": "wk"}


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        *((each, "1/12wk") for each in ("wk", "WK", "week", "weeks", "Weeks", "week(s)", " wk ", {"code": "wk"})),
        *((each, "1/12mo") for each in ("mo", "month", "Month", "MONTHS", "mth", "month(s)")),
        *((each, "1/12d") for each in ("d", "day", "DAY", "Days")),
        *((each, "1/12h") for each in ("h", "hour", "HOURS", "hr")),
        *((each, "1/12a") for each in ("a", "year", "Years", "yr")),
        ("fortnight", "1/24wk"),
        ("quarter", "1/36mo"),
    ],
)
@pytest.mark.parametrize("name", ["periodUnit", "periodUnits"])
def test_a_unit_is_read_in_any_spelling(name: str, unit: Any, expected: str) -> None:
    assert timed(repeat={"frequency": 1, "period": 12, name: unit}).repeat == often(expected)


@pytest.mark.parametrize(
    "repeat",
    [
        {"frequency": 0, "period": 1, "periodUnit": "d"},
        {"frequency": -1, "period": 1, "periodUnit": "d"},
        {"frequency": "often", "period": 1, "periodUnit": "d"},
        {"frequency": 1e-6, "period": 1, "periodUnit": "d"},
        {"frequency": 100, "period": 1, "periodUnit": "h"},
        {"frequency": 1, "period": 9999, "periodUnit": "a"},
        {"frequency": 1, "period": 99999, "periodUnit": "mo"},
        {"frequency": 1, "period": 241, "periodUnit": "mo"},
        {"frequency": 1, "period": 30, "periodUnit": "min"},
        {"frequency": 1, "period": 90, "periodUnit": "s"},
        {"frequency": 1, "period": 3},
        {"frequency": 1, "periodUnit": "mo"},
        {"frequency": 3},
        {"frequency": 1, "period": "three", "periodUnit": "mo"},
        {"frequency": 1, "period": 3, "periodUnit": "m"},
        {"frequency": 1, "period": 3, "periodUnit": 7},
        {"frequency": 1, "period": 3, "periodMax": 2, "periodUnit": "mo"},
        {"frequency": 1, "period": 3, "periodMax": "x", "periodUnit": "mo"},
        {"frequency": 1, "periodMax": 3, "periodUnit": "mo"},
        {"when": ["AC"]},
        {"when": ["SOMETIMES"]},
        {"dayOfWeek": ["mon", "someday"]},
        {"dayOfWeek": [7]},
        [EVERY_12_WEEKS, {"frequency": 1, "period": 8, "periodUnit": "wk"}],
        7,
    ],
)
def test_a_repetition_that_cannot_be_is_said_to_be_unread(repeat: Any) -> None:
    found = timed(repeat=repeat)
    assert (found.repeat, found.timing_unread) == (None, True)


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        ([EVERY_12_WEEKS], "1/12wk"),
        ("every 12 weeks", "1/12wk"),
        ({"frequency": 1, "period": 240, "periodUnit": "mo"}, "1/240mo"),
        ({"frequency": 1, "period": 60, "periodUnit": "min"}, "1/1h"),
        ({"dayOfWeek": "mon,wed,fri"}, "3/1wk"),
        ({"dayOfWeek": ["Monday", "TUE", "fri", "fri"]}, "3/1wk"),
        ({"dayOfWeek": "mon"}, "1/1wk"),
        ({"when": "HS"}, "1/1d"),
        ({"when": ["ACM", "ACV"], "offset": 30}, "2/1d"),
        ({"when": ["AC"], "frequency": 3, "period": 1, "periodUnit": "d"}, "3/1d"),
        ({"timeOfDay": "08:00:00"}, "1/1d"),
        ({**EVERY_12_WEEKS, "duration": 5, "durationUnit": "min"}, "1/12wk"),
    ],
)
def test_a_repetition_in_another_shape_is_read(repeat: Any, expected: str) -> None:
    found = timed(repeat=repeat)
    assert (found.repeat, found.timing_unread) == (often(expected), False)


@pytest.mark.parametrize("timing", [[{"repeat": EVERY_12_WEEKS}], "every 12 weeks", "EVERY TWELVE (12) WEEKS"])
def test_a_timing_in_an_array_or_as_a_text_is_read(timing: Any) -> None:
    (found,) = instructions({"timing": timing})
    assert (found.repeat, found.timing_unread) == (often("1/12wk"), False)


@pytest.mark.parametrize("timing", [[{"repeat": EVERY_12_WEEKS}, {"repeat": {}}], 12, ["every 12 weeks"], "when due"])
def test_a_timing_that_is_several_or_none_is_unread_unless_nothing_was_said(timing: Any) -> None:
    (found,) = instructions({"timing": timing})
    assert (found.repeat, found.timing_unread) == (None, timing != "when due")


@pytest.mark.parametrize("said", ["EVERY  16 WEEKS", "every 16 weeks", "Q16W", "16 weekly", "q16wks", "16/52"])
@pytest.mark.parametrize("place", ["text", "display", "code", "plain"])
def test_a_local_code_is_read_wherever_it_is_words(place: str, said: str) -> None:
    coding = {"system": "urn:example:frequency", "code": "F17", **({} if place in ("text", "plain") else {place: said})}
    code: Any = said if place == "plain" else {"coding": [coding], **({"text": said} if place == "text" else {})}
    assert timed(code=code).repeat == often("1/16wk")


@pytest.mark.parametrize("code", ["Bid", "q6h", "MO", "once", "prn"])
def test_a_code_of_hl7_is_read_beside_its_structure(code: str) -> None:
    twice = {"frequency": 2, "period": 1, "periodUnit": "d"}
    found = timed(code={"coding": [{"system": V3, "code": code}]}, repeat=twice)
    contradicted = code in ("q6h", "MO")
    assert (found.repeat, found.timing_unread) == (None if contradicted else often("2/1d"), contradicted)


def test_a_local_code_without_words_does_not_spoil_what_the_structure_or_the_text_says() -> None:
    code = {"coding": [{"system": "urn:local", "code": "F17"}]}
    assert timed(code=code, repeat=EVERY_12_WEEKS).timing_unread is False
    (found,) = instructions({"timing": {"code": code}, "text": "every 12 weeks"})
    assert (found.repeat, found.timing_unread) == (often("1/12wk"), False)
    assert timed(code=code).timing_unread


@pytest.mark.parametrize(
    ("text", "agrees"),
    [
        ("every 12 weeks", True),
        ("3 monthly", True),
        ("every 84 days", True),
        ("1 mg every three months; review yearly", True),
        ("in the morning", True),
        ("as directed", True),
        ("next due in 4 weeks", True),
        ("alternate days for 2 weeks, then every 12 weeks", True),
        ("every 8 weeks", False),
        ("monthly", False),
        ("every 16 weeks", False),
        ("alternate days for 2 weeks, then every 8 weeks", False),
    ],
)
def test_a_structure_and_a_text_that_contradict_each_other_are_both_not_believed(text: str, agrees: bool) -> None:
    (found,) = instructions({"timing": {"repeat": EVERY_12_WEEKS}, "text": text})
    assert (found.repeat, found.timing_unread) == (often("1/12wk") if agrees else None, not agrees)
    assert found.lasts is None


@pytest.mark.parametrize(
    "bounds",
    [
        {"boundsPeriod": "2026-11-23/2027-11-23"},
        {"boundsPeriod": {"start": "2026-11-23", "end": "soon"}},
        {"boundsPeriod": {"start": "2026-11-23", "end": "2026-01-01"}},
        {"boundsDuration": {"value": 2, "unit": "moons"}},
        {"boundsDuration": "12 months"},
        {"count": 0},
        {"count": "six"},
        {"count": -1},
    ],
)
def test_an_end_that_was_said_and_not_read_is_reported_beside_the_interval(bounds: Json) -> None:
    found = timed(repeat={**EVERY_12_WEEKS, **bounds})
    assert (found.repeat, found.timing_unread) == (often("1/12wk"), True)
    assert (found.ends, found.lasts, found.count) == (None, None, None)


@pytest.mark.parametrize("end", ["9999-12-31", "2099-12-31", "2199-01-01T00:00:00Z", "2047-01-01"])
def test_a_far_end_is_none(end: str) -> None:
    found = timed(repeat={**EVERY_12_WEEKS, "boundsPeriod": {"start": "2026-11-23", "end": end}})
    assert (found.ends, found.timing_unread) == (None, False)


def test_planned_days_that_cannot_be_read_are_reported() -> None:
    assert timed(event=["2026-07-01", "soon"]).timing_unread
    assert timed(event=["soon"]).timing_unread
    assert timed(event="2026-07-01").events == (date(2026, 7, 1),)


@pytest.mark.parametrize("place", ["text", "code", "timing"])
def test_a_regimen_in_words_has_no_end_when_only_its_first_phase_has_one(place: str) -> None:
    said = "every 7 (seven) days for 4 doses, then every 30 days"
    dosages: dict[str, Json] = {"text": {"text": said}, "code": {"timing": {"code": {"text": said}}}}
    first, second = instructions(dosages.get(place, {"timing": said}))
    assert (first.repeat, first.count) == (often("1/7d"), 4)
    assert (second.repeat, second.count, second.lasts, second.ends) == (often("1/30d"), None, None, None)


@pytest.mark.parametrize("again", ["the same", "in other words"])
def test_what_the_patient_is_told_beside_the_text_is_the_same_regimen(again: str) -> None:
    said = "every 7 days for 4 doses, then every 30 days"
    told = said if again == "the same" else "Once a week for 4 weeks, then once a month"
    found = instructions({"text": said, "patientInstruction": told})
    assert [each.repeat for each in found] == [often("1/7d"), often("1/30d")]


def test_several_instructions_in_sequence_keep_their_own_bounds() -> None:
    loading = {"frequency": 1, "period": 2, "periodUnit": "d", "boundsDuration": {"value": 2, "code": "wk"}}
    first, second = instructions(
        {"sequence": 2, "timing": {"repeat": EVERY_12_WEEKS}}, {"sequence": 1, "timing": {"repeat": loading}}
    )
    assert (first.repeat, first.lasts) == (often("1/2d"), TWO_WEEKS)
    assert (second.repeat, second.lasts, second.count) == (often("1/12wk"), None, None)
