"""Code systems and codes in every spelling that is sent; and what must not be taken for one of ours."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cards.record import WhyNot
from cards.terminology import Terminology, ValueSetError

FOLDER = Path(__file__).parents[2] / "cards" / "value_sets"
TERMINOLOGY = Terminology.load()
SYSTEMS = yaml.safe_load((FOLDER / "systems.yaml").read_text(encoding="utf-8"))
TABLES = {
    "sites": TERMINOLOGY.site,
    "routes": TERMINOLOGY.route,
    "timings": TERMINOLOGY.timing,
    "reasons": TERMINOLOGY.reason,
}
Lookup = Callable[[str, str], object]


def _examples() -> list[tuple[str, str, Lookup]]:
    """Of each code system in each table one code, with what looks it up."""
    found: dict[tuple[str, str], tuple[str, str, Lookup]] = {}
    for name in TERMINOLOGY.value_sets:
        for member in TERMINOLOGY.members(name):
            table = name if name in TABLES else ""
            found.setdefault((member.system, table), (member.system, member.code, TABLES.get(name, TERMINOLOGY.find)))
    return list(found.values())


EXAMPLES = [pytest.param(*each, id=f"{each[0]} {each[1]}") for each in _examples()]


def _spelt(address: str) -> dict[str, str]:
    """One address in other spellings."""
    found = {"blanks": f" {address} ", "capitals": address.upper(), "version": f"{address}|2025-09"}
    if address.startswith("urn:oid:"):
        return {**found, "bare": address.removeprefix("urn:oid:"), "oid:": address.removeprefix("urn:")}
    if "/" not in address:
        return found
    rest = address.partition("://")[2].removeprefix("www.")
    return {
        **found,
        "http": f"http://{rest}",
        "https": f"https://{rest}",
        "www": f"http://www.{rest}",
        "no scheme": rest,
        "one slash": f"{address}/",
        "two slashes": f"{address}//",
    }


def test_each_code_system_has_an_example() -> None:
    assert {each[0] for each in _examples()} == set(SYSTEMS)


@pytest.mark.parametrize(("system", "code", "look_up"), EXAMPLES)
def test_a_code_is_found_by_every_spelling_of_every_address(system: str, code: str, look_up: Lookup) -> None:
    due = look_up(TERMINOLOGY.uri(system), code)
    spellings = {
        (address, how): look_up(spelling, code)
        for address in SYSTEMS[system]["addresses"]
        for how, spelling in {"as it stands": address, **_spelt(address)}.items()
    }

    assert due
    assert {key: found for key, found in spellings.items() if found != due} == {}


@pytest.mark.parametrize(
    "address",
    [
        "http://snomed.info/sct/83821000000107",
        "http://snomed.info/sct/900000000000207008/version/20240101",
        "https://SNOMED.info/sct/731000124108/",
        "http://snomed.info/sct?fhir_vs",
        "Snomed-CT",
        "SNOMED_CT",
    ],
)
def test_editions_and_names_of_snomed_are_snomed(address: str) -> None:
    assert TERMINOLOGY.find(address, "84027009")
    assert TERMINOLOGY.is_system(address, "SNOMED")


@pytest.mark.parametrize(
    "address",
    [
        "http://snomed.info/scts",
        "http://example.org/snomed.info/sct",
        "http://loinc.org.example.org",
        "http://hl7.org/fhir/sid/icd-9-cm",
        "http://hl7.org/fhir/sid/icd-10-xx",
        "http://hl7.org/fhir/sid/ndc",
        "urn:oid:2.16.840.1.113883.6.961",
        "urn:oid:2.16.840.1.113883.6",
        "urn:local",
        "local",
        "http://",
        "https://fhir.nhs.uk/CodeSystem/medicationdispense-status-reason",
    ],
)
def test_other_systems_are_none_of_ours(address: str) -> None:
    assert not TERMINOLOGY.knows_system(address)
    assert not TERMINOLOGY.is_complete(address)
    assert [TERMINOLOGY.find(address, code) for code in ("84027009", "D51.0", "2132-9", "11248")] == [()] * 4


# --- codes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("system", "code", "look_up"), EXAMPLES)
def test_capitals_and_blanks_of_a_code_do_not_matter(system: str, code: str, look_up: Lookup) -> None:
    uri = TERMINOLOGY.uri(system)
    for spelling in (code.lower(), code.upper(), f" {code} ", f"{code}\n"):
        assert look_up(uri, spelling) == look_up(uri, code)


@pytest.mark.parametrize("system", ["ICD10", "ICD10CM"])
def test_every_code_of_icd_is_found_without_its_dot(system: str) -> None:
    uri = TERMINOLOGY.uri(system)
    codes = [
        member.code
        for name in TERMINOLOGY.value_sets
        for member in TERMINOLOGY.members(name)
        if member.system == system
    ]
    differing = [
        (code, spelling)
        for code in codes
        for spelling in (code.replace(".", ""), code.replace(".", "").lower(), f"{code} ", f"{code}+", f"{code}*")
        if TERMINOLOGY.find(uri, spelling) != TERMINOLOGY.find(uri, code)
    ]

    assert len(codes) > 100
    assert differing == []


@pytest.mark.parametrize(
    ("system", "spelling", "code"),
    [
        ("ICD10", "H46X", "H46"),
        ("ICD10", "D51.0X", "D51.0"),
        ("ICD10", "G63.4*", "G63.4"),
        ("ICD10", "d510†", "D51.0"),
        ("SNOMED", "84027009 |Pernicious anaemia|", "84027009"),
        ("SNOMED", "84027009.0", "84027009"),
        ("SNOMED", "084027009", "84027009"),
        ("RXNORM", "00011248", "11248"),
        ("LOINC", "02132-9", "2132-9"),
        ("HCPCS", "j3420", "J3420"),
    ],
)
def test_a_code_in_the_spellings_of_its_system(system: str, spelling: str, code: str) -> None:
    uri = TERMINOLOGY.uri(system)
    assert TERMINOLOGY.find(uri, spelling) == TERMINOLOGY.find(uri, code) != ()


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("ICD10CM", "Z90.410"),  # the pancreas: a longer code is not taken for a shorter one
        ("ICD10", "D51.01"),
        ("ICD10", "X"),
        ("ICD10", ""),
        ("SNOMED", "8402700"),
        ("SNOMED", "840270090"),
        ("SNOMED", ""),
        ("SNOMED", "0"),
        ("LOINC", "2132"),
        ("LOINC", "21329"),
        ("RXNORM", "1124"),
        ("ATC", "B03BA.01"),
        ("HCPCS", "3420"),
    ],
)
def test_what_is_like_a_code_is_not_one(system: str, code: str) -> None:
    assert TERMINOLOGY.find(TERMINOLOGY.uri(system), code) == ()


@pytest.mark.parametrize("no_system", ["", " ", "None", "null"])
@pytest.mark.parametrize(
    ("code", "system"),
    [
        ("84027009", "SNOMED"),
        ("D51.0", "ICD10"),
        ("D51.0", "ICD10CM"),
        ("2132-9", "LOINC"),
        ("B03BA01", "ATC"),
        ("J3420", "HCPCS"),
    ],
)
def test_a_code_without_a_system_counts_where_its_form_says_of_which_it_is(
    code: str, system: str, no_system: str
) -> None:
    found = {each.concept for each in TERMINOLOGY.find(no_system, code)}
    assert found == {each.concept for each in TERMINOLOGY.find(TERMINOLOGY.uri(system), code)} != set()


@pytest.mark.parametrize("code", ["11248", "D510", "43620", "H47.2", "IM", "BID", ""])
def test_a_code_without_a_system_that_several_may_have_written_is_nobodys(code: str) -> None:
    assert TERMINOLOGY.find("", code) == ()
    assert (TERMINOLOGY.route("", code), TERMINOLOGY.timing("", code)) == (None, None)
    assert not TERMINOLOGY.is_complete("")


# --- which systems the value sets hold whole -----------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_is_complete_where_the_table_says_so_however_it_is_spelt(system: str) -> None:
    for address in SYSTEMS[system]["addresses"]:
        for spelling in (address, *_spelt(address).values()):
            assert TERMINOLOGY.is_complete(spelling) is SYSTEMS[system].get("complete", False)
            assert TERMINOLOGY.knows_system(spelling)


def test_the_great_terminologies_are_complete_and_tables_of_a_few_codes_are_not() -> None:
    assert {name for name, each in SYSTEMS.items() if each.get("complete")} == {
        "SNOMED", "RXNORM", "LOINC", "ICD10", "ICD10CM", "ICD10PCS", "ATC", "CPT", "HCPCS",
    }  # fmt: skip


def test_every_coded_reason_says_one_that_rules_know() -> None:
    with (FOLDER / "reasons.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert {row["why"] for row in rows} <= {each.value for each in WhyNot}
    assert len(rows) > 50


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("SNOMED: [http://snomed.info/sct]", "SNOMED: a code system has addresses, and may be complete"),
        ("SNOMED: {complete: true}", "SNOMED: addresses is a list of one or more"),
        ("SNOMED: {addresses: []}", "SNOMED: addresses is a list of one or more"),
        ("SNOMED: {addresses: [7]}", "SNOMED: addresses is a list of one or more"),
        ("SNOMED: {addresses: [http://snomed.info/sct], complete: perhaps}", "SNOMED: complete is true or false"),
        ("SNOMED: {addresses: [x], hidden: true}", "SNOMED: a code system has addresses, and may be complete"),
        ("- SNOMED", "the code systems are a table by their short names"),
        ("A: {addresses: [http://a.org/b]}\nB: {addresses: [https://A.org/b/]}", "is the address of two code systems"),
    ],
)
def test_a_faulty_table_of_systems_is_named(table: str, fault: str, tmp_path: Path) -> None:
    folder = tmp_path / "value_sets"
    shutil.copytree(FOLDER, folder)
    (folder / "systems.yaml").write_text(table, encoding="utf-8")

    with pytest.raises(ValueSetError, match=r"systems\.yaml: ") as raised:
        Terminology(folder)
    assert fault in str(raised.value)
