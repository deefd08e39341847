"""
WHEN  maintenance injections of a cobalamin are being ordered
AND   their interval is longer than accepted for this patient and form, or longer than the one that has worked
THEN  offer the accepted interval, or the one that has worked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from cards.calendar import in_words, is_longer, months_before, upper_days
from cards.contraindications import anaphylaxis_to
from cards.dosing import (
    COBALAMINS,
    CURRENT,
    ENDING,
    TIMING_UNREAD,
    Phase,
    begins,
    cobalamin,
    injections_of_unread_interval,
    is_supplement,
)
from cards.due_date import default_interval, intervals, maintenance_orders
from cards.neurology import NeurologicalFinding, history
from cards.record import Course, Order, PatientRecord, Period, PeriodUnit, Source
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    Cause,
    anchor,
    deficiency_resolved,
    dietary_cause,
    has,
    in_hospice,
    irreversible_cause,
    younger_than,
)


def triggered_by(order: Order, limits: Limits) -> bool:
    """A cobalamin injection at intervals of more than a week, or at intervals that could not be read."""
    return (
        (bool(intervals(order, Phase.MAINTENANCE)) or injections_of_unread_interval(order))
        and not is_supplement(order, limits["oral_counts_mcg_day"])
        and order.status not in ENDING
        and not order.do_not_perform
    )


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Far beyond the accepted range, or lengthened after neurological involvement, is a warning; the rest is info."""
    gap = _longest(intervals(order, Phase.MAINTENANCE)) if order else None
    if order is None or (gap is None and not injections_of_unread_interval(order)):
        return None
    if why := _not_our_patient(order, record, limits, today):
        return Excluded(why)
    nerves = history(record, anchor(record, limits, today), today)
    if nerves is None and dietary_cause(record, limits):
        return Excluded("a dietary cause allows longer intervals")
    if gap is None:
        return Unanswerable((DRAFTS,), TIMING_UNREAD)

    cause = irreversible_cause(record, limits)
    replaced = _replaced(order, record)
    effective = replaced if replaced and _lengthens(gap, replaced, limits, today) else None
    variant = _variant(order, gap, nerves, cause, limits, lengthened=effective is not None)
    if variant is None:
        certain = _within_every_range(order, gap, limits) and record.known(Source.MEDICATIONS)
        return Excluded("the interval is accepted whatever the problem list holds") if certain else None
    # Without the problem list a dietary cause, which allows the interval, cannot be told.
    if not nerves and not cause and not record.known(Source.PROBLEMS):
        return None
    return Alert(variant, _facts(order, gap, nerves, cause, effective, variant, limits), order)


def _not_our_patient(order: Order, record: PatientRecord, limits: Limits, today: date) -> str | None:
    if younger_than(record, today, 18):
        return "under 18"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if in_hospice(record):
        return "hospice or comfort care"
    if has(record, "inborn_error_cobalamin"):
        return "inborn error of cobalamin metabolism under specialist care"
    if order.research:
        return "ordered by a research protocol"
    if deficiency_resolved(record, limits):
        return "the deficiency is recorded as resolved"
    if anaphylaxis_to(record, COBALAMINS):
        return "anaphylaxis to a cobalamin is recorded"
    return None


def _longest(periods: Sequence[Period]) -> Period | None:
    """The one with the longest upper bound."""
    return max(periods, key=upper_days, default=None)


def _variant(
    order: Order,
    gap: Period,
    nerves: NeurologicalFinding | None,
    cause: Cause | None,
    limits: Limits,
    *,
    lengthened: bool,
) -> str | None:
    """The loudest of what there is to say; lengths are compared in days of the upper bound (rules 5, trigger C)."""
    days = upper_days(gap)
    cyanocobalamin = cobalamin(order.medicine) == "cyanocobalamin"
    warns_from = limits["cyanocobalamin_warning_from" if cyanocobalamin else "interval_warning_from"]
    far = days >= warns_from and (cause or (cyanocobalamin and limits.says("cyanocobalamin_warning_any_cause")))
    if nerves and (far or days > limits["neurological_warning_over"]):
        return "neurological_long"
    if far:
        return "much_too_long"
    if nerves and lengthened:
        return "lengthened_neurological"
    if nerves and days > _accepted(order, limits, neurological=True):
        return "neurological_slightly_long"
    if not nerves and days > _accepted(order, limits, neurological=False):
        return "long"
    return "lengthened" if lengthened else None


def _accepted(order: Order, limits: Limits, *, neurological: bool) -> int:
    """The longest accepted interval in days."""
    form = "cyanocobalamin_info_over" if cobalamin(order.medicine) == "cyanocobalamin" else "interval_info_over"
    return min(limits.whole(form), limits.whole("neurological_info_over")) if neurological else limits.whole(form)


def _within_every_range(order: Order, gap: Period, limits: Limits) -> bool:
    return upper_days(gap) <= _accepted(order, limits, neurological=True)


def _replaced(order: Order, record: PatientRecord) -> Course | None:
    """The order that the draft follows: the one it names, else the active one with the shorter interval."""
    orders = [course for course in maintenance_orders(record) if not course.stated and not course.do_not_perform]
    named = [course for course in orders if course.reference in order.replaces]
    active = [course for course in orders if course.status in CURRENT]
    return min(named or active, key=_days, default=None)


def _days(course: Course) -> Decimal:
    return max(upper_days(each) for each in intervals(course, Phase.MAINTENANCE))


def _lengthens(gap: Period, replaced: Course, limits: Limits, today: date) -> bool:
    """Whether the draft stretches an interval that has been in use for half a year."""
    began = begins(replaced)
    before = _longest(intervals(replaced, Phase.MAINTENANCE))
    return (
        began is not None
        and before is not None
        and began <= months_before(today, limits.whole("effective_months"))
        and is_longer(gap, before)
        and upper_days(gap) - upper_days(before) > limits["lengthened_days"]
    )


def _facts(
    order: Order,
    gap: Period,
    nerves: NeurologicalFinding | None,
    cause: Cause | None,
    effective: Course | None,
    variant: str,
    limits: Limits,
) -> dict[str, object]:
    usual = default_interval(limits, neurological=nerves is not None)
    before = _longest(intervals(effective, Phase.MAINTENANCE)) if effective else None
    keep = variant in ("lengthened", "lengthened_neurological")
    kept = _regimen_like(before, limits) if before and keep else None
    return {
        "drug": cobalamin(order.medicine),
        "every": in_words(gap),
        "usual": in_words(usual),
        "nerves": nerves,
        "cause": cause.name if cause else None,
        "before": in_words(before) if before else None,
        "since": begins(effective) if effective else None,
        "to_neurological": not keep and nerves is not None,
        "to_standard": not keep and nerves is None,
        "kept": in_words(kept[1]) if kept else "",
        **{f"keep_{name}": kept is not None and kept[0] == name for name in ("monthly", "neurological", "standard")},
    }


def _regimen_like(before: Period, limits: Limits) -> tuple[str, Period] | None:
    """The regimen whose interval is that of the effective order, give or take what does not count as lengthening."""
    regimens = {
        "monthly": Period(Decimal(1), Decimal(1), PeriodUnit.MONTH),
        "neurological": default_interval(limits, neurological=True),
        "standard": default_interval(limits, neurological=False),
    }
    return next(
        (
            (name, interval)
            for name, interval in regimens.items()
            if abs(upper_days(interval) - upper_days(before)) <= limits["lengthened_days"]
            or not (is_longer(interval, before) or is_longer(before, interval))
        ),
        None,
    )
