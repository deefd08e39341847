"""Patients of whom many rules could speak: one card for each root problem, the most urgent first."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest

from cards.library import load
from cards.offers import Offers
from cards.rule import PROFILES, Evaluation, Level, Profile
from cards.vignettes import Vignette, all_files, record
from cards.wording import CardText, Wording
from tests.burden import all_rules

TODAY = date(2026, 11, 23)
LIBRARY = load()
LOADING = {"drug": "hydroxocobalamin", "dose": "1 mg", "route": "IM", "times": 3, "every": "1 wk", "lasts": "2 wk"}
MAINTENANCE = {"drug": "hydroxocobalamin", "dose": "1 mg", "route": "IM", "every": "3 mo"}
FOLIC_ACID = {"drug": "folic acid", "dose": "5 mg", "route": "oral", "every": "1 d"}
PERNICIOUS_ANAEMIA = {"is": "pernicious_anemia", "meaning": "autoimmune", "day": "2026-11-01"}
OLD_PERNICIOUS_ANAEMIA = {**PERNICIOUS_ANAEMIA, "day": "2020-03-01"}
NEUROPATHY = {"is": "peripheral_neuropathy", "day": "2026-10-01"}
B12_OF_96 = {"of": "b12_total_serum", "result": "96 ng/L", "day": "2026-11-12"}
POTASSIUM_OF_2_9 = {"of": "potassium", "result": "2.9 mmol/L", "day": "2026-11-22"}


def patient(hook: str = "order-sign", profile: Profile = "uk", **facts: Any) -> Vignette:
    return Vignette.model_validate(
        {"name": "many rules", "hook": hook, "profile": profile, "expect": "no card", **facts}
    )


def spoken(vignette: Vignette) -> list[tuple[str, Level]]:
    """Topic and level of each card, in the order shown."""
    return [(each.rule.topic, each.level) for each in all_rules(LIBRARY, vignette, TODAY).raised]


def merged(vignette: Vignette) -> dict[str, str]:
    return dict(all_rules(LIBRARY, vignette, TODAY).merged)


def texts(vignette: Vignette) -> list[CardText]:
    """The cards in words."""
    found = all_rules(LIBRARY, vignette, TODAY)
    offers = Offers(LIBRARY, vignette.profile, record(vignette, TODAY, LIBRARY.terminology), TODAY)
    return [Wording(LIBRARY, vignette.profile).text(each, offers) for each in found.raised]


# --- new pernicious anaemia with neuropathy ----------------------------------------------------------------------


def test_new_pernicious_anaemia_with_folic_acid_wrong_site_wrong_loading_and_low_potassium() -> None:
    """B12 is drafted with the folic acid, which is therefore covered; three other things are wrong."""
    everything = patient(
        orders=[FOLIC_ACID, {**LOADING, "site": "left buttock"}],
        problems=[PERNICIOUS_ANAEMIA, NEUROPATHY],
        labs=[B12_OF_96, POTASSIUM_OF_2_9],
    )

    assert spoken(everything) == [
        ("loading-hypokalaemia", Level.CRITICAL),
        ("loading-regimen", Level.WARNING),
        ("buttock-injection-site", Level.WARNING),
    ]


def test_the_same_patient_when_the_b12_begins_a_week_after_the_folic_acid() -> None:
    """Folic acid before B12 is another problem than potassium: each has its own critical card."""
    late = patient(
        orders=[FOLIC_ACID, {**LOADING, "site": "left buttock", "starts": "2026-11-30"}],
        problems=[PERNICIOUS_ANAEMIA, NEUROPATHY],
        labs=[B12_OF_96, POTASSIUM_OF_2_9],
    )

    assert spoken(late) == [
        ("folate-before-b12", Level.CRITICAL),
        ("loading-hypokalaemia", Level.CRITICAL),
        ("loading-regimen", Level.WARNING),
        ("buttock-injection-site", Level.WARNING),
    ]


def test_folic_acid_alone_for_that_patient_is_one_card() -> None:
    alone = patient(orders=[FOLIC_ACID], problems=[PERNICIOUS_ANAEMIA, NEUROPATHY], labs=[B12_OF_96, POTASSIUM_OF_2_9])

    assert spoken(alone) == [("folate-before-b12", Level.CRITICAL)]


def test_maintenance_from_the_start_is_told_once() -> None:
    """Missing loading, too long an interval: the loading is the problem."""
    maintenance = patient(orders=[{**MAINTENANCE, "every": "6 mo"}], problems=[PERNICIOUS_ANAEMIA, NEUROPATHY])

    assert spoken(maintenance) == [("loading-regimen", Level.WARNING)]
    assert merged(maintenance) == {"maintenance-interval": "loading-regimen"}


def test_tablets_for_that_patient_are_told_once() -> None:
    tablets = patient(
        orders=[{"product": "Cyanocobalamin 50microgram tablets", "dose": "1 tablet", "route": "oral", "every": "1 d"}],
        problems=[PERNICIOUS_ANAEMIA, NEUROPATHY],
        labs=[B12_OF_96],
    )

    assert spoken(tablets) == [("loading-regimen", Level.WARNING)]
    assert merged(tablets) == {"oral-b12-route": "loading-regimen"}


def test_a_thousandfold_dose_speaks_before_how_often_it_is_given() -> None:
    slip = patient(orders=[{**MAINTENANCE, "dose": "1 g", "every": "6 mo"}], problems=[PERNICIOUS_ANAEMIA, NEUROPATHY])

    assert spoken(slip) == [("b12-dose-unit", Level.CRITICAL)]


def test_the_chart_of_that_patient_has_one_card_about_the_deficiency() -> None:
    """Opened before anything is ordered: the untreated result says it all."""
    opened = patient(
        "patient-view",
        problems=[PERNICIOUS_ANAEMIA, NEUROPATHY, {"is": "nitrous_oxide_exposure", "day": "2026-10-01"}],
        labs=[B12_OF_96],
        medicines=[{"drug": "metformin", "dose": "1000 mg", "route": "oral", "every": "1 d", "since": "2015-01-01"}],
    )

    assert spoken(opened) == [("untreated-deficiency", Level.CRITICAL)]
    assert merged(opened) == {"nitrous-oxide": "untreated-deficiency"}
    [card] = texts(opened)
    assert "Advise to stop nitrous oxide" in card.detail


# --- treatment that lapses ---------------------------------------------------------------------------------------


def test_a_lifelong_stop_with_an_overdue_dose_and_a_late_recheck_is_one_card() -> None:
    stopped = patient(
        "patient-view",
        problems=[OLD_PERNICIOUS_ANAEMIA],
        medicines=[{**MAINTENANCE, "since": "2024-01-10", "status": "stopped", "changed": "2026-05-01"}],
        doses=[{**MAINTENANCE, "day": date(2026, 4, 10)}],
    )

    assert spoken(stopped) == [("lifelong-b12-stopped", Level.WARNING)]
    assert merged(stopped) == {
        "missed-maintenance-dose": "lifelong-b12-stopped",
        "b12-monitoring": "lifelong-b12-stopped",
    }
    [card] = texts(stopped)
    assert "Recall the patient" in [each.label for each in card.suggestions]


def test_an_overdue_dose_speaks_for_the_late_recheck() -> None:
    late = patient(
        "patient-view",
        problems=[OLD_PERNICIOUS_ANAEMIA],
        medicines=[{**MAINTENANCE, "since": "2024-01-10"}],
        doses=[{**MAINTENANCE, "day": date(2026, 4, 10)}],
    )

    assert spoken(late) == [("missed-maintenance-dose", Level.WARNING)]
    assert merged(late) == {"b12-monitoring": "missed-maintenance-dose"}


def test_at_signing_the_stop_and_nothing_else_speaks() -> None:
    signing = patient(
        orders=[{**MAINTENANCE, "status": "stopped", "because": "normal level"}],
        problems=[OLD_PERNICIOUS_ANAEMIA, NEUROPATHY],
        medicines=[{**MAINTENANCE, "since": "2024-01-10"}],
        doses=[{**MAINTENANCE, "day": date(2026, 4, 10)}],
    )

    assert spoken(signing) == [("lifelong-b12-stopped", Level.CRITICAL)]


# --- deficiency that is not treated or not tested ----------------------------------------------------------------


def test_nitrous_oxide_speaks_for_a_borderline_b12() -> None:
    exposed = patient(
        "patient-view",
        problems=[{"is": "nitrous_oxide_exposure", "day": "2026-10-01"}, NEUROPATHY],
        labs=[{**B12_OF_96, "result": "240 ng/L"}],
    )

    assert spoken(exposed) == [("nitrous-oxide", Level.WARNING)]
    assert merged(exposed) == {"borderline-b12": "nitrous-oxide"}


def test_after_gastrectomy_nerves_ask_for_loading_in_one_card() -> None:
    """Missing prophylaxis, a borderline result and metformin: one card, which offers the loading."""
    operated = patient(
        "patient-view",
        problems=[NEUROPATHY],
        procedures=[{"is": "gastrectomy", "meaning": "total", "day": "2020-05-01"}],
        labs=[{**B12_OF_96, "result": "240 ng/L"}],
        medicines=[{"drug": "metformin", "dose": "1000 mg", "route": "oral", "every": "1 d", "since": "2015-01-01"}],
    )

    assert spoken(operated) == [("b12-prophylaxis", Level.WARNING)]
    [card] = texts(operated)
    assert [each.label for each in card.suggestions if each.recommended] == [
        "Load: Hydroxocobalamin 1 mg IM on alternate days until no further improvement; "
        "review at 3 weeks; Hydroxocobalamin 1 mg IM every 2 months"
    ]


def test_missing_prophylaxis_speaks_for_the_late_recheck_after_surgery() -> None:
    operated = patient("patient-view", procedures=[{"is": "bariatric", "meaning": "bypass", "day": "2022-05-01"}])

    assert spoken(operated) == [("b12-prophylaxis", Level.WARNING)]
    assert merged(operated) == {"b12-monitoring": "b12-prophylaxis"}


@pytest.mark.parametrize("profile", PROFILES)
def test_folic_acid_and_metformin_ask_for_the_same_test_once(profile: Profile) -> None:
    both = patient(
        profile=profile,
        orders=[FOLIC_ACID, {"drug": "metformin", "dose": "1000 mg", "route": "oral", "every": "1 d"}],
        medicines=[{"drug": "metformin", "dose": "1000 mg", "route": "oral", "every": "1 d", "since": "2015-01-01"}],
        problems=[NEUROPATHY],
    )

    assert spoken(both) == [("folate-before-b12", Level.WARNING)]
    assert merged(both) == {"b12-depleting-drug": "folate-before-b12"}


# --- one order, several problems ---------------------------------------------------------------------------------


def test_injections_stopped_after_gastrectomy_are_told_once() -> None:
    """Both rules would order the same injections; the stop is what happened."""
    stopped = patient(
        "patient-view",
        medicines=[{**MAINTENANCE, "since": "2020-07-01", "status": "stopped"}],
        doses=[{"drug": "hydroxocobalamin", "dose": "1 mg", "route": "IM", "day": date(2026, 1, 15)}],
        procedures=[{"is": "gastrectomy", "meaning": "total", "day": "2020-05-01"}],
    )

    assert spoken(stopped) == [("lifelong-b12-stopped", Level.CRITICAL)]
    assert merged(stopped)["b12-prophylaxis"] == "lifelong-b12-stopped"


def test_tablets_too_weak_after_gastrectomy_are_about_the_route_and_prophylaxis_is_silent() -> None:
    """At signing the order is what is spoken of; prophylaxis is a matter of opening the chart."""
    tablets = patient(
        orders=[{"product": "Cyanocobalamin 50microgram tablets", "dose": "1 tablet", "route": "oral", "every": "1 d"}],
        procedures=[{"is": "gastrectomy", "meaning": "total", "day": "2020-05-01"}],
    )

    assert spoken(tablets) == [("oral-b12-route", Level.WARNING)]


def test_an_allergy_speaks_for_the_choice_of_the_form() -> None:
    """The same order into the buttock is another problem and keeps its card."""
    order = {"drug": "cyanocobalamin", "dose": "1 mg", "route": "IM", "every": "1 mo", "site": "left buttock"}
    wrong = patient(
        profile="us",
        orders=[order],
        allergies=[{"to": "Cyanocobalamin", "reaction": "anaphylaxis", "day": "2024-01-01"}],
        problems=[{"is": "leber_hereditary_optic_neuropathy", "day": "2010-01-01"}],
        labs=[{"of": "egfr", "result": "12 mL/min/{1.73_m2}", "day": "2026-11-01"}],
    )

    assert spoken(wrong) == [("cobalamin-allergy", Level.CRITICAL), ("buttock-injection-site", Level.WARNING)]
    assert merged(wrong) == {
        "leber-cyanocobalamin": "cobalamin-allergy",
        "renal-cyanocobalamin": "cobalamin-allergy",
    }


def test_a_vein_speaks_for_what_else_is_wrong_with_the_way_of_giving() -> None:
    order = {**MAINTENANCE, "route": "IV", "then": {**MAINTENANCE, "site": "left buttock"}}
    wrong = patient(orders=[order])

    assert spoken(wrong) == [("b12-intravenous", Level.WARNING)]
    assert merged(wrong) == {"buttock-injection-site": "b12-intravenous"}


# --- every patient of every rule ---------------------------------------------------------------------------------


def evaluations() -> list[tuple[str, Evaluation]]:
    return [
        (f"{topic}: {vignette.name}", all_rules(LIBRARY, vignette, file.today))
        for topic, file in all_files().items()
        for vignette in file.vignettes
    ]


def test_no_problem_has_two_critical_cards_and_the_most_urgent_comes_first() -> None:
    for name, found in evaluations():
        ranks = [(-each.level.rank, each.rule.precedence) for each in found.raised]
        assert ranks == sorted(ranks), name
        told = Counter(
            (problem.name, each.alert.about.reference if problem.of_order and each.alert.about else None)
            for each in found.raised
            for problem in each.rule.problems
        )
        assert [problem for problem, times in told.items() if times > 1] == [], name


def test_every_rule_has_its_place_in_the_precedence() -> None:
    assert sorted(LIBRARY.shared.precedence) == sorted(LIBRARY.folders)
