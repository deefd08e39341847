"""The timeline of a chart: B12, haemoglobin and injections over time, laid out for an SVG whose text keeps its size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from service.demo.chart import Chart, Result
from service.demo.words import day

_LEFT, _RIGHT = 3.0, 94.0  # per cent of the width
_LANE = 62  # pixels between the lowest and the highest value of a lane
_ABOVE = 46  # room above a lane for its name and the highest label
_GIVEN = 46
_FOOT = 24
_SHORTEST = timedelta(days=120)
_APART = 12.0  # per cent of the width that a label needs
_LABEL = 11  # pixels from a point to its label
_TICKS = 4
_LANES = (
    ("Vitamin B12", ("b12_total_serum", "holotranscobalamin")),
    ("Haemoglobin", ("hemoglobin",)),
)
# Where the scale of a lane ends at least, so that a small change does not look large.
_AT_LEAST = {"Vitamin B12": (0.0, 400.0), "Haemoglobin": (80.0, 150.0)}


class Point(NamedTuple):
    """A result: x in per cent, y in pixels; `label` is empty where there is no room, `label_y` where it stands."""

    x: float
    y: float
    label: str
    label_y: float
    said: str
    hollow: bool


class Lane(NamedTuple):
    """One kind of result: where it stands, its points, the line through them, and the limit if it shows."""

    name: str
    top: float
    foot: float
    points: tuple[Point, ...]
    pairs: tuple[tuple[Point, Point], ...]
    limit: float | None
    limit_said: str


class Tick(NamedTuple):
    """A date on the axis."""

    x: float
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything the drawing needs; `rows` is the same as a table: day, what, value."""

    height: float
    lanes: tuple[Lane, ...]
    given_at: float
    given: tuple[tuple[float, str], ...]
    axis: float
    ticks: tuple[Tick, ...]
    today: float
    said: str
    rows: tuple[tuple[str, str, str], ...]


def timeline(chart: Chart, deficient_below: float) -> Timeline | None:
    """The timeline, or None when there is nothing to draw. `deficient_below` is the limit of total B12 in ng/L."""
    days = [each.on for each in chart.results] + [each.on for each in chart.given]
    if not days:
        return None
    begin, end = min(*days, chart.today - _SHORTEST), max(*days, chart.today)

    def x(on: date) -> float:
        return round(_LEFT + (on - begin).days / (end - begin).days * (_RIGHT - _LEFT), 2)

    lanes: list[Lane] = []
    y = 0.0
    for name, concepts in _LANES:
        results = [each for each in chart.results if each.concept in concepts]
        if results:
            lanes.append(_lane(name, results, y, deficient_below, x))
            y = lanes[-1].foot
    given_at = y + _GIVEN - 12
    axis = given_at + 18
    return Timeline(
        height=axis + _FOOT,
        lanes=tuple(lanes),
        given_at=given_at,
        given=tuple((x(each.on), f"{day(each.on)}: {each.said}") for each in chart.given),
        axis=axis,
        ticks=_ticks(begin, end, x),
        today=x(chart.today),
        said=_said(chart),
        rows=_rows(chart),
    )


def _lane(
    name: str, results: Sequence[Result], above: float, deficient_below: float, x: Callable[[date], float]
) -> Lane:
    low, high = _AT_LEAST[name]
    low = min(low, *(each.value for each in results))
    high = max(high, *(each.value for each in results))
    top, foot = above + _ABOVE, above + _ABOVE + _LANE

    def y(value: float) -> float:
        return round(foot - (value - low) / (high - low) * _LANE, 1)

    plain = any(each.concept == "b12_total_serum" for each in results)
    limit = y(deficient_below) if plain else None
    labelled = _with_room([x(each.on) for each in results])
    points: list[Point] = []
    for each in results:
        at = x(each.on)
        room = at in labelled
        said = f"{day(each.on)}: {each.said}"
        height = y(each.value)
        below = limit is not None and abs(height - _LABEL - limit) < _LABEL
        label_y = height + _LABEL + 7 if below else height - _LABEL
        hollow = each.concept == "holotranscobalamin"
        points.append(Point(at, height, each.said if room else "", label_y, said, hollow))
    same = [each for each in points if not each.hollow]
    return Lane(
        name,
        top,
        foot,
        tuple(points),
        tuple(pairwise(same)),
        limit,
        f"deficient below {deficient_below:g} ng/L" if plain else "",
    )


def _with_room(places: Sequence[float]) -> set[float]:
    """Where labels go: the newest result first, then the oldest, then the others as long as there is room."""
    found: list[float] = []
    for place in (places[-1], *places):
        if all(abs(place - other) >= _APART for other in found):
            found.append(place)
    return set(found)


def _ticks(begin: date, end: date, x: Callable[[date], float]) -> tuple[Tick, ...]:
    step = (end - begin) / (_TICKS - 1)
    days = [begin + step * place for place in range(_TICKS)]
    anchors = ["start", *["middle"] * (_TICKS - 2), "end"]
    return tuple(Tick(x(each), day(each).partition(" ")[2], anchor) for each, anchor in zip(days, anchors, strict=True))


def _said(chart: Chart) -> str:
    """The drawing in a sentence or two."""
    parts = []
    for name, concepts in _LANES:
        results = [each for each in chart.results if each.concept in concepts]
        if results:
            last = results[-1]
            parts.append(f"{name}: {len(results)} results, the last {last.said} on {day(last.on)}.")
    if chart.given:
        parts.append(f"Injections: {len(chart.given)}, the last on {day(chart.given[-1].on)}.")
    else:
        parts.append("No B12 injection is recorded.")
    return " ".join(parts)


def _rows(chart: Chart) -> tuple[tuple[str, str, str], ...]:
    names = {concept: name for name, concepts in _LANES for concept in concepts} | {"holotranscobalamin": "Active B12"}
    rows = [(each.on, names[each.concept], each.said) for each in chart.results]
    rows += [(each.on, "Injection", each.said) for each in chart.given]
    return tuple((day(on), what, said) for on, what, said in sorted(rows, reverse=True))
