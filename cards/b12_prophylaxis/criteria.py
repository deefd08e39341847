"""
WHEN  stomach or ileum were removed or bypassed, at least three months ago, or Crohn's disease sits in the ileum
AND   no B12 was given, ordered, dispensed or reported in the last six months
THEN  ask for prophylaxis, or for the test or the length that decides about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from cards.calendar import in_words, months_before
from cards.cover import any_b12_since
from cards.due_date import default_interval, injections
from cards.neurology import signs
from cards.record import LabResult, Order, PatientRecord, Problem, Procedure, Source, When
from cards.rule import Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    B12_RESULTS,
    MMA,
    Band,
    awaits_result,
    b12_results_unknown,
    b12_status,
    documented_deficiency,
    has,
    in_hospice,
    in_pregnancy,
    irreversible_causes,
    newest_b12,
    removes_ileum,
    younger_than,
)
from cards.terminology import Concept

# The situations of the rule, the weightiest first.
_KINDS = ("total_gastrectomy", "ileal_resection", "bypass", "length_unknown", "sleeve", "unspecified")
_KIND_OF_CAUSE = {
    "total gastrectomy": "total_gastrectomy",
    "complete ileal resection": "ileal_resection",
    "ileal resection": "ileal_resection",
    "gastric bypass": "bypass",
    "biliopancreatic diversion": "bypass",
}
_BARIATRIC = frozenset({"bariatric", "bariatric_status"})
_DECIDED_BY_A_RESULT = frozenset({"length_unknown", "crohn"})
_FUNCTIONAL = frozenset({MMA, "homocysteine"})
_BARIATRIC_KINDS = frozenset({"bypass", "sleeve", "unspecified"})


class Operation(NamedTuple):
    """One operation that counts: its kind, its plain name, and when it was done or first recorded."""

    kind: str
    name: str
    when: When | None


def triggered_by(order: Order, limits: Limits) -> bool:
    """Only when a chart is opened."""
    return False


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Of several situations the weightiest that lacks cover speaks; Crohn's disease only where no ileum was removed."""
    if why := _not_our_patient(record, limits, today):
        return Excluded(why)
    found = [each for each in _operations(record, limits) if _settled(each, limits, today)]
    alerts = [_of_operation(each, record, limits, today) for each in found] or [_of_crohn(record, limits, today)]
    alert = next((each for each in alerts if each), None)
    if alert and not record.known(Source.MEDICATIONS):
        # Without the orders nobody knows whether prophylaxis is under way.
        return Unanswerable((Source.MEDICATIONS.value,), record.state(Source.MEDICATIONS).supplied.value)
    if alert and _awaits_a_test(alert, record, today):
        return Excluded("the test that decides is requested")
    if alert and alert.variant in _DECIDED_BY_A_RESULT and (why := _tests_unknown(record, limits, today)):
        return Unanswerable((Source.LABS.value,), why)
    return alert


def _tests_unknown(record: PatientRecord, limits: Limits, today: date) -> str | None:
    return b12_results_unknown(record, months_before(today, limits.whole("prophylaxis_test_months")))


def _awaits_a_test(alert: Alert, record: PatientRecord, today: date) -> bool:
    """Whether the test that the card would ask for is requested; new nerve signs do not wait for it."""
    if alert.facts["nerves"] or not alert.facts["test_decides"]:
        return False
    if alert.facts["borderline"]:
        return awaits_result(record, _FUNCTIONAL, today, date.min)
    return bool(alert.facts["untested"]) and awaits_result(record, frozenset(B12_RESULTS), today, date.min)


def _not_our_patient(record: PatientRecord, limits: Limits, today: date) -> str | None:
    if younger_than(record, today, 16):
        return "under 16"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if in_hospice(record):
        return "hospice or comfort care"
    if in_pregnancy(record, limits, today) and _is_planned(record, "pregnancy", today):
        return "pregnancy under specialist care"
    return None


# --- operations ----------------------------------------------------------------------------------------------------


def _operations(record: PatientRecord, limits: Limits) -> list[Operation]:
    """Every operation that counts, the weightiest kind first, each kind once."""
    found = [
        Operation(kind, cause.name, cause.when)
        for cause in irreversible_causes(record, limits)
        if (kind := _KIND_OF_CAUSE.get(cause.name))
    ]
    found += _smaller_operations(record)
    if not found:
        return []
    if any(each.kind == "bypass" for each in found):
        # A status code that leaves the kind of bariatric surgery open is about the same operation.
        found = [each for each in found if each.kind not in ("sleeve", "unspecified")]
    if any(each.kind == "sleeve" for each in found):
        found = [each for each in found if each.kind != "unspecified"]
    if any(each.kind == "ileal_resection" for each in found) or _short_resection(record, limits):
        found = [each for each in found if each.kind != "length_unknown"]
    return [chosen for kind in _KINDS if (chosen := _first(each for each in found if each.kind == kind))]


def _first(same: Iterable[Operation]) -> Operation | None:
    """The earliest dated entry; an undated one only when none has a date."""
    return min(same, key=lambda each: each.when.latest if each.when else date.max, default=None)


def _smaller_operations(record: PatientRecord) -> Iterator[Operation]:
    """Sleeve gastrectomy, bariatric surgery of a kind not stated, and resections of ileum of unknown length."""
    for entry, concept in _entries(record):
        when = entry.dated if isinstance(entry, Problem) else entry.when
        if concept.name in _BARIATRIC and concept.specific:
            if concept.meaning == "sleeve":
                yield Operation("sleeve", "sleeve gastrectomy", when)
            elif concept.meaning in (None, "unspecified"):
                yield Operation("unspecified", "bariatric surgery", when)
        elif removes_ileum(concept) and concept.meaning != "complete" and entry.length_cm is None:
            yield Operation("length_unknown", "ileal resection", when)


def _short_resection(record: PatientRecord, limits: Limits) -> bool:
    """Whether the length of ileum removed is on record and is not more than the limit."""
    lengths = [entry.length_cm for entry, concept in _entries(record) if removes_ileum(concept)]
    return any(each is not None and each <= limits["ileal_resection_cm"] for each in lengths)


def _entries(record: PatientRecord) -> Iterator[tuple[Problem | Procedure, Concept]]:
    """Every procedure and certain problem with each of its concepts."""
    for problem in record.problems:
        for concept in problem.concepts if problem.certain else ():
            yield problem, concept
    for procedure in record.procedures:
        for concept in procedure.concepts:
            yield procedure, concept


def _settled(operation: Operation, limits: Limits, today: date) -> bool:
    """Whether the operation is long enough ago; one without a date counts as more than a year ago."""
    since = months_before(today, limits.whole("settled_after_surgery_months"))
    return operation.when is None or operation.when.latest <= since


# --- what to say ---------------------------------------------------------------------------------------------------


def _of_operation(operation: Operation, record: PatientRecord, limits: Limits, today: date) -> Alert | None:
    """The alert about one operation, or None when there is cover or a reason to wait."""
    bariatric = operation.kind in _BARIATRIC_KINDS
    enough = limits["bariatric_oral_mcg_day" if bariatric else "oral_cover_mcg_day"]
    since = months_before(today, limits.whole("prophylaxis_cover_months"))
    if operation.when:
        since = max(since, operation.when.latest)
    if any_b12_since(record, since, today, enough, nasal_counts=bariatric):
        return None
    recent = newest_b12(record, months_before(today, limits.whole("prophylaxis_test_months")))
    normal = _is_normal(record, recent, limits)
    if normal and operation.kind == "length_unknown":
        return None
    if normal and bariatric and _followed_up(record, today):
        return None
    variant = _bypass_variant(operation, record, limits, today) if operation.kind == "bypass" else operation.kind
    status = b12_status(record, limits)
    low = status.result if status and status.band is not Band.REPLETE else None
    prophylaxis = operation.kind in ("total_gastrectomy", "ileal_resection", "bypass")
    nerves = signs(record, today)
    deficient = documented_deficiency(record, limits, today) is not None
    plain = not (nerves or deficient)
    facts = {
        **_facts(record, limits, today, recent),
        "operation": operation,
        "result": low,
        "borderline": operation.kind == "length_unknown" and status is not None and status.band is Band.INDETERMINATE,
        "length": limits["ileal_resection_cm"] if operation.name == "ileal resection" else None,
        "nerves": nerves,
        "deficient": deficient,
        "load_neurological": prophylaxis and nerves is not None,
        "load_standard": prophylaxis and nerves is None and deficient,
        "monthly": plain and operation.kind == "ileal_resection",
        "usual": plain and operation.kind in ("total_gastrectomy", "bypass"),
        "optional": operation.kind in ("sleeve", "unspecified"),
        "by_mouth": plain and bariatric,
        "test_decides": operation.kind in ("length_unknown", "sleeve", "unspecified"),
    }
    return Alert(variant, facts)


def _of_crohn(record: PatientRecord, limits: Limits, today: date) -> Alert | None:
    """Ileal Crohn's disease without any resection: a yearly test."""
    if not has(record, "crohn_ileal") or any(removes_ileum(concept) for _, concept in _entries(record)):
        return None
    recent = newest_b12(record, months_before(today, limits.whole("prophylaxis_test_months")))
    since = months_before(today, limits.whole("prophylaxis_cover_months"))
    if recent or any_b12_since(record, since, today, limits["oral_cover_mcg_day"]):
        return None
    nothing: dict[str, object] = {"operation": None, "result": None, "length": None}
    no_orders = dict.fromkeys(
        ("load_neurological", "load_standard", "monthly", "usual", "optional", "by_mouth", "borderline"), False
    )
    facts = {**_facts(record, limits, today, recent), **nothing, **no_orders, "test_decides": True}
    return Alert("crohn", {**facts, "nerves": signs(record, today), "deficient": False})


def _facts(record: PatientRecord, limits: Limits, today: date, recent: LabResult | None) -> dict[str, object]:
    given = injections(record)
    return {
        "last": given[-1].when.latest if given else None,
        "untested": recent is None,
        "surely_untested": recent is None and _tests_unknown(record, limits, today) is None,
        "every": in_words(default_interval(limits, neurological=False)),
        "cover_months": limits.whole("prophylaxis_cover_months"),
        "test_months": limits.whole("prophylaxis_test_months"),
    }


def _bypass_variant(operation: Operation, record: PatientRecord, limits: Limits, today: date) -> str:
    """A bypass is a warning after the first year, or with a low or borderline B12."""
    late = months_before(today, limits.whole("bypass_late_months"))
    if operation.when is None or operation.when.latest < late:
        return "bypass_late"
    status = b12_status(record, limits)
    return "bypass_low" if status and status.band is not Band.REPLETE else "bypass_early"


def _is_normal(record: PatientRecord, recent: LabResult | None, limits: Limits) -> bool:
    """Whether B12 was tested recently and is replete off treatment."""
    status = b12_status(record, limits)
    return recent is not None and status is not None and status.band is Band.REPLETE and status.result == recent


def _followed_up(record: PatientRecord, today: date) -> bool:
    """Whether a bariatric team looks after the patient."""
    return has(record, "bariatric_follow_up") or _is_planned(record, "bariatric_follow_up", today)


def _is_planned(record: PatientRecord, concept: str, today: date) -> bool:
    """Whether an appointment or service that names `concept` is still to come."""
    return any(
        each.name == concept
        for planned in record.planned
        if planned.days is None or planned.days.latest >= today
        for each in planned.concepts
    )
