"""The explanation of a call: every rule has its verdict, and the reason stands in plain words."""

from __future__ import annotations

import dataclasses
from datetime import date
from functools import cache
from typing import Any

import anyio
import pytest

from cards.library import load
from cards.rule import Profile
from cards.vignettes import Vignette, all_files
from cards.wording import REASONS
from service.clients.client import open_client
from service.commands.explain import explain as as_text
from service.demo import ehr
from service.endpoints.hooks import envelope, hook_call
from service.explain import Explanation, RuleExplained, UnknownCode, UnreadDraft, Verdict, explain
from service.respond import Responder, build
from service.settings import Settings

LIBRARY = load()
TODAY = date(2026, 11, 23)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
FOLIC_ACID = {"drug": "folic acid", "dose": "5 mg", "route": "oral", "every": "1 d"}
EVERY_3_MONTHS = {"drug": "hydroxocobalamin", "dose": "1 mg", "route": "IM", "every": "3 mo"}
PERNICIOUS = {"is": "pernicious_anemia", "meaning": "autoimmune", "day": "2026-10-01"}
NEUROPATHY = {"is": "peripheral_neuropathy", "day": "2026-10-10"}

DEFICIENT = {"of": "b12_total_serum", "result": "96 ng/L", "day": "2026-10-01"}


@cache
def responder(profile: Profile = "uk") -> Responder:
    """Whoever answers, built once for each profile."""
    return build(Settings(profile=profile))


def request(**patient: Any) -> dict[str, Any]:
    """A call at signing about this patient."""
    vignette = Vignette.model_validate(
        {"name": "a patient", "hook": "order-sign", "expect": "no card", "orders": [FOLIC_ACID], **patient}
    )
    return ehr.request(vignette, TODAY, LIBRARY.terminology)


def explained(document: dict[str, Any], today: date = TODAY, asked: Responder | None = None) -> Explanation:
    """The explanation of a call."""
    asked = asked or responder()
    service = asked.services[f"b12-{document['hook']}"]
    return anyio.run(explain, asked, service, hook_call(service, envelope(document)), LIBRARY, today)


def rule(told: Explanation, topic: str) -> RuleExplained:
    """What became of one rule."""
    (found,) = [each for each in told.rules if each.topic == topic]
    return found


def test_a_rule_that_speaks_shows_its_facts_its_draft_and_its_limits() -> None:
    told = explained(request(problems=[PERNICIOUS]))

    folate = rule(told, "folate-before-b12")
    (finding,) = folate.findings
    assert (folate.verdict, folate.level, finding.draft) == (Verdict.SPEAKS, "critical", 1)
    assert ("drug", "folic acid") in finding.facts
    assert ("dose", "5 mg") in finding.facts
    assert finding.summary == told.cards[0].summary
    assert finding.offers[0].endswith("(recommended)")
    assert folate.conditions[0][0].startswith("WHEN folic acid")
    assert [limit.value for limit in folate.limits if limit.name == "folate_mcg_day"] == ["400 mcg/day"]


def test_a_draft_shows_the_rules_that_it_triggers() -> None:
    told = explained(request(orders=[FOLIC_ACID, {**EVERY_3_MONTHS, "site": "left buttock"}]))

    assert told.drafts[0].wakes == ("folate-before-b12",)
    assert "buttock-injection-site" in told.drafts[1].wakes
    assert rule(told, "b12-dose-unit").verdict is Verdict.NOT_ABOUT_THESE


def test_a_rule_that_gives_way_names_the_one_that_speaks() -> None:
    told = explained(request(orders=[EVERY_3_MONTHS], problems=[PERNICIOUS, NEUROPATHY]))

    interval = rule(told, "maintenance-interval")
    assert (interval.verdict, interval.merged_into) == (Verdict.MERGED, "loading-regimen")


def test_a_reasoned_silence_gives_the_reason() -> None:
    told = explained(request(orders=[FOLIC_ACID, EVERY_3_MONTHS], problems=[PERNICIOUS]))

    folate = rule(told, "folate-before-b12")
    assert (folate.verdict, folate.findings[0].why) == (Verdict.EXCLUDED, "B12 is drafted with it")


def test_a_rule_that_lacked_data_says_which_and_why() -> None:
    document = request()
    document["prefetch"]["labs"] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}

    folate = rule(explained(document), "folate-before-b12")

    assert (folate.verdict, folate.findings[0].why) == (
        Verdict.NOT_EVALUATED,
        "laboratory results: could not be retrieved",
    )


def test_a_rule_that_found_nothing_says_when_it_would_speak() -> None:
    folate = rule(explained(request()), "folate-before-b12")

    assert (folate.verdict, folate.findings[0].why) == (Verdict.NOTHING_FOUND, "nothing on record fits")
    assert any(clause.startswith("AND B12 deficiency is documented") for clause in folate.conditions[0])


def test_a_call_without_required_data_is_explained_as_refused() -> None:
    document = request()
    document["prefetch"] = {}

    told = explained(document)

    assert told.missing_keys == ("problems", "labs")
    assert "412: required prefetch keys are absent: problems, labs" in as_text(document, responder(), LIBRARY, TODAY)


def test_what_follows_from_the_facts_is_told() -> None:
    told = explained(
        request(
            problems=[PERNICIOUS, NEUROPATHY],
            labs=[DEFICIENT],
        )
    )

    assert dict(told.judgements) == {
        "B12 status": "deficient (serum B12 96 ng/L, 2026-10-01)",
        "documented deficiency": "serum B12 96 ng/L, 2026-10-01",
        "irreversible cause": "pernicious anaemia, 2026-10-01",
        "neurological involvement": "peripheral neuropathy, 2026-10-10",
        "B12 cover": "none",
    }


def test_what_is_not_known_is_not_called_none() -> None:
    document = request()
    del document["prefetch"]["problems"]

    assert dict(explained(document).judgements)["irreversible cause"] == "not known"


def test_drug_codes_that_are_in_no_value_set_are_listed() -> None:
    document = request()
    document["context"]["draftOrders"]["entry"][0]["resource"]["medicationCodeableConcept"] = {
        "coding": [{"system": RXNORM, "code": "999999999", "display": "Folic Acid 5 MG Oral Tablet"}]
    }

    assert explained(document).unknown_drugs == (UnknownCode(RXNORM, "999999999", "folic acid"),)
    assert f"{RXNORM}|999999999: read as folic acid by its words" in as_text(document, responder(), LIBRARY, TODAY)


def test_what_could_not_be_read_is_told() -> None:
    document = request(problems=[PERNICIOUS])
    theirs = {"resource": {"resourceType": "Condition", "subject": {"reference": "Patient/somebody-else"}}}
    document["prefetch"]["problems"]["entry"].append(theirs)
    document["prefetch"]["labs"] = {"resourceType": "Binary"}
    other = {"resourceType": "MedicationRequest", "id": "m", "subject": {"reference": "Patient/somebody-else"}}
    document["context"]["draftOrders"]["entry"] += ["x", {"resource": other}]

    told = explained(document)

    assert told.unread_drafts == (
        UnreadDraft("entry 1", "could not be read"),
        UnreadDraft("MedicationRequest/m", "is for another patient"),
    )
    text = as_text(document, responder(), LIBRARY, TODAY)
    assert "entry 1: could not be read" in text
    assert "labs: holds something else than it should" in text
    assert "resources of other patients are left out" in text


def test_a_card_that_is_not_shown_to_this_client_says_so() -> None:
    silent = dataclasses.replace(open_client(Settings()), rules={"folate-before-b12": "silent"})

    told = explained(request(problems=[PERNICIOUS]), asked=Responder(LIBRARY, silent))

    (finding,) = rule(told, "folate-before-b12").findings
    assert (finding.verdict, finding.shown) == (Verdict.SPEAKS, False)
    assert told.cards == ()


def test_why_a_patient_gets_no_card_is_told() -> None:
    document = request(hook="patient-view", orders=[], labs=[DEFICIENT])
    document["context"]["userId"] = f"Patient/{ehr.PATIENT}"

    told = explained(document)

    assert told.cards == ()
    assert told.no_cards_because == "the reader is the patient or a relative; cards are for clinicians"
    assert rule(told, "untreated-deficiency").verdict is Verdict.SPEAKS


def test_no_identifier_name_or_birth_date_is_told() -> None:
    document = request(problems=[PERNICIOUS])
    document["prefetch"]["patient"] |= {"name": [{"family": "Marker"}], "birthDate": "1958-04-12"}
    document["prefetch"]["problems"]["entry"][0]["resource"] |= {"id": "marker-1", "note": [{"text": "marker"}]}

    said = as_text(document, responder(), LIBRARY, TODAY)

    assert "68 years old" in said
    for identifier in ("marker", "1958", "04-12", document["context"]["patientId"], document["hookInstance"]):
        assert identifier not in said.lower()


@pytest.mark.parametrize("topic", list(all_files()))
def test_every_example_patient_is_explained_as_it_is_answered(topic: str) -> None:
    """One verdict for each rule of the service, the same cards as the answer has, and a reason for every silence."""
    file = all_files()[topic]
    for vignette in file.vignettes[::4]:
        document = ehr.request(vignette, file.today, LIBRARY.terminology)
        told = explained(document, file.today, responder(vignette.profile))

        speaking = [each.topic for each in told.rules if each.verdict is Verdict.SPEAKS]
        assert {card.topic for card in told.cards} - {"not-evaluated"} == set(speaking)
        for each in told.rules:
            assert each.findings or each.verdict is Verdict.NOT_ABOUT_THESE
            assert all(finding.why and "_" not in finding.why for finding in each.findings)
            assert all(finding.why.rpartition(": ")[2] not in _BARE for finding in each.findings)


# Reasons as the response's extension has them, which are no words for a reader.
_BARE = {reason for reason, words in REASONS.items() if "-" in reason and reason != words}
