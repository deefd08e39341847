"""Work is shared between rules and between calls only where its result is the same."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from cards.fact import fact
from cards.library import load
from cards.memory import LONGEST_READ, LONGEST_TEXT, remembered
from cards.record import CourseStatus, Medicine, Order, PatientRecord, once_per_record
from cards.rule import PROFILES, Hook, Limits, triggered

ORDER_HOOKS = [hook for hook in Hook if hook.about_orders]


def test_a_short_text_is_read_once_and_a_long_one_each_time_because_it_would_fill_the_memory() -> None:
    read: list[str] = []

    @remembered
    def length(text: str) -> int:
        read.append(text)
        return len(text)

    short, long = "x" * LONGEST_TEXT, "x" * (LONGEST_TEXT + 1)
    assert [length(short), length(short), length(long), length(long)] == [len(short)] * 2 + [len(long)] * 2
    assert read == [short, long, long]


def test_of_a_text_that_nobody_would_write_the_rest_is_not_read() -> None:
    length = remembered(len)

    assert [length("x" * LONGEST_READ), length("x" * LONGEST_READ * 2)] == [LONGEST_READ] * 2


def test_a_shared_definition_is_worked_out_once_for_rules_that_share_its_thresholds() -> None:
    worked_out: list[Limits] = []

    @once_per_record
    def deficient_below(record: PatientRecord, limits: Limits) -> Decimal:
        worked_out.append(limits)
        return limits["deficient_below"]

    shared = {"deficient_below": Decimal(145)}
    one = Limits("uk", {**shared, "own": Decimal(1)}, shared)
    other = Limits("uk", {**shared, "own": Decimal(2)}, shared)
    apart = Limits("uk", {"deficient_below": Decimal(180)})
    record = PatientRecord()

    assert [deficient_below(record, each) for each in (one, other, apart)] == [145, 145, 180]
    assert worked_out == [one, apart]
    assert deficient_below(PatientRecord(), one) == 145
    assert len(worked_out) == 3


def test_a_rule_with_a_shared_threshold_of_its_own_shares_nothing() -> None:
    library = load()
    limits = {rule.topic: rule.limits for rule in library.rules("uk")}

    apart = {
        topic
        for topic in limits
        if not library.shared.thresholds.keys().isdisjoint(library.folders[topic].definition.thresholds)
    }

    assert apart
    sharing = {topic for topic in limits if limits[topic] == limits["folate-before-b12"]}
    assert sharing == limits.keys() - apart


@pytest.mark.parametrize("profile", PROFILES)
def test_what_no_value_set_knows_triggers_no_rule_of_any_hook(profile: str) -> None:
    """`triggered` asks the rules about known drugs and tests only: no rule may be about anything else."""
    unknown = Medicine(())
    for status, stopped in product(CourseStatus, (False, True)):
        order = Order("MedicationRequest/1", unknown, status, do_not_perform=stopped)
        for rule in load().rules("uk" if profile == "uk" else "us"):
            assert not rule.triggered_by(order, rule.limits), rule.topic


@pytest.mark.parametrize("hook", ORDER_HOOKS)
def test_a_draft_that_is_not_selected_triggers_nothing(hook: Hook) -> None:
    rules = load().rules("uk")
    folic_acid = Medicine(("folic_acid",))

    assert triggered(rules, hook, [Order("a/1", folic_acid, CourseStatus.DRAFT, selected=True)])
    assert triggered(rules, hook, [Order("a/1", folic_acid, CourseStatus.DRAFT, selected=False)]) == ()


def test_facts_are_equal_and_hashed_by_what_they_hold() -> None:
    @fact(frozen=True, slots=True)
    class Weight:
        grams: int

    assert Weight(5) == Weight(5)
    assert len({Weight(5), Weight(5), Weight(6)}) == 2
    with pytest.raises(AttributeError):
        Weight(5).ounces = 1  # type: ignore[attr-defined]
