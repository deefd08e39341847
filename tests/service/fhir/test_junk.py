"""Any JSON in any place: reading never fails, and one spoiled resource costs only itself."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cards.record import PatientRecord, Source
from service.fhir.sources import received
from tests.junk import DRUG, JUNK, ORDER, SAMPLES, TOKENS, paths, spoiled, spoiled_samples
from tests.service.fhir.reading import PATIENT, READER, TODAY, bundle, order, read, record

quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def facts(found: PatientRecord) -> list[Any]:
    """All facts of a record."""
    kinds = [each.name for each in fields(found) if isinstance(getattr(found, each.name), tuple)]
    return [fact for kind in kinds for fact in getattr(found, kind)]


LISTS = sorted(set(SAMPLES) - {Source.PATIENT})


@pytest.mark.parametrize("source", LISTS)
def test_every_sample_is_read_when_nothing_is_spoiled(source: Source) -> None:
    found = read(source, SAMPLES[source])
    assert facts(found)
    assert found.state(source).unreadable == ()


@pytest.mark.parametrize("source", LISTS)
@settings(quick, max_examples=40)
@given(data=st.data())
def test_a_spoiled_resource_costs_only_itself(source: Source, data: st.DataObject) -> None:
    good, bad = SAMPLES[source], data.draw(spoiled_samples(source))
    own = facts(read(source, good))
    for resources in ((bad, good), (good, bad)):
        found = facts(read(source, *resources))
        assert all(fact in found for fact in own)


@quick
@given(data=st.data())
def test_a_spoiled_patient_leaves_the_findings(data: st.DataObject) -> None:
    patient = data.draw(spoiled_samples(Source.PATIENT))
    found = record({Source.PATIENT: patient, Source.PROBLEMS: bundle(SAMPLES[Source.PROBLEMS])})
    assert len(found.problems) == 1


@quick
@given(source=st.sampled_from(list(Source)), value=JUNK)
def test_anything_under_a_prefetch_key_has_a_state(source: Source, value: Any) -> None:
    arrived = received({source.value: value}, [source], PATIENT)
    assert record({source: value}).state(source).supplied is arrived[source].state


@quick
@given(data=st.data())
def test_a_spoiled_bundle_is_read_as_far_as_it_goes(data: st.DataObject) -> None:
    whole = {**bundle(SAMPLES[Source.PROBLEMS]), "link": [{"relation": "self", "url": "urn:1"}]}
    places = [each for each in paths(whole) if "resource" not in each]
    broken = spoiled(whole, data.draw(st.sampled_from(places)), data.draw(JUNK))
    assert len(record({Source.PROBLEMS: broken}).problems) <= 1


@quick
@given(data=st.data())
def test_a_spoiled_draft_costs_only_itself(data: st.DataObject) -> None:
    bad = data.draw(spoiled_samples(Source.MEDICATIONS))
    good = {"resourceType": "MedicationRequest", "id": "good", "medicationCodeableConcept": DRUG}
    for entries in ([{"resource": bad}, {"resource": good}], [{"resource": good}, {"resource": bad}]):
        found = READER.drafts({"resourceType": "Bundle", "entry": entries}, PATIENT, None, TODAY)
        assert [each.medicine.ingredients for each in found.orders if each.reference == "MedicationRequest/good"] == [
            ("hydroxocobalamin",)
        ]


@quick
@given(orders=JUNK, selections=JUNK, entry=JUNK)
def test_anything_in_place_of_the_drafts_is_no_order(orders: Any, selections: Any, entry: Any) -> None:
    assert READER.drafts(orders, PATIENT, selections, TODAY).orders == ()
    assert READER.drafts({"entry": [entry]}, PATIENT, selections, TODAY).orders == ()


@settings(quick, max_examples=300)
@given(words=st.lists(st.sampled_from(TOKENS), max_size=12))
def test_any_words_of_an_instruction_are_read_or_left_unread(words: list[str]) -> None:
    found = order(medicationCodeableConcept=DRUG, dosageInstruction=[{"text": " ".join(words)}])
    for each in found.instructions:
        assert each.repeat is None or (each.repeat.times > 0 and 0 < each.repeat.every.low <= each.repeat.every.high)
        assert each.amount is None or each.amount.low <= each.amount.high


@quick
@given(selections=JUNK)
def test_anything_in_place_of_the_selections_leaves_the_drafts(selections: Any) -> None:
    assert len(READER.drafts(bundle({**ORDER, "status": "draft"}), PATIENT, selections, TODAY).orders) == 1
