"""A suggestion becomes a FHIR action: new resources are strict R4, an update is the EHR's own with one change made."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.medicationstatement import MedicationStatement
from fhir.resources.R4B.servicerequest import ServiceRequest
from fhir.resources.R4B.task import Task

from cards.dosing import cobalamin
from cards.fact import fact
from cards.library import (
    Action,
    Change,
    ChangeOrder,
    CodedText,
    CreateOrder,
    CreateTask,
    CreateTest,
    DeleteDraft,
    Library,
    Regimen,
    Step,
)
from cards.memory import LONGEST_READ
from cards.record import Course, Site
from cards.rule import Profile
from cards.terminology import Terminology
from cards.words import normalised
from service.fhir.codes import codings_of, concept_of, listed
from service.fhir.courses import has_an_id

UCUM = "http://unitsofmeasure.org"
_UNIT_NAMES = {"d": "days", "wk": "weeks", "mo": "months"}
# Validated models stand in for R4: the resources we create do not differ between R4 and R4B.
_MODELS: dict[str, Any] = {
    "MedicationRequest": MedicationRequest,
    "MedicationStatement": MedicationStatement,
    "ServiceRequest": ServiceRequest,
    "Task": Task,
}
_GLUTEAL_SITES = frozenset({"buttock", "other_quadrant", "upper_outer_quadrant", "gluteal_unspecified"})
_UPPER_OUTER = r"(?:(?:upper[\s/-]+outer|outer[\s/-]+upper)[\s-]+quad(?:rant)?\b|\bUOQ\b)"
_GLUTEAL_WORDS = re.compile(
    rf"(?:{_UPPER_OUTER}\s+(?:of\s+)?(?:the\s+)?)?(?P<side>\b(?:left|right|lt|rt|l|r)\b\.?\s+)?"
    r"(?:dorso-?\s?gluteal(?:\s+(?:site|muscle|region))?"
    r"|\bglut(?:eus|eal|e)?s?\b(?:\.?\s*\b(?:max(?:imus)?|med(?:ius)?|site|muscle|region)\b)?"
    rf"|buttocks?|\bbum\b|{_UPPER_OUTER})",
    re.IGNORECASE,
)
_TEXTS = ("text", "patientInstruction")


class CannotWrite(Exception):
    """A suggestion that cannot be expressed as FHIR for this EHR or this order."""


@fact(frozen=True, slots=True)
class Target:
    """For whom and in what setting an action is written.

    `r4`: the drafts have the shape of R4 or R4B; `find`: the EHR's own JSON of an order, by its reference.
    """

    patient_id: str
    today: date
    r4: bool
    find: Callable[[str], dict[str, Any] | None]
    encounter_id: str | None = None
    user_id: str | None = None


class Writer:
    """Writes the actions of suggestions in one profile.

    Everything that a suggestion can create is built and validated once, here; a call only adds the patient and the day.
    Raises `pydantic.ValidationError` for a regimen that makes no valid FHIR.
    """

    def __init__(self, library: Library, profile: Profile) -> None:
        self._regimens = library.regimens
        self._terminology = library.terminology
        self._profile = profile
        self._usual_drug = library.regimens.orders["loading_standard"].in_profile(profile).drug
        orders = {name: pair.in_profile(profile) for name, pair in library.regimens.orders.items()}
        self._orders = {name: self._order(regimen) for name, regimen in orders.items()}
        self._given_today = {name for name, regimen in orders.items() if regimen.steps[0].once}
        self._tests = {name: self._test(test) for name, test in library.regimens.tests.items()}
        self._tasks = {name: _task(task) for name, task in library.regimens.tasks.items()}
        self._statements = {drug: self._statement(drug) for drug in library.regimens.drugs}
        everyone = Target("example", date(2000, 1, 1), True, lambda _: None, "example", "Practitioner/example")
        for built in (self._orders, self._tests, self._tasks, self._statements):
            for resource in built.values():
                _MODELS[resource["resourceType"]].model_validate(_for(resource, everyone))

    def action(self, action: Action, description: str, about: Course | None, target: Target) -> dict[str, Any]:
        """One action of a suggestion. Raises `CannotWrite` when it cannot be expressed for this EHR or order."""
        if isinstance(action, DeleteDraft):
            if about is None or not has_an_id(about.reference):
                raise CannotWrite
            return {"type": "delete", "description": description, "resourceId": about.reference}
        if isinstance(action, ChangeOrder):
            resource = target.find(about.reference) if about and has_an_id(about.reference) else None
            if resource is None:
                raise CannotWrite
            changed = self._changed(resource, action.change, target.today)
            return {"type": "update", "description": description, "resource": changed}
        if not target.r4:
            raise CannotWrite
        return {"type": "create", "description": description, "resource": self._created(action, about, target)}

    def _created(self, action: Action, about: Course | None, target: Target) -> dict[str, Any]:
        if isinstance(action, CreateOrder):
            order = _for(self._orders[action.order], target)
            if action.order in self._given_today:
                (instruction,) = order["dosageInstruction"]
                order["dosageInstruction"] = [{**instruction, "timing": {"event": [target.today.isoformat()]}}]
            return order
        if isinstance(action, CreateTest):
            return _for(self._tests[action.test], target)
        if isinstance(action, CreateTask):
            return _for(self._tasks[action.task], target)
        ordered = cobalamin(about.medicine) if about else None
        return _for(self._statements.get(ordered or "", self._statements[self._usual_drug]), target)

    # --- what a suggestion can create --------------------------------------------------------------------------

    def _order(self, regimen: Regimen) -> dict[str, Any]:
        steps = enumerate(regimen.steps, start=1)
        return {
            "resourceType": "MedicationRequest",
            "status": "draft",
            "intent": "order",
            "medicationCodeableConcept": self._medication(regimen.drug),
            "dosageInstruction": [self._instruction(number, step, regimen) for number, step in steps],
        }

    def _instruction(self, number: int, step: Step, regimen: Regimen) -> dict[str, Any]:
        instruction: dict[str, Any] = {"sequence": number}
        if number == 1:
            instruction["text"] = regimen.text
        if not step.once:
            instruction["timing"] = {"repeat": _repeat(step)}
        instruction["route"] = self._concept(self._regimens.routes[regimen.route])
        instruction["doseAndRate"] = [{"doseQuantity": self._dose(regimen.dose_mg)}]
        return instruction

    def _dose(self, milligrams: Decimal) -> dict[str, Any]:
        """A dose in the unit in which the profile's prescribers write it."""
        if self._profile == "us":
            return {"value": int(milligrams * 1000), "unit": "mcg", "system": UCUM, "code": "ug"}
        return {"value": float(milligrams), "unit": "mg", "system": UCUM, "code": "mg"}

    def _test(self, test: CodedText) -> dict[str, Any]:
        return {"resourceType": "ServiceRequest", "status": "draft", "intent": "order", "code": self._concept(test)}

    def _statement(self, drug: str) -> dict[str, Any]:
        return {
            "resourceType": "MedicationStatement",
            "status": "completed",
            "medicationCodeableConcept": self._medication(drug),
            # Cyanocobalamin may be a tablet too: without its route nobody would count it as an injection.
            "dosage": [{"route": self._concept(self._regimens.routes["intramuscular"])}],
            "note": [{"text": "B12 injection given elsewhere: enter the date it was given."}],
        }

    def _medication(self, drug: str) -> dict[str, Any]:
        coded = self._regimens.drugs[drug]
        return {"coding": [self._coding(each) for each in coded.codes], "text": coded.name}

    def _concept(self, coded: CodedText) -> dict[str, Any]:
        codes = [*([coded.code] if coded.code else []), *coded.codes]
        concept: dict[str, Any] = {"text": coded.text}
        if codes:
            concept["coding"] = [self._coding(each) for each in codes]
        return concept

    def _coding(self, system_and_code: tuple[str, str]) -> dict[str, str]:
        system, code = system_and_code
        uri = self._terminology.uri(system)
        known = self._terminology.find(uri, code)
        return {"system": uri, "code": code, **({"display": known[0].display} if known else {})}

    # --- updates -----------------------------------------------------------------------------------------------

    def _changed(self, resource: dict[str, Any], change: Change, today: date) -> dict[str, Any]:
        if change.status:
            return _active(resource)
        instructions = listed(resource.get("dosageInstruction"))
        if not instructions:
            raise CannotWrite
        resource = {**resource, "dosageInstruction": instructions}
        if change.site:
            return self._with_site(resource, change.site)
        if change.start:
            return _with_start(resource, today + timedelta(days=1))
        if change.dose:
            return _with_each(resource, lambda instruction: _with_dose(instruction, self._dose(Decimal(1))))
        if change.route:
            route = self._concept(self._regimens.routes[change.route])
            return _with_each(resource, lambda instruction: _with_route(instruction, route))
        if change.end:
            return _with_each(resource, _without_end)
        return self._with_interval(resource, str(change.interval))

    def _with_site(self, resource: dict[str, Any], site: str) -> dict[str, Any]:
        """The order with each gluteal site moved, in the coded site and in the words of the instruction."""
        words = self._regimens.sites[site].text.lower()
        moved = []
        for instruction in resource["dosageInstruction"]:
            if not isinstance(instruction, dict):
                raise CannotWrite
            copy = dict(instruction)
            side = None
            for name in ("site", "siteCodeableConcept"):
                old = _site_of(copy.get(name), self._terminology)
                if old and old.kind in _GLUTEAL_SITES:
                    side = old.side
                    copy[name] = self._site(site, side)
            for name in _TEXTS:
                if isinstance(copy.get(name), str):
                    copy[name] = _moved_in_words(copy[name], words, self._terminology)
            moved.append(copy)
        changed = {**resource, "dosageInstruction": moved}
        notes = resource.get("note")
        if notes is not None:
            changed["note"] = [
                {**note, "text": _moved_in_words(note["text"], words, self._terminology)}
                if isinstance(note, dict) and isinstance(note.get("text"), str)
                else note
                for note in listed(notes)
            ]
        if changed == resource:
            raise CannotWrite
        return changed

    def _site(self, site: str, side: str | None) -> dict[str, Any]:
        coded = self._regimens.sites[site]
        sided = {"left": coded.left, "right": coded.right}.get(side or "")
        concept = self._concept(coded)
        if sided:
            concept["coding"] = [self._coding(sided), *concept.get("coding", [])]
            concept["text"] = f"{side} {coded.text.lower()}".capitalize()
        return concept

    def _with_interval(self, resource: dict[str, Any], regimen: str) -> dict[str, Any]:
        """The order with its one instruction repeated as the regimen's last step says; all else as it was."""
        instructions = resource["dosageInstruction"]
        if len(instructions) != 1 or not isinstance(instructions[0], dict):
            raise CannotWrite
        instruction = instructions[0]
        timing = instruction.get("timing")
        repeat = timing.get("repeat") if isinstance(timing, dict) else None
        # Words or a code beside the numbers would go on saying the old interval.
        if (
            not isinstance(timing, dict)
            or not isinstance(repeat, dict)
            or timing.get("code")
            or instruction.get("text")
        ):
            raise CannotWrite
        step = self._regimens.orders[regimen].in_profile(self._profile).steps[-1]
        kept = {name: value for name, value in repeat.items() if name not in ("periodMax", "frequencyMax")}
        return {
            **resource,
            "dosageInstruction": [{**instruction, "timing": {**timing, "repeat": {**kept, **_repeat(step)}}}],
        }


def _task(task: CodedText) -> dict[str, Any]:
    return {"resourceType": "Task", "status": "requested", "intent": "order", "description": task.text}


def _for(resource: dict[str, Any], target: Target) -> dict[str, Any]:
    """A new resource for this patient, encounter, prescriber and day."""
    patient = {"reference": f"Patient/{target.patient_id}"}
    kind = resource["resourceType"]
    if kind == "Task":
        return {**resource, "for": patient, "authoredOn": target.today.isoformat()}
    if kind == "MedicationStatement":
        return {**resource, "subject": patient, "dateAsserted": target.today.isoformat()}
    members: dict[str, Any] = {"subject": patient, "authoredOn": target.today.isoformat()}
    if target.encounter_id:
        members["encounter"] = {"reference": f"Encounter/{target.encounter_id}"}
    if target.user_id and target.user_id.startswith(("Practitioner/", "PractitionerRole/")):
        members["requester"] = {"reference": target.user_id}
    return {**resource, **members}


def _repeat(step: Step) -> dict[str, Any]:
    repeat: dict[str, Any] = {"frequency": step.times, "period": step.every, "periodUnit": step.unit}
    if step.lasts:
        repeat["boundsDuration"] = {
            "value": step.lasts,
            "unit": _UNIT_NAMES[step.lasts_unit],
            "system": UCUM,
            "code": step.lasts_unit,
        }
    return repeat


def _active(resource: dict[str, Any]) -> dict[str, Any]:
    """The order as one that goes on: active, and without the reason for which it was to stop."""
    kept = {name: value for name, value in resource.items() if name not in ("statusReason", "reasonEnded", "dateEnded")}
    if kept.get("doNotPerform") is True:
        raise CannotWrite
    return {**kept, "status": "active"}


def _with_start(resource: dict[str, Any], day: date) -> dict[str, Any]:
    """The order with its first instruction starting on `day`; bounds given as a duration leave no room for a start."""
    instruction, *others = resource["dosageInstruction"]
    if not isinstance(instruction, dict):
        raise CannotWrite
    timing = instruction.get("timing", {})
    repeat = timing.get("repeat", {}) if isinstance(timing, dict) else None
    if not isinstance(repeat, dict) or timing.get("event") or "boundsDuration" in repeat or "boundsRange" in repeat:
        raise CannotWrite
    bounds = repeat.get("boundsPeriod", {})
    if not isinstance(bounds, dict) or str(bounds.get("end", "9999")) < day.isoformat():
        raise CannotWrite
    started = {**repeat, "boundsPeriod": {**bounds, "start": day.isoformat()}}
    return {
        **resource,
        "dosageInstruction": [{**instruction, "timing": {**timing, "repeat": started}}, *others],
    }


def _with_each(resource: dict[str, Any], changed: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """The order with each instruction changed; words beside the change would go on saying the old thing."""
    instructions = resource["dosageInstruction"]
    if any(not isinstance(each, dict) or any(each.get(name) for name in _TEXTS) for each in instructions):
        raise CannotWrite
    result = {**resource, "dosageInstruction": [changed(each) for each in instructions]}
    if result == resource:
        raise CannotWrite
    return result


def _with_dose(instruction: dict[str, Any], dose: dict[str, Any]) -> dict[str, Any]:
    """The instruction with another dose, in the place where this FHIR version has it."""
    if "doseQuantity" in instruction or "doseRange" in instruction:
        kept = {name: value for name, value in instruction.items() if name not in ("doseRange", "doseQuantity")}
        return {**kept, "doseQuantity": dose}
    stated = listed(instruction.get("doseAndRate"))
    first = stated[0] if stated and isinstance(stated[0], dict) else {}
    kept = {name: value for name, value in first.items() if name not in ("doseRange", "doseQuantity")}
    return {**instruction, "doseAndRate": [{**kept, "doseQuantity": dose}]}


def _with_route(instruction: dict[str, Any], route: dict[str, Any]) -> dict[str, Any]:
    return {**instruction, "route": route}


def _without_end(instruction: dict[str, Any]) -> dict[str, Any]:
    """The instruction without bounds that end it: no end day, no duration, no number of doses."""
    timing = instruction.get("timing")
    repeat = timing.get("repeat") if isinstance(timing, dict) else None
    if not isinstance(timing, dict) or not isinstance(repeat, dict):
        return instruction
    ending = ("boundsDuration", "boundsRange", "count", "countMax")
    kept = {name: value for name, value in repeat.items() if name not in ending}
    bounds = kept.pop("boundsPeriod", None)
    if isinstance(bounds, dict) and (open_ended := {name: each for name, each in bounds.items() if name != "end"}):
        kept["boundsPeriod"] = open_ended
    return {**instruction, "timing": {**timing, "repeat": kept}}


def _site_of(concept: Any, terminology: Terminology) -> Site | None:
    """The site that a CodeableConcept names, by code, else by its words."""
    for system, code in codings_of(concept):
        if found := terminology.site(system, code):
            return Site(*found)
    text = concept_of(concept).get("text")
    found = terminology.site_in_text(normalised(text)) if isinstance(text, str) else None
    return Site(*found) if found else None


def _moved_in_words(text: str, site: str, terminology: Terminology) -> str:
    """The instruction with the gluteal site replaced.

    Raises `CannotWrite` when it would still name one, when it also names one that is to be avoided, or when it is too
    long to be read whole.
    """
    sent, text = text, normalised(text)
    found = terminology.site_in_text(text)
    if not found or found[0] not in _GLUTEAL_SITES:
        return sent
    if len(sent) > LONGEST_READ:
        raise CannotWrite
    named = list(_GLUTEAL_WORDS.finditer(text))
    starts = [0, *(match.end() for match in named[:-1])]
    ends = [*(match.start() for match in named[1:]), len(text)]
    if not all(terminology.site_in_text(text[start:end]) for start, end in zip(starts, ends, strict=True)):
        raise CannotWrite
    moved = _GLUTEAL_WORDS.sub(lambda match: f"{match.group('side') or ''}{site}", text)
    still = terminology.site_in_text(moved)
    if still and still[0] in _GLUTEAL_SITES:
        raise CannotWrite
    return moved
