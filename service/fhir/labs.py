"""Laboratory results: Observations of any FHIR version, in canonical units, or the reason why one cannot be read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

from cards.memory import remembered
from cards.record import Comparator, Flag, LabResult, Unreadable, When
from cards.units import UnknownUnit, implausible, is_numeric, to_canonical
from service.fhir.codes import LOINC, code_in, codings_in, codings_of, concept_of, listed, texts_of, unread
from service.fhir.dates import first, period_end_or_start, when
from service.fhir.numbers import is_out_of_proportion, number
from service.fhir.setting import Setting

_VALID = frozenset({"final", "amended", "corrected", None})
# The name of every concept that is none of ours.
_ANOTHER = ""
_NO_RESULT = frozenset({"registered", "preliminary", "cancelled", "entered-in-error"})
_FLAGS = {
    **dict.fromkeys(("L", "LL", "<", "LU"), Flag.LOW),
    "N": Flag.NORMAL,
    **dict.fromkeys(("H", "HH", ">", "HU"), Flag.HIGH),
}
_FLAG_WORDS = {"low": Flag.LOW, "critically low": Flag.LOW, "normal": Flag.NORMAL, "high": Flag.HIGH}
_SIGNS = {"POS": True, "NEG": False, "DET": True, "ND": False}
_YES_OR_NO = {"True": "positive", "False": "negative"}
_POSITIVE = re.compile(r"^\s*(?:weakly? |strongly? )?(?:positive|detected|present|reactive)\b", re.I)
_NEGATIVE = re.compile(r"^\s*(?:negative|not detected|absent|none detected|non-?reactive)\b", re.I)
_INFINITE = Decimal("Infinity")
_QUANTITY_IN_WORDS = re.compile(r"^\s*(?:(<=?|>=?|less than|greater than)\s*)?(\d+(?:\.\d+)?)\s*([^\s\d].*)?$", re.I)
_COMPARATORS = {
    "<": Comparator.BELOW,
    "<=": Comparator.BELOW,
    "less than": Comparator.BELOW,
    ">": Comparator.ABOVE,
    ">=": Comparator.ABOVE,
    "greater than": Comparator.ABOVE,
}
# How units are written on a card, by their plain spelling: never the sender's own characters.
_MICRO = re.compile("[µμ]|mc(?=g|mol)", re.I)
_LABELS = {
    "ng/l": "ng/L", "pg/ml": "pg/mL", "pmol/l": "pmol/L", "ng/ml": "ng/mL", "ug/l": "ug/L", "umol/l": "umol/L",
    "nmol/l": "nmol/L", "nmol/ml": "nmol/mL", "mg/l": "mg/L", "g/l": "g/L", "g/dl": "g/dL", "fl": "fL", "um3": "fL",
    "mmol/l": "mmol/L", "meq/l": "mEq/L",
    **dict.fromkeys(("10*9/l", "10^9/l", "x10*9/l", "x10^9/l", "10e9/l", "×10⁹/l", "giga/l"), "×10⁹/L"),
    **dict.fromkeys(("ml/min/{1.73_m2}", "ml/min/1.73m2", "ml/min/1.73m^2", "ml/min/1.73sqm"), "mL/min/1.73m2"),
    **dict.fromkeys(("ml/min/{1.73m2}", "ml/min/1.73m*2"), "mL/min/1.73m2"), "ml/min": "mL/min",
}  # fmt: skip


@remembered
def _label(unit: str) -> str:
    plain = _MICRO.sub("u", unit).lower().replace(" ", "").replace("litre", "l").replace("liter", "l")
    return _LABELS.get(plain, "")


def results(resource: dict[str, Any], wanted: Collection[str], setting: Setting) -> list[LabResult | Unreadable]:
    """The results of an Observation and its components that are of the `wanted` concepts."""
    concept = _concept(resource.get("code"), setting)
    components = resource.get("component")
    if not components and concept not in wanted:
        why = unread(resource.get("code"), setting.terminology) if concept is None else None
        if why is None or code_in(resource.get("status")) in _NO_RESULT:
            return []
        day = _day(_said(resource), setting)
        return [Unreadable(None, None if isinstance(day, str) else day, why)]
    status = resource.get("status")
    if status != "final":
        status = code_in(status)
        if status in _NO_RESULT:
            return []
    found: list[LabResult | Unreadable] = []
    said = _said(resource)
    if concept in wanted and concept and (result := _result(concept, resource, said, setting)):
        found.append(result)
    for component in listed(components):
        part = _concept(component.get("code"), setting) if isinstance(component, dict) else None
        if part in wanted and part and (result := _result(part, component, said, setting)):
            found.append(result)
    if status not in _VALID:
        return [Unreadable(each.concept, each.when, "unknown-status") for each in found]
    return found


def _said(resource: dict[str, Any]) -> Any:
    """When an observation was made, as it was said."""
    said = first(resource, "effectiveDateTime", "effectiveInstant") or period_end_or_start(
        resource.get("effectivePeriod")
    )
    return said or first(resource, "issued", "appliesDateTime") or period_end_or_start(resource.get("appliesPeriod"))


def _concept(code: Any, setting: Setting) -> str | None:
    """The laboratory concept of a code, `_ANOTHER`, or None when its codes and words say nothing that is known.

    Words count only when no coding is known to any value set.
    """
    find = setting.terminology.find
    loinc = False
    # Most of a chart is results: the usual shape is not looked at twice.
    codings = code.get("coding") if isinstance(code, dict) else None
    for coding in codings if isinstance(codings, list) else codings_in(code):
        if not isinstance(coding, dict):
            continue
        system = str(coding.get("system"))
        if coded := find(system, str(coding.get("code"))):
            concept = coded[0].concept
            return concept.name if concept.kind == "lab" else _ANOTHER
        loinc = loinc or system == LOINC or setting.terminology.is_system(system, "LOINC")
    if loinc:
        # LOINC says exactly what it is: not one of ours.
        return _ANOTHER
    return next((name for text in texts_of(code) for name in setting.terminology.labs_in_text(text)), None)


def _result(concept: str, part: dict[str, Any], said: Any, setting: Setting) -> LabResult | Unreadable | None:
    if not is_numeric(concept):
        return _qualitative(concept, part, said, setting)
    value, unit, comparator = _quantity(part)
    if value is None:
        return None
    day = _day(said, setting)
    if isinstance(day, str):
        return Unreadable(concept, None, day)
    if not value.is_finite():
        return Unreadable(concept, day, "implausible-value")
    if not unit and concept != "inr":
        return Unreadable(concept, day, "unit-missing")
    try:
        canonical = to_canonical(concept, value, unit)
    except UnknownUnit:
        return Unreadable(concept, day, "unknown-unit")
    if comparator is None and implausible(concept, canonical):
        return Unreadable(concept, day, "implausible-value")
    return LabResult(
        concept,
        day,
        canonical,
        comparator,
        _flag(part) or _range_flag(part, value, unit, comparator),
        sent=value,
        unit=_label(unit),
        issued=when(part.get("issued"), setting.zone),
    )


def _qualitative(concept: str, part: dict[str, Any], said: Any, setting: Setting) -> LabResult | Unreadable | None:
    """A result that is yes or no, such as an antibody."""
    words = [part.get("valueString"), _YES_OR_NO.get(str(part.get("valueBoolean")))]
    words += texts_of(part.get("valueCodeableConcept"))
    for code in _interpretations(part):
        if (sign := _SIGNS.get(code.upper())) is not None:
            words.append("positive" if sign else "negative")
    for word in words:
        if not isinstance(word, str):
            continue
        positive = True if _POSITIVE.search(word) else False if _NEGATIVE.search(word) else None
        if positive is not None:
            day = _day(said, setting)
            if isinstance(day, str):
                return Unreadable(concept, None, day)
            return LabResult(concept, day, positive=positive)
    return None


def _day(said: Any, setting: Setting) -> When | str:
    """The day of a result, or why there is none."""
    if said is None:
        return "no-date"
    day = when(said, setting.zone)
    if day is None:
        return "impossible-date"
    if day.earliest > setting.today:
        return "future-date"
    return day if day.latest <= setting.today else When(day.earliest, setting.today)


def _quantity(part: dict[str, Any]) -> tuple[Decimal | None, str, Comparator | None]:
    """Value, unit (a UCUM code before the words) and comparator of a result, from a quantity or from words.

    A value out of every proportion is infinite.
    """
    quantity = part.get("valueQuantity")
    if isinstance(quantity, list) and len(quantity) == 1:
        quantity = quantity[0]
    if isinstance(quantity, dict):
        value = _size(quantity.get("value"))
        unit, other = quantity.get("code"), quantity.get("unit")
        if quantity.get("system") not in (None, "http://unitsofmeasure.org"):
            unit, other = other, unit
        if not (isinstance(unit, str) and unit):
            unit = other if isinstance(other, str) else ""
        return value, unit, _COMPARATORS.get(str(quantity.get("comparator")))
    for name in ("valueString", "valueInteger", "valueDecimal"):
        words = part.get(name)
        if isinstance(words, int | float) and not isinstance(words, bool):
            return _size(words), "", None
        if isinstance(words, str) and (match := _QUANTITY_IN_WORDS.match(words)):
            comparator = _COMPARATORS.get((match[1] or "").lower())
            return _size(match[2]), (match[3] or "").strip(), comparator
    return None, "", None


def _size(value: Any) -> Decimal | None:
    found = number(value)
    return _INFINITE if found is None and is_out_of_proportion(value) else found


def _interpretations(part: dict[str, Any]) -> Iterator[str]:
    said = part.get("interpretation")
    if said is None:
        return
    for one in said if isinstance(said, list) else (said,):
        each = concept_of(one)
        codings = each.get("coding")
        for coding in codings if isinstance(codings, list) else (codings,):
            if isinstance(coding, dict) and isinstance(code := coding.get("code"), str):
                yield code.strip()
        if isinstance(text := each.get("text"), str):
            yield text.strip()


def _flag(part: dict[str, Any]) -> Flag | None:
    """The laboratory's own interpretation."""
    for each in _interpretations(part):
        flag = _FLAGS.get(each.upper()) or _FLAG_WORDS.get(each.lower())
        if flag:
            return flag
    return None


def _range_flag(part: dict[str, Any], value: Decimal, unit: str, comparator: Comparator | None) -> Flag | None:
    """The value against its normal range, when both are in one unit; a bound may leave it open."""
    ranges = part.get("referenceRange")
    span = next((each for each in listed(ranges) if _is_normal_range(each)), None)
    if span is None:
        return None
    low, high = _bound(span.get("low"), unit), _bound(span.get("high"), unit)
    if comparator is not None:
        below = comparator is Comparator.BELOW and low is not None and value <= low
        above = comparator is Comparator.ABOVE and high is not None and value >= high
        return Flag.LOW if below else Flag.HIGH if above else None
    if low is not None and value < low:
        return Flag.LOW
    if high is not None and value > high:
        return Flag.HIGH
    return Flag.NORMAL if low is not None else None


def _is_normal_range(span: Any) -> bool:
    """Whether a reference range is that of healthy people, not a target or a panic range."""
    if not isinstance(span, dict):
        return False
    kind = first(span, "type", "meaning")
    codes = [code.strip().lower() for _, code in codings_of(kind)]
    return not codes or "normal" in codes


def _bound(quantity: Any, unit: str) -> Decimal | None:
    if not isinstance(quantity, dict):
        return None
    code = quantity.get("code")
    if code != unit:
        own = [each for each in (code, quantity.get("unit")) if isinstance(each, str) and each]
        if own and unit.lower() not in [each.lower() for each in own]:
            return None
    return number(quantity.get("value"))
