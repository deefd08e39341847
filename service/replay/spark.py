"""Replays on Spark: the same function over the partitions of a shuffle by patient, on this machine or a cluster.

Spark reads the export by itself, so that no machine needs to hold all of it. The export and the output folder must be
where every machine sees them; the report is made from the rows as on one machine.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyspark import RDD, SparkConf, SparkContext

from cards.library import load
from service.fhir.sources import TYPES
from service.replay import export
from service.replay.export import Found, Grouped, Problem
from service.replay.keyed import NO_KIND, Keyed, keyed
from service.replay.part import Line, replay_part
from service.replay.patient import KINDS
from service.replay.plan import Plan, library

_SECONDS_BETWEEN_REPORTS = 0.5
_PARTS_FOR_A_CORE = 4


@dataclass(slots=True)
class _Seen:
    """What one partition of the export holds."""

    kinds: set[str] = field(default_factory=set)
    newest: str = ""
    resources: int = 0
    without_patient: int = 0
    unreadable: int = 0


class Spark:
    """Groups and replays on one Spark."""

    def __init__(self, context: SparkContext) -> None:
        self._context = context

    def group(self, found: Found, work: Path, today: date) -> Grouped:
        """Reads the export once to learn what is in it; it is shuffled when it is replayed."""
        problems: list[Problem] = []
        if found.bundles:
            problems += export.unbundle(found.bundles, _unbundled(work))
        files = _files(found, work)
        lines = self._lines(files)
        whole = _Seen()
        for seen in lines.mapPartitions(lambda each: [_seen(each, today)]).collect():
            whole.kinds |= seen.kinds
            whole.newest = max(whole.newest, seen.newest)
            whole.resources += seen.resources
            whole.without_patient += seen.without_patient
            whole.unreadable += seen.unreadable
        if whole.unreadable:
            problems += [problem for path in files for problem in export.unreadable_lines(path)]
        # An empty file of a type says: asked for, and none found.
        kinds = whole.kinds | {export.kind_of(path) for path in files}
        return Grouped(
            parts=(),
            patients=lines.filter(_is_of_a_patient).map(lambda line: line.patient).distinct().count(),
            resources=whole.resources,
            newest=date.fromisoformat(whole.newest) if whole.newest else None,
            supplied=frozenset(source for source, types in TYPES.items() if types & kinds),
            without_patient=whole.without_patient,
            medications="Medication" in whole.kinds,
            problems=tuple(problems),
        )

    def replay(
        self, plan: Plan, grouped: Grouped, found: Found, work: Path, progress: Callable[[int], None]
    ) -> None:  # fmt: skip
        """Shuffles the export by patient and replays each partition, unless an earlier run has."""
        target = work / "rows"
        if (target / "_SUCCESS").exists():
            return
        shutil.rmtree(target, ignore_errors=True)
        lines = self._lines(_files(found, work))
        done = self._context.accumulator(0)
        parts = self._context.defaultParallelism * _PARTS_FOR_A_CORE
        rows = (
            _by_patient(lines, medications=grouped.medications)
            .repartitionAndSortWithinPartitions(parts)
            .mapPartitions(lambda part: _rows(plan, part, done.add))
        )
        with ThreadPoolExecutor(1) as running:
            saved = running.submit(rows.saveAsTextFile, target.resolve().as_uri())
            while True:
                try:
                    saved.result(_SECONDS_BETWEEN_REPORTS)
                    return
                except StillRunning:
                    progress(done.value)

    def _lines(self, files: list[Path]) -> RDD[Keyed]:
        """What each line of the export is about."""
        labs = export.lab_codes(load())
        held = [path.resolve().as_uri() for path in files if path.stat().st_size]
        if not held:
            return self._context.parallelize([], 1)
        text: RDD[bytes] = self._context.textFile(",".join(held), use_unicode=False)
        return text.mapPartitions(lambda part: _keyed(part, labs))


@contextmanager
def opened(workers: int) -> Iterator[Spark]:
    """The Spark of spark-submit, else one of this machine with so many workers."""
    conf = SparkConf().setAppName("b12-cds replay").set("spark.ui.showConsoleProgress", "false")
    # The JSON of a million resources compresses well, and the shuffle is most of what is moved.
    conf.set("spark.rdd.compress", "true")
    if not conf.contains("spark.master"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        conf.setMaster(f"local[{workers}]").set("spark.ui.enabled", "false")
        conf.set("spark.driver.bindAddress", "127.0.0.1").set("spark.driver.host", "127.0.0.1")
    context = SparkContext(conf=conf)
    context.setLogLevel("ERROR")
    try:
        yield Spark(context)
    finally:
        context.stop()


def _by_patient(lines: RDD[Keyed], *, medications: bool) -> RDD[tuple[str, tuple[str, str | None]]]:
    """The lines that a replay needs, by patient, each with that of the Medication it refers to."""
    own = lines.filter(_is_of_a_patient)
    if not medications:
        return own.map(lambda line: (line.patient, (line.line, None)))
    products = lines.filter(lambda line: line.kind == "Medication").map(lambda line: (line.patient, line.line))
    joined = own.map(lambda line: (line.medication, (line.patient, line.line))).leftOuterJoin(products)
    return joined.map(lambda found: (found[1][0][0], (found[1][0][1], found[1][1])))


def _is_of_a_patient(line: Keyed) -> bool:
    return line.needed and line.kind != "Medication" and bool(line.patient)


def _keyed(lines: Iterable[bytes], labs: str) -> Iterator[Keyed]:
    pattern = re.compile(labs)
    for line in lines:
        if line.strip():
            yield keyed(line, pattern)


def _seen(lines: Iterable[Keyed], today: date) -> _Seen:
    seen = _Seen()
    for line in lines:
        if not line.kind:
            seen.unreadable += 1
            continue
        seen.kinds.add(line.kind)
        seen.resources += line.kind != NO_KIND
        seen.without_patient += line.kind in KINDS and line.needed and not line.patient
        if _is_of_a_patient(line) and seen.newest < line.day <= today.isoformat() and _is_day(line.day):
            seen.newest = line.day
    return seen


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _rows(
    plan: Plan, part: Iterable[tuple[str, tuple[str, str | None]]], done: Callable[[int], None]
) -> Iterator[str]:  # fmt: skip
    lines: Iterator[Line] = ((patient, line, medication) for patient, (line, medication) in part)
    for rows in replay_part(library(plan.data_dir), plan, lines, done):
        # Spark ends each record with a line end of its own.
        if rows:
            yield rows[:-1].decode()


def _files(found: Found, work: Path) -> list[Path]:
    return list(found.ndjson) or [_unbundled(work)]


def _unbundled(work: Path) -> Path:
    return work / "unbundled.ndjson"
