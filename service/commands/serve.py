"""b12-cds serve: who may call is settled before anything listens; then one process or several serve."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Literal

from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from cards.library import Library
from service.clients.client import Client
from service.clients.file import is_loopback, read_clients
from service.clients.trust import Clients
from service.commands import storage
from service.commands.storage import StoreFailed
from service.operations import counting, logs, tracing
from service.rehearsal import has_sandbox
from service.settings import ENV_PREFIX, Settings, WrongSetting, from_environment
from service.store.configured import address

# Calls that are being answered when the service is told to end; none takes longer than what it may fetch.
SECONDS_TO_FINISH = 10
# A process that says nothing for so long is replaced. It says nothing while it starts, and many that start on few cores
# take ten times as long as one alone: those that replace them would take no less. One that hangs is rare and can wait.
SECONDS_OF_SILENCE = 60

_NOBODY = (
    "nobody may call yet. Set B12_CDS_CLIENTS to the path of a clients.toml (docker/clients.example.toml shows how to "
    "add an EHR; b12-cds check-config checks it) and B12_CDS_PUBLIC_URL to the address that EHRs call. To try the "
    "service on this machine without authentication: b12-cds serve --open"
)


def settle(host: str | None, open_to_all: bool) -> Settings:
    """The settings with the arguments of the command line, which reach the server processes in the environment.

    Raises `WrongSetting` where nobody could call, or where anyone could who should not.
    """
    if host is not None:
        os.environ[f"{ENV_PREFIX}HOST"] = host
    if open_to_all:
        os.environ[f"{ENV_PREFIX}OPEN"] = "1"
    settings = from_environment()
    if settings.open and settings.clients:
        raise WrongSetting(f"either --open or B12_CDS_CLIENTS ({settings.clients}), not both")
    if settings.open and not settings.allow_open and not is_loopback(settings.host):
        raise WrongSetting(
            f"--open asks callers for no authentication, and others can reach {settings.host}: listen on 127.0.0.1, or "
            "set B12_CDS_ALLOW_OPEN=1 if something else keeps strangers out"
        )
    if not settings.open and settings.clients is None:
        raise WrongSetting(_NOBODY)
    if settings.otlp_endpoint and not tracing.installed():
        raise WrongSetting("B12_CDS_OTLP_ENDPOINT needs the extra tracing: pip install 'b12-cds[tracing]'")
    return settings


def serve(settings: Settings, library: Library, port: int, workers: int) -> None:
    """Serves until told to end. Raises `service.clients.file.WrongClients`; exits with 3 where it cannot start."""
    clients = read_clients(settings.clients, settings, library) if settings.clients else None
    for line in banner(settings, clients, port):
        print(line, file=sys.stderr, flush=True)
    if settings.migrate == "start":
        try:
            storage.migrate(settings)
        except StoreFailed as failed:
            print(f"store: {failed}; cards are answered without it, feedback is not", file=sys.stderr, flush=True)
    config = configuration(settings, port, workers)
    if workers > 1:
        with counting.together():
            # Without clients no process listens for a hang-up: it would end by one.
            parent = _Supervisor if clients else Multiprocess
            parent(config, sockets=[config.bind_socket()]).run()
        return
    server = Server(config)
    try:
        server.run()
    except KeyboardInterrupt:
        return
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def configuration(settings: Settings, port: int, workers: int) -> Config:
    """How uvicorn is to serve."""
    return Config(
        "service.app:from_settings_in_environment",
        factory=True,
        host=settings.host,
        port=port,
        workers=workers,
        http=_protocol(),
        ws="none",
        access_log=False,
        # Nothing of ours asks for the caller's address, so what a proxy says of it is not read.
        proxy_headers=False,
        server_header=False,
        log_config=logs.configuration(),
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
        timeout_worker_healthcheck=SECONDS_OF_SILENCE,
    )


def _protocol() -> type[asyncio.Protocol] | Literal["auto"]:
    """Who reads requests from the wire: httptools, or what uvicorn has where that cannot be installed."""
    if find_spec("httptools") is None:
        return "auto"
    from service.commands.protocol import HttpOnly

    return HttpOnly


def banner(settings: Settings, clients: Clients | None, port: int) -> Iterator[str]:
    """What an operator sees first: what is served to whom, and what protects it."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    yield (f"B12 CDS: profile {settings.profile}, time zone {settings.zone.key}, http://{host}:{port}/cds-services")
    if clients is None:
        yield "authentication: none, whoever reaches this address may call"
        yield f"sandbox: http://{host}:{port}/" if has_sandbox(settings) else "sandbox: none"
    else:
        yield f"authentication: signed tokens for {settings.public_url}"
        yield f"clients: {', '.join(_described(trust.client) for trust in clients.trusts)}"
    yield f"store: {_described_store(settings)}"
    if not is_loopback(settings.host):
        yield "TLS: none here; patient data need a proxy with TLS in front"


def _described_store(settings: Settings) -> str:
    """Which database holds what this service writes down; neither its user nor its password."""
    url = address(settings)
    return f"PostgreSQL, {url.database} on {url.host}" if settings.database_url else f"SQLite, {url.database}"


def _described(client: Client) -> str:
    modes = Counter(mode for mode in client.rules.values() if mode != client.mode)
    others = "".join(f", rules {mode}: {number}" for mode, number in sorted(modes.items()))
    return f"{client.name} ({client.profile}, {client.mode}{others})"


class _Supervisor(Multiprocess):
    """The parent of several server processes; at a hang-up each of them reads its files again and goes on."""

    def handle_hup(self) -> None:
        """Passes the signal on, where uvicorn would replace each process.

        A process that is just starting may end by it; it is replaced, and its successor reads the new files.
        """
        for process in self.processes:
            if process.pid is not None and process.process.is_alive():
                os.kill(process.pid, signal.SIGHUP)
