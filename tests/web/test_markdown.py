"""Markdown of cards as HTML: what an EHR may show, and nothing that runs or loads."""

from __future__ import annotations

import pytest

from service.web.markdown import to_html


def test_emphasis_lists_and_links_are_kept() -> None:
    html = to_html("**Why now** B12 is low.\n\n- one\n- two\n\n[source](https://example.org/a)")

    assert "<strong>Why now</strong>" in html
    assert html.count("<li>") == 2
    assert '<a href="https://example.org/a" rel="noreferrer">source</a>' in html


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        '<img src="https://example.org/x.png" onerror="alert(1)">',
        "![picture](https://example.org/x.png)",
        "[click](javascript:alert(1))",
        "[click](data:text/html;base64,PHNjcmlwdD4=)",
        '<a href="https://example.org" style="position:fixed">over all</a>',
        "<iframe src=//example.org></iframe>",
    ],
)
def test_nothing_that_runs_loads_or_covers_passes(markdown: str) -> None:
    html = to_html(markdown)

    for tag in ("<script", "<img", "<iframe", "<style", 'href="javascript', 'href="data', "<a href"):
        assert tag not in html
