"""Problems, procedures, family history, plans and the person: findings of any FHIR version."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from decimal import Decimal
from typing import Any

from cards.neurology import NEUROLOGICAL
from cards.record import (
    ClinicalStatus,
    CourseStatus,
    Dose,
    Medicine,
    NotUnderstood,
    Order,
    Patient,
    Planned,
    Problem,
    Procedure,
    Relative,
    Route,
    Source,
    Unreadable,
    When,
)
from cards.terminology import (
    Concept,
    is_test_in_text,
    may_inject_b12_in_text,
    meaning_in_text,
    names_b12_in_text,
    panels_in_text,
)
from cards.words import normalised
from cards.words.assertion import DISEASE, NAMED, denies_what_is_asked, find_meant
from service.fhir.codes import code_in, codings_in, codings_of, is_of_loinc, listed, texts_of, unread
from service.fhir.dates import FUTURE, first, happened, if_known, period_end_or_start, planned, when
from service.fhir.setting import Setting

# Eye diseases that an unspecific code of optic atrophy may stand for, and that are not Leber's optic neuropathy.
_NOT_LEBER = re.compile(r"amaurosis|stellate|glaucom|macular", re.I)
_CENTIMETRES = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*(?:cm\b|centimet)", re.I)
_OF_BOWEL = re.compile(
    _CENTIMETRES.pattern
    + r"\w{0,4}\s*(?:of\s+)?(?:the\s+)?(?:(?:terminal|distal|small|diseased)\s+){0,3}(?:ile\w|bowel)",
    re.I,
)
_NOT_PRESENT = frozenset({"refuted", "entered-in-error"})
_UNCERTAIN = frozenset({"provisional", "differential", "unconfirmed"})
_ENDED_OTHERWISE = ("abatementAge", "abatementRange", "abatementString")
_RECORDED = ("recordedDate", "assertedDate", "dateRecorded")
_STATUSES = {status.value: status for status in ClinicalStatus}

_DONE = frozenset({"completed", "in-progress", "preparation"})
_NOT_DONE = frozenset(
    {"not-done", "on-hold", "suspended", "stopped", "aborted", "cancelled", "rejected", "entered-in-error"}
)
_BOOKED = frozenset({"booked", "pending", "arrived", "checked-in"})
_NOT_BOOKED = frozenset({"proposed", "fulfilled", "cancelled", "noshow", "waitlist", "entered-in-error"})
_ORDERED = frozenset({"active", "on-hold", "suspended", "requested", "received", "accepted", "in-progress", "review"})
_NOT_ORDERED = frozenset(
    {
        "draft", "proposed", "planned", "revoked", "cancelled", "rejected", "failed", "aborted", "completed",
        "entered-in-error",
    }
)  # fmt: skip
_ORDER_STATUSES = {
    "revoked": CourseStatus.CANCELLED,
    "cancelled": CourseStatus.CANCELLED,
    "active": CourseStatus.ACTIVE,
}
# "Level to decide when the next injection is due": the reason of a test that would time injections.
_TIMES_INJECTIONS = re.compile(
    r"(?:next|due|timing|frequency|interval|before|needs?|when)\b.{0,30}\b(?:injection|dose|jab|shot|b\s?12)"
    r"|(?:injection|dose|jab|shot)s?\b.{0,20}\b(?:due|timing|frequency|interval|needed)",
    re.I,
)
# Meanings of the B12 injection procedures that tell a dose that was given.
_GIVEN = frozenset({"injection", "administration"})
_INJECTED = Medicine(("cobalamin",), form_route=Route.INTRAMUSCULAR)


def patient(resource: dict[str, Any], setting: Setting) -> Patient:
    """The person, without name or identifier."""
    said = [resource.get(name) for name in ("deceasedBoolean", "deceased", "deceasedDateTime")]
    return Patient(
        born=born(resource, setting),
        # A placeholder for the day of death is what programs write of the living.
        deceased=any(str(each).lower() == "true" or isinstance(when(each, setting.zone), When) for each in said),
        left=resource.get("active") is False,
    )


def born(resource: dict[str, Any], setting: Setting) -> When | None:
    """When the patient was born; None where that is not known, or was before anybody who lives."""
    return if_known(happened(resource.get("birthDate"), setting))


def condition(resource: dict[str, Any], setting: Setting) -> list[Problem | Unreadable]:
    """A condition that rules know; where the date of one decides and cannot be, that is named beside it."""
    found = problem(resource, setting)
    if found is None:
        return _unread_condition(resource, setting)
    dated = next((each.name for each in found.concepts if each.name in _COUNT_BY_DATE), None)
    if dated is None or found.began:
        return [found]
    days = (happened(_onset(resource), setting), happened(first(resource, *_RECORDED), setting))
    why = next((each.reason for each in days if isinstance(each, NotUnderstood)), None)
    return [found, Unreadable(dated, None, why)] if why else [found]


def _unread_condition(resource: dict[str, Any], setting: Setting) -> list[Problem | Unreadable]:
    """That a condition without words has a code, or a shape, of which nobody can tell what it is."""
    code = resource.get("code")
    why = unread(code, setting.terminology)
    if why is None or code_in(resource.get("verificationStatus")) in _NOT_PRESENT or _concepts(code, setting)[0]:
        return []
    return [Unreadable(None, if_known(happened(first(resource, *_RECORDED), setting)), why)]


# Of these the date decides whether they count.
_COUNT_BY_DATE = frozenset({*NEUROLOGICAL, "nitrous_oxide_exposure"})


def _onset(resource: dict[str, Any]) -> Any:
    period = resource.get("onsetPeriod")
    return first(resource, "onsetDateTime") or (period.get("start") if isinstance(period, dict) else None)


def problem(resource: dict[str, Any], setting: Setting) -> Problem | None:
    """A condition that rules know; None for one they do not, or that was refuted or entered in error."""
    code = resource.get("code")
    concepts, by_text = _concepts(code, setting)
    if not concepts:
        return None
    verification = code_in(resource.get("verificationStatus"))
    if verification in _NOT_PRESENT:
        return None
    status = _STATUSES.get(code_in(resource.get("clinicalStatus")) or "")
    ended = if_known(
        planned(first(resource, "abatementDateTime") or period_end_or_start(resource.get("abatementPeriod")), setting)
    )
    over = resource.get("abatementBoolean") is True or first(resource, *_ENDED_OTHERWISE) is not None
    if status is None and over:
        status = ClinicalStatus.RESOLVED
    words = [*texts_of(code), *_notes(resource)]
    return Problem(
        concepts=concepts,
        status=status,
        certain=verification not in _UNCERTAIN,
        began=if_known(happened(_onset(resource), setting)),
        recorded=if_known(happened(first(resource, *_RECORDED), setting)),
        ended=ended,
        names_b12=names_b12_in_text("; ".join([*words, *_words_of_cause(resource)])),
        by_text=by_text,
        length_cm=_length_removed(" ".join(words)),
    )


# What UK systems record as an observation as often as on the problem list.
_OBSERVED = frozenset({"nitrous_oxide_exposure"})


def observed(resource: dict[str, Any], wanted: Collection[str], setting: Setting) -> list[Problem]:
    """A finding of the `wanted` concepts that an EHR records as an Observation, when its value does not deny it."""
    if _OBSERVED.isdisjoint(wanted) or code_in(resource.get("status")) in ("entered-in-error", "cancelled"):
        return []
    code = resource.get("code")
    if is_of_loinc(code, setting.terminology) and not _coded(code, "condition", setting):
        return []
    concepts = tuple(each for each in _concepts(code, setting)[0] if each.name in _OBSERVED)
    if not concepts:
        return []
    said = first(resource, "effectiveDateTime", "effectiveInstant") or period_end_or_start(
        resource.get("effectivePeriod")
    )
    day = if_known(happened(said, setting))
    if day is None or resource.get("valueBoolean") is False:
        return []
    said = resource.get("valueString")
    values = [normalised(said)] if isinstance(said, str) else texts_of(resource.get("valueCodeableConcept"))
    if any(map(denies_what_is_asked, values)):
        return []
    # What was seen on one day is no lasting problem: it counts by its date.
    return [Problem(concepts, began=day, recorded=day, ended=day)]


def procedure(resource: dict[str, Any], setting: Setting) -> Procedure | Dose | Unreadable | None:
    """A procedure that rules know; one that injects B12 is a dose."""
    status = code_in(resource.get("status"))
    if status in _NOT_DONE or resource.get("notPerformed") is True or resource.get("notDone") is True:
        return None
    code = first(resource, "code", "type")
    concepts = _coded(code, "procedure", setting)
    words = texts_of(code)
    by_text = not concepts
    if by_text:
        concepts = _in_words(words, setting)
    said = first(resource, "performedDateTime", "occurrenceDateTime") or period_end_or_start(
        first(resource, "performedPeriod", "occurrencePeriod")
    )
    if not concepts:
        why = unread(code, setting.terminology)
        return Unreadable(None, if_known(happened(said, setting)), why) if why else None
    told = happened(said, setting)
    day = if_known(told)
    injection = next((each for each in concepts if each.name == "b12_injection"), None)
    if injection:
        if injection.meaning not in _GIVEN or status in ("in-progress", "preparation"):
            return None
        if day is None:
            return Unreadable("cobalamin", None, told.reason if isinstance(told, NotUnderstood) else "no-date")
        if status not in ("completed", None):
            return Unreadable("cobalamin", day, "unknown-status")
        if by_text:
            # "B12 injection declined", "taught to inject B12": words alone are never counted (rules 8.1, 8.4).
            return Unreadable("cobalamin", day, "unreadable")
        return Dose(_INJECTED, day, None, Route.INTRAMUSCULAR, None, Source.PROCEDURES)
    if status not in _DONE and status is not None:
        return Unreadable(concepts[0].name, day, "unknown-status")
    if told == FUTURE:
        # Not done yet, whatever the status says.
        return Unreadable(concepts[0].name, None, FUTURE.reason)
    return Procedure(
        concepts,
        day,
        active=status in ("in-progress", "preparation"),
        length_cm=_length_removed(" ".join([*words, *_notes(resource)])),
    )


def _length_removed(words: str) -> Decimal | None:
    """The centimetres of bowel; of several lengths the largest, if it is said of bowel, and else none."""
    told = {Decimal(each[1]) for each in _CENTIMETRES.finditer(words)}
    if len(told) > 1:
        told &= {Decimal(each[1]) for each in _OF_BOWEL.finditer(words)} & {max(told)}
    return told.pop() if told else None


def relative(resource: dict[str, Any], setting: Setting) -> list[Relative | Unreadable]:
    """Conditions of a family member that rules know."""
    if code_in(resource.get("status")) == "entered-in-error":
        return []
    of_relatives = setting.terminology.conditions_of_relatives_in_text
    concepts: list[Concept] = []
    faults: list[Relative | Unreadable] = []
    for each in listed(resource.get("condition")):
        code = first(each, "code", "type") if isinstance(each, dict) else each
        if found := _concepts(code, setting, of_relatives)[0]:
            concepts += found
        elif why := unread(code, setting.terminology):
            faults.append(Unreadable(None, None, why))
    return [Relative(tuple(concepts)), *faults] if concepts else faults


def service(resource: dict[str, Any], setting: Setting) -> list[Planned | Unreadable]:
    """A service that is ordered and not yet done; of a DSTU2 DiagnosticOrder one for each of its items."""
    status = code_in(resource.get("status"))
    if status in _NOT_ORDERED:
        return []
    start = first(resource, "occurrenceDateTime", "scheduledDateTime") or period_end_or_start(
        first(resource, "occurrencePeriod", "scheduledPeriod", "fulfillmentTime")
    )
    codes = [each for each in _codes_of_request(resource) if each is not None] or [None]
    found: list[Planned | Unreadable] = []
    for code in codes:
        planned = _planned(resource, Source.TESTS, code, start, setting)
        if status in _ORDERED or status is None:
            found.append(planned)
        elif about := _would_be_ours(planned):
            found.append(Unreadable(about, planned.days or planned.authored, "unknown-status"))
        if not _would_be_ours(planned) and (why := unread(code, setting.terminology)):
            found.append(Unreadable(None, planned.days or planned.authored, why))
    return found


def _codes_of_request(resource: dict[str, Any]) -> list[Any]:
    """What a request asks for: its code, the items of a DiagnosticOrder, the services of a referral."""
    code, items = resource.get("code"), resource.get("item")
    if items is None and "serviceRequested" not in resource:
        return [code]
    asked = [each.get("code", each) if isinstance(each, dict) else each for each in listed(items)]
    return [code, *asked, *listed(resource.get("serviceRequested"))]


def _requested(resource: dict[str, Any]) -> Any:
    """When a DSTU2 DiagnosticOrder was written: the day of its first event."""
    told = [each["dateTime"] for each in listed(resource.get("event")) if isinstance(each, dict) and "dateTime" in each]
    return min((each for each in told if isinstance(each, str)), default=None)


def _would_be_ours(planned: Planned) -> str | None:
    """What a plan is about, of the things that rules look for."""
    if planned.names_b12 or planned.names_injection:
        return "cobalamin"
    return planned.concepts[0].name if planned.concepts else None


def test_order(resource: dict[str, Any], reference: str, setting: Setting, *, selected: bool) -> Order | None:
    """A laboratory request being ordered; None for one that asks for no test that rules know."""
    status = _ORDER_STATUSES.get(code_in(resource.get("status")) or "", CourseStatus.DRAFT)
    details = [_detail(each) for each in listed(resource.get("orderDetail"))]
    tests: list[str] = []
    for code in (*_codes_of_request(resource), *details):
        coded = [concept.name for concept in _coded(code, "lab", setting)]
        texts = texts_of(code)
        tests += coded or [name for text in texts for name in setting.terminology.labs_in_text(text)]
        tests += [name for text in texts for name in panels_in_text(text)]
    if not tests:
        return None
    return Order(
        reference,
        Medicine(()),
        status,
        selected=selected,
        tests=tuple(dict.fromkeys(tests)),
        times_injections=bool(
            find_meant(_TIMES_INJECTIONS, "; ".join([*_reasons(resource), *_notes(resource)]), NAMED)
        ),
        do_not_perform=resource.get("doNotPerform") is True,
    )


# A referral is often described by nothing but its reason and whom it goes to.
_TESTS_MAY_BE_ASKED_BY = frozenset({"ServiceRequest", "ProcedureRequest", "DiagnosticOrder"})


def service_not_understood(resource: dict[str, Any], setting: Setting) -> str | None:
    """Why nothing can be told of what a request asks for; None where a word or a known code system tells of it.

    `unresolved`: a reference, or codes of a system that the value sets do not have, without a word; `unreadable`: no
    code, or one in a shape that cannot be read.
    """
    if resource.get("resourceType") not in _TESTS_MAY_BE_ASKED_BY:
        return None
    if code_in(resource.get("status")) == "entered-in-error":
        return None
    codes = [*_codes_of_request(resource), *(_detail(each) for each in listed(resource.get("orderDetail")))]
    if any(text for each in codes for text in texts_of(each)):
        return None
    if any(setting.terminology.is_complete(system) for each in codes for system, _ in codings_of(each)):
        return None
    return "unresolved" if any(isinstance(each, dict) and each for each in codes) else "unreadable"


def _detail(value: Any) -> Any:
    """A detail of a request: a concept, or in R5 the code of a parameter or its value."""
    parameters = value.get("parameter") if isinstance(value, dict) else None
    if parameters is None:
        return value
    members = ("code", "valueCodeableConcept", "valueString")
    return [each[name] for each in listed(parameters) if isinstance(each, dict) for name in members if name in each]


def appointment(resource: dict[str, Any], setting: Setting) -> Planned | Unreadable | None:
    """A booked appointment."""
    status = code_in(resource.get("status"))
    if status in _NOT_BOOKED:
        return None
    planned = _planned(
        resource, Source.APPOINTMENTS, first(resource, "serviceType", "type"), resource.get("start"), setting
    )
    if status in _BOOKED:
        return planned
    about = _would_be_ours(planned)
    return Unreadable(about, planned.days, "unknown-status") if about else None


def _planned(resource: dict[str, Any], source: Source, code: Any, start: Any, setting: Setting) -> Planned:
    words = "; ".join([*texts_of(code), *_reasons(resource), *_notes(resource)])
    tests = _coded(code, "lab", setting)
    asked = " ".join(texts_of(code) or _notes(resource))
    is_test = bool(tests) or is_test_in_text(asked)
    if is_test and not tests:
        tests = tuple(Concept("lab", name) for name in setting.terminology.labs_in_text(asked))
    if source is Source.TESTS and (panels := panels_in_text(asked)):
        tests, is_test = (*tests, *(Concept("lab", name) for name in panels)), True
    concepts = [*tests, *_coded(code, "procedure", setting)]
    concepts += [Concept("condition", name) for name in setting.terminology.conditions_planned_in_text(words)]
    return Planned(
        source,
        concepts=tuple(concepts),
        names_b12=names_b12_in_text(words),
        names_injection=may_inject_b12_in_text(words),
        days=if_known(planned(start, setting)),
        authored=if_known(
            planned(first(resource, "authoredOn", "orderedOn", "created", "date") or _requested(resource), setting)
        ),
        is_test=is_test,
    )


# --- concepts ----------------------------------------------------------------------------------------------------


def _concepts(
    code: Any, setting: Setting, in_text: Callable[[str], tuple[str, ...]] | None = None
) -> tuple[tuple[Concept, ...], bool]:
    """The conditions of a code, else of its words; and whether it was the words.

    A code that also says other things (decision 13 of the clinical rules) counts as the concept when its display or
    the text names it; E53.8 whose text says folate is folate deficiency.
    """
    coded = _coded(code, "condition", setting)
    if coded and all(each.specific and each.meaning != "unspecified" for each in coded):
        return coded, False
    words = texts_of(code)
    in_text = in_text or setting.terminology.conditions_in_text
    if not coded:
        names = _in_text(words, in_text)
        if not names:
            return (), False
        meaning = setting.terminology.meaning
        return tuple(Concept("condition", name, meaning("condition", name, words)) for name in names), True
    if any(each.meaning == "unspecified" for each in coded):
        coded = tuple(_with_extent(each, words) for each in coded)
    if all(each.specific for each in coded):
        return coded, False
    meant = set(_in_text(words, in_text))
    if "folate_deficiency" in meant and not names_b12_in_text("; ".join(words)):
        coded = tuple(each for each in coded if each.name == "folate_deficiency")
    if find_meant(_NOT_LEBER, "; ".join(words), DISEASE):
        coded = tuple(each for each in coded if each.name != "leber_hereditary_optic_neuropathy")
    return tuple(_named(each, meant, words) for each in coded), False


def _named(concept: Concept, names: set[str], words: list[str]) -> Concept:
    """A concept of an unspecific code made specific by words that name it; `total gastrectomy` says its extent too."""
    if concept.specific or concept.name not in names:
        return concept
    return replace(concept, specific=True, meaning=concept.meaning or meaning_in_text(concept.name, "; ".join(words)))


def _with_extent(concept: Concept, words: list[str]) -> Concept:
    """An operation whose code leaves open how far it went, with the extent that the words beside it tell."""
    if concept.meaning != "unspecified":
        return concept
    return replace(concept, meaning=meaning_in_text(concept.name, "; ".join(words)) or concept.meaning)


def _coded(code: Any, kind: str, setting: Setting) -> tuple[Concept, ...]:
    find = setting.terminology.find
    found: list[Concept] = []
    codings = code.get("coding") if isinstance(code, dict) else None
    for coding in codings if isinstance(codings, list) else codings_in(code):
        if isinstance(coding, dict) and (coded := find(str(coding.get("system")), str(coding.get("code")))):
            found += [each.concept for each in coded if each.concept.kind == kind]
    return tuple(dict.fromkeys(found)) if found else ()


def _in_text(words: list[str], find: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    found = [name for text in words for name in find(text)]
    return tuple(dict.fromkeys(found)) if found else ()


def _in_words(words: list[str], setting: Setting) -> tuple[Concept, ...]:
    """Procedures by their words, with the extent that the words tell."""
    found = []
    for text in words:
        for name in setting.terminology.procedures_in_text(text):
            if name == "hospice_regime":
                found.append(Concept("condition", "hospice_care"))
                continue
            meaning = setting.terminology.meaning("procedure", name, [text])
            found.append(Concept("procedure", name, meaning))
    return tuple(dict.fromkeys(found))


# Where resources of every version keep what was written beside their codes.
_NOTED = frozenset({"note", "notes", "description", "comment", "comments"})


def _notes(resource: dict[str, Any]) -> list[str]:
    if _NOTED.isdisjoint(resource):
        return []
    notes = [*listed(resource.get("note")), *listed(resource.get("notes"))]
    found = [each.get("text") if isinstance(each, dict) else each for each in notes]
    found += [resource.get(name) for name in ("description", "comment", "comments")]
    return [normalised(each) for each in found if isinstance(each, str)]


def _reasons(resource: dict[str, Any]) -> list[str]:
    reasons = first(resource, "reasonCode", "reason", "reasonCodeableConcept")
    return [] if reasons is None else [text for each in listed(reasons) for text in texts_of(each)]


def _words_of_cause(resource: dict[str, Any]) -> list[str]:
    """What a condition says of its cause beside code and notes: evidence and the due-to extension."""
    found: list[str] = []
    for each in listed(resource.get("evidence")):
        codes = first(each, "code", "concept") if isinstance(each, dict) else None
        found += [text for code in listed(codes) for text in texts_of(code)]
    for each in listed(resource.get("extension")):
        if isinstance(each, dict) and "due" in str(each.get("url")).lower():
            found += texts_of(each.get("valueCodeableConcept"))
    return found
