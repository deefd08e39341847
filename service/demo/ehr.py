"""A pretend EHR: tells a vignette's patient as the FHIR R4 that a hospital would send."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from cards.library import RuleError
from cards.record import ClinicalStatus, CourseStatus, Source
from cards.rule import Hook
from cards.terminology import Terminology
from cards.vignettes import (
    AllergyLine,
    DoseLine,
    LabLine,
    Medication,
    OrderLine,
    PlannedLine,
    ProblemLine,
    ProcedureLine,
    SupplyLine,
    Vignette,
    born,
    code_of,
    problem_lines,
)

PATIENT = "patient-of-a-vignette"
UCUM = "http://unitsofmeasure.org"
_ROUTES = {"IM": "78421000", "SC": "34206005", "IV": "47625008", "oral": "26643006", "sublingual": "37839007"}
_ROUTES |= {"nasal": "46713006", "intradermal": "372464004"}
_DRUG_CODES = {
    "hydroxocobalamin": ("http://snomed.info/sct", "409258004"),
    "cyanocobalamin": ("http://snomed.info/sct", "419382002"),
    "folic acid": ("http://snomed.info/sct", "63718003"),
    "methotrexate": ("http://snomed.info/sct", "387381009"),
}
_INTERPRETATIONS = {"low": "L", "normal": "N", "high": "H"}
Resource = dict[str, Any]


def request(vignette: Vignette, today: date, terminology: Terminology) -> Resource:
    """The hook call of a vignette, its prefetch included."""
    context: Resource = {"patientId": PATIENT, "userId": "Practitioner/example"}
    if vignette.hook is not Hook.PATIENT_VIEW:
        orders = [_order(each, number, terminology) for number, each in enumerate(vignette.orders, start=1)]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": _entries(orders)}
    if vignette.hook is Hook.ORDER_SELECT:
        context["selections"] = [
            f"{'ServiceRequest' if each.tests else 'MedicationRequest'}/draft-{number}"
            for number, each in enumerate(vignette.orders, start=1)
            if each.selected
        ]
    return {
        "hook": vignette.hook.value,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": context,
        "prefetch": prefetch(vignette, today, terminology),
    }


def prefetch(vignette: Vignette, today: date, terminology: Terminology) -> Resource:
    """Every prefetch key, unless the vignette says that it was not supplied, failed or cut short."""
    resources: dict[Source, list[Resource]] = {
        Source.PROBLEMS: [_condition(each, terminology) for each in problem_lines(vignette)],
        Source.MEDICATIONS: [
            {**_medication_request(each, terminology), "id": f"order-{number}"}
            for number, each in enumerate(vignette.medicines)
        ],
        Source.DOSES: [_administration(each, terminology) for each in vignette.doses],
        Source.STATEMENTS: [
            *(_statement(each, terminology) for each in vignette.statements),
            *(_told(each, terminology) for each in vignette.told),
        ],
        Source.DISPENSES: [_dispense(each, terminology) for each in vignette.dispensed],
        Source.LABS: [_observation(each, terminology) for each in vignette.labs],
        Source.PROCEDURES: [_procedure(each, terminology) for each in vignette.procedures],
        Source.ALLERGIES: [_allergy(each) for each in vignette.allergies],
        Source.FAMILY: [_family(each) for each in vignette.family],
        Source.TESTS: [_service(each, terminology) for each in vignette.services],
        Source.APPOINTMENTS: [_appointment(each) for each in vignette.appointments],
        Source.CLAIMS: [_claim(each) for each in vignette.claims],
    }
    result: Resource = {"patient": _patient(vignette, today)}
    result.update({source.value: _bundle(found) for source, found in resources.items()})
    for source in vignette.not_supplied:
        del result[source.value]
    for source in vignette.failed:
        result[source.value] = {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": "timeout"}],
        }
    for source in vignette.truncated:
        result[source.value]["link"] = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]
    return result


def _bundle(resources: list[Resource]) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources),
        "entry": _entries(resources),
    }


def _entries(resources: list[Resource]) -> list[Resource]:
    return [{"resource": each} for each in resources]


def _patient(vignette: Vignette, today: date) -> Resource:
    patient: Resource = {"resourceType": "Patient", "id": PATIENT, "active": not vignette.patient.left}
    if vignette.patient.age is not None:
        patient["birthDate"] = born(vignette, today).isoformat()
    if vignette.patient.deceased:
        patient["deceasedBoolean"] = True
    return patient


def _subject() -> Resource:
    return {"subject": {"reference": f"Patient/{PATIENT}"}}


# --- medicines ---------------------------------------------------------------------------------------------------


def _order(line: OrderLine, number: int, terminology: Terminology) -> Resource:
    if line.tests:
        return {**_test_order(line, terminology), "id": f"draft-{number}"}
    order = _medication_request(line, terminology)
    return {**order, "id": f"draft-{number}", "status": (line.status or CourseStatus.DRAFT).value}


def _medication_request(line: OrderLine, terminology: Terminology) -> Resource:
    request: Resource = {
        "resourceType": "MedicationRequest",
        "status": (line.status or CourseStatus.ACTIVE).value,
        "intent": "order",
        "medicationCodeableConcept": _drug(line, terminology),
        **_subject(),
        "dosageInstruction": _instructions(line),
    }
    if line.since:
        request["authoredOn"] = line.since.isoformat()
    if line.because:
        request["statusReason"] = {"text": line.because}
    if line.for_:
        request["reasonCode"] = [{"text": line.for_}]
    if line.inpatient:
        system = "http://terminology.hl7.org/CodeSystem/medicationrequest-category"
        request["category"] = [{"coding": [{"system": system, "code": "inpatient"}]}]
    if line.changed:
        request["meta"] = {"lastUpdated": f"{line.changed.isoformat()}T12:00:00Z"}
    notes = {"Under a clinical trial protocol": line.research, "For the TPN bag": line.nutrition}
    if any(notes.values()):
        request["note"] = [{"text": text} for text, said in notes.items() if said]
    if line.do_not_perform:
        request["doNotPerform"] = True
    if line.reported:
        request["reportedBoolean"] = True
    if line.follows:
        request["priorPrescription"] = {"reference": line.follows[0]}
    return request


def _drug(line: Medication, terminology: Terminology) -> Resource:
    if line.product:
        return {"text": line.product}
    known = _DRUG_CODES.get(line.drug)
    if known is None:
        try:
            known = code_of(terminology, line.drug.replace(" ", "_"), None)
        except RuleError:
            return {"text": line.drug}
    system, code = known
    return {"coding": [{"system": system, "code": code, "display": line.drug}], "text": line.drug}


def _instructions(line: Medication) -> list[Resource]:
    found: list[Resource] = []
    current: Medication | None = line
    while current:
        found.append({"sequence": len(found) + 1, **_instruction(current)})
        current = current.then
    return found


def _instruction(line: Medication) -> Resource:
    result: Resource = {}
    timing = _timing(line)
    if timing:
        result["timing"] = timing
    if line.unread:
        result["text"] = line.unread
    if line.as_needed:
        result["asNeededBoolean"] = True
    if line.route:
        result["route"] = {"coding": [{"system": "http://snomed.info/sct", "code": _ROUTES[line.route]}]}
    if line.site:
        result["site"] = {"text": line.site}
    if line.dose:
        result["doseAndRate"] = [_dose(line.dose)]
    return result


def _timing(line: Medication) -> Resource:
    repeat: Resource = {}
    if line.every:
        period = _range(line.every.split()[0])
        repeat = {"frequency": line.times, "period": period[0], "periodUnit": line.every.split()[1]}
        if len(period) == 2:
            repeat["periodMax"] = period[1]
    if line.starts or line.ends:
        days = {"start": line.starts, "end": line.ends}
        repeat["boundsPeriod"] = {name: day.isoformat() for name, day in days.items() if day}
    if line.lasts:
        number, unit = line.lasts.split()
        repeat["boundsDuration"] = {"value": float(number), "system": UCUM, "code": unit}
    if line.once or line.count:
        repeat["count"] = 1 if line.once else line.count
    timing: Resource = {"repeat": repeat} if repeat else {}
    if line.events:
        timing["event"] = [day.isoformat() for day in line.events]
    return timing


def _dose(text: str) -> Resource:
    numbers, _, unit = text.partition(" ")
    values = _range(numbers)
    quantity = _unit(unit)
    if len(values) == 1:
        return {"doseQuantity": {"value": values[0], **quantity}}
    return {"doseRange": {"low": {"value": values[0], **quantity}, "high": {"value": values[1], **quantity}}}


def _unit(unit: str) -> Resource:
    if unit in ("tablet", "tablets"):
        return {"unit": unit, "system": UCUM, "code": "{tbl}"}
    codes = {"mcg": "ug", "micrograms": "ug", "ml": "mL"}
    if unit in ("mg", "g", *codes):
        return {"unit": unit, "system": UCUM, "code": codes.get(unit, unit)}
    return {"unit": unit} if unit else {}


def _range(text: str) -> list[float]:
    return [float(number) for number in text.split("-")]


def _administration(line: DoseLine, terminology: Terminology) -> Resource:
    instruction = _instruction(line)
    dosage: Resource = {name: instruction[name] for name in ("route", "site") if name in instruction}
    if line.dose:
        dosage["dose"] = _dose(line.dose)["doseQuantity"]
    result: Resource = {
        "resourceType": "MedicationAdministration",
        "status": "not-done" if line.not_given else "completed",
        "medicationCodeableConcept": _drug(line, terminology),
        **_subject(),
        "effectiveDateTime": str(line.day),
        "dosage": dosage,
    }
    if line.because:
        result["statusReason"] = [{"text": line.because}]
    return result


def _statement(line: OrderLine, terminology: Terminology) -> Resource:
    result: Resource = {
        "resourceType": "MedicationStatement",
        "status": (line.status or CourseStatus.ACTIVE).value,
        "medicationCodeableConcept": _drug(line, terminology),
        **_subject(),
        "dosage": _instructions(line),
    }
    if line.since:
        result["effectivePeriod"] = {"start": line.since.isoformat()}
    return result


def _told(line: DoseLine, terminology: Terminology) -> Resource:
    return {
        "resourceType": "MedicationStatement",
        "status": "completed",
        "medicationCodeableConcept": _drug(line, terminology),
        **_subject(),
        "effectiveDateTime": str(line.day),
        "dosage": [_instruction(line)],
    }


def _dispense(line: SupplyLine, terminology: Terminology) -> Resource:
    result: Resource = {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "medicationCodeableConcept": _drug(line, terminology),
        **_subject(),
        "whenHandedOver": line.day.isoformat(),
    }
    if line.quantity:
        number, _, unit = line.quantity.partition(" ")
        result["quantity"] = {"value": float(number), "unit": unit}
    if line.days is not None:
        result["daysSupply"] = {"value": line.days, "unit": "days", "system": UCUM, "code": "d"}
    instruction = _instruction(line)
    if instruction:
        result["dosageInstruction"] = [instruction]
    return result


def _claim(line: DoseLine) -> Resource:
    system = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
    return {
        "resourceType": "ExplanationOfBenefit",
        "status": "active",
        "outcome": "complete",
        "use": "claim",
        "patient": {"reference": f"Patient/{PATIENT}"},
        "item": [
            {
                "sequence": 1,
                "productOrService": {"coding": [{"system": system, "code": "J3420"}]},
                "servicedDate": str(line.day),
            }
        ],
    }


# --- findings ----------------------------------------------------------------------------------------------------


def _condition(line: ProblemLine, terminology: Terminology) -> Resource:
    system = "http://terminology.hl7.org/CodeSystem/condition"
    result: Resource = {"resourceType": "Condition", **_subject(), "code": {}}
    if line.is_:
        uri, code = code_of(terminology, line.is_, line.meaning, specific=line.specific)
        result["code"]["coding"] = [{"system": uri, "code": code}]
    if line.text:
        result["code"]["text"] = line.text
    if line.status:
        result["clinicalStatus"] = {"coding": [{"system": f"{system}-clinical", "code": ClinicalStatus(line.status)}]}
    verification = "provisional" if line.provisional else "confirmed"
    result["verificationStatus"] = {"coding": [{"system": f"{system}-ver-status", "code": verification}]}
    if line.day:
        result["onsetDateTime"] = line.day.isoformat()
    if line.recorded:
        result["recordedDate"] = line.recorded.isoformat()
    if line.ended:
        result["abatementDateTime"] = line.ended.isoformat()
    return result


def _observation(line: LabLine, terminology: Terminology) -> Resource:
    system, code = code_of(terminology, line.of, None)
    result: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        **_subject(),
        "effectiveDateTime": line.day.isoformat(),
    }
    if line.issued:
        result["issued"] = f"{line.issued.isoformat()}T09:00:00Z"
    match = re.match(r"^([<>]?)\s*([\d.]+)\s*(.*)$", line.result)
    if match:
        result["valueQuantity"] = {"value": float(match[2]), "unit": match[3]}
        if match[1]:
            result["valueQuantity"]["comparator"] = match[1]
    else:
        result["valueString"] = line.result
    if line.flag:
        system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
        result["interpretation"] = [{"coding": [{"system": system, "code": _INTERPRETATIONS[line.flag]}]}]
    return result


def _procedure(line: ProcedureLine, terminology: Terminology) -> Resource:
    system, code = code_of(terminology, line.is_, line.meaning)
    result: Resource = {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"coding": [{"system": system, "code": code}]},
        **_subject(),
    }
    if line.cm is not None:
        result["code"]["text"] = f"Resection of {line.cm} cm"
    if line.day:
        result["performedDateTime"] = line.day.isoformat()
    return result


def _test_order(line: OrderLine, terminology: Terminology) -> Resource:
    codings = [dict(zip(("system", "code"), code_of(terminology, test, None), strict=True)) for test in line.tests]
    result: Resource = {
        "resourceType": "ServiceRequest",
        "status": (line.status or CourseStatus.DRAFT).value,
        "intent": "order",
        "code": {"coding": codings[:1]},
        "orderDetail": [{"coding": [each]} for each in codings[1:]],
        **_subject(),
    }
    if line.reason:
        result["reasonCode"] = [{"text": line.reason}]
    if line.do_not_perform:
        result["doNotPerform"] = True
    return result


def _allergy(line: AllergyLine) -> Resource:
    result: Resource = {
        "resourceType": "AllergyIntolerance",
        "code": {"text": line.to},
        "patient": {"reference": f"Patient/{PATIENT}"},
        "type": "intolerance" if line.intolerance else "allergy",
    }
    if line.reaction:
        result["reaction"] = [{"manifestation": [{"text": line.reaction}]}]
    if line.high:
        result["criticality"] = "high"
    if line.over:
        name = "clinicalStatus" if line.over in ("inactive", "resolved") else "verificationStatus"
        result[name] = {"coding": [{"code": line.over}]}
    if line.day:
        result["onsetDateTime"] = line.day.isoformat()
    return result


def _family(text: str) -> Resource:
    return {
        "resourceType": "FamilyMemberHistory",
        "status": "completed",
        "patient": {"reference": f"Patient/{PATIENT}"},
        "relationship": {"text": "mother"},
        "condition": [{"code": {"text": text}}],
    }


def _service(line: PlannedLine, terminology: Terminology) -> Resource:
    code: Resource = {"text": line.text} if line.text else {}
    if line.of:
        system, value = code_of(terminology, line.of, None)
        code["coding"] = [{"system": system, "code": value}]
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": code,
        **_subject(),
        "occurrenceDateTime": line.day.isoformat(),
    }


def _appointment(line: PlannedLine) -> Resource:
    return {
        "resourceType": "Appointment",
        "status": "booked",
        "description": line.text,
        "start": f"{line.day.isoformat()}T09:00:00Z",
        "participant": [{"actor": {"reference": f"Patient/{PATIENT}"}, "status": "accepted"}],
    }
