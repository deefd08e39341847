"""Orders, courses, doses given and supplies: the medication resources of any FHIR version."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from cards.dosing import COBALAMINS, ENDING, FOLATES, cobalamin, ingredient_of
from cards.record import (
    PARENTERAL,
    Course,
    CourseStatus,
    Dispensed,
    Dose,
    Instruction,
    Medicine,
    NotGiven,
    NotUnderstood,
    Order,
    Route,
    Source,
    Unreadable,
    When,
    WhyNot,
)
from cards.terminology import Concept, Terminology, goes_with_methotrexate, names_b12_in_text
from cards.words import normalised
from cards.words.assertion import ACT, Assertion, Sense, find_meant, is_meant, part_of
from service.fhir.codes import code_in, codings_of, listed, texts_of
from service.fhir.dates import first, happened, if_known, period_end_or_start, planned
from service.fhir.dosage import read_amount, read_given, read_instructions
from service.fhir.numbers import known_number
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
_NOT_TAKING = {
    "not-taking": CourseStatus.STOPPED,
    "stopped": CourseStatus.STOPPED,
    "on-hold": CourseStatus.ON_HOLD,
}
_NOT_A_DOSE = frozenset({"on-hold", "stopped", "cancelled", "entered-in-error", "preparation"})
_NOT_HANDED_OVER = frozenset(
    {"preparation", "in-progress", "cancelled", "on-hold", "stopped", "declined", "entered-in-error"}
)
# Nobody has authorised these: a proposal, and one of several options.
_ONLY_PROPOSED = frozenset({"proposal", "option"})
# Reasons in words, the gravest first.
_REASONS = {
    WhyNot.DIED: re.compile(
        r"notification of death|^\W*(?:death|died|deceased|r\.?i\.?p)\b"
        r"|\b(?:patient|pt)(?:'s| is| has| now){0,2} (?:death|died|deceased)",
        re.I,
    ),
    WhyNot.LEFT: re.compile(
        r"\bdeducted\b"
        r"|\b(?:registered (?:with|at)|moved to|transferred to|joined) (?:a |an )?(?:new|another|different)"
        r" (?:practice|surgery|gp)|\bleft (?:the |this |our )?(?:practice|surgery)"
        r"|no longer (?:registered|(?:in|at|with) (?:this|the|our) (?:practice|surgery))",
        re.I,
    ),
    WhyNot.ANAPHYLAXIS: re.compile(r"anaphyla\w*", re.I),
    WhyNot.ALLERGY: re.compile(r"(?:allerg|hypersensitiv|angio-?o?edema|urticaria)\w*", re.I),
    WhyNot.REFUSED: re.compile(r"\brefus\w*|\bdeclin\w*(?! in\b)", re.I),
    # "No stock", "not in stock" is the shortage itself.
    WhyNot.NO_STOCK: re.compile(
        r"(?:\b(?:no|nil|low|without|lack of|out of|not (?:currently )?in) (?:[a-z\d]+ ){0,2})?"
        r"(?<!back in )(?<!now in )stock|shortage|(?:\b(?:no|nil|without|lack of) )?suppl(?:y|ies|ier)|unavailab",
        re.I,
    ),
    WhyNot.NORMAL_LEVEL: re.compile(
        r"(?<!until )(?<!once )(?<!when )\bnormal|\breplete"
        r"|\b(?:high|raised|elevated) (?:serum )?(?:vitamin )?(?:level|b ?-?12)"
        r"|(?:level|b ?-?12|cobalamin)s?\s{0,3}(?:levels? |result )?"
        r"(?:(?:is|are|was|were|now|too|very|at|of|has|have|been)\s{1,3}|[=:]\s{0,3}){0,6}"
        # "B12 level >1500", "level 1500 ng/L"; "B12 1000 mcg" is a dose. From 400 on nobody calls a level low: over
        # 350 ng/L deficiency is unlikely (`b12_replete_above`), and pmol/L are more.
        r"(?:(?:high|ok|okay|fine|good|adequate|satisfactory|corrected|raised|elevated|(?:with)?in range"
        r"|above (?:the )?range)\b|(?:(?:>|≥|over|above|more than|greater than)\s{0,3}=?\s{0,3})?"
        r"(?:[4-9]\d\d|\d{4,5})\b(?!\s*(?:mcg|micro|mg|ug|µg|μg)))",
        re.I,
    ),
    WhyNot.DUPLICATE: re.compile(r"\bduplicat(?:e|ed|ion)\b", re.I),
    WhyNot.AWAY: re.compile(r"abroad|travel|(?<!passed )(?<!went )(?<!right )(?<!straight )\baway\b|holiday", re.I),
}
_OF_ANOTHER_THING = {
    WhyNot.REFUSED: re.compile(
        r"vaccin|immuni[sz]|\b(?:flu|influenza|covid|renal|kidney|egfr|function|cognit\w*|health|blood tests?|bloods|"
        r"endoscop\w*|gastroscop\w*|colonoscop\w*|surgery|operation|smear|statins?|referral|screening)\b",
        re.I,
    ),
    WhyNot.NORMAL_LEVEL: re.compile(
        r"\b(?:saline|diet|liver|lfts?|renal|kidney|u&es?|urea|egfr|creatinine|ecg|ekg|mri|ct|scan|x-?ray|"
        r"blood pressure|bp|thyroid|tsh|glucose|hba1c|potassium|delivery|pregnancy|gait|vision|weight|bmi)\b",
        re.I,
    ),
}
_GIVEN_AS_REASON = Sense(frozenset({Assertion.DENIED, Assertion.DOUBTFUL}))
_REASON_EXTENSION = re.compile(
    r"(?:status[-_.]?|not[-_.]?(?:given|taken|performed)[-_.]?)reason|reason[-_.]?(?:ended|not)", re.I
)
_METHOTREXATE = (Concept("drug", "methotrexate"),)
# What an EHR can find again: an id with blanks or slashes would make a reference to something else.
_ID = re.compile(r"[^\s/#]+")
_RESEARCH = re.compile(r"research|clinical trial|trial protocol", re.I)
_NUTRITION = re.compile(r"parenteral (?:nutrition|feed\w*)|\bt?pn (?:bag|additive|component)|\btpn\b", re.I)
_IN_PROGRESS_ENDS_AFTER = timedelta(hours=24)
# Statuses of claims that were paid; denied, cancelled and erroneous ones say nothing about an injection.
_PAID = frozenset({"complete", "partial"})
_UNPAID = frozenset({"queued", "error"})
_NOT_CLAIMED = frozenset({"cancelled", "draft", "entered-in-error"})
_NOT_PAID = re.compile(r"\b(?:denied|denial|reject|void|revers)", re.I)
# HCPCS J3420 is an injection of cyanocobalamin; its units do not tell the dose.
_CLAIMED = Medicine(("cyanocobalamin",), form_route=Route.INJECTION)


def status_of(value: Any) -> CourseStatus | None:
    """The status of an order; None for entered-in-error, which never happened."""
    if isinstance(value, str) and (known := _STATUSES.get(value)):
        return known
    status = code_in(value)
    return None if status == "entered-in-error" else _STATUSES.get(status or "", CourseStatus.UNKNOWN)


def order(
    resource: dict[str, Any], position: int, products: Products, setting: Setting, *, selected: bool
) -> Order | None:
    """A draft order; None when it was entered in error. A draft without a status is a draft."""
    status = status_of(first(resource, "status") or "draft")
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
    if status is None or status is CourseStatus.DRAFT or _is_proposed(resource):
        return None
    if not medicine.ingredients:
        inpatient = status is CourseStatus.ACTIVE and is_inpatient(resource)
        return _inpatient_order(resource, setting) if inpatient else None
    return Course(reference_of(resource, 0), medicine, **_common(resource, medicine, status, setting))


def _is_proposed(resource: dict[str, Any]) -> bool:
    intent = resource.get("intent")
    return intent != "order" and code_in(intent) in _ONLY_PROPOSED


def _inpatient_order(resource: dict[str, Any], setting: Setting) -> Course:
    """An inpatient order for another drug: it tells that the patient is on a ward."""
    authored = if_known(planned(first(resource, "authoredOn", "dateWritten"), setting))
    return Course(reference_of(resource, 0), Medicine(()), CourseStatus.ACTIVE, authored=authored, inpatient=True)


def _common(resource: dict[str, Any], medicine: Medicine, status: CourseStatus, setting: Setting) -> dict[str, Any]:
    meta = resource.get("meta")
    changed = if_known(happened(meta.get("lastUpdated"), setting)) if isinstance(meta, dict) else None
    notes = _notes(resource)
    reasons = first(resource, "reasonCode", "reasonCodeableConcept", "reason")
    return {
        "status": status,
        "instructions": _instructions(resource.get("dosageInstruction"), resource, medicine, setting),
        "authored": if_known(planned(first(resource, "authoredOn", "dateWritten", "dateAsserted"), setting)),
        "changed": changed.latest if changed else None,
        "replaces": _references(first(resource, "priorPrescription", "basedOn")),
        "indications": (
            *(_concepts(reasons, setting.terminology) if reasons else ()),
            *(_METHOTREXATE if ingredient_of(medicine, FOLATES) and _beside_methotrexate(resource, reasons) else ()),
        ),
        "why_not": why_not(resource, setting.terminology),
        "do_not_perform": resource.get("doNotPerform") is True,
        "inpatient": is_inpatient(resource),
        "research": bool(notes) and find_meant(_RESEARCH, notes, ACT) is not None,
        "nutrition": cobalamin(medicine) is not None and _in_nutrition(resource),
    }


def _instructions(
    dosages: Any, resource: dict[str, Any], medicine: Medicine, setting: Setting
) -> tuple[Instruction, ...]:
    if not medicine.ingredients:
        return ()
    found = [each for each in listed(dosages) if isinstance(each, dict)]
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
    if code_in(resource.get("taken")) == "n" or resource.get("wasNotTaken") is True:
        status = CourseStatus.STOPPED
    status = _adherence(resource) or status
    dosages = listed(resource.get("dosage"))
    instructions = _instructions(dosages, resource, medicine, setting)
    period = first(resource, "effectivePeriod")
    one_day = first(resource, "effectiveDateTime")
    if one_day is None and status is CourseStatus.COMPLETED and isinstance(period, dict):
        one_day = period.get("end")
    if one_day is not None and cobalamin(medicine) and status in (CourseStatus.ACTIVE, CourseStatus.COMPLETED):
        own = instructions[0] if instructions else Instruction()
        if (own.route or medicine.form_route) in PARENTERAL:
            day = happened(one_day, setting)
            if not isinstance(day, When):
                return Unreadable(cobalamin(medicine), None, _why_no_day(day))
            return Dose(medicine, day, own.amount, own.route, own.site, Source.STATEMENTS, stated=True)
    start = period.get("start") if isinstance(period, dict) else first(resource, "effectiveDateTime", "dateAsserted")
    return Course(
        reference_of(resource, 0),
        medicine,
        status,
        instructions,
        authored=if_known(planned(start, setting)) or if_known(planned(resource.get("dateAsserted"), setting)),
        why_not=why_not(resource, setting.terminology),
        stated=True,
        source=Source.STATEMENTS,
    )


def _adherence(resource: dict[str, Any]) -> CourseStatus | None:
    """What an R5 statement says of the taking, where that is not going on: R5's own status tells only who wrote it."""
    said = resource.get("adherence")
    code = code_in(said.get("code")) if isinstance(said, dict) else None
    if code is None:
        return None
    return next((status for begins, status in _NOT_TAKING.items() if code.startswith(begins)), None)


def administration(
    resource: dict[str, Any], products: Products, setting: Setting
) -> Dose | NotGiven | Unreadable | None:
    """A dose that was given, or recorded as not given."""
    medicine = products.of(resource)
    if _GIVEN.isdisjoint(medicine.ingredients):
        return None
    status = code_in(resource.get("status"))
    refused = status == "not-done" or resource.get("notGiven") is True or resource.get("wasNotGiven") is True
    if status == "entered-in-error" or (status in _NOT_A_DOSE and not refused):
        return None
    said = first(resource, *_GIVEN_AT) or period_end_or_start(first(resource, *_GIVEN_DURING))
    day = happened(said, setting)
    if not isinstance(day, When):
        return Unreadable(medicine.ingredients[0], None, _why_no_day(day))
    if refused:
        return NotGiven(medicine, day, why_not(resource, setting.terminology) or WhyNot.OTHER)
    if status == "in-progress" and not _over(resource, day, setting):
        return None
    if status not in ("completed", "in-progress"):
        return Unreadable(medicine.ingredients[0], day, "unknown-status")
    dosages = [each for each in listed(resource.get("dosage")) if isinstance(each, dict)]
    if not dosages:
        return Dose(medicine, day)
    if len(dosages) > 1:
        return Unreadable(medicine.ingredients[0], day, "unreadable")
    dosage = dosages[0]
    return Dose(medicine, day, *read_given(dosage, setting.terminology))


# R5 spells it "occurence".
_GIVEN_AT = ("effectiveDateTime", "occurenceDateTime", "occurrenceDateTime", "effectiveTimeDateTime")
_GIVEN_DURING = ("effectivePeriod", "occurencePeriod", "occurrencePeriod", "effectiveTimePeriod")
_GIVEN = COBALAMINS | {"hydroxocobalamin_antidote", "nitrous_oxide"}


def _over(resource: dict[str, Any], day: When, setting: Setting) -> bool:
    """Whether an administration in progress has an end, or began more than a day ago."""
    period = first(resource, *_GIVEN_DURING)
    if isinstance(period, dict) and period.get("end"):
        return True
    return day.latest + _IN_PROGRESS_ENDS_AFTER < setting.today


def dispense(resource: dict[str, Any], products: Products, setting: Setting) -> Dispensed | Unreadable | None:
    """A supply that was handed over."""
    medicine = products.of(resource)
    status = code_in(resource.get("status"))
    if status in _NOT_HANDED_OVER or not medicine.ingredients:
        return None
    said = first(resource, "whenHandedOver", "whenPrepared")
    day = happened(said, setting)
    if not isinstance(day, When):
        return Unreadable(medicine.ingredients[0], None, _why_no_day(day))
    # DSTU2 needs no status: what has the day on which it was handed over was.
    if status != "completed" and not (status is None and "whenHandedOver" in resource):
        return Unreadable(medicine.ingredients[0], day, "unknown-status")
    quantity = resource.get("quantity")
    days = resource.get("daysSupply")
    days_value = days.get("value") if isinstance(days, dict) else None
    return Dispensed(
        medicine,
        day,
        read_amount(quantity) if isinstance(quantity, dict) else None,
        known_number(days_value),
        _instructions(resource.get("dosageInstruction"), resource, medicine, setting),
    )


def claim(resource: dict[str, Any], setting: Setting) -> list[Dose | Unreadable]:
    """B12 injections of a paid claim."""
    status, outcome = code_in(resource.get("status")), code_in(resource.get("outcome")) or "complete"
    if status in _NOT_CLAIMED or outcome in _UNPAID:
        return []
    known = status == "active" and outcome in _PAID
    said = resource.get("disposition")
    # STU3 calls a claim for what was done "complete".
    if (code_in(resource.get("use")) or "claim") not in ("claim", "complete") or (
        isinstance(said, str) and find_meant(_NOT_PAID, normalised(said), _GIVEN_AS_REASON)
    ):
        return []
    found: list[Dose | Unreadable] = []
    for item in listed(resource.get("item")):
        concept = first(item, "productOrService", "service") if isinstance(item, dict) else None
        if concept is None or not _is_b12_injection(concept, setting.terminology):
            continue
        said = first(item, "servicedDate") or period_end_or_start(item.get("servicedPeriod"))
        day = happened(said, setting)
        if not isinstance(day, When):
            found.append(Unreadable("cobalamin", None, _why_no_day(day)))
        elif not known:
            found.append(Unreadable("cobalamin", day, "unknown-status"))
        else:
            found.append(Dose(_CLAIMED, day, None, Route.INJECTION, None, Source.CLAIMS))
    return found


def _is_b12_injection(concept: Any, terminology: Terminology) -> bool:
    return any(
        coded.concept.name == "b12_injection" and coded.concept.meaning == "injection"
        for system, code in codings_of(concept)
        for coded in terminology.find(system, code)
    )


def _why_no_day(day: NotUnderstood | None) -> str:
    return day.reason if day else "no-date"


_WHY = (
    "statusReason",
    "reasonNotGiven",
    "statusReasonCodeableConcept",
    "reasonNotTaken",
    "reasonEnded",
    "notPerformedReason",
)
# Of several coded reasons the first of these counts: there is no patient to treat; the level is no reason; and so on.
_WEIGHT = (
    WhyNot.DIED,
    WhyNot.LEFT,
    WhyNot.NORMAL_LEVEL,
    WhyNot.ANAPHYLAXIS,
    WhyNot.ALLERGY,
    WhyNot.REFUSED,
    WhyNot.NO_STOCK,
    WhyNot.DUPLICATE,
    WhyNot.REPLACED,
    WhyNot.AWAY,
    WhyNot.ADMITTED,
    WhyNot.OTHER,
)
# A code that says these is not outweighed by words about a level beside it.
_SETTLED = frozenset({WhyNot.DIED, WhyNot.LEFT, WhyNot.DUPLICATE})


def why_not(resource: dict[str, Any], terminology: Terminology) -> WhyNot | None:
    """Why an order is held or stopped, or a dose was not given, by the code of its reason, else by its words.

    Of what has ended, the reason for which it was ordered and the notes may say so too.
    """
    reasons = listed(first(resource, *_WHY))
    if "extension" in resource:
        reasons = [*reasons, *_reasons_in(resource["extension"])]
    ended = _ended(resource)
    if not reasons and not ended:
        return None
    about = [*reasons, *listed(first(resource, "reasonCode", "reasonCodeableConcept", "reason"))] if ended else reasons
    coded = _coded_reason(about, terminology)
    if coded in _SETTLED:
        return coded
    notes = _notes(resource)
    told = [*(text for each in about for text in texts_of(each)), notes]
    if ended:
        if gone := next((why for why in (WhyNot.DIED, WhyNot.LEFT) if _says(why, told)), None):
            return gone
        if _gives(WhyNot.NORMAL_LEVEL, "; ".join(told)):
            return WhyNot.NORMAL_LEVEL
    if coded and coded is not WhyNot.OTHER:
        return coded
    if not reasons:
        return WhyNot.DUPLICATE if _says(WhyNot.DUPLICATE, told) else None
    words = "; ".join([*(text for each in reasons for text in texts_of(each)), notes])
    return next((why for why in _REASONS if _gives(why, words)), WhyNot.OTHER)


def _gives(why: WhyNot, words: str) -> bool:
    """Whether words give this reason, and not of something else: "flu vaccination refused", "ECG normal"."""
    another = _OF_ANOTHER_THING.get(why)
    for match in _REASONS[why].finditer(words):
        if is_meant(words, match.start(), match.end(), _GIVEN_AS_REASON):
            part = part_of(words, match.start(), match.end()) if another else ""
            if not another or not another.search(part) or names_b12_in_text(part):
                return True
    return False


def _says(why: WhyNot, texts: list[str]) -> bool:
    return any(_gives(why, text) for text in texts)


def _coded_reason(reasons: list[Any], terminology: Terminology) -> WhyNot | None:
    """What the codes of the reasons say; of a reason that no code of ours tells, nothing."""
    said = {terminology.reason(system, code) for each in reasons for system, code in codings_of(each)}
    return next((why for why in _WEIGHT if why.value in said), None)


def _reasons_in(extensions: Any) -> list[Any]:
    """The reasons in the extensions of national profiles and of other FHIR versions, by what their address says.

    GP Connect keeps the reason of a stop inside an extension with the day of it.
    """
    found: list[Any] = []
    for each in listed(extensions):
        if not isinstance(each, dict):
            continue
        if not _REASON_EXTENSION.search(str(each.get("url"))):
            continue
        found += [each[name] for name in ("valueCodeableConcept", "valueCoding", "valueString") if name in each]
        found += _reasons_in(each.get("extension"))
    return found


def _ended(resource: dict[str, Any]) -> bool:
    """Whether an order is stopped, was completed, or says that the drug shall not be given."""
    return status_of(resource.get("status")) in ENDING or resource.get("doNotPerform") is True


def _concepts(reasons: Any, terminology: Terminology) -> tuple[Concept, ...]:
    """The conditions that an order names as its reason."""
    found: list[Concept] = []
    for reason in listed(reasons):
        for system, code in codings_of(reason):
            coded = terminology.find(system, code)
            found += [each.concept for each in coded if each.concept.kind == "condition"]
        for text in texts_of(reason):
            found += [Concept("condition", name) for name in terminology.conditions_in_text(text)]
    return tuple(dict.fromkeys(found))


def _beside_methotrexate(resource: dict[str, Any], reasons: Any) -> bool:
    """Whether the reason, the directions or the notes of a folate order name methotrexate, prescribed elsewhere."""
    said = [text for each in listed(reasons) for text in texts_of(each)]
    dosages = [each for each in listed(resource.get("dosageInstruction")) if isinstance(each, dict)]
    said += [
        normalised(each[name])
        for each in dosages
        for name in ("text", "patientInstruction")
        if isinstance(each.get(name), str)
    ]
    return any(goes_with_methotrexate(text) for text in (*said, _notes(resource)))


def is_inpatient(resource: dict[str, Any]) -> bool:
    """Whether an order was written for a patient on a ward."""
    said = resource.get("category")
    if said is None:
        return False
    return any(code.strip().lower() == "inpatient" for each in listed(said) for _, code in codings_of(each))


def _in_nutrition(resource: dict[str, Any]) -> bool:
    """Whether the words of an order's drug, reason, instructions or notes say parenteral nutrition."""
    named = first(resource, "medicationCodeableConcept", "medication")
    reasons = listed(first(resource, "reasonCode", "reasonCodeableConcept", "reason"))
    words = [text for each in (named, *reasons) for text in texts_of(each)]
    words += [text for each in listed(resource.get("dosageInstruction")) for text in texts_of(each)]
    return find_meant(_NUTRITION, "; ".join([*words, _notes(resource)]), ACT) is not None


def _notes(resource: dict[str, Any]) -> str:
    said = resource.get("note")
    if said is None:
        return ""
    notes = [each.get("text") if isinstance(each, dict) else each for each in listed(said)]
    return "; ".join(normalised(each) for each in notes if isinstance(each, str))


def _references(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(
        "/".join(each["reference"].split("/_history")[0].split("/")[-2:])
        for each in listed(value)
        if isinstance(each, dict) and isinstance(each.get("reference"), str)
    )
