"""
WHEN  loading with injected B12 is being ordered and no injection was given in the last four weeks
AND   potassium is low, or severe anaemia or drugs make a fall dangerous and nobody is watching it
THEN  ask for potassium now and after 24 to 48 hours; below 3.0 mmol/L interrupt.
"""

from __future__ import annotations

from datetime import date

from cards.calendar import days_before
from cards.dosing import CURRENT, ENDING, TIMING_UNREAD, Phase, cobalamin, injections_of_unread_interval
from cards.due_date import injections, intervals
from cards.record import LabResult, Order, PatientRecord, Source
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import documented_deficiency, has, is_above, is_below, newest, younger_than


def triggered_by(order: Order, limits: Limits) -> bool:
    """A draft that loads, injections of a cobalamin at most seven days apart, or may load: how often was not read."""
    return (
        cobalamin(order.medicine) is not None
        and order.status not in ENDING
        and not order.do_not_perform
        and (bool(intervals(order, Phase.LOADING)) or injections_of_unread_interval(order))
    )


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """A warning; critical when potassium is very low."""
    if order is None:
        return None
    outcome = _if_loading(order, record, limits, today)
    loads = bool(intervals(order, Phase.LOADING))
    return outcome if loads or not isinstance(outcome, Alert) else Unanswerable((DRAFTS,), TIMING_UNREAD)


def _if_loading(order: Order, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    if younger_than(record, today, 16):
        return Excluded("under 16")
    if record.patient.deceased:
        return Excluded("the patient has died")
    if has(record, "inborn_error_cobalamin"):
        return Excluded("inborn error of cobalamin metabolism under specialist care")
    since = days_before(today, limits.whole("first_loading_days"))
    if any(dose.when.latest >= since for dose in injections(record)):
        return Excluded("an injection was given in the last four weeks")
    drug = cobalamin(order.medicine)
    potassium = newest(record.labs, "potassium", days_before(today, limits.whole("potassium_days")))
    if potassium and is_below(potassium, limits["potassium_low_below"]):
        very_low = is_below(potassium, limits["potassium_very_low_below"])
        return Alert("very_low" if very_low else "low", _facts(drug, potassium=potassium), order)
    if _watched(record, days_before(today, limits.whole("potassium_request_days"))):
        return Excluded("potassium is already ordered")
    if severe := _severe_anaemia(record, limits, today):
        few_cells = not is_below(severe, limits["severe_anaemia_below"])
        facts = _facts(drug, hemoglobin=severe, pancytopenia=few_cells, potassium=potassium)
        return Alert("severe_anaemia", facts, order)
    if _loses_potassium(record) and potassium is None:
        # Whether potassium was measured this week is the question: without results nobody knows.
        return Alert("drugs", _facts(drug), order) if record.known(Source.LABS) else None
    return None


def _facts(drug: str | None, **known: object) -> dict[str, object]:
    return {"drug": drug, "potassium": None, "hemoglobin": None, "pancytopenia": False, **known}


def _severe_anaemia(record: PatientRecord, limits: Limits, today: date) -> LabResult | None:
    """The haemoglobin of an anaemia in which treatment may drop potassium.

    It is severe, or comes with low white cells and platelets. It must be one that B12 corrects: macrocytosis, or
    documented deficiency.
    """
    since = days_before(today, limits.whole("blood_count_days"))
    hemoglobin = newest(record.labs, "hemoglobin", since)
    if hemoglobin is None:
        return None
    severe = bool(is_below(hemoglobin, limits["severe_anaemia_below"]))
    if not severe and is_below(hemoglobin, limits["pancytopenia_anaemia_below"]):
        white, platelets = newest(record.labs, "wbc", since), newest(record.labs, "platelets", since)
        severe = bool(
            white
            and platelets
            and is_below(white, limits["pancytopenia_white_below"])
            and is_below(platelets, limits["pancytopenia_platelets_below"])
        )
    mcv = newest(record.labs, "mcv", since)
    macrocytic = mcv is not None and bool(is_above(mcv, limits["mcv_macrocytosis_above"]))
    return hemoglobin if severe and (macrocytic or documented_deficiency(record, limits, today)) else None


def _loses_potassium(record: PatientRecord) -> bool:
    """A loop or thiazide diuretic together with a drug whose effect on the heart depends on potassium."""
    taken = {
        ingredient
        for course in record.courses
        if course.status in CURRENT and not course.do_not_perform
        for ingredient in course.medicine.ingredients
    }
    return {"diuretic_losing_potassium", "rhythm_drug"} <= taken


def _watched(record: PatientRecord, since: date) -> bool:
    """Whether a potassium is drafted, or ordered `since` and not yet resulted; an older request was never done."""
    if any("potassium" in draft.tests and draft.status not in ENDING for draft in record.drafts):
        return True
    return any(
        planned.source is Source.TESTS
        and any(concept.name == "potassium" for concept in planned.concepts)
        and ((day := planned.days or planned.authored) is None or day.latest >= since)
        and not (planned.authored and newest(record.labs, "potassium", planned.authored.latest))
        for planned in record.planned
    )
