"""The whole pipeline against known answers: who should get a card gets it, and nobody gets one wrongly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cards.library import load
from cards.rule import PROFILES, Profile
from service.demo import population
from service.demo.population import Answer
from service.replay.sample import Row
from tests.replay.charts import TODAY, plan, replayed, topics


def spoke(answer: Answer, calls: list[Row]) -> bool:
    """Whether the rule spoke at the call of the answer; any rule at any call, for an ordinary patient."""
    if not answer.topic:
        return any(call["alerts"] for call in calls)
    own = [call for call in calls if call["day"] == answer.day.isoformat() and call["hook"] == answer.hook]
    assert own, f"{answer.vignette}: the call was not replayed"
    return any(answer.topic in topics(call) for call in own)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_patient_who_should_get_a_card_gets_it_and_nobody_else(tmp_path: Path, profile: Profile) -> None:
    examples = len(population.usable(profile))
    share = 0.9
    answers = population.write(int(examples / share) + 1, tmp_path / "export", load(), profile, prevalence=share)
    # The last weeks are enough for the calls with known answers.
    own = plan(profile=profile, since=TODAY.replace(month=10))

    grouped, rows = replayed(tmp_path / "export", tmp_path / "work", own)

    by_patient: dict[str, list[Row]] = {}
    for row in rows:
        if row["kind"] == "call":
            by_patient.setdefault(row["patient"], []).append(row)
    verdicts = [(answer, spoke(answer, by_patient[own.pseudonym(answer.patient)])) for answer in answers]
    should = [heard for answer, heard in verdicts if answer.expected == "card"]
    should_not = [heard for answer, heard in verdicts if answer.expected == "no card"]
    wrong = [answer.vignette for answer, heard in verdicts if heard != (answer.expected == "card")]
    sensitivity = sum(should) / len(should)
    specificity = 1 - sum(should_not) / len(should_not)
    assert (sensitivity, specificity) == (1.0, 1.0), wrong
    assert grouped.patients == len(answers)
    assert len({answer.vignette for answer, _ in verdicts}) > examples * 0.9
    assert min(len(should), len(should_not)) > 40


def test_a_deaf_pipeline_would_be_noticed(tmp_path: Path) -> None:
    answers = population.write(40, tmp_path / "export", load(), "uk", prevalence=1)
    deaf = replace(plan(since=TODAY), supplied=frozenset())

    _, rows = replayed(tmp_path / "export", tmp_path / "work", deaf)

    heard = {row["patient"] for row in rows if row["kind"] == "call" and row["alerts"]}
    expected = {deaf.pseudonym(answer.patient) for answer in answers if answer.expected == "card"}
    gaps = [gap for row in rows if row["kind"] == "call" for gap in row["gaps"]]
    # Rules that need the drafts alone still speak; the others say that they could not be evaluated.
    assert heard
    assert gaps
    assert {gap["reason"] for gap in gaps} >= {"missing"}
    assert expected


def test_the_same_arguments_write_the_same_population(tmp_path: Path) -> None:
    for name in ("one", "other"):
        population.write(25, tmp_path / name, load(), "uk")
    population.write(25, tmp_path / "seed", load(), "uk", seed=2)

    one, other, seed = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "other", "seed")
    )
    assert one == other
    assert one != seed


@pytest.mark.parametrize(("prevalence", "examples"), [(0, 0), (0.2, 5), (1, 25)])
def test_the_share_of_examples_is_the_stated_one(tmp_path: Path, prevalence: float, examples: int) -> None:
    answers = population.write(25, tmp_path, load(), "uk", prevalence)

    assert len(answers) == 25
    assert sum(bool(answer.topic) for answer in answers) == examples


def test_an_ordinary_patient_has_a_hundred_resources_and_twenty_calls(tmp_path: Path) -> None:
    population.write(1, tmp_path / "export", load(), "uk", prevalence=0)
    written = sum(len(path.read_bytes().splitlines()) for path in (tmp_path / "export").glob("*.ndjson"))

    _, rows = replayed(tmp_path / "export", tmp_path / "work", plan())

    assert 90 <= written <= 110
    assert sum(row["kind"] == "call" for row in rows) == 20
