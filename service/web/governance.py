"""What the governance page shows: the numbers of a report in words, bars and small plots, and what stands out."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from markupsafe import Markup

from cards.library import Library
from cards.rule import NOT_EVALUATED_TOPIC
from service.store.governance import Asked, Outcome, Reason, Report, Row, Unrecognised
from service.store.ledger import REHEARSED
from service.web.plots import Bar, Line, Panel, Part, Tone, bars, heat_table, key, panels

# All are longer than what the flags look at.
PERIODS = (13, 26)
DEFAULT_WEEKS = 13
# Clinical rules, section 9.3: retire or redesign below this acceptance or above this share of inaccurate cards, looked
# at over two months; look at a volume that changes by more than this from week to week, and at rules that are dead.
LOW_ACCEPTANCE = 0.10
HIGH_INACCURACY = 0.15
VOLUME_CHANGE = 0.20
DEAD_AFTER_DAYS = 90
LOOKED_AT_WEEKS = 8
# Below these, chance alone makes such shares and changes.
ENOUGH_ANSWERS = 10
ENOUGH_CARDS = 20

# The override reason by which clinicians report that a rule goes wrong.
INACCURATE = "inaccurate"
_OPEN_QUESTIONS = "Open questions (data were missing)"
_TONES: Mapping[Tone, str] = {"info": "accepted", "warning": "overridden", "neutral": "no answer"}
_LINES: Mapping[Tone, str] = {"neutral": "shown", "info": "accepted", "warning": "overridden"}
_CSV_HEAD = (
    "week_from",
    "client",
    "rule",
    "level",
    "shown",
    "accepted",
    "overridden",
    "no_answer",
    "overridden_as_inaccurate",
    "median_seconds_to_answer",
    "silent",
    "kept_quiet",
    "override_reasons",
)


class Flag(NamedTuple):
    """Something that a board should look at: the rule, what it is in a word, and the numbers behind it."""

    topic: str
    title: str
    what: str
    why: str


class LevelRow(NamedTuple):
    """One level of a rule, or all of them (`level` is empty), as the table shows it."""

    level: str
    outcome: Outcome

    @property
    def acceptance(self) -> str:
        """The share of the answered that was accepted."""
        return percent(self.outcome.acceptance)

    @property
    def inaccuracy(self) -> str:
        """The share of the overrides that say “inaccurate”."""
        return percent(self.outcome.inaccuracy)

    @property
    def median(self) -> str:
        """The median time to the first answer."""
        return duration(self.outcome.median_ms)


class RuleRows(NamedTuple):
    """A rule with its levels, loudest first; `rate`: cards for a hundred times that it was evaluated."""

    topic: str
    title: str
    page: str | None
    rate: str
    levels: tuple[LevelRow, ...]


class ReasonRow(NamedTuple):
    """Why cards of a rule were overridden; `inaccurate`: it may be out of order."""

    reason: str
    inaccurate: bool
    times: int
    share: str


class Overrides(NamedTuple):
    """How often cards of a rule were overridden, and why, the commonest reason first."""

    title: str
    times: int
    reasons: tuple[ReasonRow, ...]


@dataclass(frozen=True, slots=True)
class GovernancePage:
    """The page's model; `answered` says of how many cards there is an answer at all."""

    asked: Asked
    until: date
    clients: tuple[str, ...]
    total: LevelRow
    answered: str
    flags: tuple[Flag, ...]
    rules: tuple[RuleRows, ...]
    outcomes: Markup
    outcome_key: Markup
    weeks: Markup
    week_key: Markup
    by_client: tuple[tuple[str, LevelRow], ...]
    overrides: tuple[Overrides, ...]
    lacking_by_rule: Markup | None
    lacking_by_data: Markup | None
    unrecognised: tuple[Unrecognised, ...]


def asked_for(today: date, weeks: int, client: str | None) -> Asked:
    """So many weeks, the last of which is the one that `today` is in."""
    monday = today - timedelta(days=today.weekday())
    return Asked(monday - timedelta(weeks=weeks - 1), weeks, client, frozenset({INACCURATE}))


def page(report: Report, library: Library, today: date) -> GovernancePage:
    """The model of the page."""
    names = _Names(library)
    topics = names.in_order(report.by_rule)
    return GovernancePage(
        asked=report.asked,
        until=min(today, report.asked.first + timedelta(weeks=report.asked.weeks, days=-1)),
        clients=report.clients,
        total=LevelRow("", report.total),
        answered=percent(report.total.answered / report.total.shown if report.total.shown else None),
        flags=tuple(flags(report, library, today)),
        rules=tuple(_rule_rows(report, names, topic) for topic in topics),
        outcomes=_outcome_bars(report, names, topics),
        outcome_key=key(_TONES),
        weeks=_week_panels(report, names, topics),
        week_key=key(_LINES),
        by_client=tuple((client, LevelRow("", outcome)) for client, outcome in sorted(report.by_client.items())),
        overrides=tuple(_overrides(report, names, topic) for topic in topics if report.by_rule[topic].overridden),
        lacking_by_rule=_lacking_by_rule(report, names),
        lacking_by_data=_lacking_by_data(report),
        unrecognised=report.unrecognised,
    )


def flags(report: Report, library: Library, today: date) -> list[Flag]:
    """What stands out, rule by rule. Weeks that are not over yet count for nothing."""
    names = _Names(library)
    over = [week for week in report.asked.week_days if week + timedelta(weeks=1) <= today]
    found = []
    for topic in names.in_order({*report.by_rule, *library.folders}):
        lately = [report.by_week.get((topic, week), Outcome()) for week in over[-LOOKED_AT_WEEKS:]]
        said = [*_share_flags(lately), *_volume_flag(lately), *_dead_flag(report, topic, today)]
        found += [Flag(topic, names.title(topic), what, why) for what, why in said]
    return found


def _share_flags(lately: Sequence[Outcome]) -> Iterable[tuple[str, str]]:
    accepted, overridden = sum(each.accepted for each in lately), sum(each.overridden for each in lately)
    answered, wrong = accepted + overridden, sum(each.inaccurate for each in lately)
    span = f"in the last {len(lately)} whole weeks"
    if answered >= ENOUGH_ANSWERS and accepted / answered < LOW_ACCEPTANCE:
        yield "hardly accepted", f"{accepted} of {answered} answered cards were accepted {span}"
    if overridden >= ENOUGH_ANSWERS and wrong / overridden > HIGH_INACCURACY:
        yield "often inaccurate", f"{wrong} of {overridden} overrides say “inaccurate” {span}"


def _volume_flag(lately: Sequence[Outcome]) -> Iterable[tuple[str, str]]:
    if len(lately) < 2:
        return
    before, last = lately[-2].shown, lately[-1].shown
    if max(before, last) >= ENOUGH_CARDS and abs(last - before) > VOLUME_CHANGE * before:
        yield "volume changed", f"{last} cards last week, {before} the week before"


def _dead_flag(report: Report, topic: str, today: date) -> Iterable[tuple[str, str]]:
    start = today - timedelta(days=DEAD_AFTER_DAYS)
    last = report.last_raised.get(topic)
    if topic == NOT_EVALUATED_TOPIC or report.recorded_since is None or report.recorded_since > start:
        return
    if last is None or last < start:
        yield "silent", f"no card for {DEAD_AFTER_DAYS} days" + (f", the last on {day(last)}" if last else "")


def as_csv(rows: Iterable[Row]) -> str:
    """The finest numbers there are as CSV; an override reason that is not ours stands as `ehr:code`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_CSV_HEAD)
    for row in rows:
        outcome = row.outcome
        writer.writerow(
            (
                row.week.isoformat(),
                _harmless(row.client),
                row.topic,
                row.level,
                outcome.shown,
                outcome.accepted,
                outcome.overridden,
                outcome.unanswered,
                outcome.inaccurate,
                "" if outcome.median_ms is None else f"{outcome.median_ms / 1000:.3f}",
                outcome.silent,
                outcome.quiet,
                "; ".join(f"{_code(reason)}={reason.times}" for reason in outcome.reasons),
            )
        )
    return text.getvalue()


def _code(reason: Reason) -> str:
    if reason.code is None:
        return "none"
    return reason.code if reason.own else f"ehr:{reason.code}"


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


class _Names:
    """What people call the rules and the reasons."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._order = {topic: place for place, topic in enumerate(library.shared.precedence)}

    def in_order(self, topics: Iterable[str]) -> list[str]:
        """As the rules speak; rules that are no more, and open questions, last."""
        return sorted(topics, key=lambda topic: (self._order.get(topic, len(self._order)), topic))

    def title(self, topic: str) -> str:
        folder = self._library.folders.get(topic)
        if folder is None:
            return _OPEN_QUESTIONS if topic == NOT_EVALUATED_TOPIC else topic
        return folder.definition.title

    def page(self, topic: str) -> str | None:
        return f"/rules/{topic}" if topic in self._library.folders else None

    def reason(self, reason: Reason) -> str:
        if reason.code is None:
            return "No reason given"
        known = self._library.shared.override_reasons.get(reason.code) if reason.own else None
        return known.display if known else f"The EHR's own reason “{reason.code}”"


def _rule_rows(report: Report, names: _Names, topic: str) -> RuleRows:
    levels = [
        LevelRow(level, report.by_level[topic, level])
        for level in ("critical", "warning", "info")
        if (topic, level) in report.by_level
    ]
    whole = report.by_rule[topic]
    checks = report.checks.get(topic, 0)
    raised = whole.shown + whole.silent + whole.quiet
    return RuleRows(
        topic, names.title(topic), names.page(topic), f"{raised / checks * 100:.1f}" if checks else "–", tuple(levels)
    )


def _outcome_bars(report: Report, names: _Names, topics: Sequence[str]) -> Markup:
    rows = []
    for topic in topics:
        outcome = report.by_rule[topic]
        if outcome.shown:
            counts = {"info": outcome.accepted, "warning": outcome.overridden, "neutral": outcome.unanswered}
            parts = tuple(Part(counts[tone], tone, name) for tone, name in _TONES.items())
            rows.append(Bar(names.title(topic), parts, f"{percent(outcome.acceptance)} of the answered accepted"))
    said = "; ".join(f"{row.label}: {', '.join(f'{part.value} {part.name}' for part in row.parts)}" for row in rows)
    return bars("What became of the cards", said or "No card was shown.", rows)


def _week_panels(report: Report, names: _Names, topics: Sequence[str]) -> Markup:
    weeks = report.asked.week_days
    plots = []
    for topic in topics:
        outcomes = [report.by_week.get((topic, week), Outcome()) for week in weeks]
        counts = {
            "neutral": [each.shown for each in outcomes],
            "info": [each.accepted for each in outcomes],
            "warning": [each.overridden for each in outcomes],
        }
        plots.append(Panel(names.title(topic), tuple(Line(name, counts[tone], tone) for tone, name in _LINES.items())))
    return panels([day(week) for week in weeks], plots, "Cards a week", one_scale=False)


def _overrides(report: Report, names: _Names, topic: str) -> Overrides:
    outcome = report.by_rule[topic]
    rows = (
        ReasonRow(
            names.reason(reason),
            reason.own and reason.code in report.asked.inaccurate,
            reason.times,
            percent(reason.times / outcome.overridden),
        )
        for reason in outcome.reasons
    )
    return Overrides(names.title(topic), outcome.overridden, tuple(rows))


def _lacking_by_rule(report: Report, names: _Names) -> Markup | None:
    """How often each rule was not evaluated for each reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for each in report.lacking:
        counts[each.topic, each.reason] += each.times
    topics = names.in_order({topic for topic, _ in counts})
    return _counted("Times that a rule was not evaluated, by reason", counts, topics, [names.title(t) for t in topics])


def _lacking_by_data(report: Report) -> Markup | None:
    """How often each prefetch key was lacking for each reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for each in report.lacking:
        for source in each.data:
            counts[source, each.reason] += each.times
    sources = sorted({source for source, _ in counts}, key=lambda source: -sum(_row(counts, source).values()))
    return _counted("Times that data were lacking for a rule, by reason", counts, sources, sources)


def _counted(
    caption: str, counts: Counter[tuple[str, str]], rows: Sequence[str], names: Sequence[str]
) -> Markup | None:
    if not counts:
        return None
    reasons = sorted({reason for _, reason in counts})
    values = [[counts.get((row, reason)) for reason in reasons] for row in rows]
    return heat_table(caption, names, reasons, values)


def _row(counts: Counter[tuple[str, str]], name: str) -> dict[str, int]:
    return {reason: times for (row, reason), times in counts.items() if row == name}


def percent(share: float | None) -> str:
    """A share as people read it; a dash where there is none."""
    return "–" if share is None else f"{share * 100:.0f} %"


def duration(milliseconds: float | None) -> str:
    """A time as people read it: `8 s`, `2 min`, `3 h`, `2 d`; a dash where there is none."""
    if milliseconds is None:
        return "–"
    seconds = milliseconds / 1000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def day(when: date) -> str:
    """A date in words: `25 Nov 2026`."""
    return f"{when.day} {when:%b %Y}"


def client_name(client: str) -> str:
    """What the page calls a client."""
    return "Rehearsals on the sandbox page" if client == REHEARSED else client
