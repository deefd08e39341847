"""What one hook call comes to, rule by rule, as data: for the command line and for web pages alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from inspect import getdoc, getmodule

from cards.cover import cover, expected_plan
from cards.due_date import standing
from cards.library import Library, Threshold
from cards.neurology import history
from cards.record import Order, PatientRecord, Source, Supplied
from cards.rule import FAULT, Alert, Excluded, Limits, Raised, Rule, triggered, what_lacks
from cards.status import anchor, b12_status, documented_deficiency, irreversible_cause
from cards.wording import REASONS, SOURCE_NAMES
from service.in_words import Fact, InWords, when
from service.respond import NOTHING_TO_SAY, Answer, Examination, HookCall, PrefetchIncomplete, Responder, Service


class Verdict(StrEnum):
    """What became of a rule, or of one draft under it; the more telling ones come first."""

    SPEAKS = "speaks"
    MERGED = "merged"
    NOT_EVALUATED = "not evaluated"
    EXCLUDED = "excluded"
    NOTHING_FOUND = "nothing found"
    NOT_ABOUT_THESE = "not about these drafts"


@dataclass(frozen=True, slots=True)
class DraftSeen:
    """A draft of a medicine or test: `wakes` are the topics whose trigger it matches."""

    number: int
    words: str
    selected: bool
    wakes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnreadDraft:
    """A draft of which nothing can be told: its reference, or its place among the entries, and why."""

    place: str
    why: str


@dataclass(frozen=True, slots=True)
class DataSeen:
    """What became of one prefetch key.

    `unreadable` says why resources of it could not be read, and how many; `remarks` what else was noticed.
    """

    key: str
    title: str
    state: str
    resources: int
    back_to: date | None
    unreadable: tuple[tuple[str, int], ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnknownCode:
    """A drug code that no value set knows, and what the words beside it were read as; empty without words."""

    system: str
    code: str
    read_as: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold of a rule: its value here, whether the site set it, and the title of its source."""

    name: str
    means: str
    value: str
    set_by_site: bool
    source: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one draft under a rule (`draft` None: of the patient), with the reason in plain words.

    `shown`: False for a card that is not shown, because the rule is silent for this client.
    """

    draft: int | None
    verdict: Verdict
    why: str
    facts: tuple[Fact, ...] = ()
    level: str | None = None
    summary: str | None = None
    offers: tuple[str, ...] = ()
    shown: bool = True


@dataclass(frozen=True, slots=True)
class RuleExplained:
    """One rule, and what became of it here.

    `conditions`: when it speaks, in the words that its reviewer signs, `WHEN …`, `AND …`, `THEN …`; once for each
    situation. `findings`: one for each draft that triggered it, or one for the patient.
    `not_available`: data that it would have liked and did not have; `merged_into`: the topic that speaks in its place.
    """

    topic: str
    title: str
    conditions: tuple[tuple[str, ...], ...]
    verdict: Verdict
    level: str | None = None
    findings: tuple[Finding, ...] = ()
    limits: tuple[Limit, ...] = ()
    not_available: tuple[str, ...] = ()
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class CardSeen:
    """A card as the EHR gets it, in short."""

    indicator: str
    topic: str
    summary: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One call explained. `missing_keys`: the answer is 412, because these prefetch keys are required and absent.

    `judgements`: what the definitions that all rules share make of the facts.
    """

    hook: str
    profile: str
    today: date
    drafts: tuple[DraftSeen, ...]
    data: tuple[DataSeen, ...]
    facts: tuple[Fact, ...]
    unknown_drugs: tuple[UnknownCode, ...]
    judgements: tuple[Fact, ...]
    rules: tuple[RuleExplained, ...]
    cards: tuple[CardSeen, ...]
    missing_keys: tuple[str, ...] = ()
    no_cards_because: str | None = None
    unread_drafts: tuple[UnreadDraft, ...] = ()


async def explain(responder: Responder, service: Service, call: HookCall, library: Library, today: date) -> Explanation:
    """What `call` comes to by its prefetch: the same rules, asked in the same way as for the answer."""
    missing: tuple[str, ...] = ()
    answer = NOTHING_TO_SAY
    try:
        answer = await responder.respond(service, call, today)
    except PrefetchIncomplete as incomplete:
        missing = incomplete.keys
    found = responder.examine(service, call, today)
    return _Explainer(service, library, found, answer, today).explanation(missing)


class _Explainer:
    """Explains one examination."""

    def __init__(self, service: Service, library: Library, found: Examination, answer: Answer, today: date) -> None:
        self._service = service
        self._library = library
        self._found = found
        self._answer = answer
        self._today = today
        self._words = InWords(library.terminology)
        self._numbers = {order.reference: number for number, order in enumerate(found.drafts.orders, start=1)}

    def explanation(self, missing: tuple[str, ...]) -> Explanation:
        """The whole; `missing` are the keys without which the call is refused."""
        record = self._found.record
        unheard = self._found.rules and self._answer.evaluation is None and not missing
        return Explanation(
            hook=self._service.hook.value,
            profile=self._service.rules[0].limits.profile,
            today=self._today,
            drafts=tuple(map(self._draft, self._found.drafts.orders)),
            data=tuple(self._data(source) for source in Source if source in self._found.received),
            facts=tuple(self._words.facts(record, self._today, patient_read=Source.PATIENT in self._found.received)),
            unknown_drugs=tuple(
                UnknownCode(each.system, each.code, ", ".join(map(self._words.title, each.read_as)))
                for each in record.unknown_drugs
            ),
            judgements=tuple(self._judgements(record)) if self._found.rules else (),
            rules=tuple(map(self._rule, self._service.rules)),
            cards=tuple(
                CardSeen(card["indicator"], card["source"]["topic"]["code"], card["summary"])
                for card in self._answer.body()["cards"]
            ),
            missing_keys=missing,
            no_cards_because="the reader is the patient or a relative; cards are for clinicians" if unheard else None,
            unread_drafts=tuple(
                UnreadDraft(each.reference or f"entry {each.position}", _UNREAD_DRAFT[each.reason])
                for each in self._found.drafts.unread
            ),
        )

    def _draft(self, order: Order) -> DraftSeen:
        asked = replace(order, selected=True)
        return DraftSeen(
            number=self._numbers[order.reference],
            words=self._words.order(order),
            selected=order.selected,
            wakes=tuple(rule.topic for rule in triggered(self._service.rules, self._service.hook, [asked])),
        )

    def _data(self, source: Source) -> DataSeen:
        state = self._found.record.state(source)
        reasons = [REASONS.get(each.reason, each.reason) for each in state.unreadable]
        return DataSeen(
            key=source.value,
            title=SOURCE_NAMES[source],
            state=_STATES[state.supplied],
            resources=len(self._found.received[source].resources),
            back_to=state.back_to,
            unreadable=tuple((reason, reasons.count(reason)) for reason in dict.fromkeys(reasons)),
            remarks=tuple(_REMARKS[each] for each in state.remarks),
        )

    # --- what the shared definitions make of the facts -----------------------------------------------------------

    def _judgements(self, record: PatientRecord) -> Iterator[Fact]:
        limits, read = self._service.rules[0].limits, self._found.received
        if Source.LABS in read:
            status = self._as_far_as_known(self._b12_status(limits), Source.LABS)
            yield Fact("B12 status", "no result that can be relied on" if status == _NONE else status)
        if Source.PROBLEMS in read:
            begun = anchor(record, limits, self._today)
            cause = irreversible_cause(record, limits)
            nerves = history(record, begun, self._today)
            yield Fact("documented deficiency", self._as_far_as_known(self._documented(limits), Source.PROBLEMS))
            yield Fact(
                "irreversible cause",
                self._as_far_as_known(f"{cause.name}, {when(cause.when)}" if cause else None, Source.PROBLEMS),
            )
            yield Fact(
                "neurological involvement",
                self._as_far_as_known(
                    f"{nerves.name}, {when(nerves.when)}{'' if nerves.present else ', former'}" if nerves else None,
                    Source.PROBLEMS,
                ),
            )
        if Source.MEDICATIONS in read or Source.DOSES in read:
            covered = cover(record, limits, self._today, self._today)
            yield Fact(
                "B12 cover",
                self._as_far_as_known(covered.how if covered else None, Source.MEDICATIONS, Source.DOSES),
            )
            plan = expected_plan(record, limits, self._today)
            stands = standing(record, plan, limits, self._today)
            if stands:
                yield Fact(
                    "next injection",
                    f"{stands.state.value}: last {stands.last.isoformat()}, due {stands.due.isoformat()}, "
                    f"called overdue after {stands.grace_ends.isoformat()}",
                )

    def _as_far_as_known(self, words: str | None, *sources: Source) -> str:
        """The judgement; "none" only where its data are all there."""
        asked = [source for source in sources if source in self._found.received]
        if words is None and not all(map(self._found.record.known, asked)):
            return "not known"
        return words or _NONE

    def _b12_status(self, limits: Limits) -> str | None:
        status = b12_status(self._found.record, limits)
        return f"{status.band.value} ({self._words.lab(status.result)})" if status else None

    def _documented(self, limits: Limits) -> str | None:
        documented = documented_deficiency(self._found.record, limits, self._today)
        if documented is None:
            return None
        return self._words.lab(documented.result) if documented.result else "on the problem list"

    # --- rule by rule ----------------------------------------------------------------------------------------------

    def _rule(self, rule: Rule) -> RuleExplained:
        definition = self._library.folders[rule.topic].definition
        conditions = _conditions(rule)
        evaluation = self._answer.evaluation or self._found.evaluation
        if any(each.rule.topic == rule.topic and each.reason == FAULT for each in evaluation.not_evaluated):
            # To ask it again would come to the same.
            failed = Finding(None, Verdict.NOT_EVALUATED, f"the service {_reason(FAULT)}")
            return RuleExplained(rule.topic, definition.title, conditions, failed.verdict, findings=(failed,))
        if rule not in self._found.rules:
            return RuleExplained(rule.topic, definition.title, conditions, Verdict.NOT_ABOUT_THESE)
        findings = tuple(self._finding(rule, order) for order in self._orders(rule))
        verdict = min((each.verdict for each in findings), key=list(Verdict).index)
        raised = [each for each in self._found.evaluation.raised if each.rule is rule]
        return RuleExplained(
            topic=rule.topic,
            title=definition.title,
            conditions=conditions,
            verdict=verdict,
            level=next((each.level for each in findings if each.verdict is Verdict.SPEAKS), None),
            findings=findings,
            limits=tuple(self._limit(rule, name, each) for name, each in definition.thresholds.items()),
            not_available=tuple(SOURCE_NAMES[each] for each in (raised[0].not_available if raised else ())),
            merged_into=self._found.evaluation.merged.get(rule.topic) if verdict is Verdict.MERGED else None,
        )

    def _orders(self, rule: Rule) -> list[Order | None]:
        """The drafts that the rule is asked about; None for the patient as such."""
        if not self._service.hook.about_orders:
            return [None]
        drafts = self._found.record.drafts
        return [order for order in drafts if order.selected and rule.triggered_by(order, rule.limits)]

    def _finding(self, rule: Rule, order: Order | None) -> Finding:
        record = self._found.record
        draft = self._numbers[order.reference] if order else None
        outcome = rule.criteria(order, record, rule.limits, self._today)
        if isinstance(outcome, Alert):
            return self._alert(rule, outcome, draft)
        if isinstance(outcome, Excluded):
            return Finding(draft, Verdict.EXCLUDED, outcome.why)
        if lack := what_lacks(rule, outcome, self._service.hook, record, self._today):
            return Finding(draft, Verdict.NOT_EVALUATED, f"{_data_in_words(lack.data)}: {_reason(lack.reason)}")
        return Finding(draft, Verdict.NOTHING_FOUND, "nothing on record fits")

    def _alert(self, rule: Rule, alert: Alert, draft: int | None) -> Finding:
        facts = tuple(self._words.alert_facts(alert.facts.items()))
        why = alert.variant.replace("_", " ")
        level = rule.levels[alert.variant].value
        if not any(_is(each, rule, alert) for each in self._found.evaluation.raised):
            return Finding(draft, Verdict.MERGED, why, facts, level, shown=False)
        spoken = next((each for each in self._answer.spoken if _is(each.raised, rule, alert)), None)
        if spoken is None:
            return Finding(draft, Verdict.SPEAKS, why, facts, level, shown=False)
        offers = tuple(
            f"{each['label']}{' (recommended)' if each.get('isRecommended') else ''}"
            for each in spoken.card.get("suggestions", ())
        )
        return Finding(draft, Verdict.SPEAKS, why, facts, level, spoken.card["summary"], offers, not spoken.silent)

    def _limit(self, rule: Rule, name: str, threshold: Threshold) -> Limit:
        value = rule.limits[name]
        cite = (threshold.uk if rule.limits.profile == "uk" else threshold.us).cite
        evidence = {**self._library.shared.evidence, **self._library.folders[rule.topic].definition.evidence}
        own = value != threshold.in_profile(rule.limits.profile)
        said = ("yes" if value else "no") if threshold.unit == "yes/no" else f"{value:f} {threshold.unit}"
        said = said.removesuffix(" 1")  # the unit of a ratio
        return Limit(name, threshold.means, said, own, evidence[cite].title if cite and not own else None)


_NONE = "none"
_STATES = {
    Supplied.SUPPLIED: "supplied",
    Supplied.NONE_FOUND: "nothing found",
    Supplied.FAILED: "the query failed",
    Supplied.TRUNCATED: "cut short",
    Supplied.UNREADABLE: "holds something else than it should",
    Supplied.ANOTHER_PATIENT: "about another patient",
    Supplied.MISSING: "not supplied",
}


_REMARKS = {
    "another-patient": "resources of other patients are left out",
    "duplicate": "two versions of one resource both count",
}
_UNREAD_DRAFT = {
    "unreadable": "could not be read",
    "unresolved": "what it is for could not be found",
    "another-patient": "is for another patient",
}


def _is(raised: Raised, rule: Rule, alert: Alert) -> bool:
    return raised.rule is rule and raised.alert == alert


def _conditions(rule: Rule) -> tuple[tuple[str, ...], ...]:
    """What the criteria say of themselves."""
    said = getdoc(getmodule(rule.criteria)) or ""
    return tuple(_clauses(situation) for situation in said.split("\n\n") if situation.startswith("WHEN"))


def _clauses(situation: str) -> tuple[str, ...]:
    clauses: list[str] = []
    for line in situation.splitlines():
        words = " ".join(line.split())
        if line.startswith(" "):
            clauses[-1] += f" {words}"
        else:
            clauses.append(words)
    return tuple(clauses)


def _data_in_words(data: Sequence[str]) -> str:
    return ", ".join(SOURCE_NAMES[Source(each)] if each in set(Source) else "the draft" for each in data)


def _reason(reason: str) -> str:
    return REASONS.get(reason, reason)
