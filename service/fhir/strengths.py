"""How much of an ingredient a Medication resource says it holds, in the shapes of every FHIR version."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cards.record import NotUnderstood, Strength
from cards.strength import mass_unit, strengths_in
from service.fhir.codes import texts_of
from service.fhir.dates import first
from service.fhir.numbers import known_number

_MILLILITRES = {"ml": Decimal(1), "cc": Decimal(1), "cm3": Decimal(1), "l": Decimal(1000)}
_TIMES = frozenset({"h", "hr", "hour", "24.h", "d", "day", "min", "wk", "week"})
_UNREAD = NotUnderstood("strength")


def read_strength(item: dict[str, Any]) -> Strength | NotUnderstood | None:
    """The strength that one ingredient of a Medication states; None when it states none."""
    said = first(
        item,
        "strength",
        "strengthRatio",
        "strengthQuantity",
        "strengthCodeableConcept",
        "strengthRatioLowLimit",
        "amount",
    )
    if said is None:
        return None
    if isinstance(said, list):
        said = said[0] if len(said) == 1 else said
    if isinstance(said, str):
        return _in_words([said])
    if not isinstance(said, dict):
        return _UNREAD
    if "numerator" in said or "value" in said:
        return _ratio(said)
    return _in_words(texts_of(said))


def _in_words(words: list[str]) -> Strength | NotUnderstood:
    # With a single ingredient every strength in the words is its own.
    found = [strength for each in words if (strength := strengths_in(each, ("cobalamin",)).get("cobalamin"))]
    return found[0] if found and all(each == found[0] for each in found) else _UNREAD


def _ratio(value: dict[str, Any]) -> Strength | NotUnderstood:
    mcg = _mass(value.get("numerator", value))
    if mcg is None:
        return _UNREAD
    denominator = value.get("denominator")
    if denominator is None:
        return Strength(mcg)
    if not isinstance(denominator, dict):
        return _UNREAD
    per = denominator.get("value")
    units = Decimal(1) if per is None else known_number(per)
    if units is None or units <= 0:
        return _UNREAD
    words = [each.strip().lower() for each in _units(denominator)]
    if any(mass_unit(each) or each in _TIMES for each in words):
        # So much in a gram of ointment, or in an hour from a patch, is no strength of one unit.
        return _UNREAD
    volumes = {_millilitres(each) for each in words} - {None}
    if not volumes:
        return Strength(mcg / units)
    millilitres = volumes.pop()
    return Strength(mcg, units * millilitres) if millilitres and not volumes else _UNREAD


def _units(quantity: dict[str, Any]) -> list[str]:
    return [each for each in (quantity.get("code"), quantity.get("unit")) if isinstance(each, str) and each.strip()]


def _millilitres(unit: str) -> Decimal | None:
    if unit.startswith("millilit"):
        return Decimal(1)
    return Decimal(1000) if unit.startswith(("litre", "liter")) else _MILLILITRES.get(unit)


def _mass(quantity: Any) -> Decimal | None:
    """A quantity in micrograms; None for what is no mass, or whose code and unit contradict each other."""
    if not isinstance(quantity, dict) or quantity.get("comparator"):
        return None
    value = known_number(quantity.get("value"))
    factors = {mass_unit(each) for each in _units(quantity)} - {None}
    factor = factors.pop() if len(factors) == 1 else None
    return value * factor if value is not None and value > 0 and factor else None
