"""How many cards the patients of the tests get: `make burden` prints it per rule and level, and who gets many.

The patients are those of all vignettes, whatever rule they were written for, and the ordinary ones: each is shown to
all rules at once, as in a call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

import anyio

from cards.library import Library, load
from cards.rule import NOT_EVALUATED_TOPIC, PROFILES, Evaluation, Level, evaluate, triggered
from cards.vignettes import Vignette, all_files, record
from cards.wording import worth_a_card
from tests.ordinary.patients import PATIENTS
from tests.ordinary.test_silence import SELECT, SIGN, VIEW, ask

# A patient with more cards than this in one call is looked at, one by one: `tests/cards/test_burden.py`.
MANY = 2


@dataclass(frozen=True, slots=True)
class Shown:
    """What one patient gets in one call: where the patient comes from, its name, and each card's topic and level."""

    where: str
    name: str
    cards: tuple[tuple[str, Level], ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the cards, in the order shown."""
        return tuple(topic for topic, _ in self.cards)


@cache
def vignettes() -> tuple[Shown, ...]:
    """Every vignette, shown to all rules of its hook and profile."""
    library = load()
    return tuple(
        Shown(topic, vignette.name, _cards(all_rules(library, vignette, file.today), vignette))
        for topic, file in all_files().items()
        for vignette in file.vignettes
    )


def all_rules(library: Library, vignette: Vignette, today: date) -> Evaluation:
    """What becomes of a vignette when every rule is asked."""
    patient = record(vignette, today, library.terminology)
    overrides = {name: Decimal(value) for name, value in vignette.settings.items()}
    asked = triggered(library.rules(vignette.profile, overrides), vignette.hook, patient.drafts)
    return evaluate(asked, vignette.hook, patient, today)


def _cards(evaluation: Evaluation, vignette: Vignette) -> tuple[tuple[str, Level], ...]:
    cards = [(each.rule.topic, each.level) for each in evaluation.raised]
    if worth_a_card(evaluation.not_evaluated, vignette.hook):
        cards.append((NOT_EVALUATED_TOPIC, Level.INFO))
    return tuple(cards)


async def ordinary() -> tuple[Shown, ...]:
    """Every ordinary patient, with the whole chart, on every hook and in both profiles, over HTTP."""
    return tuple(
        [
            Shown(f"{service}, {profile}", patient.name, _in_answer(await ask(service, patient, profile)))
            for service in (SIGN, SELECT, VIEW)
            for profile in PROFILES
            for patient in PATIENTS
        ]
    )


def _in_answer(body: dict[str, list[dict[str, dict[str, dict[str, str]]]]]) -> tuple[tuple[str, Level], ...]:
    return tuple((each["source"]["topic"]["code"], Level(str(each["indicator"]))) for each in body["cards"])


def table(shown: Sequence[Shown]) -> Iterator[str]:
    """Cards per rule and level as lines of text, rules in order of precedence."""
    counts = Counter(card for each in shown for card in each.cards)
    yield f"{'rule':30}" + "".join(f"{level:>10}" for level in reversed(Level)) + f"{'all':>10}"
    for topic in (*load().shared.precedence, NOT_EVALUATED_TOPIC):
        yield _row(topic, [counts[topic, level] for level in reversed(Level)])
    yield _row("all rules", [sum(counts[card] for card in counts if card[1] is level) for level in reversed(Level)])
    sizes = Counter(len(each.cards) for each in shown)
    yield f"{len(shown)} calls: " + ", ".join(f"{sizes[size]} with {size}" for size in sorted(sizes))


def _row(name: str, counts: Sequence[int]) -> str:
    return f"{name:30}" + "".join(f"{count or '':>10}" for count in (*counts, sum(counts)))


def many(shown: Iterable[Shown]) -> tuple[Shown, ...]:
    """Those with more than two cards."""
    return tuple(each for each in shown if len(each.cards) > MANY)


def main() -> None:
    """Prints both tables, and the patients with more than two cards."""
    crowd = anyio.run(ordinary)
    for title, shown in (("Vignettes", vignettes()), ("Ordinary patients", crowd)):
        print(f"\n{title}\n")
        print("\n".join(table(shown)))
        for each in many(shown):
            print(f"more than {MANY}: {each.where}: {each.name}: " + ", ".join(each.topics))


if __name__ == "__main__":
    main()
