"""What holds of the buttons of every card: they do the work, they do no harm, and they do not contradict each other.

Asked of every vignette with all rules, and of the same patients with an allergy, an order or a request added.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from cards.dosing import ENDING, cobalamin
from cards.library import Action, ChangeOrder, CreateOrder, CreateTest, DeleteDraft, Regimen, load
from cards.offers import Offers
from cards.record import (
    Allergy,
    Amount,
    AmountUnit,
    Course,
    CourseStatus,
    Instruction,
    Medicine,
    Order,
    PatientRecord,
    Period,
    PeriodUnit,
    Planned,
    Repeat,
    Route,
    Source,
    When,
)
from cards.rule import Profile, Raised, evaluate, triggered
from cards.terminology import Concept
from cards.vignettes import Vignette, all_files, record
from cards.wording import CardText, Wording

LIBRARY = load()
CASES = [(topic, file.today, vignette) for topic, file in all_files().items() for vignette in file.vignettes]
FORMS = ("hydroxocobalamin", "cyanocobalamin")
cases = st.sampled_from(CASES)


class Shown(NamedTuple):
    """One card of a patient: what raised it, its words and buttons."""

    raised: Raised
    text: CardText


@cache
def wording(profile: Profile) -> Wording:
    return Wording(LIBRARY, profile)


def shown(vignette: Vignette, patient: PatientRecord, today: date) -> list[Shown]:
    """The cards of all rules for this patient, in the vignette's hook, profile and settings."""
    own = {name: Decimal(value) for name, value in vignette.settings.items()}
    rules = triggered(LIBRARY.rules(vignette.profile, own), vignette.hook, patient.drafts)
    found = evaluate(rules, vignette.hook, patient, today)
    offers = Offers(LIBRARY, vignette.profile, patient, today)
    return [Shown(each, wording(vignette.profile).text(each, offers)) for each in found.raised]


@cache
def of_all() -> tuple[tuple[str, Vignette, Shown], ...]:
    """Every card of every vignette."""
    return tuple(
        (f"{topic}: {vignette.name}: {each.raised.rule.topic}", vignette, each)
        for topic, today, vignette in CASES
        for each in shown(vignette, record(vignette, today, LIBRARY.terminology), today)
    )


def actions(card: Shown) -> list[Action]:
    return [action for button in card.text.suggestions for action in button.actions]


def regimen(action: CreateOrder, profile: Profile) -> Regimen:
    return LIBRARY.regimens.orders[action.order].in_profile(profile)


# --- every card as it is -----------------------------------------------------------------------------------------


def test_to_delete_is_never_the_only_way_out() -> None:
    for name, _, card in of_all():
        offered = actions(card)
        assert not offered or not all(isinstance(each, DeleteDraft) for each in offered), name


def test_at_most_one_button_is_recommended() -> None:
    for name, _, card in of_all():
        assert sum(button.recommended for button in card.text.suggestions) <= 1, name


def test_the_recommended_button_does_more_than_delete_unless_it_takes_back_a_stop() -> None:
    for name, _, card in of_all():
        about = card.raised.alert.about
        if about and (about.status in ENDING or about.do_not_perform):
            continue
        for button in card.text.suggestions:
            assert not (button.recommended and all(isinstance(each, DeleteDraft) for each in button.actions)), name


def test_buttons_that_may_all_be_chosen_do_not_order_the_same_twice() -> None:
    """With `any`, pressing every button must not make two orders for injections of one phase, or one test twice."""
    for name, vignette, card in of_all():
        if card.text.selection != "any":
            continue
        tests = [each.test for each in actions(card) if isinstance(each, CreateTest)]
        orders = [each.order for each in actions(card) if isinstance(each, CreateOrder)]
        injected = [
            phase_of(each, vignette.profile)
            for each in orders
            if LIBRARY.regimens.orders[each].in_profile(vignette.profile).route == "intramuscular"
        ]
        assert len(tests) == len(set(tests)), name
        assert len(injected) == len(set(injected)), name


def phase_of(order: str, profile: Profile) -> str:
    """Whether a regimen gives one dose, loads, or maintains from the start."""
    first = LIBRARY.regimens.orders[order].in_profile(profile).steps[0]
    if first.once:
        return "once"
    return "loading" if first.unit == "d" or (first.unit == "wk" and first.every == 1) else "maintenance"


def test_the_buttons_of_a_card_have_different_labels() -> None:
    for name, _, card in of_all():
        labels = [each.label for each in card.text.suggestions]
        assert len(labels) == len(set(labels)), name


def test_a_button_that_changes_or_removes_has_an_order_to_work_on() -> None:
    for name, _, card in of_all():
        if any(isinstance(each, ChangeOrder | DeleteDraft) for each in actions(card)):
            assert card.raised.alert.about is not None, name


def test_folic_acid_is_not_removed_in_pregnancy_or_beside_methotrexate() -> None:
    needed = 0
    for name, _, card in of_all():
        if card.raised.rule.topic == "folate-before-b12" and card.raised.alert.facts["needed"]:
            needed += 1
            assert not any(isinstance(each, DeleteDraft) for each in actions(card)), name
    assert needed > 2


# --- the same patients with something added ----------------------------------------------------------------------


@given(cases, st.sampled_from([*FORMS, "cobalamin", "cobalt"]))
@settings(max_examples=150, deadline=None)
def test_no_button_orders_a_drug_to_which_an_allergy_is_recorded(
    case: tuple[str, date, Vignette], substance: str
) -> None:
    _, today, vignette = case
    patient = record(vignette, today, LIBRARY.terminology)
    allergic = replace(patient, allergies=(*patient.allergies, Allergy((substance,))), remembered={})

    for card in shown(vignette, allergic, today):
        for each in actions(card):
            if isinstance(each, CreateOrder):
                drug = regimen(each, vignette.profile).drug
                assert drug != substance
                assert substance not in ("cobalamin", "cobalt")


@given(cases, st.sampled_from(sorted(LIBRARY.regimens.tests)))
@settings(max_examples=150, deadline=None)
def test_no_button_orders_a_test_that_is_requested(case: tuple[str, date, Vignette], test: str) -> None:
    _, today, vignette = case
    patient = record(vignette, today, LIBRARY.terminology)
    requested = replace(patient, planned=(*patient.planned, request(test, today)), remembered={})

    for card in shown(vignette, requested, today):
        for each in actions(card):
            assert not (isinstance(each, CreateTest) and code(each.test) == code(test))


@given(cases, st.sampled_from(sorted(LIBRARY.regimens.tests)))
@settings(max_examples=150, deadline=None)
def test_no_button_orders_a_test_that_is_drafted(case: tuple[str, date, Vignette], test: str) -> None:
    _, today, vignette = case
    patient = record(vignette, today, LIBRARY.terminology)
    drafted = Order(
        "ServiceRequest/beside", Medicine(()), CourseStatus.DRAFT, tests=tuple(concepts(test)), selected=False
    )

    for card in shown(vignette, replace(patient, drafts=(*patient.drafts, drafted), remembered={}), today):
        for each in actions(card):
            assert not (isinstance(each, CreateTest) and code(each.test) == code(test))


@given(cases, st.sampled_from(FORMS), st.sampled_from(["loading", "maintenance"]))
@settings(max_examples=150, deadline=None)
def test_no_button_orders_injections_that_run_already(case: tuple[str, date, Vignette], form: str, phase: str) -> None:
    _, today, vignette = case
    patient = record(vignette, today, LIBRARY.terminology)
    running = replace(patient, courses=(*patient.courses, injections(form, phase, today)), remembered={})

    for card in shown(vignette, running, today):
        about = card.raised.alert.about
        if about is not None and about.reference == "MedicationRequest/running":
            continue
        if any(each.status in ENDING or each.do_not_perform for each in patient.drafts if cobalamin(each.medicine)):
            # A draft that stops an order alike stops this one.
            continue
        for each in actions(card):
            if isinstance(each, CreateOrder) and regimen(each, vignette.profile).route == "intramuscular":
                assert phase_of(each.order, vignette.profile) != phase


def injections(form: str, phase: str, today: date) -> Course:
    """An active order of a month ago, without an end."""
    every = Period(Decimal(2), Decimal(2), PeriodUnit.DAY if phase == "loading" else PeriodUnit.MONTH)
    dose = Amount(Decimal(1000), Decimal(1000), AmountUnit.MCG, "1 mg")
    return Course(
        "MedicationRequest/running",
        Medicine((form,), form_route=Route.INJECTION),
        CourseStatus.ACTIVE,
        (Instruction(dose, Route.INTRAMUSCULAR, repeat=Repeat(Decimal(1), every)),),
        authored=When.on(date.fromordinal(today.toordinal() - 30)),
    )


def concepts(test: str) -> list[str]:
    """The laboratory concepts that a test of `regimens.yaml` asks for, by its code."""
    system, value = code(test)
    return [each.concept.name for each in LIBRARY.terminology.find(LIBRARY.terminology.uri(system), value)]


def code(test: str) -> tuple[str, str]:
    coded = LIBRARY.regimens.tests[test].code
    assert coded is not None
    return coded


def request(test: str, today: date) -> Planned:
    return Planned(
        Source.TESTS,
        concepts=tuple(Concept("lab", name) for name in concepts(test)),
        authored=When.on(today),
        days=When.on(today),
        is_test=True,
    )


# --- that these tests look at something --------------------------------------------------------------------------


def test_the_cards_offer_orders_tests_changes_and_removals() -> None:
    kinds = {type(each) for _, _, card in of_all() for each in actions(card)}

    assert {CreateOrder, CreateTest, ChangeOrder, DeleteDraft} <= kinds


def test_every_rule_offers_a_way_out_in_some_patient() -> None:
    offering: set[str] = {card.raised.rule.topic for _, _, card in of_all() if card.text.suggestions}

    assert offering == set(LIBRARY.folders)
