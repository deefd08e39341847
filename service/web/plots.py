"""Plots for the human pages: accessible SVG and tables, no scripts, readable at any width, in light and in dark.

Text keeps its size: positions are percentages of the width, nothing is scaled. The colours are CSS variables of
`static/plots.css`, which a page includes once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from importlib.resources import files
from math import ceil, floor, log10
from typing import Literal, NamedTuple

from markupsafe import Markup, escape

Tone = Literal["info", "warning", "critical", "neutral"]

_ROW = 40  # pixels of a bar with its label above it
_BAR = 13
_BARS_END_AT = 84.0  # per cent of the width; the rest is for the value
_PANEL_TOP, _PANEL_HEIGHT, _PANEL_FOOT = 8, 84, 20
_SHARES = 8


class Part(NamedTuple):
    """One coloured part of a bar."""

    value: float
    tone: Tone = "neutral"
    name: str = ""


class Bar(NamedTuple):
    """A labelled bar of one or more parts; `note` stands small after the label."""

    label: str
    parts: tuple[Part, ...]
    note: str = ""

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return sum(part.value for part in self.parts)


class Line(NamedTuple):
    """Values at equal steps, None where there is none."""

    name: str
    values: Sequence[float | None]
    tone: Tone = "neutral"


class Panel(NamedTuple):
    """One small plot among several with the same steps."""

    title: str
    lines: tuple[Line, ...]


def style() -> Markup:
    """The style sheet of the plots, for a page that must hold everything in itself."""
    return Markup(files("service.web").joinpath("static/plots.css").read_text("utf-8"))  # noqa: S704 - our own file


def number(value: float) -> str:
    """A number as people read it: `1,204`, `3.4`, `0.07`."""
    if value == 0:
        return "0"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def bars(title: str, description: str, rows: Sequence[Bar]) -> Markup:
    """Horizontal bars, each below its label and before its value; parts of a bar stand end to end."""
    longest = max((row.total for row in rows), default=0) or 1
    drawn = Markup().join(_bar(row, place * _ROW, longest) for place, row in enumerate(rows))
    return _svg(title, description, max(len(rows) * _ROW, 1), drawn)


def panels(steps: Sequence[str], plots: Sequence[Panel], unit: str, *, one_scale: bool = True) -> Markup:
    """Small plots side by side over the same `steps` (weeks, months), each with its own text for screen readers.

    `unit` says what is counted ("cards per 100 orders"); with `one_scale` all have the same height for the same value.
    """
    highest = max((_highest(plot) for plot in plots), default=0)
    drawn = Markup().join(_panel(steps, plot, unit, highest if one_scale else _highest(plot)) for plot in plots)
    return Markup('<div class="plot-panels">{}</div>').format(drawn)


def key(names: Mapping[Tone, str]) -> Markup:
    """What the colours and dashes of lines and bars stand for."""
    items = Markup().join(
        Markup(
            '<li><svg class="plot" aria-hidden="true" focusable="false">'
            '<rect class="plot-{tone}" y="1" width="26" height="10" rx="2"></rect></svg>{name}</li>'
        ).format(tone=tone, name=name)
        for tone, name in names.items()
    )
    return Markup('<ul class="plot-key">{}</ul>').format(items)


def heat_table(
    caption: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]]
) -> Markup:
    """A table whose cells are the darker the higher their value; None is an empty cell."""
    highest = max((value for row in values for value in row if value is not None), default=0) or 1
    head = Markup().join(Markup('<th scope="col"><span>{}</span></th>').format(column) for column in columns)
    body = Markup().join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(name, Markup().join(_cell(v, highest) for v in row))
        for name, row in zip(rows, values, strict=True)
    )
    return Markup(
        '<div class="plot-scroll" tabindex="0" role="group" aria-label="{caption}">'
        '<table class="plot-heat"><caption>{caption}</caption>'
        "<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    ).format(caption=caption, head=head, body=body)


def _svg(title: str, description: str, height: float, inner: Markup) -> Markup:
    # Named by what it holds: the same page has the same ids whenever it is made.
    own = f"plot-{blake2b(f'{title} {description} {inner}'.encode(), digest_size=6).hexdigest()}"
    return Markup(
        '<svg class="plot" role="img" width="100%" height="{height}" aria-labelledby="{own}-title {own}-text">'
        '<title id="{own}-title">{title}</title><desc id="{own}-text">{description}</desc>{inner}</svg>'
    ).format(height=round(height), own=own, title=title, description=description, inner=inner)


def _bar(row: Bar, top: int, longest: float) -> Markup:
    at = 0.0
    note = Markup('<tspan class="plot-small plot-note" dx="8">{}</tspan>').format(row.note) if row.note else ""
    drawn = [
        Markup('<text x="0" y="{}">{}{}</text>').format(top + 14, row.label, note),
        Markup('<rect class="plot-track" x="0" y="{}" width="{}%" height="{}" rx="2"></rect>').format(
            top + 20, _percent(_BARS_END_AT), _BAR
        ),
    ]
    for part in row.parts:
        width = part.value / longest * _BARS_END_AT
        if width > 0:
            drawn.append(
                Markup(
                    '<rect class="plot-{}" x="{}%" y="{}" width="{}%" height="{}" rx="1"><title>{}</title></rect>'
                ).format(
                    part.tone,
                    _percent(at),
                    top + 20,
                    _percent(width),
                    _BAR,
                    f"{part.name or row.label}: {number(part.value)}",
                )
            )
        at += width
    drawn.append(
        Markup('<text class="plot-value" x="{}%" dx="8" y="{}">{}</text>').format(
            _percent(_BARS_END_AT), top + 31, number(row.total)
        )
    )
    return Markup().join(drawn)


def _panel(steps: Sequence[str], plot: Panel, unit: str, highest: float) -> Markup:
    top = _round_up(highest)
    foot = _PANEL_TOP + _PANEL_HEIGHT
    drawn = []
    for value in (0.0, top / 2, top):
        y = foot - value / top * _PANEL_HEIGHT
        drawn.append(
            Markup(
                '<line class="plot-grid" x1="0" x2="88%" y1="{y}" y2="{y}"></line>'
                '<text class="plot-small" x="90%" y="{text}">{value}</text>'
            ).format(y=round(y, 1), text=round(y + 4, 1), value=number(value))
        )
    drawn.append(
        Markup(
            '<svg x="0" y="{}" width="88%" height="{}" viewBox="0 0 1000 1000" preserveAspectRatio="none"'
            ' overflow="visible">{}</svg>'
        ).format(_PANEL_TOP, _PANEL_HEIGHT, Markup().join(_run(line, top) for line in plot.lines))
    )
    drawn += [dot for line in plot.lines for dot in _lone_dots(line, top)]
    if steps:
        drawn.append(Markup('<text class="plot-small" x="0" y="{}">{}</text>').format(foot + 15, steps[0]))
        drawn.append(
            Markup('<text class="plot-small" x="88%" text-anchor="end" y="{}">{}</text>').format(foot + 15, steps[-1])
        )
    drawing = _svg(plot.title, _told(steps, plot, unit), foot + _PANEL_FOOT, Markup().join(drawn))
    # The title is text of the page, so that a long one wraps; the picture has it too, for those who only hear it.
    return Markup('<div><p class="plot-title" aria-hidden="true">{}</p>{}</div>').format(plot.title, drawing)


def _run(line: Line, top: float) -> Markup:
    """A line as polylines, one for each stretch without a gap."""
    drawn = Markup()
    for stretch in _stretches(line.values):
        points = " ".join(
            f"{place / max(len(line.values) - 1, 1) * 1000:.0f},{1000 - value / top * 1000:.0f}"
            for place, value in stretch
        )
        drawn += Markup('<polyline class="plot-{}" points="{}"><title>{}</title></polyline>').format(
            line.tone, points, line.name
        )
    return drawn


def _lone_dots(line: Line, top: float) -> list[Markup]:
    """A value between two gaps, which a polyline would not show; drawn outside the stretched box, so it stays round."""
    return [
        Markup('<circle class="plot-{}" cx="{}%" cy="{}" r="2.5"></circle>').format(
            line.tone,
            _percent(place / max(len(line.values) - 1, 1) * 88),
            round(_PANEL_TOP + _PANEL_HEIGHT * (1 - value / top), 1),
        )
        for stretch in _stretches(line.values)
        if len(stretch) == 1
        for place, value in stretch
    ]


def _stretches(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    found: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is not None:
            found[-1].append((place, value))
        elif found[-1]:
            found.append([])
    return [stretch for stretch in found if stretch]


def _told(steps: Sequence[str], plot: Panel, unit: str) -> str:
    """What a panel shows, in words."""
    said = []
    for line in plot.lines:
        known = [(value, steps[place]) for place, value in enumerate(line.values) if value is not None]
        if known:
            most, at = max(known)
            said.append(f"{line.name}: last {number(known[-1][0])}, highest {number(most)} ({at}).")
    span = f" from {steps[0]} to {steps[-1]}" if steps else ""
    return f"{unit}{span}. {' '.join(said) or 'Nothing to show.'}"


def _cell(value: float | None, highest: float) -> Markup:
    if value is None:
        return Markup("<td></td>")
    share = ceil(value / highest * _SHARES)
    tone = f"plot-share-{share}" if value > 0 else "plot-none"
    return Markup('<td class="{}">{}</td>').format(tone, escape(number(value)))


def _highest(plot: Panel) -> float:
    return max((value for line in plot.lines for value in line.values if value is not None), default=0)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, … so that the scale has plain numbers."""
    if value <= 0:
        return 1
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * 1.000001)


def _percent(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
