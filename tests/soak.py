"""`make soak`: thousands of calls full of junk to a real server; none fails, and none takes longer than a second."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.junk import Call, feedback_calls, junk_calls, sandbox_calls, spoiled_calls, unreadable_calls, wrong_with
from tests.service.test_serve import connected, served

LONGEST_SECONDS = 1.0
# What hangs is not waited for longer than this, and ends the round.
_PATIENCE_SECONDS = 20.0
_JSON = {"content-type": "application/json"}
_FAULT = re.compile(r"fault in hookInstance [^:]*: (.+)")
# Most are those that get deepest into the service.
_CALLS = {
    "junk": (junk_calls, 7),
    "spoiled": (spoiled_calls, 8),
    "feedback": (feedback_calls, 2),
    "sandbox": (sandbox_calls, 2),
    "unreadable": (unreadable_calls, 1),
}
_MIX = [kind for kind, (_, share) in _CALLS.items() for _ in range(share)]
mixed_calls = st.sampled_from(_MIX).flatmap(lambda kind: _CALLS[kind][0])


@dataclass
class Found:
    """What became of the calls: how many got which status, and the smallest call of each way to fail."""

    statuses: Counter[int] = field(default_factory=Counter)
    cards: int = 0
    slowest: float = 0.0
    times: Counter[str] = field(default_factory=Counter)
    smallest: dict[str, Call] = field(default_factory=dict)

    def failed(self, how: str, call: Call) -> None:
        """Notes a failure, and its call unless a smaller one failed in the same way."""
        self.times[how] += 1
        known = self.smallest.get(how)
        if known is None or len(call.content) < len(known.content):
            self.smallest[how] = call


class NoServer(BaseException):
    """The server hangs or has ended: whatever is sent from now on would get no answer for the fault of another call.

    No `Exception`, which Hypothesis would keep and try again.
    """


class Server:
    """A server under test, asked over its socket; what it logs of faults is listened to."""

    def __init__(self, client: httpx.Client, process: subprocess.Popen[str]) -> None:
        self._client = client
        self._process = process
        self._faults: deque[str] = deque(maxlen=1)
        # A pipe that nobody reads would hold up the server once it is full.
        threading.Thread(target=self._listen, daemon=True).start()

    def try_out(self, call: Call, found: Found) -> None:
        """Sends a call and notes what becomes of it. Raises `NoServer`."""
        try:
            seconds, answer = self._timed(call)
            if seconds > LONGEST_SECONDS:
                # The machine may have been busy with something else: what hangs does so each time.
                seconds = min(seconds, *(self._timed(call)[0] for _ in range(2)))
        except httpx.HTTPError as broken:
            found.failed(f"no answer at {call.path}: {type(broken).__name__}", call)
            if isinstance(broken, httpx.TimeoutException) or self._process.poll() is not None:
                raise NoServer from None
            return
        found.statuses[answer.status_code] += 1
        found.slowest = max(found.slowest, seconds)
        if seconds > LONGEST_SECONDS:
            found.failed(f"longer than {LONGEST_SECONDS:g} s at {call.path}", call)
        if wrong := wrong_with(call, answer.status_code, answer.content):
            why = f", {self._faults.pop()}" if self._faults else ""
            found.failed(f"{wrong} at {call.path}{why}", call)
        elif answer.status_code == httpx.codes.OK:
            found.cards += len(json.loads(answer.content).get("cards", ()))

    def _timed(self, call: Call) -> tuple[float, httpx.Response]:
        began = perf_counter()
        answer = self._client.post(call.path, content=call.content, headers=_JSON, timeout=_PATIENCE_SECONDS)
        return perf_counter() - began, answer

    def _listen(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            if said := _FAULT.search(line):
                self._faults.append(said[1].removesuffix('"}'))


def soak(requests: int, number: int, server: Server, progress: Progress) -> Found:
    """Sends calls, the same ones for the same seed, and tells what became of them."""
    found = Found()
    task = progress.add_task("calls", total=requests)

    @seed(number)
    @settings(
        max_examples=requests,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mixed_calls)
    def try_out(call: Call) -> None:
        server.try_out(call, found)
        progress.advance(task)

    with suppress(NoServer):
        try_out()
    return found


def report(found: Found, number: int, requests: int, console: Console) -> bool:
    """Prints what was found; true when nothing was. The smallest call of each failure is written to a file."""
    counted = ", ".join(f"{status}: {count}" for status, count in sorted(found.statuses.items()))
    console.print(f"{found.statuses.total()} answers ({counted}), {found.cards} cards, {found.slowest:.2f} s at most")
    if not found.smallest:
        return True
    folder = Path(tempfile.mkdtemp(prefix="b12-cds-soak-"))
    for place, (how, call) in enumerate(found.smallest.items(), start=1):
        file = folder / f"{place}.json"
        file.write_bytes(call.content)
        console.print(
            f"{found.times[how]} times {how}\n  curl -H 'content-type: application/json' -d @{file} …{call.path}"
        )
    console.print(f"the same calls again: make soak SEED={number} CALLS={requests}")
    return False


def main() -> int:
    """Soaks a server; 0 when every call was answered well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    wanted = parser.parse_args()
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(f"seed {wanted.seed}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with served() as (address, process), connected(address) as client, Progress(*columns, console=console) as progress:
        found = soak(wanted.calls, wanted.seed, Server(client, process), progress)
    return 0 if report(found, wanted.seed, wanted.calls, console) else 1


if __name__ == "__main__":
    sys.exit(main())
