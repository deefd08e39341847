"""Replays on this machine: worker processes take the parts one by one; what is finished outlasts a stop."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from cards.library import Library
from service.replay import export
from service.replay.export import Found, Grouped
from service.replay.part import replay_part
from service.replay.plan import Plan, library

_SECONDS_BETWEEN_REPORTS = 0.2
# What workers and their databases may take together, of the 2 GB that the whole replay keeps to.
_DATABASES_MB = 800
_GROUPING_MB = 900
_SMALLEST_DATABASE_MB = 100
_finished: Any = None


def memory_of_a_worker(workers: int) -> int:
    """Megabytes for the database of each worker."""
    return max(_SMALLEST_DATABASE_MB, _DATABASES_MB // workers)


class Local:
    """Groups and replays with so many processes."""

    def __init__(self, library: Library, workers: int) -> None:
        self._library = library
        self._workers = workers

    def group(self, found: Found, work: Path, today: date) -> Grouped:
        """Groups the export by patient, in parts on disk."""
        return export.group(found, work, self._library, today, _GROUPING_MB, self._workers)

    def replay(
        self, plan: Plan, grouped: Grouped, _found: Found, work: Path, progress: Callable[[int], None]
    ) -> None:  # fmt: skip
        """Replays the parts that are not finished yet."""
        parts = [part for part in grouped.parts if not rows_of(work, part).exists()]
        tasks = [(plan, work, part, grouped.medications, memory_of_a_worker(self._workers)) for part in parts]
        if not tasks:
            return
        context = _context()
        finished = context.Value("q", 0)
        pool = context.Pool(min(self._workers, len(tasks)), initializer=_start, initargs=(finished,))
        try:
            waiting = pool.map_async(_replay_to_file, tasks, chunksize=1)
            while not waiting.ready():
                waiting.wait(_SECONDS_BETWEEN_REPORTS)
                progress(finished.value)
            waiting.get()
            pool.close()
        except BaseException:
            pool.terminate()
            raise
        finally:
            pool.join()


@contextmanager
def opened(library: Library, workers: int) -> Iterator[Local]:
    """This machine."""
    yield Local(library, workers)


def rows_of(work: Path, part: int) -> Path:
    """The file of a finished part."""
    return work / "rows" / f"part-{part:05}.ndjson"


def _context() -> BaseContext:
    """Workers are forked from a process that has the rules loaded and nothing else running."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["service.replay.preloaded", "service.replay.local"])
    return context


def _start(finished: Any) -> None:
    global _finished
    _finished = finished
    # A key press that stops the replay is for the process that waits for the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _replay_to_file(task: tuple[Plan, Path, int, bool, int]) -> None:
    plan, work, part, medications, memory_mb = task
    target = rows_of(work, part)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    with export.connect(work / f"spill-{part}", memory_mb, threads=1) as duck, unfinished.open("wb") as file:
        lines = export.patients(duck, work, part, medications=medications)
        for rows in replay_part(library(plan.data_dir), plan, lines, _done):
            file.write(rows)
    unfinished.replace(target)


def _done(count: int) -> None:
    with _finished.get_lock():
        _finished.value += count
