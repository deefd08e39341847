"""What CodeableConcepts and statuses say, in every shape that FHIR's versions and their senders give them.

What a code means is looked up elsewhere; here are its spelling on the wire, its words, and whether it could be read.
"""

from __future__ import annotations

import re
from typing import Any

from cards.memory import remembered
from cards.terminology import Terminology
from cards.words import known_form, normalised

# As nearly all spell it.
LOINC = "http://loinc.org"
_NOT_LETTERS = re.compile(r"[^a-z]+")
# Every status of the resources that are read, in DSTU2, STU3, R4, R4B and R5.
_STATUSES = frozenset(
    """
    draft proposed planned intended active recorded received requested accepted review on-hold suspended
    in-progress preparation completed ended stopped aborted cancelled revoked rejected failed declined superseded
    not-done not-taken not-taking entered-in-error unknown
    registered preliminary final amended corrected partial
    booked pending arrived checked-in fulfilled noshow waitlist
    inactive resolved recurrence relapse remission
    unconfirmed provisional differential confirmed refuted health-unknown
    queued complete error claim preauthorization predetermination proposal option plan order
    """.split()  # noqa: SIM905 - a list of quoted words is read less easily
)
_BY_LETTERS = {_NOT_LETTERS.sub("", each): each for each in _STATUSES} | {"canceled": "cancelled"}


def listed(value: Any) -> list[Any]:
    """A list; a lone value is a list of one, for some senders leave the brackets out where FHIR has them."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def concept_of(value: Any) -> dict[str, Any]:
    """A CodeableConcept, whatever shape it came in; an empty one when none can be seen in it.

    Seen are the concept of an R5 CodeableReference, the display of a Reference, a lone Coding, a list of concepts, and
    a plain text.
    """
    if isinstance(value, dict):
        if "coding" in value or "text" in value:
            return value
        return _in_other_words(value)
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, list):
        concepts = [each for each in map(concept_of, value) if each]
        texts = [each["text"] for each in concepts if isinstance(each.get("text"), str)]
        codings = [coding for each in concepts for coding in listed(each.get("coding"))]
        return {"coding": codings, **({"text": " ; ".join(texts)} if texts else {})} if concepts else {}
    return {}


def _in_other_words(value: dict[str, Any]) -> dict[str, Any]:
    """The concept of an object that has neither the codings nor the text of one."""
    if "concept" in value:
        return concept_of(value["concept"])
    if "code" in value or "display" in value:
        return {"coding": [value]}
    return concept_of(value["reference"]) if isinstance(value.get("reference"), dict) else {}


def codings_in(value: Any) -> list[Any]:
    """The codings of a CodeableConcept as they came, which may be anything."""
    codings = value.get("coding") if isinstance(value, dict) else None
    if isinstance(codings, list):
        return codings
    return [] if value is None else listed(concept_of(value).get("coding"))


def codings_of(value: Any) -> list[tuple[str, str]]:
    """System and code of each coding of a CodeableConcept; the system is empty where there is none."""
    codings = value.get("coding") if isinstance(value, dict) else None
    found = []
    for coding in codings if isinstance(codings, list) else codings_in(value):
        if isinstance(coding, dict) and (code := coding.get("code")) is not None:
            found.append((str(coding.get("system") or ""), str(code)))
    return found


def texts_of(value: Any) -> list[str]:
    """The text and the displays of a CodeableConcept, in the normal form of words."""
    concept = value if isinstance(value, dict) and ("coding" in value or "text" in value) else concept_of(value)
    found = []
    text = concept.get("text")
    if isinstance(text, str) and text:
        found.append(known_form(text) or normalised(text))
    codings = concept.get("coding")
    if codings is None:
        return found
    for coding in codings if isinstance(codings, list) else (codings,):
        if isinstance(coding, dict):
            display = coding.get("display")
            if isinstance(display, str) and display:
                found.append(known_form(display) or normalised(display))
        elif isinstance(coding, str):
            found.append(normalised(coding))
    return found


def is_of_loinc(value: Any, terminology: Terminology) -> bool:
    """Whether a CodeableConcept has a LOINC code, which says exactly what was measured."""
    return any(system == LOINC or terminology.is_system(system, "LOINC") for system, _ in codings_of(value))


def unread(value: Any, terminology: Terminology) -> str | None:
    """Why a concept in which nothing of ours was found may be ours all the same; None when it is known not to be.

    Words name something else, and so does a code of a system in which the value sets are complete.
    """
    if isinstance(value, dict):
        text = value.get("text")
        if isinstance(text, str) and text and not text.isspace():
            return None
        codings = value.get("coding")
        if isinstance(codings, list) and codings and isinstance(codings[0], dict):
            display = codings[0].get("display")
            if isinstance(display, str) and display and not display.isspace():
                return None
    if value is None or value == {} or value == []:
        return None
    if isinstance(value, str):
        # "E53.8" in place of a concept: without its system nobody can tell what it is.
        return "unreadable" if value.strip() and not re.search(r"[A-Za-z]{3}", value) else None
    if any(each.strip() for each in texts_of(value)):
        return None
    codes = codings_of(value)
    if not codes:
        return "unreadable"
    return None if any(terminology.is_complete(system) for system, _ in codes) else "unknown-code"


def code_in(value: Any) -> str | None:
    """A status in FHIR's own spelling: a code, or of a CodeableConcept the first code or word that is a status.

    What is no status of FHIR comes in small letters with hyphens, or is "unreadable". None when there is none.
    """
    if isinstance(value, str):
        return value if value in _STATUSES else _status(value)
    if value is None:
        return None
    concept = concept_of(value)
    said = [code for _, code in codings_of(concept)] + texts_of(concept)
    found = [status for each in said if (status := _status(each))]
    if not found:
        return "unreadable"
    return next((each for each in found if each in _STATUSES), found[0])


@remembered
def _status(text: str) -> str | None:
    word = text.strip()
    letters = _NOT_LETTERS.sub("", word.lower())
    return _BY_LETTERS.get(letters) or "-".join(word.lower().replace("_", " ").split()) or None
