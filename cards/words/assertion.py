"""How a text means what it names: affirmed, denied, doubtful, past, planned, declined, or of somebody else.

The phrases are data (`phrases.yaml`); what ends the reach of one are its sentence part and a few words. Everything
here takes one look at each word of a text, however long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cards.fact import fact
from cards.memory import remembered

_FILE = Path(__file__).parent / "phrases.yaml"


class Assertion(StrEnum):
    """How something that a text names is meant; the first that bears on it counts."""

    AFFIRMED = "affirmed"
    DENIED = "denied"
    ANOTHERS = "another's"
    DOUBTFUL = "doubtful"
    DECLINED = "declined"
    PLANNED = "planned"
    PAST = "past"


class Direction(StrEnum):
    """What a phrase bears on; the values are those of the phrase file."""

    FOLLOWS = "what follows"
    PRECEDES = "what precedes"
    EITHER = "either"
    BOTH = "both"
    PART_BEFORE = "the part before"


@fact(frozen=True, slots=True)
class Phrase:
    """One wording of the phrase file; `words` end in `*` where any ending will do. `says`: None for one of nothing."""

    words: tuple[str, ...]
    says: Assertion | None
    direction: Direction = Direction.FOLLOWS
    reach: int | None = None
    lists: bool = False
    alone: bool = False
    acts: bool = False


@fact(frozen=True, slots=True)
class Sense:
    """What a reader looks for: a thing that is not meant in one of the ways of `against`.

    `acts`: something done or given, which can be planned, declined, avoided or stopped; a disease cannot.
    """

    against: frozenset[Assertion]
    acts: bool = False

    def but(self, *these: Assertion) -> Sense:
        """The same, where `these` do not count against it."""
        return Sense(self.against - set(these), self.acts)


_ALL = frozenset(Assertion) - {Assertion.AFFIRMED}
# A disease or sign that is there now; an operation that was done; something that is done or given now.
DISEASE = Sense(_ALL)
LASTING = DISEASE.but(Assertion.PAST)
ACT = Sense(_ALL, acts=True)
DONE = ACT.but(Assertion.PAST)
# What somebody reacted to: what they cannot have is no denial of it, nor is doubt ("possible anaphylaxis").
SUFFERED = Sense(frozenset({Assertion.DENIED, Assertion.ANOTHERS}))
# Named, unless it is denied or not wanted: drugs, tests, sites, routes.
NAMED = Sense(frozenset({Assertion.DENIED, Assertion.DECLINED}), acts=True)


def assertion(text: str, start: int, end: int, *, acts: bool = False) -> Assertion:
    """How a text (in its normal form) means what it names from `start` to `end`."""
    bearing = _bearing(text, start, end, acts=acts)
    return next((each for each in Assertion if each in bearing), Assertion.AFFIRMED)


def find_meant(pattern: re.Pattern[str], text: str, sense: Sense) -> re.Match[str] | None:
    """The first match of a pattern that is meant in this sense: one of several is enough."""
    first = pattern.search(text)
    if first is None:
        return None
    return next((each for each in pattern.finditer(text) if is_meant(text, each.start(), each.end(), sense)), None)


def is_meant(text: str, start: int, end: int, sense: Sense) -> bool:
    """Whether what a text names from `start` to `end` is meant in this sense; no name goes past a sentence's end."""
    found = _analysed(text)
    if not found.scopes and not found.stops:
        return True
    # The full stop of "def." ends a name, it does not stand in one.
    if any(start < each < end - 1 for each in found.stops):
        return False
    return sense.against.isdisjoint(_bearing(text, start, end, acts=sense.acts))


def denies_what_is_asked(text: str) -> bool:
    """Whether the words, given as an answer or value, say no: "never", "denies use", "stopped in 2019", "ex-user"."""
    return any(each.at_start and each.says is not Assertion.PLANNED for each in _analysed(text).scopes)


def part_of(text: str, start: int, end: int) -> str:
    """The sentence part in which a name stands."""
    found = _analysed(text)
    before = max((each for each in found.seams if each <= start), default=0)
    after = min((each for each in found.seams if each >= end), default=len(text))
    return text[before:after]


class _Scope(NamedTuple):
    """What a phrase bears on: names that begin (`forward`) or end between `start` and `end`."""

    start: int
    end: int
    forward: bool
    says: Assertion
    acts: bool
    said_from: int
    said_to: int
    at_start: bool


class _Analysed(NamedTuple):
    """The reaches of the phrases of a text, the ends of its sentences, and the seams of its sentence parts."""

    scopes: tuple[_Scope, ...]
    stops: tuple[int, ...]
    seams: tuple[int, ...]


_OF_ACTS = frozenset({Assertion.PLANNED, Assertion.DECLINED})


def _bearing(text: str, start: int, end: int, *, acts: bool) -> set[Assertion]:
    return {
        each.says
        for each in _analysed(text).scopes
        if (acts or not (each.acts or each.says in _OF_ACTS))
        and (
            (each.said_from < start < each.end if each.forward else each.start < end < each.said_to)
            # "Anaemia, no B12 deficiency" is not one name, nor is "neuropathy excluded, B12 deficiency".
            or start < each.said_from < each.said_to <= end
        )
    }


# --- the phrases -----------------------------------------------------------------------------------------------------


class _Node:
    """A place in the tree of phrases, word by word."""

    __slots__ = ("beginnings", "next", "phrase")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.beginnings: list[tuple[str, _Node]] = []
        self.phrase: Phrase | None = None

    def child(self, word: str) -> _Node:
        if not word.endswith("*"):
            return self.next.setdefault(word, _Node())
        found = next((node for beginning, node in self.beginnings if beginning == word[:-1]), None)
        if found is None:
            found = _Node()
            self.beginnings.append((word[:-1], found))
        return found

    def step(self, word: str) -> list[_Node]:
        """The places that a word leads to; the word itself goes before its beginning."""
        found = [self.next[word]] if word in self.next else []
        return found + [node for beginning, node in self.beginnings if word.startswith(beginning)]


class Phrases(NamedTuple):
    """The phrase file: its phrases, and the words that shape a sentence."""

    phrases: tuple[Phrase, ...]
    ends: tuple[tuple[str, ...], ...]
    ends_but_next: tuple[tuple[str, ...], ...]
    anew: frozenset[str]
    adverbs: frozenset[str]
    abbreviations: frozenset[str]
    whose: frozenset[str]


class PhraseError(Exception):
    """A phrase file that cannot be used; the message names the phrase."""


@cache
def phrases() -> Phrases:
    """The phrases of this package. Raises `PhraseError` for one that stands twice."""
    told = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    macros = {name: "|".join(words.split("|")) for name, words in told["words"].items()}
    found: dict[tuple[str, ...], Phrase] = {}
    groups = [*told["phrases"], {"text": told["says nothing"]}]
    for group in groups:
        for phrase in _of_group(group, macros):
            if found.setdefault(phrase.words, phrase) != phrase:
                raise PhraseError(f"stands twice: {' '.join(phrase.words)}")
    return Phrases(
        tuple(found.values()),
        _all_wordings(told["ends"], macros),
        _all_wordings(told["ends but next"], macros),
        frozenset(told["begins anew"]),
        frozenset(told["adverbs"]),
        frozenset(told["abbreviations"]),
        frozenset(macros["whose"].split("|")),
    )


def _all_wordings(texts: list[str], macros: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    return tuple(dict.fromkeys(words for text in texts for words in _wordings(text, macros)))


def _of_group(group: Mapping[str, Any], macros: Mapping[str, str]) -> Iterator[Phrase]:
    says = Assertion(group["says"]) if "says" in group else None
    for text in group["text"]:
        for words in _wordings(text, macros):
            yield Phrase(
                words,
                says,
                Direction(group.get("bears on", Direction.FOLLOWS)),
                group.get("reach"),
                lists=group.get("lists", False),
                alone=group.get("alone", False),
                acts=group.get("acts", False),
            )


_GROUP = re.compile(r"\(([^()]*)\)")
_MACRO = re.compile(r"<(\w+)>")


def _wordings(text: str, macros: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Every wording of a phrase with alternatives."""
    text = _MACRO.sub(lambda match: macros[match[1]] if _inside_a_group(match) else f"({macros[match[1]]})", text)
    pieces = _GROUP.split(text)
    choices = [piece.split("|") if number % 2 else [piece] for number, piece in enumerate(pieces)]
    for chosen in product(*choices):
        yield tuple(_key(match[0]) for match in _STARRED.finditer("".join(chosen)))


def _inside_a_group(match: re.Match[str]) -> bool:
    before = match.string[: match.start()]
    return before.count("(") > before.count(")")


_WORD = r"[^\W_](?:[^\W_]|')*"
_TOKEN = re.compile(_WORD + r"|[^\w\s]|_")
_STARRED = re.compile(_WORD + r"\*?|[^\w\s]|_")


def _key(word: str) -> str:
    return word.replace("'", "").lower() if len(word) > 1 else word.lower()


_END, _END_BUT_NEXT = Phrase(("ends",), None), Phrase(("ends but next",), None)


@cache
def _tree() -> _Node:
    root = _Node()
    told = phrases()
    for words, phrase in [
        *((each.words, each) for each in told.phrases),
        *((words, _END) for words in told.ends),
        *((words, _END_BUT_NEXT) for words in told.ends_but_next),
    ]:
        node = root
        for word in words:
            node = node.child(word)
        node.phrase = node.phrase or phrase
    return root


# --- a text ----------------------------------------------------------------------------------------------------------


class _Kind(StrEnum):
    WORD = "word"
    SAID = "part of a phrase"
    STOP = "end of a sentence"
    SEAM = "colon, dash or bracket"
    COMMA = "comma"
    END = "word that ends a reach"
    END_BUT_NEXT = "word that ends a reach but that of a phrase just before it"


_STOPS = frozenset(".;!|")
_SEAMS = frozenset(":()[]{}")
_UNTIL = frozenset({_Kind.STOP, _Kind.SEAM, _Kind.END, _Kind.END_BUT_NEXT})
_SEAMS_OF_PARTS = frozenset({_Kind.STOP, _Kind.SEAM, _Kind.COMMA})
_DOUBT = Phrase(("?",), Assertion.DOUBTFUL, Direction.FOLLOWS, 6)
_DOUBTED = Phrase(("?",), Assertion.DOUBTFUL, Direction.PRECEDES, 8)
# How many words an item of a list may have: "no numbness, loss of vibration sense or ataxia".
_LONGEST_ITEM = 5


class _Text:
    """A text taken apart: its words, what kind each is, and the phrases in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans = [match.span() for match in _TOKEN.finditer(text)]
        self.keys = [_key(text[start:end]) for start, end in self.spans]
        self.kinds = [_Kind.WORD] * len(self.keys)
        self.said: list[tuple[int, int, Phrase]] = []
        self.begins: set[int] = set()
        self._mark()

    def _mark(self) -> None:
        place = 0
        while place < len(self.keys):
            after, phrase = self._longest(place)
            if phrase is _END or phrase is _END_BUT_NEXT:
                kind = _Kind.END if phrase is _END else _Kind.END_BUT_NEXT
                self.kinds[place:after] = [kind] * (after - place)
            elif phrase is not None:
                self.kinds[place:after] = [_Kind.SAID] * (after - place)
                if phrase.says is not None:
                    self.said.append((place, after, phrase))
                    self.begins.add(place)
            else:
                after = place + 1
                if self.keys[place] == "?":
                    self._ask(place)
                else:
                    self.kinds[place] = self._kind(place)
            place = after

    def _longest(self, place: int) -> tuple[int, Phrase | None]:
        nodes = _tree().step(self.keys[place])
        found: tuple[int, Phrase | None] = (place, None)
        while nodes:
            place += 1
            phrase = next((node.phrase for node in nodes if node.phrase is not None), None)
            if phrase is not None:
                found = (place, phrase)
            following = self.keys[place] if place < len(self.keys) else None
            nodes = [each for node in nodes for each in node.step(following)] if following is not None else []
        return found

    def _ask(self, place: int) -> None:
        """A question mark doubts what follows, or what it stands behind; within a word it is a mangled apostrophe."""
        start, end = self.spans[place]
        behind = start > 0 and self.text[start - 1].isalnum()
        ahead = end < len(self.text) and self.text[end].isalnum()
        if behind and ahead:
            return
        self.kinds[place] = _Kind.SAID
        named = place + 1 < len(self.keys) and (self.keys[place + 1][0].isalnum() or self.keys[place + 1] == "?")
        self.said.append((place, place + 1, _DOUBTED if behind or not named else _DOUBT))
        self.begins.add(place)

    def _kind(self, place: int) -> _Kind:
        key = self.keys[place]
        if key[0].isalnum():
            return _Kind.WORD
        if key == ",":
            return _Kind.WORD if self._within_a_number(place) else _Kind.COMMA
        if key in _SEAMS:
            return _Kind.SEAM
        start, end = self.spans[place]
        after_blank = start == 0 or self.text[start - 1].isspace()
        before_blank = end == len(self.text) or self.text[end].isspace()
        if key in "-\N{EN DASH}\N{EM DASH}":
            return _Kind.SEAM if after_blank or before_blank or key == "\N{EM DASH}" else _Kind.WORD
        if key == ".":
            before = self.keys[place - 1] if place else ""
            short = (len(before) == 1 and before.isalpha()) or before in phrases().abbreviations
            return _Kind.STOP if end == len(self.text) or (before_blank and not short) else _Kind.WORD
        return _Kind.STOP if key in _STOPS else _Kind.WORD

    def _within_a_number(self, place: int) -> bool:
        start, end = self.spans[place]
        return self.text[start - 1 : start].isdigit() and self.text[end : end + 1].isdigit()

    # --- how far phrases reach ---

    def scopes(self) -> Iterator[_Scope]:
        for first, after, phrase in self.said:
            precedes, follows = self._directions(first, after, phrase)
            before = self._preceding(first, after, phrase) if precedes else None
            behind = self._following(after, phrase) if follows or not before else None
            if before:
                yield self._scope(first, after, phrase, before, forward=False)
            if behind and phrase.direction not in (Direction.PRECEDES, Direction.PART_BEFORE):
                yield self._scope(first, after, phrase, behind, forward=True)
            elif not before and first == 0:
                yield self._scope(first, after, phrase, (0, 0), forward=True)

    def _scope(self, first: int, after: int, phrase: Phrase, reach: tuple[int, int], *, forward: bool) -> _Scope:
        says = phrase.says or Assertion.AFFIRMED
        said_from, said_to = self.spans[first][0], self.spans[after - 1][1]
        return _Scope(*reach, forward, says, phrase.acts, said_from, said_to, first == 0)

    def _directions(self, first: int, after: int, phrase: Phrase) -> tuple[bool, bool]:
        """Whether a phrase bears on what precedes and on what follows it there."""
        if phrase.direction is Direction.EITHER:
            # "Gastrectomy declined by the patient", but "pernicious anaemia, declined injections".
            return self._goes_on_loosely(after), not self._ends_there(after)
        if phrase.direction is Direction.FOLLOWS:
            return phrase.alone and self._ends_there(after), not self._ends_there(after)
        if phrase.direction is Direction.PART_BEFORE:
            begins = first > 0 and self.kinds[first - 1] in (_Kind.SEAM, _Kind.COMMA)
            return begins and self._ends_there(after), False
        return True, phrase.direction is Direction.BOTH

    def _ends_there(self, after: int) -> bool:
        """Whether the sentence part ends with the word before `after`."""
        return after >= len(self.keys) or self.kinds[after] in _SEAMS_OF_PARTS

    def _goes_on_loosely(self, after: int) -> bool:
        """Whether the part ends there, or goes on with words that name nothing: "declined by the patient"."""
        return self._ends_there(after) or self.keys[after] in phrases().adverbs or self.keys[after].isdigit()

    def _following(self, after: int, phrase: Phrase) -> tuple[int, int] | None:
        place, heading = after, False
        while place < len(self.keys) and self.kinds[place] in (_Kind.SEAM, _Kind.END_BUT_NEXT):
            if self.keys[place] in ")]}":
                return None
            heading = heading or self.keys[place] == ":"
            place += 1
        if place >= len(self.keys):
            return None
        start, end, words, listed = self.spans[place][0], self.spans[place][0], 0, place
        while place < len(self.keys):
            kind = self.kinds[place]
            if kind in _UNTIL:
                break
            if kind is _Kind.COMMA:
                goes_on = phrase.lists or heading
                if not goes_on and place >= listed:
                    listed = self._end_of_list(place)
                if (not goes_on and place >= listed) or self._begins_anew(place + 1):
                    break
                words = 0
            else:
                words += self.keys[place][0].isalnum()
                if phrase.reach is not None and words > phrase.reach + 1:
                    break
                end = self.spans[place][1]
            place += 1
        return (start, end) if end > start else None

    def _end_of_list(self, comma: int) -> int:
        """Where a list with "or" or "nor" ends that goes on behind a comma; the comma itself when none does."""
        place = comma
        while True:
            place += 1
            if self._begins_anew(place):
                return comma
            words, joined = 0, False
            while place < len(self.keys) and self.kinds[place] not in _UNTIL and self.kinds[place] is not _Kind.COMMA:
                if self.keys[place] in phrases().anew:
                    return comma
                joined = joined or (self.keys[place] in ("or", "nor") and words <= _LONGEST_ITEM)
                words += 1
                if not joined and words > _LONGEST_ITEM:
                    return comma
                place += 1
            if joined:
                return place
            if place >= len(self.keys) or self.kinds[place] is not _Kind.COMMA:
                return comma

    def _begins_anew(self, place: int) -> bool:
        return place >= len(self.keys) or place in self.begins or self.keys[place] in phrases().anew

    def _preceding(self, first: int, after: int, phrase: Phrase) -> tuple[int, int] | None:
        place = first - 1
        while phrase.says is Assertion.ANOTHERS and place >= 0 and self.keys[place] in phrases().whose:
            place -= 1
        if place >= 0 and self.kinds[place] in (_Kind.SEAM, _Kind.COMMA) and self._goes_on_loosely(after):
            # By itself in its part ("pernicious anaemia: excluded", "gastrectomy (declined)"): of the part before.
            while place >= 0 and self.kinds[place] in (_Kind.SEAM, _Kind.COMMA):
                place -= 1
        last, words = place, 0
        while place >= 0 and self.kinds[place] is not _Kind.COMMA and self.kinds[place] not in _UNTIL:
            words += self.keys[place][0].isalnum()
            if phrase.reach is not None and words > phrase.reach + 1:
                break
            place -= 1
        if last == place or last < 0:
            return None
        return self.spans[place + 1][0], self.spans[last][1]


_NOTHING = _Analysed((), (), ())


@remembered
def _analysed(text: str) -> _Analysed:
    taken = _Text(text)
    stops = tuple(taken.spans[place][0] for place, kind in enumerate(taken.kinds) if kind is _Kind.STOP)
    seams = tuple(taken.spans[place][0] for place, kind in enumerate(taken.kinds) if kind in _SEAMS_OF_PARTS)
    if not taken.said and not stops and not seams:
        return _NOTHING
    return _Analysed(tuple(taken.scopes()), stops, seams)
