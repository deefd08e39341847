"""Expands the short descriptions of `patients.py` into charts of FHIR R4 as EHRs send them: the same on every run.

Most resources are tidy; some are odd in the ways that real ones are: words instead of codes, no status, an absolute
reference, an extension that nobody knows, a result sent as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any, NamedTuple

from tests.ordinary.patients import Medicine, Ordinary

Resource = dict[str, Any]
TODAY = date(2026, 11, 23)
UCUM = "http://unitsofmeasure.org"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_SYSTEMS = {
    "SNOMED": "http://snomed.info/sct",
    "LOINC": "http://loinc.org",
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "ATC": "http://www.whocc.no/atc",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "ACTSITE": f"{_TERMINOLOGY}/v3-ActSite",
}
_ROUTES = {
    "oral": "SNOMED 26643006",
    "intramuscular": "SNOMED 78421000",
    "subcutaneous": "SNOMED 34206005",
    "intravenous": "SNOMED 47625008",
}
_SITES = {
    "buttock": "ACTSITE BU",
    "left buttock": "SNOMED 723979003",
    "right buttock": "SNOMED 723980000",
    "left gluteus medius": "ACTSITE LG",
    "right gluteus medius": "ACTSITE RG",
    "left deltoid": "ACTSITE LD",
    "left thigh": "ACTSITE LT",
    "right thigh": "ACTSITE RT",
    "left upper arm": "ACTSITE LUA",
}
_DAYS = {"d": 1, "wk": 7, "mo": 30}
_OPPOSITE = {"left": "right", "right": "left"}
_COMPLAINTS = (
    "Viral upper respiratory tract infection",
    "Sore throat",
    "Acute otitis media",
    "Contact dermatitis",
    "Sprain of ankle",
    "Viral gastroenteritis",
    "Conjunctivitis",
    "Insect bite",
    "Ear wax",
    "Cough",
)


class Analyte(NamedTuple):
    """One result as a healthy adult has it; `us`: unit and factor where the United States write it otherwise."""

    words: str
    loinc: str
    unit: str
    usual: float
    low: float
    high: float
    us: tuple[str, str, float] | None = None


_ANALYTES = {
    "hb": Analyte("Haemoglobin", "718-7", "g/L", 139, 120, 165, ("718-7", "g/dL", 0.1)),
    "hct": Analyte("Haematocrit", "4544-3", "L/L", 0.42, 0.36, 0.5, ("4544-3", "%", 100)),
    "mcv": Analyte("MCV", "787-2", "fL", 89, 80, 98),
    "mch": Analyte("MCH", "785-6", "pg", 30, 27, 33),
    "rbc": Analyte("Red blood cell count", "789-8", "10*12/L", 4.7, 3.9, 5.6),
    "wbc": Analyte("White blood cell count", "6690-2", "10*9/L", 6.8, 4.0, 11.0),
    "platelets": Analyte("Platelet count", "777-3", "10*9/L", 255, 150, 410),
    "neutrophils": Analyte("Neutrophil count", "751-8", "10*9/L", 3.9, 2.0, 7.5),
    "lymphocytes": Analyte("Lymphocyte count", "731-0", "10*9/L", 2.0, 1.0, 4.0),
    "sodium": Analyte("Sodium", "2951-2", "mmol/L", 140, 133, 146),
    "potassium": Analyte("Potassium", "2823-3", "mmol/L", 4.3, 3.6, 5.3),
    "urea": Analyte("Urea", "22664-7", "mmol/L", 5.2, 2.5, 7.8, ("3094-0", "mg/dL", 2.8)),
    "creatinine": Analyte("Creatinine", "14682-9", "umol/L", 76, 50, 104, ("2160-0", "mg/dL", 0.01131)),
    "egfr": Analyte("eGFR", "62238-1", "mL/min/{1.73_m2}", 90, 60, 120),
    "alt": Analyte("Alanine aminotransferase", "1742-6", "U/L", 22, 5, 40),
    "alp": Analyte("Alkaline phosphatase", "6768-6", "U/L", 74, 30, 130),
    "bilirubin": Analyte("Total bilirubin", "14631-6", "umol/L", 9, 2, 21, ("1975-2", "mg/dL", 0.0585)),
    "albumin": Analyte("Albumin", "1751-7", "g/L", 42, 35, 50, ("1751-7", "g/dL", 0.1)),
    "cholesterol": Analyte("Total cholesterol", "14647-2", "mmol/L", 4.6, 3.0, 5.0, ("2093-3", "mg/dL", 38.67)),
    "hdl": Analyte("HDL cholesterol", "14646-4", "mmol/L", 1.4, 1.0, 2.4, ("2085-9", "mg/dL", 38.67)),
    "triglycerides": Analyte("Triglycerides", "14927-8", "mmol/L", 1.2, 0.5, 1.7, ("2571-8", "mg/dL", 88.57)),
    "glucose": Analyte("Glucose", "14749-6", "mmol/L", 5.1, 3.9, 6.0, ("2345-7", "mg/dL", 18.02)),
    "hba1c": Analyte("HbA1c", "59261-8", "mmol/mol", 36, 20, 41),
    "tsh": Analyte("TSH", "3016-3", "m[IU]/L", 2.0, 0.4, 4.0),
    "ferritin": Analyte("Ferritin", "2276-4", "ug/L", 85, 20, 200, ("2276-4", "ng/mL", 1)),
    "calcium": Analyte("Calcium", "2000-8", "mmol/L", 2.38, 2.2, 2.6, ("17861-6", "mg/dL", 4.008)),
    "crp": Analyte("C reactive protein", "1988-5", "mg/L", 2, 0.3, 5),
    "psa": Analyte("Prostate specific antigen", "2857-1", "ug/L", 0.6, 0.1, 4, ("2857-1", "ng/mL", 1)),
    "urate": Analyte("Urate", "14933-6", "umol/L", 310, 200, 430, ("3084-1", "mg/dL", 0.01681)),
    "cd4": Analyte("CD4 count", "24467-3", "/uL", 720, 400, 1500),
    "b12": Analyte("Serum vitamin B12", "2132-9", "ng/L", 512, 400, 900, ("2132-9", "pg/mL", 1)),
    "folate": Analyte("Serum folate", "2284-8", "ug/L", 9.5, 4, 19, ("2284-8", "ng/mL", 1)),
}  # fmt: skip
_PANELS = {
    "blood count": ("hb", "hct", "mcv", "mch", "rbc", "wbc", "platelets", "neutrophils", "lymphocytes"),
    "electrolytes": ("sodium", "potassium", "urea", "creatinine", "egfr"),
    "liver": ("alt", "alp", "bilirubin", "albumin"),
    "lipids": ("cholesterol", "hdl", "triglycerides"),
    "diabetes": ("glucose", "hba1c"),
    "thyroid": ("tsh",),
    "iron": ("ferritin",),
    "bone": ("calcium", "alp", "albumin"),
    "inflammation": ("crp",),
    "PSA": ("psa",),
    "urate": ("urate",),
    "HIV": ("cd4",),
    "vitamins": ("b12", "folate"),
    "newborn": ("bilirubin", "glucose"),
}
# What is usual in the young: by the age in years up to which it holds.
_YOUNG = (
    (1, {"bilirubin": (150.0, 20.0, 250.0), "glucose": (3.6, 2.6, 6.0)}),
    (13, {"hb": (123.0, 105.0, 140.0), "mcv": (79.0, 72.0, 88.0), "mch": (26.5, 24.0, 31.0)}),
)
_YOUNG_VITALS = ((1, {"heart_rate": 138, "breaths": 42}), (4, {"heart_rate": 112, "breaths": 26}))
_VITALS = {
    "heart_rate": ("Heart rate", "8867-4", "/min", 74, 5),
    "breaths": ("Respiratory rate", "9279-1", "/min", 15, 1),
    "temperature": ("Body temperature", "8310-5", "Cel", 36.7, 0.2),
    "spo2": ("Oxygen saturation", "59408-5", "%", 97, 0.6),
    "weight": ("Body weight", "29463-7", "kg", 74, 1),
    "height": ("Body height", "8302-2", "cm", 170, 0.3),
}


@cache
def chart(patient: Ordinary) -> tuple[Resource, ...]:
    """All resources of a patient, the newest of each type first."""
    return _Chart(patient).resources()


@cache
def drafts(patient: Ordinary) -> tuple[Resource, ...]:
    """The orders that are being signed: of medicines, and a blood count beside them."""
    building = _Chart(patient)
    found = [building.draft(medicine, number) for number, medicine in enumerate(patient.drafts, start=1)]
    return (*found, building.drafted_test())


def patient_id(patient: Ordinary) -> str:
    """The id of the Patient resource."""
    return re.sub(r"[^a-z0-9]+", "-", patient.name.lower()).strip("-")[:64].strip("-")


def prefetch(templates: Mapping[str, str], resources: Iterable[Resource]) -> Resource:
    """The answer to every prefetch template of a service: all resources of the type that it asks for."""
    by_type: dict[str, list[Resource]] = {}
    for each in resources:
        by_type.setdefault(each["resourceType"], []).append(each)
    answers: Resource = {}
    for key, template in templates.items():
        kind = re.split(r"[/?]", template)[0]
        found = by_type.get(kind, [])
        answers[key] = searchset(found) if "?" in template else found[0]
    return answers


def searchset(resources: list[Resource]) -> Resource:
    """A complete search result."""
    entries = [{"fullUrl": f"https://ehr.example.org/fhir/{_reference(each)}", "resource": each} for each in resources]
    found: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    return {**found, "entry": entries} if entries else found


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


class _Chart:
    """Writes the chart of one patient."""

    def __init__(self, patient: Ordinary) -> None:
        self._patient = patient
        self._id = patient_id(patient)
        self._random = Random(patient.name)  # noqa: S311 - the same charts on every run
        self._born = date.fromisoformat(patient.born)
        self._us = patient.land == "us"
        self._begins = max(self._born, TODAY - timedelta(days=4 * 365))
        self._written: list[Resource] = []

    @property
    def _age(self) -> float:
        return (TODAY - self._born).days / 365.25

    def resources(self) -> tuple[Resource, ...]:
        """Everything, the newest first."""
        self._demographics()
        self._problems()
        self._visits()
        self._samples()
        self._ward()
        self._medicines()
        self._procedures()
        self._vaccines()
        self._plans()
        written = sorted(self._written, key=_day_of, reverse=True)
        return tuple(written)

    # --- the pieces of a chart -----------------------------------------------------------------------------------

    def _demographics(self) -> None:
        patient = self._patient
        self._written.append(
            {
                "resourceType": "Patient",
                "id": self._id,
                "active": True,
                "gender": patient.sex,
                "birthDate": patient.born,
                "extension": [{"url": "https://ehr.example.org/fhir/StructureDefinition/vip", "valueBoolean": False}],
            }
        )
        for words in patient.allergies:
            self._add("AllergyIntolerance", {"code": {"text": words}, "recordedDate": str(self._some_day())}, "patient")
        for relationship, words in (*patient.family, ("father", "Ischaemic heart disease")):
            members = {"relationship": {"text": relationship}, "condition": [{"code": {"text": words}}]}
            self._add("FamilyMemberHistory", {"status": "completed", **members}, "patient")

    def _problems(self) -> None:
        for problem in self._patient.problems:
            began = self._within(problem.since)
            members: Resource = {
                "code": self._concept(problem.text, *problem.codes),
                "onsetDateTime": self._vague(began),
                "recordedDate": str(began),
                **self._standing("resolved" if problem.ended else "active"),
            }
            if problem.ended:
                members["abatementDateTime"] = str(problem.ended)
            self._add("Condition", members)
        for _ in range(min(10, self._patient.visits // 2) if self._age > 1 else 0):
            began = self._some_day()
            self._add(
                "Condition",
                {
                    "category": [_coded(f"{_TERMINOLOGY}/condition-category", "encounter-diagnosis")],
                    "code": self._concept(self._random.choice(_COMPLAINTS)),
                    "onsetDateTime": str(began),
                    "abatementDateTime": str(min(TODAY, began + timedelta(days=9))),
                    "recordedDate": str(began),
                    **self._standing("resolved"),
                },
            )

    def _standing(self, status: str) -> Resource:
        if self._chance(0.06):
            return {}
        return {
            "clinicalStatus": _coded(f"{_TERMINOLOGY}/condition-clinical", status),
            "verificationStatus": _coded(f"{_TERMINOLOGY}/condition-ver-status", "confirmed"),
        }

    def _visits(self) -> None:
        for day in self._spread(self._patient.visits):
            kind = _coded(f"{_TERMINOLOGY}/v3-ActCode", "AMB")["coding"][0]
            reason = [{"text": self._random.choice((self._patient.booked, "Consultation", "Telephone consultation"))}]
            period = {"start": f"{day}T09:10:00Z", "end": f"{day}T09:25:00Z"}
            self._add("Encounter", {"status": "finished", "class": kind, "period": period, "reasonCode": reason})
            self._blood_pressure(f"{day}T09:15:00Z")
            for name in ("heart_rate", "weight", "height" if self._age < 16 else "temperature"):
                self._vital(name, str(day))
            if self._us:
                item = {"sequence": 1, "productOrService": {"text": "Office visit"}, "servicedDate": str(day)}
                self._claim(item, day)

    def _samples(self) -> None:
        names = list(dict.fromkeys(name for panel in self._patient.tests for name in _PANELS[panel]))
        for day in self._spread(self._patient.samples):
            for name in names:
                self._result(name, day)
            panel = self._random.choice(self._patient.tests).capitalize()
            members = {"status": "completed", "intent": "order", "code": {"text": panel}}
            self._add("ServiceRequest", {**members, "authoredOn": str(day)})

    def _ward(self) -> None:
        """Observations every four hours while the patient was on a ward."""
        ends = TODAY - timedelta(days=1)
        for number in range(self._patient.ward):
            day = ends - timedelta(days=number)
            if day < self._born:
                continue
            for hour in range(2, 24, 4):
                at = f"{day}T{hour:02}:00:00+00:00"
                for name in ("heart_rate", "breaths", "temperature", "spo2"):
                    self._vital(name, at)
                self._blood_pressure(at)

    def _medicines(self) -> None:
        for medicine in self._patient.medicines:
            began = self._within(medicine.since)
            issues = self._spread(7, began)
            for day in issues:
                last = day == issues[-1] and not medicine.ended
                members = self._order(medicine, "active" if last else "completed")
                self._add("MedicationRequest", {**members, "authoredOn": str(day)})
                self._dispense(medicine, day + timedelta(days=2))
            self._doses(medicine)
            self._add(
                "MedicationStatement",
                {
                    "status": "completed" if medicine.ended else "active",
                    **self._product(medicine),
                    "effectivePeriod": {"start": str(began)},
                    "dosage": [self._instruction(medicine)],
                },
            )
        for words in ("Zinc oxide ointment", "Saline nasal drops"):
            self._add("MedicationStatement", {"status": "completed", "medicationCodeableConcept": {"text": words}})

    def _dispense(self, medicine: Medicine, day: date) -> None:
        if day <= TODAY:
            supply = {"value": 28, "unit": "days", "system": UCUM, "code": "d"}
            members = {"status": "completed", **self._product(medicine), "daysSupply": supply}
            self._add("MedicationDispense", {**members, "whenHandedOver": str(day)})

    def _doses(self, medicine: Medicine) -> None:
        """Doses given here at the interval of the medicine, the last one a few days ago, sides alternating."""
        number, _, rest = medicine.often.partition("/")
        match = re.fullmatch(r"(\d*)(d|wk|mo)", rest)
        interval = int(match[1] or 1) * _DAYS[match[2]] // int(number) if match else 1
        for number_given in range(medicine.given):
            day = TODAY - timedelta(days=5 + number_given * interval)
            dosage = self._instruction(medicine, other_side=bool(number_given % 2))
            amounts = dosage.pop("doseAndRate", [])
            dosage = {name: dosage[name] for name in ("text", "route", "site") if name in dosage}
            if amounts:
                dosage["dose"] = amounts[0]["doseQuantity"]
            self._add(
                "MedicationAdministration",
                {
                    "status": "completed",
                    **self._product(medicine),
                    "effectiveDateTime": f"{day}T10:30:00Z",
                    "dosage": dosage,
                },
            )
            code = self._concept(f"{medicine.route.capitalize()} injection", "CPT 96372") if self._us else None
            words = code or {"text": f"{medicine.route.capitalize()} injection"}
            self._add("Procedure", {"status": "completed", "code": words, "performedDateTime": str(day)})
            if self._us:
                self._claim({"sequence": 1, "productOrService": words, "servicedDate": str(day)}, day)

    def _procedures(self) -> None:
        for words, year in self._patient.procedures:
            day = self._within(int(year))
            self._add("Procedure", {"status": "completed", "code": {"text": words}, "performedDateTime": str(day)})
        for day in self._spread(6):
            words = "Venous blood sampling" if self._age > 1 else "Heel prick blood sampling"
            self._add("Procedure", {"status": "completed", "code": {"text": words}, "performedDateTime": str(day)})

    def _vaccines(self) -> None:
        influenza, covid = ("140", "208") if self._us else ("", "")
        yearly = [("Influenza vaccine", influenza)] * 4 + [("COVID-19 vaccine", covid)]
        for words, cvx in self._patient.vaccines or (yearly if self._age > 16 else []):
            codes = (f"CVX {cvx}",) if cvx else ()
            self._add(
                "Immunization",
                {
                    "status": "completed",
                    "vaccineCode": self._concept(words, *codes),
                    "occurrenceDateTime": str(self._some_day()),
                    "site": self._site("left deltoid" if self._age > 3 else "left thigh"),
                },
                "patient",
            )

    def _plans(self) -> None:
        actor = {"actor": {"reference": f"Patient/{self._id}"}, "status": "accepted"}
        past = self._spread(min(8, self._patient.visits))
        for day in (*past, TODAY + timedelta(days=9), TODAY + timedelta(days=120)):
            status = "booked" if day > TODAY else "fulfilled"
            members = {"status": status, "description": self._patient.booked, "start": f"{day}T14:00:00Z"}
            self._written.append(
                {"resourceType": "Appointment", "id": self._next_id(), **members, "participant": [actor]}
            )

    def _claim(self, item: Resource, day: date) -> None:
        members = {"status": "active", "use": "claim", "outcome": "complete", "created": str(day), "item": [item]}
        self._add("ExplanationOfBenefit", members, "patient")

    # --- results and measurements --------------------------------------------------------------------------------

    def _result(self, name: str, day: date) -> None:
        analyte = _ANALYTES[name]
        usual, low, high = analyte.usual, analyte.low, analyte.high
        for years, young in reversed(_YOUNG):
            if self._age < years and name in young:
                usual, low, high = young[name]
        usual = self._patient.usual.get(name, usual)
        value = usual
        if low <= usual <= high:
            # Healthy results stay healthy: noise never leaves the reference range.
            value = min(max(usual + self._random.gauss(0, (high - low) / 14), low), high)
        loinc, unit, factor = analyte.us if self._us and analyte.us else (analyte.loinc, analyte.unit, 1)
        numbers = [_rounded(number * factor) for number in (value, low, high)]
        quantity = {"unit": unit, "system": UCUM, "code": unit}
        members: Resource = {
            "status": self._random.choice(("final", "final", "final", "final", "amended", "corrected")),
            "category": [_coded(f"{_TERMINOLOGY}/observation-category", "laboratory")],
            "code": self._concept(self._spelled(analyte.words), f"LOINC {loinc}"),
            "effectiveDateTime": f"{day}T08:40:00+00:00",
            "referenceRange": [{"low": {"value": numbers[1], **quantity}, "high": {"value": numbers[2], **quantity}}],
        }
        if self._chance(0.03):
            members["valueString"] = f"{numbers[0]} {unit}"
        else:
            members["valueQuantity"] = {"value": numbers[0], **quantity}
        if self._chance(0.4):
            flag = "L" if numbers[0] < numbers[1] else "H" if numbers[0] > numbers[2] else "N"
            members["interpretation"] = [_coded(f"{_TERMINOLOGY}/v3-ObservationInterpretation", flag)]
        self._add("Observation", members)

    def _vital(self, name: str, at: str) -> None:
        words, loinc, unit, usual, spread = _VITALS[name]
        if name == "weight" and self._age < 16:
            usual, spread = 3.5 + 2.6 * self._age, 0.1
        elif name == "height" and self._age < 16:
            usual, spread = 50 + 25 * self._age**0.6, 0.2
        for years, young in reversed(_YOUNG_VITALS):
            if self._age < years:
                usual = young.get(name, usual)
        value = round(self._random.gauss(self._patient.usual.get(name, usual), spread), 1)
        self._observe(words, loinc, {"valueQuantity": _quantity(value, unit)}, at)

    def _blood_pressure(self, at: str) -> None:
        usual = self._patient.usual
        young = self._age < 13
        parts = [
            ("Systolic blood pressure", "8480-6", usual.get("systolic", 92 if young else 124)),
            ("Diastolic blood pressure", "8462-4", usual.get("diastolic", 58 if young else 76)),
        ]
        components = [
            {
                "code": self._concept(words, f"LOINC {loinc}"),
                "valueQuantity": _quantity(round(self._random.gauss(mean, 4)), "mm[Hg]"),
            }
            for words, loinc, mean in parts
        ]
        self._observe("Blood pressure", "85354-9", {"component": components}, at)

    def _observe(self, words: str, loinc: str, value: Resource, at: str) -> None:
        members = {
            "status": "final",
            "category": [_coded(f"{_TERMINOLOGY}/observation-category", "vital-signs")],
            "code": self._concept(words, f"LOINC {loinc}"),
            "effectiveDateTime": at,
        }
        self._add("Observation", {**members, **value})

    # --- orders --------------------------------------------------------------------------------------------------

    def draft(self, medicine: Medicine, number: int) -> Resource:
        """A draft as an order entry sends it."""
        draft: Resource = {
            "resourceType": "MedicationRequest",
            "id": f"draft-{number}",
            **self._order(medicine, "draft"),
            "subject": {"reference": f"Patient/{self._id}"},
            "authoredOn": str(TODAY),
        }
        if self._chance(0.2):
            # Some EHRs put the product into a contained Medication.
            code = draft.pop("medicationCodeableConcept")
            draft["contained"] = [{"resourceType": "Medication", "id": "product", "code": code}]
            draft["medicationReference"] = {"reference": "#product", "display": medicine.product}
        return draft

    def drafted_test(self) -> Resource:
        """A blood test that is ordered in the same session."""
        return {
            "resourceType": "ServiceRequest",
            "id": "draft-test",
            "status": "draft",
            "intent": "order",
            "code": {"text": self._spelled("Full blood count") if not self._us else "Complete blood count"},
            "subject": {"reference": f"Patient/{self._id}"},
        }

    def _order(self, medicine: Medicine, status: str) -> Resource:
        return {
            "status": status,
            "intent": "order",
            **self._product(medicine),
            "dosageInstruction": [self._instruction(medicine)],
        }

    def _product(self, medicine: Medicine) -> Resource:
        return {"medicationCodeableConcept": self._concept(medicine.product, *filter(None, (medicine.code,)))}

    def _instruction(self, medicine: Medicine, *, other_side: bool = False) -> Resource:
        site = medicine.site
        if other_side:
            site = re.sub("left|right", lambda side: _OPPOSITE[side[0]], site)
        words = f"{medicine.dose} {_in_words(medicine.often)}, {medicine.route}"
        if site and self._chance(0.15):
            # Some EHRs have no field for the site.
            return {"text": f"{words}, into the {site}"}
        found: Resource = {"text": words, "route": {"text": medicine.route}}
        if medicine.route in _ROUTES and not self._chance(0.2):
            found["route"] = self._concept(f"{medicine.route.capitalize()} route", _ROUTES[medicine.route])
        if site:
            found["site"] = self._site(site)
        amount = re.fullmatch(r"([\d.]+) (\S+)", medicine.dose)
        if amount:
            found["doseAndRate"] = [{"doseQuantity": {"value": float(amount[1]), "unit": amount[2]}}]
        if medicine.often == "as needed":
            found["asNeededBoolean"] = True
        elif medicine.often == "once":
            found["timing"] = {"repeat": {"count": 1}}
        elif match := re.fullmatch(r"(\d+)/(\d*)(d|wk|mo)", medicine.often):
            repeat = {"frequency": int(match[1]), "period": int(match[2] or 1), "periodUnit": match[3]}
            found["timing"] = {"repeat": repeat}
        return found

    def _site(self, words: str) -> Resource:
        return self._concept(words, *filter(None, (_SITES.get(words, ""),)))

    # --- writing -------------------------------------------------------------------------------------------------

    def _add(self, kind: str, members: Resource, subject: str = "subject") -> None:
        """One more resource, now and then an odd one."""
        resource: Resource = {"resourceType": kind, "id": self._next_id(), **members}
        base = "https://ehr.example.org/fhir/" if self._chance(0.05) else ""
        resource[subject] = {"reference": f"{base}Patient/{self._id}"}
        if self._chance(0.04):
            resource.pop("status", None)
        if self._chance(0.05):
            local = {"url": "https://ehr.example.org/fhir/StructureDefinition/entry-source", "valueCode": "migrated"}
            resource["extension"] = [local]
        if self._chance(0.3):
            resource["meta"] = {"versionId": "1", "lastUpdated": f"{TODAY}T02:00:00.000+00:00"}
        self._written.append(resource)

    def _concept(self, words: str, *codes: str) -> Resource:
        """A CodeableConcept; now and then the words alone, as from an EHR without codes."""
        if not codes or self._chance(0.06):
            return {"text": words}
        codings = []
        for each in codes:
            system, code = each.split()
            codings.append({"system": _SYSTEMS[system], "code": code, "display": words})
        return {"coding": codings} if self._chance(0.1) else {"coding": codings, "text": words}

    def _spelled(self, words: str) -> str:
        return words.replace("aem", "em") if self._us else words

    def _next_id(self) -> str:
        return f"r{len(self._written) + 1}"

    def _chance(self, likelihood: float) -> bool:
        return self._random.random() < likelihood

    def _some_day(self) -> date:
        """A day in the years that the chart covers."""
        return self._begins + timedelta(days=self._random.randrange((TODAY - self._begins).days))

    def _within(self, year: int) -> date:
        """A day in that year, after birth and not in the future."""
        day = date(year, 1, 1) + timedelta(days=self._random.randrange(300))
        return min(max(day, self._born), TODAY - timedelta(days=3))

    def _spread(self, count: int, since: date | None = None) -> list[date]:
        """Days at about even distances up to a few days ago."""
        begins = max(since or self._begins, self._begins)
        length = max((TODAY - begins).days - 3, 1)
        return [begins + timedelta(days=length * (number + 1) // count) for number in range(count)]

    def _vague(self, day: date) -> str:
        """A date as patients remember it: often only the year or the month."""
        return str(day)[: self._random.choice((4, 7, 10))]


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _quantity(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _rounded(number: float) -> float:
    """As laboratories report: three figures or whole numbers."""
    return round(number, 2 if number < 10 else 1 if number < 100 else 0)


def _in_words(often: str) -> str:
    if match := re.fullmatch(r"(\d+)/(\d*)(d|wk|mo)", often):
        unit = {"d": "day", "wk": "week", "mo": "month"}[match[3]]
        times = "once" if match[1] == "1" else f"{match[1]} times"
        return f"{times} every {match[2]} {unit}s" if match[2] else f"{times} a {unit}"
    return often


_DATES = (
    "recordedDate",
    "authoredOn",
    "effectiveDateTime",
    "performedDateTime",
    "whenHandedOver",
    "occurrenceDateTime",
    "start",
    "created",
)


def _day_of(resource: Resource) -> str:
    return next((resource[name] for name in _DATES if name in resource), "")
