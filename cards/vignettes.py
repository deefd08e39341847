"""Example patients of a rule, written for a reader: each becomes a record, and says which card it gets or does not.

The same vignettes are run through the rules directly and, as FHIR, over HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cards.composition import ingredients_named, is_multivitamin
from cards.library import CARDS, RuleError, read_yaml
from cards.record import (
    Allergy,
    Amount,
    AmountUnit,
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
    NotGiven,
    Order,
    Patient,
    PatientRecord,
    Period,
    PeriodUnit,
    Planned,
    Problem,
    Procedure,
    Reaction,
    Relative,
    Repeat,
    Route,
    Site,
    Source,
    SourceState,
    Supplied,
    Unreadable,
    When,
    WhyNot,
)
from cards.rule import Hook, Level, Profile
from cards.strength import lists_several, strengths_in
from cards.terminology import (
    Concept,
    Terminology,
    goes_with_methotrexate,
    is_test_in_text,
    may_inject_b12_in_text,
    names_b12_in_text,
    panels_in_text,
)
from cards.units import implausible, to_canonical

_DOSE = re.compile(r"^(?P<low>[\d.]+)(?:-(?P<high>[\d.]+))?\s*(?P<unit>.*)$")
_MASS = {"mg": Decimal(1000), "mcg": Decimal(1), "micrograms": Decimal(1), "g": Decimal(1000000)}
_UNITS = frozenset({"tablet", "tablets", "capsule", "ampoule", "ampoules", "vial"})
_ROUTES = {
    "IM": Route.INTRAMUSCULAR,
    "SC": Route.SUBCUTANEOUS,
    "IV": Route.INTRAVENOUS,
    "intradermal": Route.INTRADERMAL,
    "oral": Route.ORAL,
    "sublingual": Route.SUBLINGUAL,
    "nasal": Route.NASAL,
}
_RESULT = re.compile(r"^(?P<comparator>[<>]?)\s*(?P<value>[\d.]+)\s*(?P<unit>.*)$")


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Medication(_Said):
    """A drug by its plain name (`hydroxocobalamin`) or as a product with strength (`Folic acid 5 mg tablets`).

    `every`: `1 d`, `12 wk`, `2-3 mo`; `times` in that period; `lasts`: `2 wk`; `count`: number of doses.
    `unread`: words that say when, and that cannot be read.
    """

    drug: str = ""
    product: str | None = None
    dose: str | None = None
    route: Literal["IM", "SC", "IV", "intradermal", "oral", "sublingual", "nasal"] | None = None
    site: str | None = None
    times: int = 1
    every: str | None = None
    once: bool = False
    starts: date | None = None
    ends: date | None = None
    lasts: str | None = None
    count: int | None = None
    events: tuple[date, ...] = ()
    as_needed: bool = False
    unread: str | None = None
    then: Medication | None = None

    def instructions(self, terminology: Terminology) -> tuple[Instruction, ...]:
        """The dosage instructions, `then` after the first."""
        site = terminology.site_in_text(self.site) if self.site else None
        own = Instruction(
            amount=amount(self.dose) if self.dose else None,
            route=_ROUTES[self.route] if self.route else None,
            site=Site(*site) if site else None,
            repeat=Repeat(Decimal(self.times), period(self.every)) if self.every else None,
            starts=self.starts,
            ends=self.ends,
            lasts=period(self.lasts) if self.lasts else None,
            count=1 if self.once else self.count,
            events=self.events,
            as_needed=self.as_needed,
            timing_unread=self.unread is not None,
        )
        return (own, *(self.then.instructions(terminology) if self.then else ()))


class OrderLine(Medication):
    """An order: being signed now (in `orders`) or in the chart (in `medicines`).

    `changed`: the day on which the chart last changed it, such as the day of stopping.
    One being signed may ask for `tests` (laboratory concepts) instead of a drug, with the `reason` it states.
    `replaces`: which of `medicines` it follows, the first being 1.
    """

    status: CourseStatus | None = None
    since: date | None = None
    because: str | None = None
    for_: str | None = Field(None, alias="for")
    inpatient: bool = False
    research: bool = False
    nutrition: bool = False
    changed: date | None = None
    reported: bool = False
    do_not_perform: bool = False
    selected: bool = True
    tests: tuple[str, ...] = ()
    reason: str | None = None
    replaces: int | None = None

    @property
    def follows(self) -> tuple[str, ...]:
        """The reference of the order that this one replaces."""
        return (f"MedicationRequest/order-{self.replaces - 1}",) if self.replaces else ()


class DoseLine(Medication):
    """A dose given on a `day` (`2025-03` when only the month is known), or not given, `because`."""

    day: date | str
    not_given: bool = False
    because: str | None = None


class SupplyLine(Medication):
    """A supply handed over: `quantity` (`2 ampoules`), or `days` it lasts."""

    day: date
    quantity: str | None = None
    days: int | None = None


class ProblemLine(_Said):
    """A condition: `is` a concept of the value sets (with a `meaning`), or free `text`; `day` is that of onset."""

    is_: str | None = Field(None, alias="is")
    meaning: str | None = None
    specific: bool = True
    text: str | None = None
    day: date | None = None
    recorded: date | None = None
    ended: date | None = None
    status: ClinicalStatus | None = ClinicalStatus.ACTIVE
    provisional: bool = False


class ProcedureLine(_Said):
    """A procedure: `is` a concept with a `meaning`; `cm`: bowel removed."""

    is_: str = Field(alias="is")
    meaning: str | None = None
    day: date | None = None
    cm: int | None = None


class LabLine(_Said):
    """A result: `of` a laboratory concept, `result` with unit (`96 ng/L`, `<50 ng/L`, `positive`), on a `day`.

    `issued`: the day on which the laboratory released it.
    """

    of: str
    result: str
    day: date
    flag: Literal["low", "normal", "high"] | None = None
    issued: date | None = None


class AllergyLine(_Said):
    """An allergy `to` a drug or an allergen in words, with the `reaction` in words, when one is recorded.

    `over`: why the entry no longer counts.
    """

    to: str
    reaction: str | None = None
    high: bool = False
    intolerance: bool = False
    day: date | None = None
    over: Literal["inactive", "resolved", "refuted", "entered-in-error"] | None = None


class PlannedLine(_Said):
    """An appointment or a service order, by its text; `of`: the laboratory concept that a service order asks for."""

    text: str = ""
    of: str | None = None
    day: date


class PatientLine(_Said):
    """The person."""

    age: int | None = 50
    deceased: bool = False
    left: bool = False


class ExpectedCard(_Said):
    """The card: level, exact summary, exact detail without its evidence, the labels of its suggestions."""

    level: Level
    summary: str
    detail: str
    suggestions: tuple[str, ...] = ()


class ExpectedGap(_Said):
    """The rule could not be answered: which data, and why."""

    not_evaluated: tuple[str, ...]
    reason: str


class Vignette(_Said):
    """One example patient. `proves`: the statements of the founding document that its card shows."""

    name: str
    proves: tuple[str, ...] = ()
    hook: Hook
    profile: Profile = "uk"
    patient: PatientLine = PatientLine()
    orders: tuple[OrderLine, ...] = ()
    problems: tuple[ProblemLine | str, ...] = ()
    labs: tuple[LabLine, ...] = ()
    medicines: tuple[OrderLine, ...] = ()
    statements: tuple[OrderLine, ...] = ()
    doses: tuple[DoseLine, ...] = ()
    told: tuple[DoseLine, ...] = ()
    claims: tuple[DoseLine, ...] = ()
    dispensed: tuple[SupplyLine, ...] = ()
    procedures: tuple[ProcedureLine, ...] = ()
    allergies: tuple[AllergyLine, ...] = ()
    family: tuple[str, ...] = ()
    appointments: tuple[PlannedLine, ...] = ()
    services: tuple[PlannedLine, ...] = ()
    not_supplied: tuple[Source, ...] = ()
    failed: tuple[Source, ...] = ()
    truncated: tuple[Source, ...] = ()
    settings: dict[str, Decimal | bool] = {}
    expect: Literal["no card"] | ExpectedCard | ExpectedGap


class VignetteFile(_Said):
    """A `vignettes.yaml`: the day on which all of it happens, and the examples."""

    today: date
    hook: Hook
    vignettes: Annotated[tuple[Vignette, ...], Field(min_length=15)]

    @model_validator(mode="before")
    @classmethod
    def _usual_hook(cls, data: Any) -> Any:
        """A vignette without a hook is about the file's usual one."""
        return {**data, "vignettes": [{"hook": data["hook"], **each} for each in data["vignettes"]]}


@cache
def load(folder: Path) -> VignetteFile:
    """The vignettes of a rule folder. Raises `RuleError` naming the file and the vignette."""
    path = folder / "vignettes.yaml"
    try:
        return VignetteFile.model_validate(read_yaml(path))
    except ValueError as error:
        raise RuleError(f"{path}: {error}") from error


def all_files() -> dict[str, VignetteFile]:
    """Every vignette file by the topic of its rule."""
    return {path.parent.name.replace("_", "-"): load(path.parent) for path in sorted(CARDS.glob("*/vignettes.yaml"))}


def record(vignette: Vignette, today: date, terminology: Terminology) -> PatientRecord:
    """The patient as the rules see them."""
    courses = [
        _course(each, terminology, Source.MEDICATIONS, f"MedicationRequest/order-{number}")
        for number, each in enumerate(vignette.medicines)
    ]
    courses += [_course(each, terminology, Source.STATEMENTS) for each in vignette.statements]
    doses = [
        _dose(line, source, terminology)
        for lines, source in (
            (vignette.doses, Source.DOSES),
            (vignette.told, Source.STATEMENTS),
            (vignette.claims, Source.CLAIMS),
        )
        for line in lines
        if not line.not_given
    ]
    return PatientRecord(
        drafts=tuple(_order(each, number, terminology) for number, each in enumerate(vignette.orders)),
        patient=Patient(
            born=When.on(born(vignette, today)) if vignette.patient.age is not None else None,
            deceased=vignette.patient.deceased,
            left=vignette.patient.left,
        ),
        problems=tuple(_problem(each, terminology) for each in problem_lines(vignette)),
        courses=tuple(courses),
        doses=tuple(dose for dose in doses if dose.amount or dose.source is not Source.DOSES),
        doses_without_amount=tuple(dose for dose in doses if not dose.amount and dose.source is Source.DOSES),
        not_given=tuple(
            NotGiven(medicine(each, terminology), when(each.day), why_not(each.because))
            for each in vignette.doses
            if each.not_given
        ),
        dispensed=tuple(_dispensed(each, terminology) for each in vignette.dispensed),
        labs=tuple(lab for each in vignette.labs if isinstance(lab := _lab(each), LabResult)),
        procedures=tuple(_procedure(each, terminology) for each in vignette.procedures),
        allergies=tuple(_allergy(each, terminology) for each in vignette.allergies if not each.over),
        family=tuple(
            Relative(_called(terminology, terminology.conditions_of_relatives_in_text(each), each))
            for each in vignette.family
        ),
        planned=tuple(
            _planned(each, source, terminology)
            for lines, source in (
                (vignette.appointments, Source.APPOINTMENTS),
                (vignette.services, Source.TESTS),
            )
            for each in lines
        ),
        sources=_sources(vignette),
    )


def born(vignette: Vignette, today: date) -> date:
    """A birth date that makes the patient exactly the stated age in full years."""
    return date(today.year - (vignette.patient.age or 0), 1, 1)


def problem_lines(vignette: Vignette) -> tuple[ProblemLine, ...]:
    """The problems, a bare word being a concept that is active."""
    return tuple(
        each if isinstance(each, ProblemLine) else ProblemLine.model_validate({"is": each})
        for each in vignette.problems
    )


def code_of(terminology: Terminology, concept: str, meaning: str | None, *, specific: bool = True) -> tuple[str, str]:
    """A code (system URI, code) that stands for a concept in this meaning."""
    for system in ("SNOMED", "ICD10CM", "ICD10", "ICD10PCS", "LOINC", "RXNORM"):
        uri = terminology.uri(system)
        for code in terminology.codes_of(concept, system):
            for coded in terminology.find(uri, code):
                found = coded.concept
                if (found.name, found.specific) == (concept, specific) and meaning in (None, found.meaning):
                    return uri, code
    raise RuleError(f"no code for {concept} ({meaning})")


def amount(text: str) -> Amount:
    """A dose as a vignette writes it: `5 mg`, `400 mcg`, `1 tablet`, `1 ml`, `5` (no unit)."""
    match = _DOSE.match(text)
    if not match:
        raise RuleError(f"dose: {text}")
    low, unit = Decimal(match["low"]), match["unit"]
    high = Decimal(match["high"]) if match["high"] else low
    if unit in _MASS:
        return Amount(low * _MASS[unit], high * _MASS[unit], AmountUnit.MCG, text)
    if unit in _UNITS:
        return Amount(low, high, AmountUnit.UNIT)
    if unit in ("mcg/kg", "mg/kg"):
        return Amount(low, high, AmountUnit.MCG_PER_KG)
    if unit == "ml":
        return Amount(low, high, AmountUnit.ML)
    return Amount(low, high, AmountUnit.UNKNOWN if unit else AmountUnit.NONE)


def period(text: str) -> Period:
    """A period as a vignette writes it: `12 wk`, `2-3 mo`."""
    numbers, unit = text.split()
    low, _, high = numbers.partition("-")
    return Period(Decimal(low), Decimal(high or low), PeriodUnit(unit))


def when(day: date | str) -> When:
    """A day, or a month written `2025-03`."""
    if isinstance(day, date):
        return When.on(day)
    first = date.fromisoformat(f"{day}-01")
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return When(first, date.fromordinal(following.toordinal() - 1))


def why_not(text: str | None) -> WhyNot | None:
    """A stated reason, by the words of `WhyNot`."""
    if text is None:
        return None
    return next((each for each in WhyNot if each.value == text), WhyNot.OTHER)


def medicine(line: Medication, terminology: Terminology) -> Medicine:
    """The product of a line."""
    if line.product is None:
        name = line.drug.replace(" ", "_")
        return Medicine((name,), form_route=Route.INJECTION if name == "hydroxocobalamin" else None)
    ingredients = ingredients_named([line.product], terminology)
    strengths = strengths_in(line.product, ingredients)
    oral = Route.ORAL if re.search(r"tablet|capsule|oral", line.product, re.IGNORECASE) else None
    injection = Route.INJECTION if re.search(r"inj|ampoule", line.product, re.IGNORECASE) else None
    return Medicine(
        ingredients,
        by_text=True,
        strengths=strengths,
        form_route=injection or oral,
        multivitamin=is_multivitamin([line.product], ingredients, strengths, terminology),
        combined=lists_several(line.product),
    )


def _order(line: OrderLine, number: int, terminology: Terminology) -> Order:
    if line.tests:
        return Order(
            reference=f"ServiceRequest/draft-{number + 1}",
            medicine=Medicine(()),
            status=line.status or CourseStatus.DRAFT,
            do_not_perform=line.do_not_perform,
            selected=line.selected,
            tests=line.tests,
            times_injections=bool(re.search("next injection", line.reason or "")),
        )
    return Order(
        reference=f"MedicationRequest/draft-{number + 1}",
        medicine=medicine(line, terminology),
        status=line.status or CourseStatus.DRAFT,
        instructions=line.instructions(terminology),
        replaces=line.follows,
        indications=_indications(line.for_, terminology) if line.for_ else (),
        why_not=why_not(line.because),
        research=line.research,
        nutrition=line.nutrition,
        do_not_perform=line.do_not_perform,
        stated=line.reported,
        selected=line.selected,
    )


def _course(line: OrderLine, terminology: Terminology, source: Source, reference: str = "") -> Course:
    return Course(
        reference=reference,
        medicine=medicine(line, terminology),
        status=line.status or CourseStatus.ACTIVE,
        instructions=line.instructions(terminology),
        authored=When.on(line.since) if line.since else None,
        changed=line.changed,
        indications=_concepts_in(line.for_, terminology) if line.for_ else (),
        why_not=why_not(line.because),
        do_not_perform=line.do_not_perform,
        inpatient=line.inpatient,
        research=line.research,
        stated=source is Source.STATEMENTS,
        source=source,
    )


def _dose(line: DoseLine, source: Source, terminology: Terminology) -> Dose:
    instruction = line.instructions(terminology)[0]
    route = Route.INJECTION if source is Source.CLAIMS else instruction.route
    return Dose(
        medicine(line, terminology),
        when(line.day),
        instruction.amount,
        route,
        instruction.site,
        source,
        stated=source is Source.STATEMENTS,
    )


def _dispensed(line: SupplyLine, terminology: Terminology) -> Dispensed:
    return Dispensed(
        medicine(line, terminology),
        When.on(line.day),
        amount(line.quantity) if line.quantity else None,
        Decimal(line.days) if line.days is not None else None,
        line.instructions(terminology),
    )


def _problem(line: ProblemLine, terminology: Terminology) -> Problem:
    concepts: tuple[Concept, ...]
    if line.is_:
        uri, code = code_of(terminology, line.is_, line.meaning, specific=line.specific)
        concepts = tuple(coded.concept for coded in terminology.find(uri, code))
    else:
        concepts = _concepts_in(line.text or "", terminology)
    length = re.search(r"(\d{1,3}) cm", line.text or "")
    return Problem(
        concepts,
        status=line.status,
        certain=not line.provisional,
        began=When.on(line.day) if line.day else None,
        recorded=When.on(line.recorded) if line.recorded else None,
        ended=When.on(line.ended) if line.ended else None,
        names_b12=names_b12_in_text(line.text or ""),
        by_text=line.is_ is None,
        length_cm=Decimal(length[1]) if length else None,
    )


def _allergy(line: AllergyLine, terminology: Terminology) -> Allergy:
    drugs = [
        each for name in terminology.drugs_reacted_to_in_text(line.to) for each in terminology.drug_ingredients(name)
    ]
    reaction = Reaction.OTHER if line.reaction else Reaction.NOT_RECORDED
    if line.reaction == "anaphylaxis":
        reaction = Reaction.ANAPHYLAXIS
    elif line.reaction in ("angioedema", "bronchospasm", "urticaria"):
        reaction = Reaction.ALLERGIC
    return Allergy(
        (*drugs, *terminology.allergens_in_text(line.to)),
        reaction,
        high_criticality=line.high,
        intolerance=line.intolerance,
        when=When.on(line.day) if line.day else None,
    )


def _procedure(line: ProcedureLine, terminology: Terminology) -> Procedure:
    uri, code = code_of(terminology, line.is_, line.meaning)
    return Procedure(
        tuple(coded.concept for coded in terminology.find(uri, code)),
        When.on(line.day) if line.day else None,
        length_cm=Decimal(line.cm) if line.cm is not None else None,
    )


def _concepts_in(text: str, terminology: Terminology) -> tuple[Concept, ...]:
    return _called(terminology, terminology.conditions_in_text(text), text)


def _called(terminology: Terminology, names: Iterable[str], text: str) -> tuple[Concept, ...]:
    return tuple(Concept("condition", name, terminology.meaning("condition", name, [text])) for name in names)


def _indications(text: str, terminology: Terminology) -> tuple[Concept, ...]:
    beside = (Concept("drug", "methotrexate"),) if goes_with_methotrexate(text) else ()
    return (*_concepts_in(text, terminology), *beside)


def _lab(line: LabLine) -> LabResult | Unreadable:
    flag = Flag(line.flag) if line.flag else None
    match = _RESULT.match(line.result)
    if match is None:
        return LabResult(line.of, When.on(line.day), positive=line.result == "positive", flag=flag)
    try:
        value = to_canonical(line.of, Decimal(match["value"]), match["unit"])
    except ValueError:
        return Unreadable(line.of, When.on(line.day), "unknown-unit")
    comparator = Comparator(match["comparator"]) if match["comparator"] else None
    if comparator is None and implausible(line.of, value):
        return Unreadable(line.of, When.on(line.day), "implausible-value")
    sent = Decimal(match["value"])
    issued = When.on(line.issued) if line.issued else None
    return LabResult(line.of, When.on(line.day), value, comparator, flag, sent=sent, unit=match["unit"], issued=issued)


def _planned(line: PlannedLine, source: Source, terminology: Terminology) -> Planned:
    panels = panels_in_text(line.text) if source is Source.TESTS else ()
    is_test = is_test_in_text(line.text) or bool(panels)
    named = terminology.labs_in_text(line.text) if is_test else ()
    tests = tuple(Concept("lab", name) for name in (*named, *panels))
    return Planned(
        source,
        concepts=(
            *tests,
            *_called(terminology, terminology.conditions_planned_in_text(line.text), line.text),
            *([Concept("lab", line.of)] if line.of else []),
        ),
        names_b12=names_b12_in_text(line.text),
        names_injection=may_inject_b12_in_text(line.text),
        days=When.on(line.day),
        is_test=is_test,
    )


def _sources(vignette: Vignette) -> dict[Source, SourceState]:
    """Every source is supplied unless the vignette says otherwise."""
    unreadable = tuple(lab for each in vignette.labs if isinstance(lab := _lab(each), Unreadable))
    states = {source: SourceState(Supplied.SUPPLIED) for source in Source}
    states[Source.LABS] = SourceState(Supplied.SUPPLIED, unreadable=unreadable)
    states.update({source: SourceState(Supplied.MISSING) for source in vignette.not_supplied})
    states.update({source: SourceState(Supplied.FAILED) for source in vignette.failed})
    for source in vignette.truncated:
        states[source] = SourceState(Supplied.TRUNCATED, back_to=min(_days(vignette, source), default=None))
    return states


def _days(vignette: Vignette, source: Source) -> Iterable[date]:
    if source is Source.LABS:
        return [each.day for each in vignette.labs]
    if source is Source.DOSES:
        return [when(each.day).latest for each in vignette.doses]
    if source is Source.MEDICATIONS:
        return [each.since for each in vignette.medicines if each.since]
    return [each.day for each in problem_lines(vignette) if each.day]
