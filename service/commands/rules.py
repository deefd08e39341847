"""b12-cds rules: the index of all rules, as a table for the terminal or for cards/README.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cards.library import Library, RuleFolder
from cards.rule import PROFILES, Hook, Level, Profile
from cards.vignettes import ExpectedCard, VignetteFile, all_files

_HOOKS = {Hook.ORDER_SIGN: "sign", Hook.ORDER_SELECT: "select", Hook.PATIENT_VIEW: "view"}
_COLUMNS = ("topic", "hooks", "level", "what it says", "cites", "review", "due", "vignettes")


class Row(NamedTuple):
    """One rule in the index; `vignettes` are those that show a card, and all of them."""

    topic: str
    hooks: str
    level: str
    title: str
    cites: str
    review: str
    due: str
    vignettes: str


def index(library: Library) -> list[Row]:
    """One row for each rule, in order of precedence."""
    files = all_files()
    order = library.shared.precedence.index
    return [_row(library.folders[topic], library, files[topic]) for topic in sorted(library.folders, key=order)]


def plain(rows: Iterable[Row]) -> str:
    """The index for a terminal."""
    table = [_COLUMNS, *rows]
    widths = [max(len(row[number]) for row in table) for number in range(len(_COLUMNS))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in table
    )


def markdown(rows: Iterable[Row]) -> str:
    """The index as a Markdown table."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *((f"`{row.topic}`", *row[1:]) for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _row(folder: RuleFolder, library: Library, file: VignetteFile) -> Row:
    definition = folder.definition
    highest = {profile: _highest(folder, profile) for profile in PROFILES}
    levels = " / ".join(f"{level.value} ({profile})" for profile, level in highest.items())
    level = highest["uk"].value if len(set(highest.values())) == 1 else levels
    evidence = {**library.shared.evidence, **definition.evidence}
    cited = dict.fromkeys(key for profile in PROFILES for key in definition.cites[profile])
    hits = sum(isinstance(each.expect, ExpectedCard) for each in file.vignettes)
    return Row(
        topic=definition.topic,
        hooks=" ".join(name for hook, name in _HOOKS.items() if hook in definition.hooks),
        level=level,
        title=definition.title,
        cites=", ".join(f"{key} ({evidence[key].mark})" for key in cited),
        review=definition.review.state,
        due=definition.review.due.isoformat(),
        vignettes=f"{hits} of {len(file.vignettes)} show a card",
    )


def _highest(folder: RuleFolder, profile: Profile) -> Level:
    levels = [folder.definition.level(variant, profile) for variant in folder.definition.levels]
    return max(levels, key=lambda level: level.rank)
