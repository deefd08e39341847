"""Markdown of cards becomes HTML: no raw HTML passes, and what comes out is cleaned once more."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_TAGS = {"a", "br", "code", "em", "li", "ol", "p", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
_parser = MarkdownIt("commonmark", {"html": False}).enable("table")


def to_html(markdown: str) -> Markup:
    """The HTML of a card's detail; links lead to http and https addresses only."""
    html = nh3.clean(
        _parser.render(markdown),
        tags=_TAGS,
        attributes={"a": {"href", "title"}},
        url_schemes={"http", "https"},
        link_rel="noreferrer",
    )
    return Markup(html)  # noqa: S704 - cleaned just above
