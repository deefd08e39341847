"""
WHEN  an intramuscular injection of a cobalamin is being ordered
AND   the INR is above range, platelets are low, or haemophilia or von Willebrand disease is on record
THEN  say so, with the technique, and offer a way that is not into the muscle.
"""

from __future__ import annotations

from datetime import date

from cards.contraindications import high_inr, low_platelets
from cards.dosing import ENDING, cobalamin, route_of
from cards.record import Order, PatientRecord, Route
from cards.rule import Alert, Excluded, Limits, Outcome
from cards.status import has, is_below, younger_than

# An injection whose route is not stated is taken as intramuscular, the usual way of giving a cobalamin.
_INTO_MUSCLE = frozenset({Route.INTRAMUSCULAR, Route.INJECTION})


def triggered_by(order: Order, limits: Limits) -> bool:
    """A cobalamin to be injected into a muscle."""
    return (
        cobalamin(order.medicine) is not None
        and order.status not in ENDING
        and not order.do_not_perform
        and _into_muscle(order)
    )


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """The results decide; an anticoagulant in range is no reason to speak."""
    if order is None:
        return None
    if younger_than(record, today, 16):
        return Excluded("under 16")
    if record.patient.deceased:
        return Excluded("the patient has died")
    drug = cobalamin(order.medicine)
    facts = {"drug": drug, "inr": None, "platelets": None, "subcutaneous": drug == "cyanocobalamin"}
    if inr := high_inr(record, limits, today):
        return Alert("inr", {**facts, "inr": inr}, order)
    if platelets := low_platelets(record, limits, today):
        very_low = is_below(platelets, limits["platelets_very_low_below"])
        return Alert("platelets_very_low" if very_low else "platelets", {**facts, "platelets": platelets}, order)
    if _bleeding_disorder(record):
        return Alert("bleeding_disorder", facts, order)
    return None


def _into_muscle(order: Order) -> bool:
    routes = [route_of(order, each) for each in order.instructions] or [order.medicine.form_route]
    return any(route in _INTO_MUSCLE for route in routes)


def _bleeding_disorder(record: PatientRecord) -> bool:
    """Haemophilia or von Willebrand disease; platelets speak by their count."""
    return has(record, "bleeding_disorder") and any(
        concept.name == "bleeding_disorder" and concept.meaning == "haemophilia_or_willebrand"
        for problem in record.problems
        if problem.present and problem.certain
        for concept in problem.concepts
    )
