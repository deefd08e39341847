"""One part of a population: the same function in a worker process and on a Spark executor."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import orjson

from cards.library import Library
from service.replay.patient import Replayer
from service.replay.plan import Plan

# A patient builds thousands of objects: at Python's own 700 the collector would run many times in each.
_COLLECT_AFTER = 50_000
Line = tuple[str, str, str | None]


def replay_part(
    library: Library, plan: Plan, lines: Iterable[Line], done: Callable[[int], None] = lambda _count: None
) -> Iterator[bytes]:
    """The rows of a part as lines of JSON: of each patient, then of its review sample.

    `lines`: (patient, JSON of a resource, JSON of the Medication that it refers to), patient after patient.
    `done` hears how many patients more are finished.
    """
    gc.set_threshold(_COLLECT_AFTER)
    replayer = Replayer(library, plan)
    for patient, own in groupby(lines, itemgetter(0)):
        rows = replayer.rows(patient, [(line, medication) for _, line, medication in own])
        yield b"".join([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows])
        done(1)
    yield b"".join([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in replayer.sample.rows()])
