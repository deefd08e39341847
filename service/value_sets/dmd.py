"""Products and their ingredients from the XML files of an unpacked dm+d release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

from cards.strength import strengths_in
from cards.terminology import Terminology
from service.value_sets.products import Product, WrongRelease, drug_concepts

SYSTEM = "SNOMED"
RELEASE = "dmd"
_CHUNK_BYTES = 1 << 20


class _File(NamedTuple):
    """One file of a release: how its name begins, its outermost element, and the records that are read of it."""

    prefix: str
    root: str
    records: Mapping[str, tuple[str, ...]]


# Records with the fields that they cannot lack, as the schemas of the release (version 2.3) have them.
_INGREDIENTS = _File("f_ingredient2", "INGREDIENT_SUBSTANCES", {"ING": ("ISID", "NM")})
_MOIETIES = _File("f_vtm2", "VIRTUAL_THERAPEUTIC_MOIETIES", {"VTM": ("VTMID", "NM")})
_VIRTUAL = _File("f_vmp2", "VIRTUAL_MED_PRODUCTS", {"VMP": ("VPID", "NM"), "VPI": ("VPID", "ISID")})
_ACTUAL = _File("f_amp2", "ACTUAL_MEDICINAL_PRODUCTS", {"AMP": ("APID", "VPID", "NM")})
_VIRTUAL_PACKS = _File("f_vmpp2", "VIRTUAL_MED_PRODUCT_PACK", {"VMPP": ("VPPID", "VPID", "NM")})
_ACTUAL_PACKS = _File("f_ampp2", "ACTUAL_MEDICINAL_PROD_PACKS", {"AMPP": ("APPID", "VPPID", "NM")})
_PACKS = (_VIRTUAL_PACKS, _ACTUAL_PACKS)

Record = dict[str, str]


class _Generic(NamedTuple):
    """A generic product of our drugs."""

    name: str
    concepts: tuple[str, ...]
    several: bool


def products(folder: Path, terminology: Terminology) -> Iterator[Product]:
    """The products of a release that hold a drug of the value sets: generic ones, brands, and packs of both.

    The folder holds f_vtm2_….xml, f_vmp2_….xml, f_amp2_….xml and f_ingredient2_….xml; f_vmpp2_….xml and
    f_ampp2_….xml are read when they are there. Re-issued identifiers are listed with their old ones. Raises
    `WrongRelease`, naming file and line, for a folder that does not hold them or a file that is not what it says.
    """
    concepts = _drugs(folder, terminology)
    generics = dict(_generics(folder, concepts))
    for code, (name, own, several) in generics.items():
        yield Product(code, name, "VMP", own, several)
    for record in _records(folder, _ACTUAL):
        if generic := generics.get(record["VPID"]):
            name = _with_strength(record.get("DESC") or record["NM"], generic, terminology)
            yield Product(record["APID"], name, "AMP", generic.concepts, generic.several)
    yield from _packs(folder, generics, terminology)


def _packs(folder: Path, generics: Mapping[str, _Generic], terminology: Terminology) -> Iterator[Product]:
    if not all(_path(folder, each, required=False) for each in _PACKS):
        return
    packed: dict[str, _Generic] = {}
    for record in _records(folder, _VIRTUAL_PACKS):
        if generic := generics.get(record["VPID"]):
            packed[record["VPPID"]] = generic
            yield Product(record["VPPID"], record["NM"], "VMPP", generic.concepts, generic.several)
    for record in _records(folder, _ACTUAL_PACKS):
        if generic := packed.get(record["VPPID"]):
            name = _with_strength(record["NM"], generic, terminology)
            yield Product(record["APPID"], name, "AMPP", generic.concepts, generic.several)


def _drugs(folder: Path, terminology: Terminology) -> dict[str, tuple[str, ...]]:
    """The drug concepts of ingredients and moieties; one that was re-issued is known by either identifier."""
    found = dict(drug_concepts(terminology, SYSTEM))
    for file, own in ((_INGREDIENTS, "ISID"), (_MOIETIES, "VTMID")):
        for record in _records(folder, file):
            before = record.get(f"{own}PREV", "")
            if concepts := found.get(record[own]) or found.get(before):
                found[record[own]] = concepts
    return found


def _generics(folder: Path, drugs: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, _Generic]]:
    """The generic products that hold a drug, under their old identifiers too."""
    contents: dict[str, set[str]] = {}
    named: list[Record] = []
    for record in _records(folder, _VIRTUAL):
        if "ISID" in record:
            contents.setdefault(record["VPID"], set()).add(record["ISID"])
        else:
            named.append(record)
    for record in named:
        code = record["VPID"]
        substances = contents.get(code, set())
        concepts = {each for isid in substances for each in drugs.get(isid, ())}
        concepts |= set(drugs.get(record.get("VTMID", ""), ()) if not concepts else ())
        if concepts:
            generic = _Generic(record["NM"], tuple(sorted(concepts)), len(substances) > 1)
            yield code, generic
            if before := record.get("VPIDPREV"):
                yield before, generic


def _with_strength(name: str, generic: _Generic, terminology: Terminology) -> str:
    """The name of a brand, with that of the generic product behind it where the brand's own tells no strength."""
    ingredients = tuple(
        dict.fromkeys(each for concept in generic.concepts for each in terminology.drug_ingredients(concept))
    )
    told, generally = strengths_in(name, ingredients), strengths_in(generic.name, ingredients)
    return f"{name}: {generic.name}" if generally and not told else name


# --- files ---------------------------------------------------------------------------------------------------------


def _path(folder: Path, file: _File, *, required: bool = True) -> Path | None:
    found = sorted(folder.glob(f"{file.prefix}_*.xml"))
    if len(found) == 1:
        return found[0]
    if found:
        raise WrongRelease(f"{folder}: holds several files {file.prefix}_….xml; one release at a time")
    if required:
        raise WrongRelease(f"{folder}: no file {file.prefix}_….xml is there; unpack the dm+d release into one folder")
    return None


def _records(folder: Path, file: _File) -> Iterator[Record]:
    path = _path(folder, file)
    if path is None:
        return
    reader = _Reader(path, file)
    number = 0
    try:
        with path.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                for record in reader.feed(chunk):
                    number += 1
                    yield record
            reader.end()
    except OSError as fault:
        raise WrongRelease(f"{path}: cannot be read: {fault.strerror}") from None
    if not number:
        raise WrongRelease(f"{path}: holds no {' and no '.join(file.records)}")


class _Reader:
    """Reads the records of one file as it is fed, and knows the line where something is wrong."""

    def __init__(self, path: Path, file: _File) -> None:
        self._path = path
        self._file = file
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity
        self._depth = 0
        self._record: Record | None = None
        self._field: str | None = None
        self._ready: list[Record] = []

    def feed(self, chunk: bytes) -> list[Record]:
        """The records that ended in this part of the file."""
        self._parse(lambda: self._parser.Parse(chunk, False))
        ready, self._ready = self._ready, []
        return ready

    def end(self) -> None:
        """Nothing follows."""
        self._parse(lambda: self._parser.Parse(b"", True))

    def _parse(self, step: Callable[[], Any]) -> None:
        try:
            step()
        except expat.ExpatError as fault:
            raise WrongRelease(
                f"{self._path}, line {fault.lineno}: is not XML: {expat.ErrorString(fault.code)}"
            ) from None

    def _wrong(self, what: str) -> WrongRelease:
        return WrongRelease(f"{self._path}, line {self._parser.CurrentLineNumber}: {what}")

    def _start(self, name: str, _: dict[str, str]) -> None:
        if self._depth == 0 and name != self._file.root:
            raise self._wrong(f"the outermost element is {name}, not {self._file.root}")
        self._depth += 1
        if self._record is not None:
            self._field = name
        elif name in self._file.records:
            self._record = {}

    def _characters(self, text: str) -> None:
        if self._record is not None and self._field is not None:
            self._record[self._field] = self._record.get(self._field, "") + text.strip("\r\n")

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._record is None:
            return
        if self._field == name:
            self._field = None
        elif name in self._file.records:
            if lacking := [each for each in self._file.records[name] if not self._record.get(each)]:
                raise self._wrong(f"a {name} lacks its {' and '.join(lacking)}")
            self._ready.append(self._record)
            self._record = None

    def _entity(self, *_: object) -> None:
        raise self._wrong("declares entities, which no release does")
