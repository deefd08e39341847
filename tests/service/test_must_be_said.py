"""What was sent and could not be read is named: no rule that needed it is silent, and no draft of it passes unseen.

The tables are made of what there is: every key that a rule needs, every rule, and both profiles.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from cards.library import load
from cards.record import Source
from cards.rule import PROFILES, Hook, Profile
from cards.vignettes import ExpectedCard, Vignette, all_files
from service.clients.client import Mode, open_client
from service.demo import ehr
from service.endpoints.hooks import envelope, hook_call
from service.fhir.drafts import SIGNED
from service.fhir.sources import TYPES
from service.respond import Responder
from service.settings import Settings
from tests.serving import service_on

pytestmark = pytest.mark.anyio

EVALUATION, UNCHECKED = "urn:b12-cds:evaluation", "urn:b12-cds:unchecked"
TODAY = date(2026, 11, 23)
Json = dict[str, Any]
Way = Callable[[Source, Any], Any]


async def answer(request: Json, today: date = TODAY, vignette: Vignette | None = None) -> Json:
    profile: Profile = vignette.profile if vignette else "uk"
    thresholds = vignette.settings if vignette else None
    async with service_on(today, profile, thresholds) as client:
        answered = await client.post(f"/cds-services/b12-{request['hook']}", json=request)
    assert answered.status_code == 200, answered.text
    return dict(answered.json())


def topics(body: Json) -> list[str]:
    return [card["source"]["topic"]["code"] for card in body["cards"]]


def report(body: Json) -> Json:
    return dict(body.get("extension", {}).get(EVALUATION, {}))


# --- sources -------------------------------------------------------------------------------------------------------


def of_type(kind: str) -> Json:
    return {"resourceType": kind, "id": "x", "status": "active", "subject": {"reference": f"Patient/{ehr.PATIENT}"}}


def bundle(*resources: Any) -> Json:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": each} for each in resources]}


def swapped(source: Source) -> Json:
    """A resource of another key's type."""
    other = Source.LABS if source is not Source.LABS else Source.PROBLEMS
    return of_type(min(TYPES[other]))


def of_another_patient(source: Source, value: Any) -> Any:
    resources = [entry["resource"] for entry in value.get("entry", [])] or [of_type(min(TYPES[source]))]
    others = []
    for resource in resources:
        resource = {name: each for name, each in resource.items() if name not in ("subject", "patient", "participant")}
        others.append({**resource, "subject": {"reference": "urn:uuid:5f339d06-b1d0-366b-8578-1dffecfe4f07"}})
    return bundle(*others)


def wrapped(value: Any) -> Json:
    return {"resourceType": "Bundle", "type": "batch-response", "entry": [{"resource": value}]}


ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "processing"}]}
WAYS: dict[str, Way] = {
    "another key's type": lambda source, _: bundle(swapped(source)),
    "another key's type beside": lambda source, value: {
        **value,
        "entry": [*value.get("entry", []), {"resource": swapped(source)}],
    },
    "a type of no key": lambda *_: bundle(of_type("DocumentReference")),
    "one resource of another type": lambda *_: of_type("CarePlan"),
    "a misspelt type": lambda source, _: bundle({**of_type("x"), "resourceType": min(TYPES[source]).lower()}),
    "no type": lambda *_: bundle({"id": "x"}),
    "another patient": of_another_patient,
    "a wrapper of a wrapper": lambda _, value: wrapped(wrapped(value)),
    "an outcome": lambda *_: ERROR,
    "an outcome beside": lambda _, value: {**value, "entry": [*value.get("entry", []), {"resource": ERROR}]},
    "a batch that failed": lambda *_: {
        "resourceType": "Bundle",
        "type": "batch-response",
        "entry": [{"response": {"status": "500 Internal Server Error"}}],
    },
    "a Binary": lambda *_: {"resourceType": "Binary", "contentType": "application/json", "data": "e30="},
    "Parameters": lambda *_: {"resourceType": "Parameters", "parameter": [{"name": "return", "valueString": "x"}]},
    "a List": lambda *_: {"resourceType": "List", "status": "current", "mode": "working"},
    "a list without anything": lambda *_: [],
    "a text": lambda *_: "<Bundle/>",
    "a number": lambda *_: 0,
    "a truth": lambda *_: False,
    "an object": lambda *_: {},
    "entries that are none": lambda *_: {"resourceType": "Bundle", "entry": "none"},
    "entries without resource": lambda *_: {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:x"}]},
}


# Nothing to prove by this one: without a result, the potassium that is ordered excludes the rule.
_EXCLUDED = "Potassium of 2.9 with a potassium already ordered still interrupts"


def speaking() -> Iterator[tuple[str, date, Vignette]]:
    """For each rule, profile and hook the first example patient to whom it speaks."""
    seen = set()
    for topic, file in all_files().items():
        for vignette in file.vignettes:
            place = (topic, vignette.profile, vignette.hook)
            if isinstance(vignette.expect, ExpectedCard) and place not in seen and vignette.name != _EXCLUDED:
                seen.add(place)
                yield topic, file.today, vignette


def needing() -> Iterator[Any]:
    """The same with each key without which the rule has no answer."""
    rules = {(rule.topic, profile): rule for profile in PROFILES for rule in load().rules(profile)}
    for topic, today, vignette in speaking():
        for need in rules[topic, vignette.profile].needed(vignette.hook):
            if need.instead is None:
                name = f"{topic}, {vignette.profile}, {vignette.hook.value}, {need.source.value}"
                yield pytest.param(topic, today, vignette, need.source, id=name)


@pytest.mark.parametrize(("topic", "today", "vignette", "source"), list(needing()))
async def test_no_rule_is_silent_when_what_it_needs_could_not_be_read(
    topic: str, today: date, vignette: Vignette, source: Source
) -> None:
    request = ehr.request(vignette, today, load().terminology)
    silent = []
    for name, way in WAYS.items():
        spoiled = copy.deepcopy(request)
        spoiled["prefetch"][source.value] = way(source, spoiled["prefetch"][source.value])
        body = await answer(spoiled, today, vignette)
        named = {gap["topic"] for gap in report(body).get("notEvaluated", []) if source.value in gap["data"]}
        if topic not in topics(body) and topic not in named:
            silent.append(name)
    assert silent == []


async def test_a_key_of_nothing_but_another_patients_says_so() -> None:
    request = at_signing(FOLIC_ACID)
    request["prefetch"]["labs"] = of_another_patient(Source.LABS, {})
    [gap] = report(await answer(request))["notEvaluated"]
    assert (gap["data"], gap["reason"]) == (["labs"], "another-patient")


async def test_what_is_left_out_of_a_key_is_named_and_costs_no_rule_its_answer() -> None:
    request = at_signing(FOLIC_ACID)
    theirs = {**CONDITION, "id": "2", "subject": {"reference": "Patient/somebody-else"}}
    older = {**CONDITION, "recordedDate": "2019-01-01"}
    request["prefetch"]["problems"] = bundle(CONDITION, older, theirs)
    told = report(await answer(request))
    assert told["sources"] == [
        {"data": "problems", "reason": "another-patient"},
        {"data": "problems", "reason": "duplicate"},
    ]
    assert told["evaluated"] == ["folate-before-b12"]


# --- drafts --------------------------------------------------------------------------------------------------------

FOLIC_ACID: Json = {
    "resourceType": "MedicationRequest",
    "id": "d1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": f"Patient/{ehr.PATIENT}"},
    "medicationCodeableConcept": {"text": "Folic acid 5mg tablets"},
    "dosageInstruction": [
        {
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
        }
    ],
}
CONDITION: Json = {"resourceType": "Condition", "id": "1", "code": {"text": "Asthma"}, "recordedDate": "2020-01-01"}
TESTS = ("ServiceRequest", "ProcedureRequest", "DiagnosticOrder")
ORDER_HOOKS = tuple(hook for hook in Hook if hook.about_orders)
NO_DRUG: Json = {"medicationCodeableConcept": {}}
BARE = {name: value for name, value in FOLIC_ACID.items() if name != "medicationCodeableConcept"}
LOCAL = {"coding": [{"system": "https://ehr.example.org/drugs", "code": "4711"}]}


def with_drafts(hook: Hook, *entries: Any, **context: Any) -> Json:
    return {
        "hook": hook.value,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "patientId": ehr.PATIENT,
            "userId": "Practitioner/example",
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": list(entries)},
            **context,
        },
        "prefetch": {source.value: bundle() for source in Source if source is not Source.PATIENT},
    }


def at_signing(*drafts: Any) -> Json:
    return with_drafts(Hook.ORDER_SIGN, *({"resource": each} for each in drafts))


UNREAD: dict[str, tuple[Any, Json]] = {
    "an unknown type": ({"resource": {**FOLIC_ACID, "resourceType": "MedicationRequst"}}, {"position": 0}),
    "a type in small letters": ({"resource": {**FOLIC_ACID, "resourceType": "medicationrequest"}}, {"position": 0}),
    "no type": ({"resource": {**BARE, "resourceType": None}}, {"position": 0}),
    "a type that is no text": ({"resource": {**BARE, "resourceType": ["MedicationRequest"]}}, {"position": 0}),
    "a text": ({"resource": "x"}, {"position": 0}),
    "a list": ({"resource": [FOLIC_ACID]}, {"position": 0}),
    "null": ({"resource": None}, {"position": 0}),
    "no resource": ({"fullUrl": "urn:uuid:1"}, {"position": 0}),
    "an entry that is a text": ("x", {"position": 0}),
    "an entry that is null": (None, {"position": 0}),
    "an outcome": ({"resource": ERROR}, {"position": 0}),
    "a Binary": ({"resource": {"resourceType": "Binary"}}, {"position": 0}),
    "Bundles in a Bundle": ({"resource": bundle(bundle(FOLIC_ACID))}, {"position": 0}),
    "an unknown type in a Bundle": ({"resource": bundle({"resourceType": "x"})}, {"position": 0}),
    "a drug that is an empty object": ({"resource": {**BARE, **NO_DRUG}}, {"reference": "MedicationRequest/d1"}),
    "no id": ({"resource": {**BARE, **NO_DRUG, "id": None}}, {"position": 0}),
    "an id that names nothing": ({"resource": {**BARE, **NO_DRUG, "id": "a b"}}, {"position": 0}),
}
UNRESOLVED: dict[str, Json] = {
    "a reference to nothing": {**BARE, "medicationReference": {"reference": "Medication/zz"}},
    "a reference to nothing contained": {**BARE, "medicationReference": {"reference": "#zz"}},
    "a reference of R5 to nothing": {**BARE, "medication": {"reference": {"reference": "Medication/zz"}}},
    "an identifier": {**BARE, "medicationReference": {"identifier": {"value": "4711"}}},
    "an identifier of R5": {**BARE, "medication": {"reference": {"identifier": {"value": "4711"}}}},
    "a local code without words": {**BARE, "medicationCodeableConcept": LOCAL},
    "a local code without words of R5": {**BARE, "medication": {"concept": LOCAL}},
    "a Medication without words": {
        **BARE,
        "contained": [{"resourceType": "Medication", "id": "m", "code": LOCAL}],
        "medicationReference": {"reference": "#m"},
    },
    "a test by a local code without words": {"resourceType": "ServiceRequest", "id": "d1", "code": LOCAL},
    "a test of R5 by a local code without words": {
        "resourceType": "ServiceRequest",
        "id": "d1",
        "code": {"concept": LOCAL},
    },
}
OF_ANOTHER = [
    pytest.param({**FOLIC_ACID, "resourceType": kind, "subject": {"reference": reference}}, id=f"{kind}, {reference}")
    for kind in sorted(SIGNED)
    for reference in (
        "Patient/somebody-else",
        "https://ehr.example.org/r4/Patient/somebody-else",
        "urn:uuid:5f339d06-b1d0-366b-8578-1dffecfe4f07",
        "Group/1",
    )
]


def check_named(hook: Hook, body: Json, expected: list[Json]) -> None:
    """That the drafts are named in the extension at every order hook, and at signing on one card without words."""
    assert report(body) == {"version": 1, "draftOrders": expected}
    if hook is not Hook.ORDER_SIGN:
        assert body["cards"] == []
        return
    [card] = body["cards"]
    assert card["source"]["topic"]["code"] == "not-evaluated"
    assert card["indicator"] == "info"
    assert card["extension"] == {UNCHECKED: ["draftOrders"]}
    for secret in ("somebody-else", "4711", "d1", ehr.PATIENT):
        assert secret not in card["summary"] + card["detail"]


@pytest.mark.parametrize("hook", ORDER_HOOKS)
@pytest.mark.parametrize("way", UNREAD)
async def test_a_draft_that_cannot_be_read_is_named(way: str, hook: Hook) -> None:
    entry, place = UNREAD[way]
    check_named(hook, await answer(with_drafts(hook, entry)), [{**place, "reason": "unreadable"}])


@pytest.mark.parametrize("draft", [BARE, *({"resourceType": kind, "id": "d1"} for kind in TESTS)])
async def test_an_order_for_nothing_is_named_at_signing_and_unfinished_before(draft: Json) -> None:
    expected = {"reference": f"{draft['resourceType']}/d1", "reason": "unreadable"}
    check_named(Hook.ORDER_SIGN, await answer(at_signing(draft)), [expected])
    assert await answer(with_drafts(Hook.ORDER_SELECT, {"resource": draft})) == {"cards": []}


@pytest.mark.parametrize("hook", ORDER_HOOKS)
@pytest.mark.parametrize("way", UNRESOLVED)
async def test_a_draft_of_which_nobody_can_tell_what_it_is_for_is_named(way: str, hook: Hook) -> None:
    draft = UNRESOLVED[way]
    expected = {"reference": f"{draft['resourceType']}/d1", "reason": "unresolved"}
    check_named(hook, await answer(with_drafts(hook, {"resource": draft})), [expected])


@pytest.mark.parametrize("draft", OF_ANOTHER)
async def test_a_draft_for_another_patient_is_named(draft: Json) -> None:
    expected = {"reference": f"{draft['resourceType']}/d1", "reason": "another-patient"}
    for hook in ORDER_HOOKS:
        check_named(hook, await answer(with_drafts(hook, {"resource": draft})), [expected])


@pytest.mark.parametrize(
    "kind",
    [
        "NutritionOrder",
        "VisionPrescription",
        "DeviceRequest",
        "CommunicationRequest",
        "Appointment",
        "Task",
        "Medication",
        "Patient",
        "SupplyRequest",
    ],
)
async def test_an_order_of_a_type_that_no_rule_reads_is_none_of_ours(kind: str) -> None:
    assert await answer(at_signing({"resourceType": kind, "id": "d1"})) == {"cards": []}


@pytest.mark.parametrize(
    "draft",
    [
        {**BARE, "medicationCodeableConcept": {"text": "Amoxicillin 500mg capsules"}},
        {**BARE, "medicationCodeableConcept": {**LOCAL, "text": "Amoxicillin"}},
        {**BARE, "medicationReference": {"reference": "Medication/zz", "display": "Amoxicillin"}},
        {**BARE, "medicationCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "27658006"}]}},
        {**FOLIC_ACID, "status": "entered-in-error"},
        {"resourceType": "ServiceRequest", "code": {"text": "Chest X-ray"}},
        {"resourceType": "ServiceRequest", "code": {"coding": [{"system": "http://loinc.org", "code": "24627-2"}]}},
        {"resourceType": "ReferralRequest", "reasonCode": [{"text": "Back pain"}]},
    ],
)
async def test_a_draft_that_was_read_and_triggers_nothing_is_answered_with_nothing(draft: Json) -> None:
    assert await answer(at_signing(draft)) == {"cards": []}


async def test_where_every_rule_is_silent_an_unread_draft_is_no_card_either() -> None:
    silent: dict[str, Mode] = dict.fromkeys(load().folders, "silent")
    client = dataclasses.replace(open_client(Settings()), rules=silent)
    responder = Responder(load(), client)
    service = responder.services["b12-order-sign"]
    said = await responder.respond(service, hook_call(service, envelope(at_signing("x"))), TODAY)
    assert said.body()["cards"] == []
    assert report(said.body())["draftOrders"] == [{"position": 0, "reason": "unreadable"}]


async def test_a_draft_whose_drug_is_not_found_is_read_by_the_words_beside_the_reference() -> None:
    draft = {**FOLIC_ACID, "medicationReference": {"reference": "Medication/zz", "display": "Folic acid 5 mg"}}
    del draft["medicationCodeableConcept"]
    assert report(await answer(at_signing(draft))) == {"version": 1, "evaluated": ["folate-before-b12"]}


@pytest.mark.parametrize(
    "entry",
    [
        {"resource": bundle(FOLIC_ACID)},
        FOLIC_ACID,
        {"fullUrl": "urn:uuid:1", "resource": {**FOLIC_ACID, "subject": {"identifier": {"value": "1"}}}},
    ],
    ids=["a Bundle in the Bundle", "no entry around it", "the patient by an identifier"],
)
async def test_a_draft_one_level_inside_is_read(entry: Json) -> None:
    body = await answer(with_drafts(Hook.ORDER_SIGN, entry))
    assert report(body) == {"version": 1, "evaluated": ["folate-before-b12"]}


async def test_one_card_names_the_drafts_and_the_questions_that_stay_open() -> None:
    request = at_signing(FOLIC_ACID, "x", {**FOLIC_ACID, "subject": {"reference": "Patient/somebody-else"}})
    request["prefetch"]["labs"] = ERROR
    body = await answer(request)
    [card] = body["cards"]
    assert card["extension"] == {UNCHECKED: ["labs", "draftOrders"]}
    assert (
        card["summary"] == "2 drafted orders could not be checked for vitamin B12, and 1 other check could not be made."
    )
    assert "1 order that could not be read" in card["detail"]
    assert "1 order for another patient" in card["detail"]
    assert "laboratory results (could not be retrieved)" in card["detail"]
    assert [each["reason"] for each in report(body)["draftOrders"]] == ["unreadable", "another-patient"]


# --- selections ----------------------------------------------------------------------------------------------------

ADDRESS = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
NAMED: dict[str, Any] = {
    "its reference": "MedicationRequest/d1",
    "its id": "d1",
    "a version of it": "MedicationRequest/d1/_history/2",
    "its address": "https://ehr.example.org/r4/MedicationRequest/d1",
    "the address of its entry": ADDRESS,
    "the end of that": "0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
    "another name of its type": "MedicationOrder/d1",
    "a Reference": {"reference": "MedicationRequest/d1"},
    "a resource": {"resourceType": "MedicationRequest", "id": "d1"},
}
OTHER: Json = {**FOLIC_ACID, "id": "d2", "medicationCodeableConcept": {"text": "Amoxicillin"}}


def choosing(selections: Any) -> Json:
    entries = ({"fullUrl": ADDRESS, "resource": FOLIC_ACID}, {"resource": OTHER})
    return with_drafts(Hook.ORDER_SELECT, *entries, selections=selections)


@pytest.mark.parametrize("way", NAMED)
async def test_a_selection_may_name_its_draft_in_any_way(way: str) -> None:
    assert report(await answer(choosing([NAMED[way]]))) == {"version": 1, "evaluated": ["folate-before-b12"]}
    assert report(await answer(choosing(NAMED[way]))) == {"version": 1, "evaluated": ["folate-before-b12"]}


async def test_a_number_names_the_draft_of_that_id() -> None:
    request = with_drafts(Hook.ORDER_SELECT, {"resource": {**FOLIC_ACID, "id": "7"}}, {"resource": OTHER})
    request["context"]["selections"] = [7]
    assert report(await answer(request))["evaluated"] == ["folate-before-b12"]


@pytest.mark.parametrize("selections", [None, [], ["nothing"], ["MedicationRequest/nothing"], [{}], [None], 0, ""])
async def test_where_selections_match_no_draft_all_drafts_count(selections: Any) -> None:
    assert report(await answer(choosing(selections))) == {"version": 1, "evaluated": ["folate-before-b12"]}


async def test_the_other_drafts_are_context_only() -> None:
    assert await answer(choosing(["MedicationRequest/d2"])) == {"cards": []}


async def test_where_some_selections_match_the_others_are_named() -> None:
    body = await answer(choosing(["d2", "MedicationRequest/nothing", {"x": 1}]))
    assert body["cards"] == []
    assert report(body) == {
        "version": 1,
        "draftOrders": [
            {"reference": "MedicationRequest/nothing", "reason": "unresolved"},
            {"position": 2, "reason": "unresolved"},
        ],
    }


async def test_two_drafts_of_one_id_are_told_apart_by_their_type() -> None:
    test = {"resourceType": "ServiceRequest", "id": "d1", "code": {"text": "Chest X-ray"}}
    request = with_drafts(Hook.ORDER_SELECT, {"resource": FOLIC_ACID}, {"resource": test})
    request["context"]["selections"] = ["ServiceRequest/d1"]
    assert await answer(request) == {"cards": []}


@pytest.mark.parametrize("profile", PROFILES)
async def test_a_draft_that_stands_twice_is_one(profile: Profile) -> None:
    async with service_on(TODAY, profile) as client:
        once, twice = [
            (await client.post("/cds-services/b12-order-sign", json=at_signing(*drafts))).json()
            for drafts in ([FOLIC_ACID], [FOLIC_ACID, FOLIC_ACID])
        ]
    assert once == twice
