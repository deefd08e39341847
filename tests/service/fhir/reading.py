"""Hands resources to the reader as an EHR would, on one day in London."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from cards.record import Course, Medicine, Order, PatientRecord, Source
from cards.terminology import Terminology
from service.fhir.reader import Drafts, Reader
from service.fhir.sources import received

TODAY = date(2026, 11, 23)
PATIENT = "example"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
LABS = frozenset(
    {
        "b12_total_serum", "holotranscobalamin", "mma_serum", "homocysteine", "hemoglobin", "mcv", "platelets", "wbc",
        "potassium", "egfr", "creatinine", "inr", "intrinsic_factor_antibody", "parietal_cell_antibody",
    }
)  # fmt: skip
READER = Reader(Terminology.load(), ZoneInfo("Europe/London"))
Json = dict[str, Any]


def bundle(*resources: Any) -> Json:
    """A search result that holds everything there is."""
    entries = [{"resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def record(prefetch: dict[Source, Any], labs: Collection[str] = LABS) -> PatientRecord:
    """What is read from these prefetch values."""
    arrived = received({source.value: value for source, value in prefetch.items()}, prefetch, PATIENT)
    return READER.record(Drafts(), arrived, labs, PATIENT, TODAY)


def read(source: Source, *resources: Any) -> PatientRecord:
    """What is read from these resources of one source."""
    return record({source: bundle(*resources)})


def drafts(*resources: Any, selections: Any = None) -> Drafts:
    """What is read from these drafts."""
    return READER.drafts(bundle(*resources), PATIENT, selections, TODAY)


def order(**members: Any) -> Order:
    """The one order of an R4 draft with these members."""
    (found,) = drafts({"resourceType": "MedicationRequest", "id": "1", "status": "draft", **members}).orders
    return found


def course(**members: Any) -> Course:
    """The one course of an active R4 order in the chart with these members."""
    active = {"resourceType": "MedicationRequest", "id": "1", "status": "active", **members}
    (found,) = read(Source.MEDICATIONS, active).courses
    return found


def named(text: str) -> Medicine:
    """The medicine that a text names."""
    return order(medicationCodeableConcept={"text": text}).medicine


def coded(system: str, code: str, **more: str) -> Json:
    """A CodeableConcept with one coding."""
    return {"coding": [{"system": system, "code": code, **more}]}
