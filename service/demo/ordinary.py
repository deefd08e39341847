"""Ordinary patients, who have nothing to do with vitamin B12: about a hundred resources each, half of them results."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

Resource = dict[str, Any]
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ATC = "http://www.whocc.no/atc"
YEARS = 2
VISITS, SAMPLES, ISSUES = 8, 4, 4


class Analyte(NamedTuple):
    """A result as healthy adults have it, from `low` to `high`."""

    words: str
    code: str
    unit: str
    low: float
    high: float


_BLOOD = (
    Analyte("Haemoglobin", "718-7", "g/L", 128, 152),
    Analyte("MCV", "787-2", "fL", 84, 94),
    Analyte("White blood cell count", "6690-2", "10*9/L", 5.0, 9.0),
    Analyte("Platelet count", "777-3", "10*9/L", 190, 340),
    Analyte("Sodium", "2951-2", "mmol/L", 136, 144),
    Analyte("Potassium", "2823-3", "mmol/L", 3.9, 4.8),
    Analyte("Creatinine", "14682-9", "umol/L", 58, 92),
    Analyte("Alanine aminotransferase", "1742-6", "U/L", 12, 34),
    Analyte("TSH", "3016-3", "m[IU]/L", 0.9, 3.4),
)
_VITALS = (
    Analyte("Systolic blood pressure", "8480-6", "mm[Hg]", 108, 138),
    Analyte("Heart rate", "8867-4", "/min", 58, 86),
    Analyte("Body weight", "29463-7", "kg", 55, 95),
)
_PROBLEMS = (
    ("Asthma", "195967001"),
    ("Hypertensive disorder", "38341003"),
    ("Hypothyroidism", "40930008"),
    ("Depressive disorder", "35489007"),
    ("Hyperlipidaemia", "55822004"),
    ("Migraine", "37796009"),
)
_MEDICINES = (
    ("Amlodipine 5mg tablets", "C08CA01"),
    ("Ramipril 5mg capsules", "C09AA05"),
    ("Atorvastatin 20mg tablets", "C10AA05"),
    ("Sertraline 50mg tablets", "N06AB06"),
    ("Cetirizine 10mg tablets", "R06AE07"),
    ("Ibuprofen 400mg tablets", "M01AE01"),
    ("Bisoprolol 2.5mg tablets", "C07AB07"),
)
_WORDS = ("Seborrhoeic wart", "Sprain of ankle", "Contact dermatitis", "Conjunctivitis", "Ear wax")


def chart(patient: str, random: Random, today: date) -> list[Resource]:
    """All resources of one patient: about twenty visits and orders in the last two years, the newest before `today`."""
    return _Chart(patient, random, today).written()


class _Chart:
    def __init__(self, patient: str, random: Random, today: date) -> None:
        self._patient = patient
        self._random = random
        self._today = today
        self._all: list[Resource] = []

    def written(self) -> list[Resource]:
        random = self._random
        age = random.randint(19, 58)
        born = self._today - timedelta(days=age * 365 + random.randrange(365))
        self._all.append({"resourceType": "Patient", "id": self._patient, "active": True, "birthDate": str(born)})
        for words, code in random.sample(_PROBLEMS, 2):
            self._problem({"coding": [{"system": SNOMED, "code": code, "display": words}], "text": words}, "active")
        self._problem({"text": random.choice(_WORDS)}, "resolved")
        for day in self._spread(VISITS):
            self._visit(day)
        for day in self._spread(SAMPLES):
            self._sample(day)
        for medicine in random.sample(_MEDICINES, 2):
            for day in self._spread(ISSUES):
                self._issue(*medicine, day)
            self._add("MedicationStatement", status="active", **_drug(*medicine), dateAsserted=str(self._some_day()))
        self._add(
            "AllergyIntolerance", subject="patient", code={"text": "Penicillin"}, recordedDate=str(self._some_day())
        )
        heart: Resource = {
            "condition": [{"code": {"text": "Ischaemic heart disease"}}],
            "relationship": {"text": "father"},
        }
        self._add("FamilyMemberHistory", subject="patient", status="completed", date=str(self._some_day()), **heart)
        for _ in range(3):
            done = {"text": "Venous blood sampling"}
            self._add("Procedure", status="completed", code=done, performedDateTime=str(self._some_day()))
        self._all.append(
            {
                "resourceType": "Appointment",
                "id": f"{self._patient}-appointment",
                "status": "fulfilled",
                "description": "Routine review",
                "created": str(self._today - timedelta(days=60)),
                "start": f"{self._today - timedelta(days=30)}T14:00:00Z",
                "participant": [{"actor": {"reference": f"Patient/{self._patient}"}, "status": "accepted"}],
            }
        )
        return self._all

    def _problem(self, code: Resource, status: str) -> None:
        began = self._today - timedelta(days=self._random.randint(800, 4000))
        system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
        clinical = {"coding": [{"system": system, "code": status}]}
        ended: Resource = {"abatementDateTime": str(began + timedelta(days=20))} if status == "resolved" else {}
        self._add("Condition", code=code, clinicalStatus=clinical, recordedDate=str(began), **ended)

    def _visit(self, day: date) -> None:
        at = f"{day}T{self._random.randint(9, 16):02}:{self._random.randrange(0, 60, 5):02}:00Z"
        kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
        visit: Resource = {"class": kind, "period": {"start": at}}
        self._add("Encounter", status="finished", **visit)
        for analyte in _VITALS:
            self._result(analyte, at, "vital-signs")

    def _sample(self, day: date) -> None:
        for analyte in _BLOOD:
            self._result(analyte, f"{day}T08:40:00Z", "laboratory")
        panel = {"text": "Blood count, electrolytes, liver and thyroid"}
        ordered = f"{day - timedelta(days=1)}T11:20:00Z"
        self._add("ServiceRequest", status="completed", intent="order", code=panel, authoredOn=ordered)

    def _result(self, analyte: Analyte, at: str, category: str) -> None:
        value = round(self._random.uniform(analyte.low, analyte.high), 1)
        coding = {"system": LOINC, "code": analyte.code, "display": analyte.words}
        system = "http://terminology.hl7.org/CodeSystem/observation-category"
        self._add(
            "Observation",
            status="final",
            category=[{"coding": [{"system": system, "code": category}]}],
            code={"coding": [coding], "text": analyte.words},
            effectiveDateTime=at,
            valueQuantity={"value": value, "unit": analyte.unit, "system": UCUM, "code": analyte.unit},
        )

    def _issue(self, words: str, code: str, day: date) -> None:
        at = f"{day}T{self._random.randint(9, 16):02}:{self._random.randrange(0, 60, 5):02}:00Z"
        daily = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
        dosage = {"text": "1 tablet once a day", "timing": daily}
        order: Resource = {"status": "completed", "intent": "order", "authoredOn": at, "dosageInstruction": [dosage]}
        self._add("MedicationRequest", **order, **_drug(words, code))
        supply = {"value": 56, "unit": "days", "system": UCUM, "code": "d"}
        handed_over: Resource = {
            "status": "completed",
            "whenHandedOver": str(day + timedelta(days=1)),
            "daysSupply": supply,
        }
        self._add("MedicationDispense", **handed_over, **_drug(words, code))

    def _add(self, kind: str, /, subject: str = "subject", **members: Any) -> None:
        identity = f"{self._patient}-{len(self._all)}"
        reference = {"reference": f"Patient/{self._patient}"}
        self._all.append({"resourceType": kind, "id": identity, subject: reference, **members})

    def _some_day(self) -> date:
        return self._today - timedelta(days=self._random.randint(30, 365 * YEARS))

    def _spread(self, count: int) -> list[date]:
        """Days at about even distances over the last two years, not after the day before yesterday."""
        length = 365 * YEARS - 40
        offset = self._random.randrange(3, 33)
        return [self._today - timedelta(days=offset + length * number // count) for number in range(count)]


def _drug(words: str, code: str) -> Resource:
    return {"medicationCodeableConcept": {"coding": [{"system": ATC, "code": code, "display": words}], "text": words}}
