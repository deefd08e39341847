"""What the pretend EHR shows of a patient: read from the prefetch of a hook call, whatever its quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cards.dosing import COBALAMINS
from cards.record import Source, Supplied, When
from cards.terminology import Terminology
from cards.units import to_canonical
from cards.wording import SOURCE_NAMES
from service.demo import words
from service.demo.words import Resource, name_of, objects, text
from service.fhir import sources
from service.fhir.codes import code_in
from service.fhir.dates import first, if_known, when
from service.fhir.numbers import known_number

_NOT_CURRENT = frozenset({"stopped", "completed", "cancelled", "ended", "entered-in-error", "not-taken"})
_STATES = {
    Supplied.MISSING: "not sent to the service",
    Supplied.FAILED: "could not be retrieved",
    Supplied.TRUNCATED: "the list was cut short",
    Supplied.UNREADABLE: "could not be read",
    Supplied.ANOTHER_PATIENT: "belong to another patient",
}
_PLOTTED = {"b12_total_serum": "ng/L", "holotranscobalamin": "pmol/L", "hemoglobin": "g/L"}
_NOT_INJECTED = frozenset({"oral", "sublingual", "nasal", "buccal", "transdermal"})


class Entry(NamedTuple):
    """One line of a list: what, the particulars, when; `past`: it no longer holds."""

    name: str
    more: str = ""
    when: str = ""
    past: bool = False


class Section(NamedTuple):
    """One list of the chart. `gap` says why it may be incomplete, empty when it is complete."""

    title: str
    entries: tuple[Entry, ...]
    gap: str = ""


class Result(NamedTuple):
    """A B12 or haemoglobin result for the timeline: its value in the unit of its concept, and as it was sent."""

    concept: str
    on: date
    value: float
    said: str


class Given(NamedTuple):
    """A B12 injection that was given, or that the patient or a claim tells of."""

    on: date
    said: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The patient's chart. `lists` are always shown, `others` only when something stands in them."""

    age: str
    sex: str
    born: str
    notes: tuple[str, ...]
    today: date
    lists: tuple[Section, ...]
    others: tuple[Section, ...]
    results: tuple[Result, ...]
    given: tuple[Given, ...]


def chart(request: Mapping[str, Any], terminology: Terminology, zone: ZoneInfo, today: date) -> Chart:
    """The chart that the prefetch of `request` makes; a resource that cannot be shown is left out."""
    sent = request.get("prefetch")
    context = request.get("context")
    patient_id = context.get("patientId") if isinstance(context, dict) else None
    received = sources.received(sent if isinstance(sent, dict) else None, set(Source), str(patient_id))
    reading = _Reading(received, terminology, zone)
    patient = next(iter(objects(received[Source.PATIENT].resources)), {})
    born = if_known(when(patient.get("birthDate"), zone))
    return Chart(
        age=_age(born, today),
        sex=text(patient.get("gender")) or "sex not recorded",
        born=words.moment(born),
        notes=_notes(patient),
        today=today,
        lists=(
            reading.section("Problems", Source.PROBLEMS, reading.problem),
            reading.medicines(),
            reading.section("Allergies", Source.ALLERGIES, reading.allergy),
        ),
        others=tuple(
            section
            for section in (
                reading.section("Results", Source.LABS, reading.result),
                reading.section("Injections and other doses given", Source.DOSES, reading.dose),
                reading.section("Supplied", Source.DISPENSES, reading.supply),
                reading.section("Procedures", Source.PROCEDURES, reading.procedure),
                reading.section("Family history", Source.FAMILY, reading.relative),
                reading.section("Ordered tests and services", Source.TESTS, reading.service),
                reading.section("Appointments", Source.APPOINTMENTS, reading.appointment),
                reading.section("Claims", Source.CLAIMS, reading.claim),
            )
            if section.entries or section.gap
        ),
        results=tuple(sorted(reading.plotted(), key=lambda each: each.on)),
        given=tuple(sorted(reading.injections(), key=lambda each: each.on)),
    )


class _Reading:
    """Reads the received resources line by line."""

    def __init__(self, received: Mapping[Source, sources.Received], terminology: Terminology, zone: ZoneInfo) -> None:
        self._received = received
        self._terminology = terminology
        self._zone = zone

    def section(self, title: str, source: Source, entry: Callable[[Resource], Entry]) -> Section:
        """One list."""
        found = self._received[source]
        return Section(title, tuple(entry(each) for each in objects(found.resources)), _STATES.get(found.state, ""))

    def medicines(self) -> Section:
        """Orders in the chart, then what the patient or another place tells of; current ones first."""
        told = [each for each in objects(self._received[Source.STATEMENTS].resources) if not self._single(each)]
        orders = objects(self._received[Source.MEDICATIONS].resources)
        entries = [self._medicine(each) for each in orders] + [self._medicine(each, "as told") for each in told]
        states = {each: self._received[each].state for each in (Source.MEDICATIONS, Source.STATEMENTS)}
        gaps = [f"{SOURCE_NAMES[each]}: {_STATES[state]}" for each, state in states.items() if state in _STATES]
        if len(set(states.values())) == 1:
            gaps = [_STATES.get(state, "") for state in set(states.values())]
        return Section("Medicines", tuple(sorted(entries, key=lambda each: each.past)), "; ".join(gaps))

    def problem(self, resource: Resource) -> Entry:
        """A problem with its status where that is not simply active."""
        status = _code(resource.get("clinicalStatus"))
        certain = _code(resource.get("verificationStatus"))
        marks = [each for each in (status, certain) if each and each not in ("active", "confirmed")]
        began = first(resource, "onsetDateTime", "recordedDate", "assertedDate", "dateRecorded")
        return self._entry(
            name_of(resource.get("code"), self._terminology),
            ", ".join(marks),
            began,
            past=status in ("inactive", "resolved", "remission"),
        )

    def allergy(self, resource: Resource) -> Entry:
        """An allergy with its reactions."""
        reactions = [
            name_of(each.get("manifestation"), self._terminology) for each in objects(resource.get("reaction"))
        ]
        marks = [*filter(None, reactions), "high risk" if resource.get("criticality") == "high" else ""]
        over = [_code(resource.get(each)) for each in ("clinicalStatus", "verificationStatus")]
        marks += [each for each in over if each in ("inactive", "resolved", "refuted", "entered-in-error")]
        name = name_of(resource.get("code") or resource.get("substance"), self._terminology)
        return self._entry(name, ", ".join(filter(None, marks)), first(resource, "onsetDateTime", "recordedDate"))

    def result(self, resource: Resource) -> Entry:
        """A laboratory result as it was sent."""
        concept = self._concept(resource)
        name = self._terminology.title(concept) if concept else name_of(resource.get("code"), self._terminology)
        return self._entry(name, _value(resource, self._terminology), first(resource, "effectiveDateTime", "issued"))

    def dose(self, resource: Resource) -> Entry:
        """A dose given, or not given."""
        dosage = resource.get("dosage")
        as_ordered = {"dosageInstruction": [_instruction(each) for each in objects(dosage)]}
        how = words.how_taken(as_ordered, self._terminology, self._zone)
        not_given = _code(resource.get("status")) in ("not-done", "entered-in-error")
        more = "not given" if not_given else how
        return self._entry(self._name(resource), more, _given_on(resource), past=not_given)

    def supply(self, resource: Resource) -> Entry:
        """A supply handed over."""
        amounts = [_quantity(resource.get("quantity")), _quantity(resource.get("daysSupply"))]
        return self._entry(self._name(resource), ", ".join(filter(None, amounts)), resource.get("whenHandedOver"))

    def procedure(self, resource: Resource) -> Entry:
        """An operation."""
        done = first(resource, "performedDateTime", "occurrenceDateTime")
        return self._entry(name_of(resource.get("code"), self._terminology), "", done)

    def relative(self, resource: Resource) -> Entry:
        """A relative's conditions."""
        conditions = [name_of(each.get("code"), self._terminology) for each in objects(resource.get("condition"))]
        who = name_of(resource.get("relationship"), self._terminology)
        return Entry(", ".join(filter(None, conditions)) or "no condition named", who)

    def service(self, resource: Resource) -> Entry:
        """A test or service that is on order."""
        day = first(resource, "occurrenceDateTime", "authoredOn")
        return self._entry(name_of(resource.get("code"), self._terminology), _code(resource.get("status")), day)

    def appointment(self, resource: Resource) -> Entry:
        """An appointment."""
        return self._entry(text(resource.get("description")), _code(resource.get("status")), resource.get("start"))

    def claim(self, resource: Resource) -> Entry:
        """What was claimed for."""
        lines = objects(resource.get("item"))
        names = [name_of(each.get("productOrService"), self._terminology) for each in lines]
        day = next((each.get("servicedDate") for each in lines if each.get("servicedDate")), resource.get("created"))
        return self._entry(", ".join(filter(None, names)), "", day)

    def plotted(self) -> list[Result]:
        """The B12 and haemoglobin results that have a number, a unit we know and a day."""
        found = []
        for each in objects(self._received[Source.LABS].resources):
            concept, on = self._concept(each), if_known(when(first(each, "effectiveDateTime", "issued"), self._zone))
            quantity = each.get("valueQuantity")
            if concept not in _PLOTTED or on is None or not isinstance(quantity, dict):
                continue
            value = known_number(quantity.get("value"))
            unit = text(quantity.get("unit")) or text(quantity.get("code"))
            try:
                canonical = to_canonical(concept, value if value is not None else Decimal("NaN"), unit)
            except (ValueError, ArithmeticError):
                continue
            if canonical.is_finite():
                found.append(Result(concept, on.latest, float(canonical), _value(each, self._terminology)))
        return found

    def injections(self) -> list[Given]:
        """B12 that was injected: recorded here, told by the patient, or claimed for."""
        found = []
        for source, how in ((Source.DOSES, ""), (Source.STATEMENTS, ", as told")):
            for each in objects(self._received[source].resources):
                on = if_known(when(_given_on(each), self._zone))
                if on and self._is_b12_injection(each):
                    found.append(Given(on.latest, f"{self._name(each)}{how}"))
        for each in objects(self._received[Source.CLAIMS].resources):
            entry = self.claim(each)
            on = next(
                (if_known(when(line.get("servicedDate"), self._zone)) for line in objects(each.get("item"))), None
            )
            if on:
                found.append(Given(on.latest, f"{entry.name}, claimed for"))
        return found

    def _is_b12_injection(self, resource: Resource) -> bool:
        if _code(resource.get("status")) not in ("completed", "in-progress", ""):
            return False
        name = self._name(resource)
        drugs = {
            each
            for found in self._terminology.drugs_in_text(name)
            for each in self._terminology.drug_ingredients(found)
        }
        dosage = next(iter(objects(resource.get("dosage"))), {})
        order = {"dosageInstruction": [_instruction(dosage)]}
        routes = {words.route(each) for each in words.instructions(order, self._terminology, self._zone)}
        return bool(drugs & COBALAMINS) and not routes & _NOT_INJECTED

    def _single(self, resource: Resource) -> bool:
        """Whether a statement tells of one dose and not of a medicine being taken."""
        return bool(resource.get("effectiveDateTime")) and _code(resource.get("status")) == "completed"

    def _medicine(self, resource: Resource, said: str = "") -> Entry:
        status = _code(resource.get("status"))
        how = words.how_taken(resource, self._terminology, self._zone)
        since = resource.get("authoredOn") or resource.get("dateWritten")
        period = resource.get("effectivePeriod")
        since = since or (period.get("start") if isinstance(period, dict) else resource.get("effectiveDateTime"))
        marks = [how, status if status not in ("active", "") else "", said]
        entry = self._entry(self._name(resource), ", ".join(filter(None, marks)), since, past=status in _NOT_CURRENT)
        return entry._replace(when=f"since {entry.when}") if entry.when else entry

    def _name(self, resource: Resource) -> str:
        return words.medicine_name(resource, self._terminology)

    def _concept(self, resource: Resource) -> str | None:
        code = resource.get("code")
        for coding in objects(code.get("coding")) if isinstance(code, dict) else []:
            for coded in self._terminology.find(text(coding.get("system")), text(coding.get("code"))):
                if coded.concept.kind == "lab":
                    return coded.concept.name
        return None

    def _entry(self, name: str, more: str, day: Any, *, past: bool = False) -> Entry:
        shown = if_known(when(day, self._zone))
        return Entry(_capitalised(name) or "No name", more, words.moment(shown), past)


def _age(born: When | None, today: date) -> str:
    if born is None:
        return "age not known"
    years = today.year - born.latest.year - ((today.month, today.day) < (born.latest.month, born.latest.day))
    return f"{years} years" if years != 1 else "1 year"


def _notes(patient: Resource) -> tuple[str, ...]:
    notes = []
    if patient.get("deceasedBoolean") is True or patient.get("deceasedDateTime"):
        notes.append("deceased")
    if patient.get("active") is False:
        notes.append("has left the practice")
    return tuple(notes)


def _code(status: Any) -> str:
    """A status as it is read, or nothing."""
    return code_in(status) or ""


def _instruction(dosage: Resource) -> Resource:
    """The dosage of a dose given, which has its amount under another name, in the shape of an order's."""
    return (
        {**dosage, "doseAndRate": [{"doseQuantity": dosage["dose"]}]}
        if isinstance(dosage.get("dose"), dict)
        else dosage
    )


def _given_on(resource: Resource) -> Any:
    period = first(resource, "effectivePeriod", "occurencePeriod")
    start = period.get("start") if isinstance(period, dict) else None
    return first(resource, "effectiveDateTime", "effectiveTimeDateTime", "occurenceDateTime") or start


def _value(resource: Resource, terminology: Terminology) -> str:
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, dict):
        return _quantity(quantity)
    return text(resource.get("valueString")) or name_of(resource.get("valueCodeableConcept"), terminology) or "no value"


def _quantity(quantity: Any) -> str:
    if not isinstance(quantity, dict):
        return ""
    value = known_number(quantity.get("value"))
    shown = words.plain(value) if value is not None else "no value"
    return (
        f"{text(quantity.get('comparator'))}{shown} {text(quantity.get('unit')) or text(quantity.get('code'))}".strip()
    )


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]
