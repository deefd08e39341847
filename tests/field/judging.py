"""Whether an answer is what a field case expects; the members of `expect` are those of the folder's README."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.field.accepting import accepted
from tests.field.server import Server

Json = dict[str, Any]
_EVALUATION, _UNCHECKED = "urn:b12-cds:evaluation", "urn:b12-cds:unchecked"
_RANK = {None: -1, "info": 0, "warning": 1, "critical": 2}
_DAYS = {"h": 1 / 24, "d": 1, "wk": 7, "mo": 30.4375, "a": 365.25}
_OK = 200
_ADDRESS = r"https?://[^\s)\]>\"]+"
_B12_ORDER = {"type": "create", "resource": "MedicationRequest", "text": r"cobalamin|b ?12"}


def faults(server: Server, case: Json, status: int, answer: Json, expect: Json) -> list[str]:
    """Everything in which the answer differs from what is due; empty when it is right."""
    if status not in expect.get("status", [_OK]):
        return [f"HTTP {status}"]
    if status != _OK:
        return []
    found = [
        *_levels(answer, expect),
        *_gaps(case, answer, expect),
        *_words(answer, expect),
        *_form(answer, expect.get("form", {})),
    ]
    for offer in expect.get("offers", []):
        found += _offer(answer, offer)
    for taken in expect.get("after_accept", []):
        found += _after_accept(server, case, answer, taken)
    if "either" in expect and not found:
        tries = [faults(server, case, status, answer, each) for each in expect["either"]]
        if all(tries):
            found.append("none of: " + " | ".join("; ".join(each) for each in tries))
    return found


# --- what the answer says ------------------------------------------------------------------------------------------


def _topic(card: Json) -> str:
    return str(card["source"]["topic"]["code"])


def _cards(answer: Json, topic: str = "*") -> list[Json]:
    return [card for card in answer.get("cards") or [] if topic in ("*", _topic(card))]


def loudest(answer: Json) -> dict[str, str]:
    """The level at which each topic speaks."""
    found: dict[str, str] = {}
    for card in _cards(answer):
        if _RANK[card["indicator"]] >= _RANK[found.get(_topic(card))]:
            found[_topic(card)] = card["indicator"]
    return found


def _report(answer: Json) -> Json:
    report: Json = (answer.get("extension") or {}).get(_EVALUATION) or {}
    return report


def _levels(answer: Json, expect: Json) -> Iterator[str]:
    got = loudest(answer)
    due: Json = expect.get("cards", {})
    for topic, levels in due.items():
        if got.get(topic) not in levels:
            yield f"{topic}: {got.get(topic) or 'silent'}, due {' or '.join(levels)}"
    forbidden: list[str] = expect.get("forbid", [])
    for topic, level in got.items():
        alone = "*" in forbidden and topic not in due and topic not in expect.get("allow", [])
        if topic in forbidden or alone:
            yield f"{topic} {level} is not due: {_cards(answer, topic)[0]['summary']}"
    for topic, most in expect.get("at_most", {}).items():
        if _RANK[got.get(topic)] > _RANK[most]:
            yield f"{topic} {got[topic]}, at most {most} is due"


def _gaps(case: Json, answer: Json, expect: Json) -> Iterator[str]:
    got = loudest(answer)
    report = _report(answer)
    open_questions = {gap["topic"] for gap in report.get("notEvaluated", [])}
    for topic in expect.get("not_evaluated", []):
        if topic not in got and topic not in open_questions:
            yield f"{topic}: silent, and not listed as not evaluated"
    for topic in expect.get("unchecked", []):
        for card in _cards(answer, topic):
            if not (card.get("extension") or {}).get(_UNCHECKED):
                yield f"{topic}: the card does not say what could not be checked: {card['summary']}"
    if expect.get("draft_named"):
        if not report.get("draftOrders"):
            yield "the draft that could not be read is not named in the extension"
        if case["request"]["hook"] == "order-sign" and "not-evaluated" not in got:
            yield "no card names the draft that could not be read"


def _words(answer: Json, expect: Json) -> Iterator[str]:
    for part in ("summary", "detail", "words"):
        for said in (True, False):
            for topic, pattern in expect.get(f"{part}_{'has' if said else 'not'}", {}).items():
                for card in _cards(answer, topic):
                    both = f"{card['summary']} {card.get('detail')}"
                    text = both if part == "words" else str(card.get(part) or "")
                    if bool(re.search(pattern, text, re.IGNORECASE)) != said:
                        yield f"{_topic(card)}: {part} {'lacks' if said else 'says'} /{pattern}/: {card['summary']}"
    for topic, pattern in expect.get("links_not", {}).items():
        for card in _cards(answer, topic):
            if bad := [each for each in _links(card) if re.search(pattern, each, re.IGNORECASE)]:
                yield f"{_topic(card)}: links to {bad[0]}"
    for topic, pattern in expect.get("labels_not", {}).items():
        labels = [str(each.get("label")) for each in _suggestions(answer, topic)]
        if bad := [each for each in labels if re.search(pattern, each, re.IGNORECASE)]:
            yield f"{topic}: a button says {bad[0]!r}"


def _links(card: Json) -> list[str]:
    found = re.findall(_ADDRESS, card.get("detail") or "")
    named = [(card.get("source") or {}).get("url"), *(each.get("url") for each in card.get("links") or [])]
    return [*found, *(each for each in named if each)]


def _form(answer: Json, form: Json) -> Iterator[str]:
    for card in _cards(answer) if form else []:
        detail = card.get("detail") or ""
        sizes = {
            "summary_max": len(card["summary"]),
            "detail_words_max": len(detail.split()),
            "label_max": max((len(each["label"]) for each in card.get("suggestions") or []), default=0),
            "evidence_max": len(set(re.findall(_ADDRESS, detail))),
        }
        yield from (
            f"{_topic(card)}: {name} {sizes[name]} over {most}" for name, most in form.items() if sizes[name] > most
        )


# --- what a suggestion does ----------------------------------------------------------------------------------------


def _suggestions(answer: Json, topic: str) -> list[Json]:
    return [each for card in _cards(answer, topic) for each in card.get("suggestions") or []]


def _actions(suggestions: Sequence[Json]) -> list[Json]:
    return [action for each in suggestions for action in each.get("actions") or []]


def _does(action: Json, wanted: Json) -> bool:
    return all(_does_one(action, name, value) for name, value in wanted.items())


def _does_one(action: Json, name: str, value: Any) -> bool:
    resource = action.get("resource") or {}
    gone = _gone(action)
    dosages = resource.get("dosageInstruction") or []
    if name == "type":
        return action.get("type") in (value if isinstance(value, list) else [value])
    if name == "resource":
        return resource.get("resourceType") == value or gone.startswith(f"{value}/")
    if name == "target":
        return value in (gone, f"{resource.get('resourceType')}/{resource.get('id')}")
    if name == "interval_days":
        days = _interval(dosages)
        return days is not None and value[0] <= days <= value[1]
    parts = {
        "text": [resource.get(each) for each in ("medicationCodeableConcept", "code", "description", "reasonCode")],
        "site": [each.get("site") for each in dosages],
        "route": [each.get("route") for each in dosages],
        "any": resource,
    }
    return bool(re.search(value, json.dumps(parts[name], ensure_ascii=False), re.IGNORECASE))


def _gone(action: Json) -> str:
    gone = action.get("resourceId") or ""
    return " ".join(gone) if isinstance(gone, list) else str(gone)


def _interval(dosages: Sequence[Json]) -> float | None:
    """Days between the doses of the longest phase."""
    repeats = [((each.get("timing") or {}).get("repeat")) or {} for each in dosages]
    return max(
        (
            each["period"] * _DAYS[each["periodUnit"]] / (each.get("frequency") or 1)
            for each in repeats
            if each.get("period") and each.get("periodUnit") in _DAYS
        ),
        default=None,
    )


def _offer(answer: Json, offer: Json) -> list[str]:
    topic = offer["topic"]
    every = _suggestions(answer, topic)
    if "some" in offer:
        pool = [each for each in every if each.get("isRecommended")] if offer.get("recommended") else every
        if not any(_does(action, offer["some"]) for action in _actions(pool)):
            return [f"{topic}: no {'recommended ' if offer.get('recommended') else ''}suggestion does {offer['some']}"]
    if "first" in offer and not any(_does(action, offer["first"]) for action in _actions(every[:1])):
        return [f"{topic}: the first suggestion does not {offer['first']}"]
    for each in every if "never" in offer else []:
        if any(_does(action, offer["never"]) for action in _actions([each])):
            return [f"{topic}: {each['label']!r} does {offer['never']}"]
    return [fault for card in _cards(answer, topic) for fault in _exclusive(card)] if "not_together" in offer else []


def _exclusive(card: Json) -> Iterator[str]:
    """Of a card that lets several be chosen: no two may change one order, nor order B12 twice."""
    if card.get("selectionBehavior") != "any":
        return
    changed: Counter[str] = Counter()
    ordering = 0
    for each in card.get("suggestions") or []:
        actions = _actions([each])
        for action in actions:
            resource = action.get("resource") or {}
            if action["type"] == "update":
                changed[f"{resource.get('resourceType')}/{resource.get('id')}"] += 1
            elif action["type"] == "delete":
                changed[_gone(action)] += 1
        ordering += any(_does(action, _B12_ORDER) for action in actions)
    if ordering > 1:
        yield f"{_topic(card)}: several suggestions may be chosen, and {ordering} of them order B12"
    if twice := [name for name, number in changed.items() if number > 1]:
        yield f"{_topic(card)}: several suggestions may be chosen, and more than one of them changes {twice}"


def _after_accept(server: Server, case: Json, answer: Json, taken: Json) -> list[str]:
    """`quiet` topics at most inform, `silent` ones are absent, and nothing but `allow` warns that did not before."""
    every = _suggestions(answer, taken["topic"])
    if taken.get("which", "recommended") == "recommended":
        every = [each for each in every if each.get("isRecommended")][:1] or every[:1]
    if not every:
        return [] if taken.get("optional") else [f"{taken['topic']}: nothing to accept"]
    before = loudest(answer)
    found = []
    today = case["request"]["extension"]["urn:b12-cds:as-if"]["today"]
    for each in every:
        status, after = server.call(accepted(case["request"], each, today))
        told = f"accepted {each['label']!r}"
        if status != _OK:
            found.append(f"{told}: HTTP {status}")
            continue
        for topic, level in loudest(after).items():
            summary = _cards(after, topic)[0]["summary"]
            if topic in taken.get("silent", []) or (topic in taken.get("quiet", []) and _RANK[level] > _RANK["info"]):
                found.append(f"{told}: {topic} {level} again: {summary}")
            elif topic not in taken.get("allow", []) and _RANK[level] > max(_RANK[before.get(topic)], _RANK["info"]):
                found.append(f"{told}: {topic} now {level}: {summary}")
    return found
