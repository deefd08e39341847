"""One patient: what a call comes to is told in our words, and a patient that cannot be read costs only itself."""

from __future__ import annotations

import orjson
import pytest

from cards.library import load
from cards.record import Source
from service.replay.patient import Replayer
from tests.replay.charts import (
    PATIENT,
    Resource,
    anaemia,
    b12,
    calls,
    hydroxocobalamin,
    order,
    person,
    plan,
    rows,
    topics,
    visit,
)

FOLIC_ACID = order("Folic acid 5mg tablets", "2026-02-10", "folic-acid")


def test_a_call_names_rule_variant_and_level() -> None:
    [call] = [each for each in calls([person(), anaemia("2025-03-01"), FOLIC_ACID]) if each["ordered"]]

    assert call["alerts"] == [{"topic": "folate-before-b12", "variant": "irreversible_cause", "level": "critical"}]
    assert call["ordered"] == "folic acid"


def test_an_order_that_no_rule_is_about_counts_as_a_silent_order() -> None:
    found = rows([person(), order("Amoxicillin 500mg capsules", "2026-02-10")])

    [call] = [row for row in found if row.get("hook") == "order-sign"]
    assert (call["ordered"], call["alerts"], call["gaps"]) == (None, [], [])
    assert found[-1]["orders"] == 1


def test_of_two_copies_of_a_resource_the_last_updated_counts() -> None:
    old = anaemia("2025-03-01", meta={"lastUpdated": "2025-03-01T00:00:00Z"})
    refuted = {"coding": [{"code": "refuted"}]}
    new = anaemia("2025-03-01", meta={"lastUpdated": "2025-04-01T00:00:00Z"}, verificationStatus=refuted)

    for copies in ([old, new], [new, old]):
        assert [topics(call) for call in calls([person(), *copies, FOLIC_ACID]) if call["ordered"]] == [set()]


def test_results_count_only_for_rules_that_look_at_them() -> None:
    without_unit = b12(96, "2026-01-10", valueQuantity={"value": 96})

    found = calls([person(), without_unit, FOLIC_ACID])

    gaps = {(gap["topic"], gap["reason"]) for call in found for gap in call["gaps"]}
    assert ("folate-before-b12", "unit-missing") in gaps
    assert rows([person(), without_unit])[-1]["unreadable"] == 1


def test_an_observation_that_cannot_be_read_at_all_is_counted_once() -> None:
    unreadable = b12(96, "2026-01-10", status=[], component=[{}])

    # Rules about an injection look at other results than those about a chart.
    chart = [person(), visit("2026-02-01"), unreadable, hydroxocobalamin("2026-02-10")]

    assert rows(chart)[-1]["unreadable"] == 1


def test_what_the_export_never_holds_is_reported_as_not_evaluated() -> None:
    lacking = plan(supplied=frozenset(Source) - {Source.PROBLEMS, Source.LABS})

    [call] = [each for each in calls([person(), FOLIC_ACID], lacking) if each["ordered"]]

    assert ("folate-before-b12", "missing") in {(gap["topic"], gap["reason"]) for gap in call["gaps"]}


@pytest.mark.parametrize("line", ["{", "[]", '"text"', '{"resourceType": "Patient", "id": "\\ud800"}'])
def test_a_patient_that_cannot_be_read_costs_only_itself(line: str) -> None:
    replayer = Replayer(load(), plan())
    good = [(orjson.dumps(person()).decode(), None)]

    [lost] = replayer.rows(PATIENT, [*good, (line, None)])

    assert lost["kind"] == "problem"
    assert replayer.rows("another", good)[-1]["kind"] == "patient"


def test_facts_without_any_date_are_counted_and_used_nowhere() -> None:
    undated = anaemia("")
    del undated["recordedDate"]

    found = rows([person(), undated, FOLIC_ACID])

    assert found[-1]["undated"] == 1
    assert all(not call["alerts"] for call in found[:-1])


def drug(code: str, words: str = "", system: str = "http://www.nlm.nih.gov/research/umls/rxnorm") -> Resource:
    coding = {"system": system, "code": code} | ({"display": words} if words else {})
    return order("", "2026-02-10", f"order-{code}", medicationCodeableConcept={"coding": [coding]})


def test_unrecognised_drug_codes_are_told_with_what_their_words_were_read_as() -> None:
    found = rows([person(), drug("99999991", "Folic acid 5 mg"), drug("99999992"), drug("99999991x", "Amoxicillin")])

    system = "http://www.nlm.nih.gov/research/umls/rxnorm"
    assert found[-1]["codes"] == [
        {"code": f"{system}|99999991", "read_as": "folic acid"},
        {"code": f"{system}|99999992", "read_as": ""},
    ]


def test_words_in_the_place_of_a_code_are_not_told() -> None:
    [code] = rows([person(), drug("for Mrs Smith")])[-1]["codes"]

    assert code["code"].endswith("|(words instead of a code)")


def test_the_id_of_a_patient_is_told_only_when_asked_for() -> None:
    chart = [person(), anaemia("2025-03-01"), FOLIC_ACID]

    assert PATIENT not in orjson.dumps(rows(chart)).decode()
    assert rows(chart, own=plan(identifiers=True))[-1]["id"] == PATIENT
