"""Allergies and intolerances of any FHIR version, as far as they concern cobalamins, cobalt and their excipients."""

from __future__ import annotations

import re
from typing import Any

from cards.dosing import COBALAMINS
from cards.record import Allergy, Reaction, Unreadable
from cards.words import normalised
from cards.words.assertion import SUFFERED, find_meant
from service.fhir.codes import code_in, codings_of, listed, texts_of, unread
from service.fhir.dates import first, happened, if_known
from service.fhir.setting import Setting

_NO_LONGER = frozenset({"inactive", "resolved", "refuted", "entered-in-error"})
_HIGH = frozenset({"high", "crith"})
_RECORDED = ("recordedDate", "assertedDate")
_ANAPHYLAXIS = re.compile(r"anaphyla\w+", re.I)
# RxNorm has one code for cyanocobalamin and for vitamin B12 of any form: an allergy is to cyanocobalamin if it says so.
_CYANOCOBALAMIN = re.compile(r"cyano|cytamen|cytacon|nascobal|orobalin", re.I)
_B12 = "cobalamin"
_ALLERGIC = re.compile(r"angio-?(?:o?e)dema|bronchospasm|urticaria\w*|\bhives\b|wheez\w+", re.I)


def allergy(resource: dict[str, Any], setting: Setting) -> Allergy | Unreadable | None:
    """An allergy that rules know; None for another substance, or one that was refuted or is over."""
    states = {code_in(resource.get(name)) for name in ("clinicalStatus", "verificationStatus", "status")}
    if states & _NO_LONGER:
        return None
    said = listed(first(resource, "reaction", "event"))
    reactions = [each for each in said if isinstance(each, dict)]
    code = first(resource, "code", "substance")
    named = [code, *(each.get("substance") for each in reactions)]
    substances = tuple(dict.fromkeys(each for code in named for each in _substances(code, setting)))
    if not substances:
        why = unread(code, setting.terminology)
        return Unreadable(None, if_known(happened(first(resource, *_RECORDED), setting)), why) if why else None
    if len(reactions) < len(said):
        return Unreadable(substances[0], if_known(happened(first(resource, *_RECORDED), setting)), "unreadable")
    return Allergy(
        substances,
        _reaction(resource, reactions),
        high_criticality=code_in(resource.get("criticality")) in _HIGH,
        intolerance=code_in(resource.get("type")) == "intolerance",
        when=if_known(happened(first(resource, "onsetDateTime", "onset"), setting))
        or if_known(happened(first(resource, *_RECORDED), setting)),
    )


def _substances(code: Any, setting: Setting) -> list[str]:
    """Cobalamins, cobalt and excipients that a CodeableConcept names, by code, else by its words."""
    found: list[str] = []
    for system, value in codings_of(code):
        for coded in setting.terminology.find(system, value):
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
        for manifestation in listed(each.get("manifestation"))
        for text in texts_of(manifestation)
    ]
    described += [normalised(each["description"]) for each in reactions if isinstance(each.get("description"), str)]
    words = [*described, *texts_of(first(resource, "code", "substance"))]
    for reaction, pattern in ((Reaction.ANAPHYLAXIS, _ANAPHYLAXIS), (Reaction.ALLERGIC, _ALLERGIC)):
        if any(find_meant(pattern, text, SUFFERED) for text in words):
            return reaction
    return Reaction.OTHER if described else Reaction.NOT_RECORDED
