"""How a text means what it names: affirmed, denied, doubtful, past, planned, declined, or of somebody else.

The phrases are data (`phrases.yaml`); what ends the reach of one are its sentence part and a few words. Everything
here takes one look at each word of a text, however long.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache, lru_cache
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cards.fact import fact
from cards.memory import LONGEST_READ, LONGEST_TEXT, TEXTS

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
    """One wording of the phrase file.

    `words` end in `*` where any ending will do, and are `<name>` where any of the words under that name will do.
    `says`: None for a phrase of nothing.
    """

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
    if found is _NOTHING:
        return True
    # The full stop of "def." ends a name, it does not stand in one.
    if _any_between(found.stops, start, end - 1):
        return False
    return sense.against.isdisjoint(_bearing(text, start, end, acts=sense.acts))


def denies_what_is_asked(text: str) -> bool:
    """Whether the words, given as an answer or value, say no: "never", "denies use", "stopped in 2019", "ex-user"."""
    return any(each.said_from == 0 and each.says is not Assertion.PLANNED for each in _analysed(text).said)


def part_of(text: str, start: int, end: int) -> str:
    """The sentence part in which a name stands."""
    seams = _analysed(text).seams
    before, after = bisect_right(seams, start), bisect_left(seams, end)
    return text[seams[before - 1] if before else 0 : seams[after] if after < len(seams) else len(text)]


class _Said(NamedTuple):
    """A phrase in a text, from `said_from` to `said_to`."""

    said_from: int
    said_to: int
    says: Assertion
    acts: bool


class _Analysed(NamedTuple):
    """A text taken apart.

    `starts`: where its words begin; `on_names_from`, `on_names_to`: the phrases that bear on names which begin, and
    end, with each word; `said`: all phrases; `stops`: the ends of its sentences; `seams`: of its sentence parts.
    """

    starts: tuple[int, ...]
    on_names_from: tuple[tuple[_Said, ...], ...]
    on_names_to: tuple[tuple[_Said, ...], ...]
    said: tuple[_Said, ...]
    stops: tuple[int, ...]
    seams: tuple[int, ...]


_OF_ACTS = frozenset({Assertion.PLANNED, Assertion.DECLINED})


def _bearing(text: str, start: int, end: int, *, acts: bool) -> set[Assertion]:
    found = _analysed(text)
    if not found.said or end <= start:
        return set()
    bearing = [
        *found.on_names_from[max(0, bisect_right(found.starts, start) - 1)],
        *found.on_names_to[max(0, bisect_right(found.starts, end - 1) - 1)],
    ]
    # "Anaemia, no B12 deficiency" is not one name, nor is "neuropathy excluded, B12 deficiency".
    within = bisect_right(found.said, start, key=_said_from)
    while within < len(found.said) and found.said[within].said_to <= end:
        bearing.append(found.said[within])
        within += 1
    return {each.says for each in bearing if acts or not (each.acts or each.says in _OF_ACTS)}


_said_from = attrgetter("said_from")


def _any_between(places: tuple[int, ...], start: int, end: int) -> bool:
    first = bisect_right(places, start)
    return first < len(places) and places[first] < end


# --- the phrases -----------------------------------------------------------------------------------------------------


class _Node:
    """A place in the tree of phrases, word by word."""

    __slots__ = ("beginnings", "kinds", "next", "phrase")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.beginnings: list[tuple[str, _Node]] = []
        self.kinds: list[tuple[frozenset[str], _Node]] = []
        self.phrase: Phrase | None = None

    def child(self, word: str) -> _Node:
        if word.startswith("<"):
            kind = phrases().words[word[1:-1]]
            node = next((node for words, node in self.kinds if words is kind), None)
            if node is None:
                node = _Node()
                self.kinds.append((kind, node))
            return node
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
        if self.kinds:
            found += [node for words, node in self.kinds if word in words]
        if self.beginnings:
            found += [node for beginning, node in self.beginnings if word.startswith(beginning)]
        return found


class Phrases(NamedTuple):
    """The phrase file: its phrases, and the words that shape a sentence."""

    phrases: tuple[Phrase, ...]
    ends: tuple[tuple[str, ...], ...]
    ends_but_next: tuple[tuple[str, ...], ...]
    anew: frozenset[str]
    adverbs: frozenset[str]
    abbreviations: frozenset[str]
    words: Mapping[str, frozenset[str]]


class PhraseError(Exception):
    """A phrase file that cannot be used; the message names the phrase."""


@cache
def phrases() -> Phrases:
    """The phrases of this package. Raises `PhraseError` for one that stands twice."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    told = yaml.load(_FILE.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader either way
    found: dict[tuple[str, ...], Phrase] = {}
    groups = [*told["phrases"], {"text": told["says nothing"]}]
    for group in groups:
        for phrase in _of_group(group):
            if found.setdefault(phrase.words, phrase) != phrase:
                raise PhraseError(f"stands twice: {' '.join(phrase.words)}")
    return Phrases(
        tuple(found.values()),
        _all_wordings(told["ends"]),
        _all_wordings(told["ends but next"]),
        frozenset(told["begins anew"]),
        frozenset(told["adverbs"]),
        frozenset(told["abbreviations"]),
        {name: frozenset(map(_key, words)) for name, words in told["words"].items()},
    )


def _all_wordings(texts: list[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(dict.fromkeys(words for text in texts for words in _wordings(text)))


def _of_group(group: Mapping[str, Any]) -> Iterator[Phrase]:
    says = Assertion(group["says"]) if "says" in group else None
    for text in group["text"]:
        for words in _wordings(text):
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


def _wordings(text: str) -> Iterator[tuple[str, ...]]:
    """Every wording of a phrase with alternatives."""
    pieces = _GROUP.split(text)
    choices = [piece.split("|") if number % 2 else [piece] for number, piece in enumerate(pieces)]
    for chosen in product(*choices):
        yield tuple(_key(match[0]) for match in _STARRED.finditer("".join(chosen)))


_WORD = r"[^\W_](?:[^\W_]|')*"
_TOKEN = re.compile(_WORD + r"|[^\w\s]|_")
_STARRED = re.compile(r"<\w+>|" + _WORD + r"\*?|[^\w\s]|_")


def _key(word: str) -> str:
    return word.replace("'", "").lower() if len(word) > 1 else word.lower()


_END, _END_BUT_NEXT = Phrase(("ends",), None), Phrase(("ends but next",), None)


def prepare() -> None:
    """Reads the phrase file now, so that no call waits for it. Raises `PhraseError` for a phrase that stands twice."""
    _tree()


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
_SEAMS_AND_ENDS = _UNTIL | {_Kind.COMMA}
_SEAMS_OF_PARTS = frozenset({_Kind.STOP, _Kind.SEAM, _Kind.COMMA})
_BACKWARD = frozenset({Direction.PRECEDES, Direction.PART_BEFORE})
_DOUBT = Phrase(("?",), Assertion.DOUBTFUL, Direction.FOLLOWS, 6)
_DOUBTED = Phrase(("?",), Assertion.DOUBTFUL, Direction.PRECEDES, 8)
# How many words an item of a list may have: "no numbness, loss of vibration sense or ataxia".
_LONGEST_ITEM = 5
# No phrase bears on more words than these, nor over longer lists, whatever it says: reading stays linear.
_LONGEST_REACH, _LONGEST_LIST = 80, 20


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

    def analysed(self) -> _Analysed:
        """What is said of each word."""
        from_words: list[tuple[_Said, ...]] = [()] * len(self.keys)
        to_words: list[tuple[_Said, ...]] = [()] * len(self.keys)
        told = []
        for first, after, phrase in self.said:
            said = _Said(self.spans[first][0], self.spans[after - 1][1], phrase.says or Assertion.AFFIRMED, phrase.acts)
            told.append(said)
            precedes, follows = self._directions(first, after, phrase)
            before = self._preceding(first, after, phrase) if precedes else range(0)
            # Words of the phrase itself may belong to a name: "no clinical trial".
            for place in (*before, *range(first, after - 1)) if before else ():
                to_words[place] += (said,)
            if phrase.direction not in _BACKWARD and (follows or not before):
                behind = self._following(after, phrase)
                for place in (*range(first + 1, after), *behind) if behind else ():
                    from_words[place] += (said,)
        return _Analysed(
            tuple(start for start, _ in self.spans),
            tuple(from_words),
            tuple(to_words),
            tuple(told),
            tuple(self.spans[place][0] for place, kind in enumerate(self.kinds) if kind is _Kind.STOP),
            tuple(self.spans[place][0] for place, kind in enumerate(self.kinds) if kind in _SEAMS_OF_PARTS),
        )

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

    def _following(self, after: int, phrase: Phrase) -> range:
        """The words that a phrase bears on behind it."""
        place, heading = after, False
        while place < len(self.keys) and self.kinds[place] in (_Kind.SEAM, _Kind.END_BUT_NEXT):
            if self.keys[place] in ")]}":
                return range(0)
            heading = heading or self.keys[place] == ":"
            place += 1
        begins = ends = listed = place
        words = 0
        while place < min(len(self.keys), begins + _LONGEST_REACH) and self.kinds[place] not in _UNTIL:
            if self.kinds[place] is _Kind.COMMA:
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
                ends = place + 1
            place += 1
        return range(begins, ends)

    def _end_of_list(self, comma: int) -> int:
        """Where a list with "or" or "nor" ends that goes on behind a comma; the comma itself when none does."""
        place = comma
        for _ in range(_LONGEST_LIST):
            place += 1
            if self._begins_anew(place):
                return comma
            words, joined = 0, False
            while place < len(self.keys) and self.kinds[place] not in _SEAMS_AND_ENDS:
                if words > _LONGEST_REACH or self.keys[place] in phrases().anew:
                    return comma
                joined = joined or (self.keys[place] in ("or", "nor") and words <= _LONGEST_ITEM)
                words += 1
                if not joined and words > _LONGEST_ITEM:
                    return comma
                place += 1
            if joined:
                return place
            if place >= len(self.keys) or self.kinds[place] is not _Kind.COMMA:
                break
        return comma

    def _begins_anew(self, place: int) -> bool:
        return place >= len(self.keys) or place in self.begins or self.keys[place] in phrases().anew

    def _preceding(self, first: int, after: int, phrase: Phrase) -> range:
        """The words that a phrase bears on before it."""
        place = first - 1
        while phrase.says is Assertion.ANOTHERS and place >= 0 and self.keys[place] in phrases().words["whose"]:
            place -= 1
        if place >= 0 and self.kinds[place] in (_Kind.SEAM, _Kind.COMMA) and self._goes_on_loosely(after):
            # By itself in its part ("pernicious anaemia: excluded", "gastrectomy (declined)"): of the part before.
            while place >= 0 and self.kinds[place] in (_Kind.SEAM, _Kind.COMMA):
                place -= 1
        ends, words = place + 1, 0
        while place >= max(0, ends - _LONGEST_REACH) and self.kinds[place] not in _SEAMS_AND_ENDS:
            words += self.keys[place][0].isalnum()
            if phrase.reach is not None and words > phrase.reach + 1:
                break
            place -= 1
        return range(place + 1, ends)


_NOTHING = _Analysed((), (), (), (), (), ())


def _analysed(text: str) -> _Analysed:
    return _short(text) if len(text) <= LONGEST_TEXT else _long(text[:LONGEST_READ])


def _analyse(text: str) -> _Analysed:
    found = _Text(text).analysed()
    return found if found.said or found.stops or found.seams else _NOTHING


# Several things are looked for in one text, one after the other; short texts come again.
_short, _long = lru_cache(maxsize=TEXTS)(_analyse), lru_cache(maxsize=4)(_analyse)
