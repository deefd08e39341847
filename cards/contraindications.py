"""What stands against a cobalamin or an injection into the muscle: allergies, and what makes bleeding likely."""

from __future__ import annotations

from collections.abc import Set
from datetime import date

from cards.calendar import days_before
from cards.dosing import COBALAMINS, CURRENT
from cards.record import Allergy, LabResult, PatientRecord, Problem, Reaction
from cards.rule import Limits
from cards.status import has, is_above, is_below, newest

_ANY_COBALAMIN = frozenset({"cobalamin", "cobalt"})


def allergies(record: PatientRecord) -> tuple[Allergy, ...]:
    """The recorded allergies, with reactions to a cobalamin that stand on the problem list.

    Of what kind those were is not known, unless their words say so.
    """
    named = [
        Allergy((concept.meaning,), _reaction(problem), when=problem.dated)
        for problem in record.problems
        if problem.present and problem.certain
        for concept in problem.concepts
        if concept.name == "cobalamin_cobalt_allergy" and concept.meaning and concept.specific
    ]
    return (*record.allergies, *named)


def _reaction(problem: Problem) -> Reaction:
    names = {each.name for each in problem.concepts}
    if "cobalamin_anaphylaxis" in names:
        return Reaction.ANAPHYLAXIS
    return Reaction.ALLERGIC if "cobalamin_urticaria" in names else Reaction.NOT_RECORDED


def allergic(record: PatientRecord, drug: str) -> bool:
    """Whether an allergy to this cobalamin, to vitamin B12 of no stated form, or to cobalt is recorded."""
    return any(not {drug, *_ANY_COBALAMIN}.isdisjoint(each.substances) for each in allergies(record))


def anaphylaxis_to(record: PatientRecord, substances: Set[str]) -> bool:
    """Whether anaphylaxis to one of these is recorded."""
    return any(
        each.reaction is Reaction.ANAPHYLAXIS and not substances.isdisjoint(each.substances)
        for each in allergies(record)
    )


def allergy_advice_first(record: PatientRecord) -> bool:
    """Whether any injected B12 waits for allergy advice.

    After anaphylaxis to one form, or a high criticality, another form may do the same; or neither usual form is left.
    """
    severe = any(
        (each.reaction is Reaction.ANAPHYLAXIS or each.high_criticality)
        and not {*COBALAMINS, "cobalt"}.isdisjoint(each.substances)
        for each in allergies(record)
    )
    return severe or (allergic(record, "hydroxocobalamin") and allergic(record, "cyanocobalamin"))


def high_inr(record: PatientRecord, limits: Limits, today: date) -> LabResult | None:
    """The newest INR of the last days when it is above range."""
    inr = newest(record.labs, "inr", days_before(today, limits.whole("inr_days")))
    return inr if inr and is_above(inr, limits["inr_upper"]) else None


def low_platelets(record: PatientRecord, limits: Limits, today: date) -> LabResult | None:
    """The newest platelet count of the last weeks when an intramuscular injection is a risk with it."""
    platelets = newest(record.labs, "platelets", days_before(today, limits.whole("platelets_days")))
    return platelets if platelets and is_below(platelets, limits["platelets_low_below"]) else None


def bleeds_easily(record: PatientRecord, limits: Limits, today: date) -> str | None:
    """What makes an injection into a muscle a bleeding risk, in words: INR, platelets or an anticoagulant."""
    if inr := high_inr(record, limits, today):
        return f"INR {inr.reported}"
    if platelets := low_platelets(record, limits, today):
        return f"platelets {platelets.reported}"
    taken = any("anticoagulant" in each.medicine.ingredients and each.status in CURRENT for each in record.courses)
    return "an anticoagulant" if taken or has(record, "anticoagulant_therapy") else None
