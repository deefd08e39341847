"""Whether a regular expression can take more than linear time, told from the pattern itself and without a clock.

A backtracking matcher walks the paths of an automaton. The paths are more than linear in the length of a text when one
word leads from a state back to itself, from that state to a second one, and from the second back to itself (the
criterion of Weber and Seidl, "On the degree of ambiguity of finite automata", 1991): then the text may be cut between
the two at any place. Searching is a state of its own that goes on with every character, for an attempt may begin
anywhere. An attempt that has come to a state where the pattern is satisfied never fails, so such states are no matter.

Repeats of up to `COPIES` times are written out and bounded; longer ones count as unbounded.
"""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

COPIES = 100

_parser: Any = importlib.import_module("re._parser")
_op: Any = importlib.import_module("re._constants")

# Characters that stand for all others: ASCII, letters and digits beyond it, blanks, signs, and no character at all.
_SAMPLE = "".join(map(chr, range(128))) + "éÉßµμªŞı٣२ſ\u00a0\u2003\u2028\u200b\u0301–’₂²€…中"
_EDGE = ""
_Chars = frozenset[str]
# What must hold between one character and the next; each is "" at the edge of the text. `_PERHAPS` is a look at more
# than one character: it may hold or not.
_Condition = Callable[[str, str], bool]


def _perhaps(_before: str, _behind: str) -> bool:
    return True


def superlinear(pattern: re.Pattern[str], *, anchored: bool = False) -> str | None:
    """A word that makes a pattern slow when it is repeated; None when the pattern is linear.

    `anchored`: it is tried at one place of the text, and not looked for everywhere.
    """
    return _Automaton(pattern).fault(anchored=anchored)


class _Fragment:
    """A part of a pattern: how it is begun, ended, and passed without a character; each with its conditions."""

    def __init__(self) -> None:
        self.empty: set[frozenset[_Condition]] = set()
        self.first: dict[int, set[frozenset[_Condition]]] = defaultdict(set)
        self.last: dict[int, set[frozenset[_Condition]]] = defaultdict(set)

    @classmethod
    def nothing(cls, *conditions: _Condition) -> _Fragment:
        made = cls()
        made.empty = {frozenset(conditions)}
        return made


class _Automaton:
    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._chars: list[_Chars] = []
        self._edges: dict[int, dict[int, list[frozenset[_Condition]]]] = defaultdict(lambda: defaultdict(list))
        self._conditions: dict[Any, _Condition] = {}
        flags = pattern.flags
        whole = self._sequence(_parser.parse(pattern.pattern, flags & ~re.UNICODE), flags)
        self._begin, self._accept = whole.first, whole.last
        self._into: dict[int, list[int]] = defaultdict(list)
        for one, others in self._edges.items():
            for each in others:
                self._into[each].append(one)
        self._classes = self._representatives()
        self._loops = self._components()

    # --- building ------------------------------------------------------------------------------------------------

    def _sequence(self, parts: Iterable[Any], flags: int) -> _Fragment:
        made = _Fragment.nothing()
        for op, value in parts:
            made = self._then(made, self._part(op, value, flags))
        return made

    def _part(self, op: Any, value: Any, flags: int) -> _Fragment:
        chars = _characters(op, value, flags)
        if chars is not None:
            return self._atom(chars)
        if op is _op.AT:
            return _Fragment.nothing(self._at(value, flags))
        if op is _op.BRANCH:
            return self._either([self._sequence(each, flags) for each in value[1]])
        if op is _op.SUBPATTERN:
            _, add, remove, parts = value
            return self._sequence(parts, (flags | add) & ~remove)
        if op is getattr(_op, "ATOMIC_GROUP", None):
            return self._sequence(value, flags)
        if op in (_op.MAX_REPEAT, _op.MIN_REPEAT, getattr(_op, "POSSESSIVE_REPEAT", None)):
            least, most, parts = value
            return self._repeat(least, most, parts, flags)
        if op in (_op.ASSERT, _op.ASSERT_NOT):
            return self._look(value, flags, wanted=op is _op.ASSERT)
        raise ValueError(f"{op} is not known here")

    def _atom(self, chars: _Chars) -> _Fragment:
        self._chars.append(chars)
        place = len(self._chars) - 1
        made = _Fragment()
        made.first[place] = {frozenset()}
        made.last[place] = {frozenset()}
        return made

    def _then(self, one: _Fragment, other: _Fragment) -> _Fragment:
        self._connect(one, other)
        made = _Fragment()
        for place, ways in one.first.items():
            made.first[place] |= ways
        for place, ways in other.last.items():
            made.last[place] |= ways
        for passed in one.empty:
            for place, ways in other.first.items():
                made.first[place] |= {passed | each for each in ways}
        for passed in other.empty:
            for place, ways in one.last.items():
                made.last[place] |= {passed | each for each in ways}
        made.empty = {a | b for a in one.empty for b in other.empty}
        return made

    def _connect(self, one: _Fragment, other: _Fragment) -> None:
        for end, ends in one.last.items():
            for start, starts in other.first.items():
                self._edges[end][start] += [a | b for a in ends for b in starts]

    def _either(self, parts: list[_Fragment]) -> _Fragment:
        made = _Fragment()
        for each in parts:
            made.empty |= each.empty
            for place, ways in each.first.items():
                made.first[place] |= ways
            for place, ways in each.last.items():
                made.last[place] |= ways
        return made

    def _repeat(self, least: Any, most: Any, parts: Any, flags: int) -> _Fragment:
        unbounded = most is _op.MAXREPEAT or most > COPIES
        made = _Fragment.nothing()
        for number in range(least if unbounded else most):
            copy = self._sequence(parts, flags)
            if number >= least:
                copy.empty.add(frozenset())
            made = self._then(made, copy)
        if unbounded:
            again = self._sequence(parts, flags)
            self._connect(again, again)
            again.empty.add(frozenset())
            made = self._then(made, again)
        return made

    def _look(self, value: Any, flags: int, *, wanted: bool) -> _Fragment:
        direction, parts = value
        chars = self._one_character(parts, flags)
        if chars is None:
            if direction < 0:
                return _Fragment.nothing(_perhaps)  # of bounded width
            made = self._sequence(parts, flags)
            made.last.clear()
            made.empty = {frozenset((_perhaps,))}
            return made
        key = (direction, chars, wanted)
        if key not in self._conditions:

            def holds(before: str, behind: str) -> bool:
                seen = behind if direction > 0 else before
                return (seen != _EDGE and seen in chars) is wanted

            self._conditions[key] = holds
        return _Fragment.nothing(self._conditions[key])

    def _one_character(self, parts: Any, flags: int) -> _Chars | None:
        """The characters of a look at exactly one."""
        parts = list(parts)
        if len(parts) != 1:
            return None
        op, value = parts[0]
        if op is _op.SUBPATTERN:
            return self._one_character(value[3], (flags | value[1]) & ~value[2])
        if op is _op.BRANCH:
            each = [self._one_character(branch, flags) for branch in value[1]]
            return None if None in each else frozenset().union(*(one for one in each if one))
        return _characters(op, value, flags)

    def _at(self, value: Any, flags: int) -> _Condition:
        if value in self._conditions:
            return self._conditions[value]
        lines = bool(flags & re.MULTILINE)
        tests: dict[Any, _Condition] = {
            _op.AT_BEGINNING: lambda before, _: before == _EDGE or (lines and before == "\n"),
            _op.AT_BEGINNING_STRING: lambda before, _: before == _EDGE,
            _op.AT_END: lambda _, behind: behind in (_EDGE, "\n"),
            _op.AT_END_STRING: lambda _, behind: behind == _EDGE,
            _op.AT_BOUNDARY: lambda before, behind: _is_word(before) != _is_word(behind),
            _op.AT_NON_BOUNDARY: lambda before, behind: _is_word(before) == _is_word(behind),
        }
        return self._conditions.setdefault(value, tests[value])

    # --- judging -------------------------------------------------------------------------------------------------

    def _representatives(self) -> list[str]:
        """One character for all that the pattern cannot tell apart."""
        sets = set(self._chars)
        seen: dict[tuple[bool, ...], str] = {}
        ordered = list(sets)
        for char in _SAMPLE:
            key = (*(char in each for each in ordered), _is_word(char), char == "\n")
            key += tuple(
                condition(char, " ") for name, condition in self._conditions.items() if isinstance(name, tuple)
            ) + tuple(condition(" ", char) for name, condition in self._conditions.items() if isinstance(name, tuple))
            seen.setdefault(key, char)
        return list(seen.values())

    def _steps(self, place: int, before: str, char: str) -> Iterator[int]:
        """The places that read `char` after `place` has read `before`; once for each way to come there."""
        for start, ways in self._edges[place].items():
            if char in self._chars[start]:
                for conditions in ways:
                    if all(each(before, char) for each in conditions):
                        yield start

    def _starts(self, before: str, char: str) -> Iterator[int]:
        for start, ways in self._begin.items():
            if char in self._chars[start] and any(all(each(before, char) for each in way) for way in ways):
                yield start

    def _components(self) -> dict[int, frozenset[int]]:
        """The places that can come back to themselves, each with the places of its circle."""
        return self._circles(range(len(self._chars)))

    def _circles(self, places: Iterable[int]) -> dict[int, frozenset[int]]:
        """The same of some places alone (Kosaraju: those that one can reach, and that reach it)."""
        own = set(places)
        left, order = set(own), []
        for place in own:
            todo = [(place, False)]
            while todo:
                each, done = todo.pop()
                if done:
                    order.append(each)
                elif each in left:
                    left.discard(each)
                    todo += [(each, True), *((other, False) for other in self._edges.get(each, ()) if other in left)]
        found: dict[int, frozenset[int]] = {}
        left = set(own)
        for place in reversed(order):
            circle, more = set(), [place] if place in left else []
            while more:
                each = more.pop()
                if each in left:
                    left.discard(each)
                    circle.add(each)
                    more += [other for other in self._into[each] if other in left]
            if len(circle) > 1 or any(each in self._edges.get(each, ()) for each in circle):
                found.update(dict.fromkeys(circle, frozenset(circle)))
        return found

    def _reached(self, start: int, edges: Mapping[int, Iterable[int]]) -> set[int]:
        found: set[int] = set()
        todo = list(edges.get(start, ()))
        while todo:
            each = todo.pop()
            if each not in found:
                found.add(each)
                todo += edges.get(each, ())
        return found

    def _never_fails(self, place: int) -> bool:
        """Whether an attempt that goes round at `place` has a match: wherever it goes on, or wherever it cannot."""
        ways = self._accept.get(place)
        if not ways:
            return False
        satisfied: dict[bool, set[bool]] = {True: set(), False: set()}
        for before in self._chars_of(place):
            for behind in (*self._classes, _EDGE):
                goes_on = behind != _EDGE and any(
                    each in self._loops[place] for each in self._steps(place, before, behind)
                )
                satisfied[goes_on].add(
                    any(all(each is not _perhaps and each(before, behind) for each in way) for way in ways)
                )
        return False not in satisfied[True] or False not in satisfied[False]

    def fault(self, *, anchored: bool) -> str | None:
        """A word that makes the pattern slow when repeated."""
        # Where each way round passes a place that satisfies the pattern, an attempt goes back a step and no more.
        failing = self._circles(place for place in self._loops if not self._never_fails(place))
        for place in failing:
            for before in self._chars_of(place):
                if word := ("" if anchored else self._search_meets(place, before)) or self._doubles(place, before):
                    return word
                for other, circle in self._loops.items():
                    if place not in circle and (word := self._meets(other, place, before)):
                        return word
        return None

    def _chars_of(self, place: int) -> list[str]:
        return [char for char in self._classes if char in self._chars[place]]

    def _search_meets(self, place: int, before: str) -> str | None:
        """A word on which `place` comes back to itself and on which a new attempt comes to it."""
        circle, wanted = self._loops[place], self._reached(place, self._into) | {place}
        # A new attempt that has not begun yet is None; the character before the word is the last of the word itself.
        begun: list[tuple[int | None, int, str, str]] = [(None, place, before, "")]
        seen: set[tuple[int | None, int, str]] = {(None, place, before)}
        while begun:
            attempt, at, last, word = begun.pop(0)
            for char in self._classes:
                rounds = [each for each in self._steps(at, last, char) if each in circle]
                if not rounds:
                    continue
                news: list[int | None] = list(
                    self._starts(last, char) if attempt is None else self._steps(attempt, last, char)
                )
                if attempt is None:
                    news.append(None)
                for new in news:
                    if new is not None and new not in wanted:
                        continue
                    for each in rounds:
                        if new == each == place and char == before:
                            return word + char
                        key = (new, each, char)
                        if key not in seen:
                            seen.add(key)
                            begun.append((*key, word + char))
        return None

    def _meets(self, one: int, other: int, before: str) -> str | None:
        """A word that leads from `one` to itself, from `one` to `other`, and from `other` to itself."""
        if before not in self._chars[one] or other not in self._reached(one, self._edges):
            return None
        circle_one, circle_other, wanted = (
            self._loops[one],
            self._loops[other],
            self._reached(other, self._into) | {other},
        )
        todo = [(one, one, other, before, "")]
        seen = {(one, one, other, before)}
        while todo:
            stays, leaves, there, last, word = todo.pop(0)
            for char in self._classes:
                rounds = {each for each in self._steps(stays, last, char) if each in circle_one}
                ends = {each for each in self._steps(there, last, char) if each in circle_other}
                if not rounds or not ends:
                    continue
                for middle in {each for each in self._steps(leaves, last, char) if each in wanted}:
                    for a in rounds:
                        for b in ends:
                            if (a, middle, b, char) == (one, other, other, before):
                                return word + char
                            key = (a, middle, b, char)
                            if key not in seen:
                                seen.add(key)
                                todo.append((*key, word + char))
        return None

    def _doubles(self, place: int, before: str) -> str | None:
        """A word on which `place` comes back to itself in two ways."""
        circle = self._loops[place]
        todo = [(place, place, before, False, "")]
        seen = {(place, place, before, False)}
        while todo:
            one, other, last, apart, word = todo.pop(0)
            for char in self._classes:
                ones = [each for each in self._steps(one, last, char) if each in circle]
                others = [each for each in self._steps(other, last, char) if each in circle]
                for a in set(ones):
                    for b in set(others):
                        twice = one == other and a == b and ones.count(a) > 1
                        key = (a, b, char, apart or a != b or twice)
                        if key == (place, place, before, True):
                            return word + char
                        if key not in seen:
                            seen.add(key)
                            todo.append((*key, word + char))
        return None


def _is_word(char: str) -> bool:
    return char == "_" or char.isalnum()


_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    _op.CATEGORY_DIGIT: str.isdecimal,
    _op.CATEGORY_NOT_DIGIT: lambda char: not char.isdecimal(),
    _op.CATEGORY_SPACE: str.isspace,
    _op.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    _op.CATEGORY_WORD: _is_word,
    _op.CATEGORY_NOT_WORD: lambda char: not _is_word(char),
}


def _characters(op: Any, value: Any, flags: int) -> _Chars | None:
    """The characters of the sample that a part of one character reads; None for other parts."""
    if op is _op.LITERAL:
        own = {chr(value)}
    elif op is _op.NOT_LITERAL:
        return frozenset(_SAMPLE) - _folded({chr(value)}, flags)
    elif op is _op.ANY:
        return frozenset(_SAMPLE if flags & re.DOTALL else _SAMPLE.replace("\n", ""))
    elif op is _op.IN:
        own, negated = set(), False
        for kind, each in value:
            if kind is _op.NEGATE:
                negated = True
            elif kind is _op.LITERAL:
                own.add(chr(each))
            elif kind is _op.RANGE:
                own |= {char for char in _SAMPLE if each[0] <= ord(char) <= each[1]}
            elif kind is _op.CATEGORY:
                own |= {char for char in _SAMPLE if _CATEGORIES[each](char)}
        folded = _folded(own, flags)
        return frozenset(_SAMPLE) - folded if negated else folded
    else:
        return None
    return _folded(own, flags)


def _folded(chars: set[str], flags: int) -> _Chars:
    if not flags & re.IGNORECASE:
        return frozenset(chars)
    return frozenset(chars | {each.lower() for each in chars} | {each.upper() for each in chars})
