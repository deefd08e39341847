"""
WHEN  metformin is being taken or ordered, or acid suppression is being taken for more than a year
AND   there are signs of B12 deficiency, or the exposure is long and another risk is on record
AND   B12 was not tested in the time that this calls for, and no B12 is being taken
THEN  ask for a test; the drug goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from cards.calendar import months_before
from cards.dosing import ENDING, begins, daily, runs_on
from cards.neurology import signs
from cards.record import Course, LabResult, Medicine, Order, PatientRecord, Source
from cards.rule import Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    B12_RESULTS,
    absorption_risks,
    age,
    b12_results_unknown,
    has,
    in_hospice,
    is_forgotten,
    low_haemoglobin,
    macrocytosis,
    newest_b12,
    treated_before,
    younger_than,
)

METFORMIN = "metformin"
_ACID_BLOCKERS = {"ppi": "a proton-pump inhibitor", "h2_antagonist": "an H2 blocker"}
# Drugs that add to the risk of the other ones; alone they never speak.
_OTHER_DRUGS = {"colchicine": "colchicine", "antiepileptic_b12_risk": "an antiepileptic drug"}
_WITH_METFORMIN = {**_ACID_BLOCKERS, **_OTHER_DRUGS}


class Exposure(NamedTuple):
    """A drug being taken: its plain name, and the first day on record (None: not known)."""

    name: str
    since: date | None


def triggered_by(order: Order, limits: Limits) -> bool:
    """Metformin that is not being stopped."""
    return METFORMIN in order.medicine.ingredients and order.status not in ENDING and not order.do_not_perform


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Metformin with signs of deficiency is a warning; long exposure with another risk is information."""
    if why := _not_our_patient(record, limits, today):
        return Excluded(why)
    metformin = _metformin(order, record, limits, today)
    acid = None if order else _longest(record, tuple(_ACID_BLOCKERS), today)
    if metformin is None and acid is None:
        known = order is not None or record.known(Source.MEDICATIONS)
        return Excluded("no drug that lowers B12 for long") if known else None
    alert = _with_signs(metformin, record, limits, today) if metformin else None
    alert = alert or (_long_metformin(metformin, order, record, limits, today) if metformin else None)
    alert = alert or (_long_acid_blocker(acid, record, limits, today) if acid else None)
    if alert is None:
        return None
    tested = "signs_test_months" if alert.variant == "metformin_signs" else "exposure_test_months"
    since = months_before(today, limits.whole(tested))
    if newest_b12(record, since):
        return None
    if _test_ordered(record, today):
        return Excluded("a B12 test is ordered")
    if why := b12_results_unknown(record, since):
        return Unanswerable((Source.LABS.value,), why)
    facts = {**alert.facts, "months": limits.whole(tested), "last_test": newest_b12(record, date.min)}
    return Alert(alert.variant, facts, order)


def _not_our_patient(record: PatientRecord, limits: Limits, today: date) -> str | None:
    if younger_than(record, today, 16):
        return "under 16"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if in_hospice(record):
        return "hospice or comfort care"
    return "B12 is being taken" if treated_before(record, today, limits) else None


# --- exposure --------------------------------------------------------------------------------------------------------


def _metformin(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Exposure | None:
    """Metformin that is being taken or drafted, unless it is known to be younger than six months."""
    found = _longest(record, (METFORMIN,), today)
    if found is None and order:
        # A first order is new when the chart's orders are known; else nobody knows how long it has been taken.
        starts = [*_starts(record, METFORMIN)]
        found = Exposure(METFORMIN, min(starts, default=today if record.known(Source.MEDICATIONS) else None))
    if found and found.since and found.since > months_before(today, limits.whole("metformin_least_months")):
        return None
    return found


def _longest(record: PatientRecord, ingredients: tuple[str, ...], today: date) -> Exposure | None:
    """Which of these drugs is being taken, the one on record for the longest time."""
    found = [
        Exposure({**_WITH_METFORMIN, METFORMIN: METFORMIN}[each], min(_starts(record, each), default=None))
        for each in ingredients
        if any(each in course.medicine.ingredients and runs_on(course, today) for course in record.courses)
    ]
    return min(found, key=lambda each: each.since or date.max, default=None)


def _starts(record: PatientRecord, ingredient: str) -> Iterator[date]:
    """The first days of every order, statement and supply of a drug, whatever became of it."""
    for course in record.courses:
        if ingredient in course.medicine.ingredients and not course.do_not_perform and (first := begins(course)):
            yield first
    for supply in record.dispensed:
        if ingredient in supply.medicine.ingredients:
            yield supply.when.latest


def _high_dose_since(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> date | None:
    """The first day on record of metformin in a high daily dose, when it is taken in such a dose now."""
    courses = [each for each in record.courses if METFORMIN in each.medicine.ingredients]
    high = [each for each in courses if _is_high(each, limits)]
    now = any(runs_on(each, today) for each in high) or (order is not None and _is_high(order, limits))
    return min((first for each in high if (first := begins(each))), default=None) if now else None


def _is_high(course: Course, limits: Limits) -> bool:
    amounts = [daily(each, course.medicine, METFORMIN) for each in course.instructions]
    return any(each.high >= limits["metformin_high_mg_day"] * 1000 for each in amounts if each)


# --- signs and risks -----------------------------------------------------------------------------------------------


def _with_signs(metformin: Exposure, record: PatientRecord, limits: Limits, today: date) -> Alert | None:
    sign: str | None = None
    result: LabResult | None = None
    found = signs(record, today)
    if found:
        sign = f"new {found.name}"
    elif result := macrocytosis(record, limits, today):
        sign = f"MCV {result.reported}"
    elif has(record, "megaloblastic_anemia"):
        sign = "megaloblastic anaemia"
    elif result := low_haemoglobin(record, limits, today):
        sign = f"low haemoglobin of {result.reported}"
    elif has(record, "glossitis"):
        sign = "glossitis"
    if sign is None:
        return None
    when = found.when if found else result.when if result else None
    return Alert("metformin_signs", {"drug": metformin, "sign": sign, "when": when, "risk": None, "dose": None})


def _long_metformin(
    metformin: Exposure, order: Order | None, record: PatientRecord, limits: Limits, today: date
) -> Alert | None:
    """Four years of any dose, or two of a high one, and another risk."""
    long = months_before(today, 12 * limits.whole("metformin_years"))
    high = months_before(today, 12 * limits.whole("metformin_high_years"))
    high_since = _high_dose_since(order, record, limits, today)
    is_long = metformin.since is not None and metformin.since <= long
    is_high = high_since is not None and high_since <= high
    risk = _risk(record, limits, today, _WITH_METFORMIN)
    if not (risk and (is_long or is_high)):
        return None
    dose = limits["metformin_high_mg_day"] * 1000 if is_high and not is_long else None
    since = metformin if is_long else Exposure(metformin.name, high_since)
    return Alert("metformin_long", {"drug": since, "sign": None, "when": None, "risk": risk, "dose": dose})


def _long_acid_blocker(acid: Exposure, record: PatientRecord, limits: Limits, today: date) -> Alert | None:
    """Acid suppression for more than a year, and another risk than acid suppression."""
    long = months_before(today, limits.whole("acid_blocker_months"))
    risk = _risk(record, limits, today, _OTHER_DRUGS)
    if acid.since is None or acid.since >= long or risk is None:
        return None
    return Alert("acid_blocker_long", {"drug": acid, "sign": None, "when": None, "risk": risk, "dose": None})


def _risk(record: PatientRecord, limits: Limits, today: date, drugs: dict[str, str]) -> str | None:
    """Another risk of deficiency: disease or surgery of stomach and gut, diet, another drug, or age."""
    if found := absorption_risks(record):
        return found[0].name
    if has(record, "crohn_any"):
        return "Crohn's disease"
    if _is_vegan(record):
        return "a vegan diet"
    taken = next((drugs[each] for each in drugs if _is_taken(record, each, today)), None)
    if taken:
        return taken
    years = age(record, today)
    return f"age {years}" if years is not None and years >= limits.whole("risk_age") else None


def _is_vegan(record: PatientRecord) -> bool:
    return any(
        concept.name == "vegan_diet" and concept.specific and concept.meaning != "weaker"
        for problem in record.problems
        if problem.present and problem.certain
        for concept in problem.concepts
    )


def _is_taken(record: PatientRecord, ingredient: str, today: date) -> bool:
    def holds(medicine: Medicine) -> bool:
        return ingredient in medicine.ingredients

    return any(holds(course.medicine) and runs_on(course, today) for course in record.courses) or any(
        holds(draft.medicine) and draft.status not in ENDING and not draft.do_not_perform for draft in record.drafts
    )


def _test_ordered(record: PatientRecord, today: date) -> bool:
    """Whether a B12 test is drafted beside the order, or was requested in the last months and may still be done."""
    if any(set(draft.tests) & set(B12_RESULTS) and draft.status not in ENDING for draft in record.drafts):
        return True
    return any(
        planned.source is Source.TESTS
        and ({concept.name for concept in planned.concepts} & set(B12_RESULTS) or planned.names_b12)
        and not planned.names_injection
        and not is_forgotten(planned, today)
        for planned in record.planned
    )
