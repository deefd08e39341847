"""The report: one page that holds everything in itself, for the people who decide whether a rule goes live."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cards.rule import Hook, Level
from cards.wording import SOURCE_NAMES
from service.replay.export import Grouped
from service.replay.plan import Plan
from service.replay.sample import Row
from service.replay.tables import Tables
from service.web import plots
from service.web.plots import Bar, Line, Panel, Part, Tone

_LEVELS: tuple[Tone, ...] = ("critical", "warning", "info")
_MOST_CARDS, _CODES, _GAPS, _RULES_OVER_TIME = 15, 40, 25, 12
_REASONS = {
    "missing": "not in the export",
    "no-dose-recorded": "injections are recorded without a dose",
    "fault": "the service failed to work it out",
    "no-date": "no date",
    "impossible-date": "a date that cannot be",
    "unknown-unit": "a unit that is not known",
    "unit-missing": "no unit",
    "implausible-value": "a value that cannot be",
    "unreadable": "could not be read",
}
_DATA = {source.value: name for source, name in SOURCE_NAMES.items()} | {"draftOrders": "the order itself"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the report says of itself."""

    plan: Plan
    grouped: Grouped
    version: str
    made: date
    reviewed: int
    problems: int


def page(tables: Tables, facts: Facts) -> str:
    """The report as HTML."""
    rules = tables.read("rules")
    titles = {row["topic"]: row["title"] for row in rules}
    burden = tables.read("burden")
    totals = tables.read("totals")[0]
    return _environment().get_template("report.html").render(
        facts=facts,
        plan=facts.plan,
        totals=totals,
        style=plots.style(),
        own_style=Markup(files("service.replay").joinpath("templates/report.css").read_text("utf-8")),  # noqa: S704
        key=plots.key({level: level for level in _LEVELS}),
        supplied=[_DATA[source.value] for source in sorted(facts.plan.supplied)],
        hooks=[hook.value for hook in Hook if hook in facts.plan.hooks],
        per_patient=_per_patient(burden, titles),
        per_order=_per_order(burden, titles),
        by_rule=_by_rule(rules, burden, totals),
        over_time=_over_time(tables.read("months"), titles),
        overlap=_overlap(tables.read("overlap"), titles),
        busiest=tables.read("patients", _MOST_CARDS),
        distribution=_distribution(tables.read("patients"), totals),
        gaps=[_in_words(row, titles) for row in tables.read("not_evaluated", _GAPS)],
        codes=tables.read("unrecognised_codes", _CODES),
        codes_in_all=len(tables.read("unrecognised_codes")),
        number=plots.number,
        day=_day,
    )  # fmt: skip


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("service.replay"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _per_patient(burden: list[Row], titles: dict[str, str]) -> Markup:
    """Cards per 1,000 patients by rule and level."""
    note = {
        topic: f"{plots.number(sum(row['cards'] for row in rows))} cards"
        for topic, rows in _by_topic(burden).items()
    }  # fmt: skip
    rows = _bars(burden, titles, "cards_per_1000_patients", note)
    return plots.bars("Cards per 1,000 patients", f"One bar for each rule, by level. {_in_a_row(rows)}", rows)


def _per_order(burden: list[Row], titles: dict[str, str]) -> Markup | None:
    """Cards per 100 signed orders, of the rules that speak at an order."""
    at_orders = [row for row in burden if row["cards_per_100_orders"]]
    rows = _bars(at_orders, titles, "cards_per_100_orders", {})
    if not rows:
        return None
    return plots.bars("Cards per 100 orders", f"One bar for each rule, by level. {_in_a_row(rows)}", rows)


def _bars(burden: list[Row], titles: dict[str, str], measure: str, notes: dict[str, str]) -> list[Bar]:
    bars = []
    for topic, rows in _by_topic(burden).items():
        by_level: dict[str, float] = defaultdict(float)
        for row in rows:
            by_level[row["level"]] += row[measure]
        parts = tuple(Part(by_level[level], level, level) for level in _LEVELS if by_level[level])
        bars.append(Bar(titles[topic], parts, notes.get(topic, "")))
    return sorted(bars, key=lambda bar: (-bar.total, bar.label))


def _in_a_row(bars: Iterable[Bar]) -> str:
    return "; ".join(f"{bar.label}: {plots.number(bar.total)}" for bar in bars)


def _by_rule(rules: list[Row], burden: list[Row], totals: Row) -> list[dict[str, Any]]:
    """The table of all rules: those that spoke first."""
    levels = _by_topic(burden)
    found = []
    for rule in rules:
        own = levels.get(rule["topic"], [])
        counts = {level.value: sum(row["cards"] for row in own if row["level"] == level) for level in Level}
        orders = [row["cards_per_100_orders"] for row in own if row["cards_per_100_orders"]]
        patients = totals["patients"] or 1
        found.append(
            {
                **rule,
                **counts,
                "per_1000": 1000 * rule["cards"] / patients,
                "patients_per_1000": 1000 * rule["patients"] / patients,
                "per_100_orders": sum(orders) if orders else None,
            }
        )
    return sorted(found, key=lambda row: (-row["cards"], row["place"]))


def _over_time(months: list[Row], titles: dict[str, str]) -> Markup | None:
    """Cards per month of the rules that spoke most, by level."""
    if not months:
        return None
    steps = _months_between(min(row["month"] for row in months), max(row["month"] for row in months))
    counts: dict[tuple[str, str], dict[date, float]] = defaultdict(lambda: defaultdict(float))
    total: dict[str, int] = defaultdict(int)
    for row in months:
        counts[row["topic"], row["level"]][row["month"]] += row["cards"]
        total[row["topic"]] += row["cards"]
    shown = sorted(total, key=lambda topic: (-total[topic], topic))[:_RULES_OVER_TIME]
    panels = [
        Panel(
            titles[topic],
            tuple(
                Line(level, [counts[topic, level].get(step, 0) for step in steps], level)
                for level in _LEVELS
                if (topic, level) in counts
            ),
        )
        for topic in shown
    ]
    return plots.panels([f"{step:%b %Y}" for step in steps], panels, "cards per month", one_scale=False)


def _overlap(pairs: list[Row], titles: dict[str, str]) -> Markup | None:
    """How many patients had cards of both of two rules; the diagonal counts the patients of one."""
    counts = {(row["topic"], row["other_topic"]): row["patients"] for row in pairs}
    met = {topic for one, other in counts if one != other for topic in (one, other)}
    topics = sorted(met, key=lambda topic: (-counts[topic, topic], topic))
    if not topics:
        return None
    values = [[counts.get((one, other), 0) for other in topics] for one in topics]
    names = [titles[topic] for topic in topics]
    return plots.heat_table("Patients with cards of both rules; the diagonal: of this rule", names, names, values)


def _distribution(patients: list[Row], totals: Row) -> Markup:
    """How many patients got how many cards."""
    steps = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, None))
    rows = []
    for low, high in steps:
        name = f"{low}" if low == high else f"{low} to {high}" if high else f"{low} or more"
        count = sum(low <= row["cards"] <= (high or row["cards"]) for row in patients)
        rows.append(Bar(f"{name} {'card' if high == 1 else 'cards'}", (Part(count, "neutral", "patients"),)))
    without = totals["patients"] - totals["patients_with_cards"]
    return plots.bars(
        "Patients by number of cards", f"{without} patients without a card. {_in_a_row(rows)}", rows
    )  # fmt: skip


def _in_words(gap: Row, titles: dict[str, str]) -> Row:
    """A reason for which a rule was not evaluated, as a clinician would say it."""
    data = ", ".join(_DATA.get(each, each) for each in gap["data"].split(", "))
    reason = _REASONS.get(gap["reason"], gap["reason"].replace("-", " "))
    return {**gap, "title": titles.get(gap["topic"], gap["topic"]), "data": data, "reason": reason}


def _by_topic(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["topic"], []).append(row)
    return found


def _months_between(first: date, last: date) -> list[date]:
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [
        date(first.year + (first.month - 1 + number) // 12, (first.month - 1 + number) % 12 + 1, 1)
        for number in range(count)
    ]


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
