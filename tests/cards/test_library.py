"""Reading the rule folders: a malformed one is refused before the first request, naming file and field."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from cards.library import CARDS, RuleError, load
from cards.rule import PROFILES, Level, Profile
from cards.wording import Wording

TOPIC = "buttock-injection-site"
Fault = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of one rule folder, with what all rules share beside it."""
    for name in ("shared.yaml", "regimens.yaml"):
        shutil.copy(CARDS / name, tmp_path / name)
    return shutil.copytree(CARDS / "buttock_injection_site", tmp_path / "buttock_injection_site")


def _spoil(path: Path, fault: Fault) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    fault(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


def _refused(cards: Path) -> str:
    with pytest.raises(RuleError) as refused:
        load(cards)
    return str(refused.value)


def test_a_sound_folder_is_read(folder: Path) -> None:
    library = load(folder.parent)

    assert set(library.folders) == {TOPIC}
    assert [rule.topic for rule in library.rules("uk")] == [TOPIC]


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        pytest.param("card.colour: Extra inputs", lambda c: c["card"].update(colour="red"), id="an unknown key"),
        pytest.param("sources: Extra inputs", lambda c: c.update(sources=[]), id="an unknown key of the rule"),
        pytest.param("question: Field required", lambda c: c.pop("question"), id="no question"),
        pytest.param("title: Field required", lambda c: c.pop("title"), id="no title"),
        pytest.param("levels: Field required", lambda c: c.pop("levels"), id="no levels"),
        pytest.param("cites: Field required", lambda c: c.pop("cites"), id="no sources"),
        pytest.param("review: Field required", lambda c: c.pop("review"), id="no state of review"),
        pytest.param(
            "cites.us: Tuple should have at least 1", lambda c: c["cites"].update(us=[]), id="no source in us"
        ),
        pytest.param("cites: nothing for us", lambda c: c["cites"].pop("us"), id="a profile without sources"),
        pytest.param(
            "cites.fr.[key]: Input should be 'uk' or 'us'", lambda c: c["cites"].update(fr=["x"]), id="profile"
        ),
        pytest.param("cites.uk: unknown nice-2030", lambda c: c["cites"].update(uk=["nice-2030"]), id="unknown source"),
        pytest.param(
            "cites.uk: a card may not cite acip", lambda c: c["cites"].update(uk=["mishra-2010", "acip"]), id="a lead"
        ),
        pytest.param(
            "cites.uk: the first source needs a url",
            lambda c: c["cites"].update(uk=["royal-marsden"]),
            id="a source without an address",
        ),
        pytest.param(
            "evidence.acip.mark: Field required",
            lambda c: c["evidence"]["acip"].pop("mark"),
            id="evidence without mark",
        ),
        pytest.param(
            "evidence.acip.mark: Input should be",
            lambda c: c["evidence"]["acip"].update(mark="certain"),
            id="an unknown mark",
        ),
        pytest.param(
            "evidence.acip: Value error, a second-hand source names who quotes it",
            lambda c: c["evidence"]["acip"].update(mark="second-hand"),
            id="a second-hand source alone",
        ),
        pytest.param(
            "evidence.acip.says: Field required",
            lambda c: c["evidence"]["acip"].pop("says"),
            id="evidence that says nothing",
        ),
        pytest.param(
            "thresholds.repeated_buttock_doses.us: Field required",
            lambda c: c["thresholds"]["repeated_buttock_doses"].pop("us"),
            id="a threshold without a value in one profile",
        ),
        pytest.param(
            "thresholds.repeated_buttock_doses.unit: Field required",
            lambda c: c["thresholds"]["repeated_buttock_doses"].pop("unit"),
            id="a threshold without unit",
        ),
        pytest.param(
            "thresholds.repeated_buttock_doses.uk.value",
            lambda c: c["thresholds"]["repeated_buttock_doses"].update(uk={"value": "two"}),
            id="a threshold that is no number",
        ),
        pytest.param(
            "thresholds.cite: unknown hearsay",
            lambda c: c["thresholds"]["repeated_buttock_doses"]["uk"].update(cite="hearsay"),
            id="a threshold with an unknown source",
        ),
        pytest.param("levels.buttock", lambda c: c["levels"].update(buttock="alarming"), id="an unknown level"),
        pytest.param(
            "levels.buttock: nothing for us",
            lambda c: c["levels"].update(buttock={"uk": "warning"}),
            id="a level for one profile alone",
        ),
        pytest.param(
            "card.summary and levels name different variants",
            lambda c: c["levels"].pop("repeated"),
            id="a summary without level",
        ),
        pytest.param(
            "card.summary and levels name different variants",
            lambda c: c["card"]["summary"].pop("repeated"),
            id="a level without summary",
        ),
        pytest.param("hooks.1: Input should be", lambda c: c["hooks"].__setitem__(1, "order-review"), id="a hook"),
        pytest.param(
            "needs.genome.[key]: Input should be", lambda c: c["needs"].update(genome={}), id="a source of data"
        ),
        pytest.param(
            "needs.of: unknown vitamin_b13",
            lambda c: c["uses"].update(labs={"of": ["vitamin_b13"]}),
            id="an unknown concept",
        ),
        pytest.param(
            "card.override_reasons: unknown because",
            lambda c: c["card"].update(override_reasons=["because"]),
            id="an unknown override reason",
        ),
        pytest.param(
            "card.suggestions.0.actions: Tuple should have at least 1",
            lambda c: c["card"]["suggestions"][0].update(actions=[]),
            id="a button that does nothing",
        ),
        pytest.param(
            "card.suggestions.0.actions.0.ChangeOrder.change.site: Input should be",
            lambda c: c["card"]["suggestions"][0].update(actions=[{"change": {"site": "buttock"}}]),
            id="a move to a site that is not advised",
        ),
        pytest.param(
            "a change sets exactly one thing",
            lambda c: c["card"]["suggestions"][0].update(
                actions=[{"change": {"site": "deltoid", "start": "tomorrow"}}]
            ),
            id="a change of two things",
        ),
        pytest.param(
            "suggestions.order: unknown antibiotics",
            lambda c: c["card"]["suggestions"][0].update(actions=[{"order": "antibiotics"}]),
            id="an unknown regimen",
        ),
        pytest.param(
            "suggestions.test: unknown ferritin",
            lambda c: c["card"]["suggestions"][0].update(actions=[{"test": "ferritin"}]),
            id="an unknown test",
        ),
        pytest.param(
            "suggestions.task: unknown pray",
            lambda c: c["card"]["suggestions"][0].update(actions=[{"task": "pray"}]),
            id="an unknown task",
        ),
        pytest.param("topic: the folder is called", lambda c: c.update(topic="buttock"), id="another topic"),
        pytest.param("topic: String should match", lambda c: c.update(topic="Buttock Site"), id="a topic with spaces"),
        pytest.param(
            "review.state: Input should be", lambda c: c["review"].update(state="approved by all"), id="invented review"
        ),
        pytest.param(
            "review.due: Input should be a valid date", lambda c: c["review"].update(due="soon"), id="no day of review"
        ),
    ],
)
def test_a_malformed_card_is_refused_naming_file_and_field(folder: Path, field: str, fault: Fault) -> None:
    path = folder / "card.yaml"
    _spoil(path, fault)

    message = _refused(folder.parent)

    assert message.startswith(f"{path}: ")
    assert field in message


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        pytest.param("precedence: Field required", lambda s: s.pop("precedence"), id="no precedence"),
        pytest.param("rules: Extra inputs", lambda s: s.update(rules=[]), id="an unknown key"),
        pytest.param(
            "override_reasons.moved-away.category: Input should be",
            lambda s: s["override_reasons"]["moved-away"].update(category="whatever"),
            id="an override reason without a standard category",
        ),
        pytest.param(
            "thresholds.b12_deficient_below.uk: Field required",
            lambda s: s["thresholds"]["b12_deficient_below"].pop("uk"),
            id="a shared threshold without a value in one profile",
        ),
    ],
)
def test_a_malformed_shared_file_is_refused_naming_file_and_field(folder: Path, field: str, fault: Fault) -> None:
    path = folder.parent / "shared.yaml"
    _spoil(path, fault)

    message = _refused(folder.parent)

    assert message.startswith(f"{path}: ")
    assert field in message


def test_a_regimen_without_a_step_is_refused_naming_file_and_field(folder: Path) -> None:
    path = folder.parent / "regimens.yaml"
    name = next(iter(load().regimens.orders))
    _spoil(path, lambda regimens: regimens["orders"][name]["uk"].update(steps=[]))

    assert _refused(folder.parent).startswith(f"{path}: orders.{name}.uk.steps: Tuple should have at least 1")


def test_a_topic_outside_the_precedence_is_refused(folder: Path) -> None:
    _spoil(folder.parent / "shared.yaml", lambda shared: shared["precedence"].remove(TOPIC))

    assert _refused(folder.parent) == f"{folder / 'card.yaml'}: topic: not in the precedence of shared.yaml"


def test_a_file_that_is_not_yaml_is_refused_naming_it(folder: Path) -> None:
    path = folder / "card.yaml"
    path.write_text("topic: [buttock", encoding="utf-8")

    assert _refused(folder.parent).startswith(f"{path}: ")


def test_a_missing_shared_file_is_refused_naming_it(folder: Path) -> None:
    (folder.parent / "shared.yaml").unlink()

    assert str(folder.parent / "shared.yaml") in _refused(folder.parent)


def test_a_rule_without_criteria_is_refused_naming_the_file(folder: Path) -> None:
    other = folder.rename(folder.parent / "no_such_rule")

    assert _refused(folder.parent).startswith(f"{other / 'criteria.py'}: ")


@pytest.mark.parametrize("part", ["why_now", "recommended"])
def test_a_template_that_is_not_well_formed_is_refused_naming_file_and_variant(folder: Path, part: str) -> None:
    path = folder / "card.yaml"
    _spoil(path, lambda card: card["card"].update({part: "{% if earlier %}Never ended."}))

    with pytest.raises(RuleError, match=re.escape(f"{path}: card, buttock: ")):
        Wording(load(folder.parent), "uk")


# --- the rules of this package ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_rules_come_in_the_order_of_precedence(profile: Profile) -> None:
    library = load()

    topics = [rule.topic for rule in library.rules(profile)]

    assert topics == [topic for topic in library.shared.precedence if topic in library.folders]
    assert set(topics) == set(library.folders)


def test_a_site_may_set_its_own_threshold() -> None:
    library = load()

    own = library.rules("uk", {"b12_deficient_below": Decimal(145)})
    usual = library.rules("uk")

    assert {rule.limits["b12_deficient_below"] for rule in own} == {Decimal(145)}
    assert {rule.limits["b12_deficient_below"] for rule in usual} == {Decimal(180)}
    assert {rule.limits["b12_replete_above"] for rule in own} == {Decimal(350)}


def test_a_threshold_of_a_site_that_no_rule_has_is_refused_naming_it() -> None:
    with pytest.raises(RuleError, match=r"^thresholds: unknown b12_defficient_below$"):
        load().rules("uk", {"b12_defficient_below": Decimal(145)})


@pytest.mark.parametrize("topic", sorted(load().folders))
def test_a_threshold_without_a_source_is_a_service_setting_and_one_with_a_source_may_be_cited(topic: str) -> None:
    library = load()
    definition = library.folders[topic].definition
    evidence = {**library.shared.evidence, **definition.evidence}
    cited = {
        value.cite
        for threshold in {**library.shared.thresholds, **definition.thresholds}.values()
        for value in (threshold.uk, threshold.us)
        if value.cite
    }

    assert cited
    assert [key for key in cited if not evidence[key].citable] == []


# Decision 9 of the clinical rules: only these may interrupt.
MAY_INTERRUPT = {
    "folate-before-b12",
    "lifelong-b12-stopped",
    "leber-cyanocobalamin",
    "b12-dose-unit",
    "cobalamin-allergy",
    "untreated-deficiency",
    "missed-maintenance-dose",
    "loading-hypokalaemia",
}


@pytest.mark.parametrize("profile", PROFILES)
def test_only_the_rules_that_may_interrupt_are_critical(profile: Profile) -> None:
    critical = {rule.topic for rule in load().rules(profile) if rule.highest_level is Level.CRITICAL}

    assert critical
    assert critical <= MAY_INTERRUPT


@pytest.mark.parametrize("topic", sorted(load().folders))
def test_a_rule_offers_four_to_six_override_reasons(topic: str) -> None:
    reasons = load().folders[topic].definition.card.override_reasons

    assert 4 <= len(set(reasons)) == len(reasons) <= 8
    assert reasons[-1] == "inaccurate"
