"""A real server process: it starts, answers over a socket, and ends when told to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.service.calls import SIGN, VIEW, order_sign


@contextmanager
def served(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a server on a free port, and its process, which is ended afterwards if it still runs."""
    command = [sys.executable, "-m", "service", "serve", "--open", "--port", "0", *arguments]
    with (
        tempfile.TemporaryDirectory() as data,
        subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "B12_CDS_DATA_DIR": data}
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
