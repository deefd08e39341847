"""A fault of our own costs what it is in: one rule, one resource, one card, one count; never the call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any, Never, cast

import anyio
import pytest

from cards.library import CardSpec, CreateTest, Library, load
from cards.record import Source, Unreadable
from cards.rule import Hook, Level, Profile, Rule
from cards.vignettes import Vignette, all_files
from service.app import create_app
from service.clients.client import open_client
from service.demo import ehr
from service.endpoints.hooks import envelope, hook_call
from service.operations import metrics
from service.respond import Answer, HookCall, PrefetchIncomplete, Responder, Service
from service.settings import Settings
from service.store.ledger import CallNoted, NoLedger
from tests.service.fhir.reading import LABS, PATIENT, READER, RXNORM, TODAY
from tests.serving import client_of

MARKED = "marked-patient-value"
EVALUATION = "urn:b12-cds:evaluation"
LIBRARY = load()
PROFILES: tuple[Profile, ...] = ("uk", "us")
# So many example patients for each rule on each hook; those in whom the rule speaks come first.
ENOUGH = 3
Json = dict[str, Any]


def fail(*_: object) -> Never:
    raise ValueError(MARKED)


@cache
def responder(profile: Profile, library: Library | None = None) -> Responder:
    return Responder(library or LIBRARY, open_client(Settings(profile=profile)))


@dataclass(frozen=True)
class Case:
    """An example patient as a call, and what is answered when nothing is broken."""

    vignette: Vignette
    today: date
    call: HookCall
    body: Json
    merged: Mapping[str, str]

    @property
    def service(self) -> Service:
        return responder(self.vignette.profile).services[f"b12-{self.vignette.hook}"]

    def answered(self, service: Service | None = None, by: Responder | None = None) -> Json:
        """What the call is answered with by a service of which a part is broken."""
        asked = by or responder(self.vignette.profile)
        return anyio.run(asked.respond, service or self.service, self.call, self.today).body()


@cache
def cases() -> Sequence[Case]:
    """Every example patient that is answered under the thresholds of its profile; who signs has selected before."""
    found = []
    for file in all_files().values():
        own = [each for each in file.vignettes if not each.settings]
        selecting = [
            each.model_copy(update={"hook": Hook.ORDER_SELECT}) for each in own if each.hook is Hook.ORDER_SIGN
        ]
        for vignette in (*own, *selecting):
            asked = responder(vignette.profile)
            service = asked.services[f"b12-{vignette.hook}"]
            call = hook_call(service, envelope(ehr.request(vignette, file.today, LIBRARY.terminology)))
            try:
                answer = anyio.run(asked.respond, service, call, file.today)
            except PrefetchIncomplete:
                continue
            merged = answer.evaluation.merged if answer.evaluation else {}
            found.append(Case(vignette, file.today, call, answer.body(), merged))
    return found


def asked_of(topic: str, hook: Hook, profile: Profile) -> list[Case]:
    """Example patients of whom the rule is asked."""
    here = [each for each in cases() if each.vignette.hook is hook and each.vignette.profile == profile]
    found = [each for each in here if topic in {*evaluated(each.body), *gaps(each.body)}]
    return sorted(found, key=lambda each: topic not in spoken(each.body))[:ENOUGH]


def spoken(body: Json) -> dict[str, list[tuple[str, ...]]]:
    """The words of the cards of rules, by topic."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for card in body["cards"]:
        labels = [each["label"] for each in card.get("suggestions", ())]
        words = (card["indicator"], card["summary"], card["detail"], *labels)
        found.setdefault(card["source"]["topic"]["code"], []).append(words)
    found.pop("not-evaluated", None)
    return found


def evaluated(body: Json) -> set[str]:
    return set(body.get("extension", {}).get(EVALUATION, {}).get("evaluated", ()))


def gaps(body: Json) -> dict[str, tuple[list[str], str]]:
    told = body.get("extension", {}).get(EVALUATION, {}).get("notEvaluated", ())
    return {each["topic"]: (each.get("data", []), each["reason"]) for each in told}


def check_that_only(topic: str, case: Case, answered: Json) -> None:
    """Fails unless the broken rule is named and all other rules say what they said."""
    before, after = spoken(case.body), spoken(answered)
    assert gaps(answered)[topic] == ([], "fault")
    assert topic not in after
    assert topic not in evaluated(answered)
    for other in {*before} - {topic}:
        assert after[other] == before[other]
    # What had stepped back for the broken rule speaks for itself, or for whoever stepped back for that.
    assert {*after} - {*before} <= {*case.merged}
    assert evaluated(answered) - {topic} == evaluated(case.body) - {topic}
    assert {name: gap for name, gap in gaps(answered).items() if name != topic} == {
        name: gap for name, gap in gaps(case.body).items() if name != topic
    }
    assert MARKED not in str(answered)
    named = [card for card in answered["cards"] if card["source"]["topic"]["code"] == "not-evaluated"]
    if case.vignette.hook is Hook.ORDER_SIGN and rule_of(topic, case).highest_level is not Level.INFO:
        assert LIBRARY.folders[topic].definition.question in named[0]["summary"] + named[0]["detail"]


def rule_of(topic: str, case: Case) -> Rule:
    return next(each for each in case.service.rules if each.topic == topic)


def with_rule(case: Case, topic: str, broken: Callable[[Rule], Rule]) -> Service:
    rules = tuple(broken(each) if each.topic == topic else each for each in case.service.rules)
    return replace(case.service, rules=rules)


ASKED = [(rule.topic, hook) for rule in LIBRARY.rules("uk") for hook in sorted(rule.hooks)]
FAULTS: dict[str, Callable[[Rule], Rule]] = {
    "criteria": lambda rule: replace(rule, criteria=fail),
    "trigger": lambda rule: replace(rule, triggered_by=fail),
    "level": lambda rule: replace(rule, levels={**dict.fromkeys(("-",), rule.highest_level)}),
}


@pytest.mark.parametrize(("topic", "hook"), ASKED)
def test_a_fault_in_a_rule_costs_that_rule(topic: str, hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    found = [case for profile in PROFILES for case in asked_of(topic, hook, profile)]
    assert found

    for case in found:
        counted = metrics.count("b12_cds_faults_total", part="rule")
        check_that_only(topic, case, case.answered(with_rule(case, topic, FAULTS["criteria"])))
        assert metrics.count("b12_cds_faults_total", part="rule") > counted
        if hook.about_orders:
            check_that_only(topic, case, case.answered(with_rule(case, topic, FAULTS["trigger"])))
        if topic in spoken(case.body):
            check_that_only(topic, case, case.answered(with_rule(case, topic, FAULTS["level"])))

    assert f"fault in rule of {topic}: ValueError at {__name__}" in caplog.text
    assert MARKED not in caplog.text


def speaking(topic: str) -> list[Case]:
    """Example patients in whom the rule speaks."""
    return [case for hook in Hook for profile in PROFILES for case in asked_of(topic, hook, profile)
            if topic in spoken(case.body)]  # fmt: skip


def with_card(topic: str, **changes: Any) -> Library:
    """The library with other words in the cards of a rule."""
    folder = LIBRARY.folders[topic]
    card: CardSpec = folder.definition.card.model_copy(update=changes)
    definition = folder.definition.model_copy(update={"card": card})
    return replace(LIBRARY, folders={**LIBRARY.folders, topic: replace(folder, definition=definition)})


@pytest.mark.parametrize("topic", LIBRARY.folders)
def test_a_fault_in_the_words_of_a_card_costs_its_rule(topic: str, caplog: pytest.LogCaptureFixture) -> None:
    broken = with_card(topic, why_now="{{ 1 // 0 }}")
    found = speaking(topic)
    assert found

    for case in found:
        by = Responder(broken, open_client(Settings(profile=case.vignette.profile)))
        check_that_only(topic, case, case.answered(by=by))

    assert f"fault in wording of {topic}: ZeroDivisionError" in caplog.text


OFFERING = [topic for topic, folder in LIBRARY.folders.items() if folder.definition.card.suggestions]
NO_SUCH_TEST = (CreateTest(test="none of ours"),)


@pytest.mark.parametrize("topic", OFFERING)
def test_a_fault_in_an_offer_costs_its_rule(topic: str, caplog: pytest.LogCaptureFixture) -> None:
    suggestions = [
        each.model_copy(update={"actions": NO_SUCH_TEST, "when": (), "unless": ()})
        for each in LIBRARY.folders[topic].definition.card.suggestions
    ]
    broken = with_card(topic, suggestions=tuple(suggestions))

    for case in speaking(topic):
        by = Responder(broken, open_client(Settings(profile=case.vignette.profile)))
        check_that_only(topic, case, case.answered(by=by))

    assert f"fault in wording of {topic}: KeyError" in caplog.text


def test_where_cards_cannot_be_merged_each_speaks(caplog: pytest.LogCaptureFixture) -> None:
    merging = [case for case in cases() if case.merged]
    assert merging

    for case in merging:
        rules = tuple(replace(each, problems=cast("Any", (None,))) for each in case.service.rules)
        answered = case.answered(replace(case.service, rules=rules))
        assert {*spoken(answered)} == {*spoken(case.body), *case.merged}
        assert evaluated(answered) == evaluated(case.body)

    assert "fault in merging of cards: AttributeError" in caplog.text


def test_a_fault_is_no_reason_to_ask_for_data() -> None:
    """A call that lacks every key, of which one rule could not have been answered anyway."""
    case = next(each for each in cases() if "folate-before-b12" in spoken(each.body))
    bare = replace(case, call=replace(case.call, prefetch={}))
    with pytest.raises(PrefetchIncomplete):
        bare.answered(replace(case.service, rules=(rule_of("folate-before-b12", case),)))

    answered = bare.answered(replace(case.service, rules=(FAULTS["criteria"](rule_of("folate-before-b12", case)),)))

    assert gaps(answered) == {"folate-before-b12": ([], "fault")}


# --- over HTTP ---------------------------------------------------------------------------------------------------


class Broken:
    """A service of which a rule fails, or whose answer cannot be counted."""

    def __init__(self, case: Case, topic: str | None = None, unrecognised_codes: int = 0) -> None:
        self._case = case
        service = with_rule(case, topic, FAULTS["criteria"]) if topic else case.service
        self.services = {service.id: service}
        self._unrecognised_codes = unrecognised_codes

    async def respond(self, service: Service, call: HookCall, today: date) -> Answer:
        answer = await responder(self._case.vignette.profile).respond(service, call, today)
        return replace(answer, unrecognised_codes=answer.unrecognised_codes + self._unrecognised_codes)


class FailingLedger(NoLedger):
    """A store in which nothing can be written down."""

    def note(self, call: CallNoted) -> None:
        raise OSError(MARKED)


def posted(case: Case, broken: Broken, ledger: NoLedger | None = None) -> tuple[int, Json]:
    app = create_app(Settings(), lambda: case.today, broken, ledger=ledger)
    request = ehr.request(case.vignette, case.today, LIBRARY.terminology)

    async def post() -> tuple[int, Json]:
        async with client_of(app) as client:
            answer = await client.post(f"/cds-services/{case.service.id}", json=request)
            return answer.status_code, answer.json()

    return anyio.run(post)


def first_of(hook: Hook) -> tuple[Case, str]:
    return next((each, topic) for each in cases() for topic in spoken(each.body) if each.vignette.hook is hook)


@pytest.mark.parametrize("hook", Hook)
def test_a_call_with_a_rule_that_fails_is_answered(hook: Hook) -> None:
    case, topic = first_of(hook)

    status, body = posted(case, Broken(case, topic))

    assert status == 200
    check_that_only(topic, case, body)


def test_what_cannot_be_written_down_is_said(caplog: pytest.LogCaptureFixture) -> None:
    case, _ = first_of(Hook.ORDER_SIGN)

    status, body = posted(case, Broken(case), FailingLedger())

    assert (status, spoken(body)) == (200, spoken(case.body))
    assert "fault in store of order-sign: OSError" in caplog.text
    assert MARKED not in caplog.text


def test_what_cannot_be_counted_is_said(caplog: pytest.LogCaptureFixture) -> None:
    case, _ = first_of(Hook.ORDER_SIGN)

    status, body = posted(case, Broken(case, unrecognised_codes=-1))

    assert (status, spoken(body)) == (200, spoken(case.body))
    assert "fault in metrics of order-sign: ValueError" in caplog.text


def test_a_refusal_that_cannot_be_written_down_is_sent() -> None:
    case = next(each for each in cases() if "folate-before-b12" in spoken(each.body))
    only = replace(case.service, rules=(rule_of("folate-before-b12", case),))
    broken = Broken(case)
    broken.services = {only.id: only}
    request = {**ehr.request(case.vignette, case.today, LIBRARY.terminology), "prefetch": {}}

    async def post() -> int:
        async with client_of(create_app(Settings(), lambda: case.today, broken, ledger=FailingLedger())) as client:
            return (await client.post(f"/cds-services/{only.id}", json=request)).status_code

    assert anyio.run(post) == 412


# --- reading -----------------------------------------------------------------------------------------------------


class Failing(dict[str, Any]):
    """A resource of which no member can be read but what it is and whose it is."""

    readable = frozenset({"resourceType", "id", "subject", "patient"})

    def get(self, name: str, default: Any = None) -> Any:
        if name in self.readable or name in self.telling:
            return super().get(name, default)
        raise LookupError(MARKED)

    telling: frozenset[str] = frozenset()


class FailingOfDrug(Failing):
    """One that says of which drug it is, too."""

    telling = frozenset({"medicationCodeableConcept", "medicationReference", "medication", "contained"})


B12 = {"coding": [{"system": RXNORM, "code": "11248"}], "text": "Cyanocobalamin 1 mg/ml injection"}
OF_DRUG = ("MedicationRequest", "MedicationAdministration", "MedicationStatement", "MedicationDispense")
RESOURCES: dict[Source, Json] = {
    Source.PATIENT: {"resourceType": "Patient", "id": PATIENT, "birthDate": "1950-01-01"},
    Source.PROBLEMS: {"resourceType": "Condition"},
    Source.MEDICATIONS: {"resourceType": "MedicationRequest"},
    Source.DOSES: {"resourceType": "MedicationAdministration"},
    Source.STATEMENTS: {"resourceType": "MedicationStatement"},
    Source.DISPENSES: {"resourceType": "MedicationDispense"},
    Source.LABS: {"resourceType": "Observation"},
    Source.PROCEDURES: {"resourceType": "Procedure"},
    Source.ALLERGIES: {"resourceType": "AllergyIntolerance"},
    Source.FAMILY: {"resourceType": "FamilyMemberHistory"},
    Source.TESTS: {"resourceType": "ServiceRequest"},
    Source.APPOINTMENTS: {"resourceType": "Appointment"},
    Source.CLAIMS: {"resourceType": "ExplanationOfBenefit"},
}


@pytest.mark.parametrize("source", Source)
def test_a_fault_in_reading_makes_the_resource_not_understood(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    resource = RESOURCES[source]
    of_drug = resource["resourceType"] in OF_DRUG
    members = {
        "subject": {"reference": f"Patient/{PATIENT}"},
        **({"medicationCodeableConcept": B12} if of_drug else {}),
    }
    failing = (FailingOfDrug if of_drug else Failing)({**members, **resource})
    reading = READER.reading(LABS, PATIENT, TODAY, dict)
    counted = metrics.count("b12_cds_faults_total", part="reading")

    for _ in range(3):
        assert tuple(reading.facts(source, failing)) == (Unreadable(None, None, "unreadable"),)

    # One line: an EHR that sends one thing in a shape that fails sends a thousand.
    lines = [each for each in caplog.messages if each.startswith(f"fault in reading of {source}: LookupError at ")]
    assert len(lines) == 1
    assert MARKED not in caplog.text
    assert metrics.count("b12_cds_faults_total", part="reading") == counted + 1


@pytest.mark.parametrize("kind", ["MedicationRequest", "ServiceRequest"])
def test_a_fault_in_reading_a_draft_costs_that_draft(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    subject = {"reference": f"Patient/{PATIENT}"}
    failing = FailingOfDrug(
        {"resourceType": kind, "id": "a", "status": "draft", "subject": subject, "medicationCodeableConcept": B12}
    )
    good = {"resourceType": "MedicationRequest", "id": "b", "status": "draft", "medicationCodeableConcept": B12}
    entries = [{"resource": failing}, {"resource": good}]

    found = READER.drafts({"resourceType": "Bundle", "entry": entries}, PATIENT, None, TODAY)

    assert [each.reference for each in found.orders] == ["MedicationRequest/b"]
    assert "fault in reading of draftOrders: LookupError" in caplog.text
    assert MARKED not in caplog.text


def test_the_log_of_the_service_says_a_fault_at_the_level_of_errors(caplog: pytest.LogCaptureFixture) -> None:
    case, topic = first_of(Hook.PATIENT_VIEW)

    case.answered(with_rule(case, topic, FAULTS["criteria"]))

    assert {each.levelno for each in caplog.records if each.name == "service.operations.faults"} == {logging.ERROR}
