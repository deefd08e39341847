"""What a rule is, and what becomes of it when it meets a patient: an alert, a reasoned silence, or "not evaluated"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Literal, NamedTuple, Never

from cards.calendar import months_before
from cards.fact import fact
from cards.record import SOURCES, WHOLLY_KNOWN, Course, Order, PatientRecord, Source, Unreadable, wholly_read

Profile = Literal["uk", "us"]
PROFILES: tuple[Profile, ...] = ("uk", "us")

NOT_EVALUATED_TOPIC = "not-evaluated"


class Hook(StrEnum):
    """The moments at which an EHR asks."""

    ORDER_SIGN = "order-sign"
    ORDER_SELECT = "order-select"
    PATIENT_VIEW = "patient-view"

    @property
    def about_orders(self) -> bool:
        """Whether the call brings draft orders."""
        return self is not Hook.PATIENT_VIEW


class Level(StrEnum):
    """How loud an alert is; a `critical` one interrupts."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 2 for critical."""
        return _LEVELS.index(self)


_LEVELS = (Level.INFO, Level.WARNING, Level.CRITICAL)


class Limits(Mapping[str, Decimal]):
    """The thresholds of one rule and of the shared definitions, resolved for one profile; a yes/no threshold is 1/0.

    `shared`: the values of the shared definitions, one object for all rules that read the same ones. Limits are equal
    when they share them: what a shared definition says of a patient is then the same for their rules.
    """

    def __init__(
        self, profile: Profile, values: Mapping[str, Decimal], shared: Mapping[str, Decimal] | None = None
    ) -> None:
        self.profile = profile
        self._values = dict(values)
        self._whole = {name: int(value) for name, value in values.items()}
        self._shared = self._values if shared is None else shared

    def __getitem__(self, name: str) -> Decimal:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return id(self._shared)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Limits) and self._shared is other._shared

    def whole(self, name: str) -> int:
        """A threshold that counts whole things: days, months, doses."""
        return self._whole[name]

    def says(self, name: str) -> bool:
        """A yes/no threshold."""
        return bool(self._values[name])


@fact(frozen=True, slots=True)
class Alert:
    """A rule applied to this patient.

    `variant`: which of the rule's situations this is; its level and wording stand in `card.yaml` under this name.
    `facts`: what made it fire, for the wording. `about`: the draft, or the order in the chart, that it speaks of.
    """

    variant: str
    facts: Mapping[str, object] = field(default_factory=dict)
    about: Course | None = None


@fact(frozen=True, slots=True)
class Excluded:
    """Silence for a reason that holds whatever else may be missing."""

    why: str


@fact(frozen=True, slots=True)
class Unanswerable:
    """The rule cannot judge: `data` names what it lacks (prefetch keys, or `draftOrders`), `reason` says why."""

    data: tuple[str, ...]
    reason: str


# None: nothing found in what is known; whether that means silence depends on whether the needs are known.
Outcome = Alert | Excluded | Unanswerable | None
Criteria = Callable[[Order | None, PatientRecord, Limits, date], Outcome]
Trigger = Callable[[Order, Limits], bool]

DRAFTS = "draftOrders"
# Why a rule was not evaluated that came to an exception of our own.
FAULT = "fault"
# Reported in the response's extension only: nothing a clinician could mend at this moment.
NEVER_ON_A_CARD = frozenset({"no-dose-recorded"})


@fact(frozen=True, slots=True)
class Need:
    """One source that a rule reads: how many months back (None: ever), and which concepts (none: all of it).

    `instead`: another source that will do as well; `on`: the hooks on which it is needed (none: on all).
    """

    source: Source
    months: int | None = None
    of: frozenset[str] = frozenset()
    instead: Source | None = None
    on: frozenset[Hook] = frozenset()


class Problem(NamedTuple):
    """One root problem, of which one card speaks: its name, and whether it is one of an order or of the patient.

    Of several alerts about it the loudest is kept, then the one whose rule has the earliest `turn`.
    """

    name: str
    of_order: bool
    turn: int


@dataclass(frozen=True)
class Rule:
    """One rule for one profile, ready to be asked.

    `needs`: without them no answer is possible; `uses`: may raise, lower or exclude.
    `levels`: the level of each variant in this profile. `problems`: the root problems of which one card speaks.
    """

    topic: str
    version: int
    hooks: frozenset[Hook]
    needs: tuple[Need, ...]
    uses: tuple[Need, ...]
    levels: Mapping[str, Level]
    limits: Limits
    criteria: Criteria
    triggered_by: Trigger
    precedence: int
    problems: tuple[Problem, ...] = ()

    def needed(self, hook: Hook) -> tuple[Need, ...]:
        """The needs on this hook."""
        return self._needed[hook]

    @cached_property
    def needed_sources(self) -> Mapping[Hook, frozenset[Source]]:
        """The sources of the needs on each hook."""
        return {hook: frozenset(need.source for need in needs) for hook, needs in self._needed.items()}

    @cached_property
    def _needed(self) -> Mapping[Hook, tuple[Need, ...]]:
        return {hook: tuple(need for need in self.needs if not need.on or hook in need.on) for hook in Hook}

    @cached_property
    def sources(self) -> frozenset[Source]:
        """Everything that the rule reads."""
        read = (*self.needs, *self.uses)
        return frozenset(source for need in read for source in (need.source, need.instead) if source)

    @cached_property
    def labs(self) -> frozenset[str]:
        """The laboratory concepts that the rule looks at."""
        return frozenset(
            concept for need in (*self.needs, *self.uses) if need.source is Source.LABS for concept in need.of
        )

    @property
    def highest_level(self) -> Level:
        """The loudest this rule can be."""
        return max(self.levels.values(), key=lambda level: level.rank)


@fact(frozen=True, slots=True)
class Raised:
    """An alert with its rule, its level, and the sources the rule would have liked and did not have.

    `age_unknown`: the rule asks for the age, and the birth date is not known: the patient was taken as an adult.
    """

    rule: Rule
    alert: Alert
    level: Level
    not_available: tuple[Source, ...] = ()
    age_unknown: bool = False

    @property
    def name(self) -> AlertName:
        """What tells this alert from the others of one call."""
        return AlertName(self.rule.topic, self.alert.variant, _order_of(self))


class AlertName(NamedTuple):
    """One alert of a call: its rule, which of the rule's situations it is, and the order that it speaks of."""

    topic: str
    variant: str
    order: str | None


class Fault(NamedTuple):
    """An exception, and the topic of the rule that it cost its answer; without one, it cost the merging of cards.

    What it says may hold data of the patient: it is for the log, which leaves that out.
    """

    topic: str | None
    exception: Exception


@fact(frozen=True, slots=True)
class NotEvaluated:
    """A rule that could not be answered: what was missing and why."""

    rule: Rule
    data: tuple[str, ...]
    reason: str

    def worth_a_card(self, hook: Hook) -> bool:
        """Whether a clinician should be told: at an order, about a question that could have mattered.

        While an order is still being filled in (order-select), a draft that lacks its dose is no news.
        """
        if not hook.about_orders or self.reason in NEVER_ON_A_CARD or self.rule.highest_level is Level.INFO:
            return False
        return hook is Hook.ORDER_SIGN or self.data != (DRAFTS,)


@fact(frozen=True, slots=True)
class Evaluation:
    """What one call came to.

    `excluded` holds, per topic, why rules that looked stayed silent; `merged`, per topic, the topic whose card speaks
    of the same problem; `faults` what went wrong in the rules themselves.
    """

    raised: tuple[Raised, ...] = ()
    evaluated: tuple[str, ...] = ()
    not_evaluated: tuple[NotEvaluated, ...] = ()
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def triggered(rules: Sequence[Rule], hook: Hook, drafts: Sequence[Order]) -> tuple[Rule, ...]:
    """The rules that have something to look at: on order hooks those whose trigger matches a selected draft.

    One whose trigger fails is among them: nobody knows that these orders are no matter of it.
    """
    if not hook.about_orders:
        return tuple(rule for rule in rules if hook in rule.hooks)
    # What no value set knows is no matter of any rule.
    selected = [order for order in drafts if order.selected and (order.medicine.ingredients or order.tests)]
    if not selected:
        return ()
    found = []
    for rule in rules:
        if hook in rule.hooks:
            for order in selected:
                try:
                    wakes = rule.triggered_by(order, rule.limits)
                except Exception as fault:
                    found.append(_failing(rule, fault))
                    break
                if wakes:
                    found.append(rule)
                    break
    return tuple(found)


def _failing(rule: Rule, fault: Exception) -> Rule:
    """The rule with this fault for whoever asks it."""

    def fail(*_: object) -> Never:
        raise fault

    return replace(rule, criteria=fail, triggered_by=fail)


def evaluate(
    rules: Sequence[Rule],
    hook: Hook,
    record: PatientRecord,
    today: date,
    unsaid: AbstractSet[AlertName] = frozenset(),
) -> Evaluation:
    """Ask the triggered `rules` about this patient.

    A rule that finds nothing is silent only when its needs are known as far back as it looks; otherwise it is
    reported as not evaluated. Evidence that is sufficient to fire, fires. Alerts come most urgent first, one for each
    root problem.

    An exception in a rule costs that rule its answer, for the order at which it arose: it is not evaluated, and the
    exception is among the faults. `unsaid`: alerts for which no card could be made; they count as such a fault, so
    that those that would have stepped back for them speak.
    """
    raised: list[Raised] = []
    evaluated: list[str] = []
    not_evaluated: list[NotEvaluated] = []
    excluded: dict[str, tuple[str, ...]] = {}
    faults: list[Fault] = []
    selected = [order for order in record.drafts if order.selected] if hook.about_orders else [None]
    # Of a single draft it is known that it triggered them.
    several = len(selected) > 1
    complete = wholly_read(record)
    for rule in rules:
        alerts: list[Raised] = []
        reasons: list[str] = []
        lacking: NotEvaluated | None = None
        for order in selected:
            try:
                if several and order and not rule.triggered_by(order, rule.limits):
                    continue
                outcome = rule.criteria(order, record, rule.limits, today)
                if isinstance(outcome, Alert):
                    alerts.append(_raised(rule, outcome, record, today))
                elif isinstance(outcome, Excluded):
                    reasons.append(outcome.why)
                elif outcome is None and rule.needed_sources[hook] <= complete:
                    continue
                elif lacking is None:
                    lacking = what_lacks(rule, outcome, hook, record, today)
            except Exception as fault:
                faults.append(Fault(rule.topic, fault))
                lacking = NotEvaluated(rule, (), FAULT)
        if unsaid and any(alert.name in unsaid for alert in alerts):
            alerts = [alert for alert in alerts if alert.name not in unsaid]
            lacking = NotEvaluated(rule, (), FAULT)
        raised += alerts
        if lacking is None:
            evaluated.append(rule.topic)
        else:
            not_evaluated.append(lacking)
        if reasons:
            excluded[rule.topic] = tuple(dict.fromkeys(reasons))
    kept = raised
    merged: dict[str, str] = {}
    if len(raised) > 1:
        try:
            kept, merged = _one_for_each_problem(raised)
        except Exception as fault:
            # Two cards of one problem are better than none of another.
            faults.append(Fault(None, fault))
        kept.sort(key=lambda r: (-r.level.rank, r.rule.precedence))
    return Evaluation(tuple(kept), tuple(evaluated), tuple(not_evaluated), excluded, merged, tuple(faults))


def _raised(rule: Rule, alert: Alert, record: PatientRecord, today: date) -> Raised:
    ageless = Source.PATIENT in rule.sources and record.patient.born is None
    return Raised(rule, alert, rule.levels[alert.variant], _not_available(rule, record, today), ageless)


def _one_for_each_problem(raised: Sequence[Raised]) -> tuple[list[Raised], dict[str, str]]:
    """The alerts without those whose problem a louder or earlier one speaks of; and which one that is, by topic."""
    kept: list[Raised] = []
    merged: dict[str, str] = {}
    for at, each in enumerate(raised):
        others = (other for place, other in enumerate(raised) if _speaks_for(other, each, earlier=place < at))
        speaker = next(others, None)
        if speaker is None:
            kept.append(each)
        elif speaker.rule is not each.rule:
            merged[each.rule.topic] = speaker.rule.topic
    return kept, merged


def _speaks_for(other: Raised, alert: Raised, *, earlier: bool) -> bool:
    """Whether `other` is about the same problem, of the same order where orders matter, and goes before `alert`."""
    if other is alert:
        return False
    turns = {problem.name: problem.turn for problem in other.rule.problems}
    return any(
        (other.level.rank, -turns[problem.name], earlier) > (alert.level.rank, -problem.turn, not earlier)
        for problem in alert.rule.problems
        if problem.name in turns and not (problem.of_order and _order_of(other) != _order_of(alert))
    )


def _order_of(raised: Raised) -> str | None:
    return raised.alert.about.reference if raised.alert.about else None


def what_lacks(rule: Rule, outcome: Outcome, hook: Hook, record: PatientRecord, today: date) -> NotEvaluated | None:
    """What keeps this outcome from being an answer; None when it is one."""
    if isinstance(outcome, Unanswerable):
        return NotEvaluated(rule, outcome.data, outcome.reason)
    if outcome is not None:
        return None
    gaps = [(need, gap) for need in rule.needed(hook) if (gap := _gap(need, record, today))]
    if not gaps:
        return None
    # The commonest first cause names the reason; all incomplete sources are listed.
    return NotEvaluated(rule, tuple(need.source.value for need, _ in gaps), gaps[0][1])


def _gap(need: Need, record: PatientRecord, today: date) -> str | None:
    """Why `need` is not completely known, or None."""
    state = record.state(need.source)
    if state.supplied in WHOLLY_KNOWN and not state.unreadable:
        return None
    if need.instead and not _gap(Need(need.instead, need.months, need.of), record, today):
        return None
    back_to = months_before(today, need.months) if need.months is not None else None
    if not record.known(need.source, back_to):
        return state.supplied.value
    for unreadable in state.unreadable:
        if _matters(unreadable, need, record, back_to):
            return unreadable.reason
    return None


def _matters(unreadable: Unreadable, need: Need, record: PatientRecord, back_to: date | None) -> bool:
    """Whether what could not be read may have been what the rule was looking for."""
    if unreadable.concept is None:
        return True
    if need.of and unreadable.concept not in need.of:
        return False
    if unreadable.when is None:
        return True
    if back_to is not None and unreadable.when.latest < back_to:
        return False
    # A newer valid result of the same kind has replaced it.
    return not any(
        lab.concept == unreadable.concept and lab.when.latest >= unreadable.when.latest for lab in record.labs
    )


def _not_available(rule: Rule, record: PatientRecord, today: date) -> tuple[Source, ...]:
    """Sources of the rule that did not arrive or are incomplete, in the order of the public keys."""
    lacking = {need.source for need in (*rule.needs, *rule.uses) if _source_incomplete(need, record, today)}
    return tuple(source for source in SOURCES if source in lacking) if lacking else ()


def _source_incomplete(need: Need, record: PatientRecord, today: date) -> bool:
    if record.state(need.source).supplied in WHOLLY_KNOWN:
        return False
    back_to = months_before(today, need.months) if need.months is not None else None
    return not record.known(need.source, back_to)
