"""How much, by which way and where: dosage instructions of any FHIR version."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cards.record import Amount, AmountUnit, Instruction, Route, Site
from cards.terminology import Terminology
from service.fhir.dates import first
from service.fhir.timing import NO_TIMING, read_timing

_MASS = {
    "mg": Decimal(1000),
    "milligram": Decimal(1000),
    "mcg": Decimal(1),
    "ug": Decimal(1),
    "µg": Decimal(1),
    "μg": Decimal(1),
    "microgram": Decimal(1),
    "g": Decimal(1_000_000),
    "gram": Decimal(1_000_000),
    "gm": Decimal(1_000_000),
    "ng": Decimal("0.001"),
}
# Countable forms, in UCUM braces or in words; 413516001 is SNOMED's "Ampule".
_COUNTED = re.compile(
    r"^\{?(?:pill|tbl|tab(?:let)?|cap(?:sule)?|caplet|lozenge|ampoule|ampule|amp|vial|dose|syringe|each|unit dose"
    r"|spray|puff|drop|gumm(?:y|ie)|sachet|\d+ ampoule)s?\}?$",
    re.IGNORECASE,
)
_COUNTED_CODES = frozenset({"413516001", "428673006", "428641000", "415818006", "1", "{count}"})
_MILLILITRES = frozenset({"ml", "millilitre", "milliliter", "cc"})
_PER_KG = re.compile(r"^(mg|mcg|ug|g)/kg", re.IGNORECASE)
_DOSE_IN_WORDS = re.compile(
    r"(?<![\d.])(?P<low>\d+(?:\.\d+)?)(?:\s*-\s*(?P<high>\d+(?:\.\d+)?))?\s*"
    r"(?P<unit>mg|milligrams?|mcg|micrograms?|µg|μg|ug|g|ml)\b(?!\s*/\s*(?:ml|\d))",
    re.IGNORECASE,
)
_COUNT_IN_WORDS = re.compile(
    r"\b(?P<number>\d+|one|two|three|half)\s*(?:x\s*)?(?P<form>tab(?:let)?|cap(?:sule)?|ampoule|amp|vial)s?\b",
    re.IGNORECASE,
)
_COUNTS = {"one": Decimal(1), "two": Decimal(2), "three": Decimal(3), "half": Decimal("0.5")}


def read_instruction(dosage: dict[str, Any], words: str, terminology: Terminology, zone: ZoneInfo) -> Instruction:
    """One dosage instruction; `words` are those of the whole order, for the site."""
    own = _text(dosage)
    when = dosage.get("timing")
    timing = read_timing(when, own, terminology, zone) if when or own else NO_TIMING
    return Instruction(
        amount=_amount(dosage) or (_amount_in_words(own) if own else None),
        route=read_route(dosage.get("route"), own, terminology),
        site=read_site(first(dosage, "site", "siteCodeableConcept"), f"{own} {words}".strip(), terminology),
        repeat=timing.repeat,
        starts=timing.starts,
        ends=timing.ends,
        lasts=timing.lasts,
        count=timing.count,
        events=timing.events,
        as_needed=timing.as_needed or _as_needed(dosage),
        timing_unread=timing.unread,
    )


def _text(dosage: dict[str, Any]) -> str:
    """The words of an instruction."""
    found = [dosage.get("text"), dosage.get("patientInstruction")]
    more = first(dosage, "additionalInstruction", "additionalInstructions")
    found += [each.get("text") for each in (more if isinstance(more, list) else [more]) if isinstance(each, dict)]
    return " ".join(each for each in found if isinstance(each, str))


def _as_needed(dosage: dict[str, Any]) -> bool:
    return first(dosage, "asNeededBoolean", "asNeeded") is True or isinstance(
        first(dosage, "asNeededCodeableConcept", "asNeededFor"), dict | list
    )


def _amount(dosage: dict[str, Any]) -> Amount | None:
    rates = dosage.get("doseAndRate")
    rate = rates[0] if isinstance(rates, list) and rates else rates
    for holder in (rate, dosage):
        if isinstance(holder, dict):
            dose = first(holder, "doseQuantity", "doseSimpleQuantity", "dose", "quantity", "doseRange")
            if isinstance(dose, dict) and (amount := read_amount(dose)):
                return amount
    return None


def read_amount(dose: dict[str, Any]) -> Amount | None:
    """A Quantity, or a Range of quantities, as a dose; a unit is never guessed."""
    low = dose.get("low") if "low" in dose or "high" in dose else dose
    high = dose.get("high", low)
    low = low if isinstance(low, dict) else high
    if not isinstance(low, dict) or not isinstance(high, dict) or "value" not in (low | high):
        high = low
    if not isinstance(low, dict):
        return None
    smallest = _number(low.get("value"))
    largest = _number(high.get("value")) if isinstance(high, dict) else smallest
    if smallest is None or largest is None:
        return None
    code = first(low, "code") if isinstance(first(low, "code"), str) else None
    unit = low.get("unit") if isinstance(low.get("unit"), str) else None
    if code is None and isinstance(high, dict):
        code, unit = (high.get("code") or code), (high.get("unit") or unit)
    return _in_unit(smallest, largest, code, unit)


def _in_unit(low: Decimal, high: Decimal, code: str | None, unit: str | None) -> Amount:
    written = f"{low:f} {unit or code}" if unit or code else None
    for name in (code, unit):
        if not isinstance(name, str) or not name:
            continue
        word = name.strip().lower()
        factor = _MASS.get(word) or _MASS.get(word.rstrip("s"))
        if factor:
            return Amount(low * factor, high * factor, AmountUnit.MCG, written)
        if word in _MILLILITRES or word.rstrip("s") in _MILLILITRES:
            return Amount(low, high, AmountUnit.ML)
        if word in _COUNTED_CODES or _COUNTED.match(word):
            return Amount(low, high, AmountUnit.UNIT)
        if _PER_KG.match(word):
            return Amount(low, high, AmountUnit.MCG_PER_KG)
    return Amount(low, high, AmountUnit.UNKNOWN if code or unit else AmountUnit.NONE)


@lru_cache(maxsize=4096)
def _amount_in_words(text: str) -> Amount | None:
    """A dose in words ("5 mg once daily", "ONE tablet daily"), used only where the structure gives none."""
    if match := _DOSE_IN_WORDS.search(text):
        low = Decimal(match["low"])
        return _in_unit(low, Decimal(match["high"] or match["low"]), None, match["unit"])
    if match := _COUNT_IN_WORDS.search(text):
        number = _COUNTS.get(match["number"].lower()) or Decimal(match["number"])
        return Amount(number, number, AmountUnit.UNIT)
    return None


def read_route(concept: Any, words: str, terminology: Terminology) -> Route | None:
    """A route by its code (never by its display), else by its text, else by the words of the instruction."""
    if isinstance(concept, dict):
        codings = concept.get("coding")
        for coding in codings if isinstance(codings, list) else [codings]:
            if isinstance(coding, dict):
                found = terminology.route(str(coding.get("system")), str(coding.get("code")))
                if found:
                    return Route(found)
        for text in _texts(concept):
            if found := terminology.route_in_text(text):
                return Route(found)
    found = terminology.route_in_text(words) if words else None
    return Route(found) if found else None


def read_site(concept: Any, words: str, terminology: Terminology) -> Site | None:
    """A site by its code, else by its text, else by the words of the order."""
    if isinstance(concept, dict):
        codings = concept.get("coding")
        for coding in codings if isinstance(codings, list) else [codings]:
            if isinstance(coding, dict):
                found = terminology.site(str(coding.get("system")), str(coding.get("code")))
                if found:
                    return Site(*found)
        for text in _texts(concept):
            if found := terminology.site_in_text(text):
                return Site(*found)
    found = terminology.site_in_text(words) if words else None
    return Site(*found) if found else None


def _texts(concept: dict[str, Any]) -> list[str]:
    codings = concept.get("coding")
    found = [concept.get("text")]
    found += [each.get("display") for each in (codings if isinstance(codings, list) else []) if isinstance(each, dict)]
    return [each for each in found if isinstance(each, str) and each]


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
