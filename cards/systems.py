"""Code systems: the spellings of their addresses, and the spellings that each allows for its codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from cards.memory import LONGEST_TEXT, TEXTS, remembered

_Meaning = TypeVar("_Meaning")
_ICD = frozenset({"ICD10", "ICD10CM"})
_NUMERIC = frozenset({"SNOMED", "RXNORM", "LOINC"})
# Beside a code of WHO's ICD-10: dagger and asterisk of a pair, the German mark of an additional code.
_MARKS = "+*†‡!# "
_NOT_IN_NAMES = re.compile(r"[\s_.-]+")
_OID = re.compile(r"(?:urn:)?(?:oid:)?([0-2](?:\.\d+)+)/*")
_SCHEME = re.compile(r"^https?:/*(?:www\.)?|^www\.")
_SNOMED_EDITION = re.compile(r"(snomed\.info/x?sct)/.*")
# Codes that no other system could have written, so that they need no address.
_UNMISTAKABLE = {
    "SNOMED": re.compile(r"\d{8,18}"),  # RxNorm's are shorter
    "LOINC": re.compile(r"\d{1,5}-\d"),
    "ICD10": re.compile(r"[A-Z]\d\d\.\d"),
    "ICD10CM": re.compile(r"[A-Z]\d[\dA-Z]\.[\dA-Z]{1,4}"),
    "ATC": re.compile(r"[A-Z]\d\d[A-Z]{2}\d\d"),
    "HCPCS": re.compile(r"[A-V]\d{4}"),
}
_NO_ADDRESS = ""


class SystemsError(Exception):
    """The table of code systems cannot be used; the message says which line of it."""


class System(NamedTuple):
    """A code system: its addresses, the canonical one first, and whether the value sets hold all of it that is ours."""

    addresses: tuple[str, ...]
    complete: bool


class Systems:
    """Finds a code system by an address of any spelling, or by the name that stands in its place."""

    def __init__(self, table: Any) -> None:
        """`table`: short name to `addresses` and, optionally, `complete`. Raises `SystemsError`."""
        if not isinstance(table, dict):
            raise SystemsError("the code systems are a table by their short names")
        self._systems = {str(name): _system(name, each) for name, each in table.items()}
        self._names: dict[str, str] = {}
        for name, each in self._systems.items():
            for address in each.addresses:
                if self._names.setdefault(_plain(address), name) != name:
                    raise SystemsError(f"{address} is the address of two code systems")
        # Most addresses are spelt as they should be.
        self._names.update((address, name) for name, each in self._systems.items() for address in each.addresses)

    def __contains__(self, name: str) -> bool:
        return name in self._systems

    def __getitem__(self, name: str) -> System:
        return self._systems[name]

    def named(self, address: str) -> str | None:
        """The short name of the code system at an address; None for one that the value sets have nothing of."""
        return self._names.get(address) or self._names.get(_plain(address))


class _Known(NamedTuple, Generic[_Meaning]):
    """The codes of one system: its short name, their meanings by every spelling that is kept, and codes without any."""

    name: str
    meanings: dict[str, _Meaning]
    missed: set[str]


class Codes(Generic[_Meaning]):
    """What codes mean, by the address of their system and the code, in any spelling of both."""

    def __init__(self, systems: Systems, nothing: _Meaning) -> None:
        """`nothing`: what a code means that has no meaning here."""
        self._systems = systems
        self._nothing = nothing
        self._known: dict[str, _Known[_Meaning]] = {}
        self._by_name: dict[str, _Known[_Meaning]] = {}

    def __setitem__(self, system_and_code: tuple[str, str], meaning: _Meaning) -> None:
        name, code = system_and_code
        meanings = self._of_system(name).meanings
        meanings[code] = meanings[_spelt(name, code)] = meaning

    def _of_system(self, name: str) -> _Known[_Meaning]:
        known = self._by_name.get(name)
        if known is None:
            known = self._by_name[name] = _Known(name, {}, set())
            for address in self._systems[name].addresses:
                self._known[address] = self._known[_plain(address)] = known
        return known

    def of(self, name: str, code: str) -> _Meaning:
        """The meaning of a code, by the short name of its system and its canonical spelling."""
        known = self._by_name.get(name)
        return known.meanings.get(code, self._nothing) if known else self._nothing

    def get(self, address: str, code: str) -> _Meaning:
        """The meaning of a code."""
        known = self._known.get(address) or self._known.get(_plain(address))
        if known is None:
            return self._nothing
        name, meanings, missed = known
        found = meanings.get(code)
        # Most codes of a chart are none of ours, and come again and again.
        if found is None and code not in missed:
            found = meanings.get(_spelt(name, code))
            if found is None and name in _ICD:
                # Hospital records fill a code of three characters up: H46X.
                found = meanings.get(_spelt(name, code).rstrip("X"))
            if found is None and len(missed) < TEXTS and len(code) <= LONGEST_TEXT:
                missed.add(code)
        return self._nothing if found is None else found

    def read_without_address(self, sense: Callable[[_Meaning], object]) -> None:
        """From now on a code without an address counts where its own form says which system it is of.

        One that two systems may have written counts where the `sense` of both is the same.
        """
        bare: dict[str, _Meaning] = {}
        doubtful = set()
        for name, form in _UNMISTAKABLE.items():
            for code, meaning in self._of_system(name).meanings.items():
                if form.fullmatch(code) and sense(bare.setdefault(code, meaning)) != sense(meaning):
                    doubtful.add(code)
        for code in doubtful:
            del bare[code]
        self._known[_NO_ADDRESS] = _Known(_NO_ADDRESS, bare, set())

    def copy(self) -> Codes[_Meaning]:
        """The same codes, to which others may be added."""
        other = Codes(self._systems, self._nothing)
        for name, known in self._by_name.items():
            other._of_system(name).meanings.update(known.meanings)
        if _NO_ADDRESS in self._known:
            other._known[_NO_ADDRESS] = self._known[_NO_ADDRESS]
        return other


def _system(name: Any, said: Any) -> System:
    """One line of the table."""
    if not isinstance(said, Mapping) or not said.keys() <= {"addresses", "complete"}:
        raise SystemsError(f"{name}: a code system has addresses, and may be complete")
    addresses, complete = said.get("addresses"), said.get("complete", False)
    if (
        not isinstance(addresses, list)
        or not addresses
        or not all(isinstance(each, str) and each for each in addresses)
    ):
        raise SystemsError(f"{name}: addresses is a list of one or more")
    if not isinstance(complete, bool):
        raise SystemsError(f"{name}: complete is true or false")
    return System(tuple(addresses), complete)


@remembered
def _plain(address: str) -> str:
    """What all spellings of one address have in common."""
    plain = "".join(address.split()).lower()
    if plain in ("", "none", "null"):
        return _NO_ADDRESS
    # An address of which nothing would be left is not the same as none.
    plain = plain.partition("|")[0] or plain
    if oid := _OID.fullmatch(plain):
        return oid[1]
    if "/" not in plain:
        return _NOT_IN_NAMES.sub("", plain)
    plain = _SCHEME.sub("", plain).partition("#")[0].partition("?")[0].rstrip("/")
    edition = _SNOMED_EDITION.fullmatch(plain)
    return edition[1] if edition else plain or address


def _spelt(name: str, code: str) -> str:
    """The spelling of a code that all those have in common which its system allows."""
    plain = code.strip().upper()
    if name in _ICD:
        return plain.rstrip(_MARKS).replace(".", "").replace(" ", "")
    if name in _NUMERIC:
        # A term may stand behind SNOMED's code; a JSON number may have become one with a fraction.
        return plain.partition("|")[0].rstrip().removesuffix(".0").lstrip("0")
    if name == "NHS-CANCELLATION" and plain.isdecimal():
        return plain.zfill(4)
    return plain
