"""How fast a population is replayed, against merely decoding the same lines: patients a second, growth, memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import orjson

from cards.library import load
from service.demo import population
from tests.bench.servers import PROJECT, ServerFailed, processes

PATIENTS_A_SECOND = 500.0
MEMORY_MB = 2000.0
# Four times the patients may cost four times as much; a quarter more is left to noise.
LINEAR_TOLERANCE = 1.25
WORKERS = 2
_SIZES = (1_000, 4_000)
# Of all patients one in ten has something to do with vitamin B12, as in a population with its chronic diseases.
_PREVALENCE = 0.1
_SECONDS_BETWEEN_LOOKS = 0.1


class Replayed(NamedTuple):
    """One replay of the command line, from start to report.

    `decoding`: seconds of processor time for decoding the same lines; `processor`: of all processes of the replay;
    `memory`: the peak of all together in MB. Both are 0 where the system does not tell.
    """

    patients: int
    resources: int
    decoding: float
    seconds: float
    processor: float
    memory: float


def measure() -> list[Replayed]:
    """Replays a small and a large population. Raises `ServerFailed` when the command fails."""
    with tempfile.TemporaryDirectory() as folder:
        return [_measured(size, Path(folder) / str(size)) for size in _SIZES]


def print_replayed(found: list[Replayed]) -> None:
    """The figures, and the targets."""
    print(f"\nreplay of a population, {WORKERS} workers")
    for each in found:
        rate = each.patients / each.seconds
        print(
            f"  {each.patients:>6,} patients of {each.resources / each.patients:.0f} resources{each.seconds:>8.1f} s"
            f"{rate:>8,.0f} patients/s   decoding alone {each.decoding:.2f} s of one process"
        )
    small, large = found
    # What starting costs, and loading the rules, is the same for either size: the difference is the work itself.
    patients, seconds = large.patients - small.patients, large.seconds - small.seconds
    print(f"  once started  {_verdict(patients / seconds)}")
    processor = large.processor - small.processor
    if processor > 0:
        # What two cores would do that have nothing else to do.
        print(f"  by processor time  {_verdict(patients / processor * WORKERS)}")
        ratio = processor / (large.decoding - small.decoding)
        print(f"  processor time{ratio:>8.1f} times that of decoding the same lines (no target)")
    growth = (large.seconds / large.patients) / (small.seconds / small.patients)
    linear = "met" if growth <= LINEAR_TOLERANCE else f"missed by {growth - LINEAR_TOLERANCE:.2f}"
    print(
        f"  cost of a patient of {large.patients:,} times{growth:>6.2f} that of one of {small.patients:,}; "
        f"target at most {LINEAR_TOLERANCE:.2f}: {linear}"
    )
    if large.memory:
        fits = "met" if large.memory < MEMORY_MB else f"missed by {large.memory - MEMORY_MB:,.0f} MB"
        print(f"  peak memory of all processes{large.memory:>8,.0f} MB   target under {MEMORY_MB:,.0f} MB: {fits}")


def _verdict(rate: float) -> str:
    missed = "met" if rate >= PATIENTS_A_SECOND else f"missed by {PATIENTS_A_SECOND - rate:,.0f}"
    return f"{rate:>8,.0f} patients/s   target at least {PATIENTS_A_SECOND:,.0f}: {missed}"


def _measured(patients: int, folder: Path) -> Replayed:
    population.write(patients, folder / "export", load(), "uk", _PREVALENCE)
    resources, decoding = _decoded(folder / "export")
    command = [sys.executable, "-m", "service", "replay", str(folder / "export"), "--out", str(folder / "out")]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--workers", str(WORKERS)],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    peak = 0.0
    processor: dict[str, float] = {}
    while process.poll() is None:
        memory = 0.0
        for name, used, held in processes(process.pid):
            processor[name] = used
            memory += held
        peak = max(peak, memory)
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    seconds = time.perf_counter() - started
    if process.returncode:
        said = process.stderr.read().decode(errors="replace") if process.stderr else ""
        raise ServerFailed(f"the replay ended with status {process.returncode}\n{said[-2000:]}")
    return Replayed(patients, resources, decoding, seconds, sum(processor.values()), peak)


def _decoded(export: Path) -> tuple[int, float]:
    """How many lines the export has, and how long orjson takes to decode them one by one."""
    lines = [line for path in sorted(export.glob("*.ndjson")) for line in path.read_bytes().splitlines()]
    started = time.process_time()
    for line in lines:
        orjson.loads(line)
    return len(lines), time.process_time() - started
