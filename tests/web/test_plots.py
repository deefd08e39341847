"""Plots can be read by eyes and by screen readers, at any width, and let no text of data become markup."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from service.web import plots
from service.web.plots import Bar, Line, Panel, Part

SVG = ET.fromstring
EVIL = '<script>alert("x")</script>&'


def _bars() -> ET.Element:
    rows = [
        Bar("Folic acid before B12", (Part(3, "critical", "critical"), Part(1, "info", "info")), "4 patients"),
        Bar("Buttock chosen", (Part(2, "warning"),)),
    ]
    return SVG(plots.bars("Cards", "Cards by rule and level", rows))


def test_a_plot_is_an_image_with_a_title_and_a_description() -> None:
    svg = _bars()

    labels = (svg.get("aria-labelledby") or "").split()
    named = {each.get("id"): each.text for each in svg if each.get("id")}
    assert svg.get("role") == "img"
    assert [named[label] for label in labels] == ["Cards", "Cards by rule and level"]


def test_no_two_plots_of_a_page_share_an_id_and_a_plot_keeps_its_own() -> None:
    one, other, again = (
        {
            each.get("id")
            for each in SVG(plots.bars("Cards", "By rule", [Bar("Rule", (Part(value),))]))
            if each.get("id")
        }
        for value in (1, 2, 1)
    )

    assert one & other == set()
    assert one == again


def test_parts_of_a_bar_stand_end_to_end_and_are_as_long_as_their_values() -> None:
    found = [each for each in _bars().iter("rect") if each.get("class") != "plot-track"]
    at = [(float(str(each.get("x"))[:-1]), float(str(each.get("width"))[:-1])) for each in found]

    (first, three), (second, one), (_, two) = at
    assert first == 0
    assert second == pytest.approx(three)
    assert three == pytest.approx(3 * one)
    assert two == pytest.approx(2 * one)


def test_a_bar_says_its_total_and_its_note() -> None:
    assert "4 patients" in "".join(_bars().itertext())
    assert "4" in [each.text for each in _bars().iter("text")]


def test_text_of_the_data_never_becomes_markup() -> None:
    drawn = [
        plots.bars(EVIL, EVIL, [Bar(EVIL, (Part(1, "info", EVIL),), EVIL)]),
        plots.panels([EVIL, EVIL], [Panel(EVIL, (Line(EVIL, [1, 2]),))], EVIL),
        plots.heat_table(EVIL, [EVIL], [EVIL], [[1]]),
        plots.key({"info": EVIL}),
    ]

    for each in drawn:
        assert isinstance(each, Markup)
        assert "<script" not in each
        assert [element.tag for element in SVG(each).iter("script")] == []


def test_a_gap_in_a_line_stays_a_gap_and_a_lone_value_is_still_seen() -> None:
    drawn = plots.panels(["1", "2", "3", "4", "5"], [Panel("Rule", (Line("all", [1, 2, None, 4, None]),))], "cards")

    panel = SVG(drawn)[0]
    assert [len(str(each.get("points")).split()) for each in panel.iter("polyline")] == [2, 1]
    assert len(list(panel.iter("circle"))) == 1


def test_panels_share_a_scale_unless_told_otherwise() -> None:
    two = [Panel("high", (Line("all", [10, 10]),)), Panel("low", (Line("all", [1, 1]),))]

    def heights(drawn: Markup) -> list[str]:
        return [str(each.get("points")).split(",")[-1] for each in SVG(drawn).iter("polyline")]

    assert heights(plots.panels(["a", "b"], two, "cards")) == ["0", "900"]
    assert heights(plots.panels(["a", "b"], two, "cards", one_scale=False)) == ["0", "0"]


def test_a_panel_tells_in_words_what_it_shows() -> None:
    drawn = plots.panels(["May", "June"], [Panel("Rule", (Line("critical", [3, 1]),))], "cards per 100 orders")

    assert "cards per 100 orders from May to June. critical: last 1, highest 3 (May)." in drawn


def test_a_heat_table_is_a_table_with_headers_whose_darkest_cell_is_the_highest() -> None:
    table = SVG(plots.heat_table("Overlap", ["a", "b"], ["a", "b"], [[None, 8], [0, 1]]))

    assert [each.get("scope") for each in table.iter("th")] == ["col", "col", "row", "row"]
    cells = [(each.get("class"), each.text) for each in table.iter("td") if each.text]
    assert cells == [("plot-share-8", "8"), ("plot-none", "0"), ("plot-share-1", "1")]


@pytest.mark.parametrize(
    "drawn", [plots.bars("t", "d", []), plots.panels([], [], "u"), plots.heat_table("c", [], [], [])]
)
def test_nothing_to_show_is_no_fault(drawn: Markup) -> None:
    assert SVG(drawn) is not None


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0714, "0.071"), (3.44, "3.4"), (12.0, "12"), (1204.4, "1,204")]
)
def test_numbers_are_written_as_people_read_them(value: float, text: str) -> None:
    assert plots.number(value) == text


def test_the_style_sheet_colours_every_tone_in_light_and_in_dark() -> None:
    style = plots.style()
    dark = style.partition("prefers-color-scheme: dark")[2].partition("}\n}")[0]

    for tone in ("info", "warning", "critical", "neutral"):
        assert f"--plot-{tone}:" in style.partition("@media")[0]
        assert f"--plot-{tone}:" in dark
    assert "url(" not in style
