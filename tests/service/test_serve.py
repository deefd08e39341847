"""A real server process: it starts, answers over a socket, and ends when told to."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.settings import ENV_PREFIX
from tests.bench.payloads import payloads
from tests.ehr_identity import PUBLIC_URL, Signer, client_toml
from tests.service.calls import SIGN, VIEW, order_sign
from tests.service.store.stored import example
from tests.service.test_client_auth import BUTTOCK


@contextmanager
def served(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a server on a free port, and its process, which is ended afterwards if it still runs.

    It is open unless variables are given.
    """
    command = [sys.executable, "-m", "service", "serve", "--port", "0", *arguments]
    if environment is None:
        command.append("--open")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    with (
        tempfile.TemporaryDirectory() as data,
        subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            env={**variables, "B12_CDS_DATA_DIR": data, **(environment or {})},
        ) as process,
    ):
        assert process.stderr is not None
        try:
            first = process.stderr.readline()
            assert re.match(r"B12 CDS: profile (uk|us), time zone \S+, http://127\.0\.0\.1:0/cds-services$", first)
            for line in process.stderr:
                if found := re.search(r"running on (http://\S+)", line):
                    yield found[1], process
                    break
            else:
                pytest.fail("the server did not start")
        finally:
            if process.poll() is None:
                process.kill()


def connected(address: str) -> httpx.Client:
    """A client that waits for the workers, which begin to listen after the server has named its address."""
    return httpx.Client(base_url=address, timeout=60, transport=httpx.HTTPTransport(retries=8))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_answers_and_ends_cleanly_when_told_to(workers: str) -> None:
    with served("--workers", workers) as (address, process):
        with connected(address) as ehr:
            discovered = ehr.get("/cds-services")
            answered = ehr.post(SIGN, json=order_sign())
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)

    assert [each["id"] for each in discovered.json()["services"]] == [
        "b12-order-sign",
        "b12-order-select",
        "b12-patient-view",
    ]
    assert (answered.status_code, answered.json()) == (200, {"cards": []})
    assert "server" not in answered.headers
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Finished server process" in said
    assert "Traceback" not in said
    # No line for each request: addresses and times of calls are nobody's business.
    assert "/cds-services" not in said


def test_a_body_over_the_limit_is_refused_and_the_connection_goes_on() -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 65_536

    with served() as (address, _), connected(address) as ehr:
        announced = ehr.post(SIGN, content=b" " * 6_000_000)
        in_pieces = ehr.post(SIGN, content=pieces())
        afterwards = ehr.post(VIEW, json={})

    assert announced.status_code == in_pieces.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert afterwards.status_code == httpx.codes.BAD_REQUEST


@pytest.mark.anyio
async def test_of_two_hundred_concurrent_calls_each_gets_its_own_answer() -> None:
    [large] = [each for each in payloads(datetime.now(UTC).date()) if each.name == "patient-view-200"]
    kinds = [(SIGN, BUTTOCK), (SIGN, order_sign()), (SIGN, example()), (large.path, large.request)]
    # Taken in turn, so that calls of every kind are under way together.
    wanted = kinds * 50
    limits = httpx.Limits(max_connections=len(wanted))
    with served() as (address, _):
        async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as ehr:

            async def answer(path: str, call: dict[str, Any]) -> tuple[int, Any]:
                answered = await ehr.post(path, json=call)
                return answered.status_code, without_uuids(answered.json())

            alone = [await answer(*kind) for kind in kinds]
            together = await asyncio.gather(*(answer(*each) for each in wanted))

    assert [len(body["cards"]) for _, body in alone] == [1, 0, 1, 1]
    assert len(together) == 200
    assert together == [alone[kinds.index(each)] for each in wanted]


def without_uuids(value: Any) -> Any:
    """JSON without the ids that are new in each answer."""
    if isinstance(value, list):
        return [without_uuids(each) for each in value]
    if isinstance(value, dict):
        return {name: without_uuids(each) for name, each in value.items() if name not in ("uuid", "id")}
    return value


# --- with clients ------------------------------------------------------------------------------------------------

EHR = Signer()
SWITCHED_OFF = '[clients.general.rules]\nbuttock-injection-site = "off"'


def wait_for(process: subprocess.Popen[str], said: str, times: int) -> None:
    """Reads what the server says until it has said something so many times."""
    assert process.stderr is not None
    for line in process.stderr:
        assert "died" not in line, "a worker was replaced, which would have read the file anyway"
        times -= said in line
        if times == 0:
            return
    pytest.fail(f"the server ended without saying {said!r}")


def spoken(ehr: httpx.Client) -> set[bool]:
    """Whether the rule about the buttock speaks, asked over a dozen connections: they reach every worker."""
    found = set()
    for _ in range(12):
        headers = {"connection": "close", **EHR.headers(SIGN, at=datetime.now(UTC))}
        answer = ehr.post(SIGN, json=BUTTOCK, headers=headers)
        assert answer.status_code == httpx.codes.OK, answer.text
        topics = {card["source"]["topic"]["code"] for card in answer.json()["cards"]}
        found.add("buttock-injection-site" in topics)
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_a_rule_is_switched_off_in_every_worker_without_a_restart(workers: int, tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(client_toml(EHR))
    environment = {"B12_CDS_CLIENTS": str(file), "B12_CDS_PUBLIC_URL": PUBLIC_URL}

    with served("--workers", str(workers), environment=environment) as (address, process), connected(address) as ehr:
        if workers > 1:
            # The parent names its address before its workers have begun.
            wait_for(process, "Application startup complete", workers)
        before = spoken(ehr)
        file.write_text(client_toml(EHR, tables=SWITCHED_OFF))
        process.send_signal(signal.SIGHUP)
        wait_for(process, "clients read again: general", workers)
        off = spoken(ehr)
        file.write_text("[clients.general]\nissuer = ")
        process.send_signal(signal.SIGHUP)
        wait_for(process, "the clients stay as they were", workers)
        broken = spoken(ehr)
        file.write_text(client_toml(EHR))
        process.send_signal(signal.SIGHUP)
        wait_for(process, "clients read again: general", workers)
        on = spoken(ehr)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)

    assert (before, off, broken, on) == ({True}, {False}, {False}, {True})
    assert "Traceback" not in said


def test_a_server_with_clients_asks_every_caller_for_a_token_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(client_toml(EHR))
    environment = {"B12_CDS_CLIENTS": str(file), "B12_CDS_PUBLIC_URL": PUBLIC_URL}

    with served(environment=environment) as (address, _), connected(address) as ehr:
        unsigned = ehr.post(SIGN, json=order_sign())
        headers = EHR.headers(SIGN, at=datetime.now(UTC))
        signed = [ehr.post(SIGN, json=order_sign(), headers=headers).status_code for _ in range(2)]

    assert unsigned.status_code == 401
    assert signed == [200, 401]
