"""What the governance page says stands out, and how it writes numbers down."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from cards.library import load
from service.store.governance import Outcome, Reason, Report, Row
from service.web.governance import (
    DEFAULT_WEEKS,
    INACCURATE,
    PERIODS,
    as_csv,
    asked_for,
    duration,
    flags,
    page,
    percent,
)

TODAY = date(2026, 11, 25)
LAST_WEEK, WEEK_BEFORE = date(2026, 11, 16), date(2026, 11, 9)
TOPIC = "folate-before-b12"
ASKED = asked_for(TODAY, DEFAULT_WEEKS, None)


def flagged(by_week: Mapping[date, Outcome], **said: object) -> dict[str, str]:
    """What is said of the one rule that these are the weeks of."""
    fields = {"last_raised": {TOPIC: TODAY}, "recorded_since": date(2026, 11, 1), **said}
    weeks = {(TOPIC, week): outcome for week, outcome in by_week.items()}
    report = Report(ASKED, by_rule={TOPIC: Outcome()}, by_week=weeks, **fields)  # type: ignore[arg-type]
    return {flag.what: flag.why for flag in flags(report, load(), TODAY) if flag.topic == TOPIC}


def answered(accepted: int, overridden: int, inaccurate: int = 0) -> Outcome:
    return Outcome(accepted + overridden, accepted, overridden, inaccurate)


def test_the_period_ends_with_the_running_week() -> None:
    assert ASKED.first == date(2026, 8, 31)
    assert ASKED.week_days[-1] == date(2026, 11, 23)
    assert asked_for(date(2026, 11, 23), 13, None).week_days[-1] == date(2026, 11, 23)
    assert asked_for(date(2026, 11, 22), 13, None).week_days[-1] == date(2026, 11, 16)


@pytest.mark.parametrize(
    ("outcome", "named"),
    [
        (answered(0, 9), False),
        (answered(0, 10), True),
        (answered(1, 9), False),
        (answered(1, 10), True),
        (Outcome(shown=500), False),
    ],
)
def test_a_rule_that_is_accepted_less_than_one_time_in_ten_is_named(outcome: Outcome, named: bool) -> None:
    assert ("hardly accepted" in flagged({WEEK_BEFORE: outcome})) == named


@pytest.mark.parametrize(("wrong", "named"), [(3, False), (4, True)])
def test_a_rule_whose_overrides_say_inaccurate_more_often_than_15_in_100_is_named(wrong: int, named: bool) -> None:
    assert ("often inaccurate" in flagged({WEEK_BEFORE: answered(20, 20, wrong)})) == named


@pytest.mark.parametrize(
    ("before", "last", "named"),
    [(20, 24, False), (20, 25, True), (25, 20, False), (25, 19, True), (0, 20, True), (0, 19, False), (8, 16, False)],
)
def test_a_volume_that_changes_by_more_than_a_fifth_from_week_to_week_is_named(
    before: int, last: int, named: bool
) -> None:
    said = flagged({WEEK_BEFORE: Outcome(before), LAST_WEEK: Outcome(last)})

    assert ("volume changed" in said) == named


def test_the_running_week_and_what_is_older_than_eight_weeks_raise_no_flag() -> None:
    running, long_ago = TODAY - timedelta(days=2), LAST_WEEK - timedelta(weeks=8)

    assert flagged({running: answered(0, 50, 50), long_ago: answered(0, 50, 50)}) == {}


@pytest.mark.parametrize(
    ("last", "since", "named"),
    [
        (TODAY - timedelta(days=90), date(2026, 1, 1), False),
        (TODAY - timedelta(days=91), date(2026, 1, 1), True),
        (None, date(2026, 1, 1), True),
        (None, TODAY - timedelta(days=89), False),
        (None, None, False),
    ],
)
def test_a_rule_without_a_card_for_90_days_is_named_once_there_are_90_days(
    last: date | None, since: date | None, named: bool
) -> None:
    said = flagged({}, last_raised={TOPIC: last} if last else {}, recorded_since=since)

    assert ("silent" in said) == named


def test_the_flags_look_at_no_week_that_the_shortest_period_lacks() -> None:
    assert min(PERIODS) > 9


def test_the_csv_holds_every_number_and_no_formula() -> None:
    reasons = (
        Reason(INACCURATE, own=True, times=2),
        Reason("17", own=False, times=1),
        Reason(None, own=False, times=1),
    )
    outcome = Outcome(9, 3, 4, 2, 5, 1, 8_250.0, reasons)
    text = as_csv([Row(LAST_WEEK, "=1+1", TOPIC, "critical", outcome)])
    [row] = csv.DictReader(io.StringIO(text))

    assert row == {
        "week_from": "2026-11-16",
        "client": "'=1+1",
        "rule": TOPIC,
        "level": "critical",
        "shown": "9",
        "accepted": "3",
        "overridden": "4",
        "no_answer": "2",
        "overridden_as_inaccurate": "2",
        "median_seconds_to_answer": "8.250",
        "silent": "5",
        "kept_quiet": "1",
        "override_reasons": "inaccurate=2; ehr:17=1; none=1",
    }


def test_rules_stand_in_the_order_in_which_they_speak_and_those_that_are_no_more_last() -> None:
    topics = ["gone", "not-evaluated", *sorted(load().folders)]
    report = Report(ASKED, by_rule={topic: Outcome(1) for topic in topics})

    shown = [rule.topic for rule in page(report, load(), TODAY).rules]

    assert shown == [*load().shared.precedence, "gone", "not-evaluated"]


def test_numbers_are_written_as_people_read_them() -> None:
    assert [percent(share) for share in (None, 0, 0.125, 1)] == ["–", "0 %", "12 %", "100 %"]
    assert [duration(each) for each in (None, 400, 8_600, 119_000, 120_000, 9_000_000, 300_000_000)] == [
        "–",
        "0 s",
        "9 s",
        "119 s",
        "2 min",
        "2 h",
        "3 d",
    ]
