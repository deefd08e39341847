"""Every test of the store runs on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, delete

from service.store.database import Use, engine
from service.store.migrate import migrate
from service.store.tables import metadata
from tests.databases import Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL server that stays up."""
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """A database without tables."""
    if request.param == "postgresql":
        running: Postgres = request.getfixturevalue("server")
        return running.database()
    return sqlite_in(tmp_path)


@pytest.fixture(scope="session")
def emptied(server: Postgres) -> URL:
    """A PostgreSQL database with its tables, which are emptied for each test: making a new one takes longer."""
    made = server.database()
    migrate(made)
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """A database with its tables, which are empty."""
    if request.param == "postgresql":
        prepared: URL = request.getfixturevalue("emptied")
        with engine(prepared, Use.CHANGING).begin() as connection:
            for table in metadata.tables.values():
                connection.execute(delete(table))
        return prepared
    made = sqlite_in(tmp_path)
    migrate(made)
    return made


def sqlite_in(folder: Path) -> URL:
    """An SQLite database in `folder`."""
    return URL.create("sqlite", database=str(folder / "b12-cds.sqlite"))
