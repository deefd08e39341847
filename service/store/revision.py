"""Whether the tables are up to date, found out without Alembic, which only migrations need: it takes 10 MB."""

from __future__ import annotations

from sqlalchemy import Connection, column, inspect, select, table

# Every revision of `migrations`, oldest first.
REVISIONS = ("0001",)
_version = table("alembic_version", column("version_num"))


class MigrationFailed(Exception):
    """The tables could not be brought up to date."""


def is_ready(connection: Connection) -> bool:
    """Whether the tables are those of this version of the service, or of a newer one."""
    if not inspect(connection).has_table(_version.name):
        return False
    revision = connection.execute(select(_version.c.version_num)).scalar()
    return revision is not None and (revision == REVISIONS[-1] or revision not in REVISIONS)
