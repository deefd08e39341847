"""Reads an export of any size: finds its files, and groups what it says of each patient on disk.

DuckDB reads the lines, plain or gzip, and writes them to partitions by a hash of the patient; memory stays bounded
whatever the size. A line that is no JSON costs itself and is named by file and row.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal, NamedTuple

import duckdb
import orjson

from cards.library import Library
from cards.record import Source
from cards.rule import PROFILES
from service.fhir.sources import TYPES
from service.replay.patient import KINDS

_NDJSON = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
_JSON = (".json", ".json.gz")
_LONGEST_LINE = 16 * 1024 * 1024
_BYTES_IN_A_PART = 16_000_000
_GZIP_HOLDS = 8  # times its own size, for the number of parts
# More parts would be more files than are written at a time.
_FEWEST_PARTS, _MOST_PARTS = 4, 96
_ROWS_BEFORE_WRITING = 65_536
MEDICATIONS, _NOT_NEEDED = -1, -2
DATED_BY = ("authoredOn", "dateWritten", "period.start", "effectiveDateTime")
_PATHS = (
    "resourceType", "id", "subject.reference", "patient.reference", "medicationReference.reference",
    "medication.reference.reference", "code.coding[0].system", *DATED_BY,
)  # fmt: skip
Row = dict[str, Any]


class NoExport(Exception):
    """There is nothing to replay; the message says what was looked for."""


class Problem(NamedTuple):
    """Something that could not be read: the file, its row (from 1; None: the whole file), and what was the matter."""

    file: str
    row: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Grouped:
    """An export, grouped by patient.

    `newest`: the latest day on which something was ordered, seen or measured, not after today. `supplied`: the sources
    that the export holds. `without_patient`: resources that name none.
    """

    parts: tuple[int, ...]
    patients: int
    resources: int
    newest: date | None
    supplied: frozenset[Source]
    without_patient: int
    medications: bool
    problems: tuple[Problem, ...]


class Found(NamedTuple):
    """The files of an export: of NDJSON, or of Bundles."""

    ndjson: tuple[Path, ...]
    bundles: tuple[Path, ...]

    @property
    def all(self) -> tuple[Path, ...]:
        """Either kind."""
        return self.ndjson or self.bundles


def find(folder: Path) -> Found:
    """The files below a folder. Raises `NoExport`."""
    if not folder.is_dir():
        raise NoExport(f"{folder} is not a folder")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    ndjson = tuple(path for path in files if path.name.endswith(_NDJSON))
    # Beside NDJSON files, a JSON file is the manifest of the export.
    bundles = () if ndjson else tuple(path for path in files if path.name.endswith(_JSON))
    if not ndjson and not bundles:
        raise NoExport(f"{folder} holds neither NDJSON files ({', '.join(_NDJSON)}) nor Bundles ({', '.join(_JSON)})")
    return Found(ndjson, bundles)


def kind_of(path: Path) -> str:
    """The type that a file is named for: `Observation.ndjson`, `Observation-3.ndjson.gz`, `Observation.000.ndjson`."""
    return re.split(r"[.-]", path.name)[0]


def fingerprint(found: Found) -> list[list[Any]]:
    """What tells one export from another: names, sizes and times of its files."""
    return [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in found.all]


def group(found: Found, work: Path, library: Library, today: date, memory_mb: int, threads: int) -> Grouped:
    """Writes the export to partitions by patient below `work`."""
    problems: list[Problem] = []
    files = list(found.ndjson)
    if found.bundles:
        files = [work / "unbundled.ndjson"]
        problems += unbundle(found.bundles, files[0])
    shutil.rmtree(work / "parts", ignore_errors=True)
    with connect(work, memory_mb, threads) as duck:
        duck.execute(f"SET partitioned_write_flush_threshold={_ROWS_BEFORE_WRITING}")
        lines = _lines([path for path in files if path.stat().st_size])
        if lines:
            grouping = _grouped(lines, number_of_parts(_size(files), threads), lab_codes(library))
            options = "FORMAT parquet, COMPRESSION lz4, PARTITION_BY (part)"
            duck.execute(f"COPY ({grouping}) TO '{_quoted(work / 'parts')}' ({options})")
        for file in _unreadable_files(duck, work):
            problems += unreadable_lines(Path(file))
        grouped = _summary(duck, work, files, today, tuple(problems))
    if found.bundles:
        files[0].unlink()
    return grouped


def connect(
    work: Path, memory_mb: int, threads: int, database: Path | Literal[":memory:"] = ":memory:"
) -> duckdb.DuckDBPyConnection:
    """A database that keeps to its memory and spills to `work`."""
    duck = duckdb.connect(
        str(database),
        config={
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "temp_directory": str(work / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
        },
    )
    duck.execute("SET enable_progress_bar = false")
    return duck


def patients(duck: duckdb.DuckDBPyConnection, work: Path, part: int, *, medications: bool) -> Iterator[Any]:
    """(patient, line, line of the Medication it refers to) of one part, patient after patient."""
    select = f"SELECT p.patient, p.line, NULL FROM '{_part(work, part)}' p"
    if medications:
        select = (
            f"SELECT p.patient, p.line, m.line FROM '{_part(work, part)}' p "
            f"LEFT JOIN '{_part(work, MEDICATIONS)}' m ON m.patient = p.medication"
        )
    duck.execute(f"{select} ORDER BY p.patient")
    while rows := duck.fetchmany(4096):
        yield from rows


def lab_codes(library: Library) -> str:
    """A pattern of every laboratory code that the value sets know, as it stands in a resource."""
    terminology = library.terminology
    codes = {
        code
        for profile in PROFILES
        for rule in library.rules(profile)
        for concept in rule.labs
        for system in ("LOINC", "SNOMED")
        for code in terminology.codes_of(concept, system)
    }
    return '"(' + "|".join(sorted(codes)) + ')"'


def unbundle(bundles: Sequence[Path], target: Path) -> list[Problem]:
    """Writes the resources of Bundles as NDJSON, one Bundle in memory at a time; what is no Bundle is a problem."""
    problems = []
    with target.open("wb") as lines:
        for path in bundles:
            try:
                with _opened(path) as file:
                    bundle = orjson.loads(file.read())
            except (OSError, ValueError, EOFError):
                problems.append(Problem(str(path), None, "not JSON"))
                continue
            entries = bundle.get("entry") if isinstance(bundle, dict) else None
            if not isinstance(entries, list):
                problems.append(Problem(str(path), None, "not a Bundle with entries"))
                continue
            for resource in _with_subjects(entries):
                lines.write(orjson.dumps(resource) + b"\n")
    return problems


def _with_subjects(entries: list[Any]) -> Iterator[Row]:
    """The resources of a Bundle: one without an id has that of its address, one without a subject the only patient."""
    resources = []
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            continue
        address = entry.get("fullUrl")
        if not resource.get("id") and isinstance(address, str):
            resource["id"] = re.split(r"[/:]", address)[-1]
        resources.append(resource)
    only = [each for each in resources if each.get("resourceType") == "Patient"]
    for resource in resources:
        named = resource.get("subject") or resource.get("patient") or resource.get("participant")
        if len(only) == 1 and not named and resource.get("resourceType") in KINDS - {"Patient"}:
            resource["subject"] = {"reference": f"Patient/{only[0].get('id')}"}
        yield resource


def rows_of(found: Found, patients: set[str]) -> dict[str, tuple[str, int]]:
    """The file and row of each of these patients: of the Patient resource, else of the first that names it."""
    places: dict[str, tuple[str, int]] = {}
    for patient_file in (True, False):
        for path in found.ndjson:
            if path.name.startswith("Patient") is not patient_file or not patients - places.keys():
                continue
            with _opened(path) as file:
                for number, line in enumerate(file, 1):
                    for patient in [each for each in patients - places.keys() if each.encode() in line]:
                        places[patient] = (str(path), number)
    return places


# --- SQL ---------------------------------------------------------------------------------------------------------


def _lines(files: Sequence[Path]) -> str:
    """The lines of files, as text."""
    if not files:
        return ""
    names = ", ".join(f"'{_quoted(path)}'" for path in files)
    return (
        f"read_csv([{names}], columns={{'line': 'VARCHAR'}}, delim='\x01', quote='', escape='', header=false, "
        f"auto_detect=false, strict_mode=false, max_line_size={_LONGEST_LINE}, "
        f"buffer_size={2 * _LONGEST_LINE}, ignore_errors=true, store_rejects=true, "
        "filename=true)"
    )


def _grouped(lines: str, parts: int, labs: str) -> str:
    """One row for each line that a replay needs, its patient and part; lines that are no JSON have no kind."""
    paths = ", ".join(f"'$.{path}'" for path in _PATHS)
    at = {path: f"f[{number}]" for number, path in enumerate(_PATHS, 1)}
    actors = "json_extract_string(line, '$.participant[*].actor.reference')"
    kinds = ", ".join(f"'{kind}'" for kind in sorted(KINDS | {"Medication"}))
    days = ", ".join(at[path] for path in DATED_BY)
    # A filter would make DuckDB decode each line once more for each condition: what is not needed goes to a part of its
    # own, without its line.
    return f"""
        SELECT kind, patient, medication, day, unreadable, CASE WHEN needed THEN line END AS line,
          CASE WHEN NOT needed OR patient IS NULL THEN {_NOT_NEEDED} WHEN kind = 'Medication' THEN {MEDICATIONS}
               ELSE hash(patient) % {parts} END AS part
        FROM (
          SELECT
            {at["resourceType"]} AS kind,
            CASE WHEN {at["resourceType"]} IN ('Patient', 'Medication') THEN {at["id"]}
                 WHEN ref LIKE '%Patient/%' OR ref LIKE 'urn:%' THEN {_last_part("ref")} END AS patient,
            {_last_part(f"coalesce({at['medicationReference.reference']}, {at['medication.reference.reference']})")}
              AS medication,
            left(coalesce({days}), 10) AS day,
            CASE WHEN f IS NULL AND line IS NOT NULL THEN filename END AS unreadable,
            coalesce({at["resourceType"]} IN ({kinds}), false)
              AND NOT coalesce({_of_no_rule(at, labs)}, false) AS needed,
            line
          FROM (
            SELECT line, filename, f,
              coalesce({at["subject.reference"]}, {at["patient.reference"]},
                CASE WHEN {at["resourceType"]} = 'Appointment'
                     THEN list_filter({actors}, lambda x: x LIKE '%Patient/%')[1] END) AS ref
            FROM (SELECT line, filename, TRY(json_extract_string(line, [{paths}])) AS f FROM {lines})
          )
        )
    """


def _of_no_rule(at: dict[str, str], labs: str) -> str:
    """An Observation that LOINC names, and no value set: the reader would find nothing in it."""
    return (
        f"CASE WHEN {at['resourceType']} = 'Observation' AND {at['code.coding[0].system']} = 'http://loinc.org' "
        f"AND NOT contains(line, '\"component\"') AND NOT regexp_matches(line, '{labs}') THEN true END"
    )


def _last_part(reference: str) -> str:
    """The id in a reference: relative, absolute, of a version, or a urn."""
    return f"nullif(regexp_extract({reference}, '([^/:#]+)(/_history.*)?$', 1), '')"


def _summary(
    duck: duckdb.DuckDBPyConnection, work: Path, files: Sequence[Path], today: date, problems: tuple[Problem, ...]
) -> Grouped:
    parts = sorted(int(path.name.partition("=")[2]) for path in (work / "parts").glob("part=*"))
    # An empty file of a type says: asked for, and none found.
    kinds = {kind_of(path) for path in files}
    patients = resources = without = 0
    newest = None
    if parts:
        [(patients, resources, without, there, last)] = duck.execute(
            f"""SELECT count(DISTINCT patient) FILTER (part >= 0), count(kind),
                  count(kind) FILTER (line IS NOT NULL AND patient IS NULL), list(DISTINCT kind),
                  max(day) FILTER (part >= 0 AND day <= '{today.isoformat()}' AND try_cast(day AS DATE) IS NOT NULL)
                FROM '{work}/parts/*/*.parquet'"""
        ).fetchall()
        kinds |= set(there or [])
        newest = date.fromisoformat(last) if last else None
    return Grouped(
        parts=tuple(part for part in parts if part >= 0),
        patients=patients,
        resources=resources,
        newest=newest,
        supplied=frozenset(source for source, types in TYPES.items() if types & kinds),
        without_patient=without,
        medications=MEDICATIONS in parts,
        problems=problems,
    )


def _unreadable_files(duck: duckdb.DuckDBPyConnection, work: Path) -> list[str]:
    """The files with lines that are no JSON, or not even text."""
    found: set[str] = set()
    if list((work / "parts").glob("part=*")):
        query = f"SELECT DISTINCT unreadable FROM '{work}/parts/*/*.parquet' WHERE unreadable IS NOT NULL"
        found |= {name for (name,) in duck.execute(query).fetchall()}
    tables = {name for (name,) in duck.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "reject_scans" in tables:
        found |= {name for (name,) in duck.execute(
            "SELECT DISTINCT file_path FROM reject_scans JOIN reject_errors USING (scan_id, file_id)"
        ).fetchall()}  # fmt: skip
    return sorted(found)


def unreadable_lines(path: Path) -> Iterator[Problem]:
    """The lines of a file that are no JSON."""
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            if len(line) > _LONGEST_LINE:
                yield Problem(str(path), number, "a line of more than 16 MB")
                continue
            try:
                orjson.loads(line)
            except ValueError:
                yield Problem(str(path), number, "not JSON")


def number_of_parts(size: int, workers: int) -> int:
    """Into how many parts so many bytes go: as many for each worker, so that none waits for another's last one."""
    for_each = -(-max(size, _FEWEST_PARTS * _BYTES_IN_A_PART) // (_BYTES_IN_A_PART * workers))
    return max(1, min(for_each, _MOST_PARTS // workers)) * workers


def _size(files: Sequence[Path]) -> int:
    return sum(path.stat().st_size * (_GZIP_HOLDS if path.suffix == ".gz" else 1) for path in files)


def _part(work: Path, part: int) -> str:
    return f"{_quoted(work / 'parts')}/part={part}/*.parquet"


def _quoted(path: os.PathLike[str]) -> str:
    return str(path).replace("'", "''")


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
