"""Any JSON in any place: what no EHR should send and some day one will, as Hypothesis draws it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from cards.library import load
from cards.record import Source
from cards.rule import Hook
from cards.vignettes import Vignette, VignetteFile, all_files
from service.cds_hooks.as_if import AS_IF
from service.cds_hooks.outcome import OperationOutcome
from service.cds_hooks.response import CDSResponse
from service.demo import ehr
from service.demo.orders import FIELDS
from tests.service.fhir.reading import LOINC, PATIENT, SNOMED, TODAY, UCUM, Json, bundle, coded

MEAN = [
    "", " ", "#", "Medication/", "urn:uuid:", "2026-02-30", "0000", "9999-12", "9999-12-31T23:59:59-14:00", "2026-1-1",
    "NaN", "Infinity", "1e999", "9" * 400, "-1", "٣", "²", "1/0", "0/7", "99/52", "every 0 days", "q0d", "x0",
    "0 doses", "every 999 years", "1,000,000,000 mg", "0.0.1 mg/ml", "<", "> ", "< . ng/L", "5 mg/0 ml",
    "entered-in-error", "\0",
]  # fmt: skip
TOKENS = [
    "every", "each", "q", "x", "for", "over", "in", "then", "to", "-", "/", ",", ".", "0", "1", "2.5", "12", "52",
    "999", "٣", "three", "third", "once", "twice", "daily", "weekly", "monthly", "day", "weeks", "months", "years",
    "doses", "3/12", "0/7", "mg", "1,000", "ml", "tablet", "half", "one", "to be taken", "Mon", "alternate", "per",
    "a", "review", "stat", "IM",
]  # fmt: skip
NUMBERS = (
    st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, -0.0, 1e308, 5e-324])
)
NAMES = st.sampled_from(["coding", "code", "text", "value", "reference", "resourceType", "start", "low", "x"])
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(MEAN) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)

DRUG = {"coding": [{"system": SNOMED, "code": "409258004", "display": "Hydroxocobalamin"}], "text": "hydroxocobalamin"}
STRENGTH = {"numerator": {"value": 1, "unit": "mg"}, "denominator": {"value": 1, "unit": "mL"}}
PRODUCT = {
    "resourceType": "Medication",
    "id": "m",
    "code": DRUG,
    "ingredient": [{"itemCodeableConcept": DRUG, "strength": STRENGTH}],
}
REPEAT = {
    "frequency": 3,
    "frequencyMax": 3,
    "period": 1,
    "periodMax": 2,
    "periodUnit": "wk",
    "dayOfWeek": ["mon"],
    "when": ["MORN"],
    "count": 6,
    "countMax": 7,
    "boundsPeriod": {"start": "2026-11-01", "end": "2026-12-01"},
    "boundsDuration": {"value": 2, "code": "wk"},
}
DOSAGE = {
    "sequence": 1,
    "text": "1 mg IM deltoid alternate days for 2 weeks, then every 3 months",
    "additionalInstruction": [{"text": "slowly"}],
    "timing": {"repeat": REPEAT, "code": {"coding": [{"system": "x", "code": "Q2D"}]}, "event": ["2026-11-01"]},
    "asNeededBoolean": False,
    "site": {"coding": [{"system": SNOMED, "code": "723979003"}], "text": "buttock"},
    "route": {"coding": [{"system": SNOMED, "code": "78421000"}], "text": "IM"},
    "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg", "system": UCUM, "code": "mg"}}],
    "doseRange": {"low": {"value": 1, "unit": "mg"}, "high": {"value": 2, "unit": "mg"}},
}
ORDER = {
    "resourceType": "MedicationRequest",
    "id": "1",
    "meta": {"lastUpdated": "2026-11-01T08:00:00Z"},
    "status": "active",
    "statusReason": {"text": "refused"},
    "category": [{"coding": [{"code": "inpatient"}]}],
    "medicationReference": {"reference": "#m", "display": "hydroxocobalamin"},
    "contained": [PRODUCT],
    "subject": {"reference": f"Patient/{PATIENT}"},
    "authoredOn": "2026-10-01",
    "reasonCode": [{"text": "Pernicious anaemia", "coding": [{"system": SNOMED, "code": "84027009"}]}],
    "note": [{"text": "into the thigh"}],
    "priorPrescription": {"reference": "MedicationRequest/0"},
    "dosageInstruction": [DOSAGE, {**DOSAGE, "sequence": 2}],
}
SAMPLES: dict[Source, Json] = {
    Source.PATIENT: {"resourceType": "Patient", "id": PATIENT, "birthDate": "1950-01", "deceasedBoolean": False},
    Source.MEDICATIONS: ORDER,
    Source.PROBLEMS: {
        "resourceType": "Condition",
        "clinicalStatus": coded("x", "active"),
        "verificationStatus": coded("x", "confirmed"),
        "code": {**coded("http://hl7.org/fhir/sid/icd-10", "E53.8"), "text": "B12 deficiency"},
        "onsetDateTime": "2019-05",
        "onsetPeriod": {"start": "2019"},
        "abatementPeriod": {"end": "2020"},
        "recordedDate": "2019-06-01",
        "evidence": [{"code": [{"text": "B12"}]}],
        "extension": [{"url": "condition-dueTo", "valueCodeableConcept": {"text": "B12"}}],
        "note": [{"text": "B12"}],
    },
    Source.DOSES: {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": DRUG,
        "effectivePeriod": {"start": "2026-11-01", "end": "2026-11-01"},
        "statusReason": [{"text": "refused"}],
        "dosage": {**DOSAGE, "dose": {"value": 1, "unit": "mg"}},
    },
    Source.STATEMENTS: {
        "resourceType": "MedicationStatement",
        "status": "completed",
        "medicationCodeableConcept": DRUG,
        "effectivePeriod": {"start": "2026-10-01", "end": "2026-11-01"},
        "dateAsserted": "2026-11-02",
        "taken": "y",
        "dosage": [DOSAGE],
    },
    Source.DISPENSES: {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "medicationCodeableConcept": DRUG,
        "whenHandedOver": "2026-11-01",
        "quantity": {"value": 2, "unit": "ampoules"},
        "daysSupply": {"value": 168, "unit": "days"},
        "dosageInstruction": [DOSAGE],
    },
    Source.LABS: {
        "resourceType": "Observation",
        "status": "final",
        "code": coded(LOINC, "2132-9"),
        "effectiveDateTime": "2026-11-01",
        "effectivePeriod": {"start": "2026-11-01"},
        "valueQuantity": {"value": 150, "comparator": "<", "unit": "ng/L", "system": UCUM, "code": "ng/L"},
        "interpretation": [{"coding": [{"code": "L"}], "text": "low"}],
        "referenceRange": [
            {"low": {"value": 180, "unit": "ng/L"}, "high": {"value": 900}, "type": coded("x", "normal")}
        ],
        "component": [{"code": coded(LOINC, "31444-3"), "valueCodeableConcept": {"coding": [{"display": "positive"}]}}],
    },
    Source.PROCEDURES: {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Ileal resection 45 cm"},
        "performedPeriod": {"start": "2001-02-03"},
        "note": [{"text": "45 cm"}],
    },
    Source.ALLERGIES: {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": coded("x", "active"),
        "verificationStatus": coded("x", "confirmed"),
        "type": "allergy",
        "code": DRUG,
        "reaction": [{"substance": DRUG, "manifestation": [{"text": "Anaphylaxis"}], "severity": "severe"}],
    },
    Source.FAMILY: {
        "resourceType": "FamilyMemberHistory",
        "status": "completed",
        "patient": {"reference": f"Patient/{PATIENT}"},
        "condition": [{"code": {"text": "Pernicious anaemia"}}],
    },
    Source.TESTS: {
        "resourceType": "ServiceRequest",
        "status": "active",
        "code": {**coded(LOINC, "2132-9"), "text": "Vitamin B12"},
        "occurrencePeriod": {"start": "2026-12-01"},
        "authoredOn": "2026-11-01",
        "reasonCode": [{"text": "tired"}],
    },
    Source.APPOINTMENTS: {
        "resourceType": "Appointment",
        "status": "booked",
        "serviceType": [{"text": "B12 injection"}],
        "start": "2026-12-01T09:00:00Z",
        "description": "B12",
    },
    Source.CLAIMS: {
        "resourceType": "ExplanationOfBenefit",
        "status": "active",
        "outcome": "complete",
        "item": [
            {
                "productOrService": coded("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "J3420"),
                "servicedPeriod": {"start": "2026-11-01"},
            }
        ],
    },
}
Path = tuple[str | int, ...]


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    """Every place in a resource, the resource itself first."""
    yield here
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, (*here, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from paths(inner, (*here, position))


def spoiled(value: Any, path: Path, junk: Any) -> Any:
    """A copy with `junk` in the place of `path`."""
    if not path:
        return junk
    step, *rest = path
    if isinstance(value, dict):
        return {name: spoiled(inner, tuple(rest), junk) if name == step else inner for name, inner in value.items()}
    return [spoiled(inner, tuple(rest), junk) if at == step else inner for at, inner in enumerate(value)]


@st.composite
def spoiled_samples(draw: st.DrawFn, source: Source) -> Any:
    """A sample with junk in one to three of its places."""
    resource: Any = SAMPLES[source]
    for _ in range(draw(st.integers(1, 3))):
        resource = spoiled(resource, draw(st.sampled_from(list(paths(resource)))), draw(JUNK))
    return resource


# --- a call, spoiled in some of its places ---------------------------------------------------------------------------

# Text of JSON that a call holds under the name on the left; the name alone is drawn, so that what is drawn stays short.
_LONG = (
    "B12 ", "every ", "1 ", "1/", "(", "<", " ", "-", ".", "9", "mg ", "2026-", "for 3 days, then ", "0.0", "IM/", ",,",
    "1 mg every 1 day ", "a1", "\u0301", "Vitamin", "half a ", "x2 ", "once daily for 1 week ", "12\n", "10^", "no ",
    "to ", "then ", "1 to ", "1-", "1mg ", "mg/", "1,000,", "1 / ", "1.1.", "(a) ", "3/12 ", "to be taken ", "\t", "\n",
    "a b ", "tablet ", "injection ", "buttock ", "> ", "150 ng/L ", "#", "Medication/", "not ", "in ", "T0",
    "é", "_", "é_ ", "\u00b5",
)  # fmt: skip
_ODD: Mapping[str, bytes] = {
    **{f"<long text {number}>": json.dumps(text * (60_000 // len(text))).encode() for number, text in enumerate(_LONG)},
    **{f"<{depth} lists>": b"[" * depth + b"]" * depth for depth in (100, 260, 900)},
    **{f"<{depth} objects>": b'{"code":' * depth + b"1" + b"}" * depth for depth in (100, 260, 900)},
    "<resource in itself>": b'{"contained":[{"resourceType":"Medication","id":"m","ingredient":' * 60
    + b"[]"
    + b"}]}" * 60,
    "<long list>": b"[" + b"null," * 9_999 + b"{}]",
    "<long integer>": b"9" * 300,
    "<many digits>": b"0." + b"1" * 10_000,
    "<nothing left>": b"1e-999",
}
_UNREADABLE: Mapping[str, bytes] = {
    "<NaN>": b"NaN",
    "<infinity>": b"-Infinity",
    "<too large>": b"1e999",
    "<half a pair>": b'"\\ud800"',
    "<no UTF-8>": b'"\xff\xfe"',
    "<bottomless>": b"[" * 5_000,
    "<nothing>": b"",
}
# A reference to itself, or to what refers back.
CIRCLES: tuple[Json, ...] = (
    {**ORDER, "contained": [{**PRODUCT, "ingredient": [{"itemReference": {"reference": "#m"}}]}]},
    {**ORDER, "contained": [ORDER], "medicationReference": {"reference": "#1"}},
    {**ORDER, "medicationReference": {"reference": "MedicationRequest/1"}, "contained": []},
    {**ORDER, "priorPrescription": {"reference": "MedicationRequest/1"}, "basedOn": [{"reference": "#1"}]},
    {"resourceType": "Medication", "id": "m", "ingredient": [{"itemReference": {"reference": "Medication/m"}}]},
    bundle(bundle(bundle(ORDER))),
)
DRAFTS: tuple[Json, ...] = (
    ORDER,
    SAMPLES[Source.TESTS],
    {"resourceType": "NutritionOrder", "id": "n", "status": "draft", "oralDiet": {"type": [{"text": "vegan"}]}},
    {"resourceType": "Immunization", "id": "i"},
    *CIRCLES,
)
CASES = [(file, vignette) for file in all_files().values() for vignette in file.vignettes if not vignette.settings]
FEEDBACK: Json = {
    "feedback": [
        {
            "card": "8d3f1c1e-7a70-4e0c-9f1e-0c5c3a8f0001",
            "outcome": "accepted",
            "acceptedSuggestions": [{"id": "1b0a6d9f-52c3-4c0a-8e39-3b1c8f3a0002"}],
            "outcomeTimestamp": "2026-11-25T09:30:08Z",
        },
        {
            "card": "8d3f1c1e-7a70-4e0c-9f1e-0c5c3a8f0002",
            "outcome": "overridden",
            "overrideReason": {
                "reason": {"code": "patient-choice", "system": "urn:x", "display": "Patient's choice"},
                "userComment": "says no",
            },
            "outcomeTimestamp": "2026-11-25T09:30:08.571+01:00",
        },
    ]
}
_MOMENTS = (
    "2026-11-25T09:30:60Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-25T24:00:00Z",
    "2026-11-25T09:30:08.1234567890123Z", "2026-02-29T00:00:00Z", "2026-11-25T09:30:08+99:99", "1969-12-31T23:59:59Z",
)  # fmt: skip


class Call(NamedTuple):
    """What is sent: a POST of `content`, which is meant to be JSON, to `path`."""

    path: str
    content: bytes


def at(value: Any, path: Path) -> Any:
    """What stands in a place."""
    for step in path:
        value = value[step]
    return value


def without(value: Any, path: Path) -> Any:
    """A copy in which nothing stands in a place, which is not the whole."""
    step, *rest = path
    if rest:
        return spoiled(value, (step,), without(value[step], tuple(rest)))
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name != step}
    return [inner for at_, inner in enumerate(value) if at_ != step]


@st.composite
def spoiled_in_places(draw: st.DrawFn, whole: Any, most: int = 4) -> Any:
    """The whole with one to `most` changes: junk, a node gone, in a list, moved elsewhere, or another of its kind."""
    for _ in range(draw(st.integers(1, most))):
        _, *inner = paths(whole)
        places = inner or [()]
        place = draw(st.sampled_from(places))
        here = at(whole, place)
        match draw(st.sampled_from(["junk", "odd", "gone", "listed", "elsewhere", "alike", "alike"])):
            case "gone" if place:
                whole = without(whole, place)
            case "listed":
                whole = spoiled(whole, place, [here] * draw(st.integers(1, 3)))
            case "elsewhere":
                whole = spoiled(whole, place, at(whole, draw(st.sampled_from(places))))
            case "odd":
                whole = spoiled(whole, place, draw(st.sampled_from(sorted(_ODD))))
            case "alike":
                whole = spoiled(whole, place, draw(_alike(here)))
            case _:
                whole = spoiled(whole, place, draw(JUNK))
    return whole


def _alike(value: Any) -> st.SearchStrategy[Any]:
    """Junk of the same kind, which goes deeper than junk of another."""
    if isinstance(value, str):
        words = st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join)
        endless = st.sampled_from(_LONG).map(lambda text: f"{value} {text * (20_000 // len(text))}")
        return st.sampled_from([*MEAN, *_MOMENTS]) | words | st.text(max_size=20) | endless
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, (int, float)):
        return NUMBERS
    if isinstance(value, list):
        return st.just([*value, *value]) | st.just([]) | st.just(value[::-1])
    if isinstance(value, dict):
        return st.just({}) | st.just(list(value.values()))
    return JUNK


@cache
def _resources(key: str) -> list[Json]:
    """What all vignettes together hold under one prefetch key, or as drafts, each once."""
    calls = [_call_of(file, vignette) for file, vignette in CASES]
    bundles = [
        each["context"].get(key, {}) if key == "draftOrders" else each["prefetch"].get(key, {}) for each in calls
    ]
    found = [entry["resource"] for each in bundles for entry in each.get("entry", ())]
    return list({json.dumps(each): each for each in found}.values())


@cache
def _prefetched(source: Source) -> st.SearchStrategy[Any]:
    """Anything under one prefetch key: junk, a list of good and spoiled resources, a spoiled list."""
    if source is Source.PATIENT:
        return st.just(SAMPLES[source]) | spoiled_samples(source) | JUNK
    good = st.sampled_from([SAMPLES[source], *_resources(source.value)])
    bad = spoiled_samples(source) | good.flatmap(spoiled_in_places) | st.sampled_from(CIRCLES) | JUNK
    many = st.lists(good | good | bad, max_size=4).map(lambda found: bundle(*found))
    anything = many.flatmap(spoiled_in_places) | JUNK | st.sampled_from(sorted(_ODD))
    return many | many | many | anything


@cache
def _drafts() -> st.SearchStrategy[Any]:
    good = st.sampled_from([*DRAFTS, *_resources("draftOrders")])
    bad = good.flatmap(spoiled_in_places) | JUNK
    many = st.lists(good | good | bad, min_size=1, max_size=3).map(lambda found: bundle(*found))
    return many | many | many.flatmap(spoiled_in_places)


@st.composite
def _junk_call(draw: st.DrawFn) -> Call:
    """A call with junk under every prefetch key and in every draft."""
    hook = draw(st.sampled_from(list(Hook)))
    context: Json = {"patientId": PATIENT, "userId": "Practitioner/1"}
    if hook.about_orders:
        context["draftOrders"] = draw(_drafts())
        context["selections"] = draw(st.just(["MedicationRequest/1"]) | JUNK)
    request = {
        "hook": hook.value,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": context,
        "prefetch": {source.value: draw(_prefetched(source)) for source in Source},
        "extension": {AS_IF: {"today": TODAY.isoformat(), "profile": draw(st.sampled_from(["uk", "us"]))}},
    }
    # All of it is about one patient, or it would be refused unread as another's.
    content = _content(request).replace(ehr.PATIENT.encode(), PATIENT.encode())
    return Call(f"/cds-services/b12-{hook.value}", content)


@st.composite
def _spoiled_call(draw: st.DrawFn) -> Call:
    """The call of a vignette, spoiled in some places."""
    file, vignette = draw(st.sampled_from(CASES))
    request = draw(spoiled_in_places(_call_of(file, vignette)))
    if isinstance(request, dict):
        request = request | {"extension": {AS_IF: {"today": file.today.isoformat(), "profile": vignette.profile}}}
    return Call(f"/cds-services/b12-{vignette.hook.value}", _content(request))


def _call_of(file: VignetteFile, vignette: Vignette) -> Json:
    return ehr.request(vignette, file.today, load().terminology)


@st.composite
def _unreadable_call(draw: st.DrawFn) -> Call:
    """A call that is no JSON, or no request."""
    whole = _call_of(*draw(st.sampled_from(CASES[:20])))
    if draw(st.booleans()):
        place = draw(st.sampled_from(list(paths(whole))))
        content = _content(spoiled(whole, place, draw(st.sampled_from(sorted(_UNREADABLE)))))
    else:
        content = _content(whole)
        content = content[: draw(st.integers(0, len(content)))] + draw(st.binary(max_size=8))
    return Call(f"/cds-services/b12-{draw(st.sampled_from(list(Hook))).value}", content)


@st.composite
def _feedback_call(draw: st.DrawFn) -> Call:
    """Feedback, spoiled in some places, or junk."""
    sent: Any = draw(spoiled_in_places(FEEDBACK) | st.builds(dict, feedback=JUNK) | JUNK)
    return Call(f"/cds-services/b12-{draw(st.sampled_from(list(Hook))).value}/feedback", _content(sent))


@st.composite
def _sandbox_call(draw: st.DrawFn) -> Call:
    """A call of the sandbox's own script about a request that is spoiled."""
    file, vignette = draw(st.sampled_from(CASES))
    request = draw(spoiled_in_places(_call_of(file, vignette)))
    sent: Json = {
        "request": request,
        "draft": draw(st.integers(-1, 2) | JUNK),
        "field": draw(st.sampled_from(FIELDS) | JUNK),
        "value": draw(st.sampled_from(MEAN) | JUNK),
        "hook": draw(st.just(vignette.hook.value) | JUNK),
        "suggestion": draw(st.just({"label": "x", "actions": [{"type": "create", "resource": ORDER}]}) | JUNK),
        "response": draw(JUNK),
    }
    name = draw(st.sampled_from(["screen", "field", "accept", "answer"]))
    return Call(f"/sandbox/{name}", _content(sent))


junk_calls, spoiled_calls, unreadable_calls = _junk_call(), _spoiled_call(), _unreadable_call()
feedback_calls, sandbox_calls = _feedback_call(), _sandbox_call()
# What a FHIR server may answer with, as the body of a search.
junk_answers: st.SearchStrategy[bytes] = st.sampled_from(
    [each for each in Source if each is not Source.PATIENT]
).flatmap(lambda source: _prefetched(source).map(_content))


def _content(value: Any) -> bytes:
    """The JSON that is sent, the names of odd parts replaced by what they stand for."""
    content = json.dumps(value).encode()
    for name, part in _odd_parts().items():
        content = content.replace(name, part)
    return content


@cache
def _odd_parts() -> Mapping[bytes, bytes]:
    return {json.dumps(name).encode(): part for name, part in {**_ODD, **_UNREADABLE}.items()}


# --- the answer ------------------------------------------------------------------------------------------------------

_REFUSALS = (400, 412, 413)


def wrong_with(call: Call, status: int, content: bytes) -> str | None:
    """What is wrong with an answer, in short; None for cards as the standard has them, and for a reasoned refusal."""
    if status == 200 and call.path.startswith("/sandbox/"):
        return None if content.startswith(b"{") else "no JSON object"
    if status == 200 and call.path.endswith("/feedback"):
        return None if content == b"{}" else "an answer to feedback that is not empty"
    if status != 200 and status not in _REFUSALS:
        return f"status {status}"
    return _unlike(CDSResponse if status == 200 else OperationOutcome, content)


def _unlike(model: type[BaseModel], content: bytes) -> str | None:
    try:
        model.model_validate_json(content)
    except ValidationError as wrong:
        faults = {f"{'.'.join(map(str, fault['loc']))}: {fault['type']}" for fault in wrong.errors()}
        return f"no {model.__name__}: {'; '.join(sorted(faults)[:3])}"
    return None
