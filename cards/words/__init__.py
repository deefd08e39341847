"""What people write: one normal form of every text, and how the things that it names are meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from cards.memory import LONGEST_READ, LONGEST_TEXT, TEXTS

# Unicode's category Cf, which nobody sees: soft hyphens, zero-width spaces and joiners, marks of direction.
_UNSEEN = re.compile(
    "[\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f]"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Of what was sent, a part that is certain to hold as much as is read but for a text that is mostly white space.
_LONGEST_SENT = 4 * LONGEST_READ
# NFKC would make 112 of "1½" and 102 of "10²".
_FRACTION_AFTER_A_DIGIT = re.compile("(?<=[0-9])(?=[\u00bc-\u00be\u2150-\u215e\u2189])")
_POWER = re.compile("(?<=[0-9])(?=[\u00b2\u00b3\u00b9\u2070\u2074-\u2079])")
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
        **dict.fromkeys("\u2014\u2015", " - "),
        "\u2044": "/",
    }
)


# How much of long texts is read of one call, unless a setting says otherwise; the worst take a quarter of a second.
CHARACTERS_OF_A_CALL = 200_000


class TooMuchText(Exception):
    """The texts of this call that may be read are used up."""


class Budget:
    """How many characters of long texts may still be read; `cut`: one was longer than what is read of a text.

    Short texts are remembered across calls. To count them would make an answer depend on the calls before it.
    """

    def __init__(self, characters: int) -> None:
        self.left = characters
        self.cut = False

    def spend(self, text: str) -> None:
        """Counts a text. Raises `TooMuchText` when there is no more to spend."""
        self.cut = self.cut or len(text) > LONGEST_READ
        self.left -= min(len(text), LONGEST_READ)
        if self.left < 0:
            raise TooMuchText


# Of this thread or task only: a page may explain a call while others are answered.
_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def within(budget: Budget) -> Iterator[None]:
    """Counts the texts that are read meanwhile."""
    before = _budget.set(budget)
    try:
        yield
    finally:
        _budget.reset(before)


def normalised(text: str) -> str:
    """A text as readers expect it; of one that is longer than anybody writes, the beginning.

    Raises `TooMuchText` where the texts of a call are counted (`within`) and there were too many.

    The form is NFKC without unseen characters, with plain apostrophes, hyphens and fraction bars, and with one blank
    for any white space; nothing stands around it. "1½" becomes "1 1/2", "10²" becomes "10^2", "µg" has the Greek mu.
    """
    if len(text) > LONGEST_TEXT:
        if (budget := _budget.get()) is not None:
            budget.spend(text)
        return _form(text)
    form = _form(text)
    if len(_known) >= TEXTS:
        _known.clear()
    _known[text] = form
    return form


def _form(text: str) -> str:
    if not text.isascii():
        text = _FRACTION_AFTER_A_DIGIT.sub(" ", _UNSEEN.sub("", text[:_LONGEST_SENT]))
        text = unicodedata.normalize("NFKC", _POWER.sub("^", text)).translate(_PLAIN)
        text = _UNSEEN.sub("", text)
    elif text.isprintable() and "  " not in text:
        return text[:LONGEST_READ].strip()
    return " ".join(_CONTROL.sub(" ", text[:_LONGEST_SENT]).split())[:LONGEST_READ].rstrip()


# The forms of short texts that came before, in memory only. `known_form(text) or normalised(text)` is what a reader
# asks that reads many: names of drugs and diseases come again and again.
_known: dict[str, str] = {}
known_form = _known.get
