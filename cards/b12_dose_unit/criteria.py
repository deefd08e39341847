"""
WHEN  a cobalamin is being ordered with a dose
AND   that dose, or the volume it comes to, looks like a slip of unit or of product
THEN  name what would be given and ask whether the usual dose was meant.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cards.dosing import (
    COBALAMINS,
    ENDING,
    Phase,
    b12_mass,
    b12_strength,
    cobalamin,
    ingredient_of,
    is_all_b12,
    mass,
    phase,
    route_of,
)
from cards.due_date import CYANIDE_ANTIDOTE
from cards.record import (
    PARENTERAL,
    Amount,
    AmountUnit,
    Instruction,
    Order,
    PatientRecord,
    Route,
)
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import has, younger_than

_MCG_PER_MG = 1000
_TREATS = COBALAMINS | {CYANIDE_ANTIDOTE}
_DEFICIENCY = frozenset(
    {
        "b12_deficiency_anemia",
        "b12_deficiency_nonanemic_or_unspecified",
        "pernicious_anemia",
        "b12_neurological",
        "subacute_combined_degeneration",
    }
)
# Gravest first: one order has one card about its dose.
_GRAVEST_FIRST = (
    "antidote",
    "far_too_high",
    "antidote_kit",
    "high",
    "unit_missing",
    "volume",
    "low",
    "strength_mismatch",
    "oral_slip",
    "oral_high",
)
# Ten milligrams and more stay a slip at any age (rules 5.0).
_AT_ANY_AGE = frozenset({"antidote", "far_too_high"})
_WAYS = {Route.NASAL: "by nose", None: "(no route stated)"}


class Slip(NamedTuple):
    """What is wrong with one instruction: `dose` in micrograms, `volume` in millilitres, as far as they are known."""

    variant: str
    instruction: Instruction
    dose: Decimal | None = None
    volume: Decimal | None = None


def triggered_by(order: Order, limits: Limits) -> bool:
    """A cobalamin, or its antidote form, whose dose looks wrong or cannot be told in milligrams."""
    if order.status in ENDING or order.do_not_perform or order.nutrition or order.medicine.multivitamin:
        return False
    return bool(slips(order, limits)) or _why_unreadable(order, limits) is not None


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Ten milligrams by injection is critical; smaller slips are warnings; a high oral dose is information."""
    if order is None:
        return None
    if why := _excluded(order, record):
        return Excluded(why)
    child = younger_than(record, today, 18)
    found = [slip for slip in slips(order, limits) if not child or slip.variant in _AT_ANY_AGE]
    if found:
        worst = min(found, key=lambda slip: _GRAVEST_FIRST.index(slip.variant))
        return Alert(worst.variant, _facts(worst, order, limits, child=child), order)
    if why_not := _why_unreadable(order, limits, injected_only=child):
        return Unanswerable((DRAFTS,), why_not)
    return Excluded("under 18 and below the limit that holds at any age") if child else None


def slips(order: Order, limits: Limits) -> list[Slip]:
    """What looks wrong, at most one thing for each instruction; one without a dose is incomplete, not wrong."""
    return [slip for each in order.instructions if (slip := _slip(order, each, limits))]


def _slip(order: Order, instruction: Instruction, limits: Limits) -> Slip | None:
    amount = instruction.amount
    ingredient = ingredient_of(order.medicine, _TREATS)
    if amount is None or ingredient is None or amount.unit is AmountUnit.MCG_PER_KG or amount.high <= 0:
        return None
    if ingredient == CYANIDE_ANTIDOTE:
        return _antidote(order, instruction, amount, limits)
    if amount.unit is AmountUnit.NONE:
        return Slip("unit_missing", instruction)
    if _mass_of_several(order, amount):
        return None
    one = b12_mass(amount, order.medicine)
    dose = one.high if one else None
    if route_of(order, instruction) in PARENTERAL:
        return _injected(order, instruction, amount, dose, limits)
    return _not_injected(order, instruction, amount, dose, limits) if dose is not None else None


def _antidote(order: Order, instruction: Instruction, amount: Amount, limits: Limits) -> Slip | None:
    """The antidote product, ordered for deficiency or as a course: nobody treats cyanide on a schedule."""
    if not (_for_deficiency(order) or any(phase(each) is not Phase.SINGLE for each in order.instructions)):
        return None
    limit = limits["injection_critical_mg"] * _MCG_PER_MG
    one = mass(amount, order.medicine, CYANIDE_ANTIDOTE)
    if one and one.high >= limit:
        return Slip("antidote", instruction, one.high)
    strength = order.medicine.strengths.get(CYANIDE_ANTIDOTE)
    return Slip("antidote_kit", instruction, one.high if one else None) if strength and strength.mcg >= limit else None


def _injected(
    order: Order, instruction: Instruction, amount: Amount, dose: Decimal | None, limits: Limits
) -> Slip | None:
    volume = _volume(order, amount)
    if dose is not None and dose >= limits["injection_critical_mg"] * _MCG_PER_MG:
        return Slip("far_too_high", instruction, dose)
    if dose is not None and dose > limits["injection_usual_mg"] * _MCG_PER_MG:
        return Slip("high", instruction, dose)
    route = route_of(order, instruction)
    if volume is not None and volume > limits["injection_volume_ml"] and route is not Route.INTRAVENOUS:
        return Slip("volume", instruction, dose, volume)
    # A test dose is given into the skin, and is small on purpose.
    if dose is not None and dose < limits["injection_low_mcg"] and route is not Route.INTRADERMAL:
        return Slip("low", instruction, dose)
    return None


def _not_injected(order: Order, instruction: Instruction, amount: Amount, dose: Decimal, limits: Limits) -> Slip | None:
    """By mouth or nose, or by a way that is not stated."""
    unit = _strength(order)
    times = limits["strength_mismatch_times"]
    if amount.unit is AmountUnit.MCG and unit and (dose >= unit * times or dose * times <= unit):
        return Slip("strength_mismatch", instruction, dose)
    if dose >= limits["oral_slip_mg"] * _MCG_PER_MG:
        return Slip("oral_slip", instruction, dose)
    if dose >= limits["oral_high_mg"] * _MCG_PER_MG:
        return Slip("oral_high", instruction, dose)
    return None


def _volume(order: Order, amount: Amount) -> Decimal | None:
    """The millilitres of one injection, as ordered or by the strength of the product."""
    if amount.unit is AmountUnit.ML:
        return amount.high
    strength = b12_strength(order.medicine)
    if strength is None or strength.per_ml is None or not strength.mcg:
        return None
    if amount.unit is AmountUnit.UNIT:
        return amount.high * strength.per_ml
    return amount.high * strength.per_ml / strength.mcg if amount.unit is AmountUnit.MCG else None


def _strength(order: Order) -> Decimal | None:
    """What one unit of the product holds, in micrograms."""
    antidote = CYANIDE_ANTIDOTE in order.medicine.ingredients
    strength = order.medicine.strengths.get(CYANIDE_ANTIDOTE) if antidote else b12_strength(order.medicine)
    return strength.mcg if strength and strength.mcg else None


def _mass_of_several(order: Order, amount: Amount) -> bool:
    """Whether the milligrams may be those of another drug of a combined product."""
    return amount.unit is AmountUnit.MCG and (order.medicine.combined or not is_all_b12(order.medicine))


def _why_unreadable(order: Order, limits: Limits, *, injected_only: bool = False) -> str | None:
    """Why a stated dose cannot be judged; a count of tablets holds no slip of unit, whatever their strength."""
    if cobalamin(order.medicine) is None:
        return None
    for each in order.instructions:
        amount = each.amount
        if amount is None or amount.unit in (AmountUnit.NONE, AmountUnit.MCG_PER_KG):
            continue
        injected = route_of(order, each) in PARENTERAL
        if amount.unit is AmountUnit.UNKNOWN and (injected or not injected_only):
            return "unknown-unit"
        unknown = b12_mass(amount, order.medicine) is None or _mass_of_several(order, amount)
        if injected and unknown and _slip(order, each, limits) is None:
            return "unknown-strength"
    return None


def _excluded(order: Order, record: PatientRecord) -> str | None:
    reasons = {concept.name for concept in order.indications}
    if record.patient.deceased:
        return "the patient has died"
    if "inborn_error_cobalamin" in reasons or has(record, "inborn_error_cobalamin"):
        return "inborn error of cobalamin metabolism under specialist care"
    if "cyanide_poisoning" in reasons or has(record, "cyanide_poisoning"):
        return "cyanide poisoning"
    return "a research protocol sets the dose" if order.research else None


def _for_deficiency(order: Order) -> bool:
    return any(concept.name in _DEFICIENCY for concept in order.indications)


def _facts(slip: Slip, order: Order, limits: Limits, *, child: bool) -> dict[str, object]:
    amount = slip.instruction.amount
    route = route_of(order, slip.instruction)
    usual = limits["injection_usual_mg"] * _MCG_PER_MG
    injected = route in PARENTERAL
    thousandfold = slip.dose is not None and slip.dose == usual * _MCG_PER_MG
    return {
        "drug": cobalamin(order.medicine) or "hydroxocobalamin",
        "dose": slip.dose,
        "usual": usual,
        "times": _plain(slip.dose / usual) if slip.dose else None,
        "volume": _plain(slip.volume) if slip.volume else None,
        "volume_limit": _plain(limits["injection_volume_ml"]),
        "low_limit": limits["injection_low_mcg"],
        "number": _plain(amount.high) if amount else None,
        "counted": amount is not None and amount.unit in (AmountUnit.UNIT, AmountUnit.ML),
        "strength": _strength(order),
        "for_deficiency": _for_deficiency(order),
        "way": "by injection" if injected else _WAYS.get(route, "by mouth"),
        "child": child,
        "thousandfold": thousandfold,
        # One milligram is the usual injected dose of adults; by mouth only an exact thousandfold slip points to it.
        "set_usual": not child and (_usual_fits(slip) if injected else thousandfold),
        "replace": not child and slip.variant in ("antidote", "antidote_kit"),
    }


def _usual_fits(slip: Slip) -> bool:
    """Whether one milligram mends it: not where the product is too weak for that, nor the wrong product."""
    return slip.variant in ("far_too_high", "high", "low", "unit_missing") or (
        slip.variant == "volume" and slip.dose is None
    )


def _plain(number: Decimal) -> str:
    """A number without trailing zeros, to three places."""
    return f"{number:.3f}".rstrip("0").rstrip(".")
