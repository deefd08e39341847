"""A replay from export to report: it can be stopped and goes on, and what it writes names no patient."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from cards.library import load
from cards.rule import Hook
from service.demo import population
from service.replay import local
from service.replay.run import Listener, Outcome, Wish, run
from service.value_sets.products import Product, save
from tests.replay.charts import LONDON, TODAY, anaemia, order, person, write

KEY = "a secret that is long enough for pseudonyms"
NAME, NUMBER, NOTE = "Zacharias-Marked", "9434765919", "marked note on the neighbour"
# The fewest into which an export is divided.
PARTS = 4


def wish(export: Path, out: Path, **changes: Any) -> Wish:
    usual = Wish(export, out, "uk", {}, LONDON, since=TODAY.replace(month=9), workers=2, sample=10, secret=KEY)
    return replace(usual, **changes)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty patients, half of them examples, one of whom cannot be replayed, and one line that is no JSON."""
    folder = tmp_path_factory.mktemp("export")
    population.write(60, folder, load(), "uk", prevalence=0.5)
    named = {"resourceType": "Patient", "id": "broken", "name": [{"family": NAME}], "identifier": [{"value": NUMBER}]}
    with (folder / "Patient.ndjson").open("ab") as file:
        file.write(b"{not json\n" + orjson.dumps(named) + b"\n")
    with (folder / "Condition.ndjson").open("ab") as file:
        # DuckDB reads this number, a strict reader of JSON does not.
        file.write(b'{"resourceType":"Condition","id":"x","subject":{"reference":"Patient/broken"},"n":[NaN]}\n')
        noted = {**anaemia("2026-01-01", note=[{"text": NOTE}]), "id": "noted"}
        file.write(orjson.dumps({**noted, "subject": {"reference": "Patient/patient-0000001"}}) + b"\n")
    return folder


class Stopped(Listener):
    """Somebody who stops the replay as soon as a part is finished; where all are, the last one counts as begun."""

    def __init__(self, rows: Path) -> None:
        self._rows = rows
        self.kept: set[str] = set()

    def replayed(self, patients: int) -> None:
        parts = sorted(self._rows.glob("*.ndjson"))
        if len(parts) == PARTS:
            # A quick machine finishes all of them between two reports.
            parts.pop().unlink()
        self.kept = {path.name for path in parts}
        if self.kept:
            raise KeyboardInterrupt


class Counted(Listener):
    """Somebody who counts what is announced."""

    def __init__(self) -> None:
        self.grouped = 0
        self.patients = 0

    def grouping(self, files: int, size: int) -> None:
        self.grouped += 1

    def replaying(self, patients: int) -> None:
        self.patients = patients


@pytest.fixture(scope="module")
def finished(export: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The output of a replay."""
    out = tmp_path_factory.mktemp("out")
    return out, run(wish(export, out), load(), TODAY, Listener())


def written(out: Path) -> dict[str, str]:
    """All text that a replay wrote, but for what tells the run."""
    return {
        str(path.relative_to(out)): path.read_text("utf-8")
        for path in sorted(out.rglob("*"))
        if path.suffix in (".csv", ".html", ".txt")
    }


def table(out: Path, name: str) -> list[dict[str, str]]:
    with (out / "tables" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_stopped_replay_goes_on_where_it_was_and_ends_the_same(
    export: Path, finished: tuple[Path, Outcome], tmp_path: Path
) -> None:
    stopped = Stopped(tmp_path / "work" / "rows")
    one_by_one = wish(export, tmp_path, workers=1)
    with pytest.raises(KeyboardInterrupt):
        run(one_by_one, load(), TODAY, stopped)
    times = {name: (tmp_path / "work" / "rows" / name).stat().st_mtime_ns for name in stopped.kept}

    class Watching(Counted):
        def counting(self) -> None:
            # What was finished before was not done again.
            rows = tmp_path / "work" / "rows"
            self.same = {name: (rows / name).stat().st_mtime_ns for name in times} == times

    watching = Watching()
    run(one_by_one, load(), TODAY, watching)

    assert 0 < len(times) < PARTS
    assert watching.same
    assert watching.grouped == 0
    assert written(tmp_path) == written(finished[0])
    assert not (tmp_path / "work").exists()


def test_another_plan_does_not_take_over_finished_parts(export: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(wish(export, tmp_path, workers=1), load(), TODAY, Stopped(tmp_path / "work" / "rows"))
    only_views = wish(export, tmp_path, hooks=frozenset({Hook.PATIENT_VIEW}))

    run(only_views, load(), TODAY, Listener())

    [totals] = table(tmp_path, "totals")
    assert totals["orders"] == "0"


def test_every_patient_is_counted_or_named_as_a_problem(export: Path, finished: tuple[Path, Outcome]) -> None:
    out, outcome = finished

    with (out / "problems.csv").open(newline="", encoding="utf-8") as file:
        problems = [(Path(row["file"]).name, row["row"], row["what"]) for row in csv.DictReader(file)]
    assert outcome.patients == 60
    # Rows count from 1: sixty patients stand before them.
    assert problems == [
        ("Patient.ndjson", "61", "not JSON"),
        ("Patient.ndjson", "62", "patient not replayed: JSONDecodeError"),
    ]


def test_tables_are_the_same_as_csv_and_as_parquet(finished: tuple[Path, Outcome]) -> None:
    out, _ = finished
    names = {path.stem for path in (out / "tables").iterdir()}

    for name in names:
        with duckdb.connect() as duck:
            as_parquet = duck.execute(f"SELECT * FROM '{out}/tables/{name}.parquet'").fetchall()  # noqa: S608
        assert len(as_parquet) == len(table(out, name))
    assert names >= {"totals", "burden", "months", "overlap", "patients", "not_evaluated", "unrecognised_codes"}


def test_the_burden_adds_up(finished: tuple[Path, Outcome]) -> None:
    out, _ = finished
    [totals] = table(out, "totals")
    burden, cards = table(out, "burden"), table(out, "cards")

    assert sum(int(row["cards"]) for row in burden) == int(totals["cards"]) == len(cards) > 10
    for row in burden:
        assert float(row["cards_per_1000_patients"]) == pytest.approx(1000 * int(row["cards"]) / 60, abs=1e-3)
        if row["hook"] == "order-sign":
            per_order = 100 * int(row["cards"]) / int(totals["orders"])
            assert float(row["cards_per_100_orders"]) == pytest.approx(per_order, abs=1e-3)


def test_nothing_that_is_written_names_a_patient(finished: tuple[Path, Outcome]) -> None:
    out, _ = finished
    told = "".join([*written(out).values(), (out / "run.json").read_text("utf-8")])

    assert re.findall(r"patient-\d{7}", told) == []
    for secret in (NAME, NUMBER, NOTE, KEY, "broken"):
        assert secret not in told


def test_ids_are_written_when_they_are_asked_for(export: Path, finished: tuple[Path, Outcome], tmp_path: Path) -> None:
    run(wish(export, tmp_path, identifiers=True), load(), TODAY, Listener())

    worksheet = (tmp_path / "review" / "worksheet.csv").read_text("utf-8")
    pseudonyms = {row["patient"] for row in table(tmp_path, "patients")}
    assert re.search(r"patient-\d{7}", worksheet)
    assert all(re.fullmatch(r"patient-\d{7}", row["patient_id"]) for row in table(tmp_path, "patients"))
    # The same key makes the same pseudonyms.
    assert pseudonyms == {row["patient"] for row in table(finished[0], "patients")}


def test_without_a_key_pseudonyms_are_those_of_one_run(
    export: Path, finished: tuple[Path, Outcome], tmp_path: Path
) -> None:
    run(wish(export, tmp_path, secret=None), load(), TODAY, Listener())

    ours, others = ({row["patient"] for row in table(out, "patients")} for out in (finished[0], tmp_path))
    assert len(ours) == len(others)
    assert ours & others == set()


def test_an_export_that_has_changed_is_grouped_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "export", {"a.ndjson": [person(), order("Folic acid 5mg tablets", "2026-11-01")]})
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(wish(folder, out), load(), TODAY, Stopped(out / "work" / "rows"))
    write(tmp_path / "export", {"b.ndjson": [{**person(), "id": "patient-2"}]})
    counted = Counted()

    assert run(wish(folder, out), load(), TODAY, counted).patients == 2
    assert counted.grouped == 1


def test_the_memory_of_all_workers_together_is_bounded() -> None:
    assert [local.memory_of_a_worker(workers) * workers for workers in (1, 2, 4, 8)] == [800] * 4


# --- the report --------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What stands in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_report_holds_everything_in_itself(finished: tuple[Path, Outcome]) -> None:
    page = Page(finished[1].report.read_text("utf-8"))

    assert [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe")] == []
    references = [value for _, own in page.tags for name, value in own.items() if name in ("href", "src")]
    ids = [own["id"] for _, own in page.tags if "id" in own]
    assert references
    assert all(str(value).startswith("#") and str(value)[1:] in ids for value in references)
    assert len(ids) == len(set(ids))


def test_every_plot_of_the_report_is_told_in_words(finished: tuple[Path, Outcome]) -> None:
    page = Page(finished[1].report.read_text("utf-8"))
    images = [own for tag, own in page.tags if tag == "svg" and own.get("role") == "img"]
    ids = {own.get("id") for _, own in page.tags}

    assert len(images) > 5
    assert all(set(str(own["aria-labelledby"]).split()) <= ids for own in images)


def test_the_report_shows_each_rule_and_each_kind_of_answer(finished: tuple[Path, Outcome]) -> None:
    text = finished[1].report.read_text("utf-8")

    for folder in load().folders.values():
        assert folder.definition.title in text
    for heading in ("Over time", "Rules that meet in one patient", "Patients with the most cards",
                    "What could not be evaluated", "Drug codes that no value set knows"):  # fmt: skip
        assert heading in text


def test_text_of_the_export_never_becomes_markup(tmp_path: Path) -> None:
    coding = {"system": "<script>alert(1)</script>", "code": "99999991"}
    evil = order("", "2026-11-01", medicationCodeableConcept={"coding": [coding]})
    folder = write(tmp_path / "export", {"a.ndjson": [person(), evil]})

    outcome = run(wish(folder, tmp_path / "out", workers=1), load(), TODAY, Listener())

    text = outcome.report.read_text("utf-8")
    assert "&lt;script&gt;" in text
    assert "<script" not in text


def test_a_replay_knows_the_drugs_of_the_sites_own_release(tmp_path: Path) -> None:
    product = Product("90000001", "Unheard-of 5mg tablets", "SCD", ("folic_acid",), several=False)
    save([product], "RXNORM", load().terminology, tmp_path / "data", "own")
    coding = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "90000001"}
    own = order("", "2026-11-02", medicationCodeableConcept={"coding": [coding]})
    folder = write(tmp_path / "export", {"a.ndjson": [person(), anaemia("2025-03-01"), own]})

    for data_dir, count in ((None, 0), (tmp_path / "data", 1)):
        run(wish(folder, tmp_path / "out", workers=1, data_dir=data_dir), load(), TODAY, Listener())

        assert sum(row["ordered"] == "folic acid" for row in table(tmp_path / "out", "cards")) == count
