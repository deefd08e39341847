"""What a line of an export is about, told in Python: the same as the SQL of `export.py`, for Spark."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import orjson

from service.replay.export import DATED_BY
from service.replay.patient import KINDS

NO_KIND = "(none)"
_LOINC = "http://loinc.org"
_NEEDED = KINDS | {"Medication"}
_LAST_PART = re.compile(r"(?<![^/:#])([^/:#]+)(/_history.*)?$")


class Keyed(NamedTuple):
    """One line: its type ("" when it is no JSON), patient, Medication referred to, and day.

    `needed`: a replay reads it; the line itself is kept only then. The patient of a Medication is its own id.
    """

    kind: str
    patient: str
    medication: str
    day: str
    needed: bool
    line: str


def keyed(line: bytes, labs: re.Pattern[str]) -> Keyed:
    """What a line is about; `labs`: the codes of laboratory results that value sets know."""
    try:
        resource = orjson.loads(line)
    except ValueError:
        return Keyed("", "", "", "", needed=False, line="")
    if not isinstance(resource, dict):
        resource = {}
    kind = _text(resource.get("resourceType"))
    text = line.decode()
    needed = kind in _NEEDED and not _of_no_rule(kind, resource, text, labs)
    medication = _reference(resource.get("medicationReference")) or _reference(
        _member(resource.get("medication"), "reference")
    )
    return Keyed(
        kind or NO_KIND,
        _patient(kind, resource),
        _last_part(medication),
        next((day[:10] for path in DATED_BY if (day := _at(resource, path))), ""),
        needed,
        text if needed else "",
    )


def _patient(kind: str, resource: dict[str, Any]) -> str:
    if kind in ("Patient", "Medication"):
        return _text(resource.get("id"))
    named = _reference(resource.get("subject")) or _reference(resource.get("patient"))
    if not named and kind == "Appointment":
        participants = resource.get("participant")
        actors = [
            _reference(_member(each, "actor")) for each in (participants if isinstance(participants, list) else [])
        ]
        named = next((actor for actor in actors if "Patient/" in actor), "")
    return _last_part(named) if "Patient/" in named or named.startswith("urn:") else ""


def _of_no_rule(kind: str, resource: dict[str, Any], text: str, labs: re.Pattern[str]) -> bool:
    """An Observation that LOINC names, and no value set: the reader would find nothing in it."""
    if kind != "Observation" or '"component"' in text:
        return False
    codings = _member(resource.get("code"), "coding")
    first = codings[0] if isinstance(codings, list) and codings else None
    return _member(first, "system") == _LOINC and not labs.search(text)


def _last_part(reference: str) -> str:
    """The id in a reference: relative, absolute, of a version, or a urn."""
    found = _LAST_PART.search(reference)
    return found[1] if found else ""


def _at(resource: dict[str, Any], path: str) -> str:
    value: Any = resource
    for name in path.split("."):
        value = _member(value, name)
    return _text(value)


def _reference(value: Any) -> str:
    return _text(_member(value, "reference"))


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
