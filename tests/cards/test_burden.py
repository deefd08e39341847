"""Cards are few: no ordinary patient gets one, and whoever gets more than two has been looked at, with the reason."""

from __future__ import annotations

from cards.library import load
from cards.rule import NOT_EVALUATED_TOPIC, Level
from tests.burden import MANY, Shown, many, table, vignettes

# Patients of the vignettes who get more than two cards in one call, and why that is right. Rule, vignette: reason.
REVIEWED: dict[tuple[str, str], str] = {}


def test_every_patient_with_more_than_two_cards_was_looked_at() -> None:
    """`make burden` names them. Merge the cards, or say here why each is needed."""
    assert {(each.where, each.name) for each in many(vignettes())} == set(REVIEWED)
    assert all(REVIEWED.values())


def test_a_patient_with_three_cards_would_be_found() -> None:
    three = Shown("b12-dose-unit", "three", (("b12-dose-unit", Level.CRITICAL),) * (MANY + 1))
    two = Shown("b12-dose-unit", "two", (("b12-dose-unit", Level.CRITICAL),) * MANY)

    assert many([two, three]) == (three,)


def test_the_table_counts_every_card_and_every_call() -> None:
    shown = vignettes()
    rule, *rows, total, calls = table(shown)

    assert rule.split() == ["rule", "critical", "warning", "info", "all"]
    assert [row.split()[0] for row in rows] == [*load().shared.precedence, NOT_EVALUATED_TOPIC]
    assert int(total.split()[-1]) == sum(len(each.cards) for each in shown) == sum(int(row.split()[-1]) for row in rows)
    assert calls.startswith(f"{len(shown)} calls: ")


def test_a_critical_card_is_the_only_one_that_interrupts() -> None:
    """Two critical cards in one call are two problems; no vignette has them."""
    assert [
        (each.where, each.name) for each in vignettes() if sum(level is Level.CRITICAL for _, level in each.cards) > 1
    ] == []
