"""Small releases made up for the tests, in the formats of RxNorm and dm+d: no line of a real release is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

# Ingredients that the value sets know; all other codes are invented.
FOLIC_ACID, VITAMIN_B12, HYDROXOCOBALAMIN, METFORMIN = "4511", "11248", "5514", "6809"
FOLIC_TABLET, FOLIC_COMPONENT, IRON, BRAND, PACK = "90000001", "90000002", "90000003", "90000004", "90000005"
IRON_AND_FOLIC, COMBINATION, ANTIDOTE, ASPIRIN, ASPIRIN_TABLET = (
    "90000006",
    "90000007",
    "90000008",
    "90000009",
    "90000010",
)
CONCEPTS = [
    (FOLIC_ACID, "IN", "folic acid"),
    (VITAMIN_B12, "IN", "vitamin B12"),
    (HYDROXOCOBALAMIN, "IN", "hydroxocobalamin"),
    (FOLIC_COMPONENT, "SCDC", "folic acid 7 MG"),
    (FOLIC_TABLET, "SCD", "folic acid 7 MG Oral Tablet"),
    (FOLIC_TABLET, "SY", "another name of it"),
    (BRAND, "SBD", "folic acid 7 MG Oral Tablet [Inventol]"),
    (PACK, "GPCK", "{7 (folic acid 7 MG Oral Tablet) } Pack"),
    (IRON, "IN", "an invented iron"),
    (IRON_AND_FOLIC, "SCD", "folic acid 0.7 MG / an invented iron 70 MG Oral Tablet"),
    (COMBINATION, "SCD", "folic acid 7 MG / vitamin B12 0.7 MG Oral Tablet"),
    (ANTIDOTE, "SCD", "hydroxocobalamin 5000 MG Injection"),
    (ASPIRIN, "IN", "an invented salicylate"),
    (ASPIRIN_TABLET, "SCD", "an invented salicylate 300 MG Oral Tablet"),
]
# The whole, its relation, the part.
RELATIONS = [
    (FOLIC_COMPONENT, "has_ingredient", FOLIC_ACID),
    (FOLIC_TABLET, "consists_of", FOLIC_COMPONENT),
    (BRAND, "tradename_of", FOLIC_TABLET),
    (PACK, "contains", FOLIC_TABLET),
    (IRON_AND_FOLIC, "has_ingredient", FOLIC_ACID),
    (IRON_AND_FOLIC, "has_ingredient", IRON),
    (COMBINATION, "has_ingredient", FOLIC_ACID),
    (COMBINATION, "has_ingredient", VITAMIN_B12),
    (ANTIDOTE, "has_ingredient", HYDROXOCOBALAMIN),
    (ASPIRIN_TABLET, "has_ingredient", ASPIRIN),
]


def conso_line(code: str, kind: str, name: str, source: str = "RXNORM") -> str:
    """A line of RXNCONSO.RRF: 18 columns, each ended by a separator."""
    columns = [code, "ENG", *[""] * 5, f"9{code}", *[""] * 3, source, kind, code, name, "", "N", ""]
    return "|".join(columns) + "|"


def rel_line(whole: str, relation: str, part: str, source: str = "RXNORM") -> str:
    """A line of RXNREL.RRF: the second concept, the whole, stands in the relation to the first."""
    columns = [part, "", "CUI", "RO", whole, "", "CUI", relation, "", "", source, source, "", "", "N", ""]
    return "|".join(columns) + "|"


def rxnorm(
    folder: Path,
    concepts: Iterable[tuple[str, str, str]] = CONCEPTS,
    relations: Iterable[tuple[str, str, str]] = RELATIONS,
) -> tuple[Path, Path]:
    """The two files of a release."""
    conso, rel = folder / "RXNCONSO.RRF", folder / "RXNREL.RRF"
    conso.write_text("".join(conso_line(*each) + "\n" for each in concepts), encoding="utf-8")
    rel.write_text("".join(rel_line(*each) + "\n" for each in relations), encoding="utf-8")
    return conso, rel


# Substances that the value sets know.
FOLIC_SUBSTANCE, HYDROXOCOBALAMIN_SUBSTANCE = "63718003", "409258004"
VMP, OLD_VMP, AMP, VMPP, AMPP = "91000000001", "91000000002", "91000000003", "91000000004", "91000000005"
IRON_VMP, IRON_AMP = "91000000006", "91000000007"
DMD: Mapping[str, tuple[str, str]] = {
    "f_ingredient2": (
        "INGREDIENT_SUBSTANCES",
        f"<ING><ISID>91000000010</ISID><ISIDPREV>{FOLIC_SUBSTANCE}</ISIDPREV><NM>Folic acid</NM></ING>"
        "<ING><ISID>91000000011</ISID><NM>An invented iron</NM></ING>",
    ),
    "f_vtm2": ("VIRTUAL_THERAPEUTIC_MOIETIES", "<VTM><VTMID>91000000012</VTMID><NM>Folic acid</NM></VTM>"),
    "f_vmp2": (
        "VIRTUAL_MED_PRODUCTS",
        f"""<VMPS>
<VMP><VPID>{VMP}</VPID><VPIDPREV>{OLD_VMP}</VPIDPREV><VTMID>91000000012</VTMID><NM>Folic acid 7mg tablets</NM></VMP>
<VMP><VPID>{IRON_VMP}</VPID><NM>Invented iron 70mg / Folic acid 700microgram tablets</NM></VMP>
<VMP><VPID>91000000020</VPID><NM>An invented salicylate 300mg &amp; fizz tablets</NM></VMP>
</VMPS>
<VIRTUAL_PRODUCT_INGREDIENT>
<VPI><VPID>{VMP}</VPID><ISID>91000000010</ISID><STRNT_NMRTR_VAL>7.0</STRNT_NMRTR_VAL></VPI>
<VPI><VPID>{IRON_VMP}</VPID><ISID>91000000010</ISID></VPI>
<VPI><VPID>{IRON_VMP}</VPID><ISID>91000000011</ISID></VPI>
</VIRTUAL_PRODUCT_INGREDIENT>""",
    ),
    "f_amp2": (
        "ACTUAL_MEDICINAL_PRODUCTS",
        f"<AMPS><AMP><APID>{AMP}</APID><VPID>{VMP}</VPID><NM>Inventol tablets</NM>"
        "<DESC>Inventol tablets (Invented Ltd)</DESC></AMP>"
        f"<AMP><APID>{IRON_AMP}</APID><VPID>{IRON_VMP}</VPID><NM>Ferroventol tablets</NM></AMP></AMPS>",
    ),
    "f_vmpp2": (
        "VIRTUAL_MED_PRODUCT_PACK",
        f"<VMPPS><VMPP><VPPID>{VMPP}</VPPID><NM>Folic acid 7mg tablets 28 tablet</NM><VPID>{VMP}</VPID></VMPP></VMPPS>",
    ),
    "f_ampp2": (
        "ACTUAL_MEDICINAL_PROD_PACKS",
        f"<AMPPS><AMPP><APPID>{AMPP}</APPID><NM>Inventol tablets (Invented Ltd) 28 tablet</NM>"
        f"<VPPID>{VMPP}</VPPID><APID>{AMP}</APID></AMPP></AMPPS>",
    ),
}


def dmd(folder: Path, **changes: str | None) -> Path:
    """An unpacked release; files by their prefix may be given other content, or None to leave them out."""
    folder.mkdir(exist_ok=True)
    for prefix, (root, content) in DMD.items():
        given = changes.get(prefix, f'<?xml version="1.0" encoding="utf-8"?>\n<{root}>\n{content}\n</{root}>\n')
        if given is not None:
            (folder / f"{prefix}_3991126.xml").write_text(given, encoding="utf-8")
    return folder
