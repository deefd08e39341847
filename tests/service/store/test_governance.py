"""The numbers of the governance view: counted by SQL, and once more from what was written down, without it."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import URL

from service.store import governance
from service.store.governance import Asked, Lacking, Outcome, Reason, Unrecognised
from service.store.ledger import REHEARSED, CallNoted, CardShown, Delivery, FeedbackNoted, Gap
from service.store.store import Store
from tests.service.store.stored import store_at

pytestmark = pytest.mark.anyio
MONDAY = date(2026, 8, 31)
WEEKS = 12
INACCURATE = frozenset({"given-elsewhere", "allergy-not-confirmed"})
ASKED = Asked(MONDAY, WEEKS, inaccurate=INACCURATE)
TOPICS = ("folate-before-b12", "missed-maintenance-dose", "buttock-injection-site")
REASONS = ("given-elsewhere", "patient-choice", "allergy-not-confirmed", "their-own", None)


class Given(NamedTuple):
    """A card as it was shown, and what was said of it, in the order in which it arrived."""

    card: UUID
    at: datetime
    client: str
    topic: str
    level: str
    delivery: Delivery
    said: tuple[FeedbackNoted, ...]

    @property
    def heard(self) -> list[FeedbackNoted]:
        """What its own client said; of the sandbox's cards whoever uses it."""
        return [each for each in self.said if each.client == self.client or self.client == REHEARSED]

    @property
    def last(self) -> FeedbackNoted | None:
        """The answer that counts: the latest, and of two at the same moment the one that came later."""
        return max(reversed(self.heard), key=lambda each: each.outcome_at, default=None)

    @property
    def waited_ms(self) -> float | None:
        """From being shown to the first answer; nobody answers before that."""
        if not self.heard:
            return None
        first = min(each.outcome_at for each in self.heard)
        return max(0.0, round((first - self.at).total_seconds() * 1000))

    @property
    def week(self) -> date:
        """Its Monday."""
        return self.at.date() - timedelta(days=self.at.weekday())


def answer(card: UUID, client: str, at: datetime, chance: random.Random, number: int) -> FeedbackNoted:
    """An answer some seconds later; now and then by a clock that goes wrong."""
    reason = chance.choice(REASONS)
    accepted = chance.random() < 0.4
    return FeedbackNoted(
        digest=card.bytes + number.to_bytes(16, "big"),
        client=client,
        service="b12-order-sign",
        outcome="accepted" if accepted else "overridden",
        outcome_at=at + timedelta(milliseconds=chance.choice([-60_000, 2_000, 9_000, 40_000]) + chance.randrange(1000)),
        received=at + timedelta(days=1),
        card=card,
        reason=None if accepted else reason,
        own_reason=not accepted and reason not in (None, "their-own"),
    )


def some(number: int, chance: random.Random) -> Given:
    """One card of about four months, three weeks of them before the weeks that are asked about."""
    card = UUID(int=number)
    start = datetime.combine(MONDAY, datetime.min.time(), UTC)
    at = start + timedelta(minutes=chance.randrange(-30_000, 130_000))
    client = chance.choice(["north", "north", "south", REHEARSED])
    speaker = "open" if client == REHEARSED else client
    said = [answer(card, speaker, at, chance, place) for place in range(chance.choice([0, 1, 1, 2, 3]))]
    if client != REHEARSED and chance.random() < 0.2:
        said.append(answer(card, "stranger", at, chance, 9))
    level, topic = chance.choice(["info", "warning", "critical"]), chance.choice(TOPICS)
    deliveries: Sequence[Delivery] = ("shown", "shown", "shown", "silent", "quiet")
    return Given(card, at, client, topic, level, chance.choice(deliveries), tuple(said))


async def write(store: Store, cards: Sequence[Given]) -> None:
    """Has the store write them down as it does in service."""
    for each in cards:
        shown = CardShown(each.card, each.topic, 1, each.level, "variant", each.delivery)
        store.note(CallNoted(each.at, each.client, "order-sign", (shown,), (each.topic,)))
    await store.keep([entry for each in cards for entry in each.said])
    await store.flush()


def by_hand(cards: Iterable[Given], by: Callable[[Given], Any]) -> dict[Any, Outcome]:
    """What became of each group, without a database."""
    groups: dict[Any, list[Given]] = defaultdict(list)
    for each in cards:
        groups[by(each)].append(each)
    return {key: outcome(group) for key, group in groups.items()}


def outcome(group: Sequence[Given]) -> Outcome:
    shown = [each for each in group if each.delivery == "shown"]
    lasts = [each.last for each in shown]
    overridden = [last for last in lasts if last and last.outcome == "overridden"]
    waits = [each.waited_ms for each in shown if each.waited_ms is not None]
    reasons = Counter((last.reason, last.own_reason) for last in overridden)
    return Outcome(
        shown=len(shown),
        accepted=sum(last is not None and last.outcome == "accepted" for last in lasts),
        overridden=len(overridden),
        inaccurate=sum(last.reason in INACCURATE and last.own_reason for last in overridden),
        silent=sum(each.delivery == "silent" for each in group),
        quiet=sum(each.delivery == "quiet" for each in group),
        median_ms=float(median(waits)) if waits else None,
        reasons=tuple(
            Reason(code, own, times)
            for (code, own), times in sorted(reasons.items(), key=lambda each: (-each[1], each[0][0] or ""))
        ),
    )


@pytest.fixture(scope="module")
def cards() -> list[Given]:
    """Some hundred cards, always the same ones."""
    chance = random.Random(12)  # noqa: S311 - no secret
    return [some(number, chance) for number in range(1, 701)]


def asked_about(cards: Iterable[Given], client: str | None = None) -> list[Given]:
    last = MONDAY + timedelta(weeks=WEEKS)
    return [
        each
        for each in cards
        if MONDAY <= each.at.date() < last and (each.client == client if client else each.client != REHEARSED)
    ]


async def test_the_numbers_are_those_that_one_counts_by_hand(url: URL, cards: list[Given]) -> None:
    async with store_at(url).running() as store:
        await write(store, cards)
        found = await store.read(partial(governance.report, asked=ASKED))
        rows = await store.read(partial(governance.rows, asked=ASKED))
        others = {
            client: await store.read(partial(governance.report, asked=ASKED._replace(client=client)))
            for client in ("south", REHEARSED, "nobody")
        }

    counted = asked_about(cards)
    assert 300 < len(counted) < len(cards)
    assert found.total == outcome(counted)
    assert found.by_rule == by_hand(counted, lambda each: each.topic)
    assert found.by_level == by_hand(counted, lambda each: (each.topic, each.level))
    assert found.by_week == by_hand(counted, lambda each: (each.topic, each.week))
    assert found.by_client == by_hand(counted, lambda each: each.client)
    assert found.checks == Counter(each.topic for each in counted)
    assert {row[:4]: row.outcome for row in rows} == by_hand(
        counted, lambda each: (each.week, each.client, each.topic, each.level)
    )
    assert list(rows) == sorted(rows, key=lambda row: row[:4])
    assert others["south"].by_level == by_hand(asked_about(cards, "south"), lambda each: (each.topic, each.level))
    assert others[REHEARSED].total == outcome(asked_about(cards, REHEARSED))
    assert others["nobody"].total == Outcome()
    assert found.clients == ("north", REHEARSED, "south")


async def test_the_last_card_of_a_rule_and_the_first_record_are_known_whenever_they_were(
    url: URL, cards: list[Given]
) -> None:
    async with store_at(url).running() as store:
        await write(store, cards)
        found = await store.read(partial(governance.report, asked=ASKED._replace(weeks=1)))

    real = [each for each in cards if each.client != REHEARSED]
    last = {topic: max(each.at for each in real if each.topic == topic).date() for topic in TOPICS}
    assert found.last_raised == last
    assert found.recorded_since == min(each.at for each in real).date()


async def test_what_was_not_evaluated_and_not_recognised_is_added_up(url: URL) -> None:
    noon = datetime.combine(MONDAY, datetime.min.time(), UTC) + timedelta(hours=12)
    labs, both = Gap(TOPICS[0], "missing", ("labs",)), Gap(TOPICS[0], "failed", ("doses", "labs"))
    calls = [
        CallNoted(noon, "north", "order-sign", gaps=(labs, both), unrecognised_codes=3),
        CallNoted(noon + timedelta(days=3), "south", "patient-view", gaps=(labs,)),
        CallNoted(noon + timedelta(weeks=5), "north", "order-sign", gaps=(labs,), unrecognised_codes=1),
        CallNoted(noon - timedelta(days=1), "north", "order-sign", gaps=(labs,), unrecognised_codes=9),
        CallNoted(noon + timedelta(weeks=WEEKS), "north", "order-sign", gaps=(labs,), unrecognised_codes=9),
        CallNoted(noon, REHEARSED, "order-sign", gaps=(labs,), unrecognised_codes=9),
    ]
    async with store_at(url).running() as store:
        for call in calls:
            store.note(call)
        await store.flush()
        found = await store.read(partial(governance.report, asked=ASKED))

    assert found.lacking == (
        Lacking(TOPICS[0], "missing", ("labs",), 3),
        Lacking(TOPICS[0], "failed", ("doses", "labs"), 1),
    )
    assert found.unrecognised == (Unrecognised("north", 2, 2, 4), Unrecognised("south", 1, 0, 0))


async def test_an_empty_store_has_nothing_to_say(url: URL) -> None:
    async with store_at(url).running() as store:
        found = await store.read(partial(governance.report, asked=ASKED))

    assert found == governance.Report(ASKED)
