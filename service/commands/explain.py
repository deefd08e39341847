"""b12-cds explain: one request, rule by rule: what was read, what matched, what excluded, what was missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from textwrap import wrap
from typing import Any

from cards.library import Library
from service.endpoints.hooks import envelope, hook_call
from service.explain import DataSeen, Explanation, Finding, Limit, RuleExplained, UnknownCode, Verdict
from service.explain import explain as explanation_of
from service.in_words import Fact
from service.respond import Responder

_WIDTH = 110
_INDENT = "  "
_HEADINGS = {
    Verdict.SPEAKS: "Rules that speak",
    Verdict.MERGED: "Rules that would speak, but another card speaks of the same problem",
    Verdict.NOT_EVALUATED: "Rules that could not be evaluated",
    Verdict.EXCLUDED: "Rules that are silent for a reason",
    Verdict.NOTHING_FOUND: "Rules that looked and found nothing",
}


def explain(document: dict[str, Any], responder: Responder, library: Library, today: date) -> str:
    """The explanation of one request, as text.

    Raises `service.endpoints.answers.Refused` for a request that the service would refuse for its form.
    """
    request = envelope(document)
    service = next((each for each in responder.services.values() if each.hook == request.hook), None)
    if service is None:
        known = ", ".join(each.hook for each in responder.services.values())
        return f"No service listens to this hook; there are {known}.\n"
    call = hook_call(service, request)
    told = asyncio.run(explanation_of(responder, service, call, library, today))
    return "\n".join(_lines(told)) + "\n"


def _lines(told: Explanation) -> Iterator[str]:
    yield f"{told.hook}, profile {told.profile}, {told.today.isoformat()}"
    yield from _section("Answer", _answer(told))
    if told.hook != "patient-view":
        yield from _section("Drafts", _drafts(told))
    yield from _section("Data that the rules asked for", _all_data(told.data))
    yield from _section("What was read of the patient", map(_fact, told.facts))
    yield from _section("Drug codes that are in no value set", map(_unknown, told.unknown_drugs))
    yield from _section("What follows from it", map(_fact, told.judgements))
    for verdict, heading in _HEADINGS.items():
        rules = [rule for rule in told.rules if rule.verdict is verdict]
        yield from _section(heading, (line for rule in rules for line in _rule(rule)))
    others = [rule.topic for rule in told.rules if rule.verdict is Verdict.NOT_ABOUT_THESE]
    yield from _section("Rules that are not about these drafts", [", ".join(others)] if others else [])


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A heading and its lines, wrapped with a hanging indent; nothing when there are no lines."""
    written = list(lines)
    if not written:
        return
    yield ""
    yield title
    for line in written:
        own = line[: len(line) - len(line.lstrip())] + _INDENT
        yield from wrap(
            line.lstrip(), _WIDTH, initial_indent=own, subsequent_indent=own + _INDENT, break_on_hyphens=False
        )


def _answer(told: Explanation) -> Iterator[str]:
    if told.missing_keys:
        yield f"412: required prefetch keys are absent: {', '.join(told.missing_keys)}"
        return
    for card in told.cards:
        yield f"{card.indicator.upper()} {card.topic}: {card.summary}"
    if not told.cards:
        yield f"no cards{f': {told.no_cards_because}' if told.no_cards_because else ''}"


def _drafts(told: Explanation) -> Iterator[str]:
    for draft in told.drafts:
        yield f"{draft.number}. {draft.words}{'' if draft.selected else ' (not selected: context only)'}"
        if draft.selected:
            yield f"{_INDENT}triggers {', '.join(draft.wakes) or 'no rule'}"
    for unread in told.unread_drafts:
        yield f"{unread.place}: {unread.why}"
    if not told.drafts and not told.unread_drafts:
        yield "none of a medicine or laboratory test for this patient"


def _all_data(data: Iterable[DataSeen]) -> Iterator[str]:
    """One line for each key that brought something, and one for all of like want."""
    bare: dict[str, list[str]] = {}
    for each in data:
        if each.resources or each.unreadable or each.remarks:
            yield _data(each)
        else:
            bare.setdefault(each.state, []).append(each.key)
    yield from (f"{', '.join(keys)}: {state}" for state, keys in bare.items())


def _data(data: DataSeen) -> str:
    parts = [f"{data.key} ({data.title}): {data.state}"]
    if data.resources:
        parts.append(f"{data.resources} resource{'s' if data.resources > 1 else ''}")
    if data.back_to:
        parts.append(f"complete back to {data.back_to.isoformat()}")
    parts += [f"{number} {reason}" for reason, number in data.unreadable]
    parts += data.remarks
    return ", ".join(parts)


def _fact(fact: Fact) -> str:
    return f"{fact.kind}: {fact.words}"


def _unknown(drug: UnknownCode) -> str:
    read = f"read as {drug.read_as} by its words" if drug.read_as else "without words: what it is cannot be told"
    return f"{drug.system}|{drug.code}: {read}" if drug.system else f"{drug.code}, of no code system: {read}"


def _rule(rule: RuleExplained) -> Iterator[str]:
    level = f", {rule.level}" if rule.level else ""
    yield f"{rule.topic}: {rule.title}{level}"
    for finding in rule.findings:
        where = f"draft {finding.draft}: " if finding.draft else ""
        for line in _FINDINGS[finding.verdict](rule, finding, where):
            yield _INDENT + line
    if rule.not_available:
        yield f"{_INDENT}not available: {', '.join(rule.not_available)}"
    if rule.verdict in (Verdict.SPEAKS, Verdict.NOTHING_FOUND):
        yield f"{_INDENT}It speaks"
        for situation in rule.conditions:
            yield from (f"{_INDENT * 2}{clause}" for clause in situation if not clause.startswith("THEN"))
        if rule.limits:
            sourced = rule.verdict is Verdict.SPEAKS
            yield f"{_INDENT}Limits: {'; '.join(_limit(limit, sourced) for limit in rule.limits)}"


def _limit(limit: Limit, sourced: bool) -> str:
    """A threshold with its value and, when it is wanted, where that comes from; a site's own value is always told."""
    source = "set by this site" if limit.set_by_site else limit.source or "service setting"
    return f"{limit.means}: {limit.value}{f' [{source}]' if sourced or limit.set_by_site else ''}"


def _speaks(_: RuleExplained, finding: Finding, where: str) -> Iterator[str]:
    yield f"{where}{finding.summary or finding.why}"
    if not finding.shown:
        yield f"{_INDENT}not shown to this client"
    yield from (f"{_INDENT}{_fact(fact)}" for fact in (Fact("situation", finding.why), *finding.facts))
    yield from (f"{_INDENT}offers: {offer}" for offer in finding.offers)


def _merged(rule: RuleExplained, finding: Finding, where: str) -> Iterator[str]:
    yield f"{where}{finding.level}, {finding.why}; {rule.merged_into or 'another draft'} speaks in its place"


def _plain(_: RuleExplained, finding: Finding, where: str) -> Iterator[str]:
    yield f"{where}{finding.why}"


_FINDINGS: dict[Verdict, Callable[[RuleExplained, Finding, str], Iterator[str]]] = {
    Verdict.SPEAKS: _speaks,
    Verdict.MERGED: _merged,
    Verdict.NOT_EVALUATED: _plain,
    Verdict.EXCLUDED: _plain,
    Verdict.NOTHING_FOUND: _plain,
}
