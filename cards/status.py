"""B12 status, documented deficiency, irreversible cause and suppressions: the definitions all rules share.

Clinical rules, section 5.0 and decisions 9 and 13.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from cards.calendar import months_after, months_before
from cards.dosing import (
    CURRENT,
    as_course,
    b12_daily,
    begins,
    cobalamin,
    ends_on,
    is_parenteral,
    is_supplement,
    is_supplement_dose,
)
from cards.record import (
    Comparator,
    Course,
    CourseStatus,
    Dispensed,
    Flag,
    LabResult,
    Medicine,
    PatientRecord,
    Planned,
    Problem,
    Procedure,
    Source,
    When,
    once_per_record,
)
from cards.rule import Limits
from cards.terminology import Concept

TOTAL_B12 = "b12_total_serum"
ACTIVE_B12 = "holotranscobalamin"
MMA = "mma_serum"
B12_RESULTS = (TOTAL_B12, ACTIVE_B12)
_INTRINSIC_FACTOR_ANTIBODY = "intrinsic_factor_antibody"
_DEFICIENCY = frozenset({"b12_deficiency_anemia", "b12_deficiency_nonanemic_or_unspecified", "pernicious_anemia"})
_NAMES_DEFICIENCY = frozenset({*_DEFICIENCY, "subacute_combined_degeneration", "b12_neurological"})
_HIGH_IS_WORSE = frozenset({MMA, "homocysteine", "inr", "mcv", "creatinine"})


class Band(StrEnum):
    """What a B12 result says (rules, section 7)."""

    DEFICIENT = "deficient"
    INDETERMINATE = "indeterminate"
    REPLETE = "replete"


class B12Status(NamedTuple):
    """The newest result that may be relied on, and its band."""

    band: Band
    result: LabResult


def is_below(result: LabResult, threshold: Decimal) -> bool | None:
    """Whether a value lies under `threshold`; None when a bound such as `<200` does not settle it."""
    if result.value is None:
        return None
    if result.comparator is Comparator.BELOW:
        return True if result.value <= threshold else None
    if result.comparator is Comparator.ABOVE:
        return False if result.value >= threshold else None
    return result.value < threshold


def is_above(result: LabResult, threshold: Decimal) -> bool | None:
    """Whether a value lies over `threshold`; None when a bound such as `>200` does not settle it."""
    if result.value is None:
        return None
    if result.comparator is Comparator.ABOVE:
        return True if result.value >= threshold else None
    if result.comparator is Comparator.BELOW:
        return False if result.value <= threshold else None
    return result.value > threshold


def band(result: LabResult, limits: Limits) -> Band | None:
    """The band of a B12 result; None when it cannot be told.

    The laboratory's own judgement decides deficient or not; the profile's bands decide the rest (rules, section 7).
    """
    if result.flag is Flag.LOW:
        return Band.DEFICIENT
    name = "active_b12" if result.concept == ACTIVE_B12 else "b12"
    if result.flag is None:
        deficient = is_below(result, limits[f"{name}_deficient_below"])
        if deficient is not False:
            return Band.DEFICIENT if deficient else None
    over = is_above(result, limits[f"{name}_replete_above"])
    if over is None:
        return None
    return Band.REPLETE if over else Band.INDETERMINATE


@once_per_record
def b12_status(record: PatientRecord, limits: Limits) -> B12Status | None:
    """The status by the newest valid result.

    A deficient result counts whenever it was taken; an indeterminate or replete one only when no cobalamin covered
    the four months before the sample.
    """
    judged = [
        B12Status(found, result)
        for result in record.labs
        if result.concept in B12_RESULTS and (found := band(result, limits))
    ]
    # Of two results of one day the more worrying one counts.
    judged.sort(
        key=lambda each: (
            -each.result.when.latest.toordinal(),
            list(Band).index(each.band),
            each.result.concept,
            -_worry(each.result),
        )
    )
    return next(
        (
            each
            for each in judged
            if each.band is Band.DEFICIENT or not treated_before(record, each.result.when.latest, limits)
        ),
        None,
    )


def recently_replete(record: PatientRecord, limits: Limits, today: date, *, symptoms: bool) -> bool:
    """Whether a recent result off treatment was normal ("recent normal" of rules 5.0); with `symptoms` a newer one."""
    status = b12_status(record, limits)
    months = limits.whole("recent_normal_months_symptoms" if symptoms else "recent_normal_months")
    return (
        status is not None and status.band is Band.REPLETE and status.result.when.latest >= months_before(today, months)
    )


def b12_tested_since(record: PatientRecord, limits: Limits, day: date) -> bool:
    """Whether a valid B12 result exists from `day` on."""
    status = b12_status(record, limits)
    return status is not None and status.result.when.latest >= day


# A request of longer ago without a result is not done any more (service setting).
_REQUEST_LASTS_MONTHS = 3


def is_forgotten(request: Planned, today: date) -> bool:
    """Whether the day of a request lies so long back that it will not be done any more."""
    day = request.days or request.authored
    return day is not None and day.latest < months_before(today, _REQUEST_LASTS_MONTHS)


def awaits_result(record: PatientRecord, tests: frozenset[str], today: date, since: date) -> bool:
    """Whether one of `tests` is requested, on or after `since`, has no result yet and may still be done."""
    for planned in record.planned:
        wanted = tests & {concept.name for concept in planned.concepts}
        if planned.source is not Source.TESTS or not wanted or is_forgotten(planned, today):
            continue
        day = planned.authored or planned.days
        if day is None or day.latest < since:
            continue
        if not any(lab.concept in wanted and lab.when.latest >= day.latest for lab in record.labs):
            return True
    return False


def treated_before(record: PatientRecord, sample: date, limits: Limits) -> bool:
    """Whether any cobalamin dose, order or supply that counts covered the months before a sample."""
    start = months_before(sample, limits.whole("untreated_months_before_sample"))
    least = limits["oral_counts_mcg_day"]
    given = [dose for dose in record.doses if cobalamin(dose.medicine) and not is_supplement_dose(dose, least)]
    if any(start <= dose.when.latest <= sample for dose in given):
        return True
    return any(_course_covers(course, start, sample, limits) for course in record.courses) or any(
        start <= supply.when.latest <= sample and supply_treats(supply, limits) for supply in record.dispensed
    )


def supply_treats(supply: Dispensed, limits: Limits) -> bool:
    """Whether a supply that was handed out is one of treatment, as an order of the same would be."""
    return counts_as_treatment(as_course(supply), limits)


def _course_covers(course: Course, start: date, sample: date, limits: Limits) -> bool:
    """Whether an order or statement of a treating dose overlaps the time from `start` to `sample`."""
    if not counts_as_treatment(course, limits) or course.status is CourseStatus.CANCELLED:
        return False
    return begins(course) is not None and overlaps(course, start, sample)


def counts_as_treatment(course: Course, limits: Limits) -> bool:
    """Whether an order, statement or supply treats: an injection, or oral B12 of 50 mcg a day or of unknown amount."""
    if cobalamin(course.medicine) is None or course.do_not_perform:
        return False
    if is_parenteral(course):
        return True
    if is_supplement(course, limits["oral_counts_mcg_day"]):
        return False
    amounts = [b12_daily(each, course.medicine) for each in course.instructions]
    return not amounts or any(each is None or each.high >= limits["oral_counts_mcg_day"] for each in amounts)


def unknown_since(record: PatientRecord, source: Source, day: date) -> str | None:
    """Why what `source` holds from `day` on is not completely known, or None when it is."""
    state = record.state(source)
    if not record.known(source, day):
        return state.supplied.value
    return next((each.reason for each in state.unreadable if each.when is None or each.when.latest >= day), None)


def overlaps(course: Course, start: date, end: date) -> bool:
    """Whether an order or statement ran at some time from `start` to `end`; an undated one runs while it is active."""
    first = begins(course)
    if first is None:
        return course.status in CURRENT
    if first > end:
        return False
    ends = [ends_on(each, first) for each in course.instructions]
    last = max((each for each in ends if each), default=None) if ends and all(ends) else None
    if last is None and course.status not in CURRENT:
        last = course.changed or first
    return last is None or last >= start


def mma_raised(record: PatientRecord, limits: Limits, since: date) -> LabResult | None:
    """The newest serum MMA since `since` when it is raised: by the laboratory's flag, else above the limit."""
    results = sorted(
        (lab for lab in record.labs if lab.concept == MMA and lab.when.latest >= since),
        key=lambda lab: lab.when.latest,
    )
    if not results:
        return None
    newest = results[-1]
    raised = newest.flag is Flag.HIGH if newest.flag else is_above(newest, limits["mma_raised_above"])
    return newest if raised else None


class Documented(NamedTuple):
    """Why deficiency counts as documented: a recorded problem, or a result."""

    problem: Problem | None = None
    result: LabResult | None = None

    @property
    def day(self) -> date | None:
        """When it was documented, as far as the record says; of several problems the newest counts."""
        if self.result:
            return self.result.when.latest
        return self.problem.dated.latest if self.problem and self.problem.dated else None


@once_per_record
def documented_deficiency(record: PatientRecord, limits: Limits, today: date) -> Documented | None:
    """B12 deficiency that is documented: by a result of the last 24 months, or by a present, certain condition.

    A result is deficient, or indeterminate with raised MMA. A code that also says other things (E53.8) counts only
    when a deficient result stands beside it or its own text names B12.
    """
    since = months_before(today, limits.whole("deficiency_result_months"))
    status = b12_status(record, limits)
    if status and status.result.when.latest >= since:
        if status.band is Band.DEFICIENT:
            return Documented(result=status.result)
        if status.band is Band.INDETERMINATE and mma_raised(record, limits, since):
            return Documented(result=status.result)
    named = [Documented(problem=problem) for problem in record.problems if _names_deficiency(problem)]
    return max(named, key=lambda each: each.day or date.min, default=None)


def _names_deficiency(problem: Problem) -> bool:
    return (
        problem.present
        and problem.certain
        and any(
            each.name in _NAMES_DEFICIENCY and each.specific and each.meaning != "intake" for each in problem.concepts
        )
    )


def hinted_deficiency(record: PatientRecord) -> bool:
    """A code that may mean B12 deficiency among other things, or a former or followed-up one: risk, not proof."""
    return any(
        each.name == "b12_deficiency_history_or_monitoring"
        or (each.name in _DEFICIENCY and not (each.specific and problem.present and problem.certain))
        for problem in record.problems
        for each in problem.concepts
    )


_IRREVERSIBLE_MEANINGS = {
    "b12_deficiency_anemia": frozenset({"pernicious", "inborn", "total_gastrectomy", "autoimmune_gastritis"}),
    "gastrectomy": frozenset({"total"}),
    "gastrectomy_status": frozenset({"total"}),
    "ileal_resection": frozenset({"complete"}),
    "ileal_resection_status": frozenset({"complete"}),
    "bariatric": frozenset({"bypass", "biliopancreatic"}),
    "bariatric_status": frozenset({"bypass", "biliopancreatic"}),
}
_IRREVERSIBLE = frozenset({"pernicious_anemia", "atrophic_autoimmune_gastritis", "inborn_error_cobalamin"})
_CAUSE_NAMES = {
    "pernicious_anemia": "pernicious anaemia",
    "atrophic_autoimmune_gastritis": "autoimmune gastritis",
    "inborn_error_cobalamin": "inborn error of cobalamin metabolism",
    "gastrectomy": "total gastrectomy",
    "gastrectomy_status": "total gastrectomy",
    "ileal_resection": "ileal resection",
    "ileal_resection_status": "ileal resection",
    "bariatric": "gastric bypass",
    "bariatric_status": "gastric bypass",
}
_MEANING_NAMES = {
    "pernicious": "pernicious anaemia",
    "inborn": "inborn error of cobalamin metabolism",
    "total_gastrectomy": "total gastrectomy",
    "autoimmune_gastritis": "autoimmune gastritis",
    "biliopancreatic": "biliopancreatic diversion",
}
# Oral cobalamin is doubtful in these (rules 5.0, cover c).
_NEEDS_INJECTION = frozenset({"pernicious anaemia", "total gastrectomy", "complete ileal resection"})


class Cause(NamedTuple):
    """A cause of deficiency that does not go away: its plain name and when it was first recorded."""

    name: str
    when: When | None

    @property
    def needs_injection(self) -> bool:
        """Pernicious anaemia, total gastrectomy, complete ileal resection: oral treatment is doubtful."""
        return self.name in _NEEDS_INJECTION

    @property
    def named(self) -> str:
        """`in pernicious anaemia`, `after total gastrectomy`."""
        return f"{'after' if _is_operation(self.name) else 'in'} {self.name}"


@once_per_record
def irreversible_causes(record: PatientRecord, limits: Limits) -> tuple[Cause, ...]:
    """Every irreversible cause on record (rules 5.0); codes that also say other things never count.

    A cause stays whatever the clinical status of its entry: a cured anaemia does not bring back the intrinsic factor.
    """
    causes = []
    entries: list[Problem | Procedure] = [problem for problem in record.problems if problem.certain]
    for each in [*entries, *record.procedures]:
        when = each.dated if isinstance(each, Problem) else each.when
        for concept in each.concepts:
            name = _cause_name(concept.name, concept.meaning) if concept.specific else None
            if name is None and removes_ileum(concept) and each.length_cm is not None:
                name = "ileal resection" if each.length_cm > limits["ileal_resection_cm"] else None
            if name:
                causes.append(Cause(name, when))
    causes += [
        Cause("pernicious anaemia", result.when)
        for result in record.labs
        if result.concept == _INTRINSIC_FACTOR_ANTIBODY and result.positive
    ]
    return tuple(causes)


def removes_ileum(concept: Concept) -> bool:
    """Whether a code or text tells a resection of ileum; hemicolectomy and bypass codes never do."""
    ileal = concept.name in ("ileal_resection", "ileal_resection_status")
    return ileal and concept.specific and concept.meaning not in ("hemicolectomy", "bypass")


def _cause_name(concept: str, meaning: str | None) -> str | None:
    if concept in _IRREVERSIBLE:
        return _CAUSE_NAMES[concept]
    if meaning not in _IRREVERSIBLE_MEANINGS.get(concept, frozenset()):
        return None
    if meaning == "complete":
        return "complete ileal resection"
    return _MEANING_NAMES.get(meaning or "") or _CAUSE_NAMES[concept]


def irreversible_cause(record: PatientRecord, limits: Limits) -> Cause | None:
    """The weightiest irreversible cause: one that needs injections before the others."""
    causes = irreversible_causes(record, limits)
    return next((cause for cause in causes if cause.needs_injection), causes[0] if causes else None)


@once_per_record
def anchor(record: PatientRecord, limits: Limits, today: date) -> date:
    """The day the deficiency began, for dating neurological findings (rules 5.0).

    The first deficient result, else the first record of deficiency or of an irreversible cause, else today.
    """
    results = [
        lab.when.latest for lab in record.labs if lab.concept in B12_RESULTS and band(lab, limits) is Band.DEFICIENT
    ]
    if results:
        return min(results)
    recorded = [
        problem.dated.latest
        for problem in record.problems
        if problem.dated and problem.certain and any(each.name in _NAMES_DEFICIENCY for each in problem.concepts)
    ]
    recorded += [cause.when.latest for cause in irreversible_causes(record, limits) if cause.when]
    return min(recorded, default=today)


def dietary_cause(record: PatientRecord, limits: Limits) -> bool:
    """Whether the deficiency is put down to diet alone."""
    if irreversible_causes(record, limits):
        return False
    return any(
        (each.name == "b12_deficiency_anemia" and each.meaning == "dietary")
        or (each.name == "vegan_diet" and each.meaning == "strict" and each.specific and problem.present)
        for problem in record.problems
        for each in problem.concepts
    )


def deficiency_resolved(record: PatientRecord, limits: Limits) -> bool:
    """Whether the only deficiency on record is marked as over and has no irreversible cause."""
    if irreversible_causes(record, limits):
        return False
    named = [problem for problem in record.problems if any(each.name in _DEFICIENCY for each in problem.concepts)]
    return bool(named) and not any(problem.present for problem in named)


def has(record: PatientRecord, *concepts: str) -> bool:
    """Whether a present, certain problem or a regime that runs is one of `concepts`."""
    return not _present(record).isdisjoint(concepts)


@once_per_record
def _present(record: PatientRecord) -> frozenset[str]:
    """The concepts of the present, certain problems and of the regimes that run."""
    problems = [problem.concepts for problem in record.problems if problem.present and problem.certain]
    regimes = [procedure.concepts for procedure in record.procedures if procedure.active]
    return frozenset(each.name for concepts in (*problems, *regimes) for each in concepts)


def has_had(record: PatientRecord, *concepts: str) -> bool:
    """Whether one of `concepts` is on record at any time: a certain problem of any status, or a procedure."""
    return any(
        each.name in concepts for problem in record.problems if problem.certain for each in problem.concepts
    ) or any(each.name in concepts for procedure in record.procedures for each in procedure.concepts)


def in_pregnancy(record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether a present, certain problem is a pregnancy that may still last, or one without a date.

    An older one is over, although nobody has closed its entry.
    """
    since = months_before(today, limits.whole("pregnancy_months"))
    return any(
        each.name == "pregnancy" and (problem.dated is None or problem.dated.latest >= since)
        for problem in record.problems
        if problem.present and problem.certain
        for each in problem.concepts
    )


@once_per_record
def age(record: PatientRecord, today: date) -> int | None:
    """Completed years, or None when the birth date is not known; a birth year counts as born on its first day."""
    born = record.patient.born
    if born is None:
        return None
    day = born.earliest
    return today.year - day.year - (months_after(day, 12 * (today.year - day.year)) > today)


def younger_than(record: PatientRecord, today: date, years: int) -> bool:
    """Whether the patient is known to be under `years`; an unknown age counts as adult."""
    known = age(record, today)
    return known is not None and known < years


class KidneyDisease(NamedTuple):
    """Severe kidney disease that lasts: `dialysis`, `egfr` with its result, or a coded `stage` without one."""

    kind: str
    result: LabResult | None = None


@once_per_record
def severe_kidney_disease(record: PatientRecord, limits: Limits, today: date) -> KidneyDisease | None:
    """Dialysis, the newest eGFR under 30 mL/min/1.73m2, or stage 4 or 5 on the problem list where there is no eGFR.

    What may be acute does not count: an acute kidney injury of the last months, or an eGFR above the limit in the
    months before the low one, unless stage 4 or 5 is on the problem list.
    """
    staged = _kidney_stage_4_or_5(record)
    if not staged and _acute_kidney_injury(record, limits, today):
        return None
    if has(record, "dialysis"):
        return KidneyDisease("dialysis")
    limit, acute = limits["egfr_severe_below"], limits.whole("acute_kidney_months")
    result = newest(record.labs, "egfr", months_before(today, limits.whole("egfr_months")))
    if result is None:
        return KidneyDisease("stage") if staged else None
    if not is_below(result, limit):
        return None
    since = months_before(result.when.latest, acute)
    better = any(
        lab.concept == "egfr" and since <= lab.when.latest <= result.when.latest and is_below(lab, limit) is False
        for lab in record.labs
    )
    return KidneyDisease("egfr", result) if staged or not better else None


def _kidney_stage_4_or_5(record: PatientRecord) -> bool:
    return any(
        each.name == "ckd" and each.meaning in ("4", "5")
        for problem in record.problems
        if problem.present and problem.certain
        for each in problem.concepts
    )


def _acute_kidney_injury(record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether an acute kidney injury is on record that is present and recent, or of no stated date."""
    since = months_before(today, limits.whole("acute_kidney_months"))
    return any(
        problem.present and (problem.dated is None or problem.dated.latest >= since)
        for problem in record.problems
        if any(each.name == "acute_kidney_injury" for each in problem.concepts)
    )


_WEAK_KIDNEYS = ("3", "4", "5")


def weak_kidneys(record: PatientRecord, limits: Limits, today: date) -> str | None:
    """What makes MMA and homocysteine unreliable: eGFR under 60 in the last 12 months, else coded disease."""
    egfr = newest(record.labs, "egfr", months_before(today, limits.whole("egfr_months")))
    if egfr and egfr.sent is not None:
        below = is_below(egfr, limits["egfr_unreliable_below"])
        return f"eGFR {egfr.comparator or ''}{egfr.sent.normalize():f}" if below else None
    stages = [
        concept.meaning or ""
        for problem in record.problems
        if problem.present and problem.certain
        for concept in problem.concepts
        if concept.name == "ckd"
    ]
    if has(record, "dialysis") or any(stage.startswith(_WEAK_KIDNEYS) for stage in stages):
        return "kidney disease"
    return None


@once_per_record
def in_hospice(record: PatientRecord) -> bool:
    """Whether a hospice or comfort-care entry is active."""
    return has(record, "hospice_care") or any(
        each.name == "hospice_care" for planned in record.planned for each in planned.concepts
    )


def newest(labs: Iterable[LabResult], concept: str, since: date) -> LabResult | None:
    """The newest result of `concept` on or after `since`; of two of one day the more worrying one."""
    found = [lab for lab in labs if lab.concept == concept and lab.when.latest >= since]
    return max(found, key=lambda lab: (lab.when.latest, _worry(lab)), default=None)


def _worry(lab: LabResult) -> Decimal:
    """The higher the worse; a result without a number is no worry."""
    if lab.value is None:
        return Decimal("-Infinity")
    return lab.value if lab.concept in _HIGH_IS_WORSE else -lab.value


def inborn_error(record: PatientRecord, limits: Limits) -> bool:
    """Whether an inborn error of cobalamin metabolism is on record: its doses are the specialist's."""
    return any(cause.name == _CAUSE_NAMES["inborn_error_cobalamin"] for cause in irreversible_causes(record, limits))


def macrocytosis(record: PatientRecord, limits: Limits, today: date) -> LabResult | None:
    """The newest MCV of the last 12 months when it is above 100 fL."""
    mcv = newest(record.labs, "mcv", months_before(today, limits.whole("blood_count_months")))
    return mcv if mcv and is_above(mcv, limits["mcv_macrocytosis_above"]) else None


def low_haemoglobin(record: PatientRecord, limits: Limits, today: date) -> LabResult | None:
    """The newest haemoglobin of the last 6 months when it lies below the laboratory's range."""
    found = newest(record.labs, "hemoglobin", months_before(today, limits.whole("anaemia_months")))
    return found if found and found.flag is Flag.LOW else None


def newest_b12(record: PatientRecord, since: date) -> LabResult | None:
    """The newest B12 result on or after `since`, whether it may be relied on or not."""
    found = [each for name in B12_RESULTS if (each := newest(record.labs, name, since))]
    return max(found, key=lambda lab: lab.when.latest, default=None)


def b12_results_unknown(record: PatientRecord, since: date) -> str | None:
    """Why it cannot be told whether B12 was tested on or after `since`, or None when it can."""
    state = record.state(Source.LABS)
    if not record.known(Source.LABS, since):
        return state.supplied.value
    return next(
        (
            each.reason
            for each in state.unreadable
            if each.concept in (None, *B12_RESULTS) and (each.when is None or each.when.latest >= since)
        ),
        None,
    )


class AbsorptionRisk(NamedTuple):
    """A disease or operation that hampers the uptake of B12: its plain name, and whether it is bariatric surgery."""

    name: str
    bariatric: bool = False

    @property
    def named(self) -> str:
        """`with coeliac disease`, `after gastric surgery`."""
        return f"{'after' if _is_operation(self.name) else 'with'} {self.name}"


def _is_operation(name: str) -> bool:
    return name.endswith(("gastrectomy", "resection", "surgery", "bypass", "diversion"))


_DISEASES = {
    "atrophic_autoimmune_gastritis": "atrophic gastritis",
    "celiac": "coeliac disease",
    "crohn_ileal": "ileal Crohn's disease",
    "short_bowel_sibo_malabsorption": "malabsorption",
}
_OPERATIONS = {
    "gastrectomy": "gastric surgery",
    "gastrectomy_status": "gastric surgery",
    "ileal_resection": "ileal resection",
    "ileal_resection_status": "ileal resection",
    "bariatric": "bariatric surgery",
    "bariatric_status": "bariatric surgery",
}
# Codes that say more than one thing, but nothing that would leave the stomach whole (decision 13).
_RISK_THOUGH_UNSPECIFIC = frozenset({"atrophic_autoimmune_gastritis", "gastrectomy_status"})
# A band leaves the stomach whole; hemicolectomy and bypass codes say nothing of the ileum.
_NO_RISK_MEANINGS = frozenset({"band", "hemicolectomy"})


@once_per_record
def absorption_risks(record: PatientRecord) -> tuple[AbsorptionRisk, ...]:
    """Present diseases and past operations of stomach and ileum that hamper the uptake of B12."""
    found = []
    for problem in record.problems:
        for concept in problem.concepts:
            counts = problem.certain and (concept.specific or concept.name in _RISK_THOUGH_UNSPECIFIC)
            if counts and problem.present and concept.name in _DISEASES:
                found.append(AbsorptionRisk(_DISEASES[concept.name]))
            elif counts and (operation := operation_risk(concept.name, concept.meaning)):
                found.append(operation)
    for procedure in record.procedures:
        operations = [operation_risk(each.name, each.meaning) for each in procedure.concepts if each.specific]
        found += [each for each in operations if each]
    return tuple(dict.fromkeys(found))


def operation_risk(concept: str, meaning: str | None) -> AbsorptionRisk | None:
    """The operation as a risk, or None for one that leaves stomach and ileum to their work."""
    if concept not in _OPERATIONS or meaning in _NO_RISK_MEANINGS:
        return None
    if concept.startswith("ileal") and meaning == "bypass":
        return None
    return AbsorptionRisk(_OPERATIONS[concept], bariatric=concept.startswith("bariatric"))


_RISKS = {
    "gastrectomy": "gastrectomy",
    "gastrectomy_status": "gastrectomy",
    "bariatric": "bariatric surgery",
    "bariatric_status": "bariatric surgery",
    "crohn_ileal": "ileal Crohn's disease",
}


def strong_risk(record: PatientRecord, limits: Limits, today: date) -> str | None:
    """Pernicious anaemia in the family, strict vegan diet, surgery or disease of stomach or ileum, long metformin."""
    if any(each.name == "pernicious_anemia" for relative in record.family for each in relative.concepts):
        return "pernicious anaemia in the family"
    concepts = [each for problem in record.problems if problem.present for each in problem.concepts]
    concepts += [each for procedure in record.procedures for each in procedure.concepts]
    for concept in concepts:
        if concept.name == "vegan_diet" and concept.meaning == "strict" and concept.specific:
            return "vegan or strict vegetarian diet"
        if concept.name in ("ileal_resection", "ileal_resection_status") and concept.meaning not in (
            "hemicolectomy",
            "bypass",
        ):
            return "ileal resection"
        if concept.name in _RISKS and concept.meaning != "band":
            return _RISKS[concept.name]
    if hinted_deficiency(record):
        return "an entry that may mean B12 deficiency"
    since = months_before(today, 12 * limits.whole("metformin_years"))
    if any(started is not None and started <= since for started in _metformin_starts(record)):
        return f"metformin for {limits.whole('metformin_years')} years or more"
    return None


def _metformin_starts(record: PatientRecord) -> list[date | None]:
    """When the metformin that is being taken was first ordered, reported or supplied."""

    def metformin(medicine: Medicine) -> bool:
        return "metformin" in medicine.ingredients

    if not any(
        metformin(course.medicine) and course.status in (CourseStatus.ACTIVE, CourseStatus.ON_HOLD)
        for course in record.courses
    ):
        return []
    starts: list[date | None] = [
        course.authored.latest for course in record.courses if metformin(course.medicine) and course.authored
    ]
    starts += [supply.when.latest for supply in record.dispensed if metformin(supply.medicine)]
    return starts
