"""
WHEN  an intrinsic-factor antibody, B12 or MMA is being ordered
AND   an injection of the last week, the first injection of the last weeks, or a pregnancy will make the result mislead
THEN  say so, and offer the test that answers the question.
"""

from __future__ import annotations

from datetime import date

from cards.calendar import days_after
from cards.dosing import ENDING
from cards.due_date import injections
from cards.monitoring import recheck_near
from cards.record import Order, PatientRecord, Source
from cards.rule import Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import in_pregnancy, younger_than

_ANTIBODY = "intrinsic_factor_antibody"
_TOTAL_B12 = "b12_total_serum"
_ACTIVE_B12 = "holotranscobalamin"
_LEVELS = frozenset({_TOTAL_B12, _ACTIVE_B12, "mma_serum"})


def triggered_by(order: Order, limits: Limits) -> bool:
    """A laboratory request for intrinsic-factor antibodies, total or active B12, or MMA."""
    asked = set(order.tests)
    return bool(asked & {_ANTIBODY, *_LEVELS}) and order.status not in ENDING and not order.do_not_perform


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Information only; the antibody first, for a false positive makes a diagnosis for life."""
    if order is None:
        return None
    if younger_than(record, today, 16):
        return Excluded("under 16")
    if record.patient.deceased:
        return Excluded("the patient has died")
    given = [dose.when.latest for dose in injections(record)]
    asked = set(order.tests)
    from_day = days_after(given[-1], limits.whole("antibody_wait_days")) if given else today
    if _ANTIBODY in asked and given and today < from_day:
        facts = _facts(order, last=given[-1], from_day=from_day, antibody=True)
        return Alert("antibody_after_injection", facts, order)
    if _TOTAL_B12 in asked and _ACTIVE_B12 not in asked and in_pregnancy(record, limits, today):
        return Alert("total_b12_in_pregnancy", _facts(order, pregnant=True), order)
    if not asked & _LEVELS or not given:
        return None
    if today > days_after(given[0], limits.whole("sample_weeks_after_start") * 7):
        return Excluded("injections began too long ago for a first sample to be missed")
    if recheck_near(record, limits, today):
        return Excluded("a recheck is due")
    if any(lab.concept in _LEVELS and lab.when.latest <= given[0] for lab in record.labs):
        return Excluded("a sample was taken before the first injection")
    # Without the results nobody knows whether a sample was taken before.
    if not record.known(Source.LABS):
        return None
    for each in record.state(Source.LABS).unreadable:
        if each.concept in (None, *_LEVELS) and (each.when is None or each.when.latest <= given[0]):
            return Unanswerable((Source.LABS.value,), each.reason)
    return Alert("sample_after_start", _facts(order, first=given[0], begun=True), order)


def _facts(order: Order, **known: object) -> dict[str, object]:
    """The facts of one variant; those of the others are absent. `alone`: the order asks for one test."""
    return {
        "alone": len(order.tests) == 1,
        "last": None,
        "from_day": None,
        "first": None,
        "antibody": False,
        "pregnant": False,
        "begun": False,
        **known,
    }
