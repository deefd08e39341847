"""Writes the tables, in one SQL for both databases; every function runs inside a transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from service.store.ledger import EVALUATED, CallNoted, FeedbackNoted
from service.store.tables import DAY_MS, call_count, card_shown, feedback, rule_count, token_used

# How many rows one statement may delete: a longer one would keep others from writing.
_AT_ONCE = 1_000


class TokenUse(NamedTuple):
    """A token by the digest of its issuer and id, and when it expires, in milliseconds since 1970."""

    digest: bytes
    expires_ms: int


def milliseconds(when: datetime) -> int:
    """Whole milliseconds since 1970 in UTC; `when` has a time zone."""
    return int(when.timestamp() * 1000)


def write_token_uses(connection: Connection, uses: Sequence[TokenUse]) -> list[bool]:
    """Writes tokens down; for each, whether it had not been used before."""
    if connection.dialect.name != "sqlite":
        return _write_in_one_statement(connection, uses)
    # Every call waits for this: SQLAlchemy makes the statement once, and does not stand between it and the driver.
    cursor = connection.connection.cursor()
    try:
        return [cursor.execute(_SQLITE_TOKEN, use).rowcount == 1 for use in uses]
    finally:
        cursor.close()


_SQLITE_TOKEN = str(sqlite.insert(token_used).on_conflict_do_nothing().compile(dialect=sqlite.dialect()))


def _write_in_one_statement(connection: Connection, uses: Sequence[TokenUse]) -> list[bool]:
    """The same for a database behind a network, where each statement is a journey."""
    earliest: dict[bytes, int] = {}
    for place, use in enumerate(uses):
        earliest.setdefault(use.digest, place)
    statement = _unless_there(connection.dialect.name, token_used).returning(token_used.c.digest)
    # In the same order in every process, so that no two wait for each other.
    rows = [uses[earliest[digest]]._asdict() for digest in sorted(earliest)]
    new = {bytes(digest) for digest in connection.execute(statement, rows).scalars()}
    return [use.digest in new and earliest[use.digest] == place for place, use in enumerate(uses)]


def write_feedback(connection: Connection, calls: Sequence[Sequence[FeedbackNoted]]) -> list[None]:
    """Writes the entries of several calls down; an entry that stands there already is left as it is."""
    rows = [_feedback_row(entry) for entries in calls for entry in entries]
    if rows:
        connection.execute(_unless_there(connection.dialect.name, feedback), rows)
    return [None] * len(calls)


def write_calls(connection: Connection, calls: Sequence[CallNoted]) -> None:
    """Writes the cards of calls down and adds to the counts."""
    if cards := [row for call in calls for row in _card_rows(call)]:
        connection.execute(_unless_there(connection.dialect.name, card_shown), cards)
    _add(connection, call_count, _call_counts(calls))
    _add(connection, rule_count, _rule_counts(calls))


def overridden_since(connection: Connection, memories: Iterable[bytes], since_ms: int) -> frozenset[bytes]:
    """Those of `memories` whose card the client that had been shown it overrode since then."""
    statement = (
        select(card_shown.c.memory)
        .distinct()
        .join(feedback, (feedback.c.card == card_shown.c.card) & (feedback.c.client == card_shown.c.client))
        .where(
            card_shown.c.memory.in_(list(memories)),
            feedback.c.outcome == "overridden",
            feedback.c.received_ms >= since_ms,
        )
    )
    return frozenset(bytes(memory) for memory in connection.execute(statement).scalars())


def is_empty(connection: Connection) -> bool:
    """Whether no call and no feedback was ever written down, or all were deleted."""
    return not any(connection.execute(select(table).limit(1)).first() for table in (card_shown, call_count, feedback))


def delete_expired_tokens(connection: Connection, now_ms: int) -> int:
    """Deletes some of the tokens that have expired; gives how many."""
    return _delete_some(connection, token_used, token_used.c.digest, token_used.c.expires_ms < now_ms)


def delete_some_older(connection: Connection, before_ms: int) -> int:
    """Deletes some of the cards, feedback and counts from before then; gives how many: 0 when none is left."""
    deleted = _delete_some(connection, card_shown, card_shown.c.card, card_shown.c.shown_ms < before_ms)
    deleted += _delete_some(connection, feedback, feedback.c.number, feedback.c.received_ms < before_ms)
    for table in (call_count, rule_count):
        deleted += connection.execute(delete(table).where(table.c.day < before_ms // DAY_MS)).rowcount
    return deleted


def _delete_some(connection: Connection, table: Table, key: Column[Any], condition: Any) -> int:
    some = select(key).where(condition).limit(_AT_ONCE)
    return connection.execute(delete(table).where(key.in_(some))).rowcount


def _card_rows(call: CallNoted) -> Iterable[dict[str, Any]]:
    for shown in call.cards:
        yield {
            "card": shown.card,
            "shown_ms": milliseconds(call.at),
            "client": call.client,
            "hook": call.hook,
            "topic": shown.topic,
            "version": shown.version,
            "level": shown.level,
            "variant": shown.variant,
            "delivery": shown.delivery,
            "memory": shown.memory,
        }


def _feedback_row(entry: FeedbackNoted) -> dict[str, Any]:
    return {
        "digest": entry.digest,
        "card": entry.card,
        "client": entry.client,
        "service": entry.service,
        "outcome": entry.outcome,
        "outcome_ms": milliseconds(entry.outcome_at),
        "received_ms": milliseconds(entry.received),
        "suggestions": entry.suggestions,
        "reason": entry.reason,
        "own_reason": entry.own_reason,
        "comment": entry.comment,
    }


def _call_counts(calls: Sequence[CallNoted]) -> dict[tuple[Any, ...], Counter[str]]:
    counts: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for call in calls:
        count = counts[_bucket(call)]
        count["calls"] += 1
        if call.unrecognised_codes:
            count["with_unrecognised"] += 1
            count["unrecognised_codes"] += call.unrecognised_codes
    return counts


def _rule_counts(calls: Sequence[CallNoted]) -> dict[tuple[Any, ...], Counter[str]]:
    counts: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for call in calls:
        if not (call.evaluated or call.gaps):
            continue
        bucket = _bucket(call)
        for topic in call.evaluated:
            counts[*bucket, topic, EVALUATED, ""]["times"] += 1
        for gap in call.gaps:
            counts[*bucket, gap.topic, gap.reason, ",".join(gap.data)]["times"] += 1
    return counts


def _bucket(call: CallNoted) -> tuple[int, str, str]:
    return milliseconds(call.at) // DAY_MS, call.client, call.hook


def _add(connection: Connection, table: Table, counts: Mapping[tuple[Any, ...], Counter[str]]) -> None:
    """Adds to the numbers that stand under the keys of `table`."""
    if not counts:
        return
    keys, numbers, statement = _adding(connection.dialect.name, table)
    # In the same order in every process, so that no two wait for each other.
    rows = [
        {**dict(zip(keys, key, strict=True)), **{name: count[name] for name in numbers}}
        for key, count in sorted(counts.items())
    ]
    connection.execute(statement, rows)


@cache
def _adding(dialect: str, table: Table) -> tuple[list[str], list[str], Any]:
    """The keys and the numbers of a table of counts, and the statement that adds to the numbers."""
    keys = [column.name for column in table.primary_key]
    numbers = [column.name for column in table.columns if column.name not in keys]
    statement = _insert(dialect, table)
    added = {name: table.c[name] + statement.excluded[name] for name in numbers}
    return keys, numbers, statement.on_conflict_do_update(index_elements=keys, set_=added)


@cache
def _unless_there(dialect: str, table: Table) -> Any:
    """An INSERT that leaves alone what stands there already."""
    return _insert(dialect, table).on_conflict_do_nothing()


def _insert(dialect: str, table: Table) -> Any:
    """An INSERT that may say what is to happen when its key is taken; both databases know it, the standard does not."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
