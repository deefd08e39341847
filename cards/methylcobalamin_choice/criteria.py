"""
WHEN  methylcobalamin or adenosylcobalamin is being ordered as an injection
AND   no hydroxocobalamin or cyanocobalamin injection is ordered beside it
THEN  say that no guideline gives a dose for it, and name the standard injection (rules, formulation c).
"""

from __future__ import annotations

from datetime import date

from cards.contraindications import allergies
from cards.dosing import ENDING, Phase, ingredient_of, is_parenteral, phase, runs_on
from cards.neurology import history, optic_risk
from cards.record import Course, Order, PatientRecord
from cards.rule import Alert, Excluded, Limits, Outcome
from cards.status import anchor, has, severe_kidney_disease, younger_than

_WITHOUT_REGIMEN = frozenset({"mecobalamin", "cobamamide"})
_STANDARD = frozenset({"hydroxocobalamin", "cyanocobalamin"})
# B12 of no stated form may be the standard one: it counts as given beside.
_MAY_BE_STANDARD = _STANDARD | {"cobalamin"}


def triggered_by(order: Order, limits: Limits) -> bool:
    """An injection of methylcobalamin or adenosylcobalamin that holds no standard form too."""
    return (
        ingredient_of(order.medicine, _WITHOUT_REGIMEN) is not None
        and ingredient_of(order.medicine, _MAY_BE_STANDARD) is None
        and is_parenteral(order)
        and order.status not in ENDING
        and not order.do_not_perform
    )


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """The draft is enough to speak; what is ordered beside it silences."""
    drug = ingredient_of(order.medicine, _WITHOUT_REGIMEN) if order else None
    if order is None or drug is None:
        return None
    if why := _not_asked(order, record, today):
        return Excluded(why)
    kidneys, eyes = severe_kidney_disease(record, limits, today), optic_risk(record)
    cyanocobalamin = limits.says("cyanocobalamin_is_standard") and not kidneys and not eyes
    phases = {phase(each) for each in order.instructions}
    stage = next((each for each in (Phase.LOADING, Phase.MAINTENANCE) if each in phases), Phase.SINGLE)
    neurological = history(record, anchor(record, limits, today), today) is not None
    return Alert(
        _variant(cyanocobalamin=cyanocobalamin, avoided=bool(kidneys or eyes)),
        {
            "drug": drug,
            "standard": "cyanocobalamin" if cyanocobalamin else "hydroxocobalamin",
            "kidneys": kidneys is not None,
            "eyes": eyes is not None,
            "cyanocobalamin": cyanocobalamin,
            "neurological": neurological,
            "loading": stage is Phase.LOADING,
            "maintenance": stage is Phase.MAINTENANCE,
            "single": stage is Phase.SINGLE,
        },
        order,
    )


def _variant(*, cyanocobalamin: bool, avoided: bool) -> str:
    if cyanocobalamin:
        return "cyanocobalamin_standard"
    return "hydroxocobalamin_preferred" if avoided else "hydroxocobalamin_standard"


def _not_asked(order: Order, record: PatientRecord, today: date) -> str | None:
    if order.stated:
        return "bought by the patient"
    if younger_than(record, today, 16):
        return "under 16"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if order.research:
        return "ordered by a research protocol"
    if has(record, "inborn_error_cobalamin"):
        return "inborn error of cobalamin metabolism under specialist care"
    if any(_STANDARD & set(allergy.substances) for allergy in allergies(record)):
        return "an allergy to the standard injection is recorded"
    if _beside_standard(order, record, today):
        return "given beside a standard injection"
    return None


def _beside_standard(order: Order, record: PatientRecord, today: date) -> bool:
    running: list[Course] = [course for course in record.courses if runs_on(course, today)]
    drafted = [
        draft
        for draft in record.drafts
        if draft.reference != order.reference and draft.status not in ENDING and not draft.do_not_perform
    ]
    return any(ingredient_of(each.medicine, _MAY_BE_STANDARD) and is_parenteral(each) for each in (*running, *drafted))
