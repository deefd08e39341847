"""Brings the tables up to date, one process at a time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, text

from service.store.database import Use, engine
from service.store.revision import MigrationFailed, is_ready

# Any number will do, so long as nothing else locks the same one in this database.
_LOCK = 0xB12C_D5


def migrate(url: URL) -> bool:
    """Brings the database to the newest revision; whether there was anything to do.

    Another process that migrates is waited for; what a newer version of the service has made is left as it is.
    Raises `MigrationFailed`, `sqlalchemy.exc.SQLAlchemyError`, or `OSError` where the folder of the database cannot be
    made.
    """
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    changing = engine(url, Use.CHANGING)
    # On SQLite the transaction itself locks out every other writer.
    with changing.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if is_ready(connection):
            return False
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as fault:
            raise MigrationFailed from fault
    return True


_MIGRATIONS = Path(__file__).parent / "migrations"
