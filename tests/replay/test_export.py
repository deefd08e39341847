"""An export in any of its shapes is grouped by patient; what cannot be read costs itself and is named by row."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from cards.library import load
from cards.record import Source
from service.demo import ordinary, population
from service.fhir.reader import Reader
from service.fhir.sources import TYPES
from service.replay import export
from service.replay.export import NoExport, Problem
from service.replay.keyed import keyed
from service.replay.patient import KINDS
from tests.replay.charts import LONDON, PATIENT, TODAY, Resource, anaemia, b12, order, person, plan, replayed, write

OTHER = "patient-2"
LABS = re.compile(export.lab_codes(load()))


def grouped(folder: Path, work: Path) -> tuple[export.Grouped, dict[str, set[str]]]:
    """What is known of an export, and the ids of the resources of each patient."""
    work.mkdir()
    found = export.group(export.find(folder), work, load(), TODAY, 300, 2)
    ids = defaultdict(set)
    with export.connect(work, 200, 1) as duck:
        for part in found.parts:
            for patient, line, _ in export.patients(duck, work, part, medications=found.medications):
                ids[patient].add(orjson.loads(line)["id"])
    return found, dict(ids)


def of(patient: str, resource: Resource) -> Resource:
    """A resource as that of another patient."""
    return {**resource, "id": f"{patient}-{resource['id']}", "subject": {"reference": f"Patient/{patient}"}}


@pytest.fixture
def charts() -> list[Resource]:
    """Two patients, resources of both interleaved."""
    own = [anaemia("2025-03-01"), b12(96, "2025-03-02"), order("Folic acid 5mg tablets", "2026-02-10")]
    theirs = [of(OTHER, each) for each in own]
    both = [each for pair in zip(own, theirs, strict=True) for each in pair]
    return [{**person(), "id": OTHER}, *both, person()]


EVERYTHING = {
    PATIENT: {PATIENT, "anaemia", "b12-2025-03-02", "order-2026-02-10"},
    OTHER: {OTHER, "patient-2-anaemia", "patient-2-b12-2025-03-02", "patient-2-order-2026-02-10"},
}


def test_patients_are_put_together_from_files_in_any_order(tmp_path: Path, charts: list[Resource]) -> None:
    Random(4).shuffle(charts)  # noqa: S311
    folder = write(tmp_path / "export", {"a.ndjson": charts[:3], "sub-b.ndjson": charts[3:6], "c.ndjson": charts[6:]})

    found, ids = grouped(folder, tmp_path / "work")

    assert ids == EVERYTHING
    assert (found.patients, found.resources, found.newest) == (2, 8, TODAY.replace(month=2, day=10))


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [0, 1, 16_000_000, 90_000_000, 145_000_000, 10**12])
def test_every_worker_has_as_many_parts_as_the_others(size: int, workers: int) -> None:
    parts = export.number_of_parts(size, workers)

    assert parts % workers == 0
    assert 4 <= parts <= 96


def test_a_larger_export_has_more_parts() -> None:
    assert export.number_of_parts(145_000_000, 2) == 10


def test_gzip_reads_as_plain(tmp_path: Path, charts: list[Resource]) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "all.ndjson.gz").write_bytes(gzip.compress(b"".join(orjson.dumps(each) + b"\r\n" for each in charts)))

    assert grouped(folder, tmp_path / "work")[1] == EVERYTHING


def test_bundles_read_as_ndjson(tmp_path: Path, charts: list[Resource]) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for patient in (PATIENT, OTHER):
        own = [each for each in charts if each["id"] == patient or PATIENT_OF(each) == patient]
        entries = [{"fullUrl": f"urn:uuid:{each['id']}", "resource": {**each, "subject": None}} for each in own]
        (folder / f"{patient}.json").write_bytes(orjson.dumps({"resourceType": "Bundle", "entry": entries}))

    assert grouped(folder, tmp_path / "work")[1] == EVERYTHING


def PATIENT_OF(resource: Resource) -> str:  # noqa: N802
    return str(resource.get("subject", {}).get("reference", "")).rpartition("/")[2]


@pytest.mark.parametrize(
    "reference",
    [
        f"Patient/{PATIENT}",
        f"https://ehr.example.org/fhir/Patient/{PATIENT}",
        f"Patient/{PATIENT}/_history/3",
        f"urn:uuid:{PATIENT}",
    ],
)
def test_a_patient_is_known_by_any_reference(tmp_path: Path, reference: str) -> None:
    folder = write(tmp_path / "export", {"a.ndjson": [{**anaemia("2025-03-01"), "subject": {"reference": reference}}]})

    assert grouped(folder, tmp_path / "work")[1] == {PATIENT: {"anaemia"}}


def test_appointments_belong_to_the_patient_among_their_participants(tmp_path: Path) -> None:
    actors = [{"actor": {"reference": each}} for each in ("Practitioner/7", f"Patient/{PATIENT}")]
    folder = write(
        tmp_path / "export", {"a.ndjson": [{"resourceType": "Appointment", "id": "a", "participant": actors}]}
    )

    assert grouped(folder, tmp_path / "work")[1] == {PATIENT: {"a"}}


def test_lines_that_are_no_json_cost_themselves_and_are_named_by_row(tmp_path: Path, charts: list[Resource]) -> None:
    folder = write(tmp_path / "export", {"a.ndjson": [charts[0], '{"resourceType": "Pati', *charts[1:]]})
    (folder / "b.ndjson").write_bytes(b'\n{"resourceType": "Patient", "id": "\xff\xfe"}\n')

    found, ids = grouped(folder, tmp_path / "work")

    assert ids == EVERYTHING
    assert found.problems == (
        Problem(str(folder / "a.ndjson"), 2, "not JSON"),
        Problem(str(folder / "b.ndjson"), 2, "not JSON"),
    )


def test_files_that_are_no_bundles_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "export", {"a.json": ["{"], "b.json": ['{"resourceType": "Patient", "id": "x"}']})
    (folder / "c.json").write_bytes(orjson.dumps({"resourceType": "Bundle", "entry": [{"resource": person()}]}))

    found, ids = grouped(folder, tmp_path / "work")

    assert ids == {PATIENT: {PATIENT}}
    assert [(Path(each.file).name, each.what) for each in found.problems] == [
        ("a.json", "not JSON"),
        ("b.json", "not a Bundle with entries"),
    ]


def test_a_type_that_the_export_never_mentions_was_not_supplied(tmp_path: Path, charts: list[Resource]) -> None:
    folder = write(tmp_path / "export", {"all.ndjson": charts, "MedicationAdministration.000.ndjson": []})

    found, _ = grouped(folder, tmp_path / "work")

    # An empty file says that there are none.
    assert found.supplied == {Source.PATIENT, Source.PROBLEMS, Source.LABS, Source.MEDICATIONS, Source.DOSES}


@pytest.mark.parametrize("files", [{}, {"notes.txt": ["hello"]}])
def test_a_folder_without_an_export_is_refused(tmp_path: Path, files: dict[str, list[str]]) -> None:
    folder = write(tmp_path / "export", files)

    with pytest.raises(NoExport, match="neither NDJSON files"):
        export.find(folder)


def test_a_medication_that_stands_apart_is_found_again(tmp_path: Path) -> None:
    product = {"resourceType": "Medication", "id": "product", "code": {"text": "Folic acid 5mg tablets"}}
    by_reference = order("", "2026-02-10", medicationReference={"reference": "Medication/product"})
    del by_reference["medicationCodeableConcept"]
    folder = write(
        tmp_path / "export",
        {"Medication.ndjson": [product], "rest.ndjson": [person(), anaemia("2025-03-01"), by_reference]},
    )

    _, rows = replayed(folder, tmp_path / "work", plan())

    [call] = [row for row in rows if row["kind"] == "call" and row["hook"] == "order-sign"]
    assert call["ordered"] == "folic acid"
    assert [alert["topic"] for alert in call["alerts"]] == ["folate-before-b12"]


# --- what is left out, and the same in Python --------------------------------------------------------------------


def charts_of_the_demo() -> list[Resource]:
    found = ordinary.chart("ordinary", Random(1), TODAY)  # noqa: S311
    for number, (_, file, vignette) in enumerate(population.usable("uk")[::9]):
        found += population.of_vignette(vignette, file.today, f"vignette-{number}", load())
    return found


def test_results_that_are_left_out_say_nothing_to_any_rule() -> None:
    labs = {concept for rule in load().rules("uk") for concept in rule.labs}
    results = [each for each in charts_of_the_demo() if each["resourceType"] == "Observation"]
    kept: list[Resource] = []
    dropped: list[Resource] = []
    for each in results:
        (kept if keyed(orjson.dumps(each), LABS).needed else dropped).append(each)

    def facts(each: Resource) -> Any:
        patient = each["subject"]["reference"].rpartition("/")[2]
        reading = Reader(load().terminology, LONDON).reading(labs, patient, TODAY, dict)
        return reading.facts(Source.LABS, each)

    assert len(dropped) > 20
    assert [each for each in dropped if facts(each)] == []
    assert sum(bool(facts(each)) for each in kept) > 50


ODD: list[Any] = [
    {"resourceType": "Observation", "id": "1", "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
     "subject": {"reference": "Patient/p"}},
    {"resourceType": "Observation", "id": "2", "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
     "component": [], "subject": {"reference": "Patient/p"}},
    {"resourceType": "Observation", "id": "3", "code": {"text": "B12"}, "subject": {"reference": "Patient/p"}},
    {"resourceType": "Observation", "id": "4", "code": {}, "subject": {"reference": "Group/all"}},
    {"resourceType": "Observation", "id": "5", "code": {}, "subject": {"reference": "#contained"}},
    {"resourceType": "Condition", "id": "6", "subject": {"display": "Somebody"}},
    {"resourceType": "AllergyIntolerance", "id": "7", "patient": {"reference": "https://e.org/Patient/p/_history/2"}},
    {"resourceType": "MedicationRequest", "id": "8", "subject": {"reference": "urn:uuid:p"}, "authoredOn": "2025-03-01",
     "medicationReference": {"reference": "Medication/m/_history/1"}},
    {"resourceType": "MedicationRequest", "id": "9", "subject": {"reference": "Patient/p"}, "dateWritten": "2025-03",
     "medication": {"reference": {"reference": "Medication/m"}}},
    {"resourceType": "Medication", "id": "m"},
    {"resourceType": "Encounter", "id": "10", "subject": {"reference": "Patient/p"},
     "period": {"start": "2025-03-01T10:00:00Z"}},
    {"resourceType": "DocumentReference", "id": "11", "subject": {"reference": "Patient/p"}},
    {"resourceType": "Appointment", "id": "12", "participant": [{"actor": {"reference": "Location/1"}},
                                                                {"actor": {"reference": "Patient/p"}}]},
    {"resourceType": ["Patient"], "id": "13"},
    {"id": "14"},
    [],
    "text",
]  # fmt: skip


def test_python_and_sql_say_the_same_of_every_line(tmp_path: Path) -> None:
    resources = [*charts_of_the_demo(), *ODD]
    folder = write(tmp_path / "export", {"all.ndjson": [*resources, "{"]})
    work = tmp_path / "work"
    work.mkdir()
    export.group(export.find(folder), work, load(), TODAY, 300, 1)
    with export.connect(work, 200, 1) as duck:
        by_sql = duck.execute(
            f"SELECT kind, patient, medication, day, line FROM '{work}/parts/*/*.parquet'"  # noqa: S608
        ).fetchall()

    by_python = [keyed(orjson.dumps(each), LABS) for each in resources] + [keyed(b"{", LABS)]

    kept = sorted((*(text or "" for text in row),) for row in by_sql if row[-1])
    assert kept == sorted((*each[:4], each.line) for each in by_python if each.needed)
    assert len(by_sql) == len(by_python)
    assert len(kept) > 300


def test_every_type_that_the_reader_reads_is_replayed() -> None:
    assert {kind for kinds in TYPES.values() for kind in kinds} < KINDS
