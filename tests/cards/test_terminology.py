"""The value sets: what a code or a word stands for, and what it must never be taken for."""

from __future__ import annotations

import csv
import re
import shutil
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from cards.terminology import Concept, Terminology, ValueSetError, is_test_in_text

FOLDER = Path(__file__).parents[2] / "cards" / "value_sets"
TERMINOLOGY = Terminology.load()


class Row(NamedTuple):
    """A line of a value set."""

    file: str
    system: str
    code: str
    display: str
    said: tuple[str, ...]
    evidence: str


def _rows() -> list[Row]:
    found = []
    for path in sorted(FOLDER.rglob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for system, code, display, *said, evidence in list(csv.reader(file))[1:]:
                found.append(Row(path.relative_to(FOLDER).as_posix(), system, code, display, tuple(said), evidence))
    return found


ROWS = _rows()
DRUG_FILES = sorted(path.stem for path in (FOLDER / "drugs").glob("*.csv"))


def _names(system: str, code: str) -> set[str]:
    """The concepts that a code stands for."""
    return {coded.concept.name for coded in TERMINOLOGY.find(TERMINOLOGY.uri(system), code)}


def _concept(name: str, system: str, code: str) -> Concept:
    [concept] = [
        coded.concept for coded in TERMINOLOGY.find(TERMINOLOGY.uri(system), code) if coded.concept.name == name
    ]
    return concept


# --- every row ---------------------------------------------------------------------------------------------------

# A repository at a commit and a path, a published package, or a page.
A_SOURCE = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{7,40}\b|\bnpm[: ]\S+|\bPyPI \S+ \d|https?://\S+")


def test_every_row_says_where_its_code_was_read() -> None:
    assert [row for row in ROWS if not A_SOURCE.search(row.evidence)] == []


def test_every_row_has_a_code_and_a_display_without_stray_space() -> None:
    assert [row for row in ROWS if not row.code or row.code != row.code.strip() or " " in row.code] == []
    assert [row for row in ROWS if not row.display or row.display != row.display.strip()] == []


def test_no_code_stands_twice_in_one_file() -> None:
    seen: set[tuple[str, str, str]] = set()
    twice = []
    for row in ROWS:
        key = (row.file, row.system, row.code)
        if key in seen:
            twice.append(key)
        seen.add(key)

    assert twice == []


def test_no_address_belongs_to_two_code_systems() -> None:
    systems = yaml.safe_load((FOLDER / "systems.yaml").read_text(encoding="utf-8"))
    addresses = [address for each in systems.values() for address in each["addresses"]]

    assert len(addresses) > len(systems)
    assert len(addresses) == len(set(addresses))


# A code may say two things that are both true of the patient; it never says two that are not in this table.
BOTH_TRUE = {
    ("antiepileptic", "antiepileptic_b12_risk"),
    ("anticoagulant_therapy", "bleeding_disorder"),
    ("atrophic_autoimmune_gastritis", "b12_deficiency_anemia"),
    ("b12_combination", "levomefolate"),
    ("b12_deficiency_anemia", "folate_deficiency"),
    ("b12_deficiency_anemia", "inborn_error_cobalamin"),
    ("b12_deficiency_anemia", "nitrous_oxide_exposure"),
    ("b12_deficiency_anemia", "pernicious_anemia"),
    ("b12_deficiency_anemia", "vegan_diet"),
    ("b12_deficiency_nonanemic_or_unspecified", "folate_deficiency"),
    ("b12_neurological", "cognitive_impairment"),
    ("b12_neurological", "nitrous_oxide_exposure"),
    ("b12_neurological", "optic_neuropathy"),
    ("b12_neurological", "peripheral_neuropathy"),
    ("b12_neurological", "subacute_combined_degeneration"),
    ("bariatric", "gastrectomy"),
    ("celiac", "megaloblastic_anemia"),
    ("ckd", "dialysis"),
    ("crohn_any", "crohn_ileal"),
    ("folate_deficiency", "megaloblastic_anemia"),
    ("folate_deficiency", "optic_neuropathy"),
    ("glaucoma", "optic_neuropathy"),
    ("leber_hereditary_optic_neuropathy", "optic_neuropathy"),
    ("optic_neuropathy", "toxic_amblyopia"),
    ("nitrous_oxide_exposure", "subacute_combined_degeneration"),
}


def _concepts_of_a_code() -> dict[tuple[str, str], set[str]]:
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in ROWS:
        if "/" in row.file:
            names[row.system, row.code].add(Path(row.file).stem)
    return names


def test_a_code_in_two_value_sets_says_two_things_that_go_together() -> None:
    pairs = {pair for names in _concepts_of_a_code().values() for pair in combinations(sorted(names), 2)}

    assert pairs - BOTH_TRUE == set()


@pytest.mark.parametrize("kind", ["labs", "procedures", "drugs", "conditions"])
def test_a_code_means_one_kind_of_thing(kind: str) -> None:
    own = {(row.system, row.code) for row in ROWS if row.file.startswith(f"{kind}/")}
    others = {(row.system, row.code) for row in ROWS if "/" in row.file and not row.file.startswith(f"{kind}/")}

    assert own
    assert own & others == set()


def test_a_laboratory_code_measures_one_thing() -> None:
    labs = [(row.system, row.code) for row in ROWS if row.file.startswith("labs/")]

    assert len(labs) == len(set(labs))


def test_a_code_is_displayed_in_one_way() -> None:
    displays: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in ROWS:
        displays[row.system, row.code].add(row.display)

    assert {key: found for key, found in displays.items() if len(found) > 1} == {}


# --- check digits ------------------------------------------------------------------------------------------------

_PERMUTED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _permute(digit: int, times: int) -> int:
    for _ in range(times):
        digit = _PERMUTED[digit]
    return digit


def _dihedral(a: int, b: int) -> int:
    """Multiplication in the dihedral group of the pentagon, on which Verhoeff's check digit rests."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b - 5) % 5
    return 5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5


def _verhoeff_holds(number: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(number)):
        check = _dihedral(check, _permute(int(digit), place % 8))
    return check == 0


def _is_concept_id(code: str) -> bool:
    """A SNOMED CT concept identifier: 6 to 18 digits, partition 00 or 10, Verhoeff's check digit."""
    return bool(re.fullmatch(r"[1-9]\d{5,17}", code)) and code[-3:-1] in ("00", "10") and _verhoeff_holds(code)


def _is_loinc(code: str) -> bool:
    """A LOINC code: its last digit is the mod-10 check digit of the others."""
    match = re.fullmatch(r"(\d{1,6})-(\d)", code)
    if match is None:
        return False
    doubled = str(int(match[1][::-1][::2][::-1]) * 2)
    kept = match[1][::-1][1::2][::-1]
    return -sum(map(int, kept + doubled)) % 10 == int(match[2])


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("84568006", False),  # a digit off
        ("84658007", False),  # two digits swapped
        ("84568007", True),
        ("1105051000000102", True),
        ("277794009", False),  # circulates as an injection site
        ("1217007002", False),  # circulates as an injection site
    ],
)
def test_a_snomed_identifier_is_told_from_a_slip(code: str, right: bool) -> None:
    assert _is_concept_id(code) is right


@pytest.mark.parametrize(
    ("code", "right"),
    [("2132-9", True), ("14685-2", True), ("72160-5", True), ("2132-6", False), ("5140-4", False), ("2974-0", False)],
)
def test_a_loinc_code_is_told_from_a_slip(code: str, right: bool) -> None:
    assert _is_loinc(code) is right


def test_every_snomed_code_is_a_concept_with_the_right_check_digit() -> None:
    codes = {row.code for row in ROWS if row.system == "SNOMED"}

    assert len(codes) > 1000
    assert sorted(code for code in codes if not _is_concept_id(code)) == []


def test_every_loinc_code_has_the_right_check_digit() -> None:
    codes = {row.code for row in ROWS if row.system == "LOINC"}

    assert len(codes) > 50
    assert sorted(code for code in codes if not _is_loinc(code)) == []


# --- codes that are traps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "code", "what"),
    [
        ("RXNORM", "11248", "cyanocobalamin"),
        ("ATC", "B03BA01", "cyanocobalamin"),
        ("ATC", "B03BA02", "cyanocobalamin"),  # its tannin complex
        ("RXNORM", "5514", "hydroxocobalamin"),
        ("SNOMED", "409258004", "hydroxocobalamin"),
        ("ATC", "B03BA03", "hydroxocobalamin"),
        ("RXNORM", "317106", "hydroxocobalamin"),  # displayed like 700496, which stands beside the antidote
        ("RXNORM", "700496", "hydroxocobalamin_antidote"),
        ("RXNORM", "700499", "hydroxocobalamin_antidote"),
        ("RXNORM", "687707", "hydroxocobalamin_antidote"),
        ("ATC", "V03AB33", "hydroxocobalamin_antidote"),
        ("RXNORM", "91516", "radiolabelled_b12"),
        ("SNOMED", "187006", "radiolabelled_b12"),
        ("RXNORM", "29421", "mecobalamin"),
        ("RXNORM", "21373", "cobamamide"),
        ("SNOMED", "304111003", "cobalamin"),
        ("RXNORM", "4511", "folic_acid"),
        ("RXNORM", "310410", "folic_acid"),
        ("RXNORM", "315966", "folic_acid"),  # circulates as the tablet, is the component
        ("ATC", "B03BB01", "folic_acid"),
        ("RXNORM", "6313", "folinic_acid"),
        ("ATC", "V03AF03", "folinic_acid"),
        ("RXNORM", "1025342", "levomefolate"),
        ("RXNORM", "1145023", "levomefolate"),  # L-methylfolate 5.6 mg
        ("RXNORM", "68446", "pemetrexed"),
        ("RXNORM", "1728072", "pemetrexed"),
        ("RXNORM", "6851", "methotrexate"),
    ],
)
def test_a_drug_code_is_the_drug_it_says(system: str, code: str, what: str) -> None:
    [coded] = TERMINOLOGY.find(TERMINOLOGY.uri(system), code)

    assert TERMINOLOGY.drug_ingredients(coded.concept.name) == (what,)


B12_IN_A_NAME = re.compile(r"b ?-?12\b|cobalamin|cobamamide", re.IGNORECASE)


def test_every_folate_product_whose_name_lists_b12_holds_b12() -> None:
    overlooked = [
        row
        for row in ROWS
        if row.file.startswith("drugs/") and "fol" in row.file and B12_IN_A_NAME.search(row.display)
        if not any("cobalamin" in each for name in _names(row.system, row.code) for each in _ingredients(name))
    ]

    assert overlooked == []


def _ingredients(concept: str) -> tuple[str, ...]:
    return TERMINOLOGY.drug_ingredients(concept)


@pytest.mark.parametrize(
    ("file", "never"),
    [
        ("folic_acid", r"folin|leucovorin|methyl|levomefol|b ?12|cobalamin"),
        ("folinic_acid", r"folic|methyl|levomefol"),
        ("levomefolate", r"folin|leucovorin"),
        ("hydroxocobalamin", r"cyanokit|cyanocobalamin|me(?:thyl)?cobalamin|\b5 ?g\b|\b5000 ?mg\b"),
        ("cyanocobalamin", r"hydrox|me(?:thyl)?cobalamin|5[78]-?co|co ?-?5[78]|neo-?cytamen"),
        ("mecobalamin", r"cyano|hydrox"),
        ("metformin", r"insulin"),
        ("methotrexate", r"folic"),
    ],
)
def test_no_display_contradicts_its_file(file: str, never: str) -> None:
    displays = [row.display for row in ROWS if row.file == f"drugs/{file}.csv"]

    assert displays
    assert [each for each in displays if re.search(never, each, re.IGNORECASE)] == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("2132-9", "b12_total_serum"),
        ("14685-2", "b12_total_serum"),
        ("72160-5", "holotranscobalamin"),
        ("72157-1", "b12_other_not_total"),  # apo-, not holo-transcobalamin
        ("1888-7", "b12_other_not_total"),  # aquacobalamin
        ("2171-7", "b12_other_not_total"),  # unsaturated binding capacity
        ("13964-2", "mma_serum"),
        ("13965-9", "homocysteine"),
        ("2284-8", "folate_serum"),
        ("2283-0", "folate_rbc"),
        ("31444-3", "intrinsic_factor_antibody"),
    ],
)
def test_a_laboratory_code_is_the_test_it_says(code: str, what: str) -> None:
    assert _names("LOINC", code) == {what}


@pytest.mark.parametrize(
    ("system", "code", "why"),
    [
        ("LOINC", "16695-9", "circulates as molar B12"),
        ("LOINC", "2974-0", "circulates as molar folate"),
        ("LOINC", "5140-4", "circulates as intrinsic factor antibody"),
        ("LOINC", "25428-4", "circulates as homocysteine, is urine glucose"),
        ("LOINC", "15152-2", "circulates as red cell folate, is conjugated bilirubin"),
        ("LOINC", "2278-0", "circulates as red cell folate, not confirmed"),
        ("LOINC", "25116-5", "known from memory only"),
        ("RXNORM", "197805", "circulates as folic acid, is ibuprofen"),
        ("RXNORM", "314422", "circulates as folic acid, not found"),
        ("RXNORM", "310274", "circulates as pantoprazole, is famotidine"),
        ("RXNORM", "11249", "circulates as vitamin B12"),
        ("HCPCS", "J3425", "known from memory only"),
        ("CPT", "96372", "any injection"),
        ("ATC", "M01CX01", "not in ATC"),
    ],
)
def test_a_code_that_was_not_verified_is_not_known(system: str, code: str, why: str) -> None:
    assert TERMINOLOGY.find(TERMINOLOGY.uri(system), code) == ()


@pytest.mark.parametrize("code", ["277794009", "78333006", "1217007002"])
def test_a_site_that_was_not_verified_is_not_known(code: str) -> None:
    assert TERMINOLOGY.site(TERMINOLOGY.uri("SNOMED"), code) is None


@pytest.mark.parametrize(
    ("system", "code"),
    [
        *[("EDQM", code) for code in ("20066000", "20045000", "20067000", "20049000")],
        *[("NCIT", code) for code in ("C28161", "C38299", "C38276", "C38284", "C38300")],
    ],
)
def test_a_route_that_was_not_verified_is_not_known(system: str, code: str) -> None:
    assert TERMINOLOGY.route(TERMINOLOGY.uri(system), code) is None


@pytest.mark.parametrize("times", ["Q2L", "Q1L"])
def test_a_lunar_month_is_not_taken_for_a_month(times: str) -> None:
    assert TERMINOLOGY.timing(TERMINOLOGY.uri("HL7-V2-0335"), times) is None


@pytest.mark.parametrize(
    ("system", "code", "concept"),
    [
        ("ICD10CM", "E53.8", "b12_deficiency_nonanemic_or_unspecified"),
        ("ICD10", "E53.8", "b12_deficiency_nonanemic_or_unspecified"),
        ("ICD10CM", "E53.8", "folate_deficiency"),
        ("ICD10", "E53.8", "folate_deficiency"),
        ("ICD10CM", "H47.22", "leber_hereditary_optic_neuropathy"),
        ("ICD10", "H47.2", "leber_hereditary_optic_neuropathy"),
        ("ICD10CM", "Z90.3", "gastrectomy_status"),
        ("ICD10", "Z90.3", "gastrectomy_status"),
        ("ICD10CM", "K91.1", "gastrectomy_status"),
        ("ICD10CM", "Z90.49", "ileal_resection_status"),
        ("ICD10", "Z90.4", "ileal_resection_status"),
        ("ICD10CM", "K29.40", "atrophic_autoimmune_gastritis"),
        ("ICD10CM", "K31.A0", "atrophic_autoimmune_gastritis"),
        ("SNOMED", "84568007", "atrophic_autoimmune_gastritis"),
        ("SNOMED", "196733008", "atrophic_autoimmune_gastritis"),
        ("SNOMED", "150721000119102", "atrophic_autoimmune_gastritis"),
        ("ICD10CM", "T41.0X1A", "nitrous_oxide_exposure"),
        ("ICD10CM", "T45.2X5A", "cobalamin_cobalt_allergy"),
        ("ICD10CM", "Z88.8", "cobalamin_cobalt_allergy"),
        ("ICD10CM", "L23.0", "cobalamin_cobalt_allergy"),
        ("ICD10CM", "G63", "b12_neurological"),
        ("ICD10CM", "G99.2", "b12_neurological"),
        ("SNOMED", "193188009", "b12_neurological"),
        ("SNOMED", "42393006", "inborn_error_cobalamin"),  # methylmalonic acidaemia, mostly of the mutase
        ("SNOMED", "11282001", "inborn_error_cobalamin"),  # homocystinuria, for which folic acid is a treatment
        ("ICD10CM", "E72.12", "inborn_error_cobalamin"),  # of folate, not of cobalamin
        ("ICD10", "E72.1", "inborn_error_cobalamin"),
    ],
)
def test_a_code_that_says_other_things_too_is_marked(system: str, code: str, concept: str) -> None:
    assert _concept(concept, system, code).specific is False


@pytest.mark.parametrize(
    ("system", "code", "concept"),
    [
        ("ICD10CM", "D51.9", "b12_deficiency_anemia"),
        ("ICD10CM", "D51.0", "pernicious_anemia"),
        ("SNOMED", "190634004", "b12_deficiency_nonanemic_or_unspecified"),
        ("SNOMED", "58610003", "leber_hereditary_optic_neuropathy"),
        ("ICD10CM", "G32.0", "subacute_combined_degeneration"),
        ("SNOMED", "699258007", "b12_neurological"),
        ("SNOMED", "74653006", "inborn_error_cobalamin"),
    ],
)
def test_a_code_that_says_one_thing_is_not_marked(system: str, code: str, concept: str) -> None:
    assert _concept(concept, system, code).specific is True


@pytest.mark.parametrize(
    ("system", "code", "meaning"),
    [
        ("ICD10CM", "D51.0", "pernicious"),
        ("ICD10CM", "D51.3", "dietary"),
        ("ICD10CM", "D51.9", "unspecified"),
        ("ICD10", "D51.9", "unspecified"),
        ("SNOMED", "735452003", "inborn"),
        ("ICD10CM", "D51.1", "inborn"),  # with proteinuria: Imerslund-Gräsbeck
        ("ICD10", "D51.2", "inborn"),
        ("SNOMED", "73891003", "nitrous_oxide"),
    ],
)
def test_an_anaemia_code_says_which_cause(system: str, code: str, meaning: str) -> None:
    assert _concept("b12_deficiency_anemia", system, code).meaning == meaning


@pytest.mark.parametrize("code", ["T41.0X6", "T41.0X6A", "T41.0X6D", "T41.0X6S"])
def test_an_underdosing_of_anaesthetics_is_no_exposure_to_nitrous_oxide(code: str) -> None:
    assert _names("ICD10CM", code) == set()


def test_leber_neuroretinitis_is_not_the_hereditary_optic_neuropathy() -> None:
    assert _names("SNOMED", "866099002") == {"leber_not"}


def test_a_gastrojejunostomy_for_any_reason_is_not_taken_for_a_gastric_bypass_for_weight() -> None:
    assert _concept("bariatric", "SNOMED", "49245001").meaning == "unspecified"
    assert _concept("bariatric", "SNOMED", "30803004").meaning == "bypass"  # the high gastric bypass of Mason


def test_a_vitamin_b_compound_counts_as_no_b12() -> None:
    assert TERMINOLOGY.drug_ingredients("uk_vitamin_b_complex_b12_unknown") == ()
    assert _names("SNOMED", "37902011000001105") == {"uk_vitamin_b_complex_b12_unknown"}


def test_a_stopped_course_of_injections_is_told_from_a_given_one() -> None:
    assert _concept("b12_injection", "SNOMED", "170826002").meaning == "stopped"
    assert _concept("b12_injection", "SNOMED", "308752009").meaning == "injection"


@pytest.mark.parametrize(
    ("system", "code", "site"),
    [
        ("SNOMED", "46862004", ("buttock", None)),
        ("SNOMED", "723979003", ("buttock", "left")),
        ("SNOMED", "206007", ("buttock", None)),
        ("HL7-V2-0163", "BU", ("buttock", None)),
        ("HL7-V2-0550", "BUTT", ("buttock", None)),
        ("HL7-V2-0163", "LG", ("gluteal_unspecified", "left")),
        ("HL7-V3-ACTSITE", "RG", ("gluteal_unspecified", "right")),
        ("HL7-V2-0163", "LVG", ("ventrogluteal", "left")),
        ("HL7-V3-ACTSITE", "RVG", ("ventrogluteal", "right")),
        ("HL7-V2-0163", "LV", ("vastus_lateralis", "left")),
        ("HL7-V2-0163", "LVL", ("vastus_lateralis", "left")),
    ],
)
def test_a_site_code_is_the_site_it_says(system: str, code: str, site: tuple[str, str | None]) -> None:
    assert TERMINOLOGY.site(TERMINOLOGY.uri(system), code) == site


@pytest.mark.parametrize(
    ("system", "code", "route"),
    [
        ("SNOMED", "34206005", "subcutaneous"),  # official test data display it as oral
        ("SNOMED", "78421000", "intramuscular"),
        ("SNOMED", "418114005", "intravenous"),
        ("HL7-V2-0162", "SC", "subcutaneous"),
        ("HL7-V3-ROUTE", "SQ", "subcutaneous"),
        ("HL7-V3-ROUTE", "IM", "intramuscular"),
    ],
)
def test_a_route_code_is_the_route_it_says(system: str, code: str, route: str) -> None:
    assert TERMINOLOGY.route(TERMINOLOGY.uri(system), code) == route


@pytest.mark.parametrize(
    ("system", "code", "meaning"),
    [
        ("HL7-V3-GTS", "TID", "3/1d"),  # a day, not a week
        ("HL7-V3-GTS", "QOD", "1/2d"),
        ("HL7-V3-GTS", "WK", "1/1wk"),
        ("HL7-V3-GTS", "MO", "1/1mo"),
        ("HL7-V2-0335", "PRN", "as needed"),
        ("HL7-V2-0335", "Once", "once"),
    ],
)
def test_a_timing_code_says_how_often(system: str, code: str, meaning: str) -> None:
    assert TERMINOLOGY.timing(TERMINOLOGY.uri(system), code) == meaning


@pytest.mark.parametrize("address", ["http://snomed.info/sct", "https://dmd.nhs.uk"])
def test_a_british_product_is_known_under_both_addresses(address: str) -> None:
    [coded] = TERMINOLOGY.find(address, "2858311000001109")

    assert coded.concept.name == "hydroxocobalamin"


def test_a_code_under_another_system_is_not_known() -> None:
    assert TERMINOLOGY.find(TERMINOLOGY.uri("LOINC"), "11248") == ()


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        ("Hydroxocobalamin 1mg/1ml solution for injection ampoules", {"hydroxocobalamin"}),
        ("hydroxycobalamin", {"hydroxocobalamin"}),
        ("Neo-Cytamen 1000", {"hydroxocobalamin"}),
        ("Cobalin-H", {"hydroxocobalamin"}),
        ("vitamin B12a", {"hydroxocobalamin"}),
        ("Cytamen 1000", {"cyanocobalamin"}),
        ("Cyanocobalamin 1000 mcg/mL", {"cyanocobalamin"}),
        ("Methylcobalamin 5 mg", {"mecobalamin"}),
        ("adenosylcobalamin", {"cobamamide"}),
        ("Vitamin B12 1000 mcg injection", {"b12_form_unknown"}),
        ("vit. B-12", {"b12_form_unknown"}),
        ("B12 shot", {"b12_form_unknown"}),
        ("Cobalamin", {"b12_form_unknown"}),
        ("Folic acid 5 mg tablets", {"folic_acid"}),
        ("folate 400 mcg", {"folic_acid"}),
        ("Folinic acid 15 mg", {"folinic_acid"}),
        ("Calcium folinate 15mg tablets", {"folinic_acid"}),
        ("Leucovorin 25 MG", {"folinic_acid"}),
        ("levoleucovorin", {"folinic_acid"}),
        ("L-methylfolate 15 mg", {"levomefolate"}),
        ("L-methyl folic acid 7.5 mg", {"levomefolate"}),
        ("5-MTHF", {"levomefolate"}),
        ("Cyanokit 5 g", {"hydroxocobalamin_antidote_exclude"}),
        ("Hydroxocobalamin 5 g powder for infusion", {"hydroxocobalamin_antidote_exclude"}),
        ("Hydroxocobalamin 2.5g powder for infusion", {"hydroxocobalamin_antidote_exclude"}),
        ("Hydroxocobalamin 5000 mg Injection", {"hydroxocobalamin_antidote_exclude"}),
        ("Cyanocobalamin Co57", {"exclude_radiolabelled_b12"}),
        ("Cyanocobalamin [57-Co]", {"exclude_radiolabelled_b12"}),
        ("cyanocobalamin (57Co) capsules", {"exclude_radiolabelled_b12"}),
        ("Cyanocobalamin (58-Co) (substance)", {"exclude_radiolabelled_b12"}),
        ("Folic acid 5 mg / Vitamin B12 1 mg", {"folic_acid", "b12_form_unknown"}),
        ("omeprazole 20 mg", {"ppi"}),
    ],
)
def test_a_drug_is_recognised_by_its_words(text: str, concepts: set[str]) -> None:
    assert set(TERMINOLOGY.drugs_in_text(text)) == concepts


@pytest.mark.parametrize(
    "text",
    [
        "folic acid antagonist",
        "radiolabelled cyanocobalamin",
        "vitamin B compound strong",
        "vitamin B1 100 mg",
        "vitamin B13",
        "transcobalamin",
        "cobalt",
        "aripiprazole 5 mg",
        "itraconazole",
        "drospirenone / levomefolate",
        "",
    ],
)
def test_a_drug_that_only_sounds_alike_is_not_recognised(text: str) -> None:
    assert TERMINOLOGY.drugs_in_text(text) == ()


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Pernicious anaemia", "pernicious_anemia"),
        ("Addisonian anemia", "pernicious_anemia"),
        ("autoimmune metaplastic atrophic gastritis", "atrophic_autoimmune_gastritis"),
        ("Vitamin B12 deficiency", "b12_deficiency_nonanemic_or_unspecified"),
        ("low B12", "b12_deficiency_nonanemic_or_unspecified"),
        ("Anaemia due to B12 deficiency", "b12_deficiency_anemia"),
        ("Peripheral neuropathy due to B12 deficiency", "b12_neurological"),
        ("Subacute combined degeneration of spinal cord", "subacute_combined_degeneration"),
        ("Paraesthesia of hands", "paresthesia"),
        ("paresthesias", "paresthesia"),
        ("ataxic gait", "ataxia_gait"),
        ("Leber's optic atrophy", "leber_hereditary_optic_neuropathy"),
        ("Leber’s hereditary optic neuropathy", "leber_hereditary_optic_neuropathy"),
        ("History of LHON", "leber_hereditary_optic_neuropathy"),
        ("Hereditary optic atrophy", "hereditary_optic_atrophy"),
        ("Leber's disease", "hereditary_optic_atrophy"),
        ("Tobacco-alcohol amblyopia", "toxic_amblyopia"),
        ("on haemodialysis", "dialysis"),
        ("Acute kidney injury", "acute_kidney_injury"),
        ("Crohn's disease of terminal ileum", "crohn_ileal"),
        ("Crohn's colitis", "crohn_any"),
        ("Allergic to hydroxocobalamin", "cobalamin_cobalt_allergy"),
        ("History of allergy to vitamin B12", "cobalamin_cobalt_allergy"),
        ("Cobalt allergy", "cobalamin_cobalt_allergy"),
        ("Allergic contact dermatitis due to cobalt", "cobalamin_cobalt_allergy"),
        ("Anaphylaxis after B12 injection", "cobalamin_anaphylaxis"),
        ("Hydroxocobalamin anaphylaxis", "cobalamin_anaphylaxis"),
        ("Urticaria after cyanocobalamin", "cobalamin_urticaria"),
        ("strict vegan", "vegan_diet"),
        ("Vegan diet", "vegan_diet"),
        ("Follows a vegan diet", "vegan_diet"),
        ("Strict vegetarian", "vegan_diet"),
        ("Total gastrectomy", "gastrectomy_status"),
        ("History of total gastrectomy", "gastrectomy_status"),
        ("Previous gastric bypass", "bariatric_status"),
        ("History of resection of terminal ileum", "ileal_resection_status"),
        ("coeliac disease", "celiac"),
        ("celiac disease", "celiac"),
        ("hypokalaemia", "hypokalemia"),
        ("hypokalemia", "hypokalemia"),
        ("transcobalamin II deficiency", "inborn_error_cobalamin"),
        ("alcoholic liver disease", "alcohol_use_disorder"),
    ],
)
def test_a_condition_is_recognised_by_its_words(text: str, concept: str) -> None:
    assert concept in TERMINOLOGY.conditions_in_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "no evidence of B12 deficiency",
        "denies numbness",
        "Family history of pernicious anaemia",
        "Family history of gastrectomy",
        "suspected pernicious anaemia",
        "?B12 deficiency",
        "? pernicious anaemia",
        "pernicious anaemia?",
        "possible B12 deficiency",
        "pernicious anaemia ruled out",
        "pernicious anaemia excluded",
        "at risk of B12 deficiency",
        "screening for B12 deficiency",
        "history of B12 deficiency",
        "previous B12 deficiency",
        "Planned gastrectomy",
        "atrophic gastritis",
        "Addison's disease",
        "Friedreich ataxia",
        "ataxia telangiectasia",
        "Leber congenital amaurosis",
        "LHON mutation negative",
        "Family history of LHON",
        "strabismic amblyopia",
        "not pregnant",
        "pregnancy test",
        "No known allergy to B12",
        "Not allergic to hydroxocobalamin",
        "Hydroxocobalamin allergy ruled out",
        "Family history of allergy to B12",
        "Tolerates B12 despite cobalt allergy",
        "Penicillin allergy - on B12 injections",
        "not a vegan",
        "no longer vegan",
        "ex-vegan",
        "Non vegan",
        "mostly vegan",
        "partner is vegan",
        "lacto-ovo vegetarian",
        "non-vegan diet",
        "sickle cell trait",
        "gestational diabetes",
        "non-alcoholic fatty liver disease",
        "normal B12",
    ],
)
def test_a_condition_that_the_words_deny_or_doubt_is_not_recognised(text: str) -> None:
    assert TERMINOLOGY.conditions_in_text(text) == ()


def test_a_mangled_apostrophe_is_not_read_as_doubt() -> None:
    assert "crohn_any" in TERMINOLOGY.conditions_in_text("Crohn?s disease")


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Serum vitamin B12", "b12_total_serum"),
        ("B12 level", "b12_total_serum"),
        ("Serum cobalamin", "b12_total_serum"),
        ("Active B12", "holotranscobalamin"),
        ("Holotranscobalamin", "holotranscobalamin"),
        ("Methylmalonic acid", "mma_serum"),
        ("Hb", "hemoglobin"),
        ("Haemoglobin", "hemoglobin"),
        ("MCV", "mcv"),
        ("Platelet count", "platelets"),
        ("Potassium", "potassium"),
        ("Intrinsic factor antibodies", "intrinsic_factor_antibody"),
        ("INR", "inr"),
    ],
)
def test_a_test_is_recognised_by_its_words(text: str, concept: str) -> None:
    assert TERMINOLOGY.labs_in_text(text) == (concept,)


@pytest.mark.parametrize(
    "text",
    [
        "Vitamin B12 and folate",  # a panel: its result is not the level
        "Vitamin B12 binding capacity",
        "Urine vitamin B12",
        "Vitamin B12 intake",
        "Urine methylmalonic acid",
        "Methylmalonic acid/creatinine ratio",
        "Transcobalamin",
        "Haemoglobin A1c",
        "Mean corpuscular haemoglobin",
        "MCHC",
        "Mean platelet volume",
        "Urine potassium",
        "Urine homocysteine",
    ],
)
def test_a_test_that_only_sounds_alike_is_not_recognised(text: str) -> None:
    assert TERMINOLOGY.labs_in_text(text) == ()


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("left buttock", ("buttock", "left")),
        ("Dorso-gluteal, right", ("buttock", "right")),
        ("bum", ("buttock", None)),
        ("gluteus maximus", ("buttock", None)),
        ("upper outer quadrant of the right buttock", ("upper_outer_quadrant", "right")),
        ("UOQ", ("upper_outer_quadrant", None)),
        ("lower inner quadrant of buttock", ("other_quadrant", None)),
        ("glute", ("gluteal_unspecified", None)),
        ("gluteus medius", ("gluteal_unspecified", None)),
        ("Left ventrogluteal", ("ventrogluteal", "left")),
        ("ventragluteal", ("ventrogluteal", None)),
        ("hip", ("hip", None)),
        ("deltoid, not buttock", ("deltoid", None)),
        ("avoid the buttock, use the left thigh", ("thigh", "left")),
        ("Rt deltoid", ("deltoid", "right")),
        ("L glut max", ("buttock", "left")),
        ("R glute", ("gluteal_unspecified", "right")),
        ("L glut", ("gluteal_unspecified", "left")),
        ("glut med (R)", ("gluteal_unspecified", "right")),
        ("UOQ buttock", ("upper_outer_quadrant", None)),
        ("L UOQ", ("upper_outer_quadrant", "left")),
        ("outer upper quadrant of the R buttock", ("upper_outer_quadrant", "right")),
        ("upper/outer quad R buttock", ("upper_outer_quadrant", "right")),
        ("ventrogluteal", ("ventrogluteal", None)),
        ("dorsogluteal", ("buttock", None)),
        ("dorsogluteal, not ventrogluteal", ("buttock", None)),
        ("ventrogluteal, never dorsogluteal", ("ventrogluteal", None)),
        ("not in the buttock; R delt", ("deltoid", "right")),
        ("avoid left buttock, use right buttock", ("buttock", "right")),
        ("buttock to be avoided, left thigh", ("thigh", "left")),
        ("avoid gluteal sites, right deltoid", ("deltoid", "right")),
        ("left or right deltoid", ("deltoid", None)),
        ("gluteal, right", ("gluteal_unspecified", "right")),
        ("1 mg IM into deltoid L", ("deltoid", "left")),
    ],
)
def test_a_site_is_recognised_by_its_words(text: str, site: tuple[str, str | None]) -> None:
    assert TERMINOLOGY.site_in_text(text) == site


@pytest.mark.parametrize(
    "text",
    [
        "avoid buttock",
        "not in the buttock",
        "never the buttocks",
        "avoid gluteal",
        "avoid gluteus maximus",
        "buttock contraindicated",
        "gluteal site not suitable",
        "album",
        "gluten",
        "",
    ],
)
def test_a_site_that_the_words_avoid_or_do_not_name_is_not_recognised(text: str) -> None:
    assert TERMINOLOGY.site_in_text(text) is None


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("1 mg i.m. every 3 months", "intramuscular"),
        ("deep intramuscular injection", "intramuscular"),
        ("s.c.", "subcutaneous"),
        ("by mouth", "oral"),
        ("one tablet p.o. daily", "oral"),
        ("under the tongue", "sublingual"),
        ("intranasal spray", "nasal"),
        ("slow IV", "intravenous"),
        ("subcutaneously, not IM", "subcutaneous"),
        ("1 mg SC (not IM)", "subcutaneous"),
        ("avoid IM", None),
        ("do not give IM", None),
        ("Do not give IM, give deep subcutaneous", "subcutaneous"),
        ("not for intramuscular use; subcut", "subcutaneous"),
        ("avoid IM/IV: subcut", "subcutaneous"),
        ("not IM or IV", None),
        ("IM contraindicated, s.c. only", "subcutaneous"),
        ("IM injections to be avoided", None),
        ("IM not SC", "intramuscular"),
        ("IM. Not for IV use", "intramuscular"),
        ("do not give orally; deep IM", "intramuscular"),
        ("does not absorb orally, give IM", "intramuscular"),
        ("not absorbed so IM every 3 months", "intramuscular"),
        ("IM rather than by mouth", "intramuscular"),
        ("by mouth rather than IM", "oral"),
        ("do not miss: IM every 8 weeks", "intramuscular"),
        ("times", None),
        ("temporal", None),
        ("", None),
    ],
)
def test_a_route_is_recognised_by_its_words(text: str, route: str | None) -> None:
    assert TERMINOLOGY.route_in_text(text) == route


# --- what the lookup offers --------------------------------------------------------------------------------------


def test_codes_of_a_concept_come_in_the_order_of_its_file() -> None:
    assert TERMINOLOGY.codes_of("b12_total_serum", "LOINC") == ("2132-9", "14685-2")
    assert TERMINOLOGY.codes_of("b12_total_serum", "ATC") == ()


def test_every_drug_file_has_a_title_and_ingredients() -> None:
    titles = [TERMINOLOGY.title(name) for name in DRUG_FILES]

    assert len(set(titles)) == len(DRUG_FILES)
    # Whether these hold B12 is not known: they count for nothing.
    assert [name for name in DRUG_FILES if not _ingredients(name)] == ["uk_vitamin_b_complex_b12_unknown"]


def test_a_cobalamin_of_unknown_form_is_called_vitamin_b12() -> None:
    assert TERMINOLOGY.title("cobalamin") == "vitamin B12"


# --- a value set that cannot be used -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("RXNORM,29421,mecobalamin,,yes,", "line 2: a cell is missing, or the evidence"),
        ("RXNORM,29421,mecobalamin,yes,a page", "line 2: a cell is missing, or the evidence"),
        ("RXNORM,29421,mecobalamin,,maybe,a page", "line 2: specific is yes or no"),
        ("RXNOM,29421,mecobalamin,,yes,a page", "line 2: unknown code system RXNOM"),
        ("RXNORM,29421,a,,yes,a page\nRXNORM,29421,b,,yes,a page", "line 3: 29421 stands here twice"),
    ],
)
def test_a_faulty_line_is_refused_naming_file_and_line(tmp_path: Path, line: str, complaint: str) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "value_sets")
    file = folder / "drugs" / "mecobalamin.csv"
    file.write_text(f"system,code,display,meaning,specific,evidence\n{line}\n", encoding="utf-8")

    with pytest.raises(ValueSetError) as refused:
        Terminology(folder)

    assert str(refused.value) == f"{file}, {complaint}"


def test_other_columns_are_refused_naming_the_file(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "value_sets")
    file = folder / "sites.csv"
    file.write_text("system,code,display,evidence\n", encoding="utf-8")

    with pytest.raises(ValueSetError, match=re.escape(f"{file}, line 1: the columns are system, code, display, site")):
        Terminology(folder)


def test_a_file_without_a_concept_is_refused_naming_it(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "value_sets")
    file = folder / "labs" / "ferritin.csv"
    file.write_text("system,code,display,meaning,specific,evidence\n", encoding="utf-8")

    with pytest.raises(ValueSetError, match=re.escape(f"{file}: no concept of this name in concepts.yaml")):
        Terminology(folder)


@pytest.mark.parametrize(
    ("text", "is_test"),
    [
        ("Serum vitamin B12", True),
        ("B12, folate and ferritin", True),
        ("B12", True),
        ("Repeat B12 level", True),
        ("B12 blood test, nurse clinic", True),
        ("Serum methylmalonic acid", True),
        ("B12 injection", False),
        ("Blood test and B12 injection", False),
        ("Vitamin B12 replacement", False),
        ("Refer for B12 treatment", False),
        ("B12 clinic", False),
    ],
)
def test_a_request_by_its_words_is_a_test_or_a_treatment(text: str, is_test: bool) -> None:
    assert is_test_in_text(text) is is_test
