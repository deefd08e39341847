"""B12 status: the bands of both profiles at their edges, and what a result proves."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from cards.library import load
from cards.record import (
    ClinicalStatus,
    Comparator,
    Course,
    CourseStatus,
    Dispensed,
    Dose,
    Flag,
    Instruction,
    LabResult,
    Medicine,
    Patient,
    PatientRecord,
    Problem,
    Procedure,
    Route,
    When,
)
from cards.rule import PROFILES, Limits, Profile
from cards.status import (
    Band,
    age,
    anchor,
    b12_status,
    band,
    documented_deficiency,
    hinted_deficiency,
    irreversible_cause,
    irreversible_causes,
    is_above,
    is_below,
    younger_than,
)
from cards.terminology import Concept
from cards.units import to_canonical

TODAY = date(2026, 11, 23)
LIMITS: dict[Profile, Limits] = {profile: load().rules(profile)[0].limits for profile in PROFILES}
UK = LIMITS["uk"]
HYDROXOCOBALAMIN = Medicine(("hydroxocobalamin",), form_route=Route.INJECTION)


def _lab(
    value: str,
    concept: str = "b12_total_serum",
    day: date = TODAY,
    flag: Flag | None = None,
    comparator: Comparator | None = None,
) -> LabResult:
    return LabResult(concept, When.on(day), Decimal(value), comparator, flag)


def _problem(
    name: str,
    meaning: str | None = None,
    *,
    specific: bool = True,
    status: ClinicalStatus | None = ClinicalStatus.ACTIVE,
    certain: bool = True,
    began: date | None = None,
) -> Problem:
    concept = Concept("condition", name, meaning, specific)
    return Problem((concept,), status, certain, began=When.on(began) if began else None)


# --- bands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("concept", "value", "says"),
    [
        ("b12_total_serum", "179", Band.DEFICIENT),
        ("b12_total_serum", "179.9", Band.DEFICIENT),
        ("b12_total_serum", "180", Band.INDETERMINATE),
        ("b12_total_serum", "350", Band.INDETERMINATE),
        ("b12_total_serum", "350.1", Band.REPLETE),
        ("holotranscobalamin", "24.9", Band.DEFICIENT),
        ("holotranscobalamin", "25", Band.INDETERMINATE),
        ("holotranscobalamin", "70", Band.INDETERMINATE),
        ("holotranscobalamin", "71", Band.REPLETE),
    ],
)
def test_a_result_falls_into_the_band_of_its_assay(profile: Profile, concept: str, value: str, says: Band) -> None:
    assert band(_lab(value, concept), LIMITS[profile]) is says


@pytest.mark.parametrize(
    ("pmol", "says"), [("132", Band.DEFICIENT), ("133", Band.INDETERMINATE), ("259", Band.REPLETE)]
)
def test_a_molar_result_falls_into_the_same_band(pmol: str, says: Band) -> None:
    value = to_canonical("b12_total_serum", Decimal(pmol), "pmol/L")

    assert band(_lab(str(value)), UK) is says


@pytest.mark.parametrize(
    ("value", "flag", "says"),
    [
        ("190", Flag.LOW, Band.DEFICIENT),
        ("400", Flag.LOW, Band.DEFICIENT),
        ("150", Flag.NORMAL, Band.INDETERMINATE),
        ("350", Flag.NORMAL, Band.INDETERMINATE),
        ("351", Flag.NORMAL, Band.REPLETE),
        ("2000", Flag.HIGH, Band.REPLETE),
    ],
)
def test_the_laboratory_decides_deficient_or_not_and_the_bands_decide_the_rest(
    value: str, flag: Flag, says: Band
) -> None:
    assert band(_lab(value, flag=flag), UK) is says


@pytest.mark.parametrize(
    ("comparator", "value", "says"),
    [
        (Comparator.BELOW, "50", Band.DEFICIENT),
        (Comparator.BELOW, "180", Band.DEFICIENT),
        (Comparator.BELOW, "181", None),  # 180 to 180.9 would not be deficient
        (Comparator.BELOW, "400", None),
        (Comparator.ABOVE, "2000", Band.REPLETE),
        (Comparator.ABOVE, "350", Band.REPLETE),
        (Comparator.ABOVE, "300", None),
        (Comparator.ABOVE, "100", None),
    ],
)
def test_a_bound_is_judged_only_when_it_settles_the_question(
    comparator: Comparator, value: str, says: Band | None
) -> None:
    assert band(_lab(value, comparator=comparator), UK) is says


@pytest.mark.parametrize(
    ("comparator", "value", "below", "above"),
    [
        (None, "99", True, False),
        (None, "100", False, False),
        (None, "101", False, True),
        (Comparator.BELOW, "100", True, False),
        (Comparator.BELOW, "101", None, None),
        (Comparator.ABOVE, "100", False, True),
        (Comparator.ABOVE, "99", None, None),
    ],
)
def test_a_value_lies_below_or_above_a_limit_or_it_cannot_be_told(
    comparator: Comparator | None, value: str, below: bool | None, above: bool | None
) -> None:
    result = _lab(value, comparator=comparator)

    assert is_below(result, Decimal(100)) is below
    assert is_above(result, Decimal(100)) is above


def test_a_result_without_a_number_says_nothing_unless_it_is_flagged_low() -> None:
    assert band(LabResult("b12_total_serum", When.on(TODAY)), UK) is None
    assert band(LabResult("b12_total_serum", When.on(TODAY), flag=Flag.NORMAL), UK) is None
    assert band(LabResult("b12_total_serum", When.on(TODAY), flag=Flag.LOW), UK) is Band.DEFICIENT


# --- status ------------------------------------------------------------------------------------------------------


def test_the_newest_result_counts() -> None:
    record = PatientRecord(labs=(_lab("96", day=date(2024, 1, 1)), _lab("400", day=date(2026, 1, 1))))

    status = b12_status(record, UK)

    assert status
    assert status.band is Band.REPLETE


@pytest.mark.parametrize("order", [("96", "40"), ("40", "96")])
def test_of_two_results_of_one_day_the_more_worrying_one_counts(order: tuple[str, str]) -> None:
    values = {"96": _lab("96"), "40": _lab("40", "holotranscobalamin")}
    record = PatientRecord(labs=tuple(values[each] for each in order))

    status = b12_status(record, UK)

    assert status
    assert status.result.concept == "b12_total_serum"


def test_a_result_that_cannot_be_judged_gives_way_to_an_older_one() -> None:
    unclear = _lab("300", comparator=Comparator.ABOVE)
    record = PatientRecord(labs=(unclear, _lab("96", day=date(2026, 1, 1))))

    status = b12_status(record, UK)

    assert status
    assert status.band is Band.DEFICIENT


def _treated(how: str, day: date) -> PatientRecord:
    given = When.on(day)
    oral = Medicine(("cyanocobalamin",), form_route=Route.ORAL)
    return {
        "an injection": PatientRecord(doses=(Dose(HYDROXOCOBALAMIN, given, route=Route.INTRAMUSCULAR),)),
        "a supply": PatientRecord(dispensed=(Dispensed(oral, given),)),
        "an order that is still active": PatientRecord(
            courses=(Course("", HYDROXOCOBALAMIN, CourseStatus.ACTIVE, (Instruction(),), authored=given),)
        ),
        "an order that was stopped since": PatientRecord(
            courses=(
                Course("", HYDROXOCOBALAMIN, CourseStatus.STOPPED, (Instruction(),), When.on(date(2020, 1, 1)), day),
            )
        ),
        "what the patient says to take": PatientRecord(
            courses=(Course("", oral, CourseStatus.ACTIVE, (Instruction(),), authored=given, stated=True),)
        ),
    }[how]


TREATMENTS = (
    "an injection",
    "a supply",
    "an order that is still active",
    "an order that was stopped since",
    "what the patient says to take",
)


@pytest.mark.parametrize("how", TREATMENTS)
def test_a_normal_result_on_treatment_proves_nothing(how: str) -> None:
    treated = _treated(how, date(2026, 8, 1))
    record = PatientRecord(
        labs=(_lab("500", day=date(2026, 11, 20)),),
        doses=treated.doses,
        dispensed=treated.dispensed,
        courses=treated.courses,
    )

    assert b12_status(record, UK) is None


@pytest.mark.parametrize("how", TREATMENTS)
def test_a_deficient_result_counts_on_treatment_too(how: str) -> None:
    treated = _treated(how, date(2026, 8, 1))
    record = PatientRecord(
        labs=(_lab("96", day=date(2026, 11, 20)),),
        doses=treated.doses,
        dispensed=treated.dispensed,
        courses=treated.courses,
    )

    status = b12_status(record, UK)

    assert status
    assert status.band is Band.DEFICIENT


@pytest.mark.parametrize("how", ["an injection", "a supply", "an order that was stopped since"])
def test_a_normal_result_more_than_four_months_after_treatment_counts(how: str) -> None:
    treated = _treated(how, date(2026, 7, 19))
    record = PatientRecord(
        labs=(_lab("500", day=date(2026, 11, 20)),),
        doses=treated.doses,
        dispensed=treated.dispensed,
        courses=treated.courses,
    )

    status = b12_status(record, UK)

    assert status
    assert status.band is Band.REPLETE


def test_folic_acid_is_no_b12_treatment() -> None:
    folate = Course("", Medicine(("folic_acid",)), CourseStatus.ACTIVE, (Instruction(),), When.on(date(2026, 8, 1)))
    record = PatientRecord(labs=(_lab("500", day=date(2026, 11, 20)),), courses=(folate,))

    assert b12_status(record, UK)


# --- documented deficiency and irreversible causes ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "documented", "hinted"),
    [
        (_problem("b12_deficiency_anemia"), True, False),
        (_problem("b12_deficiency_anemia", status=None), True, False),
        (_problem("b12_deficiency_anemia", status=ClinicalStatus.RELAPSE), True, False),
        (_problem("pernicious_anemia"), True, False),
        (_problem("subacute_combined_degeneration"), True, False),
        (_problem("b12_deficiency_anemia", status=ClinicalStatus.RESOLVED), False, True),
        (_problem("b12_deficiency_anemia", certain=False), False, True),
        (_problem("b12_deficiency_nonanemic_or_unspecified", specific=False), False, True),
        (_problem("b12_deficiency_nonanemic_or_unspecified", "intake"), False, False),
        (_problem("b12_deficiency_history_or_monitoring"), False, True),
        (_problem("folate_deficiency"), False, False),
        (_problem("megaloblastic_anemia"), False, False),
    ],
)
def test_a_problem_documents_deficiency_or_only_hints_at_it(problem: Problem, documented: bool, hinted: bool) -> None:
    record = PatientRecord(problems=(problem,))

    assert (documented_deficiency(record, UK, TODAY) is not None) is documented
    assert hinted_deficiency(record) is hinted


@pytest.mark.parametrize(
    ("name", "meaning", "cause"),
    [
        ("pernicious_anemia", None, "pernicious anaemia"),
        ("b12_deficiency_anemia", "pernicious", "pernicious anaemia"),
        ("b12_deficiency_anemia", "inborn", "inborn error of cobalamin metabolism"),
        ("b12_deficiency_anemia", "dietary", None),
        ("b12_deficiency_anemia", "unspecified", None),
        ("atrophic_autoimmune_gastritis", None, "autoimmune gastritis"),
        ("inborn_error_cobalamin", None, "inborn error of cobalamin metabolism"),
        ("gastrectomy_status", "total", "total gastrectomy"),
        ("gastrectomy_status", "unspecified", None),
        ("ileal_resection_status", "unknown_length", None),
        ("bariatric_status", "bypass", "gastric bypass"),
        ("bariatric_status", "sleeve", None),
        ("bariatric_status", "band", None),
        ("celiac", None, None),
        ("crohn_ileal", None, None),
        ("short_bowel_sibo_malabsorption", None, None),
        ("vegan_diet", "strict", None),
        ("nitrous_oxide_exposure", None, None),
        ("pregnancy", None, None),
    ],
)
def test_a_condition_is_an_irreversible_cause_or_it_is_not(name: str, meaning: str | None, cause: str | None) -> None:
    found = irreversible_causes(PatientRecord(problems=(_problem(name, meaning),)), UK)

    assert [each.name for each in found] == ([cause] if cause else [])


@pytest.mark.parametrize(
    ("meaning", "length", "cause"),
    [
        ("complete", None, "complete ileal resection"),
        ("partial", "21", "ileal resection"),
        ("partial", "20", None),
        ("partial", None, None),
        ("hemicolectomy", "30", None),
        ("bypass", "30", None),
    ],
)
def test_an_ileal_resection_is_irreversible_when_it_is_complete_or_long(
    meaning: str, length: str | None, cause: str | None
) -> None:
    concept = Concept("procedure", "ileal_resection", meaning)
    done = Procedure((concept,), When.on(date(2020, 1, 1)), length_cm=Decimal(length) if length else None)

    found = irreversible_cause(PatientRecord(procedures=(done,)), UK)

    assert (found.name if found else None) == cause


def test_an_irreversible_cause_stays_when_its_entry_is_resolved() -> None:
    cured = _problem("pernicious_anemia", status=ClinicalStatus.RESOLVED)

    assert irreversible_cause(PatientRecord(problems=(cured,)), UK)


@pytest.mark.parametrize(
    "spoiled", [_problem("pernicious_anemia", certain=False), _problem("pernicious_anemia", specific=False)]
)
def test_an_uncertain_or_unspecific_entry_is_never_an_irreversible_cause(spoiled: Problem) -> None:
    assert irreversible_cause(PatientRecord(problems=(spoiled,)), UK) is None


def test_the_cause_that_needs_injections_is_named_before_the_others() -> None:
    record = PatientRecord(problems=(_problem("bariatric_status", "bypass"), _problem("gastrectomy_status", "total")))

    cause = irreversible_cause(record, UK)

    assert cause
    assert cause.name == "total gastrectomy"
    assert cause.needs_injection


# --- anchor and age ----------------------------------------------------------------------------------------------


def test_the_deficiency_began_with_the_first_deficient_result_else_the_first_record_else_today() -> None:
    labs = (_lab("96", day=date(2023, 5, 1)), _lab("90", day=date(2022, 5, 1)), _lab("300", day=date(2020, 5, 1)))
    problems = (_problem("pernicious_anemia", began=date(2021, 5, 1)),)

    assert anchor(PatientRecord(labs=labs, problems=problems), UK, TODAY) == date(2022, 5, 1)
    assert anchor(PatientRecord(problems=problems), UK, TODAY) == date(2021, 5, 1)
    assert anchor(PatientRecord(), UK, TODAY) == TODAY


@pytest.mark.parametrize(
    ("born", "years"),
    [
        (When.on(date(2010, 11, 23)), 16),
        (When.on(date(2010, 11, 24)), 15),
        (When.on(date(2010, 11, 22)), 16),
        (When(date(2010, 1, 1), date(2010, 12, 31)), 16),  # only the year is known
        (None, None),
    ],
)
def test_age_is_in_completed_years(born: When | None, years: int | None) -> None:
    assert age(PatientRecord(patient=Patient(born)), TODAY) == years


def test_an_unknown_age_counts_as_adult() -> None:
    assert not younger_than(PatientRecord(), TODAY, 16)
    assert younger_than(PatientRecord(patient=Patient(When.on(date(2010, 11, 24)))), TODAY, 16)
    assert not younger_than(PatientRecord(patient=Patient(When.on(date(2010, 11, 23)))), TODAY, 16)
