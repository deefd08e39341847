"""What the sandbox shows of an answer: the cards as an EHR shows them, and what each rule said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

from cards.rule import Level
from service.explain import DataSeen, Explanation, RuleExplained, Verdict
from service.in_words import Fact
from service.web.markdown import to_html

_LEVELS = {each.value for each in Level}
_UNASKED = "unasked"
_SIGNS = ("critical", "warning", "info", "open", "silent", _UNASKED)
_SIGN_OF = {Verdict.NOT_EVALUATED: "open", Verdict.NOT_ABOUT_THESE: _UNASKED}


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
    """What one rule said: `sign` is a level, `open` or `silent`; `word` the same in a word or two, `why` in full."""

    topic: str
    title: str
    sign: str
    word: str
    why: tuple[str, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What the rules said to one request; `others` are those that are not about its drafts.

    `judgements`: what the shared definitions make of the record. `read`: what was read of it, and from which data.
    """

    rules: tuple[RuleSaid, ...]
    others: tuple[RuleSaid, ...]
    judgements: tuple[Fact, ...]
    read: tuple[Fact, ...]
    data: tuple[Fact, ...]
    no_cards_because: str | None


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


def announcement(shown_cards: list[ShownCard], told: Explanation | None = None) -> str:
    """The answer in a sentence, for the status line and for screen readers."""
    if not shown_cards and told and told.unread_drafts:
        return "No card, and not every draft could be read."
    if not shown_cards:
        return "No card: checked, nothing to say."
    counts = [(level, sum(each.level == level for each in shown_cards)) for level in ("critical", "warning", "info")]
    named = ", ".join(f"{count} {level}" for level, count in counts if count)
    return f"{len(shown_cards)} card{'s' if len(shown_cards) > 1 else ''}: {named}."


def said(told: Explanation) -> Said:
    """What each rule of the hook said, the loudest first."""
    rules = sorted(map(_rule_said, told.rules), key=lambda each: _SIGNS.index(each.sign))
    return Said(
        rules=tuple(each for each in rules if each.sign != _UNASKED),
        others=tuple(each for each in rules if each.sign == _UNASKED),
        judgements=told.judgements,
        read=told.facts,
        data=(
            *(Fact(each.place, each.why) for each in told.unread_drafts),
            *(_data_said(each) for each in told.data),
        ),
        no_cards_because=told.no_cards_because,
    )


def _rule_said(rule: RuleExplained) -> RuleSaid:
    sign = _SIGN_OF.get(rule.verdict, "silent")
    word = rule.verdict.value
    if rule.verdict is Verdict.SPEAKS:
        sign = word = rule.level or Level.INFO.value
    several = len(rule.findings) > 1
    why = [f"Draft {found.draft}: {found.why}" if several and found.draft else found.why for found in rule.findings]
    if rule.merged_into:
        why.append(f"spoken of by {rule.merged_into}")
    facts = tuple(dict.fromkeys(fact for found in rule.findings for fact in found.facts))
    return RuleSaid(rule.topic, rule.title, sign, word, tuple(dict.fromkeys(why)), facts)


def _data_said(data: DataSeen) -> Fact:
    resources = f", {data.resources} resources" if data.resources != 1 else ", 1 resource"
    return Fact(data.key, f"{data.state}{resources if data.resources else ''}")


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _address(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith(("https://", "http://")) else ""
