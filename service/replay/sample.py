"""The charts to review: for each rule a random sample of hits and of silent near misses, however work is split.

Each patient has a random number for each rule and outcome, made from the pseudonym; the lowest numbers are the sample.
Samples of parts of a population merge into the sample of the whole.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any

HIT, EXCLUDED, SILENT = "hit", "excluded", "silent"
OUTCOMES = (HIT, EXCLUDED, SILENT)
Row = dict[str, Any]
_MASK = (1 << 64) - 1


class Sample:
    """Keeps the `size` patients with the lowest numbers, for each rule and outcome; of one patient the first call."""

    def __init__(self, size: int) -> None:
        self._size = size
        # A heap of the kept, the highest number on top: entries are (-number, patient).
        self._kept: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self._rows: dict[tuple[str, str, str], Row] = {}
        self._multipliers: dict[tuple[str, str], int] = {}

    def offer(self, topic: str, outcome: str, patient: str, describe: Callable[[], Row]) -> None:
        """A call of a patient that came to this outcome; `describe` writes its row, when it counts."""
        kind = (topic, outcome)
        multiplier = self._multipliers.get(kind)
        if multiplier is None:
            digest = blake2b(f"{topic} {outcome}".encode(), digest_size=8).digest()
            multiplier = self._multipliers[kind] = int.from_bytes(digest) | 1
        # The high bits of a product depend on all bits of both: as good as a hash of both, and far cheaper.
        number = int(patient, 16) * multiplier & _MASK
        heap = self._kept.setdefault(kind, [])
        if len(heap) >= self._size and -number <= heap[0][0]:
            return
        if (topic, outcome, patient) in self._rows:
            return
        self._rows[topic, outcome, patient] = {
            "kind": "sample", "topic": topic, "outcome": outcome, "patient": patient, "number": number, **describe()
        }  # fmt: skip
        if len(heap) < self._size:
            heapq.heappush(heap, (-number, patient))
        else:
            _, dropped = heapq.heapreplace(heap, (-number, patient))
            del self._rows[topic, outcome, dropped]

    def rows(self) -> Iterator[Row]:
        """What is kept, in the order of rule, outcome and number."""
        return iter(sorted(self._rows.values(), key=lambda row: (row["topic"], row["outcome"], row["number"])))


def merged(rows: Iterable[Row], size: int) -> list[Row]:
    """The sample of a whole from the samples of its parts."""
    whole = Sample(size)
    for row in rows:
        whole.offer(row["topic"], row["outcome"], row["patient"], lambda row=row: row)  # type: ignore[misc]
    return list(whole.rows())
