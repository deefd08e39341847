"""
WHEN  B12 by mouth or nose is being ordered
AND   no B12 injection is ordered, drafted or up to date
AND   the dose is too low for the cause, the cause needs injections, or nerves are involved
THEN  ask for the dose or the route that treats.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from cards.calendar import months_before
from cards.contraindications import allergic, allergy_advice_first, bleeds_easily
from cards.cover import covered_by_injections
from cards.dosing import (
    ENDING,
    Mcg,
    begins,
    cobalamin,
    cobalamins,
    copy_in_chart,
    daily_cobalamin,
    interval_unread,
    is_parenteral,
    is_supplement,
    route_by_mouth_or_nose,
    runs_on,
    why_no_amount,
)
from cards.due_date import injections, loading_completed
from cards.neurology import NeurologicalFinding, findings, history, involvement
from cards.record import CourseStatus, Order, PatientRecord, Period, PeriodUnit, Repeat, Route, WhyNot
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    AbsorptionRisk,
    Band,
    Cause,
    absorption_risks,
    anchor,
    b12_status,
    dietary_cause,
    documented_deficiency,
    has,
    inborn_error,
    irreversible_cause,
    younger_than,
)

_WAYS = {
    Route.ORAL: "by mouth",
    Route.SUBLINGUAL: "under the tongue",
    Route.BUCCAL: "in the cheek",
    Route.NASAL: "into the nose",
}
_REGIMENS = ("load_nerves", "load", "maintain", "maintain_nerves")
_ONCE_A_DAY = Repeat(Decimal(1), Period(Decimal(1), Decimal(1), PeriodUnit.DAY))


def triggered_by(order: Order, limits: Limits) -> bool:
    """A cobalamin by mouth or nose, unless it is a multivitamin or a single dose."""
    if cobalamin(order.medicine) is None or is_supplement(order, limits["oral_counts_mcg_day"]):
        return False
    if order.status in ENDING or order.do_not_perform:
        return False
    if order.instructions and all(each.count == 1 for each in order.instructions):
        return False
    return route_by_mouth_or_nose(order) is not None


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Nerve involvement, or a low dose in a cause that needs injections, is a warning; other doubts are information."""
    if order is None:
        return None
    if why := _no_matter(order, record, limits, today):
        return Excluded(why)
    for_life = irreversible_cause(record, limits)
    cause = for_life if for_life and for_life.needs_injection else None
    explained = _why_not_injected(record, limits, today)
    amount = _amount(order)
    loaded = _loaded_in_full(amount, record, limits, today)
    finding = _nerves_at_start(cause, record, limits, today)
    if finding and not (explained or loaded):
        return _alert("neurological", order, record, limits, today, cause=cause, finding=finding)

    risks = absorption_risks(record)
    if for_life and not risks:
        risks = (AbsorptionRisk(for_life.name),)
    if not (cause or risks):
        return Excluded(explained or "loaded in full by injection") if finding else None
    if amount is None:
        return Unanswerable((DRAFTS,), why_no_amount(order))
    low = _is_low(amount, limits)
    if cause and low:
        return _alert("low_dose", order, record, limits, today, cause=cause, explained=explained)
    if cause:
        return _enough_by_mouth(order, cause, explained or loaded, record, limits, today)
    if not low:
        return None
    if _bariatric_supplement(order, risks, amount, limits):
        return Excluded("the usual supplement after bariatric surgery")
    return _alert("malabsorption", order, record, limits, today, risk=risks[0])


def _no_matter(order: Order, record: PatientRecord, limits: Limits, today: date) -> str | None:
    """Why the route needs no advice here, whatever the dose."""
    if younger_than(record, today, 18):
        return "under 18"
    if order.research:
        return "ordered under a research protocol"
    if inborn_error(record, limits):
        return "inborn error of cobalamin metabolism under specialist care"
    drafted = any(
        cobalamin(draft.medicine) and is_parenteral(draft) and draft.status not in ENDING and not draft.do_not_perform
        for draft in record.drafts
    )
    if drafted:
        return "B12 injections are drafted with it"
    # What a draft beside this one stops still stands in the chart as active.
    stops = [each for each in record.drafts if each.status in ENDING or each.do_not_perform]
    stopped = [copy_in_chart(each, record.courses) for each in stops]
    standing = [each for each in record.courses if not any(each is gone for gone in stopped)]
    if any(cobalamin(each.medicine) and is_parenteral(each) and runs_on(each, today) for each in standing):
        return "B12 injections are ordered"
    if covered := covered_by_injections(record, limits, today):
        return covered.how
    return "the lack is dietary" if dietary_cause(record, limits) else None


def _enough_by_mouth(
    order: Order, cause: Cause, why_by_mouth: str | None, record: PatientRecord, limits: Limits, today: date
) -> Outcome:
    """1000 micrograms a day or more in a cause that needs injections: a matter of the profile."""
    if limits.says("oral_covers_malabsorption"):
        return Excluded("this dose by mouth treats")
    if why_by_mouth:
        return Excluded(why_by_mouth)
    return _alert("high_dose", order, record, limits, today, cause=cause)


def _nerves_at_start(
    cause: Cause | None, record: PatientRecord, limits: Limits, today: date
) -> NeurologicalFinding | None:
    """Nerve involvement that no running course by mouth was already begun for, and that B12 may have caused."""
    finding = involvement(record, anchor(record, limits, today), today)
    if finding is None:
        return None
    begun = [
        start
        for course in record.courses
        if cobalamin(course.medicine) and route_by_mouth_or_nose(course) and runs_on(course, today)
        if (start := begins(course))
    ]
    if any(finding.when is None or start >= finding.when.latest for start in begun):
        return None
    if finding.linked or cause or documented_deficiency(record, limits, today):
        return finding
    status = b12_status(record, limits)
    since = months_before(today, limits.whole("recent_normal_months_symptoms"))
    normal = status is not None and status.band is Band.REPLETE and status.result.when.latest >= since
    return None if normal else finding


def _loaded_in_full(amount: Mcg | None, record: PatientRecord, limits: Limits, today: date) -> str | None:
    """Enough by mouth after a complete loading, and no neurological entry since."""
    loaded = loading_completed(record, limits)
    if loaded is None or amount is None or _is_low(amount, limits):
        return None
    since = any(each.when and each.when.latest > loaded for each in findings(record, today))
    return None if since else "loaded in full by injection"


def _why_not_injected(record: PatientRecord, limits: Limits, today: date) -> str | None:
    """What speaks against injections: needles refused or feared, a bleeding disorder, or a supply problem."""
    if has(record, "needle_phobia"):
        return "needle phobia is recorded"
    if has(record, "bleeding_disorder"):
        return "a bleeding disorder is recorded"
    since = months_before(today, limits.whole("route_reason_months"))
    reasons = {why for why, day in _reasons_not_given(record) if day is None or day >= since}
    if WhyNot.REFUSED in reasons:
        return "injections were declined"
    return "oral B12 bridges a supply problem" if WhyNot.NO_STOCK in reasons else None


def _reasons_not_given(record: PatientRecord) -> Iterator[tuple[WhyNot | None, date | None]]:
    """Why injections were not given, stopped or held, with the day as far as it is known."""
    for missed in record.not_given:
        if cobalamin(missed.medicine):
            yield missed.why_not, missed.when.latest
    for course in record.courses:
        if cobalamin(course.medicine) and is_parenteral(course) and course.status is not CourseStatus.ACTIVE:
            yield course.why_not, course.changed or (course.authored.latest if course.authored else None)


def _bariatric_supplement(order: Order, risks: tuple[AbsorptionRisk, ...], amount: Mcg, limits: Limits) -> bool:
    """The accepted supplement after bariatric surgery: by mouth from a lower dose on, or any nasal product."""
    if not all(each.bariatric for each in risks):
        return False
    return route_by_mouth_or_nose(order) is Route.NASAL or amount.low >= limits["bariatric_oral_mcg_day"]


def _alert(
    variant: str,
    order: Order,
    record: PatientRecord,
    limits: Limits,
    today: date,
    *,
    cause: Cause | None = None,
    finding: NeurologicalFinding | None = None,
    risk: AbsorptionRisk | None = None,
    explained: str | None = None,
) -> Alert:
    amount = _amount(order)
    given = injections(record)
    route = route_by_mouth_or_nose(order)
    forms = cobalamins(order.medicine)
    # The amount is that of all the forms together.
    drug = cobalamin(order.medicine) if len(forms) == 1 else "cobalamin"
    treats = amount is not None and not _is_low(amount, limits)
    allergy_first = allergy_advice_first(record)
    drug_allergy = any(allergic(record, each) for each in forms)
    called_for = variant != "malabsorption" and not explained
    bleeding = bleeds_easily(record, limits, today) if called_for else None
    inject = called_for and not allergy_first
    first = inject and not bleeding and (variant == "neurological" or _injections_first(variant, limits))
    # The form that is drafted is neither raised against an allergy to it, nor is another one put in its place.
    by_mouth = variant in ("low_dose", "malabsorption") or (variant == "neurological" and not first)
    raised = by_mouth and not treats and not drug_allergy
    in_place = _once_a_day_of_no_fixed_strength(order)
    regimen = _regimen(variant, record, limits, today)
    facts: dict[str, object] = {
        "drug": drug,
        "dose_mcg": amount.low.quantize(Decimal(1)) if amount else None,
        "way": _WAYS[route] if route else "",
        "minimum": limits["oral_cover_mcg_day"],
        "cause": cause,
        "finding": finding,
        "risk": risk,
        "explained": explained,
        "last": given[-1].when.latest if given else None,
        "injections_first": first,
        "allergy_first": allergy_first,
        "drug_allergy": drug_allergy,
        "ask_allergy": allergy_first or drug_allergy,
        "bleeding": bleeding,
        **{f"{each}_first": first and each == regimen for each in _REGIMENS},
        **{each: inject and not first and each == regimen for each in _REGIMENS},
        "raise": raised and in_place,
        "replace": raised and not in_place,
        "keep": variant in ("high_dose", "neurological") and treats,
    }
    return Alert(variant, facts, order)


def _amount(order: Order) -> Mcg | None:
    """How much a day; None when the dose, the product's strength, or how often is not known."""
    return None if interval_unread(order) else daily_cobalamin(order)


def _injections_first(variant: str, limits: Limits) -> bool:
    """Whether a dose that is too low is a reason for injections first: a matter of the profile."""
    return variant == "low_dose" and not limits.says("oral_covers_malabsorption")


def _regimen(variant: str, record: PatientRecord, limits: Limits, today: date) -> str:
    """Which injections the patient would get: loading, or maintenance after a complete one."""
    if variant == "neurological":
        return "load_nerves"
    if loading_completed(record, limits) is None:
        return "load"
    return "maintain_nerves" if history(record, anchor(record, limits, today), today) else "maintain"


def _is_low(amount: Mcg, limits: Limits) -> bool:
    return amount.low < limits["oral_cover_mcg_day"]


def _once_a_day_of_no_fixed_strength(order: Order) -> bool:
    """Whether 1 mg can be written into the order: one daily dose of a product whose strength is not laid down."""
    once = len(order.instructions) == 1 and order.instructions[0].repeat == _ONCE_A_DAY
    return once and not order.medicine.strengths
