"""
WHEN  cyanocobalamin injections are being ordered for the long term
AND   the kidneys have failed for good: eGFR under 30, or dialysis
THEN  name hydroxocobalamin as an alternative, and say that the evidence is indirect (rules, formulation b).
"""

from __future__ import annotations

from datetime import date

from cards.dosing import (
    ENDING,
    TIMING_UNREAD,
    Phase,
    cobalamins,
    interval_unread,
    is_all_b12,
    is_parenteral,
    phase,
    planned_for_months,
)
from cards.neurology import history
from cards.record import Order, PatientRecord
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import anchor, has, severe_kidney_disease, younger_than


def triggered_by(order: Order, limits: Limits) -> bool:
    """Injections of cyanocobalamin, with other forms of B12 but hydroxocobalamin at most; maybe once, if unread."""
    forms = cobalamins(order.medicine)
    return (
        "cyanocobalamin" in forms
        and "hydroxocobalamin" not in forms
        and is_all_b12(order.medicine)
        and not order.medicine.multivitamin
        and is_parenteral(order)
        and order.status not in ENDING
        and not order.do_not_perform
        and (
            interval_unread(order)
            or any(phase(each) is not Phase.SINGLE and not each.as_needed for each in order.instructions)
        )
    )


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Information only: no guideline forbids it."""
    if order is None:
        return None
    if why := _not_asked(order, record, limits, today):
        return Excluded(why)
    kidneys = severe_kidney_disease(record, limits, today)
    if kidneys is None:
        return None
    if not _is_long(order, limits, today):
        return Unanswerable((DRAFTS,), TIMING_UNREAD)
    loading = any(phase(each) is Phase.LOADING for each in order.instructions)
    neurological = history(record, anchor(record, limits, today), today) is not None
    return Alert(
        kidneys.kind,
        {
            "result": kidneys.result,
            "loading": loading and not neurological,
            "loading_neurological": loading and neurological,
            "maintenance": not loading and not neurological,
            "maintenance_neurological": not loading and neurological,
        },
        order,
    )


def _is_long(order: Order, limits: Limits, today: date) -> bool:
    return planned_for_months(order, limits.whole("long_term_months"), today)


def _not_asked(order: Order, record: PatientRecord, limits: Limits, today: date) -> str | None:
    if not limits.says("hydroxocobalamin_on_formulary"):
        return "hydroxocobalamin is not on the formulary"
    if not _is_long(order, limits, today) and not interval_unread(order):
        return "a short course"
    if younger_than(record, today, 16):
        return "under 16"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if order.research:
        return "ordered by a research protocol"
    if has(record, "inborn_error_cobalamin"):
        return "inborn error of cobalamin metabolism under specialist care"
    return None
