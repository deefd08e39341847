"""Migrations, purges and demo data, as the command line and the start of the service ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from service.store.database import Use, checkpoint, engine, kind_of
from service.store.ledger import CallNoted, FeedbackNoted
from service.store.revision import MigrationFailed
from service.store.rows import delete_some_older, is_empty, milliseconds, write_calls, write_feedback

_T = TypeVar("_T")


class StoreFailed(Exception):
    """The database cannot be used; the message says what kind of fault it was."""


def migrate(url: URL) -> bool:
    """Brings the tables up to date; whether there was anything to do. Raises `StoreFailed`."""
    return _reported(lambda: _brought_up_to_date(url))


def _brought_up_to_date(url: URL) -> bool:
    # Loaded only here: serving needs nothing of it.
    from service.store.migrate import migrate as upgrade

    return upgrade(url)


def purge(url: URL, before: datetime) -> int:
    """Deletes cards, feedback and counts from before then; gives how many rows. Raises `StoreFailed`."""

    def delete_all() -> int:
        deleted = 0
        changing = engine(url, Use.CHANGING)
        while True:
            # A transaction for each step: others write in between.
            with changing.begin() as connection:
                some = delete_some_older(connection, milliseconds(before))
            if not some:
                return deleted
            deleted += some

    deleted = _reported(delete_all)
    checkpoint(url)
    return deleted


def fill(url: URL, calls: Sequence[CallNoted], feedback: Sequence[FeedbackNoted]) -> None:
    """Writes invented calls and feedback into a store that holds none. Raises `StoreFailed`, also for one that does."""

    def write() -> None:
        _brought_up_to_date(url)
        with engine(url, Use.CHANGING).begin() as connection:
            if not is_empty(connection):
                raise StoreFailed("the store holds records already, and demo data would mix with them")
            write_calls(connection, calls)
            write_feedback(connection, [feedback])

    _reported(write)


def _reported(work: Callable[[], _T]) -> _T:
    try:
        return work()
    except (SQLAlchemyError, MigrationFailed, OSError) as fault:
        raise StoreFailed(f"the store cannot be used: {kind_of(fault)}") from None
