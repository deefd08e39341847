"""Numbers and dates out of every proportion, in any place: nothing fails, and no other rule loses its answer."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.calendar import after, days_after, days_before, in_words, months_after
from cards.library import load
from cards.offers import Offers
from cards.record import PatientRecord, Period, PeriodUnit, Repeat, When
from cards.rule import Profile, evaluate, triggered
from cards.vignettes import Vignette, all_files, record
from cards.wording import Wording
from service.demo import ehr
from service.endpoints.hooks import envelope, hook_call
from service.operations import metrics
from service.respond import PrefetchIncomplete, Responder, build
from service.settings import Settings

LIBRARY = load()
CASES = [(file.today, vignette) for file in all_files().values() for vignette in file.vignettes]
# The ends of what the reader lets through as a number.
NUMBERS = [Decimal(each) for each in ("1e-9", "1e-7", "0.5", "7", "99999", "9999999", "1e9")]
DAYS = [date.min, date(1900, 1, 1), date(2026, 11, 23), date(9998, 12, 31), date.max]
SENT_NUMBERS: list[Any] = [
    0, -1, 1e-9, 1e-7, 9999, 99999, 1e9, 1e308, 10**400, -(10**400), True, "20,0", "1,000", "1e400", "1e-400", "NaN",
    "-Infinity", " 5 ", "5 mg", "½", "<150", "≤ 150", "150-200", "٣", "", [], {}, [20], {"value": 20}, None,
]  # fmt: skip
SENT_DATES: list[Any] = [
    "0001-01-01", "1753-01-01", "1899-12-30", "1900-01-01", "1970-01-01T00:00:00Z", "9999-12-31", "9999", "0000",
    "9999-12", "2025-00", "2025-13", "2025-02-30", "2025-3-1", "01/03/2025", "20250301", "2025-W10", "2025-W10-1",
    "2025-03-01T25:00", "2025-03-01t10:00z", "2025-06-30T23:59:60Z", "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00", "2025-03-01T10:00:00+99:99", "٢٠٢٥-٠٣-٠١", "yesterday", "", 20250301, 1e308, True, [],
    {}, {"value": "2025"}, None,
]  # fmt: skip
DATE = re.compile(r"\d{4}-\d{2}(?:-\d{2}.*)?")
NO_VALUES = frozenset({"sources", "remembered", "unknown_drugs"})
few = settings(max_examples=150, deadline=None)
chance = st.randoms(use_true_random=False)
cases = st.sampled_from(CASES)


def spoiled(value: Any, by: Random) -> Any:
    """A fact in which every few numbers and days are absurd."""
    if isinstance(value, When):
        return When.on(by.choice(DAYS)) if by.random() < 0.2 else value
    if isinstance(value, Decimal):
        return by.choice(NUMBERS) if by.random() < 0.3 else value
    if isinstance(value, date):
        return by.choice(DAYS) if by.random() < 0.3 else value
    if isinstance(value, Period):
        low, high = sorted((spoiled(value.low, by), spoiled(value.high, by)))
        return Period(low, high, by.choice(list(PeriodUnit)) if by.random() < 0.2 else value.unit)
    if isinstance(value, Repeat):
        return Repeat(spoiled(value.times, by), spoiled(value.every, by))
    if type(value) is tuple:
        return tuple(spoiled(each, by) for each in value)
    if isinstance(value, Mapping):
        return {name: spoiled(each, by) for name, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in dataclasses.fields(value) if each.name not in NO_VALUES]
        changes: dict[str, Any] = {name: spoiled(getattr(value, name), by) for name in names}
        return dataclasses.replace(value, **changes)
    return value


@cache
def wording(profile: Profile) -> Wording:
    return Wording(LIBRARY, profile)


@few
@given(cases, chance)
def test_every_rule_answers_whatever_the_numbers_and_days_of_the_facts(case: tuple[date, Vignette], by: Random) -> None:
    today, vignette = case
    overrides = {name: Decimal(value) for name, value in vignette.settings.items()}
    patient: PatientRecord = spoiled(record(vignette, today, LIBRARY.terminology), by)
    patient = dataclasses.replace(patient, remembered={})

    asked = triggered(LIBRARY.rules(vignette.profile, overrides), vignette.hook, patient.drafts)
    found = evaluate(asked, vignette.hook, patient, today)

    assert found.faults == ()
    offers = Offers(LIBRARY, vignette.profile, patient, today)
    for raised in found.raised:
        assert wording(vignette.profile).text(raised, offers).summary


@pytest.mark.parametrize("today", [date.min, date(1, 3, 1), date(9999, 12, 1), date.max])
def test_every_rule_answers_at_the_ends_of_the_calendar(today: date) -> None:
    for _, vignette in CASES:
        patient = record(vignette, date(2026, 11, 23), LIBRARY.terminology)
        asked = triggered(LIBRARY.rules(vignette.profile), vignette.hook, patient.drafts)

        assert evaluate(asked, vignette.hook, patient, today).faults == ()


lengths = st.decimals("1e-9", "1e9", allow_nan=False) | st.sampled_from(NUMBERS)


@given(st.dates(), lengths, st.sampled_from(PeriodUnit))
def test_a_day_later_by_any_length_is_a_day(day: date, length: Decimal, unit: PeriodUnit) -> None:
    assert after(day, length, unit) >= day
    assert in_words(Period(length, length, unit))


@given(st.dates(), st.integers(-(10**12), 10**12))
def test_days_and_months_stop_at_the_ends_of_the_calendar(day: date, number: int) -> None:
    for moved in (days_after(day, number), days_before(day, -number), months_after(day, number)):
        assert (moved >= day) if number >= 0 else (moved <= day)


# --- as an EHR sends them ------------------------------------------------------------------------------------------


@cache
def responder(profile: Profile, own: tuple[tuple[str, Decimal], ...]) -> Responder:
    return build(Settings(profile=profile, thresholds=dict(own)))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
    """The numbers and dates in JSON: where each stands, and what could stand there instead."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from places(each, (*path, name))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from places(each, (*path, at))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, SENT_NUMBERS
    elif isinstance(value, str) and DATE.fullmatch(value):
        yield path, SENT_DATES


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """JSON with another value at one place."""
    if not path:
        return value
    if isinstance(document, list):
        return [put(each, path[1:], value) if at == path[0] else each for at, each in enumerate(document)]
    return {name: put(each, path[1:], value) if name == path[0] else each for name, each in document.items()}


def answer(vignette: Vignette, today: date, request: dict[str, Any]) -> dict[str, Any] | None:
    """The answer as JSON; None where data are demanded first."""
    own = tuple(sorted((name, Decimal(value)) for name, value in vignette.settings.items()))
    asked = responder(vignette.profile, own)
    service = asked.services[f"b12-{vignette.hook}"]
    try:
        return anyio.run(asked.respond, service, hook_call(service, envelope(request)), today).body()
    except PrefetchIncomplete:
        return None


def faults() -> float:
    """How many exceptions have cost a part of an answer so far."""
    return sum(metrics.count("b12_cds_faults_total", part=part) for part in ("reading", "rule", "merging", "wording"))


@few
@given(cases, chance)
def test_whatever_number_or_date_is_sent_each_rule_answers_or_is_named(case: tuple[date, Vignette], by: Random) -> None:
    today, vignette = case
    request = ehr.request(vignette, today, LIBRARY.terminology)
    sent = {"context": request["context"], "prefetch": request["prefetch"]}
    for path, instead in by.sample(found := list(places(sent)), min(3, len(found))):
        sent = put(sent, path, by.choice(instead))
    before = faults()

    answered = answer(vignette, today, {**request, **sent})

    assert faults() == before
    assert answered is None or "fault" not in str(answered.get("extension"))
