"""The two servers under load, each one process of its own, and the memory that they take."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
PROJECT = Path(__file__).resolve().parents[2]
_SECONDS_TO_START = 90.0
_SECONDS_TO_ANSWER = 30.0
_SECONDS_TO_STOP = 5.0
_SETTINGS = "B12_CDS_"
# A service that is measured has been started before: its first start makes the tables of the store.
_ONCE = ["-m", "service", "migrate"]


class ServerFailed(Exception):
    """A server did not start or does not answer; the message says which and what it wrote last."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server process that answers on `port` of this machine."""

    name: str
    port: int
    process_id: int

    def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Posts `body` once; gives the status and the body of the answer. Raises `OSError`."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_SECONDS_TO_ANSWER)
        try:
            connection.request("POST", path, body, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def processor_seconds(self) -> float:
        """The processor time that it took so far with all its processes; 0 where the system hides it."""
        return sum(each.used for each in processes(self.process_id))

    def peak_memory(self) -> float | None:
        """The most memory that was ever resident, in MB (10^6 bytes); None where the system hides it."""
        try:
            status = Path(f"/proc/{self.process_id}/status").read_text(encoding="utf-8")
        except OSError:
            return None
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
        return int(found[1]) * 1024 / 1e6 if found else None


class Process(NamedTuple):
    """A process by its id: seconds of processor time, and MB held, of which what two share counts for both."""

    name: str
    used: float
    held: float


def processes(session: int) -> Iterator[Process]:
    """Each process of a session; none where the system hides them."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            yield Process(status.parent.name, used, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6)


@contextmanager
def service(workers: int = 1, **settings: str) -> Iterator[Server]:
    """The service as it is delivered, with its default settings but for those given; open unless clients are."""
    port = _free_port()
    command = ["-m", "service", "serve", "--host", HOST, "--port", str(port), "--workers", str(workers)]
    if "CLIENTS" not in settings:
        command.append("--open")
    with _running(
        "service", command, port, {f"{_SETTINGS}{name}": value for name, value in settings.items()}, _ONCE
    ) as server:
        yield server


@contextmanager
def baseline() -> Iterator[Server]:
    """The FastAPI app of `tests.bench.baseline` on the same server software."""
    with _app("baseline", "tests.bench.baseline:app") as server:
        yield server


@contextmanager
def bare() -> Iterator[Server]:
    """The service of `tests.bench.bare` on the same server software."""
    with _app("bare service", "tests.bench.bare:app") as server:
        yield server


@contextmanager
def fhir_server() -> Iterator[Server]:
    """The FHIR server of `tests.bench.fhir`."""
    with _app("FHIR server", "tests.bench.fhir:app") as server:
        yield server


@contextmanager
def _app(name: str, app: str) -> Iterator[Server]:
    port = _free_port()
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    with _running(name, ["-m", "uvicorn", app, "--host", HOST, "--port", str(port), *options], port) as server:
        yield server


@contextmanager
def _running(
    name: str,
    command: list[str],
    port: int,
    settings: Mapping[str, str] | None = None,
    beforehand: list[str] | None = None,
) -> Iterator[Server]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_SETTINGS)}
    environment |= settings or {}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as data:
        environment["B12_CDS_DATA_DIR"] = data
        if beforehand:
            subprocess.run([sys.executable, *beforehand], cwd=PROJECT, env=environment, stdout=output, check=True)
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=PROJECT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            if not _answers(process, port):
                output.seek(0)
                last = output.read()[-2000:].decode(errors="replace").strip()
                raise ServerFailed(f"The {name} did not start.\n{last}")
            yield Server(name, port, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Waits until the server is ready; False when it ended or took too long."""
    give_up = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < give_up:
        connection = http.client.HTTPConnection(HOST, port, timeout=_SECONDS_TO_START)
        try:
            connection.request("GET", "/cds-services")
            if connection.getresponse().status == 200:
                return True
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
