"""
WHEN  a cobalamin is being ordered into a vein
AND   it is no antidote, no part of an infusion of nutrition or vitamins, and no test
THEN  ask for the intramuscular route: most of an intravenous dose is lost in the urine.
"""

from __future__ import annotations

from datetime import date

from cards.dosing import ENDING, cobalamin, is_all_b12, route_of
from cards.record import PARENTERAL, Order, PatientRecord, Route
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import has

# The label of cyanocobalamin names deep subcutaneous injection beside the muscle; that of hydroxocobalamin does not.
_SUBCUTANEOUS_BY_LABEL = frozenset({"cyanocobalamin"})


def triggered_by(order: Order, limits: Limits) -> bool:
    """A cobalamin of which some instruction goes into a vein, or may, unless the draft shows what else it is."""
    return (
        cobalamin(order.medicine) is not None
        and order.status not in ENDING
        and not order.do_not_perform
        and not _in_an_infusion(order)
        and (_into_a_vein(order) or _is_unread(order))
    )


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """The draft is enough to speak; cyanide poisoning and a research protocol exclude."""
    drug = cobalamin(order.medicine) if order else None
    if order is None or drug is None:
        return None
    if why := _excluded(order, record):
        return Excluded(why)
    if not _into_a_vein(order):
        return Unanswerable((DRAFTS,), "unknown-code") if _is_unread(order) else None
    every = all(route_of(order, each) is Route.INTRAVENOUS for each in order.instructions)
    bleeding = has(record, "bleeding_disorder", "anticoagulant_therapy")
    return Alert(
        "intravenous",
        {
            "drug": drug,
            "some_only": not every,
            "bleeding": bleeding,
            "muscle_first": not bleeding,
            "under_the_skin": drug in _SUBCUTANEOUS_BY_LABEL,
        },
        order,
    )


def _into_a_vein(order: Order) -> bool:
    return any(route_of(order, each) is Route.INTRAVENOUS for each in order.instructions)


def _is_unread(order: Order) -> bool:
    """Whether an injection names its route in a code that nobody knows."""
    return order.medicine.form_route in PARENTERAL and any(each.route_unread for each in order.instructions)


def _in_an_infusion(order: Order) -> bool:
    """A component of parenteral nutrition, or one vitamin of several in an infusion."""
    medicine = order.medicine
    return order.nutrition or medicine.multivitamin or medicine.combined or not is_all_b12(medicine)


def _excluded(order: Order, record: PatientRecord) -> str | None:
    if record.patient.deceased:
        return "the patient has died"
    if any(concept.name == "cyanide_poisoning" for concept in order.indications) or has(record, "cyanide_poisoning"):
        return "cyanide poisoning"
    return "a research protocol sets the route" if order.research else None
