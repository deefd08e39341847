"""Each statement of the founding document works: a patient shows it, and the table in the README names the patient."""

from __future__ import annotations

from pathlib import Path

import pytest

from cards.library import load
from cards.statements import faults, statements, table
from cards.vignettes import VignetteFile, all_files

README = Path(__file__).parents[2] / "cards" / "README.md"


def test_all_seventeen_statements_are_there() -> None:
    assert list(statements()) == [f"F{number}" for number in range(1, 18)]


def test_every_statement_names_rules_that_exist() -> None:
    named = {topic for statement in statements().values() for topic in statement.rules}

    assert named - set(load().folders) == set()


def test_every_statement_is_proved_by_a_patient_of_each_of_its_rules() -> None:
    assert list(faults()) == []


def test_the_readme_shows_the_table() -> None:
    """`make statements` prints it anew."""
    assert table() in README.read_text(encoding="utf-8")


# --- that the check can fail -------------------------------------------------------------------------------------


def without(topic: str, number: str) -> dict[str, VignetteFile]:
    """All vignettes, those of one rule proving a statement no longer."""
    files = all_files()
    unproved = tuple(
        each.model_copy(update={"proves": tuple(set(each.proves) - {number})}) for each in files[topic].vignettes
    )
    return {**files, topic: files[topic].model_copy(update={"vignettes": unproved})}


def proving(topic: str, number: str, expect: str) -> dict[str, VignetteFile]:
    """All vignettes, the first of a rule that expects `expect` now proving a statement."""
    files = all_files()
    at = next(at for at, each in enumerate(files[topic].vignettes) if each.expect == expect)
    changed = list(files[topic].vignettes)
    changed[at] = changed[at].model_copy(update={"proves": (number,)})
    return {**files, topic: files[topic].model_copy(update={"vignettes": tuple(changed)})}


@pytest.mark.parametrize(("topic", "number"), [("folate-before-b12", "F13"), ("b12-titration-test", "F15")])
def test_a_statement_without_a_patient_is_a_fault(topic: str, number: str) -> None:
    assert list(faults(without(topic, number))) == [f"{number}: no vignette of {topic} proves it"]


def test_a_patient_without_a_card_proves_nothing() -> None:
    [fault] = faults(proving("buttock-injection-site", "F16", "no card"))

    assert "shows no card" in fault


def test_a_patient_cannot_prove_what_the_rule_does_not_carry() -> None:
    [fault] = faults(proving("buttock-injection-site", "F18", "no card"))

    assert "is no statement that this rule carries" in fault


def test_the_changelog_tells_clinicians_of_every_rule() -> None:
    clinical = (README.parents[1] / "CHANGELOG.md").read_text(encoding="utf-8").partition("### Service")[0]

    assert [topic for topic in load().folders if f"- `{topic}`:" not in clinical] == []
