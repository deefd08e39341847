"""The databases that the store is tested on: an SQLite file, and a PostgreSQL server that belongs to the tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, NullPool, create_engine, text

_HOST = "127.0.0.1"
_USER = "b12"
# PostgreSQL refuses to run as root.
_ORDINARY_USERS = ("postgres", "nobody")


class Postgres:
    """A PostgreSQL server on a free port, with its data in `folder`; it keeps nothing for the next one."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._data = folder / "data"
        self._log = folder / "log"
        self._as_user = _as_ordinary_user(folder)
        self.port = _free_port()
        # What is lost when the machine fails is lost with the machine; the process may be killed at any time.
        self._run("initdb", "-D", str(self._data), "-U", _USER, "--auth=trust", "--no-sync", "--encoding=UTF8")

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = f"-h {_HOST} -p {self.port} -k '' -F -c max_connections=60"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-w", "-o", options, "start")

    def stop(self) -> None:
        """Stops the server as if it had been killed: every connection is lost at once."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def database(self) -> URL:
        """A new, empty database."""
        name = f"test_{uuid4().hex}"
        maintenance = create_engine(self._url("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with maintenance.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self._url(name)

    def _url(self, name: str) -> URL:
        return URL.create("postgresql+psycopg", _USER, host=_HOST, port=self.port, database=name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._programs / program), *arguments]
        # Not captured: the server would keep the pipe open.
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, cwd="/")
        if done.returncode != 0:
            said = self._log.read_text() if self._log.exists() else ""
            raise RuntimeError(f"{program} ended with status {done.returncode}\n{said[-2000:]}")


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A server of one's own, running. Skips the test where PostgreSQL is not installed; with CI=true it fails."""
    programs = _programs()
    if programs is None:
        reason = "PostgreSQL is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # Not below pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory(prefix="b12-cds-", ignore_cleanup_errors=True) as folder:
        server = Postgres(programs, Path(folder))
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(RuntimeError):
                server.stop()


@cache
def _programs() -> Path | None:
    """The folder of initdb and pg_ctl: Debian keeps them out of the path."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    return installed[-1] if installed else Path(found).resolve().parent if found else None


def _as_ordinary_user(folder: Path) -> list[str]:
    if os.getuid() != 0:
        return []
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next(names[name] for name in _ORDINARY_USERS if name in names)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
