"""Real server processes: what they count together, how they end, and callers who hang up."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from service.operations.counting import clear_leftovers
from tests.fhir_server import FhirServer, listening
from tests.service import calls
from tests.service.calls import SIGN
from tests.service.test_fhir_faults import B12_96, FOLIC_ACID, order_sign
from tests.service.test_serve import connected, served, wait_for

pytestmark = pytest.mark.anyio


class Waiting(FhirServer):
    """Takes requests, and answers them all when it is told to."""

    def __init__(self) -> None:
        super().__init__([B12_96])
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Notes the request, waits, answers."""
        self.began.set()
        await self.go_on.wait()
        await super().__call__(scope, receive, send)


def counted(page: str, name: str) -> float:
    """A count of the metrics page; 0 when it is not there."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0


def test_whichever_process_is_asked_tells_what_all_have_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    leftover = tmp_path / "b12-cds-metrics-left" / "counter_1.db"
    leftover.parent.mkdir()
    leftover.touch()
    with served("--workers", "2") as (address, process):
        for _ in range(16):
            with connected(address) as ehr:
                assert ehr.post(SIGN, json=calls.order_sign()).status_code == httpx.codes.OK
        totals, answered = set(), 'b12_cds_calls_total{hook="order-sign",status="200"}'
        for _ in range(16):
            with connected(address) as operator:
                totals.add(counted(operator.get("/metrics").text, answered))
        counting = list(tmp_path.glob("b12-cds-metrics-*"))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert totals == {16}
    assert len(counting) == 1
    assert list(tmp_path.glob("b12-cds-metrics-*")) == []


def test_what_killed_processes_have_left_is_cleared_once_none_of_them_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "b12-cds-metrics-new").mkdir()
    with served("--workers", "2") as (_, process):
        wait_for(process, "Application startup complete", 2)
        [counting] = [folder for folder in tmp_path.glob("b12-cds-metrics-*") if any(folder.iterdir())]
        workers = {int(file.stem.rpartition("_")[2]) for file in counting.glob("*.db")}
        process.kill()
        process.wait()
        try:
            clear_leftovers(tmp_path)
            while_workers_live = counting.exists()
        finally:
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
        handle = os.open(counting, os.O_RDONLY)
        # Waits until the last of them has ended.
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.close(handle)
        clear_leftovers(tmp_path)

    assert len(workers) == 2
    assert while_workers_live
    # What is empty may have been made a moment ago.
    assert [folder.name for folder in tmp_path.glob("b12-cds-metrics-*")] == ["b12-cds-metrics-new"]


async def test_a_server_that_is_told_to_end_answers_the_calls_it_has_taken() -> None:
    server = Waiting()
    async with listening(server) as base:
        environment = {"B12_CDS_OPEN_FHIR_SERVERS": base, "B12_CDS_FHIR_BUDGET_MS": "5000"}
        with served("--open", environment=environment) as (address, process):
            async with httpx.AsyncClient(base_url=address, timeout=60) as ehr:
                call = asyncio.create_task(ehr.post(SIGN, json=order_sign(FOLIC_ACID, base)))
                async with asyncio.timeout(60):
                    await server.began.wait()
                process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(_read_until, process, "Shutting down")
                server.go_on.set()
                answered = await call
            _, said = await asyncio.to_thread(process.communicate, timeout=60)

    assert answered.status_code == httpx.codes.OK
    assert [card["source"]["topic"]["code"] for card in answered.json()["cards"]] == ["folate-before-b12"]
    assert "Finished server process" in said
    assert "Traceback" not in said


def _read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"the server never said: {words}")


async def test_a_caller_who_hangs_up_costs_nobody_anything() -> None:
    server = Waiting()
    async with listening(server) as base:
        call = json.dumps(order_sign(FOLIC_ACID, base)).encode()
        environment = {"B12_CDS_OPEN_FHIR_SERVERS": base, "B12_CDS_FHIR_BUDGET_MS": "5000"}
        with served("--open", environment=environment) as (address, process):
            for sent in (head_of(call), head_of(call) + call[:100]):
                with caller(address) as connection:
                    connection.sendall(sent)
            with caller(address) as connection:
                connection.sendall(head_of(call) + call)
                async with asyncio.timeout(60):
                    await server.began.wait()
            async with httpx.AsyncClient(base_url=address, timeout=60) as ehr:
                meanwhile = await ehr.post(SIGN, json=calls.order_sign())
                server.go_on.set()
                # Two had not said what they ask; the one that hung up during a fetch is brought to its end.
                for _ in range(2_000):
                    ended = await ended_calls(ehr)
                    if ended == {"499": 2, "200": 2}:
                        break
            process.send_signal(signal.SIGTERM)
            _, said = await asyncio.to_thread(process.communicate, timeout=60)

    assert meanwhile.status_code == httpx.codes.OK
    assert ended == {"499": 2, "200": 2}
    assert "Traceback" not in said
    assert "fault" not in said


async def ended_calls(operator: httpx.AsyncClient) -> dict[str, float]:
    """How many calls of order-sign have ended, by their status."""
    page = (await operator.get("/metrics")).text
    found = re.findall(r'^b12_cds_calls_total\{hook="order-sign",status="(\d+)"\} (\S+)$', page, re.MULTILINE)
    return {status: float(number) for status, number in found}


def head_of(body: bytes) -> bytes:
    """The head of a hook call with this body."""
    lines = (f"POST {SIGN} HTTP/1.1", "host: b12", "content-type: application/json", f"content-length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def caller(address: str) -> socket.socket:
    """A connection that ends with its context, whatever is still to come."""
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port))


def test_every_line_that_a_server_logs_is_json() -> None:
    with served() as (_, process):
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)

    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert any(event.startswith("Finished server process") for event in events)
