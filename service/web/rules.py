"""What the rule pages show: one rule from its folder, its example patients asked, so that the page cannot be wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib import import_module
from inspect import getdoc, getsource
from typing import NamedTuple

from cards.library import Definition, Evidence, Library, RuleFolder, SourceNeed, Threshold
from cards.offers import Offers
from cards.record import Source
from cards.rule import PROFILES, Evaluation, Hook, Profile, Raised, Rule, evaluate, triggered
from cards.vignettes import (
    ExpectedCard,
    ExpectedGap,
    Medication,
    OrderLine,
    ProblemLine,
    Vignette,
    VignetteFile,
    load,
    record,
)
from cards.wording import SOURCE_NAMES, CardText, Wording
from service.demo.scenarios import Summary, summary
from service.demo.words import day
from service.web.answer import ShownCard, ShownSuggestion
from service.web.markdown import to_html

_HOOKS = {
    Hook.ORDER_SIGN: "signing an order",
    Hook.ORDER_SELECT: "choosing an order",
    Hook.PATIENT_VIEW: "opening the chart",
}
_CODE_SYSTEMS = {
    "SNOMED": "SNOMED CT",
    "RXNORM": "RxNorm",
    "ICD10": "ICD-10",
    "ICD10CM": "ICD-10-CM",
    "ICD10PCS": "ICD-10-PCS",
    "LOINC": "LOINC",
}
_PERIODS = {"h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}


class NoSuchRule(Exception):
    """No rule has this topic."""


class Condition(NamedTuple):
    """A line of the criteria: WHEN, AND, OR or THEN, and what follows."""

    word: str
    says: str


class Example(NamedTuple):
    """One situation of the rule with the card that its first example patient gets."""

    variant: str
    levels: Mapping[Profile, str]
    card: ShownCard
    scenario: Summary


class Silence(NamedTuple):
    """A reason for silence, and the example patients it keeps the card from."""

    why: str
    patients: tuple[Summary, ...]


class ThresholdRow(NamedTuple):
    """A threshold: what it means, and per profile its value in words with the evidence it rests on (or none)."""

    name: str
    means: str
    values: Mapping[Profile, str]
    cites: Mapping[Profile, Evidence | None]


class EvidenceRow(NamedTuple):
    """A source, and in which profiles the card cites it."""

    key: str
    source: Evidence
    cited_in: tuple[Profile, ...]


class ReasonRow(NamedTuple):
    """An override reason with its code and its HL7 category."""

    code: str
    display: str
    category: str


class DataRow(NamedTuple):
    """A prefetch key that the rule reads: whether it is required, how far back, and which concepts."""

    key: str
    name: str
    required: bool
    how: str


class ValueSetRow(NamedTuple):
    """A concept that the rule names, and how many codes stand for it in which systems."""

    name: str
    title: str
    codes: str


class VignetteRow(NamedTuple):
    """An example patient, for a reader."""

    scenario: Summary
    patient: str
    ordered: tuple[str, ...]
    known: tuple[str, ...]
    outcome: str


class IndexRow(NamedTuple):
    """A rule in the list of all."""

    topic: str
    title: str
    level: str
    hooks: str
    says: str
    cards: int
    vignettes: int
    due: str


@dataclass(frozen=True, slots=True)
class RulePage:
    """Everything that the page of one rule shows."""

    topic: str
    title: str
    version: int
    hooks: str
    level: str
    question: str
    conditions: tuple[tuple[Condition, ...], ...]
    examples: tuple[Example, ...]
    silences: tuple[Silence, ...]
    thresholds: tuple[ThresholdRow, ...]
    shared_thresholds: tuple[ThresholdRow, ...]
    evidence: tuple[EvidenceRow, ...]
    reasons: tuple[ReasonRow, ...]
    data: tuple[DataRow, ...]
    value_sets: tuple[ValueSetRow, ...]
    notes: tuple[str, ...]
    vignettes: tuple[VignetteRow, ...]
    review_state: str
    evidence_checked: str
    due: str
    today: str


class RulePages:
    """Makes the pages. A page is made once: it changes only with the rules."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.page = lru_cache(maxsize=None)(self._page)
        self._asked = lru_cache(maxsize=None)(self._rules)

    def index(self) -> tuple[IndexRow, ...]:
        """Every rule in order of precedence."""
        return self._index

    @cached_property
    def _index(self) -> tuple[IndexRow, ...]:
        order = self._library.shared.precedence.index
        return tuple(
            self._index_row(self._library.folders[topic]) for topic in sorted(self._library.folders, key=order)
        )

    def _index_row(self, folder: RuleFolder) -> IndexRow:
        definition, file = folder.definition, load(folder.folder)
        return IndexRow(
            topic=definition.topic,
            title=definition.title,
            level=_highest(definition),
            hooks=_hooks(definition),
            says="; ".join(each[-1].says.rstrip(".") for each in _conditions(folder)),
            cards=sum(isinstance(each.expect, ExpectedCard) for each in file.vignettes),
            vignettes=len(file.vignettes),
            due=day(definition.review.due),
        )

    def _page(self, topic: str) -> RulePage:
        """The page of a rule. Raises `NoSuchRule`."""
        if topic not in self._library.folders:
            raise NoSuchRule
        folder = self._library.folders[topic]
        definition, file = folder.definition, load(folder.folder)
        asked = [
            (summary(topic, at, each), each, self._ask(topic, each, file)) for at, each in enumerate(file.vignettes, 1)
        ]
        thresholds = self._library.shared.thresholds
        named = _names_in(folder)
        return RulePage(
            topic=topic,
            title=definition.title,
            version=definition.version,
            hooks=_hooks(definition),
            level=_highest(definition),
            question=definition.question,
            conditions=_conditions(folder),
            examples=tuple(self._examples(definition, asked, file)),
            silences=_silences(topic, ((short, found) for short, _, found in asked)),
            thresholds=tuple(self._threshold(definition, *each) for each in definition.thresholds.items()),
            shared_thresholds=tuple(
                self._threshold(definition, name, each) for name, each in thresholds.items() if name in named
            ),
            evidence=tuple(self._evidence(definition)),
            reasons=tuple(self._reasons(definition)),
            data=tuple(self._data(definition)),
            value_sets=tuple(self._value_sets(definition, named)),
            notes=definition.notes,
            vignettes=tuple(self._vignette(short, vignette) for short, vignette, _ in asked),
            review_state=definition.review.state,
            evidence_checked=day(definition.review.evidence_checked),
            due=day(definition.review.due),
            today=day(file.today),
        )

    # --- the rule, asked -------------------------------------------------------------------------------------------

    def _rules(self, profile: Profile, own: tuple[tuple[str, Decimal], ...]) -> tuple[Rule, ...]:
        return self._library.rules(profile, dict(own))

    def _ask(self, topic: str, vignette: Vignette, file: VignetteFile) -> Evaluation:
        """What the rule alone says to an example patient."""
        own = tuple(sorted((name, Decimal(value)) for name, value in vignette.settings.items()))
        rules = [rule for rule in self._asked(vignette.profile, own) if rule.topic == topic]
        patient = record(vignette, file.today, self._library.terminology)
        return evaluate(triggered(rules, vignette.hook, patient.drafts), vignette.hook, patient, file.today)

    def _examples(
        self, definition: Definition, asked: Iterable[tuple[Summary, Vignette, Evaluation]], file: VignetteFile
    ) -> Iterator[Example]:
        """The first card of each situation, loudest first."""
        first: dict[str, Example] = {}
        for short, vignette, found in asked:
            for raised in found.raised:
                variant = raised.alert.variant
                if variant not in first:
                    levels = {profile: definition.level(variant, profile).value for profile in PROFILES}
                    card = self._card(raised, vignette, file.today)
                    first[variant] = Example(variant.replace("_", " "), levels, card, short)
        order = list(definition.levels)
        loud = {"critical": 0, "warning": 1, "info": 2}
        yield from (
            first[variant]
            for variant in sorted(first, key=lambda each: (loud[first[each].card.level], order.index(each)))
        )

    def _card(self, raised: Raised, vignette: Vignette, today: date) -> ShownCard:
        patient = record(vignette, today, self._library.terminology)
        offers = Offers(self._library, vignette.profile, patient, today)
        return _shown(self._wordings[vignette.profile].text(raised, offers), raised.level.value)

    @cached_property
    def _wordings(self) -> dict[Profile, Wording]:
        return {profile: Wording(self._library, profile) for profile in PROFILES}

    # --- its folder ------------------------------------------------------------------------------------------------

    def _threshold(self, definition: Definition, name: str, threshold: Threshold) -> ThresholdRow:
        evidence = {**self._library.shared.evidence, **definition.evidence}
        values = {"uk": threshold.uk, "us": threshold.us}
        return ThresholdRow(
            name=name,
            means=threshold.means,
            values={profile: _value(values[profile].value, threshold.unit) for profile in PROFILES},
            cites={profile: evidence[cite] if (cite := values[profile].cite) else None for profile in PROFILES},
        )

    def _evidence(self, definition: Definition) -> Iterator[EvidenceRow]:
        """What the card cites first, then what thresholds rest on, then the rest of the folder's sources."""
        known = {**self._library.shared.evidence, **definition.evidence}
        cited = [key for profile in PROFILES for key in definition.cites[profile]]
        resting = [v.cite for each in definition.thresholds.values() for v in (each.uk, each.us) if v.cite]
        for key in dict.fromkeys([*cited, *resting, *definition.evidence]):
            yield EvidenceRow(key, known[key], tuple(each for each in PROFILES if key in definition.cites[each]))

    def _reasons(self, definition: Definition) -> Iterator[ReasonRow]:
        for code in definition.card.override_reasons:
            reason = self._library.shared.override_reasons[code]
            yield ReasonRow(code, reason.display, reason.category.replace("-", " "))

    def _data(self, definition: Definition) -> Iterator[DataRow]:
        for required, needs in ((True, definition.needs), (False, definition.uses)):
            for source, need in needs.items():
                yield DataRow(source.value, SOURCE_NAMES[source], required, self._how(need))

    def _how(self, need: SourceNeed) -> str:
        parts = [f"last {need.months} months" if need.months else ""]
        parts.append(", ".join(map(self._title, need.of)))
        parts.append(f"or {SOURCE_NAMES[need.instead]}" if need.instead else "")
        parts.append(f"profile {need.only_in} only" if need.only_in else "")
        parts.append("when " + " or ".join(_HOOKS[hook] for hook in need.on) if need.on else "")
        return "; ".join(filter(None, parts))

    def _value_sets(self, definition: Definition, named: frozenset[str]) -> Iterator[ValueSetRow]:
        """The concepts that the criteria or the needs name."""
        terminology = self._library.terminology
        needs = (*definition.needs.values(), *definition.uses.values())
        wanted = (named & terminology.names) | {concept for need in needs for concept in need.of}
        for name in sorted(wanted, key=self._title):
            counts = [(label, len(terminology.codes_of(name, system))) for system, label in _CODE_SYSTEMS.items()]
            codes = ", ".join(f"{count} {label}" for label, count in counts if count)
            yield ValueSetRow(name, self._title(name), codes or "recognised by its words")

    def _title(self, concept: str) -> str:
        try:
            return self._library.terminology.title(concept)
        except KeyError:
            return concept.replace("_", " ")

    # --- example patients ------------------------------------------------------------------------------------------

    def _vignette(self, short: Summary, vignette: Vignette) -> VignetteRow:
        expect = vignette.expect
        outcome = "no card"
        if isinstance(expect, ExpectedCard):
            outcome = expect.summary
        elif isinstance(expect, ExpectedGap):
            lacking = ", ".join(
                SOURCE_NAMES[Source(each)] if each in set(Source) else "the draft" for each in expect.not_evaluated
            )
            outcome = f"{lacking}: {expect.reason.replace('-', ' ')}"
        return VignetteRow(
            short, _person(vignette), tuple(map(self._order, vignette.orders)), tuple(self._known(vignette)), outcome
        )

    def _known(self, vignette: Vignette) -> Iterator[str]:
        """What is on record, a line each."""
        for problem in vignette.problems:
            line = problem if isinstance(problem, ProblemLine) else ProblemLine.model_validate({"is": problem})
            name = line.text or self._title(line.is_ or "") + (f" ({line.meaning})" if line.meaning else "")
            status = f", {line.status}" if line.status and line.status.value != "active" else ""
            yield f"{name}{', provisional' if line.provisional else ''}{status}{_on(line.day or line.recorded)}"
        for procedure in vignette.procedures:
            meaning = f" ({procedure.meaning.replace('_', ' ')})" if procedure.meaning else ""
            yield f"{self._title(procedure.is_)}{meaning}{_on(procedure.day)}"
        for lab in vignette.labs:
            yield f"{self._title(lab.of)} {lab.result}{f', {lab.flag}' if lab.flag else ''}{_on(lab.day)}"
        for told, lines in (("", vignette.medicines), ("told: ", vignette.statements)):
            for course in lines:
                yield f"{told}{self._order(course)}{f', since {day(course.since)}' if course.since else ''}"
        for told, doses in (("given: ", vignette.doses), ("told: ", vignette.told), ("claimed: ", vignette.claims)):
            for dose in doses:
                on = day(dose.day) if isinstance(dose.day, date) else dose.day
                yield f"{'not ' if dose.not_given else ''}{told}{_drug(dose)}, {on}"
        for supply in vignette.dispensed:
            lasts = f" for {supply.days} days" if supply.days else ""
            yield f"supplied: {supply.quantity or ''} {_drug(supply)}{lasts}{_on(supply.day)}".replace(":  ", ": ")
        for allergy in vignette.allergies:
            over = f", {allergy.over}" if allergy.over else ""
            yield f"allergy: {allergy.to}{f' ({allergy.reaction})' if allergy.reaction else ''}{over}"
        yield from (f"family: {each}" for each in vignette.family)
        for planned in (*vignette.appointments, *vignette.services):
            yield f"planned: {planned.text or self._title(planned.of or '')}, {day(planned.day)}"
        for word, sources in (
            ("not sent", vignette.not_supplied),
            ("failed", vignette.failed),
            ("cut short", vignette.truncated),
        ):
            if sources:
                yield f"{word}: {', '.join(SOURCE_NAMES[each] for each in sources)}"
        for name, value in vignette.settings.items():
            yield f"setting: {name} = {value}"

    def _order(self, line: OrderLine) -> str:
        if line.tests:
            return f"test: {', '.join(map(self._title, line.tests))}{f' ({line.reason})' if line.reason else ''}"
        status = f", {line.status.value}" if line.status and line.status.value not in ("active", "draft") else ""
        why = f" for {line.for_}" if line.for_ else ""
        because = f" ({line.because})" if line.because else ""
        return f"{_how(line)}{why}{status}{because}{'' if line.selected else ', not selected'}"


def _shown(text: CardText, level: str) -> ShownCard:
    label, url = text.sources[0]
    return ShownCard(
        uuid="",
        level=level,
        summary=text.summary,
        detail=to_html(text.detail),
        source={"label": label, "url": url or ""},
        links=(),
        suggestions=tuple(ShownSuggestion("", each.label, each.recommended) for each in text.suggestions),
        reasons=(),
    )


def _conditions(folder: RuleFolder) -> tuple[tuple[Condition, ...], ...]:
    """The WHEN / AND / THEN that the rule's reviewer signs, from the head of its criteria, once for each situation."""
    found: list[list[Condition]] = []
    for line in (getdoc(import_module(f"cards.{folder.folder.name}.criteria")) or "").splitlines():
        word, _, says = line.strip().partition(" ")
        if word == "WHEN":
            found.append([])
        if word in ("WHEN", "AND", "OR", "THEN"):
            found[-1].append(Condition(word, says.strip()))
        elif found and line.strip():
            last = found[-1][-1]
            found[-1][-1] = Condition(last.word, f"{last.says} {line.strip()}")
    return tuple(map(tuple, found))


def _names_in(folder: RuleFolder) -> frozenset[str]:
    """Every name of a concept or threshold that the criteria write out, constants that they import included."""
    module = import_module(f"cards.{folder.folder.name}.criteria")
    written = {
        node.value
        for node in ast.walk(ast.parse(getsource(module)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for value in vars(module).values():
        if isinstance(value, frozenset | tuple):
            written |= {each for each in value if isinstance(each, str)}
    return frozenset(written)


def _silences(topic: str, asked: Iterable[tuple[Summary, Evaluation]]) -> tuple[Silence, ...]:
    """Why the silent example patients get no card: stated reasons first, then "nothing found"."""
    groups: dict[str, list[Summary]] = {}
    for short, found in asked:
        if found.raised or found.not_evaluated:
            continue
        reasons = found.excluded.get(topic)
        if reasons is None:
            reasons = (
                ("its conditions do not hold",)
                if topic in found.evaluated
                else ("the draft is not what the rule is about",)
            )
        groups.setdefault("; ".join(reasons), []).append(short)
    last = ("its conditions do not hold", "the draft is not what the rule is about")
    return tuple(
        Silence(why, tuple(groups[why])) for why in sorted(groups, key=lambda why: (why in last, -len(groups[why])))
    )


def _highest(definition: Definition) -> str:
    levels = [definition.level(variant, profile) for variant in definition.levels for profile in PROFILES]
    return max(levels, key=lambda each: each.rank).value


def _hooks(definition: Definition) -> str:
    *names, last = [name for hook, name in _HOOKS.items() if hook in definition.hooks]
    return f"{', '.join(names)} and {last}" if names else last


def _value(value: Decimal | bool, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:f} {unit}"


def _person(vignette: Vignette) -> str:
    age = vignette.patient.age
    marks = ["age not known" if age is None else f"{age} years"]
    marks += ["deceased"] if vignette.patient.deceased else []
    marks += ["has left"] if vignette.patient.left else []
    return ", ".join(marks)


def _how(line: Medication) -> str:
    """A medication in a line, phase by phase."""
    phases, current = [], line
    while current is not None:
        phases.append(_phase(current))
        current = current.then  # type: ignore[assignment]
    return ", then ".join([f"{_drug(line)} {phases[0]}".strip(), *phases[1:]])


def _drug(line: Medication) -> str:
    return line.product or line.drug


def _phase(line: Medication) -> str:
    parts = [line.dose or "", line.route or "", f"into {line.site}" if line.site else "", _rhythm(line)]
    parts += [f"for {_period(line.lasts)}"] if line.lasts else []
    parts += [f"{line.count} doses"] if line.count else []
    parts += [f"on {', '.join(map(day, line.events))}"] if line.events else []
    parts += [f"from {day(line.starts)}"] if line.starts else []
    parts += [f"until {day(line.ends)}"] if line.ends else []
    parts += [f'"{line.unread}"'] if line.unread else []
    parts += ["as needed"] if line.as_needed else []
    return " ".join(filter(None, parts))


def _rhythm(line: Medication) -> str:
    if line.once:
        return "once"
    if not line.every:
        return ""
    every = _period(line.every)
    if line.times == 1:
        return "daily" if every == "day" else f"every {every}"
    return f"{line.times} times in {every}" if every[0].isdigit() else f"{line.times} times a {every}"


def _period(text: str) -> str:
    number, _, unit = text.partition(" ")
    name = _PERIODS[unit]
    return name if number == "1" else f"{number} {name}s"


def _on(on: date | None) -> str:
    return f", {day(on)}" if on else ""
