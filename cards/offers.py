"""What a suggestion must not offer: what is ordered or drafted already, and a drug that this patient must not have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from cards.contraindications import allergic
from cards.dosing import (
    CURRENT,
    ENDING,
    Phase,
    begins,
    cobalamin,
    cobalamins,
    copy_in_chart,
    daily_cobalamin,
    ends_on,
    is_parenteral,
    phase,
)
from cards.fact import fact
from cards.library import Action, ChangeOrder, CreateOrder, CreateTest, DeleteDraft, Library, Regimen
from cards.neurology import optic_risk
from cards.record import Course, PatientRecord, Source
from cards.rule import Profile
from cards.status import is_forgotten


class Withheld(StrEnum):
    """Why an action is not offered."""

    ALLERGY = "allergy"
    OPTIC_NERVE = "cyanocobalamin may harm the optic nerve"
    ALREADY_ORDERED = "already ordered"


@fact(frozen=True, slots=True)
class Offers:
    """Judges the actions of suggestions for one patient on one day."""

    library: Library
    profile: Profile
    record: PatientRecord
    today: date

    def withheld(self, action: Action, about: Course | None) -> Withheld | None:
        """Why this action is not offered, or None. `about`: the order that the card speaks of, which it may replace."""
        if isinstance(action, CreateOrder):
            regimen = self.library.regimens.orders[action.order].in_profile(self.profile)
            if allergic(self.record, regimen.drug):
                return Withheld.ALLERGY
            if regimen.drug == "cyanocobalamin" and optic_risk(self.record):
                return Withheld.OPTIC_NERVE
            return Withheld.ALREADY_ORDERED if self._ordered(regimen, about) else None
        if isinstance(action, ChangeOrder) and action.change.status and about:
            # To go on with a drug is to give it.
            forms = cobalamins(about.medicine)
            return Withheld.ALLERGY if any(allergic(self.record, each) for each in forms) else None
        if isinstance(action, CreateTest):
            return Withheld.ALREADY_ORDERED if self._requested(action.test) else None
        return None

    def _ordered(self, regimen: Regimen, about: Course | None) -> bool:
        """Whether an injected cobalamin of the same phase is drafted beside the order in question, or is still running.

        One dose today is a matter of today's drafts alone.
        """
        if not any(cobalamin(each.medicine) for each in (*self.record.drafts, *self.record.courses)):
            return False
        wanted = _phase(regimen)
        drafts = (each for each in self.record.drafts if about is None or each.reference != about.reference)
        found: Iterable[Course] = drafts
        if wanted is not Phase.SINGLE:
            ending = self._being_ended()
            running = (
                each
                for each in self.record.courses
                if each is not about and not any(each is other for other in ending) and self._runs(each)
            )
            found = (*drafts, *running)
        if regimen.route == "oral":
            return any(_taken_in_that_dose(each, regimen) for each in found)
        return any(
            cobalamin(each.medicine)
            and is_parenteral(each)
            and each.status not in ENDING
            and not each.do_not_perform
            and wanted in {phase(instruction) for instruction in each.instructions}
            for each in found
        )

    def _being_ended(self) -> list[Course]:
        """The chart's copies of the orders that the drafts stop: signed, they run no longer."""
        stops = [draft for draft in self.record.drafts if draft.status in ENDING or draft.do_not_perform]
        copies = [copy_in_chart(draft, self.record.courses) for draft in stops if cobalamin(draft.medicine)]
        return [copy for copy in copies if copy]

    def _runs(self, course: Course) -> bool:
        if course.status not in CURRENT or course.stated:
            return False
        start = begins(course)
        ends = [ends_on(each, start) for each in course.instructions]
        return any(end is None or end >= self.today for end in ends)

    def _requested(self, test: str) -> bool:
        """Whether the test is drafted, or requested without a result since."""
        coded = self.library.regimens.tests[test].code
        if coded is None:
            return False
        system, code = coded
        wanted = {
            each.concept.name for each in self.library.terminology.find(self.library.terminology.uri(system), code)
        }
        if any(wanted & set(draft.tests) for draft in self.record.drafts):
            return True
        return any(
            planned.source is Source.TESTS
            and wanted & {concept.name for concept in planned.concepts}
            and not is_forgotten(planned, self.today)
            and not (planned.authored and self._resulted(wanted, planned.authored.latest))
            for planned in self.record.planned
        )

    def _resulted(self, wanted: set[str], since: date) -> bool:
        return any(lab.concept in wanted and lab.when.latest >= since for lab in self.record.labs)


def _taken_in_that_dose(course: Course, regimen: Regimen) -> bool:
    """Whether an order brings the regimen's dose, or more, without injections."""
    if is_parenteral(course) or course.status in ENDING or course.do_not_perform:
        return False
    amount = daily_cobalamin(course)
    return amount is not None and amount.low >= regimen.dose_mg * 1000


def only_removes(actions: Iterable[Action]) -> bool:
    """Whether all that is offered is to delete: no way out of a problem."""
    return all(isinstance(each, DeleteDraft) for each in actions)


def _phase(regimen: Regimen) -> Phase:
    first = regimen.steps[0]
    if first.once:
        return Phase.SINGLE
    return Phase.LOADING if first.unit == "d" or (first.unit == "wk" and first.every == 1) else Phase.MAINTENANCE
