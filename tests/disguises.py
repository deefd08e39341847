"""The same call in other clothes: what another EHR would have sent about the same patient."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Disguise = Callable[[Json], Json]

_WORDS = frozenset({"text", "display", "valueString", "description"})
_CONDITION = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_WARNING = {
    "resource": {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "warning", "code": "not-supported", "diagnostics": "Unknown search parameter: _sort"}],
    },
    "search": {"mode": "outcome"},
}
_OTHERS = [
    {"resourceType": "Practitioner", "id": "someone", "name": [{"text": "B. Twelve"}]},
    {"resourceType": "Organization", "id": "ward", "name": "Ward B12"},
    {"resourceType": "Encounter", "id": "visit", "status": "finished"},
    {"resourceType": "Provenance", "id": "origin"},
]


def _everywhere(value: Any) -> Iterator[Json]:
    """Every JSON object in a value, itself included."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _everywhere(each)
    elif isinstance(value, list):
        for each in value:
            yield from _everywhere(each)


def _with_words(change: Callable[[str], str]) -> Disguise:
    """Every text that EHRs let people write, changed."""

    def disguised(request: Json) -> Json:
        request = copy.deepcopy(request)
        for part in (request["context"], request["prefetch"]):
            for each in _everywhere(part):
                for name in _WORDS & each.keys():
                    if isinstance(each[name], str):
                        each[name] = change(each[name])
        return request

    return disguised


def _with_codings(change: Callable[[Json], None]) -> Disguise:
    """Every coding, changed in place."""

    def disguised(request: Json) -> Json:
        request = copy.deepcopy(request)
        for part in (request["context"], request["prefetch"]):
            for each in _everywhere(part):
                if "system" in each and "code" in each:
                    change(each)
        return request

    return disguised


def _bundles(request: Json) -> Iterator[tuple[str, Json]]:
    for key, value in request["prefetch"].items():
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            yield key, value


def _with_prefetch(change: Callable[[str, Json], Any]) -> Disguise:
    """Every searchset of the prefetch, replaced."""

    def disguised(request: Json) -> Json:
        request = copy.deepcopy(request)
        for key, bundle in list(_bundles(request)):
            request["prefetch"][key] = change(key, bundle)
        return request

    return disguised


def _with_resources(change: Callable[[Json], Json]) -> Disguise:
    """Every resource of the chart and the drafts, rewritten."""

    def disguised(request: Json) -> Json:
        request = copy.deepcopy(request)
        bundles = [bundle for _, bundle in _bundles(request)]
        if "draftOrders" in request["context"]:
            bundles.append(request["context"]["draftOrders"])
        for bundle in bundles:
            for entry in bundle.get("entry", []):
                entry["resource"] = change(entry["resource"])
        return request

    return disguised


def _in_another_word(text: str, inserted: str) -> str:
    """A text with a character that nobody sees in the middle of its longest word."""
    longest = max(re.findall(r"[A-Za-z]+", text), key=len, default="")
    if len(longest) < 4:
        return text
    half = len(longest) // 2
    return text.replace(longest, longest[:half] + inserted + longest[half:], 1)


def _fullwidth(text: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)


def _with_system(change: Callable[[str], str]) -> Disguise:
    def one(coding: Json) -> None:
        if isinstance(coding["system"], str) and coding["system"].startswith("http"):
            coding["system"] = change(coding["system"])

    return _with_codings(one)


def _as_oid(coding: Json) -> None:
    oids = {
        "http://snomed.info/sct": "urn:oid:2.16.840.1.113883.6.96",
        "http://loinc.org": "urn:oid:2.16.840.1.113883.6.1",
        "http://www.nlm.nih.gov/research/umls/rxnorm": "urn:oid:2.16.840.1.113883.6.88",
    }
    coding["system"] = oids.get(coding["system"], coding["system"])


def _code_padded(coding: Json) -> None:
    if isinstance(coding["code"], str):
        coding["code"] = f" {coding['code']} "


def _statuses(change: Callable[[str], str]) -> Disguise:
    def one(resource: Json) -> Json:
        for name in ("status", "clinicalStatus", "verificationStatus", "criticality", "outcome"):
            value = resource.get(name)
            if isinstance(value, str):
                resource[name] = change(value)
            for each in _everywhere(value):
                if isinstance(each.get("code"), str):
                    each["code"] = change(each["code"])
        return resource

    return _with_resources(one)


def _entries_turned_round(_key: str, bundle: Json) -> Json:
    if "link" in bundle:
        return bundle  # the order of a list that was cut short says how far it reaches
    return {**bundle, "entry": list(reversed(bundle.get("entry", [])))}


def _entries_twice(_key: str, bundle: Json) -> Json:
    """As two pages that overlap."""
    entries = [
        {"resource": {"id": f"{_key}-{number}", **each["resource"]}}
        for number, each in enumerate(bundle.get("entry", []))
    ]
    return {
        **bundle,
        "entry": [*entries, *copy.deepcopy(entries)],
        **({"total": len(entries)} if "total" in bundle else {}),
    }


def _wrapped_in(kind: str) -> Disguise:
    def one(_key: str, bundle: Json) -> Json:
        if kind == "Parameters":
            return {"resourceType": "Parameters", "parameter": [{"name": "return", "resource": bundle}]}
        entry: Json = {"resource": bundle}
        if kind == "batch-response":
            entry["response"] = {"status": "200 OK"}
        return {"resourceType": "Bundle", "type": kind, "entry": [entry]}

    return _with_prefetch(one)


def _warned(_key: str, bundle: Json) -> Json:
    return {**bundle, "entry": [*bundle.get("entry", []), copy.deepcopy(_WARNING)]}


def _beside_others(_key: str, bundle: Json) -> Json:
    others = [{"resource": copy.deepcopy(each), "search": {"mode": "include"}} for each in _OTHERS]
    return {**bundle, "entry": [*bundle.get("entry", []), *others]}


def _by_full_address(request: Json) -> Json:
    request = copy.deepcopy(request)
    for part in (request["context"].get("draftOrders"), request["prefetch"]):
        for each in _everywhere(part):
            reference = each.get("reference")
            if isinstance(reference, str) and reference.startswith("Patient/"):
                each["reference"] = f"https://ehr.example.org/fhir/{reference}/_history/3"
    return request


def _without_subjects(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name not in ("subject", "patient")}


# --- other versions of FHIR ------------------------------------------------------------------------------------------


def _in_r5(resource: Json) -> Json:
    kind = resource["resourceType"]
    concept = resource.pop("medicationCodeableConcept", None)
    if concept is not None:
        resource["medication"] = {"concept": concept}
    for old, new in {"reportedBoolean": "reported"}.items():
        if old in resource:
            resource[new] = resource.pop(old)
    if "reasonCode" in resource:
        resource["reason"] = [{"concept": each} for each in resource.pop("reasonCode")]
    for dosage in resource.get("dosageInstruction", []):
        if "asNeededBoolean" in dosage:
            dosage["asNeeded"] = dosage.pop("asNeededBoolean")
    if kind == "ServiceRequest":
        resource["code"] = {"concept": resource["code"]}
    elif kind == "MedicationAdministration":
        resource["occurenceDateTime"] = resource.pop("effectiveDateTime")
        if "statusReason" in resource:
            resource["statusReason"] = resource.pop("statusReason")
    elif kind == "Procedure" and "performedDateTime" in resource:
        resource["occurrenceDateTime"] = resource.pop("performedDateTime")
    elif kind == "AllergyIntolerance":
        resource["type"] = {"coding": [{"code": resource["type"]}]}
        for reaction in resource.get("reaction", []):
            reaction["manifestation"] = [{"concept": each} for each in reaction["manifestation"]]
    elif kind == "Appointment" and "serviceType" in resource:
        resource["serviceType"] = [{"concept": each} for each in resource["serviceType"]]
    return resource


def _in_stu3(resource: Json) -> Json:
    kind = resource["resourceType"]
    for name in ("dosageInstruction", "dosage"):
        for dosage in resource.get(name, []) if isinstance(resource.get(name), list) else []:
            for rate in dosage.pop("doseAndRate", []):
                dosage.update(rate)
    if kind == "Condition":
        for name in ("clinicalStatus", "verificationStatus"):
            if name in resource:
                resource[name] = resource[name]["coding"][0]["code"]
        if "recordedDate" in resource:
            resource["assertedDate"] = resource.pop("recordedDate")
    elif kind == "AllergyIntolerance":
        for name in ("clinicalStatus", "verificationStatus"):
            if name in resource:
                resource[name] = resource[name]["coding"][0]["code"]
    elif kind == "MedicationAdministration" and resource["status"] == "not-done":
        resource["status"] = "completed"
        resource["notGiven"] = True
        if "statusReason" in resource:
            resource["reasonNotGiven"] = resource.pop("statusReason")
    elif kind == "ServiceRequest":
        resource["resourceType"] = "ProcedureRequest"
    elif kind == "ExplanationOfBenefit":
        for item in resource["item"]:
            item["service"] = item.pop("productOrService")
    return resource


def _with_selections_of_stu3(request: Json) -> Json:
    context = request["context"]
    if "selections" in context:
        context["selections"] = [each.replace("ServiceRequest/", "ProcedureRequest/") for each in context["selections"]]
    return request


def _lone_things(resource: Json) -> Json:
    """Where FHIR has a list, the one thing in it by itself."""
    for each in list(_everywhere(resource)):
        for name, value in each.items():
            if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and name not in _ALWAYS_LISTS:
                each[name] = value[0]
    return resource


_ALWAYS_LISTS = frozenset({"ingredient", "contained"})

# What must not change a letter of any answer.
SAME: dict[str, Disguise] = {
    "two blanks for one": _with_words(lambda text: text.replace(" ", "  ")),
    "no-break spaces": _with_words(lambda text: text.replace(" ", "\N{NO-BREAK SPACE}")),
    "tabs and line breaks": _with_words(lambda text: text.replace(" ", "\t\n", 1).replace(" ", "\r\n")),
    "thin and ideographic spaces": _with_words(lambda text: text.replace(" ", "\N{THIN SPACE}\N{IDEOGRAPHIC SPACE}")),
    "blanks around": _with_words(lambda text: f"  {text} \n"),
    "zero-width spaces": _with_words(lambda text: _in_another_word(text, "\N{ZERO WIDTH SPACE}")),
    "soft hyphens": _with_words(lambda text: _in_another_word(text, "\N{SOFT HYPHEN}")),
    "fullwidth letters": _with_words(_fullwidth),
    "secure systems": _with_system(lambda system: system.replace("http://", "https://", 1)),
    "systems with a slash at the end": _with_system(lambda system: f"{system}/"),
    "systems in capitals": _with_system(lambda system: system.replace("http://", "HTTP://", 1)),
    "systems with a version": _with_system(lambda system: f"{system}|2025-09"),
    "systems as object identifiers": _with_codings(_as_oid),
    "blanks around codes": _with_codings(_code_padded),
    "statuses in capitals": _statuses(str.upper),
    "statuses with a capital": _statuses(str.capitalize),
    "statuses with underscores": _statuses(lambda status: status.replace("-", "_")),
    "blanks around statuses": _statuses(lambda status: f" {status} "),
    "lists turned round": _with_prefetch(_entries_turned_round),
    "pages that overlap": _with_prefetch(_entries_twice),
    "wrapped in a batch response": _wrapped_in("batch-response"),
    "wrapped in a collection": _wrapped_in("collection"),
    "wrapped in Parameters": _wrapped_in("Parameters"),
    "a warning beside the matches": _with_prefetch(_warned),
    "included resources beside the matches": _with_prefetch(_beside_others),
    "the patient by full address and version": _by_full_address,
    "no subject": _with_resources(_without_subjects),
    "lone things for lists": _with_resources(_lone_things),
}
# Other versions of FHIR: the same rules speak at the same level; what is offered may be written by hand.
VERSIONS: dict[str, Disguise] = {
    "R5": _with_resources(_in_r5),
    "STU3": lambda request: _with_selections_of_stu3(_with_resources(_in_stu3)(request)),
}
