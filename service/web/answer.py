"""What the sandbox shows of an answer: the cards as an EHR shows them, and what each rule said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

from cards.library import Library
from cards.record import Source
from cards.rule import Level
from cards.wording import SOURCE_NAMES
from service.respond import Examination, Service
from service.web.markdown import to_html

_LEVELS = {each.value for each in Level}
_GROUPS = ("critical", "warning", "info", "open", "silent", "unasked")


@dataclass(frozen=True, slots=True)
class ShownSuggestion:
    """A button of a card."""

    uuid: str
    label: str
    recommended: bool


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A card with its detail as HTML; `level` is also how it is drawn."""

    uuid: str
    level: str
    summary: str
    detail: Markup
    source: Mapping[str, str]
    links: tuple[Mapping[str, str], ...]
    suggestions: tuple[ShownSuggestion, ...]
    reasons: tuple[Mapping[str, str], ...]


class RuleSaid(NamedTuple):
    """What one rule said: `sign` is a level, `open`, `silent`, or `unasked`; `word` the same in a word or two."""

    topic: str
    title: str
    sign: str
    word: str
    why: str


def cards(answer: Mapping[str, Any]) -> list[ShownCard]:
    """The cards of an answer, in its order; what is not a card is left out."""
    found = answer.get("cards")
    return [shown(each) for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def shown(card: Mapping[str, Any]) -> ShownCard:
    """One card. A web address that is none is not linked."""
    [source] = _dicts([card.get("source")]) or [{}]
    level = str(card.get("indicator"))
    return ShownCard(
        uuid=str(card.get("uuid", "")),
        level=level if level in _LEVELS else Level.INFO.value,
        summary=str(card.get("summary", "")),
        detail=to_html(str(card.get("detail", ""))),
        source={"label": str(source.get("label", "not named")), "url": _address(source.get("url"))},
        links=tuple(
            {"label": str(each.get("label", "")), "url": url}
            for each in _dicts(card.get("links"))
            if (url := _address(each.get("url"))) and url != source.get("url")
        ),
        suggestions=tuple(
            ShownSuggestion(str(each.get("uuid", "")), str(each.get("label", "")), each.get("isRecommended") is True)
            for each in _dicts(card.get("suggestions"))
        ),
        reasons=tuple({"display": str(each.get("display", ""))} for each in _dicts(card.get("overrideReasons"))),
    )


def announcement(shown_cards: list[ShownCard]) -> str:
    """The answer in a sentence, for the status line and for screen readers."""
    if not shown_cards:
        return "No card: checked, nothing to say."
    counts = [(level, sum(each.level == level for each in shown_cards)) for level in ("critical", "warning", "info")]
    named = ", ".join(f"{count} {level}" for level, count in counts if count)
    return f"{len(shown_cards)} card{'s' if len(shown_cards) > 1 else ''}: {named}."


def rules_said(service: Service, found: Examination, library: Library) -> list[RuleSaid]:
    """What each rule of the service said, the loudest first."""
    said = list(_each_said(service, found, library))
    return sorted(said, key=lambda each: _GROUPS.index(each.sign))


def _each_said(service: Service, found: Examination, library: Library) -> Iterator[RuleSaid]:
    evaluation = found.evaluation
    raised = {each.rule.topic: each for each in evaluation.raised}
    lacking = {each.rule.topic: each for each in evaluation.not_evaluated}
    asked = {rule.topic for rule in found.rules}
    for rule in service.rules:
        topic, title = rule.topic, library.folders[rule.topic].definition.title
        if topic in raised:
            alert = raised[topic]
            level = alert.level.value
            yield RuleSaid(topic, title, level, level, alert.alert.variant.replace("_", " "))
        elif topic in evaluation.merged:
            speaker = library.folders[evaluation.merged[topic]].definition.title
            yield RuleSaid(topic, title, "silent", "merged", f"“{speaker}” speaks of the same problem")
        elif topic in lacking:
            gap = lacking[topic]
            data = ", ".join(SOURCE_NAMES[Source(each)] if each in set(Source) else "the draft" for each in gap.data)
            yield RuleSaid(topic, title, "open", "not evaluated", f"{data}: {gap.reason.replace('-', ' ')}")
        elif topic not in asked:
            yield RuleSaid(topic, title, "unasked", "not asked", "not about these drafts")
        else:
            why = "; ".join(evaluation.excluded.get(topic, ())) or "checked, nothing found"
            yield RuleSaid(topic, title, "silent", "silent", why)


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _address(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith(("https://", "http://")) else ""
