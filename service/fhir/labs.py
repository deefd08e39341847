"""Laboratory results: Observations of any FHIR version, in canonical units, or the reason why one cannot be read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from cards.memory import remembered
from cards.record import Comparator, Flag, LabResult, NotUnderstood, Unreadable, When
from cards.units import UnknownUnit, implausible, is_numeric, to_canonical
from cards.words import normalised
from service.fhir.codes import LOINC, code_in, codings_in, codings_of, concept_of, listed, texts_of, unread
from service.fhir.dates import first, happened, if_known, period_end_or_start
from service.fhir.numbers import known_number, number
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
_ONE = Decimal(1)
_NEITHER = re.compile(r"equivocal|indeterminate|border-?line|inconclusive|intermediate|weak reaction", re.I)
_NO_RESULT_IN_WORDS = re.compile(
    r"h(?:a?e)moly[sz]|\b(?:insufficient|inadequate|clotted|pending|awaited|cancel\w{0,4}|reject\w{0,3}|unsuitable|unlabelled|"
    r"lip(?:a?e)mic|icteric|void|error|repeat|qns|tnp|n/?a|nil|none|see (?:comment|note|report|text|below|attached)|"
    r"to follow|in progress|no (?:sample|specimen|result|value)|"
    r"not (?:report|done|perform|test|avail|receiv|requir|process|measur|calculat|applic|suffic|analys|request)\w{0,8}|"
    r"unable to|could not be|declined|refused|spoil\w{0,3}|leaked|lost|expired|contaminat\w{0,3})\b",
    re.I,
)
_QUANTITY_IN_WORDS = re.compile(
    r"^(?:(<=?|>=?|≤|≥|less than|greater than|more than|under|over|below|above)\s?)?"
    r"(\d+(?:[.,]\d+)?)\s?((?![-\d.,:/]\s?\d)[^\s\d].{0,60})?$",
    re.I,
)
_COMPARATORS = {
    "<": Comparator.BELOW,
    **dict.fromkeys(("<=", "=<", "lt", "le"), Comparator.BELOW),
    "less than": Comparator.BELOW,
    ">": Comparator.ABOVE,
    **dict.fromkeys((">=", "=>", "gt", "ge"), Comparator.ABOVE),
    "greater than": Comparator.ABOVE,
    **dict.fromkeys(("≤", "under", "below"), Comparator.BELOW),
    **dict.fromkeys(("≥", "over", "above", "more than"), Comparator.ABOVE),
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
    measured = _measured(part)
    if measured is None:
        return None
    day = _day(said, setting)
    if isinstance(day, str):
        return Unreadable(concept, None, day)
    if isinstance(measured, NotUnderstood):
        return Unreadable(concept, day, measured.reason)
    value, unit, comparator, other_unit = measured
    if other_unit and _contradicts(concept, unit, other_unit):
        return Unreadable(concept, day, "contradiction")
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
        issued=if_known(happened(part.get("issued"), setting)),
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
        word = normalised(word)
        positive = True if _POSITIVE.search(word) else False if _NEGATIVE.search(word) else None
        if positive is not None:
            day = _day(said, setting)
            if isinstance(day, str):
                return Unreadable(concept, None, day)
            return LabResult(concept, day, positive=positive)
    said_something = any(isinstance(each, str) and each.strip() for each in words) or "valueQuantity" in part
    if not said_something or part.get("dataAbsentReason") or any(_says_neither(each) for each in words):
        return None
    day = _day(said, setting)
    return Unreadable(concept, None if isinstance(day, str) else day, "unreadable")


def _says_neither(words: Any) -> bool:
    """Whether a result is said to be neither positive nor negative, or not to be."""
    return isinstance(words, str) and bool(_NEITHER.search(words) or says_no_result(words))


def _day(said: Any, setting: Setting) -> When | str:
    """The day of a result, or why there is none."""
    day = happened(said, setting)
    if day is None:
        return "no-date"
    return day.reason if isinstance(day, NotUnderstood) else day


class _Measured(NamedTuple):
    """A number with its unit (a UCUM code before the words), and the other of code and words where both are sent."""

    value: Decimal
    unit: str
    comparator: Comparator | None
    other_unit: str = ""


_VALUES = (
    "valueQuantity", "valueString", "valueInteger", "valueDecimal", "valueCodeableConcept", "valueRange", "valueRatio",
    "valueBoolean", "valueSampledData", "valueDateTime", "valueTime", "valuePeriod", "value",
)  # fmt: skip
_UNREADABLE = NotUnderstood("unreadable")
_CONTRADICTION = NotUnderstood("contradiction")


def _measured(part: dict[str, Any]) -> _Measured | NotUnderstood | None:
    """The number of a result; None where there is none, and the words say so."""
    if part.get("dataAbsentReason"):
        return None
    quantity = part.get("valueQuantity")
    if type(quantity) is dict and quantity:
        # By far the commonest.
        return _of_quantity(quantity)
    name = next((each for each in _VALUES if part.get(each) not in (None, "", {}, [])), None)
    if name is None:
        return None
    value = part[name]
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and ("value" in value or name == "valueQuantity"):
        return _of_quantity(value)
    if name == "valueCodeableConcept":
        texts = texts_of(value)
        return None if any(map(says_no_result, texts)) else _of_words(texts[0]) if texts else _UNREADABLE
    if isinstance(value, str):
        return _of_words(normalised(value))
    found = number(value)
    return _Measured(found, "", None) if isinstance(found, Decimal) else found or _UNREADABLE


def _of_quantity(quantity: dict[str, Any]) -> _Measured | NotUnderstood | None:
    sent = quantity.get("value")
    unit, other = quantity.get("code"), quantity.get("unit")
    unit, other = unit if isinstance(unit, str) else "", other if isinstance(other, str) else ""
    if quantity.get("system") not in (None, "http://unitsofmeasure.org"):
        unit, other = other, unit
    compared = quantity.get("comparator")
    comparator = _COMPARATORS.get(str(compared).strip().lower())
    if comparator is None and compared not in (None, "", "="):
        # "~", or "ad" of R5: neither the number nor a bound.
        return _UNREADABLE
    found = number(sent)
    if isinstance(found, NotUnderstood) and isinstance(sent, str):
        said = _of_words(normalised(sent))
        if not isinstance(said, _Measured):
            return said
        if said.comparator and comparator and said.comparator is not comparator:
            return _CONTRADICTION
        return _Measured(said.value, unit or other or said.unit, said.comparator or comparator, other)
    if found is None:
        return None if compared is None else _UNREADABLE
    return found if isinstance(found, NotUnderstood) else _Measured(found, unit or other, comparator, other)


def _of_words(words: str) -> _Measured | NotUnderstood | None:
    """A number in words, with or without its unit: "<150 ng/L", "0,35 umol/L"; None where they say "not reported"."""
    match = _QUANTITY_IN_WORDS.match(words)
    if match is None:
        return None if says_no_result(words) or not words else _UNREADABLE
    found = number(match[2])
    if not isinstance(found, Decimal):
        return found or _UNREADABLE
    return _Measured(found, (match[3] or "").strip(), _COMPARATORS.get((match[1] or "").lower()))


def says_no_result(words: str) -> bool:
    """Whether the words in place of a result say that there is none: "haemolysed, not reported", "to follow"."""
    return bool(_NO_RESULT_IN_WORDS.search(words))


def _contradicts(concept: str, unit: str, other: str) -> bool:
    """Whether the code of a unit and its words are different measures."""
    try:
        return to_canonical(concept, _ONE, unit) != to_canonical(concept, _ONE, other)
    except UnknownUnit:
        return False


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
        if isinstance(text := concept_of(each).get("text"), str):
            yield normalised(text)


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
    return known_number(quantity.get("value"))
