"""The statements of the founding document, the rules that carry them, and the example patients that prove them.

`make statements` prints the table of `cards/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from pydantic import BaseModel, ConfigDict, TypeAdapter

from cards.library import CARDS, read_yaml
from cards.vignettes import ExpectedCard, VignetteFile, all_files


class Statement(BaseModel):
    """One statement in our words, and the topics of the rules that carry it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    says: str
    rules: tuple[str, ...]


@cache
def statements() -> Mapping[str, Statement]:
    """Every statement by its number. Raises `pydantic.ValidationError` for a malformed file."""
    return TypeAdapter(dict[str, Statement]).validate_python(read_yaml(CARDS / "statements.yaml"))


def proofs(number: str, files: Mapping[str, VignetteFile] | None = None) -> dict[str, tuple[str, ...]]:
    """Per topic, the names of the vignettes that show a card for a statement."""
    found = {
        topic: tuple(
            each.name for each in file.vignettes if number in each.proves and isinstance(each.expect, ExpectedCard)
        )
        for topic, file in (files or all_files()).items()
    }
    return {topic: names for topic, names in found.items() if names}


def faults(files: Mapping[str, VignetteFile] | None = None) -> Iterator[str]:
    """What is wrong between statements and vignettes, in words; nothing when each statement is proved."""
    known = statements()
    for topic, file in (files or all_files()).items():
        for vignette in file.vignettes:
            for number in vignette.proves:
                if number not in known or topic not in known[number].rules:
                    yield f"{topic}: {vignette.name}: {number} is no statement that this rule carries"
                elif not isinstance(vignette.expect, ExpectedCard):
                    yield f"{topic}: {vignette.name}: shows no card and so proves nothing of {number}"
    for number, statement in known.items():
        for topic in sorted(set(statement.rules) - set(proofs(number, files))):
            yield f"{number}: no vignette of {topic} proves it"


def table() -> str:
    """The statements as a Markdown table."""
    lines = ["| | the founding document says | rule: the example patients that prove it |", "| --- | --- | --- |"]
    for number, statement in statements().items():
        proved = proofs(number)
        shown = [f"`{topic}`: {'; '.join(proved[topic])}" for topic in statement.rules if topic in proved]
        lines.append(f"| {number} | {statement.says} | {'<br>'.join(shown)} |")
    return "\n".join(lines)
