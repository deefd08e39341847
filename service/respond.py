"""One hook call from request to response; reads top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from datetime import date
from typing import Any

from pydantic import SecretStr

from cards.fact import fact
from cards.library import Library
from cards.offers import Offers
from cards.record import PatientRecord, Source, Supplied
from cards.rule import (
    DRAFTS,
    NOT_EVALUATED_TOPIC,
    AlertName,
    Evaluation,
    Hook,
    NotEvaluated,
    Raised,
    Rule,
    evaluate,
    triggered,
)
from cards.wording import Wording, worth_a_card
from cards.words import CHARACTERS_OF_A_CALL
from service.clients.client import Client, open_client
from service.fhir import prefetch
from service.fhir.drafts import Unread
from service.fhir.fallback import Fallback
from service.fhir.reader import Drafts, Reader
from service.fhir.references import with_medications, with_prefetched_medications
from service.fhir.sources import NOTHING_RECEIVED, Received, received
from service.fhir.writer import Target, Writer
from service.operations.faults import noted
from service.present import OVERRIDE_CATEGORY_SYSTEM, OVERRIDE_SYSTEM, Card, card, not_evaluated_card
from service.settings import Settings
from service.value_sets.site import library_of

EVALUATION_EXTENSION = "urn:b12-cds:evaluation"

_ABOUT = {
    Hook.ORDER_SIGN: (
        "Vitamin B12 checks at signing",
        "Checks B12, folic acid and related orders as they are signed: {topics}.",
    ),
    Hook.ORDER_SELECT: (
        "Vitamin B12 checks while ordering",
        "Checks B12, folic acid and related orders while they are being chosen: {topics}.",
    ),
    Hook.PATIENT_VIEW: (
        "Vitamin B12 review of the chart",
        "Looks through the chart for B12 treatment that is missing, late or due for review: {topics}.",
    ),
}
_USAGE = (
    "FHIR R4, R4B, R5, STU3 or DSTU2 JSON. Send the prefetch keys that you can; an order that no rule is about is "
    "answered at once and needs none. Required: {needs}. Without a required key the answer is 412; a key that your "
    "query left empty is null or an empty Bundle, one that failed is an OperationOutcome."
)


class PrefetchIncomplete(Exception):
    """No triggered rule could be answered because required prefetch keys were absent.

    `keys` names them, `lacking` the rules that wanted them.
    """

    def __init__(self, keys: tuple[str, ...], lacking: tuple[NotEvaluated, ...] = ()) -> None:
        super().__init__(", ".join(keys))
        self.keys = keys
        self.lacking = lacking


@fact(frozen=True, slots=True)
class HookCall:
    """One call, its envelope checked; `draft_orders`, `selections` and `prefetch` are still as the EHR sent them."""

    hook: str
    patient_id: str
    user_id: str | None = None
    encounter_id: str | None = None
    draft_orders: Any = None
    selections: Any = None
    prefetch: Mapping[str, Any] | None = None
    fhir_server: str | None = None
    # Lives as long as the call; it stands in no text, log or error.
    fhir_token: SecretStr | None = field(default=None, repr=False)

    @property
    def has_fhir_access(self) -> bool:
        """Whether the EHR gave leave to read from its FHIR server."""
        return self.fhir_token is not None


@fact(frozen=True, slots=True)
class Examination:
    """What was read of a call, which rules its drafts triggered, and what became of them."""

    drafts: Drafts
    rules: tuple[Rule, ...]
    received: Mapping[Source, Received]
    record: PatientRecord
    evaluation: Evaluation


@fact(frozen=True, slots=True)
class Spoken:
    """A card with the alert that it is about. `silent`: evaluated and to be recorded, never to be shown."""

    raised: Raised
    card: Card
    silent: bool = False


@fact(frozen=True, slots=True)
class Answer:
    """What one call is answered with.

    `spoken`: the cards of alerts, most urgent first. `open_questions`: the card that names what could not be checked.
    `evaluation`: of the live and the silent rules; None when no rule had anything to look at and every draft was read.
    `record`: what they looked at. `unread`: the drafts of which nothing can be told.
    """

    spoken: tuple[Spoken, ...] = ()
    open_questions: Card | None = None
    evaluation: Evaluation | None = None
    unrecognised_codes: int = 0
    record: PatientRecord | None = None
    unread: tuple[Unread, ...] = ()

    def body(self) -> dict[str, Any]:
        """The answer as JSON."""
        cards = [each.card for each in self.spoken if not each.silent]
        if self.open_questions:
            cards.append(self.open_questions)
        if self.evaluation is None:
            return {"cards": cards}
        return {"cards": cards, "extension": {EVALUATION_EXTENSION: self._report(self.evaluation)}}

    def _report(self, evaluation: Evaluation) -> dict[str, Any]:
        """What was evaluated and what was not, without empty members."""
        report: dict[str, Any] = {"version": 1}
        if evaluation.evaluated:
            report["evaluated"] = list(evaluation.evaluated)
        if evaluation.not_evaluated:
            report["notEvaluated"] = [
                {"topic": gap.rule.topic, **({"data": list(gap.data)} if gap.data else {}), "reason": gap.reason}
                for gap in evaluation.not_evaluated
            ]
        if self.unread:
            report[DRAFTS] = [_named(each) for each in self.unread]
        if remarks := _remarks(self.record):
            report["sources"] = remarks
        if self.unrecognised_codes:
            report["unrecognisedCodes"] = self.unrecognised_codes
        return report


NOTHING_TO_SAY = Answer()


@fact(frozen=True, slots=True)
class Service:
    """One CDS service: a hook, its rules, and what discovery says of it."""

    id: str
    hook: Hook
    title: str
    description: str
    usage_requirements: str
    prefetch: Mapping[str, str]
    extension: Mapping[str, Any]
    rules: tuple[Rule, ...]


class Responder:
    """Answers the hook calls of one client. Holds no state between calls.

    `fallback` fetches what the client's EHR did not send; without it, prefetch alone is what is known.
    `text_characters`: how much of long texts is read, of the drafts and of the chart; what goes beyond is named.
    """

    def __init__(
        self,
        library: Library,
        client: Client,
        fallback: Fallback | None = None,
        text_characters: int = CHARACTERS_OF_A_CALL,
    ) -> None:
        self.profile = client.profile
        self._library = library
        self._fallback = fallback
        self._access = client.fhir
        self._rule_pages = client.rule_pages
        self._reader = Reader(library.terminology, client.zone, text_characters)
        self.wording = Wording(library, client.profile)
        self._writer = Writer(library, client.profile)
        modes = {topic: client.mode_of(topic) for topic in library.folders}
        self._silent = frozenset(topic for topic, mode in modes.items() if mode == "silent")
        self._never_supplied = client.never_supplied
        rules = [rule for rule in library.rules(client.profile, client.thresholds) if modes[rule.topic] != "off"]
        self.services: Mapping[str, Service] = {
            service.id: service for hook in Hook if (service := _service(hook, rules, library, self.wording))
        }

    async def respond(self, service: Service, call: HookCall, today: date) -> Answer:
        """The answer to one call.

        Raises `PrefetchIncomplete` when every triggered rule lacks a required prefetch key.
        """
        if service.hook is Hook.PATIENT_VIEW and _is_patient(call.user_id):
            return NOTHING_TO_SAY
        visit = self._fallback.visit(call, self._access) if self._fallback else None
        drafts = await with_medications(call.draft_orders, call.prefetch, visit.medications if visit else None)
        call = _with_drafts(call, drafts)
        read, rules = self._triggered(service, call, today)
        if not rules:
            if not read.unread:
                return NOTHING_TO_SAY
            card = self._open_questions(Evaluation(), service, read.unread)
            return Answer((), card, Evaluation(), unread=read.unread)
        arrived = _received(call, rules)
        if visit:
            arrived = await visit.completed(arrived, self._query(call, rules))
        found = self._examined(service, call, read, rules, arrived, today)
        self._demand_required_keys(found.evaluation, service.hook, arrived)
        found, spoken = self._spoken(call, found, service.hook, today)
        return Answer(
            spoken,
            self._open_questions(found.evaluation, service, read.unread),
            found.evaluation,
            len(found.record.unknown_drugs),
            found.record,
            read.unread,
        )

    def examine(self, service: Service, call: HookCall, today: date) -> Examination:
        """Reads the drafts, then, when a rule is triggered by them, the data it asks for, and asks the rules."""
        call = _with_drafts(call, with_prefetched_medications(call.draft_orders, call.prefetch))
        drafts, rules = self._triggered(service, call, today)
        if not rules:
            return Examination(drafts, (), {}, PatientRecord(drafts.orders), Evaluation())
        return self._examined(service, call, drafts, rules, _received(call, rules), today)

    def _spoken(
        self, call: HookCall, found: Examination, hook: Hook, today: date
    ) -> tuple[Examination, tuple[Spoken, ...]]:
        """The card of each alert, most urgent first, and the examination by which they are all that is to be said.

        An alert of which no card can be made is not evaluated, and those that stepped back for it speak.
        """
        unsaid: frozenset[AlertName] = frozenset()
        while True:
            spoken, failed = self._cards(call, found, today)
            if not failed:
                return found, spoken
            # Each round has at least one alert less.
            unsaid |= failed
            evaluation = self._evaluate(found.rules, hook, found.record, today, unsaid)
            found = replace(found, evaluation=evaluation)

    def _cards(
        self, call: HookCall, found: Examination, today: date
    ) -> tuple[tuple[Spoken, ...], frozenset[AlertName]]:
        """The card of each alert, and the alerts of which none could be made."""
        target = Target(
            patient_id=call.patient_id,
            encounter_id=call.encounter_id,
            user_id=call.user_id,
            today=today,
            r4=found.drafts.r4,
            find=lambda reference: _in_chart(reference, found.drafts, found.received),
        )
        offers = Offers(self._library, self.profile, found.record, today)
        spoken: list[Spoken] = []
        failed: set[AlertName] = set()
        for raised in found.evaluation.raised:
            try:
                made = card(raised, self.wording, offers, self._writer, target, self._rule_pages)
            except Exception as fault:
                noted("wording", fault, raised.rule.topic)
                failed.add(raised.name)
            else:
                spoken.append(Spoken(raised, made, silent=raised.rule.topic in self._silent))
        return tuple(spoken), frozenset(failed)

    def _query(self, call: HookCall, rules: Sequence[Rule]) -> Callable[[Source], prefetch.Query]:
        """How a source is asked for: for what these rules read, and no more."""
        return lambda source: prefetch.query(source, call.patient_id, _labs_read(rules), self._library.terminology)

    def _triggered(self, service: Service, call: HookCall, today: date) -> tuple[Drafts, tuple[Rule, ...]]:
        drafts = self._reader.drafts(call.draft_orders, call.patient_id, call.selections, today)
        if service.hook is Hook.ORDER_SELECT and drafts.unread:
            # Screens open with an order for which nothing has been chosen yet.
            drafts = replace(drafts, unread=tuple(each for each in drafts.unread if not each.unfinished))
        return drafts, triggered(service.rules, service.hook, drafts.orders)

    def _examined(
        self,
        service: Service,
        call: HookCall,
        drafts: Drafts,
        rules: tuple[Rule, ...],
        received: Mapping[Source, Received],
        today: date,
    ) -> Examination:
        record = self._reader.record(drafts, received, _labs_read(rules), call.patient_id, today)
        evaluation = self._evaluate(rules, service.hook, record, today)
        for topic, fault in evaluation.faults:
            noted("rule" if topic else "merging", fault, topic or "cards")
        return Examination(drafts, rules, received, record, evaluation)

    def _evaluate(
        self,
        rules: tuple[Rule, ...],
        hook: Hook,
        record: PatientRecord,
        today: date,
        unsaid: AbstractSet[AlertName] = frozenset(),
    ) -> Evaluation:
        """Live rules by themselves: a rule that nobody hears must not speak for one that is heard."""
        if not self._silent:
            return evaluate(rules, hook, record, today, unsaid)
        live = evaluate([rule for rule in rules if rule.topic not in self._silent], hook, record, today, unsaid)
        silent = evaluate([rule for rule in rules if rule.topic in self._silent], hook, record, today, unsaid)
        return Evaluation(
            live.raised + silent.raised,
            live.evaluated + silent.evaluated,
            live.not_evaluated + silent.not_evaluated,
            {**live.excluded, **silent.excluded},
            {**live.merged, **silent.merged},
            live.faults + silent.faults,
        )

    def _open_questions(self, evaluation: Evaluation, service: Service, unread: Sequence[Unread]) -> Card | None:
        """The card for what a clinician should hear of: not of silent rules, nor of data that this EHR never has.

        While orders are still being chosen, a draft that cannot be read is no news.
        """
        gaps = tuple(
            gap
            for gap in worth_a_card(evaluation.not_evaluated, service.hook)
            if gap.rule.topic not in self._silent and not (gap.data and self._never_supplied.issuperset(gap.data))
        )
        reasons: tuple[str, ...] = ()
        if unread and service.hook is Hook.ORDER_SIGN and any(rule.topic not in self._silent for rule in service.rules):
            reasons = tuple(each.reason for each in unread)
        try:
            return not_evaluated_card(gaps, reasons, self.wording) if gaps or reasons else None
        except Exception as fault:
            # The report names them too.
            noted("wording", fault, NOT_EVALUATED_TOPIC)
            return None

    def _demand_required_keys(self, evaluation: Evaluation, hook: Hook, received: Mapping[Source, Received]) -> None:
        """Raises `PrefetchIncomplete` when no live rule can be answered for lack of data that this EHR could send.

        A rule that nobody hears asks for nothing: its call must not fail for a clinician.
        """
        silent = self._silent
        if any(each.rule.topic not in silent for each in evaluation.raised):
            return
        if any(topic not in silent for topic in evaluation.evaluated):
            return
        gaps = [gap for gap in evaluation.not_evaluated if gap.rule.topic not in silent]
        missing = Supplied.MISSING.value
        if any(gap.reason != missing for gap in gaps):
            return
        keys = {
            need.source
            for gap in gaps
            for need in gap.rule.needed(hook)
            if received[need.source].state is Supplied.MISSING
            and not (need.instead and received[need.instead].state is not Supplied.MISSING)
        } - self._never_supplied
        if keys:
            names = tuple(source.value for source in Source if source in keys)
            raise PrefetchIncomplete(names, evaluation.not_evaluated)


def build(settings: Settings, fallback: Fallback | None = None) -> Responder:
    """A responder with every rule of the library, and the site's own products, for whoever calls.

    Raises `cards.library.RuleError` and `cards.terminology.ValueSetError`.
    """
    return Responder(library_of(settings.data_dir), open_client(settings), fallback, settings.text_characters)


def offered(responders: Sequence[Responder], library: Library) -> Mapping[str, Service]:
    """The services as discovery tells them to every client at once: what any of the responders offers or asks for."""
    if len(responders) == 1:
        return responders[0].services
    told = {}
    for hook in Hook:
        services = [each for responder in responders for each in responder.services.values() if each.hook is hook]
        rules = sorted((rule for service in services for rule in service.rules), key=lambda rule: rule.precedence)
        if service := _service(hook, rules, library, responders[0].wording):
            told[service.id] = service
    return told


def _received(call: HookCall, rules: Sequence[Rule]) -> Mapping[Source, Received]:
    return received(call.prefetch, frozenset[Source]().union(*(rule.sources for rule in rules)), call.patient_id)


def _service(hook: Hook, rules: Sequence[Rule], library: Library, wording: Wording) -> Service | None:
    own = tuple(rule for rule in rules if hook in rule.hooks)
    if not own:
        return None
    title, description = _ABOUT[hook]
    topics = ", ".join(dict.fromkeys(library.folders[rule.topic].definition.title for rule in own))
    needs = sorted({need.source.value for rule in own for need in rule.needed(hook)})
    return Service(
        id=f"b12-{hook.value}",
        hook=hook,
        title=title,
        description=description.format(topics=topics),
        usage_requirements=_USAGE.format(needs=", ".join(needs) or "none"),
        prefetch=prefetch.templates(own, library.terminology),
        extension={OVERRIDE_SYSTEM: _override_reasons(own, library, wording)},
        rules=own,
    )


def _override_reasons(rules: Sequence[Rule], library: Library, wording: Wording) -> dict[str, Any]:
    """The override reasons of the rules' cards, each with its category of HL7's non-adherence reason codes."""
    used = {code for rule in rules for code in library.folders[rule.topic].definition.card.override_reasons}
    return {
        "categorySystem": OVERRIDE_CATEGORY_SYSTEM,
        "concept": [
            {"code": code, "display": wording.spelling(reason.display), "category": reason.category}
            for code, reason in library.shared.override_reasons.items()
            if code in used
        ],
    }


def _with_drafts(call: HookCall, drafts: Any) -> HookCall:
    return call if drafts is call.draft_orders else replace(call, draft_orders=drafts)


def _labs_read(rules: Sequence[Rule]) -> frozenset[str]:
    """The laboratory concepts that the rules look at."""
    return frozenset[str]().union(*(rule.labs for rule in rules))


def _is_patient(user_id: str | None) -> bool:
    """Whether the reader of the card would be the patient or a relative: the wording is for clinicians."""
    return bool(user_id) and str(user_id).startswith(("Patient/", "RelatedPerson/"))


def _in_chart(reference: str, drafts: Drafts, received: Mapping[Source, Received]) -> dict[str, Any] | None:
    """The EHR's own JSON of an order that a card may change."""
    if reference in drafts.resources:
        return drafts.resources[reference]
    for each in received.get(Source.MEDICATIONS, NOTHING_RECEIVED).resources:
        if isinstance(each, dict) and f"{each.get('resourceType')}/{each.get('id')}" == reference:
            return each
    return None


def _named(draft: Unread) -> dict[str, Any]:
    """A draft that could not be read, by its reference or its place."""
    place = {"reference": draft.reference} if draft.reference else {"position": draft.position}
    return {**place, "reason": draft.reason}


def _remarks(record: PatientRecord | None) -> list[dict[str, str]]:
    """What was noticed of the data and cost no rule its answer."""
    states = record.sources.items() if record else ()
    return [{"data": source.value, "reason": reason} for source, state in states for reason in state.remarks]
