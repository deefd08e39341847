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


def test_a_caller_who_hangs_up_costs_nobody_anything() -> None:
    body = json.dumps(order_sign(FOLIC_ACID)).encode()
    head = f"POST {SIGN} HTTP/1.1\r\nhost: b12\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    hung_up = 'b12_cds_calls_total{hook="order-sign",status="499"}'
    with served() as (address, process):
        parts = urlsplit(address)
        for sent in (head.encode(), head.encode() + body[:100], head.encode() + body):
            with socket.create_connection((parts.hostname, parts.port)) as caller:
                caller.sendall(sent)
        with connected(address) as ehr:
            pages = (ehr.get("/metrics").text for _ in range(1_000))
            noticed = any(counted(page, hung_up) == 2 for page in pages)
            answered = ehr.post(SIGN, json=calls.order_sign())
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)

    assert noticed
    assert answered.status_code == httpx.codes.OK
    assert "Traceback" not in said
    assert "fault" not in said


def test_every_line_that_a_server_logs_is_json() -> None:
    with served() as (_, process):
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)

    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert any(event.startswith("Finished server process") for event in events)
