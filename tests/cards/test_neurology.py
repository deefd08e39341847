"""Neurological involvement: which findings count, from when, and which have another cause."""

from __future__ import annotations

from datetime import date

import pytest

from cards.neurology import NEUROLOGICAL, findings, history, involvement, signs
from cards.record import ClinicalStatus, PatientRecord, Problem, When
from cards.terminology import Concept

TODAY = date(2026, 11, 23)
ANCHOR = date(2026, 6, 1)  # the first deficient result
NEW = date(2026, 9, 1)
OLD = date(2020, 9, 1)


def _problem(
    *names: str,
    day: date | None = NEW,
    meaning: str | None = None,
    status: ClinicalStatus | None = ClinicalStatus.ACTIVE,
    certain: bool = True,
    b12: bool = False,
    specific: bool = True,
) -> Problem:
    concepts = tuple(Concept("condition", name, meaning, specific) for name in names)
    return Problem(concepts, status, certain, began=When.on(day) if day else None, names_b12=b12)


def _record(*problems: Problem) -> PatientRecord:
    return PatientRecord(problems=problems)


@pytest.mark.parametrize("name", [each for each in NEUROLOGICAL if each != "b12_neurological"])
def test_a_new_finding_counts(name: str) -> None:
    assert involvement(_record(_problem(name)), ANCHOR, TODAY)


@pytest.mark.parametrize("name", ["glossitis", "carpal_tunnel", "diabetes", "glaucoma", "sciatic_nerve_injury"])
def test_what_is_no_nerve_damage_by_b12_does_not_count(name: str) -> None:
    assert findings(_record(_problem(name, b12=True)), TODAY) == ()


@pytest.mark.parametrize(
    ("day", "counts"),
    [
        (date(2025, 6, 1), True),  # twelve months before the first deficient result
        (date(2025, 5, 31), False),
        (TODAY, True),
        (date(2026, 11, 24), False),
        (None, False),
    ],
)
def test_a_finding_counts_from_twelve_months_before_the_deficiency_until_today(day: date | None, counts: bool) -> None:
    record = _record(_problem("ataxia_gait", day=day))

    assert (involvement(record, ANCHOR, TODAY) is not None) is counts


def test_an_undated_finding_counts_when_it_is_put_down_to_b12() -> None:
    assert involvement(_record(_problem("paresthesia", day=None, b12=True)), ANCHOR, TODAY)
    assert involvement(_record(_problem("subacute_combined_degeneration", day=None)), ANCHOR, TODAY)


def test_a_resolved_finding_is_history_and_not_involvement() -> None:
    record = _record(_problem("ataxia_gait", status=ClinicalStatus.RESOLVED))

    assert involvement(record, ANCHOR, TODAY) is None
    assert history(record, ANCHOR, TODAY)


def test_a_suspected_finding_does_not_count() -> None:
    assert findings(_record(_problem("ataxia_gait", certain=False)), TODAY) == ()


@pytest.mark.parametrize(("day", "new"), [(date(2025, 11, 23), True), (date(2025, 11, 22), False), (None, False)])
def test_a_finding_of_the_last_twelve_months_is_a_sign(day: date | None, new: bool) -> None:
    assert (signs(_record(_problem("paresthesia", day=day)), TODAY) is not None) is new


@pytest.mark.parametrize(
    "cause", ["diabetes", "alcohol_use_disorder", "chemotherapy_neuropathy", "charcot_marie_tooth"]
)
@pytest.mark.parametrize("finding", ["peripheral_neuropathy", "paresthesia"])
def test_a_long_standing_neuropathy_with_another_cause_does_not_count(finding: str, cause: str) -> None:
    record = _record(_problem(finding, day=OLD), _problem(cause, day=date(2010, 1, 1)))

    assert findings(record, TODAY) == ()


@pytest.mark.parametrize(
    "cause", ["diabetes", "alcohol_use_disorder", "chemotherapy_neuropathy", "charcot_marie_tooth"]
)
def test_a_new_neuropathy_counts_although_another_cause_is_coded(cause: str) -> None:
    record = _record(_problem("peripheral_neuropathy", day=NEW), _problem(cause, day=date(2010, 1, 1)))

    assert signs(record, TODAY)


@pytest.mark.parametrize(
    ("diabetes", "counts"),
    [
        (date(2019, 8, 31), False),  # more than twelve months before the neuropathy
        (date(2019, 9, 1), True),
        (date(2021, 1, 1), True),
        (None, False),
    ],
)
def test_diabetes_explains_a_neuropathy_only_when_it_began_a_year_earlier(diabetes: date | None, counts: bool) -> None:
    record = _record(_problem("peripheral_neuropathy", day=OLD), _problem("diabetes", day=diabetes))

    assert bool(findings(record, TODAY)) is counts


def test_a_neuropathy_put_down_to_b12_counts_whatever_else_is_coded() -> None:
    record = _record(_problem("peripheral_neuropathy", day=OLD, b12=True), _problem("diabetes", day=date(2000, 1, 1)))

    [finding] = findings(record, TODAY)

    assert finding.linked


def test_another_cause_of_neuropathy_does_not_explain_an_ataxia() -> None:
    record = _record(_problem("ataxia_gait", day=OLD), _problem("diabetes", day=date(2000, 1, 1)))

    assert findings(record, TODAY)


@pytest.mark.parametrize("beside", ["leber_hereditary_optic_neuropathy", "glaucoma", "macular_degeneration"])
def test_an_optic_neuropathy_of_another_kind_does_not_count(beside: str) -> None:
    assert findings(_record(_problem("optic_neuropathy", beside)), TODAY) == ()
    assert findings(_record(_problem("optic_neuropathy")), TODAY)


@pytest.mark.parametrize("kind", ["alzheimer", "vascular", "lewy", "frontotemporal"])
def test_a_dementia_of_another_kind_explains_a_cognitive_impairment(kind: str) -> None:
    decline = _problem("cognitive_impairment")
    other = _problem("cognitive_impairment", meaning=kind, day=OLD)

    assert findings(_record(decline), TODAY)
    assert findings(_record(decline, other), TODAY) == ()


def test_a_dementia_due_to_b12_counts() -> None:
    [finding] = findings(_record(_problem("cognitive_impairment", meaning="b12")), TODAY)

    assert finding.linked


def test_a_neuropathy_in_diseases_classified_elsewhere_counts_only_when_b12_is_named() -> None:
    assert findings(_record(_problem("b12_neurological", specific=False)), TODAY) == ()
    assert findings(_record(_problem("b12_neurological", specific=False, b12=True)), TODAY)
    assert findings(_record(_problem("b12_neurological")), TODAY)


def test_the_newest_finding_is_named_first() -> None:
    record = _record(_problem("ataxia_gait", day=date(2026, 7, 1)), _problem("paresthesia", day=NEW))

    assert [each.name for each in findings(record, TODAY)] == ["paraesthesiae", "ataxia or unsteady gait"]


def test_of_two_names_for_one_finding_the_more_telling_one_is_used() -> None:
    [finding] = findings(_record(_problem("peripheral_neuropathy", "b12_neurological")), TODAY)

    assert finding.name == "neurological disease due to B12 deficiency"
