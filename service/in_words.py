"""The facts of a record in plain words, without any identifier: for whoever asks what was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from cards.calendar import in_words
from cards.dosing import how_often
from cards.record import (
    Allergy,
    Amount,
    AmountUnit,
    Course,
    Dispensed,
    Dose,
    Instruction,
    LabResult,
    NotGiven,
    Order,
    PatientRecord,
    Planned,
    Problem,
    Procedure,
    Reaction,
    Relative,
    Site,
    Strength,
    When,
)
from cards.status import age
from cards.terminology import Concept, Terminology

_UNIT_SUFFIXES = {
    "mcg": "mcg",
    "mg": "mg",
    "cm": "cm",
    "days": "days",
    "weeks": "weeks",
    "months": "months",
    "years": "years",
}
# Facts of alerts that are micrograms and carry another name.
_MASSES = frozenset({"strength", "minimum", "usual"})


class Fact(NamedTuple):
    """One thing that was read: what kind of thing, and the thing itself, in words."""

    kind: str
    words: str


class InWords:
    """Puts the facts of a record into words."""

    def __init__(self, terminology: Terminology) -> None:
        self._terminology = terminology

    def facts(self, record: PatientRecord, today: date, *, patient_read: bool) -> Iterator[Fact]:
        """Everything that was read of the patient, kind by kind; `patient_read`: whether a Patient was asked for.

        Of the person only the age is told.
        """
        if patient_read:
            yield Fact("patient", _patient(record, today))
        kinds: list[tuple[str, Iterable[str]]] = [
            ("problem", map(self._problem, record.problems)),
            ("order in the chart", map(self.course, record.courses)),
            ("dose given", map(self._dose, record.doses)),
            ("dose without an amount, not counted", map(self._dose, record.doses_without_amount)),
            ("dose not given", map(self._not_given, record.not_given)),
            ("dispensed", map(self._dispensed, record.dispensed)),
            ("result", map(self.lab, record.labs)),
            ("procedure", map(self._procedure, record.procedures)),
            ("allergy", map(self._allergy, record.allergies)),
            ("family history", map(self._relative, record.family)),
            ("planned", map(self._planned, record.planned)),
        ]
        for kind, lines in kinds:
            yield from (Fact(kind, line) for line in lines)

    def order(self, order: Order) -> str:
        """A draft: the tests it asks for, or the drug and how it is to be taken."""
        return ", ".join(map(self.title, order.tests)) or self.course(order)

    def course(self, course: Course) -> str:
        """An order: drug, strength, how it is to be taken, its status and date."""
        medicine = course.medicine
        drugs = ", ".join(map(self.title, medicine.ingredients)) or "a drug that no rule knows"
        strengths = " and ".join(map(_strength, medicine.strengths.values()))
        parts = [f"{drugs}, {strengths}" if strengths else drugs]
        if how := "; then ".join(map(_instruction, course.instructions)):
            parts[0] += f": {how}"
        if medicine.by_text:
            parts.append("recognised by its words")
        parts.append("not to be given" if course.do_not_perform else course.status.value)
        if course.authored:
            parts.append(f"since {when(course.authored)}")
        return ", ".join(parts)

    def title(self, name: str) -> str:
        """The plain name of a concept or ingredient."""
        try:
            return self._terminology.title(name)
        except KeyError:
            return name.replace("_", " ")

    def alert_facts(self, facts: Iterable[tuple[str, object]]) -> Iterator[Fact]:
        """What made an alert fire; what was not so is left out."""
        true = []
        for name, value in facts:
            if value is True:
                true.append(name.replace("_", " "))
            elif value not in (None, False, "", ()):
                yield self._alert_fact(name, value)
        if true:
            yield Fact("holds", ", ".join(true))

    def _alert_fact(self, name: str, value: object) -> Fact:
        words, last = name.replace("_", " "), name.rpartition("_")[2]
        if isinstance(value, Decimal) and (last == "mcg" or name in _MASSES):
            return Fact(words.removesuffix(" mcg"), _mass(value))
        unit = _UNIT_SUFFIXES.get(last)
        if unit and isinstance(value, int | Decimal):
            return Fact(words.removesuffix(f" {last}"), f"{value} {unit}")
        if isinstance(value, str) and value in self._ingredients:
            return Fact(words, self.title(value))
        return Fact(words, self._plain(value))

    @property
    def _ingredients(self) -> frozenset[str]:
        return self._terminology.names | {"cobalamin"}

    def _plain(self, value: object) -> str:
        """A fact of an alert in plain words."""
        if isinstance(value, LabResult):
            return self.lab(value)
        if isinstance(value, NotGiven):
            return self._not_given(value)
        if isinstance(value, When):
            return when(value)
        if isinstance(value, Enum):
            return str(value.value)
        if isinstance(value, Decimal):
            return f"{value.normalize():f}"
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            members = value._asdict()
            said = [self._plain(each) for each in members.values() if each not in (None, False, True, "")]
            return ", ".join([*said, *(name.replace("_", " ") for name, each in members.items() if each is True)])
        if isinstance(value, list | tuple):
            return ", ".join(map(self._plain, value))
        return str(value)

    def _concepts(self, concepts: Iterable[Concept]) -> str:
        return " / ".join(map(self._concept, concepts))

    def _concept(self, concept: Concept) -> str:
        title = self.title(concept.name)
        meaning = (concept.meaning or "").replace("_", " ")
        said = f" ({meaning})" if meaning and meaning not in title.lower() else ""
        return f"{title}{said}{'' if concept.specific else ' (its code says other things too)'}"

    def _problem(self, problem: Problem) -> str:
        parts = [self._concepts(problem.concepts), "present" if problem.present else "no longer present"]
        if not problem.certain:
            parts.append("not certain")
        if problem.by_text:
            parts.append("recognised by its words")
        return ", ".join([*parts, when(problem.dated)])

    def _drugs(self, ingredients: Iterable[str]) -> str:
        return ", ".join(map(self.title, ingredients)) or "a drug that no rule knows"

    def _dose(self, dose: Dose) -> str:
        parts = [self._drugs(dose.medicine.ingredients) + (f" {amount(dose.amount)}" if dose.amount else "")]
        if dose.route:
            parts.append(dose.route.value)
        if dose.site:
            parts.append(_site(dose.site))
        parts.append(when(dose.when))
        return ", ".join([*parts, *(["as told, not recorded at the injection"] if dose.stated else [])])

    def _not_given(self, missed: NotGiven) -> str:
        why = f", {missed.why_not.value.replace('_', ' ')}" if missed.why_not else ""
        return f"{self._drugs(missed.medicine.ingredients)}, {when(missed.when)}{why}"

    def _dispensed(self, supply: Dispensed) -> str:
        parts = [self._drugs(supply.medicine.ingredients)]
        if supply.quantity:
            parts.append(amount(supply.quantity))
        if supply.days is not None:
            parts.append(f"for {supply.days.normalize():f} days")
        return ", ".join([*parts, when(supply.when)])

    def lab(self, lab: LabResult) -> str:
        """A result: what was measured, the value as sent, the laboratory's flag, and the day."""
        flag = f", flagged {lab.flag.value}" if lab.flag else ""
        return f"{self.title(lab.concept)} {lab.reported}{flag}, {when(lab.when)}"

    def _procedure(self, procedure: Procedure) -> str:
        length = f", {procedure.length_cm:f} cm" if procedure.length_cm else ""
        return f"{self._concepts(procedure.concepts)}{length}, {when(procedure.when)}"

    def _allergy(self, allergy: Allergy) -> str:
        reaction = "reaction not recorded" if allergy.reaction is Reaction.NOT_RECORDED else allergy.reaction.value
        return f"{', '.join(map(self.title, allergy.substances))}, {reaction}, {when(allergy.when)}"

    def _relative(self, relative: Relative) -> str:
        return self._concepts(relative.concepts)

    def _planned(self, planned: Planned) -> str:
        named = self._concepts(planned.concepts)
        if not named:
            named = "B12" if planned.names_b12 else "an injection" if planned.names_injection else "something else"
        return f"{named}, {when(planned.days)}"


def _patient(record: PatientRecord, today: date) -> str:
    years = age(record, today)
    gone = ", has died" if record.patient.deceased else ", has left" if record.patient.left else ""
    return ("birth date not known" if years is None else f"{years} years old") + gone


def _instruction(instruction: Instruction) -> str:
    parts = [amount(instruction.amount) if instruction.amount else "no dose"]
    if instruction.route:
        parts.append(instruction.route.value)
    if instruction.site:
        parts.append(f"into the {_site(instruction.site)}")
    if often := how_often(instruction):
        parts.append(often)
    if instruction.timing_unread:
        parts.append("how often in words that could not be read")
    if instruction.lasts:
        parts.append(f"for {in_words(instruction.lasts)}")
    if instruction.starts:
        parts.append(f"from {instruction.starts.isoformat()}")
    if instruction.ends:
        parts.append(f"until {instruction.ends.isoformat()}")
    if instruction.count:
        parts.append("once" if instruction.count == 1 else f"{instruction.count} doses")
    if instruction.as_needed:
        parts.append("as needed")
    return " ".join(parts)


def _site(site: Site) -> str:
    return f"{site.side} {site.kind}".replace("_", " ") if site.side else site.kind.replace("_", " ")


def _strength(strength: Strength) -> str:
    if not strength.per_ml:
        return f"{_mass(strength.mcg)} a unit"
    return f"{_mass(strength.mcg)} in {strength.per_ml.normalize():f} mL"


def _mass(mcg: Decimal) -> str:
    return f"{(mcg / 1000).normalize():f} mg" if mcg >= 1000 else f"{mcg.normalize():f} mcg"


def amount(value: Amount) -> str:
    """A dose or quantity with its unit; micrograms from a thousand on as milligrams."""
    if value.unit is AmountUnit.MCG and value.low == value.high:
        return _mass(value.low)
    number = f"{value.low.normalize():f}"
    if value.high != value.low:
        number += f" to {value.high.normalize():f}"
    return number if value.unit is AmountUnit.NONE else f"{number} {value.unit.value}"


def when(day: When | None) -> str:
    """A date as far as it is known: a day, or the first and the last day that it may be."""
    if day is None:
        return "no date"
    if day.earliest == day.latest:
        return day.latest.isoformat()
    return f"{day.earliest.isoformat()} to {day.latest.isoformat()}"
