"""A site's own release of RxNorm or dm+d: its products become known, and what the value sets say goes first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cards.terminology import Terminology, ValueSetError
from service.value_sets import dmd, rxnorm
from service.value_sets.products import WrongRelease, files, save
from tests.service.value_sets import releases
from tests.service.value_sets.releases import conso_line, rel_line

BASE = Terminology.load()
RXNORM, SNOMED = BASE.uri("RXNORM"), BASE.uri("SNOMED")


def imported_rxnorm(folder: Path) -> Terminology:
    """What is known after the import of the made-up RxNorm release."""
    conso, rel = releases.rxnorm(folder)
    save(rxnorm.products(conso, rel, BASE), rxnorm.SYSTEM, BASE, folder, rxnorm.RELEASE)
    return BASE.extended(files(folder))


def imported_dmd(folder: Path) -> Terminology:
    """What is known after the import of the made-up dm+d release."""
    save(dmd.products(releases.dmd(folder / "release"), BASE), dmd.SYSTEM, BASE, folder, dmd.RELEASE)
    return BASE.extended(files(folder))


def meant(terminology: Terminology, system: str, code: str) -> dict[str, str]:
    """What a code stands for, with its display."""
    return {coded.concept.name: coded.display for coded in terminology.find(system, code)}


@pytest.mark.parametrize(
    ("code", "concept"),
    [
        (releases.FOLIC_TABLET, "folic_acid"),
        (releases.FOLIC_COMPONENT, "folic_acid"),
        (releases.BRAND, "folic_acid"),
        (releases.PACK, "folic_acid"),
        (releases.IRON_AND_FOLIC, "folic_acid_combination"),
        (releases.COMBINATION, "folic_acid_with_b12"),
        (releases.ANTIDOTE, "hydroxocobalamin_antidote_exclude"),
    ],
)
def test_a_product_of_rxnorm_is_known_by_its_ingredients(tmp_path: Path, code: str, concept: str) -> None:
    assert set(meant(imported_rxnorm(tmp_path), RXNORM, code)) == {concept}


def test_a_product_keeps_the_name_that_tells_its_strength(tmp_path: Path) -> None:
    known = meant(imported_rxnorm(tmp_path), RXNORM, releases.FOLIC_TABLET)

    assert known == {"folic_acid": "folic acid 7 MG Oral Tablet"}


def test_a_product_without_a_drug_of_ours_stays_unknown(tmp_path: Path) -> None:
    assert meant(imported_rxnorm(tmp_path), RXNORM, releases.ASPIRIN_TABLET) == {}


@pytest.mark.parametrize(
    ("code", "concept", "display"),
    [
        (releases.VMP, "folic_acid", "Folic acid 7mg tablets"),
        (releases.OLD_VMP, "folic_acid", "Folic acid 7mg tablets"),
        (releases.AMP, "folic_acid", "Inventol tablets (Invented Ltd): Folic acid 7mg tablets"),
        (releases.VMPP, "folic_acid", "Folic acid 7mg tablets 28 tablet"),
        (releases.AMPP, "folic_acid", "Inventol tablets (Invented Ltd) 28 tablet: Folic acid 7mg tablets"),
        (releases.IRON_VMP, "folic_acid_combination", "Invented iron 70mg / Folic acid 700microgram tablets"),
        (
            releases.IRON_AMP,
            "folic_acid_combination",
            "Ferroventol tablets: Invented iron 70mg / Folic acid 700microgram tablets",
        ),
    ],
)
def test_a_product_of_dmd_is_known_by_its_ingredients(tmp_path: Path, code: str, concept: str, display: str) -> None:
    known = imported_dmd(tmp_path)

    assert meant(known, SNOMED, code) == {concept: display}
    assert meant(known, "https://dmd.nhs.uk", code) == {concept: display}


def test_packs_of_dmd_may_be_left_out(tmp_path: Path) -> None:
    folder = releases.dmd(tmp_path / "release", f_vmpp2=None, f_ampp2=None)

    codes = {product.code for product in dmd.products(folder, BASE)}

    assert codes == {releases.VMP, releases.OLD_VMP, releases.AMP, releases.IRON_VMP, releases.IRON_AMP}


def test_a_moiety_tells_the_drug_where_no_ingredient_is_listed(tmp_path: Path) -> None:
    vmp = (
        "<VIRTUAL_MED_PRODUCTS><VMPS><VMP><VPID>91000000030</VPID><VTMID>116573001</VTMID>"
        "<NM>Hydroxocobalamin 7mg/1ml injection</NM></VMP></VMPS></VIRTUAL_MED_PRODUCTS>"
    )
    folder = releases.dmd(tmp_path / "release", f_vmp2=vmp)
    hydroxocobalamin = next(
        code for code in BASE.codes_of("hydroxocobalamin", "SNOMED") if BASE.find(SNOMED, code)[0].display.isalpha()
    )
    (folder / "f_vmp2_3991126.xml").write_text(vmp.replace("116573001", hydroxocobalamin), encoding="utf-8")

    assert [product.concepts for product in dmd.products(folder, BASE)] == [("hydroxocobalamin",)]


def test_what_the_value_sets_say_of_a_code_goes_before_the_release_and_is_told(tmp_path: Path) -> None:
    [own, *_] = [code for code in BASE.codes_of("folic_acid", "RXNORM") if code != releases.FOLIC_ACID]
    concepts = [*releases.CONCEPTS, (own, "SCD", "vitamin B12 7 MG Oral Tablet")]
    conso, rel = releases.rxnorm(
        tmp_path, concepts, [*releases.RELATIONS, (own, "has_ingredient", releases.VITAMIN_B12)]
    )

    imported = save(rxnorm.products(conso, rel, BASE), rxnorm.SYSTEM, BASE, tmp_path, rxnorm.RELEASE)

    assert set(meant(BASE.extended([imported.file]), RXNORM, own)) == {"folic_acid"}
    assert imported.differing == (
        f"{own} vitamin B12 7 MG Oral Tablet: folic acid in the value sets, cyanocobalamin by this release",
    )
    assert imported.known == 4  # that product and the three ingredients


def test_a_line_that_claims_a_code_of_the_value_sets_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rxnorm.csv"
    file.write_text("system,code,display,concepts,source\nRXNORM,4511,folic acid,metformin,IN\n", encoding="utf-8")

    assert meant(BASE.extended([file]), RXNORM, "4511") == meant(BASE, RXNORM, "4511")


def test_another_import_replaces_the_one_before(tmp_path: Path) -> None:
    imported_rxnorm(tmp_path)
    fewer = [each for each in releases.CONCEPTS if each[0] not in (releases.BRAND, releases.PACK)]
    conso, rel = releases.rxnorm(tmp_path, fewer)

    imported = save(rxnorm.products(conso, rel, BASE), rxnorm.SYSTEM, BASE, tmp_path, rxnorm.RELEASE)

    assert meant(BASE.extended([imported.file]), RXNORM, releases.BRAND) == {}
    assert [each.name for each in (tmp_path / "value_sets").iterdir()] == ["rxnorm.csv"]


def test_names_and_relations_of_other_vocabularies_are_left_alone(tmp_path: Path) -> None:
    conso, rel = releases.rxnorm(tmp_path)
    with conso.open("a") as names, rel.open("a") as relations:
        names.write(conso_line("90000099", "SCD", "folic acid by another vocabulary", "MTHSPL") + "\n")
        relations.write(rel_line(releases.ASPIRIN_TABLET, "has_ingredient", releases.FOLIC_ACID, "MMSL") + "\n")

    codes = {product.code for product in rxnorm.products(conso, rel, BASE)}

    assert codes.isdisjoint({"90000099", releases.ASPIRIN_TABLET})


# --- files that cannot be used ---------------------------------------------------------------------------------------


def swapped(folder: Path) -> None:
    """The files under each other's name."""
    conso, rel = folder / "RXNCONSO.RRF", folder / "RXNREL.RRF"
    names, relations = conso.read_text(), rel.read_text()
    conso.write_text(relations)
    rel.write_text(names)


@pytest.mark.parametrize(
    ("break_it", "complaint"),
    [
        (swapped, "RXNCONSO.RRF, line 1: 18 columns, each ended by |, are expected; 16 are there"),
        (lambda f: (f / "RXNCONSO.RRF").write_text(""), "RXNCONSO.RRF: is empty"),
        (lambda f: (f / "RXNREL.RRF").write_text(""), "RXNREL.RRF: is empty"),
        (lambda f: (f / "RXNREL.RRF").unlink(), "RXNREL.RRF: cannot be read: No such file or directory"),
        (
            lambda f: (f / "RXNCONSO.RRF").write_bytes(b"\x00\xff\xfe|"),
            "RXNCONSO.RRF, after line 0: is not text in UTF-8",
        ),
        (
            lambda f: (f / "RXNCONSO.RRF").write_text(conso_line("1", "SCD", "a drug", "MTHSPL") + "\n"),
            "RXNCONSO.RRF: no drug with a name of RxNorm's own (SAB RXNORM) is in it",
        ),
        (
            lambda f: (f / "RXNREL.RRF").write_text(rel_line("1", "isa", "2") + "\n"),
            "RXNREL.RRF: no relation between a drug and its ingredient is in it",
        ),
        (
            lambda f: (f / "RXNREL.RRF").write_text(rel_line("1", "isa", "2") + "\n1|2|3\n"),
            "RXNREL.RRF, line 2: 16 columns, each ended by |, are expected; 2 are there",
        ),
    ],
)
def test_files_that_are_no_release_of_rxnorm_are_refused(
    tmp_path: Path, break_it: Callable[[Path], object], complaint: str
) -> None:
    conso, rel = releases.rxnorm(tmp_path)
    break_it(tmp_path)

    with pytest.raises(WrongRelease) as refused:
        list(rxnorm.products(conso, rel, BASE))

    assert str(refused.value) == f"{tmp_path}/{complaint}"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"f_vmp2": None}, ": no file f_vmp2_….xml is there; unpack the dm+d release into one folder"),
        ({"f_amp2": ""}, "/f_amp2_3991126.xml, line 1: is not XML: no element found"),
        (
            {"f_amp2": "<AMPS>\n<AMP></AMPS>"},
            "/f_amp2_3991126.xml, line 1: the outermost element is AMPS, not ACTUAL_MEDICINAL_PRODUCTS",
        ),
        (
            {"f_vmp2": "<VIRTUAL_MED_PRODUCTS>\n<VMPS>\n<VMP><NM>x</NM></VMP></VMPS></VIRTUAL_MED_PRODUCTS>"},
            "/f_vmp2_3991126.xml, line 3: a VMP lacks its VPID",
        ),
        (
            {"f_vmp2": "<VIRTUAL_MED_PRODUCTS>\n<VMPS></VIRTUAL_MED_PRODUCTS>"},
            "/f_vmp2_3991126.xml, line 2: is not XML: mismatched tag",
        ),
        ({"f_vtm2": "<VIRTUAL_THERAPEUTIC_MOIETIES/>"}, "/f_vtm2_3991126.xml: holds no VTM"),
        (
            {"f_vtm2": '<!DOCTYPE x [<!ENTITY a "aaaa">]><VIRTUAL_THERAPEUTIC_MOIETIES/>'},
            "/f_vtm2_3991126.xml, line 1: declares entities, which no release does",
        ),
    ],
)
def test_files_that_are_no_release_of_dmd_are_refused(
    tmp_path: Path, changes: dict[str, str | None], complaint: str
) -> None:
    folder = releases.dmd(tmp_path / "release", **changes)

    with pytest.raises(WrongRelease) as refused:
        list(dmd.products(folder, BASE))

    assert str(refused.value) == f"{folder}{complaint}"


def test_two_releases_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder = releases.dmd(tmp_path / "release")
    (folder / "f_vmp2_3980101.xml").write_text("<VIRTUAL_MED_PRODUCTS/>")

    with pytest.raises(WrongRelease, match=r"holds several files f_vmp2_….xml; one release at a time"):
        list(dmd.products(folder, BASE))


def test_a_release_without_a_drug_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongRelease, match="no product of this release holds a drug of the value sets"):
        save([], "RXNORM", BASE, tmp_path, "rxnorm")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: the columns are system, code, display, concepts, source"),
        (
            "system,code,display,concepts,source\nRXNORM,1,x,no_such_drug,SCD\n",
            "line 2: no concept of this name: no_such_drug",
        ),
        ("system,code,display,concepts,source\nRXNOM,1,x,folic_acid,SCD\n", "line 2: unknown code system RXNOM"),
    ],
)
def test_a_damaged_file_of_products_is_refused_naming_file_and_line(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "rxnorm.csv"
    file.write_text(text)

    with pytest.raises(ValueSetError) as refused:
        BASE.extended([file])

    assert str(refused.value) == f"{file}, {complaint}"


# --- the command ---------------------------------------------------------------------------------------------------


def b12_cds(data_dir: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What the command prints and how it ends."""
    return subprocess.run(
        [sys.executable, "-m", "service", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "B12_CDS_DATA_DIR": str(data_dir)},
    )


def test_the_command_imports_both_releases(tmp_path: Path) -> None:
    data, release = tmp_path / "data", tmp_path / "release"
    conso, rel = releases.rxnorm(tmp_path)

    one = b12_cds(data, "value-sets", "import-rxnorm", conso, rel)
    two = b12_cds(data, "value-sets", "import-dmd", releases.dmd(release))

    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout.startswith(f"7 products written to {data}/value_sets/rxnorm.csv\n3 are in the value sets already")
    assert (two.returncode, two.stderr) == (0, "")
    assert two.stdout.startswith(f"7 products written to {data}/value_sets/dmd.csv\n0 are in the value sets already")


def test_the_command_refuses_what_is_no_release(tmp_path: Path) -> None:
    conso, rel = releases.rxnorm(tmp_path)

    ended = b12_cds(tmp_path / "data", "value-sets", "import-rxnorm", rel, conso)

    assert ended.returncode == 2
    assert ended.stderr == f"b12-cds: {rel}, line 1: 18 columns, each ended by |, are expected; 16 are there\n"
    assert not (tmp_path / "data").exists()


def test_a_damaged_file_of_products_stops_the_start_and_not_the_next_import(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "value_sets").mkdir(parents=True)
    (data / "value_sets" / "rxnorm.csv").write_text("system,code\n")
    conso, rel = releases.rxnorm(tmp_path)

    refused = b12_cds(data, "rules")
    mended = b12_cds(data, "value-sets", "import-rxnorm", conso, rel)

    assert refused.returncode == 2
    assert refused.stderr.startswith(f"b12-cds: {data}/value_sets/rxnorm.csv, line 1: the columns are system, code")
    assert mended.returncode == 0
