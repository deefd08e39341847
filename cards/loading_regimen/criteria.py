"""
WHEN  B12 treatment of a deficiency is being started
AND   neurological involvement is on record and nothing ordered loads intensively, or nothing ordered loads at all
THEN  offer the loading that the neurological status requires.

WHEN  injections on alternate days go on for more than 30 days without neurological involvement and without a review
THEN  ask whether it is time for maintenance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise

from cards.calendar import days_before, in_words, months_before, upper_days
from cards.contraindications import anaphylaxis_to
from cards.dosing import (
    COBALAMINS,
    CURRENT,
    ENDING,
    LOADING_DAYS,
    TIMING_UNREAD,
    Phase,
    b12_daily,
    b12_mass,
    begins,
    between_doses,
    cobalamin,
    how_often,
    injections_of_unread_interval,
    is_parenteral,
    is_supplement,
    route_of,
    runs_on,
    within,
)
from cards.due_date import default_interval, injections, intervals, is_injection
from cards.neurology import WINDOW_MONTHS, history, involvement
from cards.record import (
    PARENTERAL,
    AmountUnit,
    Course,
    CourseStatus,
    Instruction,
    Order,
    PatientRecord,
    Source,
    When,
)
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    TOTAL_B12,
    Documented,
    anchor,
    documented_deficiency,
    has,
    in_pregnancy,
    irreversible_cause,
    is_below,
    recently_replete,
    younger_than,
)


def triggered_by(order: Order, limits: Limits) -> bool:
    """Any cobalamin being ordered that is more than part of a multivitamin."""
    return (
        cobalamin(order.medicine) is not None
        and not order.medicine.multivitamin
        and order.status not in ENDING
        and not order.do_not_perform
    )


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Too little with neurological involvement is a warning; glossitis alone, and too much, are information."""
    if order is None:
        return None
    if why := _not_our_patient(order, record, today):
        return Excluded(why)
    began = anchor(record, limits, today)
    nerves = involvement(record, began, today)
    tongue = _glossitis(record, limits, began, today)
    if since := _long_intensive(order, record, limits, today):
        return _time_for_maintenance(order, record, limits, today, since, involved=bool(nerves or tongue))
    if order is not _spokesman(record, limits):
        return Excluded("the card stands on another order of the same course")

    ordered = _ordered(record, today)
    parts = _parts(ordered, today)
    if _loads(parts, _recent_doses(record, limits, today), limits):
        # An open-ended draft may have run for long already: what the needs would tell.
        return None if any(part.days is None for part in _parts([order], today)) else Excluded("the course loads")
    if _dose_by_dose(order, record, today):
        return Excluded("loading goes on dose by dose")
    if why := _follows(order, record, limits) or _no_new_start(record, limits, today):
        return Excluded(why)
    documented = documented_deficiency(record, limits, today)
    cause = irreversible_cause(record, limits)
    # Whether treatment is new is told by the orders of the last year.
    if not (documented or cause) or not record.known(Source.MEDICATIONS, _window(limits, today)):
        return None
    if _nitrous_oxide(record):
        return Excluded("nitrous oxide exposure is advised on elsewhere")
    if not documented and (not nerves or recently_replete(record, limits, today, symptoms=True)):
        return Excluded("prophylaxis without documented deficiency needs no loading")

    facts: dict[str, object] = {
        "drug": cobalamin(order.medicine),
        "how": _how(ordered, parts, limits),
        "result": documented.result if documented else None,
        "cause": cause.name if cause else None,
        "nerves": nerves,
        "tongue": tongue,
        "since": None,
        "often": "",
        "past_nerves": False,
        **_fixes(order, ordered, limits, today, neurological=bool(nerves or tongue)),
    }
    if unread := _unread_injections(ordered):
        return unread
    if nerves:
        return _unsure(order, ordered, parts, limits) or Alert("neurological", facts, order)
    if not _maintenance_without_loading(order, parts) or in_pregnancy(record, limits, today):
        return (_unsure(order, ordered, parts, limits) or Alert("glossitis", facts, order)) if tongue else None
    # Glossitis alone never makes alternate days the recommendation of a warning.
    facts |= _fixes(order, ordered, limits, today, neurological=False)
    severe = cause is not None or _very_low(documented, limits)
    return Alert("no_loading_severe" if severe else "no_loading", facts, order)


def _not_our_patient(order: Order, record: PatientRecord, today: date) -> str | None:
    if younger_than(record, today, 18):
        return "under 18"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if has(record, "inborn_error_cobalamin"):
        return "inborn error of cobalamin metabolism under specialist care"
    if order.research:
        return "ordered by a research protocol"
    if any(each.name == "cyanide_poisoning" for each in order.indications):
        return "ordered for cyanide poisoning"
    if anaphylaxis_to(record, COBALAMINS):
        return "anaphylaxis to a cobalamin is recorded"
    return None


def _spokesman(record: PatientRecord, limits: Limits) -> Order | None:
    """Of several drafts of one course the one that carries the card: loading, maintenance, then other injections."""
    drafts = [each for each in record.drafts if each.selected and triggered_by(each, limits)]
    injected = [each for each in drafts if is_parenteral(each)]
    loading = [each for each in injected if intervals(each, Phase.LOADING)]
    maintaining = [each for each in injected if intervals(each, Phase.MAINTENANCE)]
    return next(iter((*loading, *maintaining, *injected, *drafts)), None)


# --- what is ordered ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """One parenteral instruction that repeats: days from dose to dose, for how many days (None: open-ended).

    `mcg`: the least single dose in micrograms; None when it is given in a way that does not tell.
    """

    form: str
    every: Decimal
    days: Decimal | None
    mcg: Decimal | None

    @property
    def doses(self) -> Decimal | None:
        """How many doses it comes to; None when it is open-ended."""
        return None if self.days is None else (self.days / self.every).to_integral_value(ROUND_CEILING)


def _ordered(record: PatientRecord, today: date) -> list[Course]:
    """The cobalamin orders that make up the course: the drafts, and what is running."""
    drafts = [each for each in record.drafts if each.status not in ENDING and not each.do_not_perform]
    active = [each for each in record.courses if each.status is CourseStatus.ACTIVE and not each.stated]
    running = [each for each in active if runs_on(each, today)]
    return [each for each in (*drafts, *running) if cobalamin(each.medicine)]


def _parts(courses: Iterable[Course], today: date) -> list[_Part]:
    return [
        part
        for course in courses
        for each in course.instructions
        if route_of(course, each) in PARENTERAL and (part := _part(course, each, today))
    ]


def _part(course: Course, instruction: Instruction, today: date) -> _Part | None:
    form = cobalamin(course.medicine)
    if form is None or instruction.as_needed or instruction.count == 1:
        return None
    if len(instruction.events) > 1:
        planned = sorted(instruction.events)
        every = Decimal(max((later - earlier).days for earlier, later in pairwise(planned)))
        days: Decimal | None = Decimal((planned[-1] - planned[0]).days) + every
    else:
        gap = between_doses(instruction)
        if gap is None:
            return None
        every = upper_days(gap)
        days = _length(instruction, every, begins(course) or today)
    return _Part(form, every, days, _least(course, instruction)) if every > 0 else None


def _length(instruction: Instruction, every: Decimal, begins: date) -> Decimal | None:
    """For how many days an instruction runs; a count runs until the dose after its last would be due."""
    if instruction.ends:
        return Decimal((instruction.ends - (instruction.starts or begins)).days + 1)
    if instruction.lasts:
        return upper_days(instruction.lasts)
    return instruction.count * every if instruction.count else None


def _least(course: Course, instruction: Instruction) -> Decimal | None:
    """The least single dose in micrograms; an order still without a dose stands for the usual one, 1 mg."""
    if instruction.amount is None:
        return Decimal(1000)
    dose = b12_mass(instruction.amount, course.medicine)
    return dose.low if dose else None


def _loads(parts: Sequence[_Part], given: int, limits: Limits) -> bool:
    """Whether the parts load as neurological involvement requires; `given`: doses of the last weeks, which count.

    1 mg daily or on alternate days, open-ended or for three weeks; or at least five such doses and weekly ones after.
    The label's schedule for cyanocobalamin has the second pattern with 100 micrograms.
    """
    often = limits["intensive_interval_days"]
    full = [each for each in parts if each.every <= often and (each.mcg or 0) >= limits["loading_dose_mcg"]]
    if any(each.days is None for each in full):
        return True
    if full and sum(each.days or 0 for each in full) + given * often >= limits["intensive_days"]:
        return True
    enough = [each for each in parts if (each.mcg or 0) >= _least_of_label(each.form, limits)]
    intensive = [each for each in enough if each.every <= often]
    weekly = any(often < each.every <= LOADING_DAYS for each in enough)
    doses = sum((each.doses or Decimal(0) for each in intensive), Decimal(given))
    return bool(intensive) and weekly and doses >= limits["intensive_doses_before_weekly"]


def _least_of_label(form: str, limits: Limits) -> Decimal:
    return limits["labelled_cyanocobalamin_mcg" if form == "cyanocobalamin" else "loading_dose_mcg"]


def _unsure(order: Order, ordered: Sequence[Course], parts: Sequence[_Part], limits: Limits) -> Unanswerable | None:
    """What the draft must say before it can be judged: how often, or how much where the doses decide."""
    if is_parenteral(order) and not parts:
        if any(each.timing_unread for each in order.instructions):
            return Unanswerable((DRAFTS,), TIMING_UNREAD)
        if not any(each.count or each.events or each.as_needed for each in order.instructions):
            return Unanswerable((DRAFTS,), "timing-missing")
    assumed = [replace(each, mcg=limits["loading_dose_mcg"]) if each.mcg is None else each for each in parts]
    if not _loads(assumed, 0, limits):
        return None
    units = {each.amount.unit for course in ordered for each in course.instructions if each.amount}
    if AmountUnit.NONE in units:
        return Unanswerable((DRAFTS,), "unit-missing")
    return Unanswerable((DRAFTS,), "unknown-unit" if AmountUnit.UNKNOWN in units else "unknown-strength")


def _unread_injections(ordered: Sequence[Course]) -> Unanswerable | None:
    """Injections of which nobody knows how often: they may be the loading that is looked for, or lack it."""
    found = [each for each in ordered if injections_of_unread_interval(each)]
    if not found:
        return None
    drafted = any(isinstance(each, Order) for each in found)
    return Unanswerable((DRAFTS if drafted else Source.MEDICATIONS.value,), TIMING_UNREAD)


def _maintenance_without_loading(order: Order, parts: Sequence[_Part]) -> bool:
    return bool(intervals(order, Phase.MAINTENANCE)) and all(each.every > LOADING_DAYS for each in parts)


def _how(ordered: Sequence[Course], parts: Sequence[_Part], limits: Limits) -> str:
    """How the course falls short, in words that follow "is drafted"."""
    if not any(is_parenteral(course) for course in ordered):
        return "by mouth only"
    if not parts:
        return "as a single dose"
    often = [each for each in parts if each.every <= limits["intensive_interval_days"]]
    if often:
        enough = any((each.mcg or 0) >= limits["loading_dose_mcg"] for each in often)
        return "too briefly at the start" if enough else "at too low a dose"
    if any(each.every <= LOADING_DAYS for each in parts):
        return "too seldom at the start"
    gaps = [gap for course in ordered for gap in intervals(course, Phase.MAINTENANCE)]
    return f"every {in_words(gaps[0])} without loading" if gaps else "without loading"


def _dose_by_dose(order: Order, record: PatientRecord, today: date) -> bool:
    """Whether one more dose follows another of the last seven days: loading that is ordered dose by dose."""
    given = injections(record)
    single = all(each.count == 1 or len(each.events) == 1 for each in order.instructions) and order.instructions
    return bool(single and given) and (today - given[-1].when.latest).days <= LOADING_DAYS


# --- is it a new start -------------------------------------------------------------------------------------------


def _window(limits: Limits, today: date) -> date:
    return months_before(today, limits.whole("new_start_months"))


def _recent_doses(record: PatientRecord, limits: Limits, today: date) -> int:
    """Injections of the last four weeks."""
    since = days_before(today, limits.whole("new_start_days"))
    return sum(1 for dose in injections(record) if dose.when.latest >= since)


def _follows(order: Order, record: PatientRecord, limits: Limits) -> str | None:
    """Whether the draft takes the place of injections that stood until now: maintenance stopped beside it, or named."""
    stopped = [each for each in record.drafts if each.status in (CourseStatus.STOPPED, CourseStatus.COMPLETED)]
    if any(intervals(each, Phase.MAINTENANCE) for each in stopped):
        return "the order takes the place of maintenance that is being stopped"
    named = [each for each in record.courses if each.reference in order.replaces]
    if any(_treats(each, limits, injected=True) for each in named):
        return "the order follows an earlier one for injections"
    return None


def _no_new_start(record: PatientRecord, limits: Limits, today: date) -> str | None:
    """Why treatment is not new; None when nothing on record says so.

    New: nothing given or ordered for a year, or at most three injections, all in the last 28 days.
    """
    since = _window(limits, today)
    given = [dose.when.latest for dose in injections(record) if dose.when.latest >= since]
    recent = limits.whole("new_start_days")
    if given and (given[0] < days_before(today, recent) or len(given) > limits.whole("new_start_doses")):
        return "injections were given in the last year"
    # With a first injection in the last weeks, only injections ordered long before it tell of earlier treatment.
    latest = days_before(given[0], recent) if given else today
    for course in record.courses:
        if _treats(course, limits, injected=bool(given) or course.stated) and _ordered_between(
            course, since, latest, today
        ):
            return "B12 was ordered in the last year"
    if any(
        cobalamin(supply.medicine) and since <= supply.when.latest < latest and is_injection(supply)
        for supply in record.dispensed
    ):
        return "ampoules were dispensed in the last year"
    return None


def _treats(course: Course, limits: Limits, *, injected: bool) -> bool:
    """Whether a course is B12 treatment (with `injected`, by injection): not a multivitamin, a trace or a mistake."""
    if cobalamin(course.medicine) is None or course.do_not_perform:
        return False
    if is_supplement(course, limits["oral_counts_mcg_day"]):
        return False
    if course.status in (CourseStatus.DRAFT, CourseStatus.CANCELLED):
        return False
    if is_parenteral(course):
        return True
    amounts = [b12_daily(each, course.medicine) for each in course.instructions]
    trace = amounts and all(each is not None and each.high < limits["oral_counts_mcg_day"] for each in amounts)
    return not injected and not trace


def _ordered_between(course: Course, since: date, latest: date, today: date) -> bool:
    """Whether a course was begun by `latest` and was still there at `since` or after."""
    first = begins(course)
    if first is None or first > latest:
        return False
    return first >= since or runs_on(course, today) or (course.changed is not None and course.changed >= since)


# --- findings, and what else there is to say ---------------------------------------------------------------------


def _glossitis(record: PatientRecord, limits: Limits, anchor: date, today: date) -> When | None:
    """The date of a present glossitis that counts as neurological involvement (decision 3)."""
    if not limits.says("glossitis_is_neurological"):
        return None
    start = months_before(anchor, WINDOW_MONTHS)
    return next(
        (
            problem.dated
            for problem in record.problems
            if problem.present
            and problem.certain
            and any(each.name == "glossitis" for each in problem.concepts)
            and problem.dated
            and within(problem.dated, start, today)
        ),
        None,
    )


def _nitrous_oxide(record: PatientRecord) -> bool:
    """Whether exposure to nitrous oxide is a present problem; a code for any inhaled anaesthetic does not say so."""
    return any(
        each.name == "nitrous_oxide_exposure" and each.specific
        for problem in record.problems
        if problem.present and problem.certain
        for each in problem.concepts
    )


def _very_low(documented: Documented | None, limits: Limits) -> bool:
    result = documented.result if documented else None
    return bool(result and result.concept == TOTAL_B12 and is_below(result, limits["severe_b12_below"]))


def _long_intensive(order: Order, record: PatientRecord, limits: Limits, today: date) -> date | None:
    """Since when injections on alternate days have been running, when the draft goes on with them without an end."""
    often = limits["intensive_interval_days"]

    def intensive(course: Course) -> list[_Part]:
        return [each for each in _parts([course], today) if each.every <= often]

    if not any(part.days is None for part in intensive(order)):
        return None
    before = [
        course
        for course in record.courses
        if (course.status in CURRENT or course.reference in order.replaces) and intensive(course)
    ]
    since = min((day for course in (order, *before) if (day := begins(course))), default=today)
    return since if (today - since).days > limits.whole("review_after_days") else None


def _time_for_maintenance(
    order: Order, record: PatientRecord, limits: Limits, today: date, since: date, *, involved: bool
) -> Outcome:
    """Alternate days beyond the time of a review: a question, unless there is involvement or a review is booked."""
    if involved:
        return Excluded("neurological involvement: alternate days as long as there is improvement")
    if not record.known(Source.PROBLEMS):
        return None
    if any(
        each.source is Source.APPOINTMENTS
        and each.names_b12
        and not each.names_injection
        and each.days
        and each.days.latest >= today
        for each in record.planned
    ):
        return Excluded("a review is booked")
    often = next(often for each in order.instructions if (often := how_often(each)))
    return Alert(
        "review_due",
        {
            "drug": cobalamin(order.medicine),
            "how": "",
            "result": None,
            "cause": None,
            "nerves": None,
            "tongue": None,
            "since": since,
            "often": often,
            "past_nerves": history(record, anchor(record, limits, today), today) is not None,
            **dict.fromkeys(_FIXES, False),
        },
        order,
    )


_FIXES = ("add_neurological", "add_standard", "replace_loading", "replace_course", "shorten")


def _fixes(
    order: Order, ordered: Sequence[Course], limits: Limits, today: date, *, neurological: bool
) -> dict[str, bool]:
    """Which fix fits: loading beside a draft that maintains, or another course instead of the draft."""
    own = _parts([order], today)
    maintains = bool(own) and all(each.every > LOADING_DAYS for each in own)
    others = [each for each in ordered if each.reference != order.reference]
    elsewhere = any(intervals(each, Phase.MAINTENANCE) for each in others)
    wanted = upper_days(default_interval(limits, neurological=True))
    return {
        "add_neurological": neurological and maintains,
        "add_standard": not neurological and maintains,
        "replace_loading": neurological and not maintains and elsewhere,
        "replace_course": neurological and not maintains and not elsewhere,
        "shorten": neurological and maintains and any(each.every > wanted for each in own),
    }
