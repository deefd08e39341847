"""Every reader of words takes them as their own sentence part means them: each reader with each phrase of the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from cards.record import Reaction, Source, WhyNot
from cards.words.assertion import (
    ACT,
    DISEASE,
    DONE,
    LASTING,
    NAMED,
    SUFFERED,
    Assertion,
    Direction,
    Phrase,
    Sense,
    phrases,
)
from tests.service.fhir.reading import bundle, course, named, order, read, record

HYDROXOCOBALAMIN = {"text": "Hydroxocobalamin 1mg/1ml injection"}


def _condition(text: str) -> bool:
    found = read(Source.PROBLEMS, {"resourceType": "Condition", "id": "1", "code": {"text": text}}).problems
    return any(
        concept.name in ("celiac", "pernicious_anemia", "gastrectomy_status")
        for each in found
        for concept in each.concepts
    )


def _procedure(text: str) -> bool:
    resource = {"resourceType": "Procedure", "id": "1", "status": "completed", "code": {"text": text}}
    return bool(read(Source.PROCEDURES, resource).procedures)


def _relative(text: str) -> bool:
    resource = {"resourceType": "FamilyMemberHistory", "id": "1", "condition": [{"code": {"text": text}}]}
    return bool(read(Source.FAMILY, resource).family)


def _observation(text: str) -> bool:
    resource = {
        "resourceType": "Observation",
        "id": "1",
        "status": "final",
        "code": {"text": text},
        "effectiveDateTime": "2026-10-01",
    }
    return bool(record({Source.LABS: bundle(resource)}, {"nitrous_oxide_exposure"}).problems)


def _allergy_to(text: str) -> bool:
    return bool(
        read(Source.ALLERGIES, {"resourceType": "AllergyIntolerance", "id": "1", "code": {"text": text}}).allergies
    )


def _anaphylaxis(text: str) -> bool:
    reaction = [{"manifestation": [{"text": text}]}]
    resource = {"resourceType": "AllergyIntolerance", "id": "1", "code": {"text": "Vitamin B12"}, "reaction": reaction}
    (found,) = read(Source.ALLERGIES, resource).allergies
    return found.reaction is Reaction.ANAPHYLAXIS


def _described(text: str) -> bool:
    reaction = [{"description": text}]
    resource = {"resourceType": "AllergyIntolerance", "id": "1", "code": {"text": "Vitamin B12"}, "reaction": reaction}
    (found,) = read(Source.ALLERGIES, resource).allergies
    return found.reaction is Reaction.ALLERGIC


def _stopped_for(why: WhyNot) -> Callable[[str], bool]:
    def gives(text: str) -> bool:
        return (
            order(medicationCodeableConcept=HYDROXOCOBALAMIN, status="stopped", statusReason={"text": text}).why_not
            is why
        )

    return gives


def _research(text: str) -> bool:
    return course(medicationCodeableConcept=HYDROXOCOBALAMIN, note=[{"text": text}]).research


def _nutrition(text: str) -> bool:
    return course(medicationCodeableConcept=HYDROXOCOBALAMIN, note=[{"text": text}]).nutrition


def _indication(text: str) -> bool:
    return bool(order(medicationCodeableConcept=HYDROXOCOBALAMIN, reasonCode=[{"text": text}]).indications)


def _methotrexate(text: str) -> bool:
    return bool(order(medicationCodeableConcept={"text": "Folic acid 5mg tablets"}, note=[{"text": text}]).indications)


def _route(text: str) -> bool:
    return (
        order(medicationCodeableConcept=HYDROXOCOBALAMIN, dosageInstruction=[{"text": text}]).instructions[0].route
        is not None
    )


def _site(text: str) -> bool:
    return (
        order(medicationCodeableConcept=HYDROXOCOBALAMIN, dosageInstruction=[{"text": text}]).instructions[0].site
        is not None
    )


def _site_in_a_note(text: str) -> bool:
    told: dict[str, Any] = {"dosageInstruction": [{"text": "1 mg"}], "note": [{"text": text}]}
    return order(medicationCodeableConcept=HYDROXOCOBALAMIN, **told).instructions[0].site is not None


def _drug(text: str) -> bool:
    return bool(named(text).ingredients)


def _test(text: str) -> bool:
    resource = {"resourceType": "ServiceRequest", "id": "1", "status": "active", "code": {"text": text}}
    return any(each.is_test for each in read(Source.TESTS, resource).planned)


def _appointment(text: str) -> bool:
    resource = {
        "resourceType": "Appointment",
        "id": "1",
        "status": "booked",
        "start": "2026-12-01T09:00:00Z",
        "description": text,
    }
    return any(each.names_injection for each in read(Source.APPOINTMENTS, resource).planned)


class Reading(NamedTuple):
    """A reader of words: how it is asked, a thing that it reads, and the sense in which it reads it.

    `graver`: what is read before it in the same words.
    """

    reads: Callable[[str], bool]
    thing: str
    sense: Sense
    graver: frozenset[Assertion] = frozenset()


REASON = Sense(frozenset({Assertion.DENIED, Assertion.DOUBTFUL}))
READERS = {
    "problem": Reading(_condition, "coeliac disease", DISEASE),
    "lifelong problem": Reading(_condition, "pernicious anaemia", LASTING),
    "operation on the problem list": Reading(_condition, "total gastrectomy", DONE),
    "procedure": Reading(_procedure, "total gastrectomy", DONE),
    "relative": Reading(_relative, "coeliac disease", DISEASE.but(Assertion.ANOTHERS)),
    "observation": Reading(_observation, "nitrous oxide misuse", DISEASE),
    "allergy": Reading(_allergy_to, "vitamin B12", SUFFERED),
    "reaction": Reading(_anaphylaxis, "anaphylaxis", SUFFERED),
    "described reaction": Reading(_described, "urticaria", SUFFERED),
    "anaphylaxis as a reason": Reading(_stopped_for(WhyNot.ANAPHYLAXIS), "anaphylaxis", REASON),
    "allergy as a reason": Reading(_stopped_for(WhyNot.ALLERGY), "urticaria", REASON),
    "shortage as a reason": Reading(_stopped_for(WhyNot.NO_STOCK), "shortage", REASON, frozenset({Assertion.DECLINED})),
    "travel as a reason": Reading(_stopped_for(WhyNot.AWAY), "holiday", REASON, frozenset({Assertion.DECLINED})),
    "level as a reason": Reading(_stopped_for(WhyNot.NORMAL_LEVEL), "replete", REASON),
    "indication": Reading(_indication, "coeliac disease", DISEASE),
    "methotrexate": Reading(_methotrexate, "methotrexate", ACT.but(Assertion.DOUBTFUL, Assertion.PLANNED)),
    "research": Reading(_research, "clinical trial", ACT),
    "parenteral nutrition": Reading(_nutrition, "parenteral nutrition", ACT),
    "route": Reading(_route, "intramuscular", NAMED),
    "site": Reading(_site, "buttock", NAMED),
    "site in a note": Reading(_site_in_a_note, "buttock", NAMED),
    "drug": Reading(_drug, "folic acid", NAMED),
    "test": Reading(_test, "serum B12", NAMED),
    "appointment": Reading(_appointment, "B12 injection", NAMED),
}


def _one_of_each_kind() -> list[Phrase]:
    """Of the phrases that are alike but for their words, a dozen of each kind, over the whole of its list."""
    kinds: dict[Any, list[Phrase]] = {}
    for each in phrases().phrases:
        kinds.setdefault((each.says, each.direction, each.reach, each.acts, each.lists), []).append(each)
    return [each for alike in kinds.values() for each in alike[:: max(1, len(alike) // 12)] if each.says is not None]


AS_WRITTEN = {"<relative>": "mother", "<whose>": "her", "<be>": "is", "<not>": "not"}
PHRASES = _one_of_each_kind()


def _said_of(thing: str, phrase: Phrase) -> str:
    words = " ".join(AS_WRITTEN.get(word, word.replace("*", "ed")) for word in phrase.words)
    words = words.replace(" - ", "-").replace("- ", "-").replace(" / ", "/")
    if phrase.direction is Direction.PART_BEFORE:
        return f"{thing} ({words})"
    return f"{thing} {words}" if phrase.direction is Direction.PRECEDES else f"{words} {thing}"


def _bears(phrase: Phrase, sense: Sense) -> bool:
    only_acts = phrase.acts or phrase.says in (Assertion.PLANNED, Assertion.DECLINED)
    return phrase.says in sense.against and (sense.acts or not only_acts)


@pytest.mark.parametrize("reading", READERS.values(), ids=READERS)
def test_a_reader_reads_its_thing(reading: Reading) -> None:
    assert reading.reads(reading.thing)
    assert reading.reads(reading.thing.upper())
    assert reading.reads("\N{NO-BREAK SPACE}\t".join(["", *reading.thing.split(), ""]))
    assert reading.reads(f"{reading.thing[:3]}\N{SOFT HYPHEN}{reading.thing[3:]}\n")


@pytest.mark.parametrize("reading", READERS.values(), ids=READERS)
def test_a_reader_takes_its_thing_as_each_phrase_says(reading: Reading) -> None:
    wrong = [
        text
        for phrase in PHRASES
        if phrase.says not in reading.graver
        if reading.reads(text := _said_of(reading.thing, phrase)) is _bears(phrase, reading.sense)
    ]

    assert wrong == []


@pytest.mark.parametrize("reading", READERS.values(), ids=READERS)
def test_a_phrase_about_another_thing_costs_a_reader_nothing(reading: Reading) -> None:
    wrong = [
        text
        for phrase in PHRASES
        if phrase.says not in reading.graver
        for text in (f"{reading.thing}; {_said_of('gout', phrase)}", f"{_said_of('gout', phrase)}. {reading.thing}")
        if not reading.reads(text)
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Patient declined", WhyNot.REFUSED),
        ("Refused further injections", WhyNot.REFUSED),
        ("Declined B12 injection", WhyNot.REFUSED),
        ("Refused flu vaccination", WhyNot.OTHER),
        ("COVID vaccination declined", WhyNot.OTHER),
        ("Declining renal function", WhyNot.OTHER),
        ("Decline in cognition", WhyNot.OTHER),
        ("Flu jab declined; refused B12 injection", WhyNot.REFUSED),
        ("Not refused, moved house", WhyNot.OTHER),
        ("Out of stock", WhyNot.NO_STOCK),
        ("No stock", WhyNot.NO_STOCK),
        ("No supply from the wholesaler", WhyNot.NO_STOCK),
        ("Not in stock", WhyNot.NO_STOCK),
        ("Back in stock", WhyNot.OTHER),
        ("Takes supplements instead", WhyNot.OTHER),
        ("Passed away", WhyNot.OTHER),
        ("Moved away", WhyNot.AWAY),
        ("B12 not normal", WhyNot.OTHER),
        ("B12 level isn't normal yet", WhyNot.OTHER),
        ("Stop once B12 normal", WhyNot.NORMAL_LEVEL),
        ("Until normal", WhyNot.OTHER),
        ("Not replete", WhyNot.OTHER),
        ("ECG normal", WhyNot.OTHER),
        ("Normal diet resumed", WhyNot.OTHER),
        ("LFTs normal, B12 normal", WhyNot.NORMAL_LEVEL),
        ("Mild rash, no anaphylaxis", WhyNot.OTHER),
        ("Urticaria but no anaphylaxis", WhyNot.ALLERGY),
        ("No allergy. Anaphylaxis to another drug", WhyNot.ANAPHYLAXIS),
    ],
)
def test_a_reason_is_given_only_where_it_is_meant(text: str, why: WhyNot) -> None:
    assert (
        order(medicationCodeableConcept=HYDROXOCOBALAMIN, status="stopped", statusReason={"text": text}).why_not is why
    )


@pytest.mark.parametrize("name", ["valueString", "valueCodeableConcept"])
@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("No", False),
        ("Never", False),
        ("Denies use", False),
        ("Stopped 2019", False),
        ("ex-user", False),
        ("no, but vapes", False),
        ("Yes", True),
        ("weekly, no numbness", True),
    ],
)
def test_a_value_that_says_no_observes_nothing(name: str, value: str, seen: bool) -> None:
    resource = {
        "resourceType": "Observation",
        "id": "1",
        "status": "final",
        "code": {"text": "Nitrous oxide misuse"},
        "effectiveDateTime": "2026-10-01",
        name: value if name == "valueString" else {"text": value},
    }

    assert bool(record({Source.LABS: bundle(resource)}, {"nitrous_oxide_exposure"}).problems) is seen
