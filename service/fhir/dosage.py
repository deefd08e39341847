"""How much, by which way and where: dosage instructions of any FHIR version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cards.memory import LONGEST_TEXT, remembered
from cards.record import Amount, AmountUnit, Instruction, Route, Site
from cards.terminology import Terminology
from cards.words import known_form, normalised
from service.fhir.codes import codings_of, texts_of, unread
from service.fhir.dates import first
from service.fhir.numbers import known_number, number
from service.fhir.timing import NO_TIMING, is_structured, read_timing, texts_of_timing
from service.fhir.timing_words import regimen

_MASS = {
    "mg": Decimal(1000),
    "milligram": Decimal(1000),
    "milligramme": Decimal(1000),
    "mcg": Decimal(1),
    "ug": Decimal(1),
    "µg": Decimal(1),
    "μg": Decimal(1),
    "microgram": Decimal(1),
    "microgramme": Decimal(1),
    "g": Decimal(1_000_000),
    "gram": Decimal(1_000_000),
    "gramme": Decimal(1_000_000),
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
_COUNT_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten"
# "1,000" and "1 000" are a thousand, "20,0" and "0,25" have the comma of the continent.
_NUMBER = r"(?:[1-9]\d{0,2}(?:(?:,\d{3})+|(?: 000)+)(?!\d)(?:\.\d+)?|0,\d{1,6}|\d+(?:\.\d+|,\d{1,2}(?!\d))?)"
_THOUSANDS = re.compile(r"[, ](?=\d{3}(?!\d))")
# Not the volume of a strength ("1 mg/1 ml"), nor the strength itself.
_DOSE_IN_WORDS = re.compile(
    rf"(?<![\d.,/])(?<!/ )(?P<low>{_NUMBER})(?:\s*(?:-|–|to)\s*(?P<high>{_NUMBER}))?\s*"
    r"(?P<unit>mg|milligram(?:me)?s?|mcg|microgram(?:me)?s?|µg|μg|ug|g|ml)\b(?!\s*/\s*(?:ml|\d))",
    re.IGNORECASE,
)
_COUNT_IN_WORDS = re.compile(
    rf"(?<![\w.,/-])(?P<low>{_NUMBER}|{_COUNT_WORDS}|half)(?:\s*(?:-|–|to|or)\s*(?P<high>{_NUMBER}|{_COUNT_WORDS}))?\s*"
    r"(?:(?:x\s*|an?\s+)?(?:tab(?:let)?|cap(?:sule)?|ampoule|amp|vial|spray)s?\b|to be taken\b)",
    re.IGNORECASE,
)
# "One daily", "Take 2 od", "ONE EACH MORNING": a count that begins the text, with the frequency right after it. A digit
# alone ("1000 daily" may be micrograms), and nothing that counts times or weeks ("three times a day", "2 weekly").
_COUNT_AT_THE_START = re.compile(
    r"^\W*(?:(?:take|give|swallow|dissolve|chew|suck|place|put|inject|use)\s+)?"
    rf"(?P<low>[1-9]|{_COUNT_WORDS}|half)(?:\s*(?:-|–|to|or)\s*(?P<high>[1-9]|{_COUNT_WORDS}))?\s+"
    r"(?=(?:once|twice|three times|[23] times|daily|nightly|every|each|a day|per day|in the|at night|under the tongue"
    r"|o\.?d|b\.?d|t\.?d\.?s|t\.?i\.?d|b\.?i\.?d|q\.?d|nocte|mane)\b)",
    re.IGNORECASE,
)
_COUNTS = {word: Decimal(number) for number, word in enumerate(_COUNT_WORDS.split("|"), start=1)}
_COUNTS["half"] = Decimal("0.5")


def read_instructions(
    dosage: dict[str, Any], words: str, terminology: Terminology, zone: ZoneInfo
) -> tuple[Instruction, ...]:
    """The instructions of one dosage: a regimen written as one text without a structured timing has its phases."""
    timing, own = dosage.get("timing"), _text(dosage)
    whole = read_instruction(dosage, words, terminology, zone)
    parts = _phases(timing, dosage.get("text"), own)
    if len(parts) < 2:
        return (whole,)
    told = {name: value for name, value in dosage.items() if name not in _WORDS and name != "timing"}
    found = [read_instruction({**told, "text": part}, words, terminology, zone) for part in parts]
    if whole.starts or whole.ends:
        found[0] = replace(found[0], starts=whole.starts)
        found[-1] = replace(found[-1], ends=whole.ends)
    return tuple(
        replace(each, amount=each.amount or whole.amount, route=each.route or whole.route, site=each.site or whole.site)
        for each in found
    )


# "Qd x7 then q3mo": most codes are shorter than any two phases.
_SHORTEST_REGIMEN = 14


def _phases(timing: Any, text: Any, own: str) -> tuple[str, ...]:
    """The texts of the phases of a regimen that is written in words alone, be it in the timing's code.

    The instruction's `text` goes before all of its `own` words: what the patient is told may be the regimen again.
    """
    own_texts = (own,) if text == own or not isinstance(text, str) else (normalised(text), own)
    for text in (*own_texts, *texts_of_timing(timing)) if timing else own_texts:
        if len(text) < _SHORTEST_REGIMEN:
            continue
        phases = regimen(text)
        if len(phases) > 1:
            if is_structured(timing):
                break
            return tuple(text[each.phase.start : each.phase.end] for each in phases)
    return ()


def read_instruction(dosage: dict[str, Any], words: str, terminology: Terminology, zone: ZoneInfo) -> Instruction:
    """One dosage instruction; `words` are those of the whole order, for the site."""
    own = _text(dosage)
    when = dosage.get("timing")
    timing = read_timing(when, own, terminology, zone) if when or own else NO_TIMING
    said_route, said_site = dosage.get("route"), first(dosage, "site", "siteCodeableConcept")
    route = read_route(said_route, own, terminology)
    site = read_site(said_site, f"{own}; {words}" if own and words else own or words, terminology)
    return Instruction(
        amount=_dose(dosage, own),
        route=route,
        site=site,
        repeat=timing.repeat,
        starts=timing.starts,
        ends=timing.ends,
        lasts=timing.lasts,
        count=timing.count,
        events=timing.events,
        as_needed=timing.as_needed or _as_needed(dosage),
        timing_unread=timing.unread,
        route_unread=route is None and said_route is not None and unread(said_route, terminology) is not None,
        site_unread=site is None and said_site is not None and unread(said_site, terminology) is not None,
    )


def read_given(dosage: dict[str, Any], terminology: Terminology) -> tuple[Amount | None, Route | None, Site | None]:
    """How much of a dose was given, by which way and where."""
    own = _text(dosage)
    return (
        _dose(dosage, own),
        read_route(dosage.get("route"), own, terminology),
        read_site(first(dosage, "site", "siteCodeableConcept"), own.strip(), terminology),
    )


_WORDS = frozenset({"text", "patientInstruction", "additionalInstruction", "additionalInstructions"})


def _text(dosage: dict[str, Any]) -> str:
    """The words of an instruction."""
    text, more = dosage.get("text"), first(dosage, "additionalInstruction", "additionalInstructions")
    if more is None and "patientInstruction" not in dosage:
        return known_form(text) or normalised(text) if isinstance(text, str) else ""
    found = [text, dosage.get("patientInstruction")]
    found += [each.get("text") for each in (more if isinstance(more, list) else [more]) if isinstance(each, dict)]
    # Many systems send the same words to the pharmacy and to the patient.
    return normalised(" ".join(dict.fromkeys(each for each in found if isinstance(each, str))))


def _as_needed(dosage: dict[str, Any]) -> bool:
    return first(dosage, "asNeededBoolean", "asNeeded") is True or isinstance(
        first(dosage, "asNeededCodeableConcept", "asNeededFor"), dict | list
    )


# The last two are those of a DSTU2 statement.
_RATES = frozenset({"rateQuantity", "rateRange", "rateRatio", "rateSimpleQuantity", "doseRatio"})
_DOSES = ("doseQuantity", "doseSimpleQuantity", "dose", "quantity", "doseRange", "quantityQuantity", "quantityRange")


def _dose(dosage: dict[str, Any], words: str) -> Amount | None:
    """The dose of an instruction by its structure, else by its words.

    Where the two are masses that differ by a power of ten, nobody can tell which is meant: from the one to the other.
    """
    sent = _amount(dosage)
    if sent and (not words or sent.unit is not AmountUnit.MCG):
        return sent
    said = _amount_in_words(words) if words else None
    if sent is None and said is None:
        return UNREAD if _says_rate(dosage) else None
    if sent is None or said is None or said.unit is not AmountUnit.MCG or not (sent.high and said.high):
        return sent or said
    # "Two 50 mcg tablets", "1 mg/ml": what holds more than one number may say strengths and counts.
    alone = "/" not in words and len(_A_MASS.findall(words)) == 1
    if alone and not sent.high / 10 < said.high < sent.high * 10:
        return _together((sent, said))
    return sent


_A_MASS = re.compile(r"\d\s?(?:mg|mcg|microg|millig|ug|µg|μg|g\b)", re.I)


# A dose that was sent and could not be read.
UNREAD = Amount(Decimal(0), Decimal(0), AmountUnit.UNKNOWN)


def _amount(dosage: dict[str, Any]) -> Amount | None:
    """The dose of an instruction; where it says several that differ, from the least to the most of them."""
    rates = dosage.get("doseAndRate")
    found: list[Amount] = []
    for holder in (*(rates if isinstance(rates, list) else [rates]), dosage):
        for dose in _doses(holder):
            for each in dose if isinstance(dose, list) else [dose]:
                amount = read_amount(each)
                if amount and amount not in found:
                    found.append(amount)
    return _together(found) if len(found) > 1 else found[0] if found else None


def _doses(holder: Any) -> list[Any]:
    return [holder[name] for name in _DOSES if name in holder] if isinstance(holder, dict) else [holder]


def _says_rate(dosage: dict[str, Any]) -> bool:
    """Whether an instruction says how much by a rate or a ratio, of which nobody can tell one dose."""
    rates = dosage.get("doseAndRate")
    holders = (*(rates if isinstance(rates, list) else [rates]), dosage)
    return any(isinstance(each, dict) and not _RATES.isdisjoint(each) for each in holders)


# Of the same dose in several units the first of these says most.
_TELLING = (AmountUnit.UNKNOWN, AmountUnit.MCG, AmountUnit.UNIT, AmountUnit.ML, AmountUnit.MCG_PER_KG, AmountUnit.NONE)


def _together(amounts: Sequence[Amount]) -> Amount:
    unit = min((each.unit for each in amounts), key=_TELLING.index)
    alike = [each for each in amounts if each.unit is unit]
    most = max(alike, key=lambda each: each.high)
    return Amount(min(each.low for each in alike), most.high, unit, most.as_written)


def read_amount(dose: Any) -> Amount | None:
    """A Quantity, a Range of quantities, or its words, as a dose; a unit is never guessed."""
    if isinstance(dose, str):
        return (_amount_in_words(normalised(dose)) or UNREAD) if dose.strip() else None
    if not isinstance(dose, dict):
        return None if dose is None else UNREAD
    if "low" not in dose and "high" not in dose:
        return _quantity(dose, {})
    ends = [each for each in (dose.get("low"), dose.get("high")) if isinstance(each, dict)]
    unit = next((each for each in ends if each.get("code") or each.get("unit")), {})
    found = [amount for each in ends if (amount := _quantity(each, unit))]
    if not found or UNREAD in found:
        return UNREAD
    low, high = found[0], found[-1]
    if low.unit is not high.unit:
        return Amount(low.low, high.high, AmountUnit.UNKNOWN)
    return Amount(low.low, max(low.low, high.high), low.unit, low.as_written)


def _quantity(quantity: dict[str, Any], other: dict[str, Any]) -> Amount | None:
    """A Quantity; one without a unit of its own has that of the `other` end of its range."""
    value = quantity.get("value")
    if value is None:
        # "_value" holds why there is none.
        return None
    holder = quantity if quantity.get("code") or quantity.get("unit") else other
    code, unit = holder.get("code"), holder.get("unit")
    code = code if isinstance(code, str) else None
    unit = unit if isinstance(unit, str) else None
    if not isinstance(value, int | float | str) or len(f"{value}{code}{unit}") > LONGEST_TEXT:
        return _counted_in(value, code, unit)
    return _usual_quantity(value, code, unit)


# Typed, because 1 and 1.0 are equal and are written differently.
@lru_cache(maxsize=4096, typed=True)
def _usual_quantity(value: float | str, code: str | None, unit: str | None) -> Amount | None:
    """A number and its unit as a dose; the same few come again and again."""
    return _counted_in(value, code, unit)


def _counted_in(value: Any, code: str | None, unit: str | None) -> Amount | None:
    found = number(value)
    if isinstance(found, Decimal):
        return UNREAD if found < 0 or _contradict(code, unit) else _in_unit(found, found, code, unit)
    if found is None:
        return None
    # "20 mg" in place of a number.
    return (_amount_in_words(normalised(value)) if isinstance(value, str) else None) or UNREAD


def _contradict(code: str | None, unit: str | None) -> bool:
    """Whether the code and the words of a unit are different masses, or a mass and a volume."""
    measures = {
        _mass(word) or _MILLILITRE
        for each in (code, unit)
        if each and (_mass(word := each.strip().lower().removesuffix(".")) or _is_millilitres(word))
    }
    return len(measures) > 1


def _in_unit(low: Decimal, high: Decimal, code: str | None, unit: str | None) -> Amount:
    high = max(low, high)
    for name in (code, unit):
        if not name:
            continue
        word = name.strip().lower().removesuffix(".").removesuffix("(s)")
        if factor := _mass(word):
            own = unit if unit and _mass(unit.strip().lower()) == factor else name
            return Amount(low * factor, high * factor, AmountUnit.MCG, f"{low:f} {own}")
        if _is_millilitres(word):
            return Amount(low, high, AmountUnit.ML)
        if word in _COUNTED_CODES or _COUNTED.match(word):
            return Amount(low, high, AmountUnit.UNIT)
        if _PER_KG.match(word):
            return Amount(low, high, AmountUnit.MCG_PER_KG)
    return Amount(low, high, AmountUnit.UNKNOWN if code or unit else AmountUnit.NONE)


# Stands for a volume where units are compared: no mass has this factor.
_MILLILITRE = Decimal(-1)


def _is_millilitres(word: str) -> bool:
    return word in _MILLILITRES or word.rstrip("s") in _MILLILITRES


def _mass(word: str) -> Decimal | None:
    return _MASS.get(word) or _MASS.get(word.rstrip("s"))


@remembered
def _amount_in_words(text: str) -> Amount | None:
    """A dose in words ("5 mg once daily", "ONE tablet daily"), used only where the structure gives none."""
    if match := _DOSE_IN_WORDS.search(text):
        low, high = _counted(match["low"]), _counted(match["high"] or match["low"])
        return _in_unit(low, high, None, match["unit"]) if low is not None and high is not None else None
    if match := _COUNT_IN_WORDS.search(text) or _COUNT_AT_THE_START.search(text):
        low, high = _counted(match["low"]), _counted(match["high"] or match["low"])
        return Amount(low, max(low, high), AmountUnit.UNIT) if low is not None and high is not None else None
    return None


def _counted(word: str) -> Decimal | None:
    plain = word if word.startswith("0") else _THOUSANDS.sub("", word)
    return _COUNTS.get(word.lower()) or known_number(plain.replace(",", "."))


def read_route(concept: Any, words: str, terminology: Terminology) -> Route | None:
    """A route by its code (never by its display), else by its text, else by the words of the instruction."""
    if concept is not None:
        for system, code in codings_of(concept):
            if found := terminology.route(system, code):
                return _ROUTES[found]
        for text in texts_of(concept):
            if found := terminology.route_in_text(text):
                return _ROUTES[found]
    found = terminology.route_in_text(words) if words else None
    return _ROUTES[found] if found else None


_ROUTES = {route.value: route for route in Route}


def read_site(concept: Any, words: str, terminology: Terminology) -> Site | None:
    """A site by its code, else by its text, else by the words of the order."""
    if concept is not None:
        for system, code in codings_of(concept):
            if place := terminology.site(system, code):
                return Site(*place)
        for text in texts_of(concept):
            if found := terminology.site_in_text(text):
                return Site(*found)
    found = terminology.site_in_text(words) if words else None
    return Site(*found) if found else None
