"""Small charts, and what a replay says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from cards.library import load
from cards.record import Source
from cards.rule import Profile
from service.replay import export
from service.replay.part import replay_part
from service.replay.patient import Replayer
from service.replay.plan import Plan, key_from
from service.replay.sample import Row

LONDON = ZoneInfo("Europe/London")
TODAY = date(2026, 11, 23)
PATIENT = "patient-1"
SUBJECT = {"subject": {"reference": f"Patient/{PATIENT}"}}
Resource = dict[str, Any]


def plan(**changes: Any) -> Plan:
    """A plan over two years of everything, with the named changes."""
    usual: dict[str, Any] = {
        "since": date(2024, 11, 23),
        "until": TODAY,
        "supplied": frozenset(Source),
        "zone": LONDON,
        "key": key_from("a key of the tests"),
    }
    return Plan(**{**usual, **changes})


@cache
def _replayer(profile: Profile) -> Replayer:
    return Replayer(load(), plan(profile=profile))


def rows(resources: Iterable[Resource], patient: str = PATIENT, own: Plan | None = None) -> list[Row]:
    """What a replay says of one patient."""
    replayer = Replayer(load(), own) if own else _replayer("uk")
    return replayer.rows(patient, [(orjson.dumps(each).decode(), None) for each in resources])


def calls(resources: Iterable[Resource], own: Plan | None = None) -> list[Row]:
    """The calls of one patient."""
    return [row for row in rows(resources, own=own) if row["kind"] == "call"]


def topics(call: Row) -> set[str]:
    """The rules that spoke at a call."""
    return {alert["topic"] for alert in call["alerts"]}


def write(folder: Path, files: Mapping[str, Iterable[Resource | str]]) -> Path:
    """An export of these files: resources, or lines as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        text = [line if isinstance(line, str) else orjson.dumps(line).decode() for line in lines]
        (folder / name).write_text("".join(f"{line}\n" for line in text), "utf-8")
    return folder


def replayed(folder: Path, work: Path, own: Plan) -> tuple[export.Grouped, list[Row]]:
    """An export grouped and replayed in this process, with all its rows."""
    work.mkdir(parents=True, exist_ok=True)
    grouped = export.group(export.find(folder), work, load(), TODAY, 300, 1)
    found: list[Row] = []
    with export.connect(work, 200, 1) as duck:
        for part in grouped.parts:
            lines = export.patients(duck, work, part, medications=grouped.medications)
            for written in replay_part(load(), own, lines):
                found += [orjson.loads(line) for line in written.splitlines()]
    return grouped, found


# --- resources ---------------------------------------------------------------------------------------------------


def person(**members: Any) -> Resource:
    """An adult."""
    return {"resourceType": "Patient", "id": PATIENT, "birthDate": "1960-05-01", **members}


def visit(at: str, identity: str = "") -> Resource:
    """A visit that began at a moment."""
    period = {"start": at}
    return {
        "resourceType": "Encounter",
        "id": identity or f"visit-{at}",
        "status": "finished",
        **SUBJECT,
        "period": period,
    }


def anaemia(recorded: str, **members: Any) -> Resource:
    """Pernicious anaemia, recorded on a day."""
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "84027009"}]}
    active = {"coding": [{"code": "active"}]}
    condition = {"resourceType": "Condition", "id": "anaemia", "code": code, "clinicalStatus": active}
    return {**condition, **SUBJECT, "recordedDate": recorded, **members}


def b12(value: float, taken: str, identity: str = "", **members: Any) -> Resource:
    """A serum B12 in ng/L."""
    return {
        "resourceType": "Observation",
        "id": identity or f"b12-{taken}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
        **SUBJECT,
        "effectiveDateTime": taken,
        "valueQuantity": {"value": value, "unit": "ng/L"},
        **members,
    }


def order(drug: str, authored: str, identity: str = "", **members: Any) -> Resource:
    """An order of a drug by its words, once a day."""
    daily = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
    return {
        "resourceType": "MedicationRequest",
        "id": identity or f"order-{authored}",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": drug},
        **SUBJECT,
        "authoredOn": authored,
        "dosageInstruction": [{"timing": daily, "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]}],
        **members,
    }


def hydroxocobalamin(authored: str, identity: str = "hydroxocobalamin", **members: Any) -> Resource:
    """1 mg into the muscle every three months."""
    quarterly = {"repeat": {"frequency": 1, "period": 3, "periodUnit": "mo"}}
    route = {"coding": [{"system": "http://snomed.info/sct", "code": "78421000"}]}
    dose = [{"doseQuantity": {"value": 1, "unit": "mg"}}]
    dosage = [{"timing": quarterly, "route": route, "doseAndRate": dose}]
    return order("Hydroxocobalamin 1mg/1ml injection", authored, identity, dosageInstruction=dosage, **members)
