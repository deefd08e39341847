"""What identity and the store cost: calls with signed tokens beside the same calls to a service without either."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from math import ceil
from pathlib import Path
from statistics import median

from tests.bench.load import AnswerWrong
from tests.bench.payloads import Payload
from tests.bench.servers import HOST, Server, bare, service
from tests.ehr_identity import PUBLIC_URL, Signer, client_toml

RATIO = 0.4
P99_MS = 8.0
CPU_OF_TWO = 1.15
_SCRIPT = Path(__file__).with_name("signed.lua")
_SECONDS = 2
# More than an identified service can answer of what a bare one does in the same time.
_SPARE_TOKENS = 1.5
_RS384 = Signer("https://rs384.example.org", "RS384", "rsa-1")
_ES384 = Signer("https://es384.example.org", "ES384", "ec-1")


@dataclass(frozen=True, slots=True)
class Wrk:
    """What wrk measured in one round, and the processor time that the server took meanwhile, in seconds."""

    requests: int
    seconds: float
    refused: int
    failed: int
    p50_ms: float
    p99_ms: float
    processor: float

    @property
    def rate(self) -> float:
        """Requests answered per second."""
        return self.requests / self.seconds


def why_not() -> str | None:
    """Why this cannot be measured here; None where it can."""
    return None if shutil.which("wrk") else "wrk is not installed"


def measure(payload: Payload, concurrencies: Sequence[int], rounds: int) -> None:
    """Measures and prints. Raises `AnswerWrong` where a call is refused, `ServerFailed`."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        clients = Path(folder) / "clients.toml"
        clients.write_text(client_toml(_RS384, "rs384") + client_toml(_ES384, "es384"), encoding="utf-8")
        without = running.enter_context(bare())
        one = running.enter_context(service(CLIENTS=str(clients), PUBLIC_URL=PUBLIC_URL))
        two = running.enter_context(service(workers=2, CLIENTS=str(clients), PUBLIC_URL=PUBLIC_URL))
        load = _Load(payload, Path(folder))
        print(f"\nidentity and store: {payload.name}, by wrk, {rounds} x {_SECONDS} s, alternating")
        for concurrency in concurrencies:
            for signer in (_RS384, _ES384):
                _print_cost(
                    signer.algorithm, concurrency, *load.pairs((without, None), (one, signer), concurrency, rounds)
                )
        _print_processor(*load.pairs((one, _RS384), (two, _RS384), max(concurrencies), rounds))


class _Load:
    """Loads servers with one payload; what wrk reads is written to `folder`."""

    def __init__(self, payload: Payload, folder: Path) -> None:
        self._path = payload.path
        self._body = folder / "body.json"
        self._body.write_bytes(payload.body)
        self._tokens = folder / "tokens"
        self._most = 0.0

    def pairs(
        self, left: tuple[Server, Signer | None], right: tuple[Server, Signer | None], concurrency: int, rounds: int
    ) -> tuple[list[Wrk], list[Wrk]]:
        """The rounds of two servers side by side, which of them goes first alternating; after one round to warm up."""
        found: dict[bool, list[Wrk]] = {True: [], False: []}
        for sides in islice(cycle(((True, False), (False, True))), rounds + 1):
            for is_left in sides:
                server, signer = left if is_left else right
                found[is_left].append(self._round(server, signer, concurrency))
        return found[True][1:], found[False][1:]

    def _round(self, server: Server, signer: Signer | None, concurrency: int) -> Wrk:
        files = [str(self._body)]
        if signer is not None:
            self._sign(signer, concurrency)
            files.append(str(self._tokens))
        before = server.processor_seconds()
        url = f"http://{HOST}:{server.port}{self._path}"
        said = subprocess.run(
            ["wrk", "-t1", f"-c{concurrency}", f"-d{_SECONDS}s", "-s", str(_SCRIPT), url, "--", *files],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found = Wrk(**json.loads(said.splitlines()[-1]), processor=server.processor_seconds() - before)
        if found.refused or found.failed or not found.requests:
            raise AnswerWrong(f"the {server.name}: {found.refused} calls refused, {found.failed} failed")
        self._most = max(self._most, found.rate)
        return found

    def _sign(self, signer: Signer, concurrency: int) -> None:
        """One token for each call that may be made in a round: none is served twice."""
        number = concurrency + ceil(self._most * _SECONDS * _SPARE_TOKENS)
        now = datetime.now(UTC)
        self._tokens.write_text("".join(f"{signer.token(self._path, now)}\n" for _ in range(number)), encoding="ascii")


def _print_cost(algorithm: str, concurrency: int, without: Sequence[Wrk], identified: Sequence[Wrk]) -> None:
    ratio = median(theirs.rate / ours.rate for ours, theirs in zip(without, identified, strict=True))
    p99 = median(each.p99_ms for each in identified)
    judged = algorithm == _RS384.algorithm
    for name, rounds in (("neither", without), (algorithm, identified)):
        print(
            f"  concurrency {concurrency:<3} {name:<9}{median(each.rate for each in rounds):>9,.0f} req/s"
            f"   p50 {median(each.p50_ms for each in rounds):>8.2f} ms"
            f"   p99 {median(each.p99_ms for each in rounds):>8.2f} ms"
        )
    target = f"target at least {RATIO}: {'met' if ratio >= RATIO else 'missed'}" if judged else "(no target)"
    print(f"  concurrency {concurrency:<3} ratio    {ratio:>9.2f}         {target}")
    if judged and concurrency == 1:
        verdict = "met" if p99 < P99_MS else f"missed by {p99 - P99_MS:.2f} ms"
        print(f"  concurrency 1   p99      {p99:>9.2f} ms      target under {P99_MS:.0f} ms: {verdict}")


def _print_processor(one: Sequence[Wrk], two: Sequence[Wrk]) -> None:
    """The processor time of a request with two processes, over that with one."""
    costs = [median(each.processor / each.requests * 1e6 for each in rounds) for rounds in (one, two)]
    growth = median(
        (more.processor / more.requests) / (less.processor / less.requests) for less, more in zip(one, two, strict=True)
    )
    verdict = "met" if growth <= CPU_OF_TWO else f"missed by {growth - CPU_OF_TWO:.2f}"
    print(f"  processor time of a request{costs[0]:>8,.0f} us with one process{costs[1]:>8,.0f} us with two")
    print(f"  two processes times{growth:>7.2f}   target at most {CPU_OF_TWO}: {verdict}", flush=True)
