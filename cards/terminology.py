"""Codes and words of the value sets: one lookup, built at start, that says what a code or a text stands for."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cache
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

import yaml

from cards.fact import fact
from cards.memory import remembered
from cards.systems import Codes, Systems, SystemsError

_FOLDER = Path(__file__).parent / "value_sets"
_KINDS = {"drugs": "drug", "conditions": "condition", "labs": "lab", "procedures": "procedure"}
_COLUMNS = ["system", "code", "display", "meaning", "specific", "evidence"]
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


class _Words:
    """Recognises the concepts of one kind in a text."""

    def __init__(
        self,
        concepts: Mapping[str, Any],
        vetoes: Sequence[str] = (),
        past: Sequence[str] = (),
        before: Sequence[str] = (),
    ) -> None:
        self._before = _any(before)
        self._patterns = [
            (name, _any(each["text"]), _any([*each.get("not", ()), *vetoes, *(() if "past" in each else past)]))
            for name, each in concepts.items()
            if each.get("text")
        ]
        # Most texts name nothing we know: one pattern turns them away before the others are tried.
        self._interesting = _any([pattern for each in concepts.values() for pattern in each.get("text", ())])
        self.find = remembered(self._find)

    def _find(self, text: str) -> tuple[str, ...]:
        if not self._interesting or not self._interesting.search(text):
            return ()
        return tuple(
            name
            for name, pattern, veto in self._patterns
            if pattern
            and (found := pattern.search(text))
            and not (veto and veto.search(text))
            # "Pernicious anaemia, no neuropathy" denies what follows the word.
            and not (self._before and self._before.search(text[: found.start()]))
        )


def _any(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for any of `patterns`, each from the start of a word."""
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{joined})", re.IGNORECASE) if joined else None


class Terminology:
    """The lookup. Build it once with `Terminology.load()`."""

    def __init__(self, folder: Path) -> None:
        try:
            self._systems = Systems(_yaml(folder / "systems.yaml"))
        except SystemsError as fault:
            raise ValueSetError(f"{folder / 'systems.yaml'}: {fault}") from fault
        concepts = _yaml(folder / "concepts.yaml")
        vetoes, past = concepts.pop("condition_vetoes"), concepts.pop("past_vetoes")
        before = concepts.pop("vetoes_before")
        self._about: dict[str, Any] = {name: each for kind in concepts.values() for name, each in kind.items()}
        self.drugs = tuple(concepts["drugs"])
        self._codes: Codes[tuple[Coded, ...]] = Codes(self._systems, ())
        # What a code stands for, by system and code in any spelling of both; empty when no value set holds it. A code
        # without a system (an empty one) counts where its form alone says of which it is.
        self.find = self._codes.get
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
        self.drugs_in_text = _Words(concepts["drugs"]).find
        self.allergens = frozenset(concepts["allergens"])
        self.allergens_in_text = _Words(concepts["allergens"]).find
        self.conditions_in_text = _Words(concepts["conditions"], vetoes, past, before).find
        self.labs_in_text = _Words(concepts["labs"]).find
        self.procedures_in_text = _Words(concepts["procedures"]).find

    @classmethod
    @cache
    def load(cls) -> Terminology:
        """The value sets of this package. Raises `ValueSetError` naming file and line of a fault."""
        return cls(_FOLDER)

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
_AVOIDED = re.compile(
    r"\b(?:avoid\w*|not|never|no|don'?t|instead of|rather than|contraindicated)\b[^.;,]{0,40}$", re.IGNORECASE
)
_AVOIDED_AFTER = re.compile(
    r"^(?:\s+(?:route|sites?|region|area|muscles?|use|inj\w*))*[\s:=-]+(?:is |are )?"
    r"(?:(?:to|must|should|can) ?(?:be )?(?:avoided|not)|avoided|contraindicated|cannot|"
    r"not (?:suitable|allowed|possible|recommended|to be|tolerated|advised|for use|usable))",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r"\b(?:left|right|lt|rt)\b|\b[lr]\b(?=[.)]?\s*(?:" + "|".join(pattern for _, pattern in _SITES) + r"))"
    r"|(?<=\()[lr](?=\))|(?<=[a-z][ ,])[lr]$|(?<=[a-z], )[lr]$",
    re.IGNORECASE,
)
_BEARS_ON = 80
_CLAUSE = re.compile(r"[.;,]")


@remembered
def _site_in_text(text: str) -> tuple[str, str | None] | None:
    if not _ANY_SITE.search(text):
        return None
    for kind, pattern in _SITE_PATTERNS:
        for match in pattern.finditer(text):
            if not (_AVOIDED.search(_just_before(text, match)) or _AVOIDED_AFTER.search(text[match.end() :])):
                return kind, _side_in_text(text, match)
    return None


def _just_before(text: str, match: re.Match[str]) -> str:
    """What stands before a match, as far back as it may bear on it."""
    return text[max(0, match.start() - _BEARS_ON) : match.start()]


def _side_in_text(text: str, site: re.Match[str]) -> str | None:
    """The side that goes with a site: in the site's own clause, else behind it, else anywhere; two sides are none."""
    before, behind = _CLAUSE.split(text[: site.start()])[-1], _CLAUSE.split(text[site.end() :])[0]
    for part in (before + site.group() + behind, text[site.end() :], text):
        sides = {match.group()[0].lower() for match in _SIDE.finditer(part)}
        if sides:
            return {"l": "left", "r": "right"}[sides.pop()] if len(sides) == 1 else None
    return None


_ROUTES_IN_TEXT = [
    ("intramuscular", r"\bi\.?m\.?\b|intra-?muscular\w*"),
    ("subcutaneous", r"\bs\.?c\.?\b|\bsub-?cut\w*|\bsubq\b|\bsq\b"),
    ("intravenous", r"\bi\.?v\.?\b|intra-?venous\w*"),
    ("intradermal", r"intra-?dermal\w*"),
    ("sublingual", r"sub-?lingual\w*|under the tongue|\bs\.?l\.?\b"),
    ("buccal", r"\bbuccal\w*"),
    ("nasal", r"(?:intra-?)?nasal\w*"),
    ("oral", r"\boral\w*|by mouth|\bp\.?o\.?\b"),
    ("transdermal", r"transdermal\w*|\bpatch\b"),
]
_ROUTE_PATTERNS = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _ROUTES_IN_TEXT]


# "Not IM", "do not give by the IM route", "avoid IM or IV"; what stands between names no other thing.
_ROUTE_AVOIDED = re.compile(
    r"\b(?:avoid(?:ing)?|not|never|no|don'?t|instead of|rather than|other than)\s+"
    r"(?:(?:to|be|for|give|given|giving|use|used|using|inject|injected|administer|administered|by|via|the|an?|any|as|it|"
    r"this|into|deep|suitable|"
    + "|".join(f"(?:{pattern})(?: route)?(?=\\s*(?:/|or\\b|nor\\b))" for _, pattern in _ROUTES_IN_TEXT)
    + r"|/|or|nor)\s*){0,6}$",
    re.IGNORECASE,
)


@remembered
def _route_in_text(text: str) -> str | None:
    return next((kind for kind, pattern in _ROUTE_PATTERNS if _names_unless_avoided(pattern, text)), None)


def _names_unless_avoided(route: re.Pattern[str], text: str) -> bool:
    return any(
        not (_ROUTE_AVOIDED.search(_just_before(text, match)) or _AVOIDED_AFTER.search(text[match.end() :]))
        for match in route.finditer(text)
    )


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
    return bool(_MEASURES.search(text)) and not _TREATS.search(text)


_ELECTROLYTES = re.compile(
    r"\bu ?(?:&|and|\+|/) ?e'?s?\b|\b(?:urea|creatinine)(?: ?(?:&|and|,) ?|[ ,]+)(?:\w+ (?:and|&) )?electrolytes"
    r"|^(?:serum |plasma )?electrolytes|\b(?:basic|comprehensive) metabolic (?:panel|profile)|\b[bc]mp\b"
    r"|\b(?:renal|kidney) (?:function|profile|panel)",
    re.IGNORECASE,
)


@remembered
def panels_in_text(text: str) -> tuple[str, ...]:
    """The laboratory concepts that a request measures as part of a panel which its words name: potassium in U&E."""
    return ("potassium",) if _ELECTROLYTES.search(text) and "urin" not in text.lower() else ()


_METHOTREXATE = re.compile(r"\b(?:methotrexate|mtx|maxtrex|metoject|trexall)\b", re.IGNORECASE)
# "Not on methotrexate" denies it; "not on methotrexate days" is how folic acid beside it is directed.
_NO_METHOTREXATE = re.compile(
    r"\b(?:stopped|stopping|previous\w*|former\w*|no longer|off (?:methotrexate|mtx)"
    r"|(?:no|(?:not|never) (?:on|taking|taken|had|prescribed)) (?:methotrexate|mtx)(?! days?\b))\b",
    re.IGNORECASE,
)


@remembered
def goes_with_methotrexate(text: str) -> bool:
    """Whether the reason or the directions of a folate order name methotrexate: "not on the day of methotrexate"."""
    return bool(_METHOTREXATE.search(text)) and not _NO_METHOTREXATE.search(text)


_NAMES_B12 = re.compile(r"\bb[\s-]?12\b|cobalamin", re.IGNORECASE)


def names_b12_in_text(text: str) -> bool:
    """Whether the words name vitamin B12 or a cobalamin."""
    return bool(_NAMES_B12.search(text))


_INJECTION = re.compile(r"\binjection|\binj\b", re.IGNORECASE)
_ANOTHER_INJECTION = re.compile(
    r"\b(?:flu|influenza|covid\S*|vaccin\w*|immuni[sz]\w*|depot?|depo\S*|contracepti\w*|medroxyprogesterone|insulin|"
    r"(?:cortico)?steroid\w*|joint|shoulder|knee|hip|epidural|facet|botox|botulinum|eye|intravitreal|denosumab|prolia|"
    r"goserelin|zoladex|leuprorelin|triptorelin|testosterone|methotrexate|heparin|enoxaparin|iron|antipsychotic)\b",
    re.IGNORECASE,
)


@remembered
def may_inject_b12_in_text(text: str) -> bool:
    """Whether the words of a booking name an injection that may be B12: one of B12, or one of no stated drug."""
    if not _INJECTION.search(text):
        return False
    return names_b12_in_text(text) or not _ANOTHER_INJECTION.search(text)


_DEMENTIAS = {
    "alzheimer": re.compile(r"alzheimer", re.IGNORECASE),
    "vascular": re.compile(r"vascular|multi-?infarct", re.IGNORECASE),
    "lewy": re.compile(r"\blewy\b", re.IGNORECASE),
    "frontotemporal": re.compile(r"fronto-?temporal|\bpick'?s?\b", re.IGNORECASE),
}
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
    if concept == "cobalamin_cobalt_allergy":
        return next((substance for substance, pattern in _REACTED_TO if pattern.search(text)), None)
    if concept == "vegan_diet":
        return "strict"  # the only diets that are recognised by words
    name = concept.removesuffix("_status")
    if name == "gastrectomy":
        return "total" if _TOTAL.search(text) else "unspecified"
    if name == "ileal_resection":
        return "unknown_length"
    if name != "bariatric":
        return None
    if _DIVERSION.search(text):
        return "biliopancreatic"
    smaller = _SLEEVE_OR_BAND.search(text)
    if smaller:
        return smaller[1].lower()
    return "bypass" if _BYPASS.search(text) else "unspecified"
