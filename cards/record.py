"""The patient as rules see them: facts in clinical words, with what is not known kept apart from what is absent.

Masses are micrograms (`mcg`), volumes millilitres, laboratory values the canonical unit of their concept
(`value_sets/concepts.yaml`). All numbers are `Decimal`: a threshold is never missed by a rounding error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from cards.fact import fact
from cards.terminology import Concept


class When(NamedTuple):
    """A date as precisely as it is known: `2025-03` is any day from the 1st to the 31st of March 2025."""

    earliest: date
    latest: date

    @classmethod
    def on(cls, day: date) -> When:
        """A date known to the day."""
        return cls(day, day)


class Source(StrEnum):
    """The kinds of data a rule may ask for; the values are the public prefetch keys."""

    PATIENT = "patient"
    PROBLEMS = "problems"
    MEDICATIONS = "medications"
    DOSES = "doses"
    STATEMENTS = "statements"
    DISPENSES = "dispenses"
    LABS = "labs"
    PROCEDURES = "procedures"
    ALLERGIES = "allergies"
    FAMILY = "family"
    TESTS = "tests"
    APPOINTMENTS = "appointments"
    CLAIMS = "claims"


SOURCES = tuple(Source)


class Supplied(StrEnum):
    """What became of one source: only the first two say anything about the patient.

    `unreadable`: it holds something else than it should; `another-patient`: resources of others and none of this one.
    """

    SUPPLIED = "supplied"
    NONE_FOUND = "none-found"
    FAILED = "failed"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    ANOTHER_PATIENT = "another-patient"
    MISSING = "missing"


WHOLLY_KNOWN = frozenset({Supplied.SUPPLIED, Supplied.NONE_FOUND})


@fact(frozen=True, slots=True)
class Unreadable:
    """A resource that could not be read: what it was about (None: it could be anything), when, and why not."""

    concept: str | None
    when: When | None
    reason: str


class NotUnderstood(NamedTuple):
    """What a reader of a part (a date, a dose, a timing) answers when something was said that it could not read.

    None, from the same readers, means that nothing was said.
    """

    reason: str


@fact(frozen=True, slots=True)
class SourceState:
    """How far one source can be trusted to be complete.

    `back_to`: for a truncated list that is proved to be newest first, the oldest date it holds; the list is complete
    from then on. `remarks`: what was noticed and costs no rule its answer: `another-patient` when resources of others
    were left out, `duplicate` when two versions of one resource both count.
    """

    supplied: Supplied
    back_to: date | None = None
    unreadable: tuple[Unreadable, ...] = ()
    remarks: tuple[str, ...] = ()


NOT_SUPPLIED = SourceState(Supplied.MISSING)


# --- medicines -------------------------------------------------------------------------------------------------


class Route(StrEnum):
    """How a drug enters the body."""

    INTRAMUSCULAR = "intramuscular"
    SUBCUTANEOUS = "subcutaneous"
    INTRAVENOUS = "intravenous"
    INTRADERMAL = "intradermal"
    INJECTION = "injection"  # parenteral, but the order or product does not say which way
    ORAL = "oral"
    SUBLINGUAL = "sublingual"
    BUCCAL = "buccal"
    NASAL = "nasal"
    TRANSDERMAL = "transdermal"
    OTHER = "other"


PARENTERAL = frozenset({Route.INTRAMUSCULAR, Route.SUBCUTANEOUS, Route.INTRAVENOUS, Route.INTRADERMAL, Route.INJECTION})
BY_MOUTH_OR_NOSE = frozenset({Route.ORAL, Route.SUBLINGUAL, Route.BUCCAL, Route.NASAL})


class Site(NamedTuple):
    """An injection site: the kind of `terminology.site` and, when known, `left` or `right`."""

    kind: str
    side: str | None = None


@fact(frozen=True, slots=True)
class Strength:
    """How much of one ingredient a product holds: `mcg` in one unit (tablet, ampoule), or in `per_ml` millilitres."""

    mcg: Decimal
    per_ml: Decimal | None = None


@fact(frozen=True, slots=True)
class Medicine:
    """A product as far as rules need it.

    `ingredients`: names of `concepts.yaml`, in its order; empty when no rule knows the drug.
    `by_text`: recognised by its wording, not by a code of the value sets.
    `strengths`: per ingredient, where the product's name or resource gives it.
    `form_route`: the way of giving that the product's form implies (an oral tablet, an injection).
    `multivitamin`: a multivitamin or prenatal product, by its name or by what it is made of.
    `combined`: it holds other drugs too, so that a dose in milligrams may be theirs.
    """

    ingredients: tuple[str, ...]
    by_text: bool = False
    strengths: Mapping[str, Strength] = field(default_factory=dict)
    form_route: Route | None = None
    multivitamin: bool = False
    combined: bool = False


class AmountUnit(StrEnum):
    """What the number of a dose counts."""

    MCG = "mcg"
    UNIT = "unit"  # tablets, capsules, ampoules, puffs: the product's strength turns it into micrograms
    ML = "mL"
    MCG_PER_KG = "mcg/kg"
    NONE = "no unit"
    UNKNOWN = "unknown unit"


@fact(frozen=True, slots=True)
class Amount:
    """A dose as ordered: `low` to `high` (equal unless the order gives a range) of `unit`.

    `as_written` is the number and unit of a mass dose as the order has it (`5 mg`), for wording.
    """

    low: Decimal
    high: Decimal
    unit: AmountUnit
    as_written: str | None = None


class PeriodUnit(StrEnum):
    """Calendar units of a timing, by their FHIR codes."""

    HOUR = "h"
    DAY = "d"
    WEEK = "wk"
    MONTH = "mo"
    YEAR = "a"


class Period(NamedTuple):
    """A length of time: `low` to `high` (equal unless a range) calendar units; a month is a calendar month."""

    low: Decimal
    high: Decimal
    unit: PeriodUnit


class Repeat(NamedTuple):
    """`times` doses in every `every`; "three times a week" is 3 in 1 wk, "every 2-3 months" is 1 in 2-3 mo."""

    times: Decimal
    every: Period


@fact(frozen=True, slots=True)
class Instruction:
    """One dosage instruction of an order, in the order's sequence.

    `starts`, `ends`: the bounds of the timing, as dates; `lasts`: bounds given as a duration;
    `count`: number of doses after which it ends; `events`: doses planned on named days;
    `timing_unread`: the order says when in words that could not be read; `route_unread`, `site_unread`: it says which
    way, or where, in a code that nobody knows and without words.
    """

    amount: Amount | None = None
    route: Route | None = None
    site: Site | None = None
    repeat: Repeat | None = None
    starts: date | None = None
    ends: date | None = None
    lasts: Period | None = None
    count: int | None = None
    events: tuple[date, ...] = ()
    as_needed: bool = False
    timing_unread: bool = False
    route_unread: bool = False
    site_unread: bool = False


class CourseStatus(StrEnum):
    """Where an order stands; entered-in-error never reaches the record."""

    DRAFT = "draft"
    ACTIVE = "active"
    ON_HOLD = "on-hold"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    UNKNOWN = "unknown"


class WhyNot(StrEnum):
    """Why something was held, stopped or not given, as far as its coded reason or wording says."""

    REFUSED = "refused"
    NO_STOCK = "no stock"
    NORMAL_LEVEL = "normal level"
    AWAY = "away"
    ANAPHYLAXIS = "anaphylaxis"
    ALLERGY = "allergic reaction"
    DUPLICATE = "duplicate therapy"
    REPLACED = "replaced"
    ADMITTED = "admission or surgery"
    DIED = "died"
    LEFT = "left the practice"
    OTHER = "other"


@fact(frozen=True, slots=True)
class Course:
    """A drug being taken or formerly taken, by an order or by the patient's statement.

    `reference`: `Type/id` as the chart has it; `changed`: when the resource last changed (the day of stopping, when
    nothing better says); `replaces`: references of the orders that this one follows;
    `research`: under a research protocol; `nutrition`: a cobalamin that is a component of parenteral nutrition;
    `indications`: conditions named as its reason; `stated`: known from a statement, or a draft that only reports what
    the patient takes.
    """

    reference: str
    medicine: Medicine
    status: CourseStatus
    instructions: tuple[Instruction, ...] = ()
    authored: When | None = None
    changed: date | None = None
    replaces: tuple[str, ...] = ()
    indications: tuple[Concept, ...] = ()
    why_not: WhyNot | None = None
    do_not_perform: bool = False
    inpatient: bool = False
    research: bool = False
    nutrition: bool = False
    stated: bool = False
    source: Source = Source.MEDICATIONS


@fact(frozen=True, slots=True)
class Order(Course):
    """A medicine or a laboratory test being ordered now.

    `selected`: the advice is asked for this one; the other drafts are context (order-select).
    `tests`: the laboratory concepts that a test order asks for; its medicine has no ingredients.
    `times_injections`: the reason of a test order says that the result is to decide the next injection.
    """

    selected: bool = True
    tests: tuple[str, ...] = ()
    times_injections: bool = False


@fact(frozen=True, slots=True)
class Dose:
    """A dose that was given. `stated`: told by the patient or another place, not recorded at the injection."""

    medicine: Medicine
    when: When
    amount: Amount | None = None
    route: Route | None = None
    site: Site | None = None
    source: Source = Source.DOSES
    stated: bool = False


@fact(frozen=True, slots=True)
class NotGiven:
    """A planned dose that was recorded as not given."""

    medicine: Medicine
    when: When
    why_not: WhyNot | None


@fact(frozen=True, slots=True)
class Dispensed:
    """A supply handed to the patient: `quantity` units or millilitres, meant to last `days` when that is recorded."""

    medicine: Medicine
    when: When
    quantity: Amount | None = None
    days: Decimal | None = None
    instructions: tuple[Instruction, ...] = ()


# --- findings --------------------------------------------------------------------------------------------------


class Flag(StrEnum):
    """The laboratory's own judgement: its interpretation code, or the value against its reference range."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Comparator(StrEnum):
    """A result given as a bound: `<50` is below any threshold of 50 or more."""

    BELOW = "<"
    ABOVE = ">"


@fact(frozen=True, slots=True)
class LabResult:
    """One valid result: `value` in the canonical unit of `concept`, `sent` the number in the unit it came in.

    `positive`: for antibodies and other results that are yes or no. `issued`: when the laboratory released it.
    """

    concept: str
    when: When
    value: Decimal | None = None
    comparator: Comparator | None = None
    flag: Flag | None = None
    positive: bool | None = None
    sent: Decimal | None = None
    unit: str = ""
    issued: When | None = None

    @property
    def reported(self) -> str:
        """The result as it came, for wording: `<50 ng/L`, `positive`."""
        if self.sent is None:
            return "positive" if self.positive else "negative"
        return f"{self.comparator or ''}{self.sent.normalize():f} {self.unit}".strip()


class ClinicalStatus(StrEnum):
    """Whether a condition is present; a condition without a status is taken as present."""

    ACTIVE = "active"
    RECURRENCE = "recurrence"
    RELAPSE = "relapse"
    INACTIVE = "inactive"
    REMISSION = "remission"
    RESOLVED = "resolved"


PRESENT = frozenset({ClinicalStatus.ACTIVE, ClinicalStatus.RECURRENCE, ClinicalStatus.RELAPSE})


@fact(frozen=True, slots=True)
class Problem:
    """A condition of the patient; refuted and entered-in-error ones never reach the record.

    `certain`: not marked provisional, differential or unconfirmed; `names_b12`: its text, note, cause or evidence
    names B12; `began`: onset; `recorded`; `ended`: abatement; `length_cm`: bowel removed, when stated.
    """

    concepts: tuple[Concept, ...]
    status: ClinicalStatus | None = None
    certain: bool = True
    began: When | None = None
    recorded: When | None = None
    ended: When | None = None
    names_b12: bool = False
    by_text: bool = False
    length_cm: Decimal | None = None

    @property
    def present(self) -> bool:
        """Active, recurring or relapsed now, or without a status and without an end."""
        return self.status in PRESENT if self.status else self.ended is None

    @property
    def dated(self) -> When | None:
        """Onset, else the day it was recorded."""
        return self.began or self.recorded


@fact(frozen=True, slots=True)
class Procedure:
    """A procedure that was done, or a regime that is running (`active`); `length_cm`: bowel removed, when stated."""

    concepts: tuple[Concept, ...]
    when: When | None = None
    active: bool = False
    length_cm: Decimal | None = None


@fact(frozen=True, slots=True)
class Relative:
    """A condition in the family."""

    concepts: tuple[Concept, ...]


class Reaction(StrEnum):
    """What a recorded reaction was, as far as it is described."""

    ANAPHYLAXIS = "anaphylaxis"
    ALLERGIC = "angioedema, bronchospasm or urticaria"
    OTHER = "other"
    NOT_RECORDED = "not recorded"


@fact(frozen=True, slots=True)
class Allergy:
    """A recorded allergy or intolerance; refuted, entered-in-error, inactive and resolved ones never reach the record.

    `substances`: drug ingredients (`cobalamin`: vitamin B12 of no stated form) and `allergens` of the value sets.
    `when`: onset, else the day it was recorded.
    """

    substances: tuple[str, ...]
    reaction: Reaction = Reaction.NOT_RECORDED
    high_criticality: bool = False
    intolerance: bool = False
    when: When | None = None


@fact(frozen=True, slots=True)
class Planned:
    """An appointment that is booked or a service that is ordered.

    `names_b12`: its code or text names B12 or cobalamin; `names_injection`: an injection that may be B12;
    `concepts`: the tests or regimes it orders; `days`: when it is to happen; `authored`: when it was ordered;
    `is_test`: it asks for a measurement, by its code or wording.
    """

    source: Source
    concepts: tuple[Concept, ...] = ()
    names_b12: bool = False
    names_injection: bool = False
    days: When | None = None
    authored: When | None = None
    is_test: bool = False


@fact(frozen=True, slots=True)
class Patient:
    """The person: no name and no identifier, only what rules ask."""

    born: When | None = None
    deceased: bool = False
    left: bool = False  # the practice's record of this patient is no longer active


class UnknownDrug(NamedTuple):
    """A drug code that no value set knows; `read_as`: the ingredients that the words beside it name.

    Without ingredients, the code came without any words: what it stands for cannot be told. A code whose words name
    a drug that no rule is about is none of these.
    """

    system: str
    code: str
    read_as: tuple[str, ...] = ()


@fact(frozen=True, slots=True)
class PatientRecord:
    """Everything the triggered rules may look at. `sources` says which parts are known; the rest is not known.

    `doses_without_amount`: injections recorded without a dose, which therefore do not count as given;
    `unknown_drugs`: drug codes that no value set knows, each once; `remembered`: what `once_per_record` has worked out.
    """

    drafts: tuple[Order, ...] = ()
    patient: Patient = Patient()
    problems: tuple[Problem, ...] = ()
    courses: tuple[Course, ...] = ()
    doses: tuple[Dose, ...] = ()
    not_given: tuple[NotGiven, ...] = ()
    doses_without_amount: tuple[Dose, ...] = ()
    dispensed: tuple[Dispensed, ...] = ()
    labs: tuple[LabResult, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    family: tuple[Relative, ...] = ()
    planned: tuple[Planned, ...] = ()
    sources: Mapping[Source, SourceState] = field(default_factory=dict)
    unknown_drugs: tuple[UnknownDrug, ...] = ()
    remembered: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def state(self, source: Source) -> SourceState:
        """How far `source` can be trusted to be complete."""
        return self.sources.get(source, NOT_SUPPLIED)

    def known(self, source: Source, back_to: date | None = None) -> bool:
        """Whether everything that `source` holds from `back_to` on (None: ever) is in this record."""
        state = self.state(source)
        if state.supplied in WHOLLY_KNOWN:
            return True
        return (
            state.supplied is Supplied.TRUNCATED
            and back_to is not None
            and state.back_to is not None
            and state.back_to <= back_to
        )


_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")
_NOT_YET: Any = object()


def once_per_record(
    function: Callable[Concatenate[PatientRecord, _Arguments], _Answer],
) -> Callable[Concatenate[PatientRecord, _Arguments], _Answer]:
    """A definition that several rules ask of one patient is worked out once: for pure functions of the record."""

    @wraps(function)
    def remembering(record: PatientRecord, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        question = (function, args, tuple(kwargs.items())) if kwargs else (function, args)
        answer: _Answer = record.remembered.get(question, _NOT_YET)
        if answer is _NOT_YET:
            answer = record.remembered[question] = function(record, *args, **kwargs)
        return answer

    return remembering


@once_per_record
def wholly_read(record: PatientRecord) -> frozenset[Source]:
    """The sources of which everything is known and could be read."""
    states = record.sources.items()
    return frozenset(source for source, state in states if state.supplied in WHOLLY_KNOWN and not state.unreadable)
