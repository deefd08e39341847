"""The replay on Spark, here with two workers of this machine: the same tables, row for row, as without it."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import orjson
import pytest

from cards.library import load
from service.demo import population
from service.replay.run import EngineName, Listener, Wish, run
from tests.replay.charts import LONDON, TODAY, anaemia, order

pytest.importorskip("pyspark")

KEY = "a secret that is long enough for pseudonyms"
TEXTS = (".csv", ".html", ".txt")


class Counted(Listener):
    """Somebody who hears how many patients are finished."""

    def __init__(self) -> None:
        self.finished = 0

    def replayed(self, patients: int) -> None:
        self.finished = patients


@pytest.fixture(scope="module", autouse=True)
def _java() -> None:
    if shutil.which("java") is None:
        assert os.environ.get("CI") != "true", "Java is not installed"
        pytest.skip("Java is not installed: Spark needs it")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty patients in plain and in gzip files, Medications that stand apart, one patient who cannot be read."""
    folder = tmp_path_factory.mktemp("export")
    population.write(30, folder, load(), "uk", prevalence=0.8)
    results = folder / "Observation.ndjson"
    lines = results.read_bytes().splitlines(keepends=True)
    (folder / "Observation.1.ndjson.gz").write_bytes(gzip.compress(b"".join(lines[::2])))
    results.write_bytes(b"".join(lines[1::2]))
    product = {"resourceType": "Medication", "id": "product", "code": {"text": "Folic acid 5mg tablets"}}
    (folder / "Medication.ndjson").write_bytes(orjson.dumps(product) + b"\n")
    apart = order("", "2026-11-02", "apart", medicationReference={"reference": "Medication/product"})
    # A patient of one's own: who the others are depends on the vignettes.
    own = {"resourceType": "Patient", "id": "own", "birthDate": "1960-01-01"}
    apart |= {"subject": {"reference": "Patient/own"}}
    del apart["medicationCodeableConcept"]
    ill = {**anaemia("2025-03-01"), "subject": {"reference": "Patient/own"}}
    lost = {"resourceType": "Condition", "id": "x", "subject": {"reference": "Patient/patient-0000003"}, "code": []}
    with (folder / "Patient.ndjson").open("ab") as file:
        file.write(orjson.dumps(own) + b"\n")
    with (folder / "Condition.ndjson").open("ab") as file:
        file.write(b"{not json\n" + orjson.dumps(ill) + b"\n" + orjson.dumps({**lost, "id": ["no id"]}) + b"\n")
    with (folder / "MedicationRequest.ndjson").open("ab") as file:
        file.write(orjson.dumps(apart) + b"\n")
    return folder


@pytest.fixture(scope="module")
def replays(export: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Counted]]:
    """The same replay with either engine."""
    found: dict[str, tuple[Path, Counted]] = {}
    engines: tuple[EngineName, ...] = ("local", "spark")
    for engine in engines:
        out, counted = tmp_path_factory.mktemp(engine), Counted()
        wish = Wish(export, out, "uk", {}, LONDON, since=TODAY.replace(month=9), engine=engine, workers=2, secret=KEY)
        run(wish, load(), TODAY, counted)
        found[engine] = (out, counted)
    return found


def texts(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): path.read_text("utf-8") for path in sorted(out.rglob("*")) if path.suffix in TEXTS
    }


def test_spark_writes_the_same_tables_review_sample_and_report(replays: dict[str, tuple[Path, Counted]]) -> None:
    local, spark = (texts(replays[engine][0]) for engine in ("local", "spark"))

    assert local.keys() == spark.keys()
    assert len(local) > 14
    for name, text in local.items():
        assert spark[name] == text, name


def test_the_compared_tables_are_not_empty(replays: dict[str, tuple[Path, Counted]]) -> None:
    tables = texts(replays["spark"][0])

    for name in ("cards", "burden", "months", "patients", "silences"):
        assert len(tables[f"tables/{name}.csv"].splitlines()) > 5, name
    assert "not JSON" in tables["problems.csv"]


def test_a_medication_that_stands_apart_is_joined(replays: dict[str, tuple[Path, Counted]]) -> None:
    assert "2026-11-02,order-sign,folic acid" in texts(replays["spark"][0])["tables/cards.csv"]
