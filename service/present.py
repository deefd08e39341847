"""An alert with its text becomes a card: uuid, source, links, override reasons and suggestions with FHIR actions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from os import urandom
from typing import Any

from cards.offers import Offers
from cards.rule import DRAFTS, NOT_EVALUATED_TOPIC, NotEvaluated, Raised
from cards.wording import CardText, SuggestionText, Wording
from service.fhir.writer import CannotWrite, Target, Writer

TOPIC_SYSTEM = "urn:b12-cds:topic"
UNCHECKED_EXTENSION = "urn:b12-cds:unchecked"
OVERRIDE_SYSTEM = "urn:b12-cds:override-reason"
OVERRIDE_CATEGORY_SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
WHY_THIS_CARD = "Why this card?"

Card = dict[str, Any]


def card(
    raised: Raised, wording: Wording, offers: Offers, writer: Writer, target: Target, rule_pages: str | None = None
) -> Card:
    """The card of an alert; a suggestion that cannot be written as FHIR is left out and given in words.

    It links to the page of its rule when `rule_pages`, their address, is known.
    """
    text = wording.text(raised, offers)
    result = _card(text, raised.level.value, raised.rule.topic)
    if rule_pages:
        why = {"label": WHY_THIS_CARD, "url": f"{rule_pages}/{raised.rule.topic}", "type": "absolute"}
        result["links"] = [*result.get("links", ()), why]
    about = raised.alert.about
    suggestions, in_words = [], []
    for suggestion in text.suggestions:
        try:
            actions = [writer.action(each, suggestion.label, about, target) for each in suggestion.actions]
        except CannotWrite:
            in_words.append(suggestion.label)
            continue
        suggestions.append(_suggestion(suggestion, actions))
    if in_words:
        result["detail"] += "\n\n**To do by hand** " + "; ".join(in_words) + "."
    if suggestions:
        result["suggestions"] = suggestions
        result["selectionBehavior"] = text.selection
    result["overrideReasons"] = _override_reasons(text.override_reasons)
    return result


def not_evaluated_card(gaps: Sequence[NotEvaluated], unread: Sequence[str], wording: Wording) -> Card:
    """The one card that names the questions left open; `unread`: why drafts could not be read, one reason for each."""
    keys = [key for gap in gaps for key in gap.data] + ([DRAFTS] if unread else [])
    card = _card(wording.not_evaluated(tuple(gaps), tuple(unread)), "info", NOT_EVALUATED_TOPIC)
    return {**card, "extension": {UNCHECKED_EXTENSION: list(dict.fromkeys(keys))}} if keys else card


def _card(text: CardText, indicator: str, topic: str) -> Card:
    return {
        "uuid": new_uuid(),
        "summary": text.summary,
        "indicator": indicator,
        "detail": text.detail,
        **_sources(text.sources, topic),
    }


# The same for every card of a rule: made once, and never changed.
@lru_cache(maxsize=256)
def _sources(sources: tuple[tuple[str, str | None], ...], topic: str) -> dict[str, Any]:
    """The members of a card that say where its guidance comes from."""
    label, url = sources[0]
    source: dict[str, Any] = {"label": label}
    if url:
        source["url"] = url
    source["topic"] = {"system": TOPIC_SYSTEM, "code": topic}
    links = [{"label": name, "url": address, "type": "absolute"} for name, address in sources if address]
    return {"source": source, **({"links": links} if links else {})}


@lru_cache(maxsize=256)
def _override_reasons(reasons: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"code": code, "system": OVERRIDE_SYSTEM, "display": display} for code, display in reasons]


# Random numbers of the system that no UUID was made of yet: each draw is a call to the kernel.
_drawn: list[int] = []
_AT_A_TIME = 64
if hasattr(os, "register_at_fork"):
    # Two processes must not use the same ones.
    os.register_at_fork(after_in_child=_drawn.clear)


def new_uuid() -> str:
    """A random UUID (RFC 4122, version 4), without the object that Python's own function builds on the way."""
    if not _drawn:
        drawn = urandom(16 * _AT_A_TIME)
        _drawn.extend(int.from_bytes(drawn[at : at + 16], "big") for at in range(0, len(drawn), 16))
    digits = f"{_drawn.pop() & ~_FIXED_BITS | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


_FIXED_BITS = 0xF << 76 | 0x3 << 62
_VERSION_4 = 0x4 << 76 | 0x2 << 62


def _suggestion(suggestion: SuggestionText, actions: list[dict[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {"label": suggestion.label, "uuid": new_uuid()}
    if suggestion.recommended:
        result["isRecommended"] = True
    result["actions"] = actions
    return result
