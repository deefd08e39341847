"""Orders, courses, doses given and supplies: the medication resources of any FHIR version."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from cards.dosing import COBALAMINS, ENDING, FOLATES, cobalamin, ingredient_of
from cards.memory import LONGEST_READ
from cards.record import (
    PARENTERAL,
    Course,
    CourseStatus,
    Dispensed,
    Dose,
    Instruction,
    Medicine,
    NotGiven,
    Order,
    Route,
    Source,
    Unreadable,
    When,
    WhyNot,
)
from cards.terminology import Concept, Terminology, goes_with_methotrexate
from service.fhir.codes import texts_of
from service.fhir.dates import first, period_end_or_start, when
from service.fhir.dosage import read_amount, read_given, read_instructions
from service.fhir.numbers import number
from service.fhir.product import Products
from service.fhir.setting import Setting

_STATUSES = {
    "draft": CourseStatus.DRAFT,
    "proposed": CourseStatus.DRAFT,
    "active": CourseStatus.ACTIVE,
    "intended": CourseStatus.ACTIVE,
    "recorded": CourseStatus.ACTIVE,
    "on-hold": CourseStatus.ON_HOLD,
    "stopped": CourseStatus.STOPPED,
    "not-taken": CourseStatus.STOPPED,
    "cancelled": CourseStatus.CANCELLED,
    "ended": CourseStatus.COMPLETED,
    "completed": CourseStatus.COMPLETED,
}
# Nobody has authorised these: a proposal, and one of several options.
_ONLY_PROPOSED = frozenset({"proposal", "option"})
_NO = "(?<!no )(?<!not )(?<!known )(?<!nil )"
_REASONS = [
    (WhyNot.ANAPHYLAXIS, re.compile(rf"{_NO}anaphyla", re.I)),
    (WhyNot.ALLERGY, re.compile(rf"{_NO}(?:allerg|hypersensitiv|angio-?o?edema|urticaria)", re.I)),
    (WhyNot.REFUSED, re.compile(r"refus|declin", re.I)),
    (WhyNot.NO_STOCK, re.compile(r"stock|shortage|suppl|unavailab", re.I)),
    (
        WhyNot.NORMAL_LEVEL,
        re.compile(
            r"(?<!not )\bnormal|\breplete|\b(?:high|raised|elevated) (?:serum )?(?:vitamin )?(?:level|b ?-?12)"
            r"|(?:level|b ?-?12|cobalamin)s?\s{0,3}(?:levels? |result )?"
            r"(?:(?:is|are|was|were|now|too|very|at|of|has|have|been)\s{1,3}|[=:]\s{0,3}){0,6}"
            # "B12 level >1500", "level 1500 ng/L"; "B12 1000 mcg" is a dose. From 400 on nobody calls a level low: over
            # 350 ng/L deficiency is unlikely (`b12_replete_above`), and pmol/L are more.
            r"(?:(?:high|ok|okay|fine|good|adequate|satisfactory|corrected|raised|elevated|(?:with)?in range"
            r"|above (?:the )?range)\b|(?:(?:>|≥|over|above|more than|greater than)\s{0,3}=?\s{0,3})?"
            r"(?:[4-9]\d\d|\d{4,5})\b(?!\s*(?:mcg|micro|mg|ug|µg|μg)))",
            re.I,
        ),
    ),
    (WhyNot.AWAY, re.compile(r"abroad|travel|\baway\b|holiday", re.I)),
]
_NORMAL_LEVEL = next(pattern for why, pattern in _REASONS if why is WhyNot.NORMAL_LEVEL)
_METHOTREXATE = (Concept("drug", "methotrexate"),)
# What an EHR can find again: an id with blanks or slashes would make a reference to something else.
_ID = re.compile(r"[^\s/#]+")
_RESEARCH = re.compile(r"research|clinical trial|trial protocol", re.I)
_NUTRITION = re.compile(r"parenteral (?:nutrition|feed\w*)|\bt?pn (?:bag|additive|component)|\btpn\b", re.I)
_IN_PROGRESS_ENDS_AFTER = timedelta(hours=24)
# Statuses of claims that were paid; denied, cancelled and erroneous ones say nothing about an injection.
_PAID = frozenset({"complete", "partial"})
_NOT_PAID = re.compile(r"\b(?:denied|denial|reject|void|revers)", re.I)
# HCPCS J3420 is an injection of cyanocobalamin; its units do not tell the dose.
_CLAIMED = Medicine(("cyanocobalamin",), form_route=Route.INJECTION)


def status_of(value: Any) -> CourseStatus | None:
    """The status of an order; None for entered-in-error, which never happened."""
    if value == "entered-in-error":
        return None
    return _STATUSES.get(value, CourseStatus.UNKNOWN) if isinstance(value, str) else CourseStatus.UNKNOWN


def order(
    resource: dict[str, Any], position: int, products: Products, setting: Setting, *, selected: bool
) -> Order | None:
    """A draft order; None when it was entered in error. A draft without a status is a draft."""
    status = status_of(resource.get("status", "draft"))
    if status is None:
        return None
    medicine = products.of(resource)
    if not medicine.ingredients:
        return Order(reference_of(resource, position), medicine, status, selected=selected)
    return Order(
        reference=reference_of(resource, position),
        medicine=medicine,
        **_common(resource, medicine, status, setting),
        selected=selected,
        # The patient's own medicine, written down as an order: `reported` in R5.
        stated=resource.get("reportedBoolean") is True or resource.get("reported") is True,
    )


def reference_of(resource: dict[str, Any], position: int) -> str:
    """`Type/id`; a draft without an id is known by its place in the Bundle."""
    own = resource.get("id")
    usable = isinstance(own, str) and _ID.fullmatch(own)
    return f"{resource.get('resourceType')}/{own if usable else f'#{position}'}"


def has_an_id(reference: str) -> bool:
    """Whether the EHR can find what the reference names: it was made from an id, not from a place."""
    return "/#" not in reference


def course(resource: dict[str, Any], products: Products, setting: Setting) -> Course | None:
    """An order in the chart."""
    medicine = products.of(resource)
    status = status_of(resource.get("status"))
    if status is None or status is CourseStatus.DRAFT or resource.get("intent") in _ONLY_PROPOSED:
        return None
    if not medicine.ingredients:
        inpatient = status is CourseStatus.ACTIVE and is_inpatient(resource)
        return _inpatient_order(resource, setting) if inpatient else None
    return Course(reference_of(resource, 0), medicine, **_common(resource, medicine, status, setting))


def _inpatient_order(resource: dict[str, Any], setting: Setting) -> Course:
    """An inpatient order for another drug: it tells that the patient is on a ward."""
    authored = when(first(resource, "authoredOn", "dateWritten"), setting.zone)
    return Course(reference_of(resource, 0), Medicine(()), CourseStatus.ACTIVE, authored=authored, inpatient=True)


def _common(resource: dict[str, Any], medicine: Medicine, status: CourseStatus, setting: Setting) -> dict[str, Any]:
    meta = resource.get("meta")
    changed = when(meta.get("lastUpdated"), setting.zone) if isinstance(meta, dict) else None
    notes = _notes(resource)
    reasons = first(resource, "reasonCode", "reasonCodeableConcept", "reason")
    return {
        "status": status,
        "instructions": _instructions(resource.get("dosageInstruction"), resource, medicine, setting),
        "authored": when(first(resource, "authoredOn", "dateWritten", "dateAsserted"), setting.zone),
        "changed": changed.latest if changed else None,
        "replaces": _references(first(resource, "priorPrescription", "basedOn")),
        "indications": (
            *(_concepts(reasons, setting.terminology) if reasons else ()),
            *(_METHOTREXATE if ingredient_of(medicine, FOLATES) and _beside_methotrexate(resource, reasons) else ()),
        ),
        "why_not": why_not(resource),
        "do_not_perform": resource.get("doNotPerform") is True,
        "inpatient": is_inpatient(resource),
        "research": bool(notes) and bool(_RESEARCH.search(notes)),
        "nutrition": cobalamin(medicine) is not None and _in_nutrition(resource),
    }


def _instructions(
    dosages: Any, resource: dict[str, Any], medicine: Medicine, setting: Setting
) -> tuple[Instruction, ...]:
    if not medicine.ingredients:
        return ()
    found = [each for each in _list(dosages) if isinstance(each, dict)]
    if len(found) > 1:
        found.sort(key=lambda each: each["sequence"] if isinstance(each.get("sequence"), int) else 0)
    # Only a cobalamin's site matters; notes are read for nothing else.
    notes = _notes(resource) if cobalamin(medicine) else ""
    return tuple(
        instruction
        for each in found
        for instruction in read_instructions(each, notes, setting.terminology, setting.zone)
    )


def statement(resource: dict[str, Any], products: Products, setting: Setting) -> Course | Dose | Unreadable | None:
    """A statement: a dose given elsewhere when it tells one day of an injection, else a course being taken."""
    status = status_of(resource.get("status"))
    medicine = products.of(resource)
    if status is None or not medicine.ingredients:
        return None
    if resource.get("taken") == "n" or resource.get("wasNotTaken") is True:
        status = CourseStatus.STOPPED
    dosages = _list(resource.get("dosage"))
    instructions = _instructions(dosages, resource, medicine, setting)
    period = first(resource, "effectivePeriod")
    one_day = first(resource, "effectiveDateTime")
    if one_day is None and status is CourseStatus.COMPLETED and isinstance(period, dict):
        one_day = period.get("end")
    if one_day is not None and cobalamin(medicine) and status in (CourseStatus.ACTIVE, CourseStatus.COMPLETED):
        own = instructions[0] if instructions else Instruction()
        if (own.route or medicine.form_route) in PARENTERAL:
            day = _past(one_day, setting)
            if day is None or isinstance(day, str):
                return Unreadable(cobalamin(medicine), None, day or "impossible-date")
            return Dose(medicine, day, own.amount, own.route, own.site, Source.STATEMENTS, stated=True)
    start = period.get("start") if isinstance(period, dict) else first(resource, "effectiveDateTime", "dateAsserted")
    return Course(
        reference_of(resource, 0),
        medicine,
        status,
        instructions,
        authored=when(start, setting.zone) or when(resource.get("dateAsserted"), setting.zone),
        why_not=why_not(resource),
        stated=True,
        source=Source.STATEMENTS,
    )


def administration(
    resource: dict[str, Any], products: Products, setting: Setting
) -> Dose | NotGiven | Unreadable | None:
    """A dose that was given, or recorded as not given."""
    medicine = products.of(resource)
    if _GIVEN.isdisjoint(medicine.ingredients):
        return None
    status = resource.get("status")
    refused = status == "not-done" or resource.get("notGiven") is True or resource.get("wasNotGiven") is True
    if not refused and status not in ("completed", "in-progress"):
        return None
    said = first(resource, "effectiveDateTime", "occurenceDateTime", "effectiveTimeDateTime") or period_end_or_start(
        first(resource, "effectivePeriod", "occurencePeriod", "effectiveTimePeriod")
    )
    day = _past(said, setting)
    if day is None or isinstance(day, str):
        return Unreadable(medicine.ingredients[0], None, day or ("no-date" if said is None else "impossible-date"))
    if refused:
        return NotGiven(medicine, day, why_not(resource) or WhyNot.OTHER)
    if status == "in-progress" and not _over(resource, day, setting):
        return None
    dosage = resource.get("dosage")
    if not isinstance(dosage, dict):
        return Dose(medicine, day)
    return Dose(medicine, day, *read_given(dosage, setting.terminology))


_GIVEN = COBALAMINS | {"hydroxocobalamin_antidote", "nitrous_oxide"}


def _over(resource: dict[str, Any], day: When, setting: Setting) -> bool:
    """Whether an administration in progress has an end, or began more than a day ago."""
    period = first(resource, "effectivePeriod", "occurencePeriod", "effectiveTimePeriod")
    if isinstance(period, dict) and period.get("end"):
        return True
    return day.latest + _IN_PROGRESS_ENDS_AFTER < setting.today


def dispense(resource: dict[str, Any], products: Products, setting: Setting) -> Dispensed | Unreadable | None:
    """A supply that was handed over."""
    medicine = products.of(resource)
    if resource.get("status") != "completed" or not medicine.ingredients:
        return None
    said = first(resource, "whenHandedOver", "whenPrepared")
    day = _past(said, setting)
    if day is None or isinstance(day, str):
        return Unreadable(medicine.ingredients[0], None, day or ("no-date" if said is None else "impossible-date"))
    quantity = resource.get("quantity")
    days = resource.get("daysSupply")
    days_value = days.get("value") if isinstance(days, dict) else None
    return Dispensed(
        medicine,
        day,
        read_amount(quantity) if isinstance(quantity, dict) else None,
        number(days_value),
        _instructions(resource.get("dosageInstruction"), resource, medicine, setting),
    )


def claim(resource: dict[str, Any], setting: Setting) -> list[Dose | Unreadable]:
    """B12 injections of a paid claim."""
    if resource.get("status") != "active" or resource.get("outcome", "complete") not in _PAID:
        return []
    said = resource.get("disposition")
    if resource.get("use", "claim") != "claim" or (isinstance(said, str) and _NOT_PAID.search(said)):
        return []
    found: list[Dose | Unreadable] = []
    for item in _list(resource.get("item")):
        concept = first(item, "productOrService", "service") if isinstance(item, dict) else None
        if not isinstance(concept, dict) or not _is_b12_injection(concept, setting.terminology):
            continue
        said = first(item, "servicedDate") or period_end_or_start(item.get("servicedPeriod"))
        day = _past(said, setting)
        if day is None or isinstance(day, str):
            found.append(Unreadable("cobalamin", None, day or "no-date"))
        else:
            found.append(Dose(_CLAIMED, day, None, Route.INJECTION, None, Source.CLAIMS))
    return found


def _is_b12_injection(concept: dict[str, Any], terminology: Terminology) -> bool:
    return any(
        coded.concept.name == "b12_injection" and coded.concept.meaning == "injection"
        for coding in _list(concept.get("coding"))
        if isinstance(coding, dict)
        for coded in terminology.find(str(coding.get("system")), str(coding.get("code")))
    )


def _past(value: Any, setting: Setting) -> When | str | None:
    """The day of something that has happened: `future-date` for one that cannot have, None when there is none."""
    day = when(value, setting.zone)
    if day is None:
        return None
    if day.earliest > setting.today:
        return "future-date"
    return day if day.latest <= setting.today else When(day.earliest, setting.today)


def why_not(resource: dict[str, Any]) -> WhyNot | None:
    """Why an order is held or stopped, or a dose was not given, by the words of its reason."""
    reason = first(resource, "statusReason", "reasonNotGiven", "statusReasonCodeableConcept", "reasonNotTaken")
    if _ended(resource) and _says_normal_level(resource, reason):
        return WhyNot.NORMAL_LEVEL
    if reason is None:
        return None
    words = " ".join([*(text for each in _list(reason) for text in texts_of(each)), _notes(resource)])
    return next((why for why, pattern in _REASONS if pattern.search(words)), WhyNot.OTHER)


def _ended(resource: dict[str, Any]) -> bool:
    """Whether an order is stopped, was completed, or says that the drug shall not be given."""
    return status_of(resource.get("status")) in ENDING or resource.get("doNotPerform") is True


def _says_normal_level(resource: dict[str, Any], reason: Any) -> bool:
    """Whether a stop names a normal level as its reason: in the reason of the status, of the order, or in a note."""
    given = first(resource, "reasonCode", "reasonCodeableConcept", "reason")
    concepts = [*_list(reason), *_list(given)]
    words = [
        text for each in concepts for text in texts_of(each.get("concept", each) if isinstance(each, dict) else {})
    ]
    return bool(_NORMAL_LEVEL.search(" ".join([*words, _notes(resource)])))


def _concepts(reasons: Any, terminology: Terminology) -> tuple[Concept, ...]:
    """The conditions that an order names as its reason."""
    found: list[Concept] = []
    for reason in _list(reasons):
        concept = reason.get("concept", reason) if isinstance(reason, dict) else {}
        codings = concept.get("coding") if isinstance(concept, dict) else None
        for coding in _list(codings):
            if isinstance(coding, dict):
                coded = terminology.find(str(coding.get("system")), str(coding.get("code")))
                found += [each.concept for each in coded if each.concept.kind == "condition"]
        for text in texts_of(concept):
            found += [Concept("condition", name) for name in terminology.conditions_in_text(text)]
    return tuple(dict.fromkeys(found))


def _beside_methotrexate(resource: dict[str, Any], reasons: Any) -> bool:
    """Whether the reason, the directions or the notes of a folate order name methotrexate, prescribed elsewhere."""
    concepts = [each.get("concept", each) if isinstance(each, dict) else {} for each in _list(reasons or [])]
    said = [text for each in concepts for text in texts_of(each)]
    dosages = [each for each in _list(resource.get("dosageInstruction")) if isinstance(each, dict)]
    said += [
        each[name] for each in dosages for name in ("text", "patientInstruction") if isinstance(each.get(name), str)
    ]
    return any(goes_with_methotrexate(text[:LONGEST_READ]) for text in (*said, _notes(resource)))


def is_inpatient(resource: dict[str, Any]) -> bool:
    """Whether an order was written for a patient on a ward."""
    for category in _list(resource.get("category")):
        if isinstance(category, dict):
            for coding in _list(category.get("coding")):
                if isinstance(coding, dict) and coding.get("code") == "inpatient":
                    return True
    return False


def _in_nutrition(resource: dict[str, Any]) -> bool:
    """Whether the words of an order's drug, reason, instructions or notes say parenteral nutrition."""
    named = first(resource, "medicationCodeableConcept", "medication")
    reasons = _list(first(resource, "reasonCode", "reasonCodeableConcept", "reason"))
    words = [text for each in (named, *reasons) for text in texts_of(_concept_of(each))]
    words += [text for each in _list(resource.get("dosageInstruction")) for text in texts_of(each)]
    return bool(_NUTRITION.search(" ; ".join([*words, _notes(resource)])))


def _concept_of(value: Any) -> Any:
    """A CodeableConcept, as such or as the concept of an R5 CodeableReference."""
    return value.get("concept", value) if isinstance(value, dict) else None


def _notes(resource: dict[str, Any]) -> str:
    said = resource.get("note")
    if said is None:
        return ""
    notes = [each.get("text") if isinstance(each, dict) else each for each in _list(said)]
    return " ".join(each for each in notes if isinstance(each, str))[:LONGEST_READ]


def _references(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(
        "/".join(each["reference"].split("/_history")[0].split("/")[-2:])
        for each in _list(value)
        if isinstance(each, dict) and isinstance(each.get("reference"), str)
    )


def _list(value: Any) -> list[Any]:
    """A list, a lone object taken as a list of one (the official sandbox sends objects where FHIR has lists)."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
