"""Codes and words of the value sets: one lookup, built at start, that says what a code or a text stands for."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import cache
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

import yaml

from cards.fact import fact
from cards.memory import remembered
from cards.systems import Codes, Systems, SystemsError
from cards.words.assertion import (
    ACT,
    DISEASE,
    DONE,
    LASTING,
    NAMED,
    SUFFERED,
    Assertion,
    Sense,
    find_meant,
    is_meant,
    prepare,
)
from cards.words.beginnings import beginnings

_FOLDER = Path(__file__).parent / "value_sets"
_KINDS = {"drugs": "drug", "conditions": "condition", "labs": "lab", "procedures": "procedure"}
_COLUMNS = ["system", "code", "display", "meaning", "specific", "evidence"]
_KINDS_OF_WORDS = (*_KINDS, "allergens")
_FRAGMENT = re.compile(r"<([a-z]\w+)>")
# Titles of products that list all they hold are long.
_LONGEST_TITLE = 1_000
# Meanings of a code's title that other words may make more precise.
_LEAVES_OPEN = frozenset({"unspecified", "other"})
# CPT's own words belong to the American Medical Association: its codes stand here without.
_WITHOUT_TITLES = frozenset({"CPT"})
PRODUCT_COLUMNS = ["system", "code", "display", "concepts", "source"]


class ValueSetError(Exception):
    """A value set that cannot be used; the message names file and line."""


@fact(frozen=True, slots=True)
class Concept:
    """What a code or text stands for.

    `meaning`: a distinction within the concept that rules need (`total`, `dietary`); `specific`: False for codes that
    say other things too (decision 13 of the clinical rules).
    """

    kind: str
    name: str
    meaning: str | None = None
    specific: bool = True


class Coded(NamedTuple):
    """A code of a value set: its concept, and its display in the words of its own code system."""

    concept: Concept
    display: str


class Member(NamedTuple):
    """One line of a value set; `system` is the short name of its code system."""

    system: str
    code: str
    display: str
    meaning: str = ""
    specific: bool = True


_Pattern = tuple[str, re.Pattern[str], re.Pattern[str] | None, Sense]


class _Words:
    """Recognises the concepts of one kind in a text, where they are meant in the sense of their kind."""

    def __init__(self, concepts: Mapping[str, Any], sense: Sense) -> None:
        self._patterns: list[_Pattern] = []
        # Most words of a text begin nothing we know: only the concepts that some word may begin are tried.
        self._beginning: dict[str, list[int]] = {}
        for name, each in concepts.items():
            pattern = _any(each.get("text", ()))
            if pattern is None:
                continue
            for beginning in beginnings(pattern):
                self._beginning.setdefault(beginning, []).append(len(self._patterns))
            self._patterns.append((name, pattern, _any(each.get("not", ())), _sense_of(each, sense)))

    def finder(self, *nevertheless: Assertion) -> Callable[[str], tuple[str, ...]]:
        """The concepts that a text names, also where it means them in one of the ways of `nevertheless`."""
        patterns = [(name, pattern, veto, sense.but(*nevertheless)) for name, pattern, veto, sense in self._patterns]
        beginning = self._beginning

        def find(text: str) -> tuple[str, ...]:
            lower = text.lower()
            starts = set(_BEGINS.findall(lower))
            begun = {place for each in starts for key in (each, each[0]) for place in beginning.get(key, ())}
            if not begun:
                return ()
            # Of the few letters that become two, the small form is asked how it is meant, too.
            said = text if len(text) == len(lower) else lower
            return tuple(
                name
                for name, pattern, veto, sense in (patterns[place] for place in sorted(begun))
                if any(is_meant(said, *each.span(), sense) for each in pattern.finditer(lower))
                and not (veto and veto.search(lower))
            )

        return remembered(find)


# The first two characters of all that a pattern may begin with: what no letter or digit stands before.
_BEGINS = re.compile(r"(?<![a-z0-9])(?=(\S.?))")


def _sense_of(concept: Mapping[str, Any], usual: Sense) -> Sense:
    """How a concept has to be meant: an operation stays done, and what is done can be planned or declined."""
    acts, lasts = "act" in concept, "past" in concept
    return {(True, True): DONE, (True, False): ACT, (False, True): LASTING}.get((acts, lasts), usual)


def _any(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for any of `patterns`, each from the start of a word, in small letters.

    Capitals that do not count would make each alternative dear to refuse.
    """
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(rf"(?<![a-z0-9])(?:{joined})") if joined else None


class Terminology:
    """The lookup. Build it once with `Terminology.load()`."""

    def __init__(self, folder: Path) -> None:
        try:
            self._systems = Systems(_yaml(folder / "systems.yaml"))
        except SystemsError as fault:
            raise ValueSetError(f"{folder / 'systems.yaml'}: {fault}") from fault
        concepts = _yaml(folder / "concepts.yaml")
        _write_out(concepts)
        self._about: dict[str, Any] = {name: each for kind in concepts.values() for name, each in kind.items()}
        self.drugs = tuple(concepts["drugs"])
        self._codes: Codes[tuple[Coded, ...]] = Codes(self._systems, ())
        # What a code stands for, by system and code in any spelling of both; empty when no value set holds it. A code
        # without a system (an empty one) counts where its form alone says of which it is.
        self.find = self._codes.get
        self._titles: dict[str, dict[str, tuple[Concept, ...]]] = {kind: {} for kind in _KINDS.values()}
        self._members: dict[str, list[Member]] = {}
        for subfolder, kind in _KINDS.items():
            for path in sorted((folder / subfolder).glob("*.csv")):
                self._read(path, kind, concepts[subfolder])
        self._codes.read_without_address(lambda coded: {each.concept for each in coded})
        self._sites = self._table(folder / "sites.csv", ["site", "side"])
        self._routes = self._table(folder / "routes.csv", ["route"])
        self._timings = self._table(folder / "timings.csv", ["meaning"])
        self._reasons = self._table(folder / "reasons.csv", ["why"])
        self._codes_of: dict[tuple[str, str], tuple[str, ...]] = {}
        for name, members in self._members.items():
            for each in members:
                key = (name, each.system)
                self._codes_of[key] = (*self._codes_of.get(key, ()), each.code)
        self.drugs_in_text = self._or_title("drug", _Words(concepts["drugs"], NAMED).finder())
        ingredients = (each for about in concepts["drugs"].values() for each in about["ingredients"])
        self._places = {name: place for place, name in enumerate(dict.fromkeys(ingredients))}
        self.allergens = frozenset(concepts["allergens"])
        self.allergens_in_text = _Words(concepts["allergens"], SUFFERED).finder()
        self.drugs_reacted_to_in_text = _Words(concepts["drugs"], SUFFERED).finder()
        self.vitamins_in_text = _Words(concepts["vitamins"], NAMED).finder()
        conditions = _Words(concepts["conditions"], DISEASE)
        self.conditions_in_text = self._or_title("condition", conditions.finder())
        self.conditions_of_relatives_in_text = self._or_title("condition", conditions.finder(Assertion.ANOTHERS))
        self.conditions_planned_in_text = self._or_title("condition", conditions.finder(Assertion.PLANNED))
        self.labs_in_text = self._or_title("lab", _Words(concepts["labs"], NAMED).finder())
        self.procedures_in_text = self._or_title("procedure", _Words(concepts["procedures"], DONE).finder())

    @classmethod
    @cache
    def load(cls) -> Terminology:
        """The value sets of this package. Raises `ValueSetError` naming file and line of a fault."""
        prepare()
        return cls(_FOLDER)

    def titled(self, kind: str, text: str) -> tuple[Concept, ...]:
        """What a text stands for that is the title of a code of the value sets, word for word.

        Capitals, punctuation, American spelling and what a code system adds in brackets make no difference. Titles of
        codes that say other things too (decision 13) stand for nothing by themselves.
        """
        return self._titles[kind].get(_plain(text), ()) if len(text) <= _LONGEST_TITLE else ()

    def meaning(self, kind: str, name: str, texts: Sequence[str]) -> str | None:
        """What words add to a concept that they name: what its code would say, whose title they are, else the words."""
        titled = [
            each.meaning for text in texts for each in self.titled(kind, text) if each.name == name and each.meaning
        ]
        if titled and titled[0] not in _LEAVES_OPEN:
            return titled[0]
        return meaning_in_text(name, "; ".join(texts)) or next(iter(titled), None)

    def _or_title(self, kind: str, find: Callable[[str], tuple[str, ...]]) -> Callable[[str], tuple[str, ...]]:
        """Names of concepts in a text: of the code whose title it is, and what `find` finds in the words."""

        @remembered
        def named(text: str) -> tuple[str, ...]:
            found = find(text)
            if found and kind == "drug":
                return found  # words tell the form where codes do not: RxNorm has one for B12 of any form
            known = self.titled(kind, text)
            return tuple(dict.fromkeys((*(each.name for each in known), *found))) if known else found

        return named

    def uri(self, system: str) -> str:
        """The canonical address of a code system, by its short name."""
        return self._systems[system].addresses[0]

    def knows_system(self, address: str) -> bool:
        """Whether the value sets have codes of the code system at this address."""
        return self._systems.named(address) is not None

    def is_system(self, address: str, system: str) -> bool:
        """Whether an address is that of a code system (short name), however it is spelt."""
        return self._systems.named(address) == system

    def is_complete(self, address: str) -> bool:
        """Whether a code of the system at this address that no value set holds is none of ours."""
        name = self._systems.named(address)
        return name is not None and self._systems[name].complete

    def codes_of(self, concept: str, system: str) -> tuple[str, ...]:
        """The codes of a concept in one code system (short name), in the order of its file."""
        return self._codes_of.get((concept, system), ())

    def members(self, name: str) -> tuple[Member, ...]:
        """The lines of a concept's value set, or of `sites`, `routes`, `timings` or `reasons`, in the file's order."""
        return tuple(self._members.get(name, ()))

    @property
    def value_sets(self) -> tuple[str, ...]:
        """The names of all value sets that hold codes."""
        return tuple(self._members)

    def extended(self, files: Iterable[Path]) -> Terminology:
        """The same lookup with a site's own products: files of `PRODUCT_COLUMNS`, `concepts` set off by spaces.

        A code of the value sets means what they say, whatever such a file holds. Raises `ValueSetError` naming file
        and line of a fault.
        """
        more = copy(self)
        more._codes = self._codes.copy()
        more.find = more._codes.get
        for path in files:
            for line, row in _rows(path, PRODUCT_COLUMNS):
                system, code, display, names, _ = row
                concepts = names.split()
                if not concepts or not all(name in self._about for name in concepts):
                    raise ValueSetError(f"{path}, line {line}: no concept of this name: {names}")
                coded = tuple(Coded(Concept("drug", intern(name)), display) for name in concepts)
                self._check_system(system, path, line)
                if not self._codes.of(system, code):
                    more._codes[system, code] = coded
        return more

    @property
    def names(self) -> frozenset[str]:
        """The names of all concepts."""
        return frozenset(self._about)

    def title(self, name: str) -> str:
        """The plain name of a concept, or of a drug's ingredient."""
        if name == "cobalamin":
            name = "b12_form_unknown"
        return str(self._about[name]["title"])

    def drug_ingredients(self, concept: str) -> tuple[str, ...]:
        """The ingredients of a drug concept."""
        return tuple(self._about[concept]["ingredients"])

    def in_order(self, ingredients: Iterable[str]) -> tuple[str, ...]:
        """Each ingredient once, in the order of `concepts.yaml`; of the forms of B12 the longest-lasting first."""
        return tuple(sorted(dict.fromkeys(ingredients), key=self._places.__getitem__))

    def site(self, system: str, code: str) -> tuple[str, str | None] | None:
        """The injection site of a code: its kind, and `left` or `right`."""
        found = self._sites.get(system, code)
        return (found[0], found[1] or None) if found else None

    def route(self, system: str, code: str) -> str | None:
        """The route of a code."""
        found = self._routes.get(system, code)
        return found[0] if found else None

    def timing(self, system: str, code: str) -> str | None:
        """The meaning of a timing code: `3/1wk` is three times a week, or `once`, or `as needed`."""
        found = self._timings.get(system, code)
        return found[0] if found else None

    def reason(self, system: str, code: str) -> str | None:
        """Why something was held, stopped or not given, by the code of the reason: a value of `record.WhyNot`."""
        found = self._reasons.get(system, code)
        return found[0] if found else None

    @staticmethod
    def site_in_text(text: str) -> tuple[str, str | None] | None:
        """The injection site that a text names; None when it names none, or says to avoid it."""
        return _site_in_text(text)

    @staticmethod
    def route_in_text(text: str) -> str | None:
        """The route that a text names."""
        return _route_in_text(text)

    def _read(self, path: Path, kind: str, concepts: Mapping[str, Any]) -> None:
        name = path.stem
        if name not in concepts:
            raise ValueSetError(f"{path}: no concept of this name in concepts.yaml")
        shared: dict[tuple[str, bool], Concept] = {}
        members: list[Member] = []
        seen: set[tuple[str, str]] = set()
        for line, row in _rows(path, _COLUMNS):
            system, code, display, meaning, specific, _ = row
            if specific not in ("yes", "no"):
                raise ValueSetError(f"{path}, line {line}: specific is yes or no")
            key = (meaning, specific == "yes")
            concept = shared.setdefault(key, Concept(kind, intern(name), meaning or None, key[1]))
            if (system, code) in seen:
                raise ValueSetError(f"{path}, line {line}: {code} stands here twice")
            seen.add((system, code))
            members.append(Member(system, code, display, meaning, key[1]))
            if concept.specific and system not in _WITHOUT_TITLES:
                titles, title = self._titles[kind], _plain(display)
                if concept.name not in [each.name for each in titles.get(title, ())]:
                    titles[title] = (*titles.get(title, ()), concept)
            self._check_system(system, path, line)
            self._codes[system, code] = (*self._codes.of(system, code), Coded(concept, display))
        if members:
            self._members[name] = members

    def _table(self, path: Path, meanings: list[str]) -> Codes[list[str]]:
        table: Codes[list[str]] = Codes(self._systems, [])
        members = self._members.setdefault(path.stem, [])
        for line, row in _rows(path, ["system", "code", "display", *meanings, "evidence"]):
            members.append(Member(row[0], row[1], row[2], " ".join(filter(None, row[3:-1]))))
            self._check_system(row[0], path, line)
            table[row[0], row[1]] = row[3:-1]
        return table

    def _check_system(self, system: str, path: Path, line: int) -> None:
        if system not in self._systems:
            raise ValueSetError(f"{path}, line {line}: unknown code system {system}")


def _rows(path: Path, columns: list[str]) -> Iterable[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            if next(reader, None) != columns:
                raise ValueSetError(f"{path}, line 1: the columns are {', '.join(columns)}")
            for row in reader:
                if len(row) != len(columns) or not row[-1]:
                    raise ValueSetError(f"{path}, line {reader.line_num}: a cell is missing, or the evidence")
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise ValueSetError(f"{path}: cannot be read: {fault}") from fault


_TAG = re.compile(r" \((?:disorder|finding|procedure|situation|regime/therapy|product|substance|observable entity)\)$")
_NO_WORD = re.compile(r"[^a-z0-9+?]+")


def _plain(text: str) -> str:
    """A title without what differs from one system or edition to the next."""
    words = _TAG.sub("", text.lower().replace("b>12<", "b12").removeprefix("[v]").removeprefix("[x]"))
    return _NO_WORD.sub(" ", words.replace("ae", "e").replace("oe", "e")).removesuffix(" nos").strip()


def _write_out(concepts: dict[str, Any]) -> None:
    """Puts the `fragments`, such as `<b12>`, into the patterns that name them."""
    fragments = concepts.pop("fragments")
    for each in [each for kind in _KINDS_OF_WORDS for each in concepts[kind].values()]:
        for key in ("text", "not"):
            if key in each:
                each[key] = [
                    _FRAGMENT.sub(lambda found: f"(?:{fragments[found[1]]})", pattern) for pattern in each[key]
                ]


def _yaml(path: Path) -> Any:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader either way


_SITES = [
    ("ventrogluteal", r"ventr[ao]-?\s?gluteal|\bvg site\b"),
    ("hip", r"\bhip\b"),
    ("upper_outer_quadrant", r"(?:upper[\s/-]+outer|outer[\s/-]+upper)[\s-]+quad(?:rant)?\b|\buoq\b"),
    ("other_quadrant", r"(?:upper[\s-]+inner|lower[\s-]+(?:outer|inner))[\s-]+quadrant.{0,25}(?:buttock|glut)"),
    ("buttock", r"buttocks?\b|\bbum\b|dorso-?\s?gluteal|\bglut(?:eus)?\.?\s*max(?:imus)?\b"),
    ("gluteal_unspecified", r"\bglut(?:e|es|eal|eus|s)?\b"),
    ("deltoid", r"deltoid|\bdelts?\b"),
    ("vastus_lateralis", r"vastus lateralis"),
    ("rectus_femoris", r"rectus femoris"),
    ("thigh", r"thigh"),
    ("upper_arm", r"upper arm|\barm\b"),
    ("abdomen", r"abdom\w+"),
]
_SITE_PATTERNS = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _SITES]
_ANY_SITE = re.compile("|".join(pattern for _, pattern in _SITES), re.IGNORECASE)
_SIDE = re.compile(
    r"\b(?:left|right|lt|rt)\b|\b[lr]\b(?=[.)]?\s*(?:" + "|".join(pattern for _, pattern in _SITES) + r"))"
    r"|(?<=\()[lr](?=\))|(?<=[a-z][ ,])[lr]$|(?<=[a-z], )[lr]$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.;,]")


@remembered
def _site_in_text(text: str) -> tuple[str, str | None] | None:
    if not _ANY_SITE.search(text):
        return None
    for kind, pattern in _SITE_PATTERNS:
        if match := find_meant(pattern, text, NAMED):
            return kind, _side_in_text(text, match)
    return None


def _side_in_text(text: str, site: re.Match[str]) -> str | None:
    """The side that goes with a site: in the site's own clause, else behind it, else anywhere; two sides are none."""
    before, behind = _CLAUSE.split(text[: site.start()])[-1], _CLAUSE.split(text[site.end() :])[0]
    for part in (before + site.group() + behind, text[site.end() :], text):
        sides = {match.group()[0].lower() for match in _SIDE.finditer(part)}
        if sides:
            return {"l": "left", "r": "right"}[sides.pop()] if len(sides) == 1 else None
    return None


_ROUTES_IN_TEXT = [
    ("intramuscular", r"\bi\.?m\.?\b|intra-?muscular\w{0,9}"),
    ("subcutaneous", r"\bs\.?c\.?\b|\bsub-?cut\w{0,12}|\bsubq\b|\bsq\b"),
    ("intravenous", r"\bi\.?v\.?\b|intra-?venous\w{0,9}"),
    ("intradermal", r"intra-?dermal\w{0,9}"),
    ("sublingual", r"sub-?lingual\w{0,9}|under the tongue|\bs\.?l\.?\b"),
    ("buccal", r"\bbuccal\w{0,9}"),
    ("nasal", r"(?:intra-?)?nasal\w{0,9}"),
    ("oral", r"\boral\w{0,9}|by mouth|\bp\.?o\.?\b"),
    ("transdermal", r"transdermal\w{0,9}|\bpatch\b"),
]
_ROUTE_PATTERNS = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _ROUTES_IN_TEXT]


@remembered
def _route_in_text(text: str) -> str | None:
    return next((kind for kind, pattern in _ROUTE_PATTERNS if find_meant(pattern, text, NAMED)), None)


# "Serum B12", "B12, folate and ferritin", "Repeat B12 level" ask for a measurement; "B12 injection" does not.
_MEASURES = re.compile(
    r"\b(?:levels?|tests?|testing|serum|plasma|assay|measure\w*|blood|bloods|sample|h(?:ae|e)matinics"
    r"|methylmalon\w*|mma|homocyst\w*|intrinsic[ -]?factor|antibod\w*|holo-?(?:transcobalamin|tc)|fbc|cbc)\b"
    r"|^(?:(?:total|active|vitamin|vit|b ?-?12|cobalamin|folate|folic acid|ferritin|fbc|cbc|and|with|plus|[,&+/.()-])"
    r"\s*)+$",
    re.IGNORECASE,
)
_TREATS = re.compile(r"\b(?:inj|jab|shot|dose|dosing|replac|treat|therap|supplement|loading|refer)\w*", re.IGNORECASE)


@remembered
def is_test_in_text(text: str) -> bool:
    """Whether the words of a request ask for a measurement and not for treatment."""
    return bool(find_meant(_MEASURES, text, NAMED)) and not find_meant(_TREATS, text, NAMED)


_ELECTROLYTES = re.compile(
    r"\bu ?(?:&|and|\+|/) ?e'?s?\b|\b(?:urea|creatinine)(?: ?(?:&|and|,) ?|[ ,]+)(?:\w+ (?:and|&) )?electrolytes"
    r"|^(?:serum |plasma )?electrolytes|\b(?:basic|comprehensive) metabolic (?:panel|profile)|\b[bc]mp\b"
    r"|\b(?:renal|kidney) (?:function|profile|panel)",
    re.IGNORECASE,
)


@remembered
def panels_in_text(text: str) -> tuple[str, ...]:
    """The laboratory concepts that a request measures as part of a panel which its words name: potassium in U&E."""
    return ("potassium",) if find_meant(_ELECTROLYTES, text, NAMED) and "urin" not in text.lower() else ()


_METHOTREXATE = re.compile(r"\b(?:methotrexate|mtx|maxtrex|metoject|trexall)\b", re.IGNORECASE)
# "Prevention of methotrexate toxicity", "to start methotrexate" go with it, too.
_TAKEN = ACT.but(Assertion.DOUBTFUL, Assertion.PLANNED)
# "Not on methotrexate days", "never on the day you take MTX" is how folic acid beside it is directed.
_ON_OTHER_DAYS = re.compile(
    r"\b(?:not|never|except|avoid(?:ing)?|omit(?:ting)?|skip|other than|apart from)"
    r"(?: (?:taken|to|be|on|the|your|same|days?|of|as|that|when|you|they|taking|take)){0,8} "
    r"(?:methotrexate|mtx|maxtrex|metoject|trexall)(?: days?)?\b",
    re.IGNORECASE,
)


@remembered
def goes_with_methotrexate(text: str) -> bool:
    """Whether the reason or the directions of a folate order name methotrexate: "not on the day of methotrexate"."""
    if not _METHOTREXATE.search(text):
        return False
    directed = any(" day" in match[0].lower() for match in _ON_OTHER_DAYS.finditer(text))
    return directed or find_meant(_METHOTREXATE, text, _TAKEN) is not None


_NAMES_B12 = re.compile(r"\bb[\s-]?12\b|cobalamin", re.IGNORECASE)


def names_b12_in_text(text: str) -> bool:
    """Whether the words name vitamin B12 or a cobalamin, and do not deny or decline it."""
    return find_meant(_NAMES_B12, text, NAMED) is not None


_INJECTION = re.compile(r"\binjection|\binj\b", re.IGNORECASE)
_ANOTHER_INJECTION = re.compile(
    r"\b(?:flu|influenza|covid\w*|vaccin\w*|immuni[sz]\w*|depot?|depo\w*|contracepti\w*|medroxyprogesterone|insulin|"
    r"(?:cortico)?steroid\w*|joint|shoulder|knee|hip|epidural|facet|botox|botulinum|eye|intravitreal|denosumab|prolia|"
    r"goserelin|zoladex|leuprorelin|triptorelin|testosterone|methotrexate|heparin|enoxaparin|iron|antipsychotic)\b",
    re.IGNORECASE,
)


@remembered
def may_inject_b12_in_text(text: str) -> bool:
    """Whether the words of a booking name an injection that may be B12: one of B12, or one of no stated drug."""
    if not find_meant(_INJECTION, text, NAMED):
        return False
    return names_b12_in_text(text) or not _ANOTHER_INJECTION.search(text)


_DEMENTIAS = {
    "alzheimer": re.compile(r"alzheimer", re.IGNORECASE),
    "vascular": re.compile(r"vascular|multi-?infarct", re.IGNORECASE),
    "lewy": re.compile(r"\blewy\b", re.IGNORECASE),
    "frontotemporal": re.compile(r"fronto-?temporal|\bpick'?s?\b", re.IGNORECASE),
}
_STAGE = re.compile(r"\b(?:stage|ckd|grade)[ -]?(?:stage )?g?([1-5][ab]?)(?![\w.])|\besrd\b", re.IGNORECASE)
_HAEMOPHILIA = re.compile(
    r"h(?:ae|e)mophili|willebrand|\bvwd\b|christmas disease|factor (?:viii|ix|8|9)\b", re.IGNORECASE
)
_HEMICOLECTOMY = re.compile(r"hemi-?colectomy", re.IGNORECASE)
_TOTAL = re.compile(r"(?<!sub)(?<!sub-)(?<!sub )(?<!near-)(?<!near )\b(?:total|complete|completion)\b", re.IGNORECASE)
_SLEEVE_OR_BAND = re.compile(r"\b(sleeve|band)", re.IGNORECASE)
_BYPASS = re.compile(r"bypass|roux|\brygb\b|\boagb\b|\bsadi\b", re.IGNORECASE)
_DIVERSION = re.compile(r"duodenal switch|biliopancreatic", re.IGNORECASE)


# The form that is named goes before vitamin B12 of no stated form, and that before the metal.
_REACTED_TO = [
    (substance, re.compile(pattern, re.IGNORECASE))
    for substance, pattern in [
        ("hydroxocobalamin", r"hydrox[oy]cobalamin"),
        ("cyanocobalamin", r"cyanocobalamin"),
        ("mecobalamin", r"\bme(?:thyl)?cobalamin"),
        ("cobalamin", r"\bcobalamin|\bb ?-?12\b"),
        ("cobalt", r"\bcobalt\b"),
    ]
]


def meaning_in_text(concept: str, text: str) -> str | None:
    """What the words add to a concept: how far an operation went, how strict a diet, or which dementia; else None."""
    if concept == "cognitive_impairment":
        return next((kind for kind, pattern in _DEMENTIAS.items() if pattern.search(text)), None)
    if concept == "b12_injection":
        return "injection"
    if concept == "ckd":
        stage = _STAGE.search(text)
        return stage[1].lower() if stage else "unspecified"
    if concept == "bleeding_disorder":
        return "haemophilia_or_willebrand" if _HAEMOPHILIA.search(text) else None
    if concept == "cobalamin_cobalt_allergy":
        return next((substance for substance, pattern in _REACTED_TO if pattern.search(text)), None)
    if concept == "vegan_diet":
        return "strict"  # the only diets that are recognised by words
    name = concept.removesuffix("_status")
    if name == "gastrectomy":
        return "total" if find_meant(_TOTAL, text, DONE) else "unspecified"
    if name == "ileal_resection":
        return "hemicolectomy" if _HEMICOLECTOMY.search(text) else "unknown_length"
    if name != "bariatric":
        return None
    if _DIVERSION.search(text):
        return "biliopancreatic"
    smaller = _SLEEVE_OR_BAND.search(text)
    if smaller:
        return smaller[1].lower()
    return "bypass" if _BYPASS.search(text) else "unspecified"
