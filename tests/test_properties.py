"""What holds of every example patient, whatever the rule: drawn at random from all vignettes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.library import load
from cards.record import (
    Amount,
    AmountUnit,
    Dose,
    LabResult,
    Medicine,
    PatientRecord,
    Problem,
    Route,
    Source,
    When,
)
from cards.rule import Level, evaluate, triggered
from cards.units import to_canonical
from cards.vignettes import Vignette, all_files, record
from service.demo import ehr
from tests.serving import service_on

LIBRARY = load()
CASES = [(file.today, vignette) for file in all_files().values() for vignette in file.vignettes]
FOUR_HUNDRED_YEARS = timedelta(days=146_097)
A_DOSE = Amount(Decimal(1000), Decimal(1000), AmountUnit.MCG, "1 mg")
PMOL_L = "pmol/L"

cases = st.sampled_from(CASES)
orders = st.randoms(use_true_random=False)


class Said(NamedTuple):
    """What all rules together say: topics with their levels, and the questions left open."""

    alerts: tuple[tuple[str, Level], ...]
    open: tuple[str, ...]


def said(vignette: Vignette, patient: PatientRecord, today: date) -> Said:
    """All rules of the vignette's hook, with its profile and settings."""
    own = {name: Decimal(value) for name, value in vignette.settings.items()}
    rules = triggered(LIBRARY.rules(vignette.profile, own), vignette.hook, patient.drafts)
    evaluation = evaluate(rules, vignette.hook, patient, today)
    return Said(
        tuple((each.rule.topic, each.level) for each in evaluation.raised),
        tuple(sorted(each.rule.topic for each in evaluation.not_evaluated)),
    )


def patient_of(vignette: Vignette, today: date) -> PatientRecord:
    """The patient, with nothing remembered from another question."""
    return record(vignette, today, LIBRARY.terminology)


@given(cases)
@settings(max_examples=300, deadline=None)
def test_an_injection_given_today_never_adds_folate_before_b12(case: tuple[date, Vignette]) -> None:
    today, vignette = case
    patient = patient_of(vignette, today)
    given_today = Dose(
        Medicine(("hydroxocobalamin",), form_route=Route.INJECTION),
        When.on(today),
        A_DOSE,
        Route.INTRAMUSCULAR,
    )

    covered = dataclasses.replace(patient, doses=(*patient.doses, given_today), remembered={})

    assert "folate-before-b12" not in dict(said(vignette, covered, today).alerts)


@given(cases)
@settings(max_examples=300, deadline=None)
def test_four_hundred_years_later_all_is_the_same(case: tuple[date, Vignette]) -> None:
    today, vignette = case
    patient = patient_of(vignette, today)

    assert said(vignette, later(patient), today + FOUR_HUNDRED_YEARS) == said(vignette, patient, today)


@given(cases, orders)
@settings(max_examples=300, deadline=None)
def test_the_order_of_the_facts_does_not_matter(case: tuple[date, Vignette], order: Random) -> None:
    today, vignette = case
    patient = patient_of(vignette, today)
    names = ("problems", "courses", "doses", "not_given", "dispensed", "labs", "procedures", "family", "planned")
    shuffled: dict[str, Any] = {name: shuffle(getattr(patient, name), order) for name in names}

    assert said(vignette, dataclasses.replace(patient, **shuffled, remembered={}), today) == said(
        vignette, patient, today
    )


@given(cases)
@settings(max_examples=300, deadline=None)
def test_facts_that_have_nothing_to_do_with_b12_change_nothing(case: tuple[date, Vignette]) -> None:
    today, vignette = case
    patient = patient_of(vignette, today)
    asthma = Problem((), began=When.on(today - timedelta(days=400)))
    sodium = LabResult("sodium", When.on(today), Decimal(140), sent=Decimal(140), unit="mmol/L")

    fuller = dataclasses.replace(
        patient, problems=(asthma, *patient.problems), labs=(sodium, *patient.labs), remembered={}
    )

    assert said(vignette, fuller, today) == said(vignette, patient, today)


@given(cases, st.integers(min_value=1, max_value=1500))
@settings(max_examples=300, deadline=None)
def test_a_b12_result_says_the_same_in_pmol_and_in_ng(case: tuple[date, Vignette], picomoles: int) -> None:
    today, vignette = case
    patient = patient_of(vignette, today)
    in_pmol = to_canonical("b12_total_serum", Decimal(picomoles), PMOL_L)
    in_ng = to_canonical("b12_total_serum", picomoles * Decimal("1.355"), "ng/L")

    assert in_pmol == in_ng
    results = [
        said(vignette, dataclasses.replace(patient, labs=(_b12(today, value), *patient.labs), remembered={}), today)
        for value in (in_pmol, in_ng)
    ]
    assert results[0] == results[1]


@given(cases)
@settings(max_examples=300, deadline=None)
def test_milligrams_and_micrograms_say_the_same(case: tuple[date, Vignette]) -> None:
    today, vignette = case
    document = vignette.model_dump(by_alias=True)
    for name in ("orders", "medicines", "statements", "doses", "told"):
        document[name] = [_in_micrograms(line) for line in document[name]]

    respelled = Vignette.model_validate(document)

    assert said(vignette, patient_of(respelled, today), today) == said(vignette, patient_of(vignette, today), today)


@given(cases, orders)
@settings(max_examples=100, deadline=None)
def test_unrelated_resources_in_any_order_change_no_card(case: tuple[date, Vignette], order: Random) -> None:
    today, vignette = case
    request = ehr.request(vignette, today, LIBRARY.terminology)
    fuller = {**request, "prefetch": {key: _fuller(value, key, order) for key, value in request["prefetch"].items()}}

    assert anyio.run(_cards, fuller, vignette, today) == anyio.run(_cards, request, vignette, today)


async def _cards(request: Mapping[str, Any], vignette: Vignette, today: date) -> list[tuple[Any, ...]]:
    """The cards over HTTP, without what is new in every answer."""
    async with service_on(today, vignette.profile, vignette.settings) as client:
        answer = await client.post(f"/cds-services/b12-{vignette.hook.value}", json=request)
    return [
        (card["summary"], card["indicator"], card["detail"], [each["label"] for each in card.get("suggestions", [])])
        for card in answer.json().get("cards", [])
    ]


UNRELATED: dict[str, dict[str, Any]] = {
    Source.PROBLEMS: {"resourceType": "Condition", "code": {"text": "Fracture of the wrist"}},
    Source.MEDICATIONS: {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Salbutamol 100 micrograms inhaler"},
    },
    Source.LABS: {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Sodium"},
        "valueQuantity": {"value": 140, "unit": "mmol/L"},
    },
    Source.PROCEDURES: {"resourceType": "Procedure", "status": "completed", "code": {"text": "Cataract surgery"}},
    Source.ALLERGIES: {"resourceType": "AllergyIntolerance", "code": {"text": "Penicillin"}},
}


def _fuller(value: Any, key: str, order: Random) -> Any:
    """A search result with an unrelated resource more, in another order; anything else as it was."""
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle" or "link" in value:
        return value
    unrelated = [{"resource": UNRELATED[key]}] if key in UNRELATED else []
    entries = list(shuffle((*value["entry"], *unrelated), order))
    return {**value, "total": len(entries), "entry": entries}


def _b12(today: date, value: Decimal) -> LabResult:
    return LabResult("b12_total_serum", When.on(today), value, sent=value, unit="ng/L")


def _in_micrograms(line: dict[str, Any]) -> dict[str, Any]:
    dose = line.get("dose")
    following = line.get("then")
    respelled = {**line, "then": _in_micrograms(following) if following else None}
    if dose and dose.endswith(" mg"):
        numbers = dose.removesuffix(" mg").split("-")
        respelled["dose"] = "-".join(f"{Decimal(number) * 1000:f}" for number in numbers) + " mcg"
    return respelled


def shuffle(items: tuple[Any, ...], order: Random) -> tuple[Any, ...]:
    """The same items in another order."""
    mixed = list(items)
    order.shuffle(mixed)
    return tuple(mixed)


def later(fact: Any) -> Any:
    """The same facts four hundred years on."""
    if isinstance(fact, date):
        return fact + FOUR_HUNDRED_YEARS
    if isinstance(fact, tuple):
        moved = [later(each) for each in fact]
        return type(fact)(*moved) if hasattr(fact, "_fields") else tuple(moved)
    if isinstance(fact, Mapping):
        return {name: later(value) for name, value in fact.items()}
    if dataclasses.is_dataclass(fact) and not isinstance(fact, type):
        changed = {each.name: later(getattr(fact, each.name)) for each in dataclasses.fields(fact)}
        return type(fact)(**{**changed, **({"remembered": {}} if "remembered" in changed else {})})
    return fact
