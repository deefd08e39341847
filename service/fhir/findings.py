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
from service.fhir.codes import code_in, is_of_loinc, texts_of
from service.fhir.dates import first, period_end_or_start, when
from service.fhir.setting import Setting

# Eye diseases that an unspecific code of optic atrophy may stand for, and that are not Leber's optic neuropathy.
_NOT_LEBER = re.compile(r"amaurosis|stellate|glaucom|macular", re.I)
_CENTIMETRES = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*(?:cm\b|centimet)", re.I)
_OF_BOWEL = re.compile(
    _CENTIMETRES.pattern + r"\w*\s*(?:of\s+)?(?:the\s+)?(?:(?:terminal|distal|small|diseased)\s+)*(?:ile\w+|bowel)",
    re.I,
)
_NOT_PRESENT = frozenset({"refuted", "entered-in-error"})
_UNCERTAIN = frozenset({"provisional", "differential", "unconfirmed"})
_ENDED_OTHERWISE = ("abatementAge", "abatementRange", "abatementString")
_STATUSES = {status.value: status for status in ClinicalStatus}

_DONE = frozenset({"completed", "in-progress", "preparation"})
_BOOKED = frozenset({"booked", "pending", "arrived", "checked-in"})
_ORDERED = frozenset({"active", "on-hold", "requested", "accepted", "in-progress"})
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
    deceased = resource.get("deceasedBoolean") is True or bool(resource.get("deceasedDateTime"))
    return Patient(
        born=_not_future(when(resource.get("birthDate"), setting.zone), setting),
        deceased=deceased or resource.get("deceased") is True,
        left=resource.get("active") is False,
    )


def condition(resource: dict[str, Any], setting: Setting) -> list[Problem | Unreadable]:
    """A condition that rules know; a neurological one dated in the future is named beside it, for its date decides.

    A date in the future counts as not known.
    """
    found = problem(resource, setting)
    if found is None:
        return []
    dates = (found.began, found.recorded)
    began, recorded = (_not_future(each, setting) for each in dates)
    kind = next((each.name for each in found.concepts if each.name in NEUROLOGICAL), None)
    faults = [Unreadable(kind, None, "future-date")] if kind and (began, recorded) != dates and not began else []
    return [replace(found, began=began, recorded=recorded), *faults]


def _not_future(day: When | None, setting: Setting) -> When | None:
    return None if day is None or day.earliest > setting.today else day


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
    ended = when(
        first(resource, "abatementDateTime") or period_end_or_start(resource.get("abatementPeriod")), setting.zone
    )
    over = resource.get("abatementBoolean") is True or first(resource, *_ENDED_OTHERWISE) is not None
    if status is None and over:
        status = ClinicalStatus.RESOLVED
    words = [*texts_of(code), *_notes(resource)]
    period = resource.get("onsetPeriod")
    began = first(resource, "onsetDateTime") or (period.get("start") if isinstance(period, dict) else None)
    return Problem(
        concepts=concepts,
        status=status,
        certain=verification not in _UNCERTAIN,
        began=when(began, setting.zone),
        recorded=when(first(resource, "recordedDate", "assertedDate", "dateRecorded"), setting.zone),
        ended=ended,
        names_b12=names_b12_in_text("; ".join([*words, *_words_of_cause(resource)])),
        by_text=by_text,
        length_cm=_length_removed(" ".join(words)),
    )


# What UK systems record as an observation as often as on the problem list.
_OBSERVED = frozenset({"nitrous_oxide_exposure"})


def observed(resource: dict[str, Any], wanted: Collection[str], setting: Setting) -> list[Problem]:
    """A finding of the `wanted` concepts that an EHR records as an Observation, when its value does not deny it."""
    if _OBSERVED.isdisjoint(wanted) or resource.get("status") in ("entered-in-error", "cancelled"):
        return []
    code = resource.get("code")
    if is_of_loinc(code) and not _coded(code, "condition", setting):
        return []
    concepts = tuple(each for each in _concepts(code, setting)[0] if each.name in _OBSERVED)
    if not concepts:
        return []
    said = first(resource, "effectiveDateTime", "effectiveInstant") or period_end_or_start(
        resource.get("effectivePeriod")
    )
    day = _not_future(when(said, setting.zone), setting)
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
    status = resource.get("status")
    if status not in _DONE and status is not None:
        return None
    code = first(resource, "code", "type")
    concepts = _coded(code, "procedure", setting)
    words = texts_of(code)
    by_text = not concepts
    if by_text:
        concepts = _in_words(words, setting)
    if not concepts:
        return None
    said = first(resource, "performedDateTime", "occurrenceDateTime") or period_end_or_start(
        first(resource, "performedPeriod", "occurrencePeriod")
    )
    day = when(said, setting.zone)
    injection = next((each for each in concepts if each.name == "b12_injection"), None)
    if injection:
        if injection.meaning not in _GIVEN or status not in ("completed", None):
            return None
        if day is None or day.earliest > setting.today:
            return Unreadable("cobalamin", None, "no-date" if said is None else "impossible-date")
        day = When(day.earliest, min(day.latest, setting.today))
        if by_text:
            # "B12 injection declined", "taught to inject B12": words alone are never counted (rules 8.1, 8.4).
            return Unreadable("cobalamin", day, "unreadable")
        return Dose(_INJECTED, day, None, Route.INTRAMUSCULAR, None, Source.PROCEDURES)
    if day and day.earliest > setting.today:
        # Not done yet, whatever the status says.
        return Unreadable(concepts[0].name, None, "future-date")
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


def relative(resource: dict[str, Any], setting: Setting) -> Relative | None:
    """Conditions of a family member that rules know."""
    if resource.get("status") == "entered-in-error":
        return None
    conditions = resource.get("condition")
    concepts = [
        concept
        for each in (conditions if isinstance(conditions, list) else [])
        if isinstance(each, dict)
        for concept in _concepts(each.get("code"), setting, setting.terminology.conditions_of_relatives_in_text)[0]
    ]
    return Relative(tuple(concepts)) if concepts else None


def service(resource: dict[str, Any], setting: Setting) -> Planned | None:
    """A service that is ordered and not yet done."""
    status = resource.get("status")
    if status not in _ORDERED and status is not None:
        return None
    code = resource.get("code")
    return _planned(
        resource,
        Source.TESTS,
        code,
        first(resource, "occurrenceDateTime", "scheduledDateTime")
        or period_end_or_start(first(resource, "occurrencePeriod", "scheduledPeriod")),
        setting,
    )


def test_order(resource: dict[str, Any], reference: str, setting: Setting, *, selected: bool) -> Order | None:
    """A laboratory request being ordered; None for one that asks for no test that rules know."""
    status = _ORDER_STATUSES.get(str(resource.get("status")), CourseStatus.DRAFT)
    codes = [resource.get("code"), *_items(resource.get("orderDetail")), *_items(resource.get("item"))]
    tests: list[str] = []
    for each in codes:
        code = each.get("code", each) if isinstance(each, dict) else None
        code = code.get("concept", code) if isinstance(code, dict) and "coding" not in code else code
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


def appointment(resource: dict[str, Any], setting: Setting) -> Planned | None:
    """A booked appointment."""
    if resource.get("status") not in _BOOKED:
        return None
    service_type = first(resource, "serviceType", "type")
    kind = service_type[0] if isinstance(service_type, list) and service_type else service_type
    return _planned(resource, Source.APPOINTMENTS, kind, resource.get("start"), setting)


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
        days=when(start, setting.zone),
        authored=when(first(resource, "authoredOn", "orderedOn", "created"), setting.zone),
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
        return tuple(Concept("condition", name, meaning_in_text(name, "; ".join(words))) for name in names), True
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
    if not isinstance(code, dict):
        return ()
    codings = code.get("coding")
    find = setting.terminology.find
    found: list[Concept] = []
    for coding in codings if isinstance(codings, list) else (codings,):
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
            meaning = "injection" if name == "b12_injection" else meaning_in_text(name, text)
            found.append(Concept("procedure", name, meaning))
    return tuple(dict.fromkeys(found))


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _notes(resource: dict[str, Any]) -> list[str]:
    notes, description, comment = resource.get("note"), resource.get("description"), resource.get("comment")
    if notes is None and description is None and comment is None:
        return []
    found = [
        each.get("text") if isinstance(each, dict) else each for each in (notes if isinstance(notes, list) else [notes])
    ]
    return [normalised(each) for each in (*found, description, comment) if isinstance(each, str)]


def _reasons(resource: dict[str, Any]) -> list[str]:
    reasons = first(resource, "reasonCode", "reason", "reasonCodeableConcept")
    if reasons is None:
        return []
    return [text for each in (reasons if isinstance(reasons, list) else [reasons]) for text in texts_of(each)]


def _words_of_cause(resource: dict[str, Any]) -> list[str]:
    """What a condition says of its cause beside code and notes: evidence and the due-to extension."""
    found: list[str] = []
    evidence = resource.get("evidence")
    for each in evidence if isinstance(evidence, list) else []:
        codes = first(each, "code", "concept") if isinstance(each, dict) else None
        found += [text for code in (codes if isinstance(codes, list) else [codes]) for text in texts_of(code)]
    extensions = resource.get("extension")
    for each in extensions if isinstance(extensions, list) else []:
        if isinstance(each, dict) and "due" in str(each.get("url")).lower():
            found += texts_of(each.get("valueCodeableConcept"))
    return found
