"""
WHEN  folic acid or L-methylfolate above 0.4 mg a day is being ordered
AND   B12 deficiency is documented, or its cause is irreversible, or a patient at risk has no B12 result
AND   no adequate cobalamin cover stands or is drafted with it
THEN  ask for B12 first or on the same day: folate alone corrects the blood count while the cord is damaged.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from cards.calendar import days_after, months_before
from cards.contraindications import allergies
from cards.cover import cover, first_dose, ordered_without_dose
from cards.dosing import (
    COBALAMINS,
    ENDING,
    FOLATES,
    Mcg,
    cobalamin,
    daily,
    ingredient_of,
    interval_unread,
    is_parenteral,
    mass,
    why_no_amount,
)
from cards.due_date import injections
from cards.neurology import involvement, signs
from cards.record import (
    Amount,
    AmountUnit,
    Course,
    CourseStatus,
    Flag,
    Instruction,
    Order,
    PatientRecord,
    Period,
    PeriodUnit,
    Repeat,
    Source,
)
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    Band,
    Cause,
    Documented,
    anchor,
    b12_results_unknown,
    b12_status,
    documented_deficiency,
    has,
    in_pregnancy,
    irreversible_cause,
    macrocytosis,
    newest,
    strong_risk,
    younger_than,
)

_ANAEMIA_EXPLAINED = ("iron_deficiency", "haemoglobinopathy_or_haemolysis", "bleeding_disorder", "bleeding")
_FOLATE_FOR_LIFE = ("haemoglobinopathy_or_haemolysis", "dialysis")


def triggered_by(order: Order, limits: Limits) -> bool:
    """Folic acid or L-methylfolate, unless the draft shows that it is at most 0.4 mg a day, once, or a multivitamin."""
    ingredient = ingredient_of(order.medicine, FOLATES)
    if ingredient is None or order.medicine.multivitamin or order.status in ENDING or order.do_not_perform:
        return False
    if all(each.as_needed or each.count == 1 for each in order.instructions) and order.instructions:
        return False
    amount = daily_folate(order, ingredient)
    return amount is None or amount.high > limits["folate_mcg_day"]


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Documented deficiency or an irreversible cause without cover is critical; risk without a result is a warning."""
    ingredient = ingredient_of(order.medicine, FOLATES) if order else None
    if order is None or ingredient is None:
        return None
    if daily_folate(order, ingredient) is None and not _too_much_once_a_week(order, ingredient, limits):
        return Unanswerable((DRAFTS,), why_no_amount(order))
    if covered := cover(record, limits, today, first_dose(order, today)):
        return Excluded(covered.how)

    status = b12_status(record, limits)
    new_signs = signs(record, today)
    normal_for = limits.whole("recent_normal_months_symptoms" if new_signs else "recent_normal_months")
    recent_normal = (
        status is not None
        and status.band is Band.REPLETE
        and status.result.when.latest >= months_before(today, normal_for)
    )
    documented = documented_deficiency(record, limits, today)
    if documented and recent_normal and status and (documented.day or date.min) <= status.result.when.latest:
        documented = None
    cause = irreversible_cause(record, limits)
    if younger_than(record, today, 16) and not (documented or cause):
        return Excluded("under 16 without documented deficiency")

    methotrexate = _taking(record, "methotrexate") or "methotrexate" in _indications(order)
    pregnant = (
        in_pregnancy(record, limits, today)
        or has(record, "preconception")
        or bool({"pregnancy", "preconception"} & _indications(order))
    )
    facts: dict[str, object] = {
        "drug": ingredient,
        "dose_mcg": _dose(order, ingredient),
        "not_stated": not any(each.amount for each in order.instructions),
        "last": _last_injection(record),
        "risk": None,
        "treat": False,
        "defer": False,
        "refer": False,
        "begins": None,
        "hydroxocobalamin_today": False,
        "cyanocobalamin_today": False,
        "ask_b12": False,
        "ask_mma": False,
        "b12_ordered": False,
        "tested_months": limits.whole("tested_months"),
        "result": documented.result if documented and documented.result else None,
        "cause": cause.name if cause else None,
        "needed": methotrexate or pregnant,
        "methotrexate": methotrexate,
        "pregnant": pregnant,
        "neurological": involvement(record, anchor(record, limits, today), today),
        "tested": status is not None
        and status.result.when.latest >= months_before(today, limits.whole("tested_months")),
    }
    if documented or cause:
        variant = _variant(documented, cause, recent_normal, record, limits, today)
        ordered = variant == "ordered_not_given"
        return Alert(variant, {**facts, **_fixes(record, today), "treat": True, "b12_ordered": ordered}, order)
    if recent_normal and status:
        # A newer result that cannot be read may be a deficient one.
        if why := b12_results_unknown(record, days_after(status.result.when.latest, 1)):
            return Unanswerable((Source.LABS.value,), why)
        return Excluded("B12 was normal off treatment")
    return _at_risk(order, record, limits, today, facts)


def _fixes(record: PatientRecord, today: date) -> dict[str, object]:
    """What is to be done about folic acid and B12: folic acid waits a day only for a B12 dose that comes first."""
    tomorrow = days_after(today, 1)
    injected = [
        draft
        for draft in record.drafts
        if cobalamin(draft.medicine)
        and is_parenteral(draft)
        and draft.status not in ENDING
        and not draft.do_not_perform
    ]
    first = min(injected, key=lambda draft: first_dose(draft, today), default=None)
    late = first is not None and first_dose(first, today) > tomorrow
    allergic = any({*COBALAMINS, "cobalt"} & set(allergy.substances) for allergy in allergies(record))
    form = cobalamin(first.medicine) if first else None
    return {
        "begins": first_dose(first, today) if first and late else None,
        "hydroxocobalamin_today": late and form != "cyanocobalamin",
        "cyanocobalamin_today": late and form == "cyanocobalamin",
        "defer": not late and not allergic,
        "refer": allergic,
    }


def _variant(
    documented: Documented | None,
    cause: Cause | None,
    recent_normal: bool,
    record: PatientRecord,
    limits: Limits,
    today: date,
) -> str:
    if ordered_without_dose(record, limits, today):
        return "ordered_not_given"
    if cause and recent_normal and not documented:
        # Intrinsic-factor antibodies give false normal results: lowered, never silenced.
        return "irreversible_cause_normal_result"
    # A cause that is named says more than "deficiency" on the problem list; a result says more than both.
    return "irreversible_cause" if cause and not (documented and documented.result) else "documented"


def _at_risk(order: Order, record: PatientRecord, limits: Limits, today: date, facts: dict[str, object]) -> Outcome:
    """No deficiency is documented: silence for the ordinary uses of folate, a warning for a patient at risk."""
    if facts["methotrexate"]:
        return Excluded("folic acid with methotrexate")
    if _taking(record, "pemetrexed") or _taking(record, "fluorouracil"):
        return Excluded("folic acid in a chemotherapy protocol")
    if facts["pregnant"] and interval_unread(order):
        return Unanswerable((DRAFTS,), why_no_amount(order))
    if facts["pregnant"] and _at_most(order, limits["pregnancy_folate_mcg_day"]):
        return Excluded("folic acid in pregnancy")
    status = b12_status(record, limits)
    indeterminate = status is not None and status.band is Band.INDETERMINATE and facts["tested"]
    symptoms = _symptoms(record, limits, today)
    if indeterminate and symptoms and status:
        return Alert(
            "indeterminate_symptoms",
            {**facts, "result": status.result, "risk": symptoms, "ask_mma": True},
            order,
        )
    if facts["tested"]:
        return None
    long_term = has(record, *_FOLATE_FOR_LIFE) or set(_FOLATE_FOR_LIFE) & _indications(order)
    # New neurological signs are never explained by the blood disease or the dialysis for which folate is given.
    if long_term and not signs(record, today):
        return Alert("long_term_folate_untested", {**facts, "ask_b12": True}, order)
    risk = symptoms or _unexplained_anaemia(record, today, limits) or strong_risk(record, limits, today)
    return Alert("at_risk_untested", {**facts, "risk": risk, "ask_b12": True}, order) if risk else None


def daily_folate(order: Order, ingredient: str) -> Mcg | None:
    """The folate of all instructions a day, in micrograms.

    An order without a dose stands for at least one tablet of known strength: nobody takes less than the product.
    """
    if interval_unread(order):
        return None
    instructions = order.instructions or (Instruction(),)
    amounts = [
        daily(
            each if each.amount else Instruction(amount=_ONE_UNIT, repeat=each.repeat),
            order.medicine,
            ingredient,
        )
        for each in instructions
        if not each.as_needed
    ]
    known = [amount for amount in amounts if amount]
    if len(known) < len(amounts) or not known:
        return None
    return max(known, key=lambda amount: amount.high)


def _too_much_once_a_week(order: Order, ingredient: str, limits: Limits) -> bool:
    """Whether an order that does not tell how often is too much even once a week; folate is not given more seldom."""
    if not interval_unread(order):
        return False
    weekly = [replace(each, repeat=each.repeat or _ONCE_A_WEEK) for each in order.instructions]
    amount = daily_folate(replace(order, instructions=tuple(weekly)), ingredient)
    return amount is not None and amount.low > limits["folate_mcg_day"]


_ONCE_A_WEEK = Repeat(Decimal(1), Period(Decimal(1), Decimal(1), PeriodUnit.WEEK))
_ONE_UNIT = Amount(Decimal(1), Decimal(1), AmountUnit.UNIT)


def _dose(order: Order, ingredient: str) -> Decimal:
    """The largest single dose in micrograms."""
    doses = [mass(each.amount or _ONE_UNIT, order.medicine, ingredient) for each in order.instructions]
    doses = doses or [mass(_ONE_UNIT, order.medicine, ingredient)]
    return max((dose.high for dose in doses if dose), default=Decimal(0))


def _at_most(order: Order, limit: Decimal) -> bool:
    ingredient = ingredient_of(order.medicine, FOLATES)
    amount = daily_folate(order, ingredient) if ingredient else None
    return amount is not None and amount.high <= limit


def _last_injection(record: PatientRecord) -> date | None:
    """The day of the last B12 injection on record."""
    given = injections(record)
    return given[-1].when.latest if given else None


def _taking(record: PatientRecord, ingredient: str) -> bool:
    """Whether an active order or statement, or a draft beside this one, holds the ingredient."""
    courses: tuple[Course, ...] = (*record.courses, *record.drafts)
    return any(
        ingredient in course.medicine.ingredients
        and course.status in (CourseStatus.ACTIVE, CourseStatus.ON_HOLD, CourseStatus.DRAFT)
        and not course.do_not_perform
        for course in courses
    )


def _indications(order: Order) -> set[str]:
    return {concept.name for concept in order.indications}


def _symptoms(record: PatientRecord, limits: Limits, today: date) -> str | None:
    """Findings that point to deficiency: new neurological signs, macrocytosis, megaloblastic anaemia."""
    if found := signs(record, today):
        return found.name
    if mcv := macrocytosis(record, limits, today):
        return f"MCV {mcv.reported}"
    return "megaloblastic anaemia" if has(record, "megaloblastic_anemia") else None


def _unexplained_anaemia(record: PatientRecord, today: date, limits: Limits) -> str | None:
    """Haemoglobin below the laboratory's range in the last 6 months without another coded cause."""
    found = newest(record.labs, "hemoglobin", months_before(today, limits.whole("anaemia_months")))
    if found is None or found.flag is not Flag.LOW or has(record, *_ANAEMIA_EXPLAINED):
        return None
    severe_kidney_disease = any(
        concept.name == "ckd" and (concept.meaning or "")[:1] in ("4", "5")
        for problem in record.problems
        if problem.present
        for concept in problem.concepts
    )
    return None if severe_kidney_disease else f"unexplained anaemia (haemoglobin {found.reported})"
