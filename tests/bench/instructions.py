"""What one warm call costs, told in figures that a busy machine does not change, and the same of another version."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.payloads import Payload, payloads
from tests.bench.servers import PROJECT, ServerFailed

# Figures of different days are compared, so they are all of one day.
DAY = date(2026, 11, 30)
_WARM = Path(__file__).with_name("warm.py")
_PARTS = ("cards", "service")
_ROUNDS = 5
# A call of a large chart is counted less often: under valgrind it takes seconds.
_RESOURCES_AT_ONCE = 2_000
_MOST_CALLS, _FEWEST_CALLS = 10, 2
_COLLECTED = re.compile(r"Collected : (\d+)")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one warm call of a payload costs.

    `instructions`: of the processor, without a store, None without valgrind; `microseconds`: of processor time, None
    with valgrind; `calls`: of Python functions, with a store, of `functions` different ones, `own_functions` of which
    are the service's.
    """

    payload: str
    instructions: int | None
    microseconds: float | None
    calls: int
    functions: int
    own_functions: int


def measured(names: Sequence[str], trees: Sequence[Path]) -> list[list[Cost]]:
    """For each tree the costs of the payloads, in their order. Raises `ServerFailed`."""
    chosen = [each for each in payloads(DAY) if each.name in names]
    # First, because it leaves the tree compiled.
    told = [_warm([], tree, "calls", chosen) for tree in trees]
    valgrind = shutil.which("valgrind")
    if valgrind:
        executed = [_instructions(valgrind, tree, chosen) for tree in trees]
        seconds: list[Mapping[str, float]] = [{} for _ in trees]
    else:
        executed = [{} for _ in trees]
        seconds = _seconds(trees, chosen)
    return [
        [
            Cost(
                each.name,
                executed[number].get(each.name),
                round(seconds[number][each.name] * 1e6, 1) if seconds[number] else None,
                **told[number][each.name],
            )
            for each in chosen
        ]
        for number in range(len(trees))
    ]


@contextmanager
def tree_of(revision: str) -> Iterator[Path]:
    """The `cards` and `service` of a folder, or of a revision of this repository. Raises `ServerFailed`."""
    if all((Path(revision) / part).is_dir() for part in _PARTS):
        yield Path(revision).resolve()
        return
    packed = subprocess.run(["git", "archive", revision, *_PARTS], cwd=PROJECT, capture_output=True)
    if packed.returncode:
        raise ServerFailed(f"there is neither a revision nor a tree {revision}")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder).resolve()


def print_costs(costs: Sequence[Sequence[Cost]], titles: Sequence[str], *, as_json: bool) -> None:
    """The figures of each tree; of two, also the second (`--against`) as what the first is measured by."""
    if as_json:
        found = {title: [asdict(each) for each in own] for title, own in zip(titles, costs, strict=True)}
        print(json.dumps({"day": DAY.isoformat(), "python": sys.version.split()[0], "costs": found}, indent=1))
        return
    figures = "instructions" if costs[0][0].instructions is not None else "microseconds"
    print(f"{'one warm call':<20}{'':<14}{figures:>14}{'Python calls':>14}{'functions':>11}{'of ours':>9}")
    for rows in zip(*costs, strict=True):
        for title, row in zip(titles, rows, strict=True):
            print(
                f"{row.payload:<20}{title:<14}{_figure(row):>14,}{row.calls:>14,}{row.functions:>11}{row.own_functions:>9}"
            )
        if len(rows) == 2:
            ours, theirs = rows
            print(
                f"{'':<20}{'times':<14}{_figure(ours) / _figure(theirs):>14.3f}{ours.calls / theirs.calls:>14.3f}"
                f"{ours.functions / theirs.functions:>11.3f}{ours.own_functions / theirs.own_functions:>9.3f}"
            )


def _figure(cost: Cost) -> float:
    return cost.instructions if cost.instructions is not None else cost.microseconds or 0.0


def _instructions(valgrind: str, tree: Path, chosen: Sequence[Payload]) -> dict[str, int]:
    """What a call executes: start and warming up are in both of two processes, and so not in their difference."""
    with tempfile.TemporaryDirectory() as folder:
        tool = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={folder}/%p"]
        processes = _warm(tool, tree, "instructions", chosen)
        executed = {name: [_collected(Path(folder) / str(each)) for each in pair] for name, pair in processes.items()}
    return {each.name: (executed[each.name][1] - executed[each.name][0]) // _calls(each) for each in chosen}


def _collected(log: Path) -> int:
    found = _COLLECTED.search(log.read_text(encoding="utf-8"))
    if found is None:
        raise ServerFailed("valgrind has counted nothing")
    return int(found[1])


def _seconds(trees: Sequence[Path], chosen: Sequence[Payload]) -> list[Mapping[str, float]]:
    """The processor time of a call: the trees take turns, so that the machine's other work meets each."""
    rounds: list[list[Mapping[str, float]]] = [[] for _ in trees]
    for number in range(_ROUNDS):
        for place in range(len(trees)):
            at = (place + number) % len(trees)
            rounds[at].append(_warm([], trees[at], "seconds", chosen))
    return [{each.name: median(found[each.name] for found in own) for each in chosen} for own in rounds]


def _warm(tool: Sequence[str], tree: Path, way: str, chosen: Sequence[Payload]) -> dict[str, Any]:
    """What `tests/bench/warm.py` finds with the `cards` and `service` of a tree."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("B12_CDS_")}
    environment |= {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}
    requests = [
        {
            "name": each.name,
            "path": each.path,
            "body": each.body.decode(),
            "calls": _calls(each),
            "silent": each.silent,
        }
        for each in chosen
    ]
    run = subprocess.run(
        [*tool, sys.executable, "-P", str(_WARM), way],
        cwd=tree,
        env=environment,
        input=json.dumps({"day": DAY.isoformat(), "requests": requests}),
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise ServerFailed(f"{tree}: {run.stderr[-2000:]}")
    said = json.loads(run.stdout)
    if Path(said["tree"]) != tree:
        raise ServerFailed(f"{tree} was to be measured, and {said['tree']} was")
    found: dict[str, Any] = said["found"]
    return found


def _calls(payload: Payload) -> int:
    return max(_FEWEST_CALLS, min(_MOST_CALLS, _RESOURCES_AT_ONCE // max(1, payload.resources)))
