"""Allergies and intolerances of any FHIR version, as far as they concern cobalamins, cobalt and their excipients."""

from __future__ import annotations

import re
from typing import Any

from cards.dosing import COBALAMINS
from cards.record import Allergy, Reaction
from cards.words import normalised
from cards.words.assertion import SUFFERED, find_meant
from service.fhir.codes import code_in, texts_of
from service.fhir.dates import first, when
from service.fhir.setting import Setting

_NO_LONGER = frozenset({"inactive", "resolved", "refuted", "entered-in-error"})
_HIGH = frozenset({"high", "CRITH"})
_ANAPHYLAXIS = re.compile(r"anaphyla\w+", re.I)
# RxNorm has one code for cyanocobalamin and for vitamin B12 of any form: an allergy is to cyanocobalamin if it says so.
_CYANOCOBALAMIN = re.compile(r"cyano|cytamen|cytacon|nascobal|orobalin", re.I)
_B12 = "cobalamin"
_ALLERGIC = re.compile(r"angio-?(?:o?e)dema|bronchospasm|urticaria\w*|\bhives\b|wheez\w+", re.I)


def allergy(resource: dict[str, Any], setting: Setting) -> Allergy | None:
    """An allergy that rules know; None for another substance, or one that was refuted or is over."""
    states = {code_in(resource.get(name)) for name in ("clinicalStatus", "verificationStatus", "status")}
    if states & _NO_LONGER:
        return None
    reactions = [each for each in _list(resource.get("reaction")) if isinstance(each, dict)]
    named = [first(resource, "code", "substance"), *(each.get("substance") for each in reactions)]
    substances = tuple(dict.fromkeys(each for code in named for each in _substances(code, setting)))
    if not substances:
        return None
    kind = resource.get("type")
    return Allergy(
        substances,
        _reaction(resource, reactions),
        high_criticality=resource.get("criticality") in _HIGH,
        intolerance="intolerance" in (kind, code_in(kind)),
        when=when(first(resource, "onsetDateTime", "onset"), setting.zone)
        or when(first(resource, "recordedDate", "assertedDate"), setting.zone),
    )


def _substances(code: Any, setting: Setting) -> list[str]:
    """Cobalamins, cobalt and excipients that a CodeableConcept names, by code, else by its words."""
    found: list[str] = []
    for coding in _list(code.get("coding")) if isinstance(code, dict) else []:
        if not isinstance(coding, dict):
            continue
        for coded in setting.terminology.find(str(coding.get("system")), str(coding.get("code"))):
            concept = coded.concept
            if concept.kind == "drug":
                names = " ".join([coded.display, *texts_of(code)])
                found += [
                    _B12 if each == "cyanocobalamin" and not _CYANOCOBALAMIN.search(names) else each
                    for each in setting.terminology.drug_ingredients(concept.name)
                ]
            elif concept.name == "cobalamin_cobalt_allergy" and concept.meaning and concept.specific:
                found.append(concept.meaning)
    for text in texts_of(code):
        if not found:
            found += [
                each
                for name in setting.terminology.drugs_reacted_to_in_text(text)
                for each in setting.terminology.drug_ingredients(name)
            ]
        found += setting.terminology.allergens_in_text(text)
    allergens = setting.terminology.allergens
    return [each for each in found if each in COBALAMINS or each in allergens]


def _reaction(resource: dict[str, Any], reactions: list[dict[str, Any]]) -> Reaction:
    """The gravest reaction that is described, in a manifestation, a description or the allergy's own words."""
    described = [
        text
        for each in reactions
        for manifestation in _list(each.get("manifestation"))
        for text in texts_of(manifestation.get("concept", manifestation) if isinstance(manifestation, dict) else None)
    ]
    described += [normalised(each["description"]) for each in reactions if isinstance(each.get("description"), str)]
    words = [*described, *texts_of(first(resource, "code", "substance"))]
    for reaction, pattern in ((Reaction.ANAPHYLAXIS, _ANAPHYLAXIS), (Reaction.ALLERGIC, _ALLERGIC)):
        if any(find_meant(pattern, text, SUFFERED) for text in words):
            return reaction
    return Reaction.OTHER if described else Reaction.NOT_RECORDED


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
