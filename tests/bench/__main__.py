"""The command line of the benchmark: python -m tests.bench."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import cycle, islice

from tests.bench import fhir, identity, instructions
from tests.bench.load import AnswerWrong, Round, measure, request_bytes
from tests.bench.payloads import Payload, payloads, without_its_data
from tests.bench.profiling import print_profile
from tests.bench.replaying import measure as measure_replay
from tests.bench.replaying import print_replayed
from tests.bench.report import Measured, print_fallback, print_linearity, print_measured, print_memory
from tests.bench.servers import HOST, PROJECT, Server, ServerFailed, baseline, fhir_server, service

CONCURRENCIES = (1, 16)
_WARM_UP_SECONDS = 0.4
_EVERYDAY = "order-sign-20"
_SMALL, _LARGE = "patient-view-200", "patient-view-2000"


def main() -> int:
    """Runs the benchmark; 0 also where a target is missed, 1 where a server does not answer as it should."""
    known = {each.name: each for each in payloads(datetime.now().astimezone().date())}
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="How fast the service answers.")
    parser.add_argument("--seconds", type=float, default=0.8, help="length of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per server (default: %(default)s)")
    parser.add_argument("--payload", choices=known, action="append", help="only this one; may be repeated")
    parser.add_argument(
        "--profile", action="store_true", help=f"show where the time goes instead (default: of {_EVERYDAY})"
    )
    parser.add_argument("--identity", action="store_true", help="only what signed tokens and the store cost")
    parser.add_argument("--replay", action="store_true", help="only the replay of a population")
    parser.add_argument(
        "--instructions", action="store_true", help="only what one warm call executes, without a server"
    )
    parser.add_argument("--against", metavar="REV", help="with --instructions: also of this revision, or tree")
    parser.add_argument("--json", action="store_true", help="with --instructions: print JSON")
    arguments = parser.parse_args()
    if arguments.seconds <= 0 or arguments.rounds < 1:
        parser.error("--seconds must be above 0 and --rounds 1 or more")
    if (arguments.against or arguments.json) and not arguments.instructions:
        parser.error("--against and --json go with --instructions")
    names = arguments.payload or ([_EVERYDAY] if arguments.profile else list(known))
    chosen = [each for each in known.values() if each.name in names]
    try:
        if arguments.profile:
            for payload in chosen:
                print_profile(payload)
            return 0
        if arguments.instructions:
            _count_instructions(names, arguments.against, as_json=arguments.json)
            return 0
        all_parts = not (arguments.identity or arguments.replay)
        if all_parts:
            _benchmark(chosen, arguments.rounds, arguments.seconds)
        if all_parts and _EVERYDAY in names:
            _benchmark_fallback(known[_EVERYDAY], arguments.rounds, arguments.seconds)
        if arguments.identity or (all_parts and _EVERYDAY in names):
            _benchmark_identity(known[_EVERYDAY], arguments.rounds)
        if arguments.replay or (all_parts and not arguments.payload):
            print_replayed(measure_replay())
    except (AnswerWrong, ServerFailed) as fault:
        print(f"bench: {fault}", file=sys.stderr)
        return 1
    return 0


def _count_instructions(names: Sequence[str], against: str | None, *, as_json: bool) -> None:
    with ExitStack() as stack:
        trees = [PROJECT] + ([stack.enter_context(instructions.tree_of(against))] if against else [])
        costs = instructions.measured(names, trees)
    instructions.print_costs(costs, ["this tree", against][: len(trees)] if against else [""], as_json=as_json)


def _benchmark(chosen: Sequence[Payload], rounds: int, seconds: float) -> None:
    print(
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores; for each server {rounds} x {seconds:g} s, alternating"
    )
    one_by_one: dict[str, Measured] = {}
    with ExitStack() as running:
        ours = running.enter_context(service())
        theirs = running.enter_context(baseline())
        for payload in chosen:
            said = _check(ours, payload)
            _check(theirs, payload)
            noun = "resource" if payload.resources == 1 else "resources"
            print(
                f"\n{payload.name}: {payload.title}, {payload.resources:,} {noun}, "
                f"{len(payload.body) / 1000:,.1f} kB; the service answers {said}",
                flush=True,
            )
            for concurrency in CONCURRENCIES:
                measured = _measure(ours, theirs, payload, concurrency, rounds, seconds)
                print_measured(measured)
                if concurrency == 1:
                    one_by_one[payload.name] = measured
        print()
        if _SMALL in one_by_one and _LARGE in one_by_one:
            print_linearity(one_by_one[_SMALL], one_by_one[_LARGE])
            print()
        print_memory({server.name: server.peak_memory() for server in (ours, theirs)})


def _benchmark_fallback(payload: Payload, rounds: int, seconds: float) -> None:
    """The call without its data, beside the slowest of the queries that it then makes."""
    with ExitStack() as running:
        ehr = running.enter_context(fhir_server())
        base = f"http://{HOST}:{ehr.port}{fhir.BASE_PATH}"
        ours = running.enter_context(service(OPEN_FHIR_SERVERS=base))
        fetching = without_its_data(payload, base)
        # The first call opens the connections, which may cost it its budget.
        ours.ask(fetching.path, fetching.body)
        print(f"\n{fetching.name}: {fetching.title}; the service answers {_check(ours, fetching)}", flush=True)
        call = request_bytes(fetching.path, fetching.body)
        query = request_bytes(f"{fhir.BASE_PATH}/{fhir.SLOWEST}/_search", b"patient=bench-patient")
        found: dict[str, list[Round]] = {ours.name: [], ehr.name: []}
        _load(ours, fetching, call, 1, seconds)
        for order in islice(cycle(((ours, ehr), (ehr, ours))), rounds):
            for server in order:
                found[server.name].append(_load(server, fetching, call if server is ours else query, 1, seconds))
        print_fallback(found[ours.name], found[ehr.name])


def _benchmark_identity(payload: Payload, rounds: int) -> None:
    if why := identity.why_not():
        print(f"\nidentity and store: not measured, {why}")
    else:
        identity.measure(payload, CONCURRENCIES, rounds)


def _measure(ours: Server, theirs: Server, payload: Payload, concurrency: int, rounds: int, seconds: float) -> Measured:
    """Alternates the servers, and which of them goes first, so that the machine's noise meets both."""
    request = request_bytes(payload.path, payload.body)
    found: dict[str, list[Round]] = {ours.name: [], theirs.name: []}
    for server in (ours, theirs):
        _load(server, payload, request, concurrency, min(_WARM_UP_SECONDS, seconds))
    for order in islice(cycle(((ours, theirs), (theirs, ours))), rounds):
        for server in order:
            found[server.name].append(_load(server, payload, request, concurrency, seconds))
    return Measured(payload, concurrency, found[ours.name], found[theirs.name])


def _load(server: Server, payload: Payload, request: bytes, concurrency: int, seconds: float) -> Round:
    try:
        return measure(server.port, request, concurrency, seconds)
    except AnswerWrong as fault:
        raise AnswerWrong(f"the {server.name} at {payload.name}: {fault}") from None


def _check(server: Server, payload: Payload) -> str:
    """What one answer says, in a few words. Raises `AnswerWrong` unless the payload calls for it."""
    where = f"the {server.name} at {payload.name}"
    try:
        status, body = server.ask(payload.path, payload.body)
        answer = json.loads(body)
    except (OSError, ValueError) as fault:
        raise AnswerWrong(f"{where}: {fault}") from None
    if status != 200 or not isinstance(answer, dict) or not isinstance(answer.get("cards"), list):
        raise AnswerWrong(f"{where}: status {status}, {body[:500].decode(errors='replace')}")
    silence_expected = payload.silent and server.name == "service"
    if silence_expected and answer != {"cards": []}:
        raise AnswerWrong(f"{where}: expected no card, got {sorted(answer)} and {len(answer['cards'])} cards")
    if not silence_expected and not answer["cards"] and not answer.get("extension"):
        raise AnswerWrong(f"{where}: expected a card, got none")
    cards = [f"{card['source']['topic']['code']} ({card['indicator']})" for card in answer["cards"]]
    return ", ".join(cards) or "no card"


if __name__ == "__main__":
    sys.exit(main())
