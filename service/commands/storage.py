"""b12-cds migrate and b12-cds purge: the care of the store from the command line."""

from __future__ import annotations

from datetime import datetime, timedelta

from service.settings import Settings
from service.store import care
from service.store.care import StoreFailed
from service.store.configured import address

__all__ = ["StoreFailed", "migrate", "purge"]


def migrate(settings: Settings) -> str:
    """Brings the tables up to date and says whether there was anything to do. Raises `StoreFailed`."""
    return "The tables are up to date now." if care.migrate(address(settings)) else "The tables were up to date."


def purge(settings: Settings, days: int, now: datetime) -> str:
    """Deletes what is older than `days` and says how much that was. Raises `StoreFailed`."""
    deleted = care.purge(address(settings), now - timedelta(days=days))
    return f"Deleted {deleted} rows from before {now - timedelta(days=days):%d %b %Y, %H:%M} UTC."
