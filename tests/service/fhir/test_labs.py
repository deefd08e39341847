"""Laboratory results in canonical units, or the reason why one cannot be read."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cards.record import Comparator, Flag, LabResult, Source, Supplied, When
from tests.service.fhir.reading import LOINC, SNOMED, UCUM, Json, bundle, coded, read, record

CODES = {
    "b12_total_serum": "2132-9",
    "holotranscobalamin": "72160-5",
    "mma_serum": "13964-2",
    "homocysteine": "13965-9",
    "hemoglobin": "718-7",
    "mcv": "787-2",
    "platelets": "777-3",
    "wbc": "6690-2",
    "potassium": "2823-3",
    "egfr": "33914-3",
    "creatinine": "2160-0",
    "intrinsic_factor_antibody": "31444-3",
    "parietal_cell_antibody": "14241-4",
}
B12 = coded(LOINC, CODES["b12_total_serum"])


def observation(**members: Any) -> Json:
    started = {"resourceType": "Observation", "status": "final", "code": B12, "effectiveDateTime": "2026-11-01"}
    return {**started, **members}


def of(concept: str, **members: Any) -> Json:
    return observation(code=coded(LOINC, CODES[concept]), **members)


def quantity(value: object, unit: str | None, **more: str) -> Json:
    return {"valueQuantity": {"value": value, "unit": unit, **more}}


def the(resource: Json) -> LabResult:
    (found,) = read(Source.LABS, resource).labs
    return found


def refused(resource: Json) -> list[tuple[str | None, str]]:
    """Why nothing was read."""
    found = read(Source.LABS, resource)
    assert found.labs == ()
    return [(each.concept, each.reason) for each in found.state(Source.LABS).unreadable]


@pytest.mark.parametrize(
    ("concept", "value", "unit", "canonical"),
    [
        ("b12_total_serum", 150, "ng/L", "150"),
        ("b12_total_serum", 150, "pg/mL", "150"),
        ("b12_total_serum", 100, "pmol/L", "135.5"),
        ("b12_total_serum", 0.15, "ng/mL", "150"),
        ("b12_total_serum", 0.15, "µg/L", "150"),
        ("b12_total_serum", 0.15, "mcg/L", "150"),
        ("holotranscobalamin", 35, "pmol/L", "35"),
        ("mma_serum", 0.4, "umol/L", "0.4"),
        ("mma_serum", 0.4, "μmol/L", "0.4"),
        ("mma_serum", 400, "nmol/L", "0.4"),
        ("mma_serum", 0.4, "nmol/mL", "0.4"),
        ("mma_serum", 1320, "ug/L", "11.186"),
        ("mma_serum", 1320, "mcg/L", "11.186"),
        ("homocysteine", 15, "umol/L", "15"),
        ("homocysteine", 15, "µmol/L", "15"),
        ("homocysteine", 2, "mg/L", "14.8"),
        ("hemoglobin", 80, "g/L", "80"),
        ("hemoglobin", 8, "g/dL", "80"),
        ("mcv", 104, "fL", "104"),
        ("mcv", 104, "um3", "104"),
        ("potassium", 3.4, "mmol/L", "3.4"),
        ("potassium", 3.4, "meq/L", "3.4"),
        ("platelets", 150, "10*9/L", "150"),
        ("platelets", 150, "10*3/uL", "150"),
        ("platelets", 150000, "/uL", "150"),
        ("wbc", 4.5, "10^9/L", "4.5"),
        ("egfr", 45, "mL/min/{1.73_m2}", "45"),
        ("egfr", 45, "mL/min/1.73m2", "45"),
        ("creatinine", 100, "umol/L", "100"),
        ("creatinine", 2, "mg/dL", "176.8"),
    ],
)
def test_a_result_is_converted_to_the_canonical_unit_of_its_concept(
    concept: str, value: float, unit: str, canonical: str
) -> None:
    found = the(of(concept, **quantity(value, unit)))
    assert found.value is not None
    assert (found.concept, round(found.value, 3)) == (concept, Decimal(canonical))


@pytest.mark.parametrize("unit", ["pg / ml", "PG/ML", "pg/mL", "ng/litre", "ng/liter"])
def test_spelling_and_spaces_of_a_unit_do_not_matter(unit: str) -> None:
    assert the(observation(**quantity(150, unit))).value == 150


@pytest.mark.parametrize(
    ("members", "reported"),
    [
        (quantity(150, "PG/ML"), "150 pg/mL"),
        (quantity(150, "ng/litre"), "150 ng/L"),
        (quantity(110.0, "pmol/l"), "110 pmol/L"),
        (quantity(0.15, "µg/L"), "0.15 ug/L"),
        (quantity(50, "ng/L", comparator="<"), "<50 ng/L"),
    ],
)
def test_a_result_is_reported_in_the_unit_it_came_in_plainly_spelled(members: Json, reported: str) -> None:
    assert the(observation(**members)).reported == reported


@pytest.mark.parametrize(
    ("concept", "members", "reason"),
    [
        ("b12_total_serum", quantity(150, "mg/dL"), "unknown-unit"),
        ("b12_total_serum", quantity(150, "IU/L"), "unknown-unit"),
        ("b12_total_serum", quantity(150, "nmol/L"), "unknown-unit"),
        ("holotranscobalamin", quantity(35, "ng/L"), "unknown-unit"),
        ("hemoglobin", quantity(8, "mmol/L"), "unknown-unit"),
        ("b12_total_serum", quantity(150, None), "unit-missing"),
        ("b12_total_serum", quantity(150, ""), "unit-missing"),
        ("b12_total_serum", {"valueString": "150"}, "unit-missing"),
        ("b12_total_serum", {"valueInteger": 150}, "unit-missing"),
        ("b12_total_serum", {"valueString": "1,500 ng/L"}, "unreadable"),
        ("b12_total_serum", {"valueString": "150-200 ng/L"}, "unreadable"),
        ("b12_total_serum", quantity(-5, "ng/L"), "implausible-value"),
        ("b12_total_serum", quantity(0, "ng/L"), "implausible-value"),
        ("b12_total_serum", quantity(150, "ng/mL"), "implausible-value"),
        ("hemoglobin", quantity(120, "g/dL"), "implausible-value"),
        ("potassium", quantity(34, "mmol/L"), "implausible-value"),
        ("b12_total_serum", quantity(1e300, "ng/L"), "implausible-value"),
        ("b12_total_serum", quantity(1e300, "ng/L", comparator=">"), "implausible-value"),
        ("b12_total_serum", quantity("9" * 400, "ng/L"), "implausible-value"),
        ("b12_total_serum", {"valueString": f"> {'9' * 400} ng/L"}, "implausible-value"),
    ],
)
def test_a_result_that_would_need_guessing_is_not_read_and_says_why(concept: str, members: Json, reason: str) -> None:
    assert refused(of(concept, **members)) == [(concept, reason)]


def test_a_unit_whose_code_and_words_differ_is_no_unit() -> None:
    assert refused(observation(**quantity(100, "ng/L", code="pmol/L", system=UCUM))) == [
        ("b12_total_serum", "contradiction")
    ]
    assert the(observation(**quantity(100, "pg/mL", code="ng/L", system=UCUM))).value == 100


@pytest.mark.parametrize(
    ("members", "value", "comparator"),
    [
        (quantity("<150", "ng/L"), 150, Comparator.BELOW),
        (quantity(" > 1500 ", "ng/L"), 1500, Comparator.ABOVE),
        (quantity("≤150", "ng/L"), 150, Comparator.BELOW),
        (quantity("less than 150 ng/L", None), 150, Comparator.BELOW),
        (quantity("150 ng/L", None), 150, None),
        (quantity("96,5", "ng/L"), Decimal("96.5"), None),
        ({"valueString": "96,5 ng/L"}, Decimal("96.5"), None),
        ({"valueString": "under 150 ng/L"}, 150, Comparator.BELOW),
        ({"valueCodeableConcept": {"text": "<150 ng/L"}}, 150, Comparator.BELOW),
    ],
)
def test_a_bound_or_a_decimal_comma_inside_the_value_is_read(
    members: Json, value: Decimal, comparator: Comparator | None
) -> None:
    found = the(observation(**members))
    assert (found.value, found.comparator) == (value, comparator)


@pytest.mark.parametrize(
    "members",
    [
        quantity("abc", "ng/L"), quantity(True, "ng/L"), quantity([], "ng/L"), quantity("150-200", "ng/L"),
        {"valueString": "wasp"}, {"valueString": "+++"}, {"valueRange": {"low": {"value": 1}}}, {"valueBoolean": True},
        {"valueRatio": {"numerator": {"value": 1}}}, {"valueDateTime": "2026-11-01"}, {"valueQuantity": "a few"},
        {"valueCodeableConcept": {"coding": [{"code": "x"}]}}, {"valueQuantity": [{"value": 1}, {"value": 2}]},
        quantity(150, "ng/L", comparator="~"), quantity(150, "ng/L", comparator="ad"),
        quantity("<150", "ng/L", comparator="~"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_is_named_with_its_day(members: Json) -> None:
    assert refused(observation(**members)) == [("b12_total_serum", "unreadable")]


def test_a_value_that_is_a_bound_on_both_sides_is_none() -> None:
    assert refused(observation(**quantity("<150", "ng/L", comparator=">"))) == [("b12_total_serum", "contradiction")]


def test_a_unit_coded_in_another_system_is_read_by_its_words() -> None:
    assert the(observation(**quantity(150, "ng/L", code="258806002", system=SNOMED))).value == 150


@pytest.mark.parametrize(
    ("members", "value", "comparator"),
    [
        (quantity(50, "ng/L", comparator="<"), 50, Comparator.BELOW),
        (quantity(50, "ng/L", comparator="<="), 50, Comparator.BELOW),
        (quantity(2000, "ng/L", comparator=">"), 2000, Comparator.ABOVE),
        (quantity(2000, "ng/L", comparator=">="), 2000, Comparator.ABOVE),
        (quantity(50, "ng/L", comparator="=<"), 50, Comparator.BELOW),
        (quantity(2000, "ng/L", comparator="GT"), 2000, Comparator.ABOVE),
        (quantity(150, "ng/L", comparator="="), 150, None),
        (quantity(20000, "ng/L", comparator=">"), 20000, Comparator.ABOVE),
        ({"valueString": "<50 ng/L"}, 50, Comparator.BELOW),
        ({"valueString": "less than 50 ng/L"}, 50, Comparator.BELOW),
        ({"valueString": "> 2000ng/L"}, 2000, Comparator.ABOVE),
        ({"valueString": " 150 pg/mL "}, 150, None),
        (quantity("150", "ng/L"), 150, None),
    ],
)
def test_a_result_outside_the_limits_of_the_assay_keeps_its_comparator(
    members: Json, value: int, comparator: Comparator | None
) -> None:
    found = the(observation(**members))
    assert (found.value, found.comparator) == (Decimal(value), comparator)


@pytest.mark.parametrize(
    "members",
    [
        {"dataAbsentReason": coded("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown")},
        {"valueString": "haemolysed, please repeat"},
        {"valueQuantity": {"unit": "ng/L"}},
        {"valueString": "Specimen insufficient"},
        {"valueString": "Not reported"},
        {"valueString": "To follow"},
        {"valueCodeableConcept": {"text": "Sample clotted"}},
        {},
    ],
)
def test_an_observation_without_a_value_is_no_result(members: Json) -> None:
    assert refused(observation(**members)) == []


@pytest.mark.parametrize("status", ["final", "amended", "corrected", None])
def test_a_valid_result_counts(status: str | None) -> None:
    assert the(observation(status=status, **quantity(150, "ng/L"))).value == 150


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "registered", "preliminary"])
def test_a_result_that_is_not_valid_is_left_out(status: str) -> None:
    assert refused(observation(status=status, **quantity(150, "ng/L"))) == []


@pytest.mark.parametrize("status", ["unknown", "verified", "F"])
def test_of_a_result_in_a_state_that_nobody_knows_it_is_said_that_it_was_not_read(status: str) -> None:
    assert refused(observation(status=status, **quantity(150, "ng/L"))) == [("b12_total_serum", "unknown-status")]


@pytest.mark.parametrize(
    ("interpretation", "flag"),
    [
        ([coded("x", "L")], Flag.LOW),
        ([coded("x", "LL")], Flag.LOW),
        ([coded("x", "N")], Flag.NORMAL),
        ([coded("x", "H")], Flag.HIGH),
        ([coded("x", "HH")], Flag.HIGH),
        ([coded("x", "A")], None),
        ([coded("x", "A"), coded("x", "L")], Flag.LOW),
        ([{"text": "Low"}], Flag.LOW),
        (coded("http://hl7.org/fhir/v2/0078", "L"), Flag.LOW),
    ],
)
def test_the_flag_of_the_laboratory_is_read(interpretation: object, flag: Flag | None) -> None:
    assert the(observation(**quantity(150, "ng/L"), interpretation=interpretation)).flag is flag


def normal(low: float | None, high: float | None, unit: str | None = "ng/L") -> Json:
    ends = {"low": low, "high": high}
    return {name: {"value": each, "unit": unit} for name, each in ends.items() if each is not None}


TARGET = {"type": coded("http://terminology.hl7.org/CodeSystem/referencerange-meaning", "treatment")}
HEALTHY = {"type": coded("http://terminology.hl7.org/CodeSystem/referencerange-meaning", "normal")}


@pytest.mark.parametrize(
    ("value", "ranges", "flag"),
    [
        (179, [normal(180, 900)], Flag.LOW),
        (180, [normal(180, 900)], Flag.NORMAL),
        (900, [normal(180, 900)], Flag.NORMAL),
        (901, [normal(180, 900)], Flag.HIGH),
        (179, normal(180, 900), Flag.LOW),
        (179, [normal(180, 900, None)], Flag.LOW),
        (500, [normal(None, 900)], None),
        (150, [normal(133, 600, "pmol/L")], None),
        (179, [{"text": "180-900"}], None),
        (179, [{**normal(300, 900), **TARGET}, {**normal(150, 900), **HEALTHY}], Flag.NORMAL),
        (179, [{**normal(180, 900), **TARGET}], None),
    ],
)
def test_a_value_is_flagged_by_its_normal_range_in_the_same_unit(value: int, ranges: object, flag: Flag | None) -> None:
    assert the(observation(**quantity(value, "ng/L"), referenceRange=ranges)).flag is flag


@pytest.mark.parametrize(
    ("value", "comparator", "flag"),
    [(50, "<", Flag.LOW), (180, "<", Flag.LOW), (200, "<", None), (2000, ">", Flag.HIGH), (350, ">", None)],
)
def test_a_bound_is_flagged_only_when_the_range_decides_it(value: int, comparator: str, flag: Flag | None) -> None:
    members = quantity(value, "ng/L", comparator=comparator)
    assert the(observation(**members, referenceRange=[normal(180, 900)])).flag is flag


def test_the_flag_of_the_laboratory_outranks_the_range() -> None:
    members = quantity(200, "ng/L")
    found = the(observation(**members, interpretation=[coded("x", "L")], referenceRange=[normal(180, 900)]))
    assert found.flag is Flag.LOW


@pytest.mark.parametrize(
    ("code", "concept"),
    [
        (coded(LOINC, "14685-2"), "b12_total_serum"),
        (coded("urn:oid:2.16.840.1.113883.6.1", "2132-9"), "b12_total_serum"),
        (coded(SNOMED, "271216009"), "b12_total_serum"),
        ({"coding": {"system": LOINC, "code": "2132-9"}}, "b12_total_serum"),
        ({"coding": [{"system": LOINC, "code": "0-0"}, {"system": SNOMED, "code": "271216009"}]}, "b12_total_serum"),
        ({"text": "Serum vitamin B12"}, "b12_total_serum"),
        (coded("urn:local", "B12", display="Vitamin B12"), "b12_total_serum"),
    ],
)
def test_a_test_is_known_by_code_else_by_words(code: Json, concept: str) -> None:
    assert the(observation(code=code, **quantity(150, "ng/L"))).concept == concept


@pytest.mark.parametrize(
    "code",
    [
        {**coded(LOINC, "2171-7"), "text": "Vitamin B12 binding capacity"},
        {**coded(LOINC, "0-0"), "text": "Vitamin B12"},
        {"text": "Unsaturated vitamin B12 binding capacity"},
        {"text": "Vitamin B12 and folate"},
        {"text": "Urine vitamin B12"},
        {"text": "Ferritin"},
        {},
    ],
)
def test_another_test_is_not_taken_for_serum_b12(code: Json) -> None:
    assert refused(observation(code=code, **quantity(150, "ng/L"))) == []


def test_active_b12_in_words_is_not_total_b12() -> None:
    assert the(observation(code={"text": "Active B12"}, **quantity(35, "pmol/L"))).concept == "holotranscobalamin"


@pytest.mark.parametrize(
    ("members", "positive"),
    [
        ({"valueString": "Positive"}, True),
        ({"valueString": "weakly positive"}, True),
        ({"valueString": "Not detected"}, False),
        ({"valueString": "non-reactive"}, False),
        ({"valueCodeableConcept": {"text": "Negative"}}, False),
        ({"valueCodeableConcept": {"coding": [{"display": "Detected"}]}}, True),
        ({"valueBoolean": True}, True),
        ({"valueBoolean": False}, False),
        ({"interpretation": [coded("x", "POS")]}, True),
        ({"interpretation": [coded("x", "NEG")]}, False),
    ],
)
@pytest.mark.parametrize("concept", ["intrinsic_factor_antibody", "parietal_cell_antibody"])
def test_an_antibody_is_positive_or_negative(concept: str, members: Json, positive: bool) -> None:
    assert the(of(concept, **members)).positive is positive


@pytest.mark.parametrize("said", ["equivocal", "see report", ""])
def test_an_antibody_that_is_neither_is_no_result(said: str) -> None:
    assert refused(of("intrinsic_factor_antibody", valueString=said)) == []


DAY = When.on(date(2026, 11, 1))
DATED: dict[str, tuple[Json, When]] = {
    "day": ({"effectiveDateTime": "2026-11-01"}, DAY),
    "time in summer, in London": ({"effectiveDateTime": "2026-06-30T23:30:00Z"}, When.on(date(2026, 7, 1))),
    "time with an offset": ({"effectiveDateTime": "2026-11-01T23:30:00+05:00"}, DAY),
    "instant": ({"effectiveInstant": "2026-11-01T08:00:00.123456789Z"}, DAY),
    "end of a period": ({"effectivePeriod": {"start": "2026-10-30", "end": "2026-11-01"}}, DAY),
    "start of a period": ({"effectivePeriod": {"start": "2026-11-01"}}, DAY),
    "issued": ({"issued": "2026-11-01T12:00:00Z"}, DAY),
    "month": ({"effectiveDateTime": "2026-10"}, When(date(2026, 10, 1), date(2026, 10, 31))),
    "this month": ({"effectiveDateTime": "2026-11"}, When(date(2026, 11, 1), date(2026, 11, 23))),
    "year": ({"effectiveDateTime": "2025"}, When(date(2025, 1, 1), date(2025, 12, 31))),
}


@pytest.mark.parametrize(("members", "when"), DATED.values(), ids=DATED)
def test_the_day_of_a_result_is_read_as_precisely_as_it_is_known(members: Json, when: When) -> None:
    dated = {"effectiveDateTime": None, **members}
    assert the(observation(**dated, **quantity(150, "ng/L"))).when == when


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (None, "no-date"),
        ("2026-11-25", "future-date"),
        ("2027", "future-date"),
        ("2026-02-30", "impossible-date"),
        ("yesterday", "impossible-date"),
        (20261101, "impossible-date"),
    ],
)
@pytest.mark.parametrize(
    ("concept", "members"),
    [("b12_total_serum", quantity(150, "ng/L")), ("intrinsic_factor_antibody", {"valueString": "positive"})],
)
def test_a_result_without_a_possible_day_is_not_read(concept: str, members: Json, said: object, reason: str) -> None:
    assert refused(of(concept, effectiveDateTime=said, **members)) == [(concept, reason)]


def test_the_components_of_a_panel_are_results_of_its_day() -> None:
    parts = [
        {"code": coded(LOINC, CODES["hemoglobin"]), **quantity(80, "g/L")},
        {"code": coded(LOINC, CODES["mcv"]), **quantity(104, "fL")},
        {"code": {"text": "Basophils"}, **quantity(0.1, "10*9/L")},
        "not a component",
    ]
    panel = observation(code=coded(LOINC, "58410-2"), component=parts)
    found = read(Source.LABS, panel).labs
    assert [(each.concept, each.value, each.when) for each in found] == [
        ("hemoglobin", Decimal(80), DAY),
        ("mcv", Decimal(104), DAY),
    ]


def test_the_members_of_a_panel_are_read_as_the_observations_they_are() -> None:
    panel = observation(code=coded(LOINC, "58410-2"), hasMember=[{"reference": "Observation/1"}])
    member = of("hemoglobin", id="1", **quantity(80, "g/L"))
    assert [each.concept for each in read(Source.LABS, panel, member).labs] == ["hemoglobin"]


def test_the_components_of_an_invalid_panel_are_left_out() -> None:
    part = {"code": coded(LOINC, CODES["hemoglobin"]), **quantity(80, "g/L")}
    assert refused(observation(code={"text": "Full blood count"}, status="entered-in-error", component=[part])) == []


def test_only_the_wanted_results_are_read() -> None:
    both = bundle(of("hemoglobin", **quantity(80, "g/L")), of("mcv", **quantity(104, "furlongs")))
    found = record({Source.LABS: both}, labs={"hemoglobin"})
    assert [each.concept for each in found.labs] == ["hemoglobin"]
    assert found.state(Source.LABS).unreadable == ()


def test_an_unreadable_result_leaves_the_others() -> None:
    found = read(Source.LABS, observation(**quantity(150, "parsecs")), observation(**quantity(160, "ng/L")), 7)
    assert [each.value for each in found.labs] == [160]
    state = found.state(Source.LABS)
    assert (state.supplied, [each.reason for each in state.unreadable]) == (
        Supplied.SUPPLIED,
        ["unknown-unit", "unreadable"],
    )
