"""What CodeableConcepts and notes say: their codes are looked up elsewhere, here are their words."""

from __future__ import annotations

from typing import Any

from cards.words import known_form, normalised

LOINC = "http://loinc.org"


def texts_of(concept: Any) -> list[str]:
    """The text and the displays of a CodeableConcept, in the normal form of words; a lone coding is a list of one."""
    if not isinstance(concept, dict):
        return []
    found = []
    text = concept.get("text")
    if isinstance(text, str) and text:
        found.append(known_form(text) or normalised(text))
    codings = concept.get("coding")
    for coding in codings if isinstance(codings, list) else (codings,):
        if isinstance(coding, dict):
            display = coding.get("display")
            if isinstance(display, str) and display:
                found.append(known_form(display) or normalised(display))
    return found


def is_of_loinc(concept: Any) -> bool:
    """Whether a CodeableConcept has a LOINC code, which says exactly what was measured."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return isinstance(codings, list) and any(isinstance(each, dict) and each.get("system") == LOINC for each in codings)


def code_in(value: Any) -> str | None:
    """A status: a code, or the first code of a CodeableConcept, or its words."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return None
    codings = value.get("coding")
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict) and isinstance(code := coding.get("code"), str):
            return code
    text = value.get("text")
    return normalised(text).lower().replace(" ", "-") if isinstance(text, str) else None
