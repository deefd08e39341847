"""When a dose is to be taken, in the words of prescribers: "every 12 weeks", "q3m", "alternate days", "3/52".

A text is read once from left to right into phrases, each with its place; phrases make up the phases of a regimen. What
speaks of time and is none of the phrases, or contradicts them, is never guessed: it makes its phase unread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from cards.calendar import average_days
from cards.fact import fact
from cards.memory import remembered
from cards.record import Period, Repeat
from service.fhir.timing_phrases import Kind, Phrase, each_one, is_plausible, phrases_of
from service.fhir.timing_tokens import UNITS, Tokens, tokens


class Span(NamedTuple):
    """A piece of a text, from its first character to the one after its last."""

    start: int
    end: int


@fact(frozen=True, slots=True)
class Said:
    """What the words of one phase of a regimen say of its timing, and where they say it.

    `unread`: they say when in a way that could not be read, or in two ways that disagree; what could be read beside it
    stands in the other members; `end_unread`: what was not read is how long or how many. `part_of_day`: how often is
    told by a part of the day alone. `repeat_at` has every place that says how often ("monthly (every 30 days)" has
    two). `phase`: the part of the text that the phase is written in.
    """

    repeat: Repeat | None = None
    lasts: Period | None = None
    count: int | None = None
    once: bool = False
    as_needed: bool = False
    unread: bool = False
    end_unread: bool = False
    part_of_day: bool = False
    repeat_at: tuple[Span, ...] = ()
    lasts_at: tuple[Span, ...] = ()
    count_at: tuple[Span, ...] = ()
    phase: Span = Span(0, 0)


def words(text: str) -> Said:
    """What the words of one instruction say of its timing; several phases in it are not one timing: unread."""
    found = regimen(text)
    return found[0] if len(found) == 1 else Said(unread=True, phase=Span(0, len(text)))


@remembered
def regimen(text: str) -> tuple[Said, ...]:
    """The phases of a regimen written as one text: "alternate days for 2 weeks, then every 3 months" has two."""
    if not text:
        return (Said(),)
    of = tokens(text)
    phases = _in_phases(phrases_of(of))
    places = [_beginning(of, each) for each in phases[1:]]
    bounds = pairwise([0, *places, len(text)])
    found = [_said(of, each, Span(*ends)) for each, ends in zip(phases, bounds, strict=True)]
    if len(found) > 1:
        # How many before the next phase, and not how often.
        found = [replace(each, unread=True) if each.count and not each.repeat else each for each in found]
    return tuple(found)


def agree(one: Repeat, other: Repeat) -> bool:
    """Whether two repetitions are one in different words: 12 weeks, 84 days and 3 months; alternate days, 3 a week."""
    if one == other:
        return True
    (low, high), (other_low, other_high) = _days_apart(one), _days_apart(other)
    slack = _SLACK if max(high, other_high) > _OFTEN else _SLACK_OFTEN
    return low <= other_high * slack and other_low <= high * slack


# A month is said for anything from 28 to 31 days; three times a week is 7/3 days, which alternate days come near to.
_SLACK, _SLACK_OFTEN, _OFTEN = Decimal("1.11"), Decimal("1.17"), Decimal(3)


def _days_apart(repeat: Repeat) -> tuple[Decimal, Decimal]:
    times, (low, high, of) = repeat
    return average_days(low, of) / times, average_days(high, of) / times


# --- phases ------------------------------------------------------------------------------------------------------


def _in_phases(phrases: Sequence[Phrase]) -> list[list[Phrase]]:
    """The phrases of each phase.

    A phase begins with "then" and the like, or with another interval after a phase that has an end ("daily x 7 days,
    weekly x 4 weeks"). Parts that say nothing of timing belong to the phase beside them.
    """
    phases: list[list[Phrase]] = [[]]
    for phrase in phrases:
        if phrase.kind is Kind.THEN or (phrase.kind is Kind.REPEAT and _is_another(phrase, phases[-1])):
            phases.append([])
        phases[-1].append(phrase)
    kept: list[list[Phrase]] = []
    for phase in phases:
        if kept and not (_is_timed(phase) and _is_timed(kept[-1])):
            kept[-1] = kept[-1] + phase
        else:
            kept.append(phase)
    return kept


def _is_another(phrase: Phrase, phase: Sequence[Phrase]) -> bool:
    """Whether an interval is not that of the phase so far, which has an end."""
    before = next((each.repeat for each in phase if each.kind is Kind.REPEAT), None)
    if before is None or phrase.repeat is None or agree(before, phrase.repeat):
        return False
    return any(each.kind in (Kind.LASTS, Kind.COUNT) for each in phase)


def _is_timed(phase: Sequence[Phrase]) -> bool:
    return any(each.kind not in (Kind.THEN, Kind.NOTHING, Kind.ONE) for each in phase) and not (
        # "As directed" after "then" is a phase; at the beginning it says nothing.
        all(each.kind in (Kind.AS_TOLD, Kind.NOTHING, Kind.ONE) for each in phase)
    )


def _beginning(text: Tokens, phase: Sequence[Phrase]) -> int:
    """Where the text of a phase begins."""
    return text.starts[phase[0].start]


def _said(text: Tokens, phase: Sequence[Phrase], span: Span) -> Said:
    """What the phrases of one phase come to."""
    of: dict[Kind, list[Phrase]] = {}
    for phrase in phase:
        of.setdefault(phrase.kind, []).append(phrase)
    often, days = of.get(Kind.REPEAT, []), of.get(Kind.DAYS, [])
    counts, lengths, over = of.get(Kind.COUNT, []), of.get(Kind.LASTS, []), of.get(Kind.OVER, [])
    repeat, from_phrases, contradicts = _repeat_of(often, days, of.get(Kind.PART_OF_DAY, []))
    unread = Kind.UNREAD in of
    contradicts = contradicts or Kind.GARBLED in of
    if repeat is None and not contradicts and counts and over and over[0].lasts:
        repeat, from_phrases = Repeat(Decimal(counts[0].number), over[0].lasts), over[:1]
        if not is_plausible(repeat):
            repeat, unread = None, True
    elif over and repeat and text.at(over[0].start) in ("over", "during"):
        lengths = lengths or over
    elif over and repeat is None:
        unread = True
    lasts = lengths[0].lasts if lengths else None
    end_unread = Kind.UNREAD_END in of
    if any(each.lasts != lasts for each in lengths):
        lasts, end_unread = None, True
    numbered = [each for each in often if each.number]
    count = counts[0].number if counts else numbered[0].number if numbered else None
    if any(each.number != count for each in counts):
        count, end_unread = None, True
    if contradicts:
        repeat, from_phrases = None, []
    once = (Kind.ONCE in of or Kind.ONE in of) and repeat is None and not (unread or contradicts)
    told = Kind.AS_TOLD in of and Kind.THEN in of
    silent_of_how_often = repeat is None and not once
    return Said(
        repeat=repeat,
        lasts=lasts,
        count=count,
        once=once,
        as_needed=Kind.AS_NEEDED in of,
        unread=contradicts or end_unread or (silent_of_how_often and (unread or told or bool(lengths))),
        end_unread=end_unread,
        part_of_day=repeat is not None and from_phrases[0].kind is Kind.PART_OF_DAY,
        repeat_at=tuple(_span(text, each) for each in from_phrases),
        lasts_at=tuple(_span(text, each) for each in lengths),
        count_at=tuple(_span(text, each) for each in counts or numbered),
        phase=span,
    )


def _repeat_of(
    often: Sequence[Phrase], days: Sequence[Phrase], parts: Sequence[Phrase]
) -> tuple[Repeat | None, list[Phrase], bool]:
    """How often, the phrases that say so, and whether they contradict each other.

    Days of a week go before "daily" and "weekly" beside them; a part of the day counts where nothing else does.
    """
    if days:
        week = each_one(UNITS["week"])
        by_days = Repeat(Decimal(max(each.number for each in days)), week)
        plain = [each for each in often if each.repeat and each.repeat.times == 1]
        beside = [each for each in plain if each.repeat and each.repeat.every in (week, each_one(UNITS["day"]))]
        if len(beside) == len(often):
            return by_days, [*beside, *days], False
        if days[0].number == 1 and len(often) == 1:
            # "Every 2 weeks on Mondays".
            return often[0].repeat, [*often, *days], False
        often = [*often, days[0]._replace(repeat=by_days)]
    often = often or parts
    if not often:
        return None, [], False
    first = often[0].repeat
    agreed = all(first and each.repeat and agree(first, each.repeat) for each in often[1:])
    return (first, list(often), False) if agreed else (None, [], True)


def _span(text: Tokens, phrase: Phrase) -> Span:
    return Span(text.starts[phrase.start], text.ends[phrase.end - 1])
