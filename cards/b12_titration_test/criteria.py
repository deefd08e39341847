"""
WHEN  a serum B12 or MMA is being ordered for a patient who has been on B12 injections for two months or more
AND   it is to decide the next injection, or the same test was done lately and no recheck is due
THEN  say that the level does not guide the frequency, and offer a blood count or MMA in its place.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from cards.calendar import days_before, months_before
from cards.dosing import ENDING
from cards.due_date import default_interval, injections
from cards.monitoring import on_injections_since, recheck_missed, recheck_near
from cards.neurology import signs
from cards.record import LabResult, Order, PatientRecord
from cards.rule import Alert, Excluded, Limits, Outcome
from cards.status import has, has_had, in_pregnancy, newest, younger_than

_TESTS = ("b12_total_serum", "holotranscobalamin", "mma_serum")
_YEARLY_PANEL = (
    "bariatric",
    "bariatric_status",
    "crohn_any",
    "crohn_ileal",
    "ileal_resection",
    "ileal_resection_status",
)


def triggered_by(order: Order, limits: Limits) -> bool:
    """A laboratory request for total or active B12, or MMA."""
    return bool(set(order.tests) & set(_TESTS)) and order.status not in ENDING and not order.do_not_perform


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Information only: the result may be wanted for a reason that is not on record."""
    if order is None:
        return None
    if why := _another_reason(record, limits, today):
        return Excluded(why)
    since = on_injections_since(record, default_interval(limits, neurological=False), limits, today)
    if since is None or since > months_before(today, limits.whole("on_injections_months")):
        return None
    tests = [test for test in _TESTS if test in order.tests]
    earlier = _newest_of(record, tests, months_before(today, limits.whole("same_test_months")))
    lately = days_before(today, limits.whole("same_test_days"))
    variant = None
    if order.times_injections:
        variant = "to_time_injections"
    elif earlier and earlier.when.latest >= lately:
        variant = "measured_lately"
    elif earlier and not (recheck_near(record, limits, today) or recheck_missed(record, limits, today)):
        variant = "no_recheck_due"
    if variant is None:
        return None
    facts = {
        "test": _NAMES[tests[0]],
        "earlier": earlier,
        "since": since,
        "is_mma": tests[0] == "mma_serum",
        "alone": len(order.tests) == 1,
    }
    return Alert(variant, facts, order)


_NAMES = {"b12_total_serum": "serum B12", "holotranscobalamin": "active B12", "mma_serum": "MMA"}


def _another_reason(record: PatientRecord, limits: Limits, today: date) -> str | None:
    """A reason to measure that has nothing to do with the frequency of injections."""
    if younger_than(record, today, 16):
        return "under 16"
    if record.patient.deceased:
        return "the patient has died"
    if signs(record, today):
        return "new neurological findings"
    if in_pregnancy(record, limits, today):
        return "pregnancy"
    if has_had(record, *_YEARLY_PANEL):
        return "part of the yearly panel after surgery of the gut or in Crohn's disease"
    if has(record, "nitrous_oxide_exposure") or _had_nitrous_oxide(record, today):
        return "nitrous oxide exposure"
    if has(record, "inborn_error_cobalamin"):
        return "inborn error of cobalamin metabolism under specialist care"
    given = [dose.when.latest for dose in injections(record)]
    year_ago = months_before(today, 12)
    if any(later >= year_ago and earlier < months_before(later, 12) for earlier, later in pairwise(given)):
        return "injections were taken up again after a long gap"
    return None


def _had_nitrous_oxide(record: PatientRecord, today: date) -> bool:
    return any(
        "nitrous_oxide" in dose.medicine.ingredients and dose.when.latest >= months_before(today, 12)
        for dose in record.doses
    )


def _newest_of(record: PatientRecord, tests: list[str], since: date) -> LabResult | None:
    """The newest result of one of the tests."""
    found = [result for test in tests if (result := newest(record.labs, test, since))]
    return max(found, key=lambda result: result.when.latest, default=None)
