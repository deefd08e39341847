"""b12-cds explain: one request, rule by rule: what was read, what matched, what excluded, what was missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

from cards.calendar import in_words
from cards.dosing import between_doses
from cards.library import Library
from cards.record import (
    Allergy,
    Amount,
    AmountUnit,
    Course,
    Dose,
    Instruction,
    LabResult,
    PatientRecord,
    Planned,
    Problem,
    Procedure,
    Source,
    Strength,
    When,
)
from cards.rule import NotEvaluated, Raised
from cards.terminology import Concept
from cards.wording import SOURCE_NAMES
from service.endpoints.hooks import envelope, hook_call
from service.respond import Examination, Responder, Service

_INDENT = "  "


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
    found = responder.examine(service, call, today)
    summaries = [each.card["summary"] for each in responder.spoken(call, found, today)]
    return "\n".join(_Report(library, service, found, today).lines(summaries)) + "\n"


class _Report:
    """Writes one examination down."""

    def __init__(self, library: Library, service: Service, found: Examination, today: date) -> None:
        self._library = library
        self._service = service
        self._found = found
        self._today = today

    def lines(self, summaries: list[str]) -> Iterator[str]:
        """The whole report; `summaries` are those of the cards that the EHR would get."""
        rules = self._service.rules
        profile = rules[0].limits.profile if rules else "no rules"
        yield f"{self._service.hook}, profile {profile}, {self._today.isoformat()}"
        yield from self._section("Drafts", self._drafts())
        yield from self._section("Data", self._data())
        yield from self._section("What was read", self._facts(self._found.record))
        yield from self._section("Rules", self._rules())
        yield from self._section("Cards", summaries or ["none"])

    def _section(self, title: str, lines: Iterable[str]) -> Iterator[str]:
        yield ""
        yield title
        for line in lines:
            yield f"{_INDENT}{line}"

    def _drafts(self) -> Iterator[str]:
        if not self._service.hook.about_orders:
            yield "none: this hook brings no orders"
            return
        for number, order in enumerate(self._found.drafts.orders, start=1):
            tests = ", ".join(self._title(test) for test in order.tests)
            chosen = "" if order.selected else " (not selected: context only)"
            yield f"{number}. {tests or self._course(order)}{chosen}"
        if not self._found.drafts.orders:
            yield "none of a medicine or laboratory test for this patient"

    def _data(self) -> Iterator[str]:
        if not self._found.rules:
            yield "none needed: no rule is about these drafts"
        for source in Source:
            if source not in self._found.received:
                continue
            state, resources = self._found.received[source]
            known = self._found.record.state(source)
            line = f"{source.value}: {state.value}"
            if resources:
                line += f", {len(resources)} resources"
            if known.back_to:
                line += f", complete back to {known.back_to.isoformat()}"
            if known.unreadable:
                reasons = sorted({each.reason for each in known.unreadable})
                line += f", {len(known.unreadable)} could not be read ({', '.join(reasons)})"
            yield line

    def _facts(self, record: PatientRecord) -> Iterator[str]:
        groups: list[tuple[str, Iterable[str]]] = [
            ("patient", self._patient(record)),
            ("problem", map(self._problem, record.problems)),
            ("order", map(self._course, record.courses)),
            ("dose", map(self._dose, record.doses)),
            ("dose without an amount, not counted", map(self._dose, record.doses_without_amount)),
            ("result", map(self._lab, record.labs)),
            ("procedure", map(self._procedure, record.procedures)),
            ("allergy", map(self._allergy, record.allergies)),
            ("planned", map(self._planned, record.planned)),
        ]
        nothing = True
        for kind, lines in groups:
            for line in lines:
                nothing = False
                yield f"{kind}: {line}"
        if nothing:
            yield "nothing that a rule knows"
        if record.unrecognised_codes:
            yield f"{record.unrecognised_codes} drug codes are in no value set"

    def _rules(self) -> Iterator[str]:
        evaluation = self._found.evaluation
        raised = {each.rule.topic: each for each in evaluation.raised}
        lacking = {each.rule.topic: each for each in evaluation.not_evaluated}
        asked = {rule.topic for rule in self._found.rules}
        for rule in self._service.rules:
            if rule.topic in raised:
                yield from self._raised(raised[rule.topic])
            elif rule.topic in evaluation.merged:
                yield f"{rule.topic}: would speak, but {evaluation.merged[rule.topic]} speaks of the same problem"
            elif rule.topic in lacking:
                yield self._not_evaluated(lacking[rule.topic])
            elif rule.topic not in asked:
                yield f"{rule.topic}: not about these drafts"
            elif rule.topic in evaluation.excluded:
                yield f"{rule.topic}: silent: {'; '.join(evaluation.excluded[rule.topic])}"
            else:
                yield f"{rule.topic}: silent: checked, nothing found"

    def _raised(self, raised: Raised) -> Iterator[str]:
        yield f"{raised.rule.topic}: {raised.level.value.upper()} ({raised.alert.variant.replace('_', ' ')})"
        for name, value in raised.alert.facts.items():
            if value not in (None, False, "", ()):
                yield f"{_INDENT}{name.replace('_', ' ')}: {self._plain(value)}"
        if raised.not_available:
            yield f"{_INDENT}not available: {', '.join(SOURCE_NAMES[each] for each in raised.not_available)}"
        for name, threshold in self._library.folders[raised.rule.topic].definition.thresholds.items():
            yield f"{_INDENT}threshold {name}: {raised.rule.limits[name]:f} {threshold.unit}"

    def _not_evaluated(self, gap: NotEvaluated) -> str:
        return f"{gap.rule.topic}: NOT EVALUATED: {', '.join(gap.data)} ({gap.reason})"

    # --- facts in words ------------------------------------------------------------------------------------------

    def _title(self, concept: str) -> str:
        try:
            return self._library.terminology.title(concept)
        except KeyError:
            return concept.replace("_", " ")

    def _concepts(self, concepts: Iterable[Concept]) -> str:
        return ", ".join(
            f"{self._title(each.name)}{f' ({each.meaning})' if each.meaning else ''}"
            f"{'' if each.specific else ' (a code that says other things too)'}"
            for each in concepts
        )

    def _patient(self, record: PatientRecord) -> Iterator[str]:
        if Source.PATIENT in self._found.received:
            born = record.patient.born
            gone = ", deceased" if record.patient.deceased else ", has left" if record.patient.left else ""
            yield f"{f'born {_when(born)}' if born else 'birth date not known'}{gone}"

    def _problem(self, problem: Problem) -> str:
        present = "present" if problem.present else "not present"
        marks = [present, *([] if problem.certain else ["not certain"]), *(["by its words"] if problem.by_text else [])]
        return f"{self._concepts(problem.concepts)}: {', '.join(marks)}, {_when(problem.dated)}"

    def _course(self, course: Course) -> str:
        drugs = ", ".join(self._title(each) for each in course.medicine.ingredients) or "a drug that no rule knows"
        by_text = " (by its words)" if course.medicine.by_text else ""
        how = "; then ".join(_instruction(each) for each in course.instructions)
        since = f", since {_when(course.authored)}" if course.authored else ""
        strengths = ", ".join(_strength(each) for each in course.medicine.strengths.values())
        product = f" of {strengths}" if strengths else ""
        return f"{drugs}{product}{by_text}{f': {how}' if how else ''}, {course.status.value}{since}"

    def _dose(self, dose: Dose) -> str:
        drugs = ", ".join(self._title(each) for each in dose.medicine.ingredients)
        told = ", as told" if dose.stated else ""
        return f"{drugs}{f' {_amount(dose.amount)}' if dose.amount else ''}, {_when(dose.when)}{told}"

    def _lab(self, lab: LabResult) -> str:
        flag = f", flagged {lab.flag.value}" if lab.flag else ""
        return f"{self._title(lab.concept)} {lab.reported}{flag}, {_when(lab.when)}"

    def _procedure(self, procedure: Procedure) -> str:
        length = f", {procedure.length_cm:f} cm" if procedure.length_cm else ""
        return f"{self._concepts(procedure.concepts)}{length}, {_when(procedure.when)}"

    def _allergy(self, allergy: Allergy) -> str:
        return f"{', '.join(map(self._title, allergy.substances))}: {allergy.reaction.value}, {_when(allergy.when)}"

    def _planned(self, planned: Planned) -> str:
        named = self._concepts(planned.concepts) or ("B12" if planned.names_b12 else "an injection")
        return (
            f"{named if planned.concepts or planned.names_b12 or planned.names_injection else 'something else'}, "
            + (_when(planned.days))
        )

    def _plain(self, value: object) -> str:
        """A fact of an alert in plain words."""
        if isinstance(value, LabResult):
            return self._lab(value)
        if isinstance(value, When):
            return _when(value)
        if isinstance(value, Enum):
            return str(value.value)
        if isinstance(value, Decimal):
            return f"{value:f}"
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            parts = {name: part for name, part in value._asdict().items() if part not in (None, False, "")}
            return ", ".join(part if isinstance(part, str) else self._plain(part) for part in parts.values())
        if isinstance(value, list | tuple):
            return ", ".join(map(self._plain, value))
        return "yes" if value is True else str(value)


def _instruction(instruction: Instruction) -> str:
    parts = [_amount(instruction.amount)] if instruction.amount else ["no dose"]
    if instruction.route:
        parts.append(instruction.route.value)
    if instruction.site:
        parts.append(
            f"into the {instruction.site.side or ''} {instruction.site.kind.replace('_', ' ')}".replace("  ", " ")
        )
    interval = between_doses(instruction)
    if interval:
        parts.append(f"every {in_words(interval)}")
    if instruction.timing_unread:
        parts.append("timing in words that could not be read")
    if instruction.lasts:
        parts.append(f"for {in_words(instruction.lasts)}")
    if instruction.starts:
        parts.append(f"from {instruction.starts.isoformat()}")
    if instruction.ends:
        parts.append(f"until {instruction.ends.isoformat()}")
    if instruction.count:
        parts.append(f"{instruction.count} doses")
    if instruction.as_needed:
        parts.append("as needed")
    return " ".join(parts)


def _strength(strength: Strength) -> str:
    volume = f" in {strength.per_ml.normalize():f} mL" if strength.per_ml else " a unit"
    return f"{strength.mcg.normalize():f} mcg{volume}"


def _amount(amount: Amount) -> str:
    number = f"{amount.low.normalize():f}"
    if amount.high != amount.low:
        number += f" to {amount.high.normalize():f}"
    return number if amount.unit is AmountUnit.NONE else f"{number} {amount.unit.value}"


def _when(when: When | None) -> str:
    if when is None:
        return "no date"
    if when.earliest == when.latest:
        return when.latest.isoformat()
    return f"{when.earliest.isoformat()} to {when.latest.isoformat()}"
