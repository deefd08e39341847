"""How the pretend EHR says what stands in FHIR: names of things, dates, and how a medicine is taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from cards.calendar import in_words
from cards.record import Amount, AmountUnit, Instruction, Repeat, When
from cards.terminology import Terminology
from service.fhir.dates import if_known, when
from service.fhir.dosage import read_instructions

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNNAMED = "no name"
_MCG_IN_A_MG = 1000
_UNITS = {AmountUnit.UNIT: "unit", AmountUnit.ML: "mL", AmountUnit.MCG_PER_KG: "micrograms per kg"}
# SNOMED's fully specified names end in what kind of thing they are: no clinician says "(disorder)".
_SEMANTIC_TAG = re.compile(r" \((?:disorder|finding|procedure|situation|substance|product|observable entity|event)\)$")
Resource = dict[str, Any]


def items(value: Any) -> list[Any]:
    """A list as it is; one thing that stands where a list should, as a list of one."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def objects(value: Any) -> list[Resource]:
    """The objects of a list; whatever else stands in it is left out."""
    return [each for each in items(value) if isinstance(each, dict)]


def text(value: Any) -> str:
    """A text, or nothing."""
    return value.strip() if isinstance(value, str) else ""


def name_of(concept: Any, terminology: Terminology) -> str:
    """The name of a coded thing: its text, else the display that came, else our own word for its code."""
    found = [name for each in objects(concept) if (name := _name(each, terminology))]
    return found[0] if found else ""


def _name(concept: Resource, terminology: Terminology) -> str:
    # R5 holds a concept inside a CodeableReference.
    if isinstance(concept.get("concept"), dict):
        concept = concept["concept"]
    if own := text(concept.get("text")):
        return own
    codings = objects(concept.get("coding"))
    for coding in codings:
        if display := text(coding.get("display")):
            return display
    for coding in codings:
        if known := terminology.find(text(coding.get("system")), text(coding.get("code"))):
            return _SEMANTIC_TAG.sub("", known[0].display)
    return next((code for coding in codings if (code := text(coding.get("code")))), "")


def medicine_name(resource: Resource, terminology: Terminology) -> str:
    """The name of a medicine in any of the places where FHIR may put it."""
    for member in ("medicationCodeableConcept", "medication"):
        if name := name_of(resource.get(member), terminology):
            return name
    reference = resource.get("medicationReference") or resource.get("medication")
    if not isinstance(reference, dict):
        return UNNAMED
    if display := text(reference.get("display")):
        return display
    wanted = text(reference.get("reference")).removeprefix("#")
    for each in objects(resource.get("contained")):
        if wanted and each.get("id") == wanted and (name := name_of(each.get("code"), terminology)):
            return name
    return UNNAMED


def day(value: date) -> str:
    """`26 Feb 2026`."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def moment(found: When | None) -> str:
    """A date as precisely as it is known: `26 Feb 2026`, `Feb 2026`, `2026`."""
    if found is None:
        return ""
    if found.earliest == found.latest:
        return day(found.latest)
    if found.earliest.month == found.latest.month:
        return f"{_MONTHS[found.latest.month - 1]} {found.latest.year}"
    return str(found.latest.year)


def dated(value: Any, zone: ZoneInfo) -> str:
    """A FHIR date in words."""
    return moment(if_known(when(value, zone)))


def plain(number: Decimal) -> str:
    """A number without the zeros that say nothing."""
    return f"{number.normalize():f}"


def instructions(resource: Resource, terminology: Terminology, zone: ZoneInfo) -> Iterator[Instruction]:
    """The dosage instructions of an order, a statement or a supply, in their order; what cannot be read is left out."""
    for dosage in objects(resource.get("dosageInstruction") or resource.get("dosage")):
        try:
            for each in read_instructions(dosage, "", terminology, zone):
                yield _with_own_unit(each, dosage)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError, ArithmeticError):
            continue


def _with_own_unit(instruction: Instruction, dosage: Resource) -> Instruction:
    """An amount that is counted, in the order's own word for what is counted: `1 tablet`."""
    amount = instruction.amount
    rate = next(iter(objects(dosage.get("doseAndRate"))), dosage)
    quantity = rate.get("doseQuantity")
    if amount is None or amount.unit is not AmountUnit.UNIT or not isinstance(quantity, dict):
        return instruction
    unit = text(quantity.get("unit")) or text(quantity.get("code")).strip("{}")
    return replace(instruction, amount=replace(amount, as_written=unit)) if unit else instruction


def how_taken(resource: Resource, terminology: Terminology, zone: ZoneInfo) -> str:
    """The whole dosage in one line: `1 mg intramuscular, 3 times a week for 2 weeks, then …`."""
    read = [each for found in instructions(resource, terminology, zone) if (each := in_full(found))]
    return ", then ".join(read) or "; ".join(
        said for each in objects(resource.get("dosageInstruction")) if (said := text(each.get("text")))
    )


def in_full(instruction: Instruction) -> str:
    """One instruction in a line."""
    parts = [dose(instruction), route(instruction), site(instruction)]
    return ", ".join(
        part for part in (" ".join(filter(None, parts)), how_often(instruction), bounds(instruction)) if part
    )


def dose(instruction: Instruction) -> str:
    """`1 mg`, `2 tablets`, `5` where no unit is given."""
    return _amount(instruction.amount) if instruction.amount else ""


def route(instruction: Instruction) -> str:
    """`intramuscular`."""
    return instruction.route.value if instruction.route else ""


def site(instruction: Instruction) -> str:
    """`into the left buttock`."""
    if instruction.site is None:
        return ""
    side = f"{instruction.site.side} " if instruction.site.side else ""
    return f"into the {side}{instruction.site.kind.replace('_', ' ')}"


def how_often(instruction: Instruction) -> str:
    """`every 12 weeks`, `3 times a week for 2 weeks`, `once`, `as needed`."""
    said = []
    if instruction.repeat:
        said.append(_rhythm(instruction.repeat))
    if instruction.count == 1:
        said = ["once"]
    elif instruction.count:
        said.append(f"{instruction.count} doses")
    if instruction.events:
        said.append("on " + ", ".join(day(each) for each in instruction.events))
    if instruction.lasts:
        length = in_words(instruction.lasts)
        said.append(f"for {length}" if length[0].isdigit() else f"for a {length}")
    if instruction.as_needed:
        said.append("as needed")
    return " ".join(said)


def bounds(instruction: Instruction) -> str:
    """`from 1 Dec 2026 until 1 Mar 2027`."""
    said = [f"from {day(instruction.starts)}"] if instruction.starts else []
    said += [f"until {day(instruction.ends)}"] if instruction.ends else []
    return " ".join(said)


def _rhythm(repeat: Repeat) -> str:
    length = in_words(repeat.every)
    if repeat.times == 1:
        return "once a day" if length == "day" else f"every {length}"
    times = f"{plain(repeat.times)} times"
    return f"{times} in {length}" if length[0].isdigit() else f"{times} a {length}"


def _amount(amount: Amount) -> str:
    low, high = amount.low, amount.high
    unit = _UNITS.get(amount.unit, "")
    if amount.unit is AmountUnit.MCG:
        milligrams = low >= _MCG_IN_A_MG
        low, high = (each / _MCG_IN_A_MG if milligrams else each for each in (low, high))
        unit = "mg" if milligrams else "micrograms"
    if amount.unit is AmountUnit.UNIT:
        unit = amount.as_written or ("unit" if high == 1 else "units")
    number = plain(low) if low == high else f"{plain(low)} to {plain(high)}"
    return f"{number} {unit}".strip()
