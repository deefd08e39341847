"""Replays one patient: what the rules would have said at each visit and at each order, with the chart as it stood."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from cards.library import Library
from cards.offers import Offers
from cards.record import NOT_SUPPLIED, Order, PatientRecord, Source, SourceState, Supplied, Unreadable
from cards.rule import Evaluation, Hook, Raised, Rule, evaluate, triggered
from cards.wording import Wording, worth_a_card
from service.fhir.courses import is_inpatient
from service.fhir.drafts import SIGNED
from service.fhir.reader import Drafts, Reader, Reading, assembled
from service.fhir.sources import TYPES
from service.replay.history import Resource, as_draft, ordered, versions, visited
from service.replay.plan import Plan
from service.replay.sample import EXCLUDED, HIT, SILENT, Row, Sample

_SOURCE_OF = {kind: source for source, kinds in TYPES.items() for kind in kinds}
KINDS = frozenset({*_SOURCE_OF, "Encounter"})
# What these say of the patient does not hang on what changed later: one that says nothing now never did. So it is with
# orders, unless they told that the patient was on a ward.
_SILENT_FOR_EVER = frozenset({
    Source.PROBLEMS, Source.DOSES, Source.STATEMENTS, Source.DISPENSES, Source.LABS, Source.PROCEDURES, Source.FAMILY,
    Source.CLAIMS,
})  # fmt: skip
_CODE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")
_LONGEST_CODE = 40
# Of an order that no rule is about.
_NO_RECORD, _NO_ANSWER = PatientRecord(), Evaluation()
_OF_B12 = frozenset({
    "b12_total_serum", "holotranscobalamin", "mma_serum", "homocysteine", "intrinsic_factor_antibody",
    "parietal_cell_antibody",
})  # fmt: skip


class Entry(NamedTuple):
    """One fact of the chart, and the span of local time in which the chart held it."""

    known: datetime
    until: datetime
    source: Source
    reference: str
    fact: Any


class Wanted(NamedTuple):
    """What a set of rules looks at."""

    sources: frozenset[Source]
    labs: frozenset[str]


@dataclass(slots=True)
class History:
    """All of a patient that rules may look at, the oldest first, and the moments at which they are asked.

    `changes`: the moments at which the chart became another. `observations`: read as far as `labs`, the concepts that a
    call has looked at.
    """

    patient: str
    entries: list[Entry] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    changes: list[datetime] = field(default_factory=list)
    visits: list[datetime] = field(default_factory=list)
    orders: list[tuple[datetime, Resource]] = field(default_factory=list)
    medications: Mapping[str, Resource] = field(default_factory=dict)
    observations: list[Resource] = field(default_factory=list)
    labs: frozenset[str] = frozenset()
    resources: int = 0
    undated: int = 0
    unreadable: int = 0
    codes: list[Row] = field(default_factory=list)

    def sort(self) -> None:
        """Puts what was read into its order."""
        self.entries.sort(key=itemgetter(0, 3))
        self.moments = [entry.known for entry in self.entries]
        self.changes = sorted({moment for entry in self.entries for moment in (entry.known, entry.until)})


class Replayer:
    """Replays patients under one plan, and keeps the sample of charts to review. One for each process."""

    def __init__(self, library: Library, plan: Plan) -> None:
        self._library = library
        self._plan = plan
        self._reader = Reader(library.terminology, plan.zone)
        self._rules = library.rules(plan.profile, plan.thresholds)
        self._views = tuple(triggered(self._rules, Hook.PATIENT_VIEW, ()))
        self._wanted: dict[tuple[str, ...], Wanted] = {}
        self._states: dict[frozenset[Source], Mapping[Source, SourceState]] = {}
        self.sample = Sample(plan.sample)

    @cached_property
    def _wording(self) -> Wording:
        return Wording(self._library, self._plan.profile)

    def rows(self, patient: str, lines: Iterable[tuple[str, str | None]]) -> list[Row]:
        """The calls of one patient, then the patient; or what kept it from being read, which costs this patient only.

        `lines`: the JSON of each resource, with that of the Medication it refers to.
        """
        pseudonym = self._plan.pseudonym(patient)
        try:
            history = self._history(patient, lines)
            calls = list(self._calls(pseudonym, history))
        except Exception as fault:
            # Whatever it is, the other patients are to be replayed.
            return [{"kind": "problem", "patient": pseudonym, "id": patient, "reason": type(fault).__name__}]
        hooks = Counter(call["hook"] for call in calls)
        asked = Counter(topic for call in calls for topic in call.pop("asked"))
        silences = Counter(silence for call in calls for silence in call.pop("excluded"))
        summary: Row = {
            "kind": "patient",
            "patient": pseudonym,
            "resources": history.resources,
            "views": hooks[Hook.PATIENT_VIEW],
            "orders": hooks[Hook.ORDER_SIGN],
            "undated": history.undated,
            "unreadable": history.unreadable,
            "codes": history.codes,
            "asked": [{"topic": topic, "calls": times} for topic, times in sorted(asked.items())],
            "excluded": [
                {"topic": topic, "why": "; ".join(reasons), "calls": times}
                for (topic, reasons), times in sorted(silences.items())
            ],
        }
        if self._plan.identifiers:
            summary["id"] = patient
        return [*calls, summary]

    # --- reading -------------------------------------------------------------------------------------------------

    def _history(self, patient: str, lines: Iterable[tuple[str, str | None]]) -> History:
        resources, medications = _decoded(lines)
        history = History(patient, medications=medications, resources=len(resources))
        reading = self._reading(history, frozenset())
        zone = self._plan.zone
        for (kind, _), resource in resources.items():
            if kind == "Encounter":
                if at := visited(resource, zone):
                    history.visits.append(at)
                continue
            source = _SOURCE_OF.get(kind)
            if source is None:
                continue
            if source is Source.LABS:
                history.observations.append(resource)
                continue
            if kind in SIGNED and (at := ordered(resource, zone)):
                history.orders.append((at, resource))
            self._read(source, resource, reading, history)
        history.codes = [
            {"code": _shown(drug.system, drug.code), "read_as": ", ".join(self._title(each) for each in drug.read_as)}
            for drug in sorted(reading.unknown)
        ]
        history.visits.sort()
        history.orders.sort(key=lambda order: (order[0], order[1]["resourceType"], order[1]["id"]))
        history.sort()
        return history

    def _reading(self, history: History, labs: frozenset[str]) -> Reading:
        return self._reader.reading(labs, history.patient, self._plan.until, lambda: history.medications)

    def _read_results(self, history: History, labs: frozenset[str]) -> None:
        """Reads the results of these concepts, unless they are read: of most patients few rules ask for any."""
        lacking = labs - history.labs
        if not lacking:
            return
        reading = self._reading(history, lacking)
        for resource in history.observations:
            self._read(Source.LABS, resource, reading, history)
        history.labs |= lacking
        history.sort()

    def _read(self, source: Source, resource: Resource, reading: Reading, history: History) -> None:
        """Adds what a resource says, in each state in which the chart held it."""
        facts = None
        if source in _SILENT_FOR_EVER or (source is Source.MEDICATIONS and not is_inpatient(resource)):
            facts = reading.facts(source, resource)
            if not facts:
                return
        reference = f"{resource['resourceType']}/{resource['id']}"
        dated = False
        for known, until, state in versions(source, resource, self._plan.zone):
            dated = True
            found = facts if facts is not None and state is resource else reading.facts(source, state)
            for fact in found:
                entry = Entry(known, until, source, reference, fact)
                if isinstance(fact, Unreadable):
                    # An Observation that cannot be read at all says so whenever results of more concepts are wanted.
                    if entry in history.entries:
                        continue
                    history.unreadable += 1
                history.entries.append(entry)
        history.undated += not dated

    # --- asking --------------------------------------------------------------------------------------------------

    def _calls(self, pseudonym: str, history: History) -> Iterator[Row]:
        plan = self._plan
        if Hook.PATIENT_VIEW in plan.hooks and self._views:
            visits = [at for at in history.visits if plan.since <= at.date() <= plan.until]
            # First, for results change the chart too.
            self._read_results(history, self._looked_at(self._views).labs)
            states: dict[int, PatientRecord] = {}
            for at in visits or _months(plan.since, plan.until):
                # While nothing changes, the chart is one record, and what was worked out about it need not be again.
                state = bisect_right(history.changes, at)
                if state not in states:
                    states[state] = self._record(history, at, self._views, Drafts(), frozenset())
                yield self._view(pseudonym, states[state], at)
        if Hook.ORDER_SIGN in plan.hooks:
            for at, orders in _signings(history.orders):
                if plan.since <= at.date() <= plan.until:
                    yield from self._signing(pseudonym, history, at, orders)

    def _view(self, pseudonym: str, record: PatientRecord, at: datetime) -> Row:
        evaluation = evaluate(self._views, Hook.PATIENT_VIEW, record, at.date())
        return self._row(pseudonym, Hook.PATIENT_VIEW, at, self._views, record, evaluation, None)

    def _signing(self, pseudonym: str, history: History, at: datetime, orders: Sequence[Resource]) -> Iterator[Row]:
        """Each order of one moment as the draft that is asked about; the others are drafts beside it."""
        entries = [{"resource": each} for each in (*map(as_draft, orders), *history.medications.values())]
        drafts = self._reader.drafts({"entry": entries}, history.patient, None, at.date())
        by_reference = {order.reference: order for order in drafts.orders}
        signed = frozenset(f"{each['resourceType']}/{each['id']}" for each in orders)
        for resource in orders:
            reference = f"{resource['resourceType']}/{resource['id']}"
            order = by_reference.get(reference)
            rules = triggered(self._rules, Hook.ORDER_SIGN, (order,)) if order else ()
            if not rules:
                yield self._row(pseudonym, Hook.ORDER_SIGN, at, (), _NO_RECORD, _NO_ANSWER, order)
                continue
            own = tuple(each if each is order else replace(each, selected=False) for each in drafts.orders)
            record = self._record(history, at, rules, replace(drafts, orders=own), signed)
            evaluation = evaluate(rules, Hook.ORDER_SIGN, record, at.date())
            yield self._row(pseudonym, Hook.ORDER_SIGN, at, rules, record, evaluation, order)

    def _record(
        self, history: History, at: datetime, rules: tuple[Rule, ...], drafts: Drafts, signed: frozenset[str]
    ) -> PatientRecord:
        """The chart as it stood, without the orders that are being signed: what these rules ask for, newest first."""
        wanted = self._looked_at(rules)
        self._read_results(history, wanted.labs)
        facts: dict[type, list[Any]] = {}
        unreadable: dict[Source, list[Unreadable]] = {}
        for _, until, source, reference, fact in reversed(history.entries[: bisect_right(history.moments, at)]):
            if until <= at or source not in wanted.sources or reference in signed:
                continue
            # A finding among the results is a problem, and has no concept of its own.
            concept = getattr(fact, "concept", None) if source is Source.LABS else None
            if concept is not None and concept not in wanted.labs:
                continue
            if isinstance(fact, Unreadable):
                unreadable.setdefault(source, []).append(fact)
            else:
                facts.setdefault(type(fact), []).append(fact)
        states = self._supplied(wanted.sources)
        if unreadable:
            marked = {source: replace(states[source], unreadable=tuple(each)) for source, each in unreadable.items()}
            states = {**states, **marked}
        return assembled(drafts, facts, states)

    def _looked_at(self, rules: tuple[Rule, ...]) -> Wanted:
        topics = tuple(rule.topic for rule in rules)
        known = self._wanted.get(topics)
        if known is None:
            known = self._wanted[topics] = Wanted(
                frozenset(source for rule in rules for source in rule.sources),
                frozenset(concept for rule in rules for concept in rule.labs),
            )
        return known

    def _supplied(self, sources: frozenset[Source]) -> Mapping[Source, SourceState]:
        """A source that the export holds is complete; one that it never mentions was not supplied."""
        known = self._states.get(sources)
        if known is None:
            supplied = SourceState(Supplied.SUPPLIED)
            known = self._states[sources] = {
                source: supplied if source in self._plan.supplied else NOT_SUPPLIED for source in sources
            }
        return known

    # --- rows ----------------------------------------------------------------------------------------------------

    def _row(
        self,
        pseudonym: str,
        hook: Hook,
        at: datetime,
        rules: Sequence[Rule],
        record: PatientRecord,
        evaluation: Evaluation,
        order: Order | None,
    ) -> Row:
        row: Row = {
            "kind": "call",
            "patient": pseudonym,
            "hook": hook.value,
            "day": at.date().isoformat(),
            "ordered": self._named(order) if order else None,
            "alerts": [
                {"topic": each.rule.topic, "variant": each.alert.variant, "level": each.level.value}
                for each in evaluation.raised
            ],
            "gaps": [
                {"topic": gap.rule.topic, "data": ", ".join(gap.data), "reason": gap.reason}
                for gap in evaluation.not_evaluated
            ],
            "excluded": evaluation.excluded.items(),
            "merged": list(evaluation.merged),
            "open_questions": bool(worth_a_card(evaluation.not_evaluated, hook)),
            "asked": [rule.topic for rule in rules],
        }
        if rules:
            self._offer(pseudonym, row, record, evaluation, at)
        return row

    def _offer(self, pseudonym: str, row: Row, record: PatientRecord, evaluation: Evaluation, at: datetime) -> None:
        """Offers the call to the review sample of each rule that answered."""
        place = {"day": row["day"], "hook": row["hook"], "ordered": row["ordered"]}

        def hit(raised: Raised) -> Row:
            offers = Offers(self._library, self._plan.profile, record, at.date())
            text = self._wording.text(raised, offers)
            return {**place, "level": raised.level.value, "said": text.summary, "why": raised.alert.variant}

        spoke = {*evaluation.merged}
        for raised in evaluation.raised:
            spoke.add(raised.rule.topic)
            self.sample.offer(raised.rule.topic, HIT, pseudonym, lambda raised=raised: hit(raised))  # type: ignore[misc]
        if not _is_near(record):
            return
        for topic in evaluation.evaluated:
            if topic in spoke:
                continue
            if why := evaluation.excluded.get(topic):
                self.sample.offer(topic, EXCLUDED, pseudonym, lambda why=why: {**place, "why": "; ".join(why)})  # type: ignore[misc]
            else:
                self.sample.offer(topic, SILENT, pseudonym, lambda: {**place, "why": "checked, nothing found"})

    def _named(self, order: Order) -> str | None:
        """What was ordered, in our own words; None for what no rule knows."""
        names = order.tests or order.medicine.ingredients
        return ", ".join(self._title(name) for name in names) or None

    def _title(self, concept: str) -> str:
        try:
            return self._library.terminology.title(concept)
        except KeyError:
            return concept.replace("_", " ")


def _decoded(lines: Iterable[tuple[str, str | None]]) -> tuple[dict[tuple[str, str], Resource], dict[str, Resource]]:
    """The resources by type and id, of several with one id the last updated; and the Medications they refer to."""
    resources: dict[tuple[str, str], Resource] = {}
    medications: dict[str, Resource] = {}
    loads = orjson.loads
    for line, medication in sorted(lines):
        resource = loads(line)
        identity = resource.get("id")
        if not isinstance(identity, str):
            identity = resource["id"] = f"without-id-{len(resources)}"
        place = (str(resource.get("resourceType")), identity)
        if place not in resources or _last_update(resource) >= _last_update(resources[place]):
            resources[place] = resource
        if medication:
            product = loads(medication)
            medications[product["id"]] = medications[f"urn:uuid:{product['id']}"] = product
    return resources, medications


def _last_update(resource: Resource) -> str:
    meta = resource.get("meta")
    return str(meta.get("lastUpdated")) if isinstance(meta, dict) else ""


def _signings(orders: Iterable[tuple[datetime, Resource]]) -> Iterator[tuple[datetime, list[Resource]]]:
    """Orders by the moment at which they were signed."""
    together: dict[datetime, list[Resource]] = {}
    for at, order in orders:
        together.setdefault(at, []).append(order)
    yield from together.items()


def _months(since: date, until: date) -> Iterator[datetime]:
    """The first day of each month of the span."""
    year, month = since.year, since.month
    while (day := date(year, month, 1)) <= until:
        if day >= since:
            yield datetime.combine(day, time.max)
        year, month = year + month // 12, month % 12 + 1


def _is_near(record: PatientRecord) -> bool:
    """Whether there is anything in which a rule could have been wrong: a chart without any is no near miss."""
    return bool(
        record.drafts
        or record.courses
        or record.doses
        or record.problems
        or record.procedures
        or any(lab.concept in _OF_B12 for lab in record.labs)
    )


def _shown(system: str, code: str) -> str:
    """`system|code`, unless the code is no code but words, which may say anything."""
    is_code = 0 < len(code) <= _LONGEST_CODE and set(code) <= _CODE and any(each.isdigit() for each in code)
    return f"{system}|{code}" if is_code else f"{system}|(words instead of a code)"
