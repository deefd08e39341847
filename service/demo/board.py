"""Half a year of invented cards and answers, so that the governance page can be seen alive; nobody's data."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from cards.library import Library, RuleFolder
from cards.record import Source
from cards.rule import Hook
from service.store.ledger import CallNoted, CardShown, Delivery, FeedbackNoted, Gap

_WEEKS = 26
_SEED = 1926  # the year in which Minot and Murphy treated pernicious anaemia with liver
_SYSTEM_REASON = "17"

# What a board should find: a rule that nobody follows, one whose data are often not so, one that has become loud since
# last week, and one that died.
_DISLIKED = "b12-monitoring"
_MISTAKEN = "cobalamin-allergy"
_LOUD = "duplicate-cobalamin"
_DEAD = "leber-cyanocobalamin"
_DEAD_FOR = timedelta(days=100)
_LOUD_BEFORE, _LOUD_NOW = 0.2, 0.55


class _Site(NamedTuple):
    """A client: how many calls on a working day, how many of its cards it tells of, and since when it takes part."""

    name: str
    calls: int
    tells: float
    weeks: int
    delivery: Delivery = "shown"


_SITES = (
    _Site("general-hospital", 46, 0.82, _WEEKS),
    _Site("north-clinic", 24, 0.55, _WEEKS),
    _Site("new-practice", 12, 0.0, 5, "silent"),
)
_HOOKS = (Hook.ORDER_SIGN, Hook.ORDER_SELECT, Hook.PATIENT_VIEW)
_HOOK_WEIGHTS = (5, 2, 4)
# In what share of its evaluations a rule has a card, what share of the answered is accepted, after how many seconds.
_LIVELINESS = 0.25
_ACCEPTED = {"critical": 0.68, "warning": 0.44, "info": 0.27}
_SECONDS = {"critical": 14.0, "warning": 9.0, "info": 6.0}


def half_a_year(library: Library, now: datetime) -> tuple[list[CallNoted], list[FeedbackNoted]]:
    """The calls of half a year that end `now`, and the answers to their cards; the same ones for the same moment."""
    invented = _Invented(library, now)
    calls = list(invented.calls())
    return calls, invented.answers


class _Invented:
    def __init__(self, library: Library, now: datetime) -> None:
        self._chance = random.Random(_SEED)  # noqa: S311 - no secret
        self._folders = library.folders
        self._now = now
        self.answers: list[FeedbackNoted] = []

    def calls(self) -> Iterator[CallNoted]:
        """One after the other, site by site."""
        for site in _SITES:
            for number in range(site.weeks * 7):
                morning = (self._now - timedelta(days=number)).replace(hour=8, minute=0, second=0, microsecond=0)
                quiet_day = morning.weekday() >= 5
                for _ in range(self._about(site.calls * (0.15 if quiet_day else 1))):
                    at = morning + timedelta(seconds=self._chance.betavariate(2, 2.4) * 36_000)
                    if at <= self._now:
                        yield self._call(site, at)

    def _call(self, site: _Site, at: datetime) -> CallNoted:
        [hook] = self._chance.choices(_HOOKS, _HOOK_WEIGHTS)
        possible = [topic for topic, folder in self._folders.items() if hook in folder.definition.hooks]
        asked = self._chance.sample(possible, min(len(possible), self._chance.choice((2, 3, 4, 5))))
        lacking = [topic for topic in asked if self._chance.random() < 0.05]
        evaluated = tuple(topic for topic in asked if topic not in lacking)
        raised = [topic for topic in evaluated if self._speaks(topic, at)]
        return CallNoted(
            at=at,
            client=site.name,
            hook=hook.value,
            cards=tuple(self._card(site, topic, at) for topic in raised),
            evaluated=evaluated,
            gaps=tuple(self._gap(topic) for topic in lacking),
            unrecognised_codes=self._chance.choice((1, 1, 2, 4)) if self._chance.random() < 0.03 else 0,
        )

    def _speaks(self, topic: str, at: datetime) -> bool:
        age = self._now - at
        if topic == _DEAD and age < _DEAD_FOR:
            return False
        often = _LIVELINESS * (0.25 + _own(topic))
        monday = (self._now - timedelta(days=self._now.weekday())).date()
        if topic == _LOUD:
            often = _LOUD_NOW if at.date() >= monday - timedelta(weeks=1) else _LOUD_BEFORE
        return self._chance.random() < often

    def _card(self, site: _Site, topic: str, at: datetime) -> CardShown:
        definition = self._folders[topic].definition
        variant = self._chance.choice(sorted(definition.levels))
        level = definition.level(variant, "uk").value
        card = UUID(int=self._chance.getrandbits(128), version=4)
        if site.delivery == "shown" and self._chance.random() < site.tells:
            self.answers.append(self._answer(site, self._folders[topic], card, level, at))
        return CardShown(card, topic, definition.version, level, variant, site.delivery)

    def _answer(self, site: _Site, folder: RuleFolder, card: UUID, level: str, at: datetime) -> FeedbackNoted:
        topic = folder.definition.topic
        share = 0.05 if topic == _DISLIKED else _ACCEPTED[level] * (0.8 + 0.4 * _own(topic))
        outcome: Literal["accepted", "overridden"] = "accepted" if self._chance.random() < share else "overridden"
        seconds = self._chance.lognormvariate(math.log(_SECONDS[level]), 0.8)
        reason, own = (None, False) if outcome == "accepted" else self._reason(folder)
        answered = at + timedelta(seconds=seconds)
        return FeedbackNoted(
            digest=hashlib.sha256(card.bytes).digest(),
            client=site.name,
            service=f"b12-{sorted(folder.definition.hooks)[0]}",
            outcome=outcome,
            outcome_at=answered,
            received=answered,
            card=card,
            suggestions=int(outcome == "accepted"),
            reason=reason,
            own_reason=own,
        )

    def _reason(self, folder: RuleFolder) -> tuple[str | None, bool]:
        drawn = self._chance.random()
        if drawn < 0.14:
            return None, False
        if drawn < 0.18:
            return _SYSTEM_REASON, False
        codes = list(folder.definition.card.override_reasons)
        if folder.definition.topic == _MISTAKEN:
            return ("inaccurate" if self._chance.random() < 0.3 else self._chance.choice(codes)), True
        # The first reason is the commonest legitimate one; of those that doubt the data there are few.
        return self._chance.choices(codes, [0.5**place for place in range(len(codes))])[0], True

    def _gap(self, topic: str) -> Gap:
        definition = self._folders[topic].definition
        sources = sorted(source.value for source in (*definition.needs, *definition.uses)) or [Source.PATIENT.value]
        [reason] = self._chance.choices(("missing", "failed", "truncated", "unknown-unit"), (6, 3, 2, 1))
        return Gap(topic, reason, ("labs",) if reason == "unknown-unit" else (self._chance.choice(sources),))

    def _about(self, number: float) -> int:
        return max(0, round(self._chance.gauss(number, math.sqrt(number))))


def _own(topic: str) -> float:
    """A number from 0 to 1 that each rule has for itself."""
    return hashlib.sha256(topic.encode()).digest()[0] / 255
