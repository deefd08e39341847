"""What a governance board asks of the store: how often each card was shown, and what became of it, by SQL.

A card counts once, with the last that its own client said of it. Weeks begin on Monday, in UTC. Rehearsals of the
sandbox page are left out unless they are asked for by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Label,
    Select,
    Subquery,
    and_,
    case,
    func,
    or_,
    select,
)

from service.store.ledger import EVALUATED, REHEARSED
from service.store.tables import DAY_MS, FIRST_MONDAY, call_count, card_shown, feedback, rule_count

_WEEK_DAYS = 7
_EPOCH = date(1970, 1, 1)
_SHOWN, _SILENT, _QUIET = "shown", "silent", "quiet"
_COUNTS = ("shown", "accepted", "overridden", "inaccurate", "silent", "quiet")
Key = tuple[Any, ...]


class Asked(NamedTuple):
    """Which cards are asked about: those of whole weeks, from `first` (a Monday) for `weeks`, of one client or of all.

    `inaccurate`: the override reasons that say that a card was wrong.
    """

    first: date
    weeks: int
    client: str | None = None
    inaccurate: frozenset[str] = frozenset()

    @property
    def days(self) -> tuple[int, int]:
        """The first day, and the first day after, counted from 1970."""
        start = (self.first - _EPOCH).days
        return start, start + self.weeks * _WEEK_DAYS

    @property
    def week_days(self) -> tuple[date, ...]:
        """The Monday of each week."""
        return tuple(self.first + timedelta(weeks=number) for number in range(self.weeks))


class Reason(NamedTuple):
    """Why a card was overridden: a code, None when none was given; whether it is one of our own; how often."""

    code: str | None
    own: bool
    times: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the cards of one group.

    `shown` of them were seen, of these `accepted` and `overridden`, `inaccurate` because the card was wrong. `silent`
    were evaluated only, `quiet` kept back after an earlier override. `median_ms`: from being shown to the first answer,
    in milliseconds; None when none was answered.
    """

    shown: int = 0
    accepted: int = 0
    overridden: int = 0
    inaccurate: int = 0
    silent: int = 0
    quiet: int = 0
    median_ms: float | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def answered(self) -> int:
        """How many the EHR said anything of."""
        return self.accepted + self.overridden

    @property
    def unanswered(self) -> int:
        """How many the EHR said nothing of: ignored, or it sends no feedback."""
        return self.shown - self.answered

    @property
    def acceptance(self) -> float | None:
        """The share of the answered that was accepted; silence is no answer."""
        return self.accepted / self.answered if self.answered else None

    @property
    def inaccuracy(self) -> float | None:
        """The share of the overridden that were overridden because the card was wrong."""
        return self.inaccurate / self.overridden if self.overridden else None


class Lacking(NamedTuple):
    """How often a rule was not evaluated for a reason, and the prefetch keys that it lacked."""

    topic: str
    reason: str
    data: tuple[str, ...]
    times: int


class Unrecognised(NamedTuple):
    """Of a client's calls, those with drug codes that no value set knows, and how many codes."""

    client: str
    calls: int
    with_unrecognised: int
    codes: int


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows of the cards asked about.

    The keys of the outcomes: `by_rule` topic; `by_level` topic and level; `by_week` topic and Monday; `by_client`
    client. `checks`: how often each rule was evaluated. `last_raised`: the day of each rule's last card, shown or not,
    whenever it was; `recorded_since`: the first day of which there is any record.
    """

    asked: Asked
    total: Outcome = Outcome()
    by_rule: Mapping[str, Outcome] = field(default_factory=dict)
    by_level: Mapping[tuple[str, str], Outcome] = field(default_factory=dict)
    by_week: Mapping[tuple[str, date], Outcome] = field(default_factory=dict)
    by_client: Mapping[str, Outcome] = field(default_factory=dict)
    checks: Mapping[str, int] = field(default_factory=dict)
    lacking: tuple[Lacking, ...] = ()
    unrecognised: tuple[Unrecognised, ...] = ()
    clients: tuple[str, ...] = ()
    last_raised: Mapping[str, date] = field(default_factory=dict)
    recorded_since: date | None = None


class Row(NamedTuple):
    """The finest grouping: one rule at one level for one client in one week."""

    week: date
    client: str
    topic: str
    level: str
    outcome: Outcome


def report(connection: Connection, asked: Asked) -> Report:
    """What the page shows, from one view of the tables."""
    cards = _cards(asked)
    weeks = _outcomes(connection, cards, asked, "topic", "week")
    return Report(
        asked=asked,
        total=_outcomes(connection, cards, asked).get((), Outcome()),
        by_rule={topic: outcome for (topic,), outcome in _outcomes(connection, cards, asked, "topic").items()},
        by_level=_outcomes(connection, cards, asked, "topic", "level"),
        by_week={(topic, _monday(week)): outcome for (topic, week), outcome in weeks.items()},
        by_client={client: outcome for (client,), outcome in _outcomes(connection, cards, asked, "client").items()},
        checks=_checks(connection, asked),
        lacking=_lacking(connection, asked),
        unrecognised=_unrecognised(connection, asked),
        clients=_clients(connection),
        last_raised=_last_raised(connection, asked),
        recorded_since=_recorded_since(connection, asked),
    )


def rows(connection: Connection, asked: Asked) -> list[Row]:
    """Every rule, level, client and week that had a card, for those who count for themselves."""
    found = _outcomes(connection, _cards(asked), asked, "week", "client", "topic", "level")
    return [
        Row(_monday(week), client, topic, level, outcome)
        for (week, client, topic, level), outcome in sorted(found.items())
    ]


def _cards(asked: Asked) -> Subquery:
    """The cards asked about, one row each, with the last answer and the time to the first."""
    s, f = card_shown.c, feedback.c
    # The sandbox page calls the hooks in a name of its own, and sends feedback as whoever it is.
    about_own_card = and_(f.card == s.card, or_(f.client == s.client, s.client == REHEARSED))
    answers = (
        select(
            s.card,
            f.outcome,
            f.reason,
            f.own_reason,
            func.min(f.outcome_ms).over(partition_by=f.card).label("first_ms"),
            func.row_number().over(partition_by=f.card, order_by=[f.outcome_ms.desc(), f.number.desc()]).label("place"),
        )
        .join(feedback, about_own_card)
        .where(*_within(s.shown_ms, asked, DAY_MS), *_of_client(s.client, asked))
        .subquery("answers")
    )
    a = answers.c
    # The clocks of EHRs go wrong: nobody answers before the card is there.
    waited = case((a.first_ms > s.shown_ms, a.first_ms - s.shown_ms), else_=0)
    return (
        select(
            s.client,
            s.topic,
            s.level,
            s.delivery,
            _week(s.shown_ms // DAY_MS),
            a.outcome,
            a.reason,
            a.own_reason,
            case((a.outcome.is_not(None), waited)).label("waited_ms"),
        )
        .outerjoin(answers, and_(a.card == s.card, a.place == 1))
        .where(*_within(s.shown_ms, asked, DAY_MS), *_of_client(s.client, asked))
        .subquery("cards")
    )


def _outcomes(connection: Connection, cards: Subquery, asked: Asked, *by: str) -> dict[Any, Outcome]:
    c = cards.c
    keys = [c[name] for name in by]
    seen = c.delivery == _SHOWN
    overridden = and_(seen, c.outcome == "overridden")
    counts = {
        "shown": seen,
        "accepted": and_(seen, c.outcome == "accepted"),
        "overridden": overridden,
        "inaccurate": and_(overridden, c.own_reason, c.reason.in_(sorted(asked.inaccurate))),
        "silent": c.delivery == _SILENT,
        "quiet": c.delivery == _QUIET,
    }
    counted = select(*keys, *(func.sum(case((counts[name], 1), else_=0)).label(name) for name in _COUNTS))
    counted = counted.group_by(*keys)
    reasons = _grouped(
        connection,
        select(*keys, c.reason, c.own_reason, func.count().label("times"))
        .where(overridden)
        .group_by(*keys, c.reason, c.own_reason),
        len(by),
    )
    middles = _grouped(connection, _medians(cards, keys), len(by))
    medians = {key: float(middle) for key, ((middle,),) in middles.items() if middle is not None}
    return {
        key: Outcome(
            **{name: int(number) for name, number in zip(_COUNTS, numbers, strict=True)},
            median_ms=medians.get(key),
            reasons=_in_order(Reason(code, bool(own), int(times)) for code, own, times in reasons.get(key, ())),
        )
        for key, (numbers,) in _grouped(connection, counted, len(by)).items()
        # Of no cards at all the sums are empty.
        if numbers[0] is not None
    }


def _medians(cards: Subquery, keys: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """The middle one of the waiting times of each group, or the mean of the two in the middle."""
    c = cards.c
    ranked = (
        select(
            *keys,
            c.waited_ms,
            func.row_number().over(partition_by=keys or None, order_by=c.waited_ms).label("place"),
            func.count().over(partition_by=keys or None).label("many"),
        )
        .where(c.delivery == _SHOWN, c.waited_ms.is_not(None))
        .subquery("ranked")
    )
    r = ranked.c
    own = [r[key.name] for key in keys]
    return select(*own, func.avg(r.waited_ms)).where(r.place.in_(((r.many + 1) // 2, (r.many + 2) // 2))).group_by(*own)


def _grouped(connection: Connection, statement: Select[Any], width: int) -> dict[Key, list[Key]]:
    """The rows by their first `width` columns."""
    found: dict[Key, list[Key]] = {}
    for row in connection.execute(statement):
        found.setdefault(tuple(row[:width]), []).append(tuple(row[width:]))
    return found


def _checks(connection: Connection, asked: Asked) -> dict[str, int]:
    r = rule_count.c
    statement = (
        select(r.topic, func.sum(r.times))
        .where(r.outcome == EVALUATED, *_within(r.day, asked), *_of_client(r.client, asked))
        .group_by(r.topic)
    )
    return {topic: int(times) for topic, times in connection.execute(statement)}


def _lacking(connection: Connection, asked: Asked) -> tuple[Lacking, ...]:
    r = rule_count.c
    statement = (
        select(r.topic, r.outcome, r.data, func.sum(r.times).label("times"))
        .where(r.outcome != EVALUATED, *_within(r.day, asked), *_of_client(r.client, asked))
        .group_by(r.topic, r.outcome, r.data)
        .order_by(func.sum(r.times).desc(), r.topic, r.outcome, r.data)
    )
    return tuple(
        Lacking(topic, reason, tuple(filter(None, data.split(","))), int(times))
        for topic, reason, data, times in connection.execute(statement)
    )


def _unrecognised(connection: Connection, asked: Asked) -> tuple[Unrecognised, ...]:
    c = call_count.c
    statement = (
        select(c.client, func.sum(c.calls), func.sum(c.with_unrecognised), func.sum(c.unrecognised_codes))
        .where(*_within(c.day, asked), *_of_client(c.client, asked))
        .group_by(c.client)
        .order_by(c.client)
    )
    return tuple(Unrecognised(client, *(int(each) for each in rest)) for client, *rest in connection.execute(statement))


def _clients(connection: Connection) -> tuple[str, ...]:
    """Every client of whom there is a record, at whatever time."""
    named = select(call_count.c.client).union(select(card_shown.c.client))
    return tuple(sorted(connection.execute(named).scalars()))


def _last_raised(connection: Connection, asked: Asked) -> dict[str, date]:
    s = card_shown.c
    statement = select(s.topic, func.max(s.shown_ms)).where(*_of_client(s.client, asked)).group_by(s.topic)
    return {topic: _day(last // DAY_MS) for topic, last in connection.execute(statement)}


def _recorded_since(connection: Connection, asked: Asked) -> date | None:
    c = call_count.c
    first = connection.execute(select(func.min(c.day)).where(*_of_client(c.client, asked))).scalar()
    return None if first is None else _day(first)


def _within(column: ColumnElement[int], asked: Asked, unit: int = 1) -> tuple[ColumnElement[bool], ...]:
    start, end = asked.days
    return column >= start * unit, column < end * unit


def _of_client(column: ColumnElement[str], asked: Asked) -> tuple[ColumnElement[bool], ...]:
    return (column != REHEARSED,) if asked.client is None else (column == asked.client,)


def _week(day: ColumnElement[int]) -> Label[int]:
    """The number of the week that a day is in."""
    return ((day - FIRST_MONDAY) // _WEEK_DAYS).label("week")


def _monday(week: int) -> date:
    return _day(week * _WEEK_DAYS + FIRST_MONDAY)


def _day(number: int) -> date:
    return _EPOCH + timedelta(days=int(number))


def _in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda each: (-each.times, each.code or "")))
