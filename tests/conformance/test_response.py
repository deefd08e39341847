"""What a hook call is answered with, requirement by requirement, on calls that get cards."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from service.cds_hooks.response import CDSResponse
from service.endpoints import openapi
from service.respond import build
from service.settings import Settings
from tests.conformance.emptiness import empty_members
from tests.service.calls import SIGN, TODAY, VIEW, Json, order_sign, with_context
from tests.serving import service_on

pytestmark = pytest.mark.anyio
EVALUATION = "urn:b12-cds:evaluation"


def calls() -> dict[str, Json]:
    """Calls that get cards: hydroxocobalamin into a buttock, and folic acid in pernicious anaemia."""
    [sign, select, _] = [openapi.example(each) for each in build(Settings()).services.values()]
    folic_acid = copy.deepcopy(sign)
    [entry] = folic_acid["context"]["draftOrders"]["entry"]
    entry["resource"] = {
        "resourceType": "MedicationRequest",
        "id": "draft-1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/pat-1"},
        "medicationCodeableConcept": {"text": "Folic acid 5mg tablets"},
        "dosageInstruction": [{"text": "ONE tablet daily"}],
    }
    pernicious_anaemia = {
        "resourceType": "Condition",
        "id": "problem-1",
        "subject": {"reference": "Patient/pat-1"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "recordedDate": "2026-01-05",
        "code": {
            "coding": [
                {
                    "system": "http://snomed.info/sct",
                    "code": "84027009",
                    "display": "Pernicious anemia (disorder)",
                }
            ]
        },
    }
    folic_acid["prefetch"]["problems"] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 1,
        "entry": [{"resource": pernicious_anaemia}],
    }
    return {"buttock at signing": sign, "buttock on choosing": select, "folic acid": folic_acid}


@pytest.fixture
async def answers() -> AsyncIterator[dict[str, httpx.Response]]:
    """The answers to these calls, by name."""
    async with service_on(TODAY) as ehr:
        yield {name: await ehr.post(f"/cds-services/b12-{call['hook']}", json=call) for name, call in calls().items()}


def cards(answers: dict[str, httpx.Response]) -> Iterator[Json]:
    """Every card in these answers; each answer has one at least."""
    for name, answer in answers.items():
        assert answer.json()["cards"], name
        yield from answer.json()["cards"]


def suggestions(answers: dict[str, httpx.Response]) -> Iterator[Json]:
    """Every suggestion on these cards."""
    for card in cards(answers):
        yield from card.get("suggestions", [])


@pytest.mark.req(74)
async def test_success_is_an_object_with_a_list_of_cards(answers: dict[str, httpx.Response]) -> None:
    """A call that succeeds gets 200 and cards, in the form that the standard gives them."""
    for answer in answers.values():
        assert answer.status_code == 200
        CDSResponse.model_validate_json(answer.content)


@pytest.mark.req(77)
async def test_nothing_to_say_is_an_empty_list() -> None:
    """No advice is 200 with an empty list; where no rule was asked, there is no extension either."""
    async with service_on(TODAY) as ehr:
        answer = await ehr.post(SIGN, json=order_sign())

    assert (answer.status_code, answer.json()) == (200, {"cards": []})


@pytest.mark.req(3)
async def test_answers_hold_nothing_empty(answers: dict[str, httpx.Response]) -> None:
    """No null, empty text, empty list or empty object is sent, but for an empty list of cards."""
    for answer in answers.values():
        assert list(empty_members(answer.json())) == []


@pytest.mark.req(75)
async def test_nothing_is_changed_without_a_click(answers: dict[str, httpx.Response]) -> None:
    """System actions, which an EHR applies by itself, are never sent."""
    for answer in answers.values():
        assert set(answer.json()) <= {"cards", "extension"}


@pytest.mark.req(80, 81, 118)
async def test_cards_and_suggestions_can_be_told_apart(answers: dict[str, httpx.Response]) -> None:
    """Each card and suggestion has a uuid of its own: without one there is no feedback about it."""
    uuids = [card["uuid"] for card in cards(answers)] + [each["uuid"] for each in suggestions(answers)]

    assert len(uuids) == len(set(uuids))


@pytest.mark.req(83)
async def test_a_summary_is_one_short_line(answers: dict[str, httpx.Response]) -> None:
    """The summary is shorter than 140 characters."""
    for card in cards(answers):
        assert 0 < len(card["summary"]) < 140
        assert "\n" not in card["summary"]


@pytest.mark.req(84, 85)
async def test_the_detail_is_markdown_without_html(answers: dict[str, httpx.Response]) -> None:
    """The detail is GitHub-flavoured Markdown; HTML in it would be run or lost, depending on the EHR."""
    for card in cards(answers):
        assert card["detail"]
        assert not re.search(r"<[A-Za-z/!?]", card["detail"])


@pytest.mark.req(87, 88)
async def test_the_indicator_is_one_of_three(answers: dict[str, httpx.Response]) -> None:
    """A card is info, warning or critical."""
    assert {card["indicator"] for card in cards(answers)} <= {"info", "warning", "critical"}


@pytest.mark.req(90, 105, 107, 115)
async def test_the_source_is_named_with_its_topic(answers: dict[str, httpx.Response]) -> None:
    """The source has a label, and a topic whose code is the rule that spoke."""
    for card in cards(answers):
        assert card["source"]["label"]
        assert card["source"]["topic"]["system"] == "urn:b12-cds:topic"
    topics = {name: [card["source"]["topic"]["code"] for card in cards({name: answers[name]})] for name in answers}
    assert "buttock-injection-site" in topics["buttock at signing"]
    assert "folate-before-b12" in topics["folic acid"]


@pytest.mark.req(92, 93, 95, 96)
async def test_suggestions_come_with_the_way_to_choose(answers: dict[str, httpx.Response]) -> None:
    """SelectionBehavior stands with suggestions, and only with them."""
    assert list(suggestions(answers))
    for card in cards(answers):
        assert (card.get("selectionBehavior") in ("at-most-one", "any")) == ("suggestions" in card)


@pytest.mark.req(98, 99, 100, 136, 216, 217, 218, 219)
async def test_override_reasons_are_codings_with_words(answers: dict[str, httpx.Response]) -> None:
    """Each reason has code, system and display, and stands once."""
    reasons = [card["overrideReasons"] for card in cards(answers) if "overrideReasons" in card]
    assert reasons
    for offered in reasons:
        assert all(set(each) == {"code", "system", "display"} for each in offered)
        assert {each["system"] for each in offered} == {"urn:b12-cds:override-reason"}
        assert len({each["code"] for each in offered}) == len(offered)


@pytest.mark.req(117, 120, 121, 122)
async def test_suggestions_have_a_label_and_at_most_one_is_recommended_of_alternatives(
    answers: dict[str, httpx.Response],
) -> None:
    """Of suggestions that exclude each other one at most is recommended."""
    assert all(each["label"] for each in suggestions(answers))
    for card in cards(answers):
        recommended = [each for each in card.get("suggestions", []) if each.get("isRecommended")]
        assert len(recommended) <= 1 or card["selectionBehavior"] == "any"


@pytest.mark.req(123, 127, 128, 130, 131, 132, 133, 134, 135)
async def test_actions_carry_what_their_kind_needs(answers: dict[str, httpx.Response]) -> None:
    """A create and an update carry a whole resource, a delete the reference alone; all are described."""
    actions = [action for each in suggestions(answers) for action in each["actions"]]
    assert actions
    for action in actions:
        assert action["description"]
        if action["type"] == "delete":
            assert set(action) == {"type", "description", "resourceId"}
        else:
            assert action["type"] in ("create", "update")
            assert set(action) == {"type", "description", "resource"}


@pytest.mark.req(132)
async def test_an_update_returns_the_draft_under_its_id(answers: dict[str, httpx.Response]) -> None:
    """An update replaces the whole draft, so that it must be the draft with the change and no more."""
    [draft] = calls()["buttock at signing"]["context"]["draftOrders"]["entry"]
    updates = [
        action["resource"]
        for each in suggestions({"": answers["buttock at signing"]})
        for action in each["actions"]
        if action["type"] == "update"
    ]
    assert updates
    for resource in updates:
        [dosage], [sent] = resource.pop("dosageInstruction"), draft["resource"]["dosageInstruction"]
        assert resource == {name: value for name, value in draft["resource"].items() if name != "dosageInstruction"}
        assert {name for name in sent if dosage.get(name) != sent[name]} == {"site"}


async def test_no_suggestion_lets_the_reader_pick_single_actions(answers: dict[str, httpx.Response]) -> None:
    """ActionSelectionBehavior is for clients that are known to support it."""
    assert not any("actionSelectionBehavior" in each for each in suggestions(answers))


@pytest.mark.req(103, 138, 139, 140, 141, 142, 144, 145, 146, 147)
async def test_links_are_plain_addresses(answers: dict[str, httpx.Response]) -> None:
    """A link has label, address and type; none launches an app."""
    links = [link for card in cards(answers) for link in card.get("links", [])]
    assert links
    for link in links:
        assert set(link) == {"label", "url", "type"}
        assert link["type"] == "absolute"
        assert link["url"].startswith(("https://", "http://"))


@pytest.mark.req(214, 215)
async def test_what_was_evaluated_stands_in_an_extension_of_our_own(
    answers: dict[str, httpx.Response],
) -> None:
    """What the standard has no member for is an object under a name that nobody else uses."""
    for answer in answers.values():
        extension = answer.json()["extension"]
        assert set(extension) == {EVALUATION}
        assert extension[EVALUATION]["version"] == 1
        assert set(extension[EVALUATION]) <= {"version", "evaluated", "notEvaluated", "unrecognisedCodes"}
    assert "folate-before-b12" in answers["folic acid"].json()["extension"][EVALUATION]["evaluated"]


async def test_patients_are_not_shown_what_is_written_for_clinicians() -> None:
    """A chart that a patient or a relative opens gets no cards."""
    call = order_sign(hook="patient-view")
    async with service_on(TODAY) as ehr:
        for user in ("Patient/pat-1", "RelatedPerson/rel-1"):
            context = {"patientId": "pat-1", "userId": user}
            answer = await ehr.post(VIEW, json={**call, "context": context})
            assert (answer.status_code, answer.json()) == (200, {"cards": []})


@pytest.mark.req(76)
async def test_a_refusal_is_an_operation_outcome() -> None:
    """Answers that are no success say why, in a form that an EHR's integration engine knows."""
    async with service_on(TODAY) as ehr:
        answer = await ehr.post(SIGN, json=with_context(patientId=...))

    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert list(empty_members(answer.json())) == []


CARD: Json = {
    "summary": "A summary",
    "indicator": "info",
    "source": {"label": "A source"},
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"summary": "x" * 140},
        {"summary": ""},
        {"indicator": "hard-stop"},
        {"source": {}},
        {"uuid": "1"},
        {"suggestions": []},
        {"suggestions": [{"label": "A"}]},
        {"selectionBehavior": "any"},
        {"selectionBehavior": "all", "suggestions": [{"label": "A"}]},
        {"selectionBehavior": "at-most-one", "suggestions": [{"label": "A", "isRecommended": True}] * 2},
        {"overrideReasons": [{"code": "a", "system": "b"}]},
        {"links": [{"label": "A", "url": "/relative", "type": "absolute"}]},
        {"links": [{"label": "A", "url": "https://a.example", "type": "absolute", "appContext": "x"}]},
        {"colour": "red"},
        *(
            {"selectionBehavior": "any", "suggestions": [{"label": "A", "actions": [action]}]}
            for action in (
                {"type": "Create", "description": "A", "resource": {"resourceType": "Task"}},
                {"type": "create", "resource": {"resourceType": "Task"}},
                {"type": "create", "description": "A"},
                {"type": "update", "description": "A", "resource": {"resourceType": "Task"}},
                {"type": "delete", "description": "A"},
                {"type": "delete", "description": "A", "resourceId": "1"},
                {
                    "type": "delete",
                    "description": "A",
                    "resourceId": "Task/1",
                    "resource": {"resourceType": "Task"},
                },
            )
        ),
    ],
)
def test_the_model_that_answers_are_checked_against_is_strict(wrong: dict[str, Any]) -> None:
    """A card that breaks the standard does not pass, so that the checks above mean something."""
    CDSResponse.model_validate({"cards": [CARD]})
    with pytest.raises(ValidationError):
        CDSResponse.model_validate({"cards": [{**CARD, **wrong}]})
