"""An alert with its text becomes a card: uuid, source, links, override reasons and suggestions with FHIR actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from cards.offers import Offers
from cards.rule import NOT_EVALUATED_TOPIC, NotEvaluated, Raised
from cards.wording import CardText, SuggestionText, Wording
from service.fhir.writer import CannotWrite, Target, Writer

TOPIC_SYSTEM = "urn:b12-cds:topic"
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
    result["overrideReasons"] = [
        {"code": code, "system": OVERRIDE_SYSTEM, "display": display} for code, display in text.override_reasons
    ]
    return result


def not_evaluated_card(gaps: Sequence[NotEvaluated], wording: Wording) -> Card:
    """The one card that names the questions left open."""
    return _card(wording.not_evaluated(tuple(gaps)), "info", NOT_EVALUATED_TOPIC)


def _card(text: CardText, indicator: str, topic: str) -> Card:
    label, url = text.sources[0]
    source: dict[str, Any] = {"label": label}
    if url:
        source["url"] = url
    source["topic"] = {"system": TOPIC_SYSTEM, "code": topic}
    result: Card = {
        "uuid": str(uuid4()),
        "summary": text.summary,
        "indicator": indicator,
        "detail": text.detail,
        "source": source,
    }
    links = [{"label": name, "url": address, "type": "absolute"} for name, address in text.sources if address]
    if links:
        result["links"] = links
    return result


def _suggestion(suggestion: SuggestionText, actions: list[dict[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {"label": suggestion.label, "uuid": str(uuid4())}
    if suggestion.recommended:
        result["isRecommended"] = True
    result["actions"] = actions
    return result
