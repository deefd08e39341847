"""The four requests of the benchmark: FHIR R4 of invented patients, the same on every run but for dates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

Resource = dict[str, Any]

PATIENT = "bench-patient"
_FHIR_SERVER = "https://ehr.example.org/fhir"
_LOINC = "http://loinc.org"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_SNOMED = "http://snomed.info/sct"
_UCUM = "http://unitsofmeasure.org"
_HL7 = "http://terminology.hl7.org/CodeSystem"

# Overdue for a dose every 3 months: more than 92 days and 21 of grace, less than two intervals.
_DAYS_SINCE_LAST_DOSE = 130
_DAYS_BETWEEN_DOSES = 91


@dataclass(frozen=True)
class Payload:
    """One request and what is asked of the answers to it.

    `throughput`: the least ratio of the service's requests a second to the baseline's; `p99_ms`: the limit in
    milliseconds below which the 99th percentile of the answering times at concurrency 1 is to stay. None:
    measured without a target.
    """

    name: str
    title: str
    request: Resource
    silent: bool = False
    throughput: float | None = None
    p99_ms: float | None = None

    @property
    def path(self) -> str:
        """Where the request is posted."""
        return f"/cds-services/b12-{self.request['hook']}"

    @cached_property
    def body(self) -> bytes:
        """The request as an EHR writes it: JSON without blanks, UTF-8."""
        return json.dumps(self.request, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def resources(self) -> int:
        """How many FHIR resources it carries, drafts included; a Bundle counts for what is in it."""
        carried = [self.request["context"].get("draftOrders"), *self.request.get("prefetch", {}).values()]
        bundles = [each for each in carried if each and each["resourceType"] == "Bundle"]
        alone = [each for each in carried if each and each["resourceType"] != "Bundle"]
        return len(alone) + sum(len(each.get("entry", ())) for each in bundles)


@dataclass(frozen=True, slots=True)
class _Test:
    loinc: str
    display: str
    unit: str
    low: float
    high: float
    places: int = 0


@dataclass(frozen=True, slots=True)
class _Drug:
    code: str
    name: str
    dose: float
    unit: str = "mg"
    system: str = _RXNORM


_B12 = _Test("2132-9", "Cobalamin (Vitamin B12) [Mass/volume] in Serum or Plasma", "ng/L", 197, 771)
_HAEMOGLOBIN = _Test("718-7", "Hemoglobin [Mass/volume] in Blood", "g/L", 120, 155)
_MCV = _Test("787-2", "MCV [Entitic volume] by Automated count", "fL", 80, 100)
_FOLATE = _Test("2284-8", "Folate [Mass/volume] in Serum or Plasma", "ug/L", 3, 20, 1)
_PLATELETS = _Test("777-3", "Platelets [#/volume] in Blood by Automated count", "10*9/L", 150, 400)
_POTASSIUM = _Test("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", 3.5, 5.1, 1)
_CREATININE = _Test("14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "umol/L", 50, 90)
_FERRITIN = _Test("2276-4", "Ferritin [Mass/volume] in Serum or Plasma", "ug/L", 15, 150)
_TESTS = (
    _HAEMOGLOBIN,
    _MCV,
    _PLATELETS,
    _Test("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*9/L", 4, 11, 1),
    _CREATININE,
    _POTASSIUM,
    _Test("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "mmol/L", 135, 145),
    _FERRITIN,
    _FOLATE,
    _Test("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "U/L", 7, 40),
    _Test("6768-6", "Alkaline phosphatase [Enzymatic activity/volume] in Serum or Plasma", "U/L", 40, 130),
    _Test("1751-7", "Albumin [Mass/volume] in Serum or Plasma", "g/L", 35, 50),
    _Test("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma", "mg/L", 0, 5),
    _Test("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "m[IU]/L", 0.4, 4.2, 1),
    _Test("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 4, 5.6, 1),
)

_HYDROXOCOBALAMIN = _Drug("409258004", "Hydroxocobalamin", 1, system=_SNOMED)
_FOLIC_ACID = _Drug("199318", "Folic Acid 5 MG Oral Tablet", 5)
_AMOXICILLIN = _Drug("308191", "Amoxicillin 500 MG Oral Capsule", 500)
_DRUGS = (
    _Drug("10582", "Levothyroxine", 75, "ug"),
    _Drug("35296", "Ramipril", 5),
    _Drug("17767", "Amlodipine", 5),
    _Drug("83367", "Atorvastatin", 20),
    _Drug("161", "Paracetamol", 1000),
    _Drug("19484", "Bisoprolol", 2.5),
    _Drug("4603", "Furosemide", 40),
    _Drug("36437", "Sertraline", 50),
    _Drug("519", "Allopurinol", 100),
)

_PERNICIOUS_ANAEMIA = ("84027009", "Pernicious anemia")
_PROBLEMS = (
    ("38341003", "Hypertensive disorder"),
    ("40930008", "Hypothyroidism"),
    ("396275006", "Osteoarthritis"),
    ("195967001", "Asthma"),
    ("55822004", "Hyperlipidemia"),
    ("235595009", "Gastroesophageal reflux disease"),
    ("37796009", "Migraine"),
    ("43116000", "Eczema"),
    ("90560007", "Gout"),
    ("193570009", "Cataract"),
    ("61582004", "Allergic rhinitis"),
)
_PROCEDURES = (
    ("73761001", "Colonoscopy"),
    ("38102005", "Cholecystectomy"),
    ("80146002", "Appendectomy"),
    ("54885007", "Extraction of cataract"),
    ("52734007", "Total replacement of hip"),
)


def payloads(today: date) -> tuple[Payload, ...]:
    """The four requests as an EHR would send them on `today`."""
    amoxicillin = _order("draft-1", _AMOXICILLIN, today, status="draft", times=3)
    return (
        Payload(
            "irrelevant",
            "irrelevant order",
            _request("order-sign", drafts=[amoxicillin]),
            silent=True,
            throughput=1.8,
        ),
        Payload("order-sign-20", "folic acid being signed", _folic_acid_being_signed(today), throughput=1.4),
        Payload(
            "patient-view-200",
            "chart opened",
            _request("patient-view", prefetch=_chart(today, scale=1)),
            throughput=1.2,
            p99_ms=5.0,
        ),
        Payload(
            "patient-view-2000",
            "large chart opened",
            _request("patient-view", prefetch=_chart(today, scale=10)),
        ),
    )


def without_its_data(payload: Payload, fhir_server: str) -> Payload:
    """The same call with nothing prefetched, and leave to fetch all of it."""
    access = {
        "access_token": "bench",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "user/*.read",
        "subject": "b",
    }
    call = {name: value for name, value in payload.request.items() if name != "prefetch"}
    return Payload(
        "fallback",
        f"{payload.title}, everything fetched",
        {**call, "fhirServer": fhir_server, "fhirAuthorization": access},
    )


def _folic_acid_being_signed(today: date) -> Resource:
    """Folic acid 5 mg a day in pernicious anaemia, B12 96 ng/L three months ago and no B12 given."""
    tested = today - timedelta(days=91)
    results = (
        (_B12, 96),
        (_HAEMOGLOBIN, 98),
        (_MCV, 112),
        (_FOLATE, 4.1),
        (_PLATELETS, 164),
        (_POTASSIUM, 4.2),
        (_CREATININE, 71),
        (_FERRITIN, 88),
    )
    prefetch = {
        "patient": _patient(),
        "problems": [
            _condition(1, _PERNICIOUS_ANAEMIA, today - timedelta(days=88)),
            *(_condition(n, _PROBLEMS[n], today - timedelta(days=700 * n)) for n in range(2, 5)),
        ],
        "medications": [_order(f"order-{n}", _DRUGS[n], today - timedelta(days=40 * n)) for n in range(1, 4)],
        "doses": [_dose(1, _DRUGS[4], today - timedelta(days=400))],
        "statements": [_statement(1, _DRUGS[4], today - timedelta(days=20))],
        "dispenses": [_dispense(1, _DRUGS[1], today - timedelta(days=12))],
        "labs": [_result(n, test, value, tested) for n, (test, value) in enumerate(results, start=1)],
        "procedures": [_procedure(1, _PROCEDURES[0], today - timedelta(days=900))],
        "family": [],
        "tests": [],
        "appointments": [],
    }
    draft = _order("draft-1", _FOLIC_ACID, today, status="draft")
    return _request("order-sign", drafts=[draft], prefetch=prefetch)


def _chart(today: date, scale: int) -> dict[str, Any]:
    """200 resources times `scale`: hydroxocobalamin every 3 months, the next dose overdue, and much else."""
    b12_doses = min(12 * scale, 40)
    last = today - timedelta(days=_DAYS_SINCE_LAST_DOSE)
    started = last - timedelta(days=_DAYS_BETWEEN_DOSES * b12_doses)
    problems = range(1, 20 * scale)
    other_orders = range(1, 20 * scale)
    other_doses = range(b12_doses, 24 * scale)
    return {
        "patient": _patient(),
        "problems": [
            _condition(0, _PERNICIOUS_ANAEMIA, started - timedelta(days=30)),
            *(_condition(n, _PROBLEMS[n % len(_PROBLEMS)], today - timedelta(days=37 * n)) for n in problems),
        ],
        "medications": [
            _every_three_months(started),
            *(_order(f"order-{n}", _DRUGS[n % len(_DRUGS)], today - timedelta(days=9 * n)) for n in other_orders),
        ],
        "doses": [
            *(_dose(n, _HYDROXOCOBALAMIN, last - timedelta(days=_DAYS_BETWEEN_DOSES * n)) for n in range(b12_doses)),
            *(_dose(n, _DRUGS[n % len(_DRUGS)], last - timedelta(days=3 * n)) for n in other_doses),
        ],
        "statements": [
            _statement(n, _DRUGS[n % len(_DRUGS)], today - timedelta(days=20 * n)) for n in range(3 * scale)
        ],
        "dispenses": [_dispense(n, _DRUGS[n % len(_DRUGS)], today - timedelta(days=14 * n)) for n in range(3 * scale)],
        "labs": [_ordinary_result(n, today - timedelta(days=30 + 6 * (n // len(_TESTS)))) for n in range(120 * scale)],
        "procedures": [
            _procedure(n, _PROCEDURES[n % len(_PROCEDURES)], today - timedelta(days=100 + 41 * n))
            for n in range(5 * scale)
        ],
        "tests": [_test_request(n, today - timedelta(days=60 * n)) for n in range(3 * scale)],
        "appointments": [_appointment(n, today - timedelta(days=45 + 30 * n)) for n in range(2 * scale - 1)],
    }


# --- the envelope -----------------------------------------------------------------------------------------


def _request(hook: str, drafts: Sequence[Resource] = (), prefetch: dict[str, Any] | None = None) -> Resource:
    context: Resource = {
        "userId": "Practitioner/bench-practitioner",
        "patientId": PATIENT,
        "encounterId": "bench-encounter",
    }
    if drafts:
        entries = [{"resource": each} for each in drafts]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    request: Resource = {
        "hook": hook,
        "hookInstance": "3f0a6f0e-52d9-4a39-9a5c-8d8a4f6f2b11",
        "context": context,
    }
    if prefetch is not None:
        request["prefetch"] = {
            key: _found(value) if isinstance(value, list) else value for key, value in prefetch.items()
        }
    return request


def _found(resources: Sequence[Resource]) -> Resource:
    """A complete search result: without `total` a full page would read as cut short."""
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    if resources:
        bundle["entry"] = [
            {
                "fullUrl": f"{_FHIR_SERVER}/{each['resourceType']}/{each['id']}",
                "resource": each,
                "search": {"mode": "match"},
            }
            for each in resources
        ]
    return bundle


# --- resources --------------------------------------------------------------------------------------------


def _resource(kind: str, identity: str, recorded: date) -> Resource:
    return {
        "resourceType": kind,
        "id": identity,
        "meta": {"versionId": "1", "lastUpdated": f"{recorded.isoformat()}T09:12:44.000+00:00"},
        "subject": {"reference": f"Patient/{PATIENT}"},
    }


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _quantity(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": _UCUM, "code": unit}


def _patient() -> Resource:
    return {
        "resourceType": "Patient",
        "id": PATIENT,
        "active": True,
        "name": [{"use": "official", "family": "Example", "given": ["Invented"]}],
        "gender": "female",
        "birthDate": "1957-04-12",
        "address": [{"use": "home", "line": ["1 Example Street"], "city": "Exampleton", "country": "GB"}],
    }


def _condition(number: int, problem: tuple[str, str], recorded: date) -> Resource:
    return {
        **_resource("Condition", f"condition-{number}", recorded),
        "clinicalStatus": _concept(f"{_HL7}/condition-clinical", "active", "Active"),
        "verificationStatus": _concept(f"{_HL7}/condition-ver-status", "confirmed", "Confirmed"),
        "category": [_concept(f"{_HL7}/condition-category", "problem-list-item", "Problem List Item")],
        "code": _concept(_SNOMED, *problem),
        "onsetDateTime": recorded.isoformat(),
        "recordedDate": recorded.isoformat(),
    }


def _order(identity: str, drug: _Drug, authored: date, status: str = "active", times: int = 1) -> Resource:
    return {
        **_resource("MedicationRequest", identity, authored),
        "status": status,
        "intent": "order",
        "category": [_concept(f"{_HL7}/medicationrequest-category", "community", "Community")],
        "medicationCodeableConcept": _concept(drug.system, drug.code, drug.name),
        "authoredOn": authored.isoformat(),
        "requester": {"reference": "Practitioner/bench-practitioner"},
        "dosageInstruction": [_by_mouth(drug, times)],
    }


def _by_mouth(drug: _Drug, times: int = 1) -> Resource:
    often = "once a day" if times == 1 else f"{times} times a day"
    return {
        "sequence": 1,
        "text": f"{drug.dose:g} {drug.unit} {often}",
        "timing": {"repeat": {"frequency": times, "period": 1, "periodUnit": "d"}},
        "route": _concept(_SNOMED, "26643006", "Oral route"),
        "doseAndRate": [{"doseQuantity": _quantity(drug.dose, drug.unit)}],
    }


def _every_three_months(authored: date) -> Resource:
    order = _order("order-b12", _HYDROXOCOBALAMIN, authored)
    order["dosageInstruction"] = [
        {
            "sequence": 1,
            "text": "1 mg into the muscle every 3 months",
            "timing": {"repeat": {"frequency": 1, "period": 3, "periodUnit": "mo"}},
            "route": _concept(_SNOMED, "78421000", "Intramuscular route"),
            "doseAndRate": [{"doseQuantity": _quantity(1, "mg")}],
        }
    ]
    return order


def _dose(number: int, drug: _Drug, given: date) -> Resource:
    injected = drug is _HYDROXOCOBALAMIN
    route = ("78421000", "Intramuscular route") if injected else ("26643006", "Oral route")
    return {
        **_resource("MedicationAdministration", f"dose-{number}", given),
        "status": "completed",
        "medicationCodeableConcept": _concept(drug.system, drug.code, drug.name),
        "effectiveDateTime": f"{given.isoformat()}T10:30:00+00:00",
        "performer": [{"actor": {"reference": "Practitioner/bench-nurse"}}],
        "dosage": {"route": _concept(_SNOMED, *route), "dose": _quantity(drug.dose, drug.unit)},
    }


def _statement(number: int, drug: _Drug, told: date) -> Resource:
    return {
        **_resource("MedicationStatement", f"statement-{number}", told),
        "status": "active",
        "medicationCodeableConcept": _concept(drug.system, drug.code, drug.name),
        "effectivePeriod": {"start": told.isoformat()},
        "dosage": [_by_mouth(drug)],
    }


def _dispense(number: int, drug: _Drug, handed_over: date) -> Resource:
    return {
        **_resource("MedicationDispense", f"dispense-{number}", handed_over),
        "status": "completed",
        "medicationCodeableConcept": _concept(drug.system, drug.code, drug.name),
        "quantity": {"value": 28, "unit": "tablet"},
        "daysSupply": _quantity(28, "d"),
        "whenHandedOver": handed_over.isoformat(),
        "dosageInstruction": [_by_mouth(drug)],
    }


def _ordinary_result(number: int, taken: date) -> Resource:
    """A result within its range, another test and another value with each number."""
    test = _TESTS[number % len(_TESTS)]
    value = test.low + (test.high - test.low) * (number % 7 + 1) / 8
    return _result(number, test, round(value, test.places), taken)


def _result(number: int, test: _Test, value: float, taken: date) -> Resource:
    flag = ("L", "Low") if value < test.low else ("H", "High") if value > test.high else ("N", "Normal")
    return {
        **_resource("Observation", f"result-{number}", taken),
        "status": "final",
        "category": [_concept(f"{_HL7}/observation-category", "laboratory", "Laboratory")],
        "code": _concept(_LOINC, test.loinc, test.display),
        "effectiveDateTime": f"{taken.isoformat()}T08:15:00+00:00",
        "issued": f"{taken.isoformat()}T13:02:10.000+00:00",
        "performer": [{"reference": "Organization/bench-laboratory"}],
        "valueQuantity": _quantity(value, test.unit),
        "interpretation": [_concept(f"{_HL7}/v3-ObservationInterpretation", *flag)],
        "referenceRange": [{"low": _quantity(test.low, test.unit), "high": _quantity(test.high, test.unit)}],
    }


def _procedure(number: int, done: tuple[str, str], day: date) -> Resource:
    return {
        **_resource("Procedure", f"procedure-{number}", day),
        "status": "completed",
        "code": _concept(_SNOMED, *done),
        "performedDateTime": day.isoformat(),
    }


def _test_request(number: int, authored: date) -> Resource:
    return {
        **_resource("ServiceRequest", f"test-{number}", authored),
        "status": "completed",
        "intent": "order",
        "code": _concept(_LOINC, _CREATININE.loinc, _CREATININE.display),
        "authoredOn": authored.isoformat(),
    }


def _appointment(number: int, day: date) -> Resource:
    return {
        "resourceType": "Appointment",
        "id": f"appointment-{number}",
        "status": "fulfilled",
        "description": "Blood pressure review",
        "start": f"{day.isoformat()}T09:00:00Z",
        "participant": [{"actor": {"reference": f"Patient/{PATIENT}"}, "status": "accepted"}],
    }
