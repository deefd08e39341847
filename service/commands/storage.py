"""b12-cds migrate, purge and demo-data: the care of the store from the command line."""

from __future__ import annotations

from datetime import datetime, timedelta

from cards.library import Library
from service.demo import board
from service.settings import Settings
from service.store import care
from service.store.care import StoreFailed
from service.store.configured import address

__all__ = ["StoreFailed", "demo_data", "migrate", "purge"]


def migrate(settings: Settings) -> str:
    """Brings the tables up to date and says whether there was anything to do. Raises `StoreFailed`."""
    return "The tables are up to date now." if care.migrate(address(settings)) else "The tables were up to date."


def purge(settings: Settings, days: int, now: datetime) -> str:
    """Deletes what is older than `days` and says how much that was. Raises `StoreFailed`."""
    deleted = care.purge(address(settings), now - timedelta(days=days))
    return f"Deleted {deleted} rows from before {now - timedelta(days=days):%d %b %Y, %H:%M} UTC."


def demo_data(settings: Settings, library: Library, now: datetime) -> str:
    """Fills an empty store with half a year of invented cards and says what was written. Raises `StoreFailed`."""
    calls, feedback = board.half_a_year(library, now)
    care.fill(address(settings), calls, feedback)
    cards = sum(len(call.cards) for call in calls)
    return (
        f"Wrote {len(calls):,} invented calls with {cards:,} cards and {len(feedback):,} answers. "
        "b12-cds serve --open shows them at http://127.0.0.1:8000/governance."
    )
