"""
WHEN  a product with cyanocobalamin, or with B12 of no stated form, is being ordered
AND   Leber hereditary optic neuropathy, an entry that may mean it, or tobacco or toxic amblyopia is on record
THEN  offer hydroxocobalamin instead: cyanocobalamin can destroy the optic nerve (rules, formulation a).
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from cards.dosing import ENDING, Mcg, is_all_b12, largest_daily, route_of
from cards.neurology import OpticRisk, optic_risk
from cards.record import Order, PatientRecord, Route
from cards.rule import Alert, Excluded, Limits, Outcome

_SWALLOWED = frozenset({Route.ORAL, Route.SUBLINGUAL, Route.BUCCAL})


class _Ordered(NamedTuple):
    """The B12 in the draft: the ingredient, and whether it is cyanocobalamin by name or code, or taken to be."""

    ingredient: str
    stated: bool
    taken_to_be: bool


def triggered_by(order: Order, limits: Limits) -> bool:
    """Cyanocobalamin, alone or in a combination, or B12 of no stated form, by any route."""
    return _ordered(order) is not None and order.status not in ENDING and not order.do_not_perform


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Named Leber's is critical, what may be Leber's and toxic amblyopia a warning, a low dose by mouth information."""
    ordered = _ordered(order) if order else None
    if order is None or ordered is None:
        return None
    if record.patient.deceased:
        return Excluded("the patient has died")
    risk = optic_risk(record)
    if risk is None:
        return None
    amount = largest_daily(order, ordered.ingredient)
    variant = _variant(order, ordered, risk, amount, limits)
    if variant is None:
        return None
    return Alert(
        variant,
        {
            "stated": ordered.stated,
            "disease": risk.name,
            "since": risk.when,
            "dose_mcg": amount.high if amount else None,
            "low_dose": variant == "low_dose",
            # The UK label of hydroxocobalamin names these two; what is not settled gets one dose meanwhile.
            "licensed": risk.kind in ("named", "toxic"),
            "alone": _alone(order),
        },
        order,
    )


def _ordered(order: Order) -> _Ordered | None:
    medicine = order.medicine
    if "cyanocobalamin" in medicine.ingredients:
        return _Ordered("cyanocobalamin", stated=True, taken_to_be=True)
    if "cobalamin" in medicine.ingredients:
        # Combined products hold cyanocobalamin as a rule; "B12 injection" in plain words may be hydroxocobalamin.
        return _Ordered("cobalamin", stated=False, taken_to_be=not medicine.by_text or medicine.multivitamin)
    return None


def _variant(order: Order, ordered: _Ordered, risk: OpticRisk, amount: Mcg | None, limits: Limits) -> str | None:
    if _low_dose(order, amount, limits):
        return "low_dose"
    if ordered.taken_to_be:
        return risk.kind
    return "form_not_stated" if risk.kind == "named" else None


def _low_dose(order: Order, amount: Mcg | None, limits: Limits) -> bool:
    """By mouth at most the amount of a multivitamin; a multivitamin of unknown strength counts as one."""
    routes = {route_of(order, each) for each in order.instructions} or {order.medicine.form_route}
    if not routes <= _SWALLOWED:
        return False
    if amount is None:
        return order.medicine.multivitamin
    return amount.high <= limits["low_dose_mcg_day"]


def _alone(order: Order) -> bool:
    """Whether the draft holds nothing but B12, so that it can be replaced."""
    return is_all_b12(order.medicine) and not order.medicine.multivitamin
