"""The walker that all conformance tests rest on finds what it should."""

from __future__ import annotations

from tests.conformance.emptiness import empty_members


def test_every_kind_of_emptiness_is_found_wherever_it_hides() -> None:
    message = {"cards": [{"a": None, "b": ["x", ""], "c": {"d": []}, "e": {}}], "extension": {"services": []}}

    assert list(empty_members(message)) == [
        ".cards[0].a",
        ".cards[0].b[1]",
        ".cards[0].c.d",
        ".cards[0].e",
        ".extension.services",
    ]


def test_what_may_be_empty_or_is_no_emptiness_passes() -> None:
    assert list(empty_members({"cards": [], "services": [], "a": 0, "b": False})) == []
    assert list(empty_members({"type": "update", "resource": {"given": [None]}})) == []
    assert list(empty_members({"cards": {}})) == [".cards"]
