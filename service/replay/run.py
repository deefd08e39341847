"""One replay from export to report: groups, replays, counts; a stopped run goes on where it was."""

from __future__ import annotations

import csv
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

import orjson

from cards.calendar import months_before
from cards.library import Library
from cards.record import Source
from cards.rule import Hook, Profile
from service.replay import export, local, report, review
from service.replay.export import Found, Grouped, NoExport, Problem
from service.replay.plan import MONTHS, REPLAYED, Plan, key_from
from service.replay.tables import Tables
from service.value_sets.products import files

EngineName = Literal["local", "spark"]
_COUNTING_MB = 900
_WORK = "work"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for on the command line.

    `since` and `until`: days, None for the default. `secret`: what pseudonyms are made with; None: one of this run.
    `data_dir`: where a site keeps the drugs of its own release.
    """

    export: Path
    out: Path
    profile: Profile
    thresholds: Mapping[str, Decimal]
    zone: ZoneInfo
    since: date | None = None
    until: date | None = None
    hooks: frozenset[Hook] = frozenset(REPLAYED)
    engine: EngineName = "local"
    workers: int = 2
    sample: int = 50
    identifiers: bool = False
    secret: str | None = None
    data_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay came to: the report, how many patients it told of, and what could not be read."""

    report: Path
    patients: int
    problems: int


class Engine(Protocol):
    """What groups an export by patient, and replays it; the rows are the same whichever it is."""

    def group(self, found: Found, work: Path, today: date) -> Grouped:
        """Groups the export below `work`, or finds out how to."""

    def replay(
        self, plan: Plan, grouped: Grouped, found: Found, work: Path, progress: Callable[[int], None]
    ) -> None:  # fmt: skip
        """Writes the rows of all patients to `work`/rows; `progress` hears how many are finished in all."""


class Listener:
    """Hears how far a replay is; this one does nothing with it."""

    def grouping(self, files: int, size: int) -> None:
        """The export is being grouped by patient: so many files, of so many bytes."""

    def replaying(self, patients: int) -> None:
        """So many patients are going to be replayed."""

    def replayed(self, patients: int) -> None:
        """So many of them have been."""

    def counting(self) -> None:
        """The rows are being counted."""


def run(wish: Wish, library: Library, today: date, listener: Listener) -> Outcome:
    """Replays an export and writes the report.

    Raises `NoExport` when there is nothing to replay, `OSError` when it cannot write.
    """
    found = export.find(wish.export)
    work = wish.out / _WORK
    work.mkdir(parents=True, exist_ok=True)
    work.chmod(0o700)  # what is in there is the patients' data, ungrouped and with ids
    with _engine(wish, library) as engine:
        grouped = _grouped(engine, found, work, today, wish, listener)
        plan = _plan(wish, grouped, work)
        _forget_other_plans(plan, wish, found, work)
        listener.replaying(grouped.patients)
        engine.replay(plan, grouped, found, work, listener.replayed)
    listener.counting()
    tables = Tables(work / "rows", work, library, _COUNTING_MB, wish.workers)
    try:
        tables.write(wish.out / "tables", identifiers=wish.identifiers)
        problems = _problems(found, grouped, tables)
        _write_problems(wish.out / "problems.csv", problems)
        sample = tables.sample(wish.sample)
        names = tables.identifiers({row["patient"] for row in sample})
        reviewed = review.write(wish.out / "review", sample, wish.sample, library, names)
        facts = report.Facts(plan, grouped, version("b12-cds"), today, reviewed, len(problems))
        page = wish.out / "report.html"
        page.write_text(report.page(tables, facts), "utf-8")
        (wish.out / "run.json").write_bytes(orjson.dumps(_told_of_run(facts, wish), option=orjson.OPT_INDENT_2))
        patients = tables.read("totals")[0]["patients"]
    finally:
        tables.close()
    shutil.rmtree(work)
    return Outcome(page, patients, len(problems))


def _grouped(
    engine: Engine, found: Found, work: Path, today: date, wish: Wish, listener: Listener
) -> Grouped:  # fmt: skip
    """The grouped export: of an earlier run of the same files, or anew."""
    known = work / "grouped.json"
    files = export.fingerprint(found)
    if known.exists():
        told = orjson.loads(known.read_bytes())
        if (told.pop("files"), told.pop("engine")) == (files, wish.engine):
            return _grouped_from(told)
    shutil.rmtree(work / "rows", ignore_errors=True)
    listener.grouping(len(files), sum(size for _, size, _ in files))
    grouped = engine.group(found, work, today)
    if not grouped.patients:
        raise NoExport(f"{wish.export} holds no resource that names a patient")
    told = {name: getattr(grouped, name) for name in Grouped.__slots__}
    told |= {"supplied": sorted(grouped.supplied), "problems": [list(each) for each in grouped.problems]}
    _write_at_once(known, {**told, "files": files, "engine": wish.engine})
    return grouped


def _grouped_from(told: dict[str, Any]) -> Grouped:
    return Grouped(
        parts=tuple(told["parts"]),
        patients=told["patients"],
        resources=told["resources"],
        newest=date.fromisoformat(told["newest"]) if told["newest"] else None,
        supplied=frozenset(map(Source, told["supplied"])),
        without_patient=told["without_patient"],
        medications=told["medications"],
        problems=tuple(Problem(file, row, what) for file, row, what in told["problems"]),
    )


def _plan(wish: Wish, grouped: Grouped, work: Path) -> Plan:
    until = wish.until or grouped.newest
    if until is None:
        raise NoExport("no order, visit or result has a date: say --to")
    return Plan(
        since=wish.since or months_before(until, MONTHS),
        until=until,
        supplied=grouped.supplied,
        zone=wish.zone,
        key=key_from(wish.secret) if wish.secret else _key_of_this_run(work),
        profile=wish.profile,
        thresholds=wish.thresholds,
        hooks=wish.hooks,
        sample=wish.sample,
        identifiers=wish.identifiers,
        data_dir=wish.data_dir,
    )


def _key_of_this_run(work: Path) -> bytes:
    """A random key, kept beside the grouped data until the run is finished, and then gone for good."""
    kept = work / "key"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_bytes(secrets.token_bytes(32))
    return kept.read_bytes()


def _forget_other_plans(plan: Plan, wish: Wish, found: Found, work: Path) -> None:
    """Finished parts count for the plan they were made under and for no other."""
    told = {
        **_told(plan),
        "sample": plan.sample,
        "key": plan.pseudonym(""),
        "files": export.fingerprint(found),
        "engine": wish.engine,
        "version": version("b12-cds"),
        "own_drugs": _own_drugs(wish.data_dir),
    }
    known = work / "plan.json"
    if not known.exists() or orjson.loads(known.read_bytes()) != told:
        shutil.rmtree(work / "rows", ignore_errors=True)
        _write_at_once(known, told)


def _engine(wish: Wish, library: Library) -> AbstractContextManager[Engine]:
    if wish.engine == "local":
        return local.opened(library, wish.workers)
    from service.replay import spark  # pyspark is an extra

    return spark.opened(wish.workers)


def _problems(found: Found, grouped: Grouped, tables: Tables) -> list[Problem]:
    """What could not be read: lines, and patients by the file and row of their data, never by their id."""
    lost = dict(tables.problems())
    places = export.rows_of(found, set(lost)) if lost else {}
    return [
        *grouped.problems,
        *sorted(
            (Problem(*places.get(patient, ("", 0)), f"patient not replayed: {why}") for patient, why in lost.items()),
            key=lambda problem: (problem.file, problem.row),
        ),
    ]


def _write_problems(path: Path, problems: list[Problem]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(Problem._fields)
        lines.writerows((each.file, each.row or "", each.what) for each in problems)


def _own_drugs(data_dir: Path | None) -> list[list[Any]]:
    """What tells one set of imported drugs from another."""
    found = files(data_dir) if data_dir else ()
    return [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in found]


def _told(plan: Plan) -> dict[str, Any]:
    """A plan in words that are the same for the same plan."""
    return {
        "from": plan.since.isoformat(),
        "to": plan.until.isoformat(),
        "hooks": sorted(hook.value for hook in plan.hooks),
        "profile": plan.profile,
        "thresholds": {name: str(value) for name, value in sorted(plan.thresholds.items())},
        "time_zone": plan.zone.key,
        "supplied": sorted(source.value for source in plan.supplied),
        "identifiers": plan.identifiers,
    }


def _told_of_run(facts: report.Facts, wish: Wish) -> dict[str, Any]:
    return {
        "version": facts.version,
        "made": facts.made.isoformat(),
        **_told(facts.plan),
        "engine": wish.engine,
        "key": "B12_CDS_PSEUDONYM_KEY" if wish.secret else "random, of this run",
        "patients": facts.grouped.patients,
        "resources": facts.grouped.resources,
        "resources_without_patient": facts.grouped.without_patient,
    }


def _write_at_once(path: Path, content: dict[str, Any]) -> None:
    """Written whole or not at all, whenever a run is stopped."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(orjson.dumps(content, default=_plainly))
    unfinished.replace(path)


def _plainly(value: object) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError
