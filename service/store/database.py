"""Where the store is, and how its databases are spoken to: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event

_SECONDS_TO_CONNECT = 2
_SECONDS_BETWEEN_ASKING = 0.01
_LARGE_LOG_BYTES = 16_000_000


class Use(StrEnum):
    """What a connection is for; each use bounds how long it waits, and what a commit promises.

    QUICK: on the way of a hook call; a commit outlives the process, the last ones may not outlive the machine.
    DURABLE: feedback; a commit outlives the machine. READING: pages. CHANGING: migrations and purges, which may wait.
    """

    QUICK = "quick"
    DURABLE = "durable"
    READING = "reading"
    CHANGING = "changing"


# How long a statement may take, waiting for others included, in milliseconds.
_PATIENCE_MS = {Use.QUICK: 1_000, Use.DURABLE: 2_000, Use.READING: 10_000, Use.CHANGING: 60_000}


def engine(url: URL, use: Use) -> Engine:
    """An engine that opens one connection at a time for this use, and keeps none."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, use)
    patience = _PATIENCE_MS[use]
    commit = "off" if use is Use.QUICK else "on"
    return create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={
            "application_name": "b12-cds",
            "connect_timeout": _SECONDS_TO_CONNECT,
            "options": f"-c statement_timeout={patience} -c lock_timeout={patience} -c synchronous_commit={commit}",
            # A server that vanished without a word is noticed.
            "tcp_user_timeout": patience,
        },
    )


def _sqlite(url: URL, use: Use) -> Engine:
    made = create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        # Transactions begin where we say so, below; a connection passes from the thread of start to its own.
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": _PATIENCE_MS[use] / 1000},
    )

    @event.listens_for(made, "connect")
    def _set_up(connection: sqlite3.Connection, _: Any) -> None:
        _write_ahead(connection, _PATIENCE_MS[use] / 1000)
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if use is Use.QUICK else 'FULL'}")
        if use is Use.QUICK:
            # A checkpoint waits for the disk: `Use.DURABLE` makes them.
            connection.execute("PRAGMA wal_autocheckpoint = 0")

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and then writes would otherwise be refused when another wrote in between.
        connection.exec_driver_sql("BEGIN" if use is Use.READING else "BEGIN IMMEDIATE")

    return made


def _write_ahead(connection: sqlite3.Connection, patience: float) -> None:
    """Turns the write-ahead log on.

    While another connection does the same in a new file SQLite refuses at once, whatever the timeout, so it is asked
    again for `patience` seconds.
    """
    last = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= last:
                raise
            time.sleep(_SECONDS_BETWEEN_ASKING)


def checkpoint(url: URL, large_log_bytes: int = _LARGE_LOG_BYTES) -> None:
    """Moves what was written from SQLite's log into its main file, so that the log does not grow without end."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    log = Path(f"{url.database}-wal")
    with suppress(sqlite3.Error, OSError), closing(sqlite3.connect(url.database, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if log.stat().st_size > large_log_bytes:
            # Under unbroken load the log begins anew only when writers are held up for the rest of it.
            connection.execute("PRAGMA wal_checkpoint(RESTART)")


def kind_of(fault: Exception) -> str:
    """What a fault of the database was, for the log: names and codes, never its text, which may quote values."""
    cause = getattr(fault, "orig", None)
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    kind = type(cause or fault).__name__
    return f"{kind} {name}" if name else kind
