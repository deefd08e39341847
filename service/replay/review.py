"""The review: worksheets for two reviewers who do not see what the rule said, and how far they agreed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cards.library import Library
from service.replay.sample import HIT, Row

WORKSHEET, ANSWERS = "worksheet.csv", "answers.csv"
_YES, _NO = frozenset({"yes", "y", "1", "true"}), frozenset({"no", "n", "0", "false"})
_HOOKS = {"patient-view": "the chart was opened", "order-sign": "an order was signed"}
_NOTES = (
    "For each row look at the chart as it stood on that day. Should a card of this rule have been shown? Write yes or "
    "no into your column, without asking the other reviewer and before anybody opens answers.csv.",
)


class Judgement(NamedTuple):
    """One row of the worksheet: what the rule did, and what each reviewer says it should have done (None: nothing)."""

    topic: str
    shown: bool
    first: bool | None
    second: bool | None


class Agreement(NamedTuple):
    """Two reviewers over the rows that both judged.

    `kappa` is None where it is not defined: both gave one and the same answer to every row. `right` of `shown_agreed`
    cards were right, and `missed` of `silent_agreed` silences should have been cards, of the rows on which they agree.
    """

    judged: int
    agreed: int
    kappa: float | None
    right: int
    shown_agreed: int
    missed: int
    silent_agreed: int


class CannotReview(Exception):
    """A worksheet that cannot be evaluated; the message names the file, the row and what fits."""


def write(folder: Path, sample: Iterable[Row], size: int, library: Library, identifiers: Mapping[str, str]) -> int:
    """Writes worksheet and answers of at most `size` hits and `size` near misses of each rule; how many rows.

    A near miss is a call at which the rule looked at the patient and stayed silent: half of them for a reason that it
    knows, as far as there are such. `identifiers`: patient ids by pseudonym, empty unless asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = _chosen(sample, size)
    titles = {topic: found.definition.title for topic, found in library.folders.items()}
    ids = ["patient_id"] if identifiers else []
    with (
        (folder / WORKSHEET).open("w", newline="", encoding="utf-8") as sheet,
        (folder / ANSWERS).open("w", newline="", encoding="utf-8") as key,
    ):
        to_judge, answers = csv.writer(sheet), csv.writer(key)
        to_judge.writerow(
            ["item", "topic", "rule", "patient", *ids, "day", "when", "ordered", "reviewer_1", "reviewer_2", "comment"]
        )
        answers.writerow(["item", "topic", "shown", "level", "said", "why"])
        for number, row in enumerate(rows, 1):
            own = [identifiers.get(row["patient"], "")] if identifiers else []
            to_judge.writerow(
                [number, row["topic"], titles[row["topic"]], row["patient"], *own, row["day"], _HOOKS[row["hook"]],
                 row["ordered"] or "", "", "", ""]
            )  # fmt: skip
            shown = "yes" if row["outcome"] == HIT else "no"
            answers.writerow(
                [number, row["topic"], shown, row.get("level") or "", row.get("said") or "", row.get("why") or ""]
            )
    (folder / "README.txt").write_text("\n".join(_NOTES) + "\n", "utf-8")
    return len(rows)


def read(folder: Path) -> list[Judgement]:
    """The judgements of a review folder. Raises `CannotReview` and `OSError`."""
    folder = folder / "review" if (folder / "review").is_dir() else folder
    shown = {row["item"]: row for row in _rows(folder / ANSWERS, {"item", "topic", "shown"})}
    judgements = []
    path = folder / WORKSHEET
    for number, row in enumerate(_rows(path, {"item", "reviewer_1", "reviewer_2"}), 2):
        answer = shown.get(row["item"])
        if answer is None:
            raise CannotReview(f"{path}, row {number}: item {row['item']} is not in {ANSWERS}")
        first, second = (_verdict(row[name], path, number) for name in ("reviewer_1", "reviewer_2"))
        judgements.append(Judgement(answer["topic"], answer["shown"] == "yes", first, second))
    return judgements


def agreement(judgements: Sequence[Judgement]) -> Agreement:
    """How far two reviewers agree, and what they agree on."""
    both = [(one, one.first, one.second) for one in judgements if one.first is not None and one.second is not None]
    same = [(one, first) for one, first, second in both if first == second]
    shown = [verdict for one, verdict in same if one.shown]
    silent = [verdict for one, verdict in same if not one.shown]
    return Agreement(
        judged=len(both),
        agreed=len(same),
        kappa=cohens_kappa([(first, second) for _, first, second in both]),
        right=sum(shown),
        shown_agreed=len(shown),
        missed=sum(silent),
        silent_agreed=len(silent),
    )


def cohens_kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Agreement beyond chance of two judges, from 1 (always) over 0 (as by chance) to below; None where not defined.

    Cohen J. A coefficient of agreement for nominal scales. Educational and Psychological Measurement 1960;20:37-46.
    """
    if not pairs:
        return None
    count = len(pairs)
    observed = sum(first == second for first, second in pairs) / count
    yes_first = sum(first for first, _ in pairs) / count
    yes_second = sum(second for _, second in pairs) / count
    by_chance = yes_first * yes_second + (1 - yes_first) * (1 - yes_second)
    return None if by_chance == 1 else (observed - by_chance) / (1 - by_chance)


def report(judgements: Sequence[Judgement]) -> str:
    """A table for the terminal: each rule, then all together."""
    topics = sorted({each.topic for each in judgements})
    lines: list[tuple[str, ...]] = [("rule", "judged", "agreed", "kappa", "cards right", "silences wrong")]
    lines += [_line(topic, agreement([each for each in judgements if each.topic == topic])) for topic in topics]
    lines.append(_line("all rules", agreement(judgements)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    shown = [
        "  ".join(cell.ljust(width) if not place else cell.rjust(width) for place, (cell, width) in enumerate(
            zip(line, widths, strict=True)
        )) for line in lines
    ]  # fmt: skip
    return "\n".join(each.rstrip() for each in shown) + "\n"


def _line(name: str, found: Agreement) -> tuple[str, ...]:
    return (
        name,
        str(found.judged),
        _share(found.agreed, found.judged),
        "not defined" if found.kappa is None else f"{found.kappa:.2f}",
        _share(found.right, found.shown_agreed),
        _share(found.missed, found.silent_agreed),
    )


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f}%)" if whole else "none judged"


def _chosen(sample: Iterable[Row], size: int) -> list[Row]:
    """Of each rule the hits, and as many near misses, half of them excluded by a reason; mixed within the rule."""
    by_kind: dict[tuple[str, str], list[Row]] = {}
    for row in sample:
        by_kind.setdefault((row["topic"], row["outcome"]), []).append(row)
    chosen: list[Row] = []
    for topic in sorted({topic for topic, _ in by_kind}):
        hits, excluded, silent = (by_kind.get((topic, outcome), []) for outcome in ("hit", "excluded", "silent"))
        half = max(size - size // 2, size - len(silent))
        near = excluded[:half]
        near += silent[: size - len(near)]
        # By numbers that have nothing to do with the outcome, so that the order tells nothing.
        chosen += sorted([*hits[:size], *near], key=lambda row: row["patient"])
    return chosen


def _rows(path: Path, needed: set[str]) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if missing := needed - set(reader.fieldnames or ()):
            raise CannotReview(f"{path}: no column {', '.join(sorted(missing))}")
        return list(reader)


def _verdict(said: str | None, path: Path, row: int) -> bool | None:
    word = (said or "").strip().lower()
    if not word:
        return None
    if word not in _YES | _NO:
        raise CannotReview(f"{path}, row {row}: {said!r} is neither yes nor no")
    return word in _YES
