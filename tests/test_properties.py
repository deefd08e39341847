"""What holds of every example patient, whatever the rule: drawn at random from all vignettes, asked of all rules."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any, NamedTuple

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.library import load
from cards.record import (
    Amount,
    AmountUnit,
    Course,
    CourseStatus,
    Dose,
    Instruction,
    LabResult,
    Medicine,
    Order,
    PatientRecord,
    Period,
    PeriodUnit,
    Problem,
    Repeat,
    Route,
    Source,
    When,
)
from cards.rule import Level, Profile, Rule, evaluate, triggered
from cards.vignettes import Vignette, all_files, record
from service.demo import ehr
from service.endpoints.hooks import envelope, hook_call
from service.respond import PrefetchIncomplete, Responder, build
from service.settings import Settings

LIBRARY = load()
Case = tuple[date, Vignette]
CASES: list[Case] = [(file.today, vignette) for file in all_files().values() for vignette in file.vignettes]
FOUR_HUNDRED_YEARS = timedelta(days=146_097)
A_DOSE = Amount(Decimal(1000), Decimal(1000), AmountUnit.MCG, "1 mg")
EVERY_DAY = Repeat(Decimal(1), Period(Decimal(1), Decimal(1), PeriodUnit.DAY))
HYDROXOCOBALAMIN = Medicine(("hydroxocobalamin",), form_route=Route.INJECTION)
CYANOCOBALAMIN = Medicine(("cyanocobalamin",), form_route=Route.ORAL)
NG_IN_A_PMOL = Decimal("1.355")

cases = st.sampled_from(CASES)
orders = st.randoms(use_true_random=False)


def _alike(case: Case) -> tuple[Any, ...]:
    today, vignette = case
    return today, vignette.profile, vignette.hook, bool(vignette.settings)


# Two patients in one are fuller than any that somebody wrote: several results, orders and drafts at a time.
pairs = cases.flatmap(
    lambda case: st.tuples(st.just(case), st.sampled_from([each for each in CASES if _alike(each) == _alike(case)]))
)
FACTS = ("problems", "courses", "doses", "not_given", "dispensed", "labs", "procedures", "family", "planned")


class Said(NamedTuple):
    """What all rules together say: topics with their levels, and the questions left open."""

    alerts: tuple[tuple[str, Level], ...]
    open: tuple[str, ...]


@cache
def rules(profile: Profile, own: tuple[tuple[str, Decimal], ...]) -> tuple[Rule, ...]:
    """All rules of a profile with a site's own thresholds."""
    return LIBRARY.rules(profile, dict(own))


def own_thresholds(vignette: Vignette) -> tuple[tuple[str, Decimal], ...]:
    """The settings that a vignette names."""
    return tuple(sorted((name, Decimal(value)) for name, value in vignette.settings.items()))


def said(vignette: Vignette, patient: PatientRecord, today: date) -> Said:
    """All rules of the vignette's hook, with its profile and settings."""
    asked = triggered(rules(vignette.profile, own_thresholds(vignette)), vignette.hook, patient.drafts)
    evaluation = evaluate(asked, vignette.hook, patient, today)
    return Said(
        tuple((each.rule.topic, each.level) for each in evaluation.raised),
        tuple(sorted(each.rule.topic for each in evaluation.not_evaluated)),
    )


def patient_of(vignette: Vignette, today: date) -> PatientRecord:
    """The patient, with nothing remembered from another question."""
    return record(vignette, today, LIBRARY.terminology)


def fuller_patient(pair: tuple[Case, Case]) -> tuple[date, Vignette, PatientRecord]:
    """The first patient with the facts and drafts of the second too; what is known of each source is the first's."""
    (today, vignette), (_, other) = pair
    patient, more = patient_of(vignette, today), patient_of(other, today)
    named: dict[str, Any] = {
        name: tuple(dataclasses.replace(each, reference=f"{each.reference}-2") for each in getattr(more, name))
        for name in ("courses", "drafts")
    }
    more = dataclasses.replace(more, **named)
    both: dict[str, Any] = {name: getattr(patient, name) + getattr(more, name) for name in (*FACTS, "drafts")}
    return today, vignette, dataclasses.replace(patient, **both, remembered={})


def fuller_request(pair: tuple[Case, Case]) -> tuple[date, Vignette, dict[str, Any]]:
    """The call about the first patient with the resources of the second in its answers as well."""
    (today, vignette), (_, other) = pair
    request = ehr.request(vignette, today, LIBRARY.terminology)
    more = ehr.request(other, today, LIBRARY.terminology)
    prefetch = {key: _joined(value, more["prefetch"].get(key)) for key, value in request["prefetch"].items()}
    drafts = {
        key: _joined(value, more["context"][key]) if key == "draftOrders" else value
        for key, value in request["context"].items()
    }
    return today, vignette, {**request, "context": drafts, "prefetch": prefetch}


def _joined(value: Any, other: Any) -> Any:
    """A Bundle with the resources of another; anything else as it was."""
    if not (_is_complete(value) and _is_complete(other)):
        return value
    return _with_entries(value, [_renamed(each) for each in other["entry"]])


def _is_complete(value: Any) -> bool:
    return isinstance(value, dict) and value.get("resourceType") == "Bundle" and "link" not in value


def _with_entries(bundle: dict[str, Any], entries: list[Any]) -> dict[str, Any]:
    both = [*bundle["entry"], *entries]
    return {**bundle, "entry": both, **({"total": len(both)} if "total" in bundle else {})}


def _renamed(entry: dict[str, Any]) -> dict[str, Any]:
    resource = entry["resource"]
    return {"resource": {**resource, "id": f"{resource['id']}-2"}} if "id" in resource else entry


# --- cover ---------------------------------------------------------------------------------------------------------


def injected(patient: PatientRecord, today: date) -> PatientRecord:
    """An injection was given today."""
    dose = Dose(HYDROXOCOBALAMIN, When.on(today), A_DOSE, Route.INTRAMUSCULAR)
    return dataclasses.replace(patient, doses=(*patient.doses, dose), remembered={})


def taken_by_mouth(patient: PatientRecord, today: date) -> PatientRecord:
    """B12 of 1 mg a day by mouth is ordered since last month."""
    course = Course(
        "MedicationRequest/cover",
        CYANOCOBALAMIN,
        CourseStatus.ACTIVE,
        (Instruction(A_DOSE, Route.ORAL, repeat=EVERY_DAY),),
        authored=When.on(today - timedelta(days=30)),
    )
    return dataclasses.replace(patient, courses=(*patient.courses, course), remembered={})


def drafted(patient: PatientRecord, today: date) -> PatientRecord:
    """An injection for today is drafted with the other orders."""
    order = Order(
        "MedicationRequest/cover",
        HYDROXOCOBALAMIN,
        CourseStatus.DRAFT,
        (Instruction(A_DOSE, Route.INTRAMUSCULAR, starts=today, count=1, events=(today,)),),
        authored=When.on(today),
    )
    return dataclasses.replace(patient, drafts=(*patient.drafts, order), remembered={})


def folate(vignette: Vignette, patient: PatientRecord, today: date) -> int:
    """How loud folate before B12 is: 0 for silence."""
    levels = dict(said(vignette, patient, today).alerts)
    return levels["folate-before-b12"].rank + 1 if "folate-before-b12" in levels else 0


# Cover counts from the record, whoever drafted what: drawn are the patients whose drafts hold a folate.
ON_FOLATE = [case for case in CASES if any("fol" in str(line.drug or line.product) for line in case[1].orders)]


@given(st.sampled_from(ON_FOLATE), st.sampled_from([injected, taken_by_mouth, drafted]))
@settings(max_examples=200, deadline=None)
def test_cover_that_is_valid_today_never_adds_folate_before_b12(
    case: Case, cover: Callable[[PatientRecord, date], PatientRecord]
) -> None:
    today, vignette = case
    patient = patient_of(vignette, today)

    covered = folate(vignette, cover(patient, today), today)

    assert covered <= folate(vignette, patient, today)
    assert covered == 0 or cover is taken_by_mouth  # by mouth is no cover where it is not absorbed


# --- time, order, and what does not matter ---------------------------------------------------------------------------


@given(pairs)
@settings(max_examples=150, deadline=None)
def test_four_hundred_years_later_all_is_the_same(pair: tuple[Case, Case]) -> None:
    today, vignette, patient = fuller_patient(pair)

    assert said(vignette, later(patient), today + FOUR_HUNDRED_YEARS) == said(vignette, patient, today)


@given(pairs)
@settings(max_examples=100, deadline=None)
def test_four_hundred_years_later_the_same_is_read(pair: tuple[Case, Case]) -> None:
    today, vignette, request = fuller_request(pair)

    moved = answered(vignette, dates_moved(request), today + FOUR_HUNDRED_YEARS)

    assert levels(moved) == levels(answered(vignette, request, today))


@given(pairs, orders)
@settings(max_examples=200, deadline=None)
def test_the_order_of_the_facts_does_not_matter(pair: tuple[Case, Case], order: Random) -> None:
    today, vignette, patient = fuller_patient(pair)
    shuffled: dict[str, Any] = {name: shuffle(getattr(patient, name), order) for name in FACTS}

    mixed = said(vignette, dataclasses.replace(patient, **shuffled, remembered={}), today)

    assert mixed == said(vignette, patient, today)


@given(pairs)
@settings(max_examples=150, deadline=None)
def test_facts_that_have_nothing_to_do_with_b12_change_nothing(pair: tuple[Case, Case]) -> None:
    today, vignette, patient = fuller_patient(pair)
    asthma = Problem((), began=When.on(today - timedelta(days=400)))
    sodium = LabResult("sodium", When.on(today), Decimal(140), sent=Decimal(140), unit="mmol/L")

    fuller = dataclasses.replace(
        patient, problems=(asthma, *patient.problems), labs=(sodium, *patient.labs), remembered={}
    )

    assert said(vignette, fuller, today) == said(vignette, patient, today)


@given(pairs, orders)
@settings(max_examples=100, deadline=None)
def test_unrelated_resources_in_any_order_change_no_card(pair: tuple[Case, Case], order: Random) -> None:
    today, vignette, request = fuller_request(pair)
    fuller = {
        **request,
        "context": {key: _fuller(value, key, order) for key, value in request["context"].items()},
        "prefetch": {key: _fuller(value, key, order) for key, value in request["prefetch"].items()},
    }

    assert words(answered(vignette, fuller, today)) == words(answered(vignette, request, today))


# --- units ---------------------------------------------------------------------------------------------------------

WITH_A_LEVEL = [case for case in CASES if any(line.of == "b12_total_serum" for line in case[1].labs)]


# Any level, and levels around the bands of both profiles, where a factor that is a little off shows.
picomoles_per_litre = st.integers(1, 1500) | st.integers(130, 136) | st.integers(255, 262)


@given(st.sampled_from(WITH_A_LEVEL), picomoles_per_litre)
@settings(max_examples=150, deadline=None)
def test_a_level_says_the_same_in_pmol_and_in_ng(case: Case, picomoles: int) -> None:
    today, vignette = case

    in_pmol = _with_level(vignette, f"{picomoles} pmol/L")
    in_ng = _with_level(vignette, f"{picomoles * NG_IN_A_PMOL} ng/L")

    assert levels(_asked(in_pmol, today)) == levels(_asked(in_ng, today))


@given(cases)
@settings(max_examples=150, deadline=None)
def test_milligrams_and_micrograms_say_the_same(case: Case) -> None:
    today, vignette = case
    document = vignette.model_dump(by_alias=True)
    for name in ("orders", "medicines", "statements", "doses", "told"):
        document[name] = [_in_micrograms(line) for line in document[name]]

    assert levels(_asked(Vignette.model_validate(document), today)) == levels(_asked(vignette, today))


# --- asking the service ----------------------------------------------------------------------------------------------


@cache
def _responder(profile: Profile, own: tuple[tuple[str, Decimal], ...]) -> Responder:
    return build(Settings(profile=profile, thresholds=dict(own)))


def answered(vignette: Vignette, request: Mapping[str, Any], today: date) -> list[dict[str, Any]]:
    """The cards for a request, as an EHR gets them; none where data are demanded first."""
    responder = _responder(vignette.profile, own_thresholds(vignette))
    service = responder.services[f"b12-{vignette.hook.value}"]
    call = hook_call(service, envelope(dict(request)))
    try:
        return list(anyio.run(responder.respond, service, call, today).body()["cards"])
    except PrefetchIncomplete:
        return []


def _asked(vignette: Vignette, today: date) -> list[dict[str, Any]]:
    return answered(vignette, ehr.request(vignette, today, LIBRARY.terminology), today)


def levels(cards: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The topics with their levels."""
    return [(card["source"]["topic"]["code"], card["indicator"]) for card in cards]


def words(cards: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """All that a reader sees."""
    return [
        (card["summary"], card["indicator"], card["detail"], [each["label"] for each in card.get("suggestions", [])])
        for card in cards
    ]


SALBUTAMOL = {"medicationCodeableConcept": {"text": "Salbutamol 100 micrograms inhaler"}}
UNRELATED: dict[str, dict[str, Any]] = {
    Source.PROBLEMS: {"resourceType": "Condition", "code": {"text": "Fracture of the wrist"}},
    Source.MEDICATIONS: {"resourceType": "MedicationRequest", "status": "active", "intent": "order", **SALBUTAMOL},
    Source.DOSES: {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "effectiveDateTime": "2026-11-01",
        **SALBUTAMOL,
    },
    Source.STATEMENTS: {"resourceType": "MedicationStatement", "status": "active", **SALBUTAMOL},
    Source.DISPENSES: {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "whenHandedOver": "2026-11-01",
        **SALBUTAMOL,
    },
    Source.LABS: {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Sodium"},
        "valueQuantity": {"value": 140, "unit": "mmol/L"},
    },
    Source.PROCEDURES: {"resourceType": "Procedure", "status": "completed", "code": {"text": "Cataract surgery"}},
    Source.ALLERGIES: {"resourceType": "AllergyIntolerance", "code": {"text": "Penicillin"}},
    Source.FAMILY: {"resourceType": "FamilyMemberHistory", "condition": [{"code": {"text": "Asthma"}}]},
    Source.TESTS: {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": {"text": "Chest X-ray"},
    },
}


def _fuller(value: Any, key: str, order: Random) -> Any:
    """A search result with an unrelated resource more, in another order; anything else as it was."""
    if not _is_complete(value):
        return value
    fuller = _with_entries(value, [{"resource": UNRELATED[key]}] if key in UNRELATED else [])
    return {**fuller, "entry": list(shuffle(tuple(fuller["entry"]), order))}


def _with_level(vignette: Vignette, level: str) -> Vignette:
    """The patient with another B12 level in every result of it."""
    labs = [
        line.model_copy(update={"result": level, "flag": None}) if line.of == "b12_total_serum" else line
        for line in vignette.labs
    ]
    return vignette.model_copy(update={"labs": tuple(labs)})


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


_DAY = re.compile(r"^(\d{4})-(\d{2})(?:-(\d{2}))?")


def dates_moved(value: Any) -> Any:
    """The same JSON four hundred years on; a year has the same months and weekdays then."""
    if isinstance(value, str):
        return _DAY.sub(lambda day: f"{int(day[1]) + 400}{day[0][4:]}", value)
    if isinstance(value, dict):
        return {name: dates_moved(each) for name, each in value.items()}
    return [dates_moved(each) for each in value] if isinstance(value, list) else value


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
