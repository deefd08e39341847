"""FHIR JSON of any version becomes a PatientRecord; what cannot be read costs itself and is counted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from cards.fact import fact
from cards.record import (
    NOT_SUPPLIED,
    Allergy,
    Amount,
    Course,
    Dispensed,
    Dose,
    LabResult,
    NotGiven,
    Order,
    Patient,
    PatientRecord,
    Planned,
    Problem,
    Procedure,
    Relative,
    Source,
    SourceState,
    Supplied,
    UnknownDrug,
    Unreadable,
    When,
)
from cards.rule import DRAFTS
from cards.terminology import Concept, Terminology
from cards.words import CHARACTERS_OF_A_CALL, Budget, TooMuchText, within
from service.fhir import allergies, courses, findings, labs
from service.fhir.codes import code_in
from service.fhir.dates import day, first, if_known, when
from service.fhir.drafts import Draft, Unread, opened
from service.fhir.product import Products
from service.fhir.setting import Setting
from service.fhir.sources import SERVICES, TYPES, Received
from service.fhir.subjects import Subject
from service.operations.faults import noted
from service.operations.logs import place

# The date by which each list is sorted newest first.
_SORTED_BY: dict[Source, tuple[str, ...]] = {
    Source.PROBLEMS: ("recordedDate", "assertedDate", "dateRecorded"),
    Source.MEDICATIONS: ("authoredOn", "dateWritten"),
    Source.DOSES: ("effectiveDateTime", "effectiveTimeDateTime", "occurenceDateTime"),
    Source.STATEMENTS: ("effectiveDateTime", "dateAsserted"),
    Source.DISPENSES: ("whenHandedOver",),
    Source.LABS: ("effectiveDateTime", "issued"),
    Source.PROCEDURES: ("performedDateTime", "occurrenceDateTime"),
    Source.TESTS: ("authoredOn",),
    Source.CLAIMS: ("created",),
}
_OF_DRUGS = frozenset({Source.MEDICATIONS, Source.DOSES, Source.STATEMENTS, Source.DISPENSES})
_NEVER_HAPPENED = frozenset({"entered-in-error", "draft", "cancelled", "not-done"})
_CANNOT_BE_READ = Unreadable(None, None, "unreadable")
_TOO_LONG = Unreadable(None, None, "too-long")
Fact = Any


@fact(frozen=True, slots=True)
class Drafts:
    """The drafts of this patient: as orders, and as the EHR's own JSON by reference.

    `r4`: no draft has the shape of DSTU2, STU3 or R5, so that new R4 resources fit.
    `unread`: the drafts of which nothing can be told.
    """

    orders: tuple[Order, ...] = ()
    resources: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    r4: bool = True
    unknown_drugs: tuple[UnknownDrug, ...] = ()
    unread: tuple[Unread, ...] = ()


class Reader:
    """Reads drafts and prefetched resources. Holds no state between calls.

    `characters`: how much of long texts is read, of the drafts and of the chart.
    """

    def __init__(self, terminology: Terminology, zone: ZoneInfo, characters: int = CHARACTERS_OF_A_CALL) -> None:
        self._terminology = terminology
        self._zone = zone
        self._characters = characters

    def drafts(self, bundle: Any, patient_id: str, selections: Any, today: date) -> Drafts:
        """The orders of medicines and tests in `draftOrders`, and those of which nothing can be told.

        Other types and what was entered in error are left out. `selections` say which drafts the advice is asked for.
        """
        found = opened(bundle, Subject(patient_id), selections)
        setting = Setting(self._terminology, self._zone, today)
        products = Products(self._terminology, found.medications)
        orders, originals, r4 = [], {}, True
        unread = list(found.unread)
        budget = Budget(self._characters)
        for draft in found.drafts:
            resource = draft.resource
            try:
                with within(budget):
                    order, why = _draft(draft, products, setting)
            except TooMuchText:
                order, why = None, "unreadable"
            except Exception as fault:
                noted("reading", fault, DRAFTS)
                order, why = None, "unreadable"
            if why:
                unread.append(draft.unread(why))
            elif order:
                orders.append(order)
                originals[order.reference] = resource
                r4 = r4 and _is_r4(resource)
        # The order in which an EHR lists its drafts says nothing.
        orders.sort(key=_place)
        return Drafts(tuple(orders), originals, r4, products.unknown, tuple(unread))

    def record(
        self,
        drafts: Drafts,
        received: Mapping[Source, Received],
        labs_wanted: Collection[str],
        patient_id: str,
        today: date,
    ) -> PatientRecord:
        """The patient, from the sources in `received` and no others; of results, only the concepts that are wanted."""
        # A Medication may stand beside the orders in any of the Bundles.
        reading = self.reading(
            labs_wanted,
            patient_id,
            today,
            lambda: {name: each for one in received.values() for name, each in one.medications.items()},
            received[Source.PATIENT].resources if Source.PATIENT in received else (),
        )
        facts: dict[type, list[Fact]] = {}
        states = {}
        reading.budget = Budget(self._characters)
        with within(reading.budget):
            for source, one in received.items():
                unreadable: list[Unreadable] = []
                for resource in one.resources:
                    for each in reading.own_facts(source, resource):
                        if isinstance(each, Unreadable):
                            unreadable.append(each)
                        else:
                            facts.setdefault(type(each), []).append(each)
                unreadable += [_CANNOT_BE_READ] * one.unread
                states[source] = _state(source, one, tuple(unreadable), self._zone)
        return assembled(drafts, facts, states, reading.unknown)

    def reading(
        self,
        labs_wanted: Collection[str],
        patient_id: str,
        today: date,
        beside: Callable[[], Mapping[str, dict[str, Any]]],
        person: Iterable[Any] = (),
    ) -> Reading:
        """Reads resources of this patient one by one; `beside` gives the Medication resources by their id.

        `person`: the Patient resources that came, whose birth comes before whatever happened.
        """
        setting = Setting(self._terminology, self._zone, today)
        for each in person:
            if isinstance(each, dict) and (born := findings.born(each, setting)):
                setting = Setting(self._terminology, self._zone, today, born)
                break
        return Reading(Products(self._terminology, beside), labs_wanted, patient_id, setting)


class Reading:
    """Turns the resources of one patient into facts, one resource at a time."""

    def __init__(self, products: Products, labs_wanted: Collection[str], patient_id: str, setting: Setting) -> None:
        self._readers = _readers(products, labs_wanted, setting)
        self._products = products
        self._subject = Subject(patient_id)
        self._zone = setting.zone
        self._noted: set[str] = set()
        self.budget: Budget | None = None

    @property
    def unknown(self) -> tuple[UnknownDrug, ...]:
        """The drug codes met so far that no value set knows."""
        return self._products.unknown

    def facts(self, source: Source, resource: Any) -> Sequence[Fact]:
        """What a resource says to this source, if it is one of its types and about this patient."""
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(kind, str):
            return (_CANNOT_BE_READ,)
        if kind not in TYPES[source] or not self._subject.owns(resource):
            return ()
        return self.own_facts(source, resource)

    def own_facts(self, source: Source, resource: dict[str, Any]) -> Sequence[Fact]:
        """What a resource of this source and this patient says; what cannot be read is `Unreadable`."""
        if self.budget is not None and self.budget.left < 0:
            return (_TOO_LONG,)
        try:
            if source in _OF_DRUGS and self._products.not_understood(resource):
                return self._of_unknown_drug(resource)
            found = self._readers[source](resource)
        except TooMuchText:
            found = _TOO_LONG
        except Exception as fault:
            self._note(source, fault)
            found = _CANNOT_BE_READ
        if not found:
            if self.budget is None or not self.budget.cut:
                return ()
            # Some text was longer than what is read of one, and may have held anything.
            self.budget.cut = False
            return (_TOO_LONG,)
        return found if isinstance(found, list) else (found,)

    def _of_unknown_drug(self, resource: dict[str, Any]) -> Sequence[Fact]:
        """That something was ordered, given or handed out of which nobody knows what it was."""
        # Its code is counted with the others that no value set knows.
        self._products.of(resource)
        if code_in(resource.get("status")) in _NEVER_HAPPENED:
            return ()
        said = first(resource, "authoredOn", "effectiveDateTime", "whenHandedOver", "dateAsserted", "dateWritten")
        return (Unreadable(None, if_known(when(said, self._zone)), "unreadable"),)

    def _note(self, source: Source, fault: Exception) -> None:
        """Each place in the code once: an EHR that sends one thing in an odd shape sends a thousand."""
        where = place(fault)
        if where not in self._noted:
            self._noted.add(where)
            noted("reading", fault, source)


def _readers(
    products: Products, labs_wanted: Collection[str], setting: Setting
) -> dict[Source, Callable[[dict[str, Any]], Fact]]:
    """How a resource of each source is read: one resource in; a fact, a list of facts, or nothing out."""
    return {
        Source.PATIENT: lambda resource: findings.patient(resource, setting),
        Source.PROBLEMS: lambda resource: findings.condition(resource, setting),
        Source.MEDICATIONS: lambda resource: courses.course(resource, products, setting),
        Source.DOSES: lambda resource: courses.administration(resource, products, setting),
        Source.STATEMENTS: lambda resource: courses.statement(resource, products, setting),
        Source.DISPENSES: lambda resource: courses.dispense(resource, products, setting),
        Source.LABS: lambda resource: (
            labs.results(resource, labs_wanted, setting) or findings.observed(resource, labs_wanted, setting)
        ),
        Source.PROCEDURES: lambda resource: findings.procedure(resource, setting),
        Source.ALLERGIES: lambda resource: allergies.allergy(resource, setting),
        Source.FAMILY: lambda resource: findings.relative(resource, setting),
        Source.TESTS: lambda resource: findings.service(resource, setting),
        Source.APPOINTMENTS: lambda resource: findings.appointment(resource, setting),
        Source.CLAIMS: lambda resource: courses.claim(resource, setting),
    }


def assembled(
    drafts: Drafts,
    facts: Mapping[type, list[Fact]],
    states: Mapping[Source, SourceState],
    unknown: tuple[UnknownDrug, ...] = (),
) -> PatientRecord:
    """The record of these facts; `unknown`: the drug codes in the chart that no value set knows."""
    doses: tuple[Dose, ...] = _all(facts, Dose)
    counted: list[Dose] = []
    uncounted: list[Dose] = []
    for dose in doses:
        (counted if dose.amount or dose.source is not Source.DOSES else uncounted).append(dose)
    patients: list[Patient] = facts.get(Patient, [])
    return PatientRecord(
        drafts=drafts.orders,
        patient=patients[0] if patients else Patient(),
        problems=_all(facts, Problem),
        courses=_all(facts, Course),
        doses=tuple(counted),
        not_given=_all(facts, NotGiven),
        doses_without_amount=tuple(uncounted),
        dispensed=_all(facts, Dispensed),
        labs=_all(facts, LabResult),
        procedures=_all(facts, Procedure),
        allergies=_all(facts, Allergy),
        family=_all(facts, Relative),
        planned=_all(facts, Planned),
        sources=states,
        unknown_drugs=tuple(dict.fromkeys((*drafts.unknown_drugs, *unknown))),
    )


def _all(facts: Mapping[type, list[Fact]], kind: type) -> tuple[Fact, ...]:
    """The facts of a kind, newest first, whatever the order in which an EHR lists its resources."""
    found = facts.get(kind, ())
    return tuple(sorted(found, key=_PLACES[kind]) if len(found) > 1 and kind in _PLACES else found)


def _age(when: When | None) -> int:
    return -when.latest.toordinal() if when else 0


def _extent(amount: Amount | None) -> tuple[Decimal | str, ...]:
    return (amount.low, amount.high, amount.unit) if amount else ()


def _names(concepts: Iterable[Concept]) -> tuple[tuple[str, str], ...]:
    return tuple((each.name, each.meaning or "") for each in concepts)


# What is sorted by: the date, then what makes two facts of one day different.
_PLACES: dict[type, Callable[[Fact], tuple[Any, ...]]] = {
    Problem: lambda each: (_age(each.dated), _names(each.concepts), str(each.status), each.certain),
    Course: lambda each: (_age(each.authored), each.reference),
    Dose: lambda each: (_age(each.when), each.medicine.ingredients, each.source, _extent(each.amount)),
    NotGiven: lambda each: (_age(each.when), each.medicine.ingredients, str(each.why_not)),
    Dispensed: lambda each: (_age(each.when), each.medicine.ingredients, each.days or 0),
    LabResult: lambda each: (
        _age(each.when),
        each.concept,
        each.value or 0,
        each.comparator or "",
        bool(each.positive),
        each.unit,
    ),
    Procedure: lambda each: (_age(each.when), _names(each.concepts)),
    Allergy: lambda each: (_age(each.when), each.substances, each.reaction),
    Relative: lambda each: _names(each.concepts),
    Planned: lambda each: (_age(each.days), _names(each.concepts), each.names_b12, each.names_injection),
}


# The states of sources of which everything could be read.
_WHOLE = {supplied: SourceState(supplied) for supplied in Supplied}


def _state(source: Source, received: Received, unreadable: tuple[Unreadable, ...], zone: ZoneInfo) -> SourceState:
    """How far the source is complete."""
    supplied = received.state
    if supplied is Supplied.MISSING:
        return NOT_SUPPLIED
    if supplied is not Supplied.TRUNCATED:
        if unreadable or received.remarks:
            return SourceState(supplied, None, unreadable, received.remarks)
        return _WHOLE[supplied]
    return SourceState(supplied, _back_to(source, received, zone), unreadable, received.remarks)


def _back_to(source: Source, received: Received, zone: ZoneInfo) -> date | None:
    """The oldest date in a list that was cut short, if it is proved to be newest first."""
    names = _SORTED_BY.get(source, ())
    days = [found for each in received.resources if (found := day(first(each, *names), zone)) is not None]
    in_order = all(newer >= older for newer, older in pairwise(days))
    if not days or not in_order:
        return None
    return days[-1] if received.newest_first or days[0] > days[-1] else None


def _draft(draft: Draft, products: Products, setting: Setting) -> tuple[Order | None, str | None]:
    """The order that a draft makes, or why nothing can be told of it; neither when it is none that rules know."""
    resource = draft.resource
    if resource["resourceType"] in SERVICES:
        reference = courses.reference_of(resource, draft.position)
        test = findings.test_order(resource, reference, setting, selected=draft.selected)
        return test, None if test else findings.service_not_understood(resource, setting)
    order = courses.order(resource, draft.position, products, setting, selected=draft.selected)
    if order is None or order.medicine.ingredients:
        return order, None
    return order, products.not_understood(resource)


def _place(order: Order) -> tuple[date, str]:
    """When a draft was written, then its name."""
    return order.authored.latest if order.authored else date.max, order.reference


def _is_r4(resource: dict[str, Any]) -> bool:
    """Whether a draft has the shape of R4 or R4B."""
    if resource["resourceType"] == "ServiceRequest":
        concept = resource.get("code")
        return not (isinstance(concept, dict) and ("concept" in concept or "reference" in concept))
    if resource.get("resourceType") != "MedicationRequest":
        return False
    if "medication" in resource or "dateWritten" in resource or "context" in resource:
        return False
    return not any(
        isinstance(each, dict) and ("doseQuantity" in each or "doseRange" in each)
        for each in _list(resource.get("dosageInstruction"))
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
