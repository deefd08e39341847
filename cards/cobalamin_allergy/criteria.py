"""
WHEN  a cobalamin is being ordered
AND   an allergy to a cobalamin, to cobalt, or to an excipient of such products is recorded
THEN  name the reaction and its date, and offer allergy advice or the other form.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from cards.contraindications import allergies
from cards.dosing import (
    COBALAMINS,
    ENDING,
    cobalamin,
    cobalamins,
    is_parenteral,
    route_of,
)
from cards.due_date import injections
from cards.record import BY_MOUTH_OR_NOSE, Allergy, Order, PatientRecord, Reaction, Source
from cards.rule import Alert, Excluded, Limits, Outcome
from cards.status import has, younger_than

_UNKNOWN_FORM = "cobalamin"
_COBALT = "cobalt"
_IN_INJECTIONS = frozenset({"benzyl_alcohol", "parabens"})
_IN_TABLETS = frozenset({"macrogol"})
_EXCIPIENT_NAMES = {
    "benzyl_alcohol": "benzyl alcohol",
    "parabens": "parabens",
    "macrogol": "macrogol (polyethylene glycol)",
}
# Loudest first: of several entries one speaks.
_LOUDEST_FIRST = (
    "same_severe",
    "same",
    "different",
    "cobalt",
    "same_tolerated",
    "same_intolerance",
    "different_tolerated",
    "different_mild",
    "cobalt_tolerated",
    "excipient",
)
# Reactions in our words, never the sender's: on the summary, and in the detail.
_SHORT = {
    Reaction.ANAPHYLAXIS: "anaphylaxis",
    Reaction.ALLERGIC: "allergic reaction",
    Reaction.OTHER: "other reaction",
    Reaction.NOT_RECORDED: "reaction not recorded",
}
_REACTIONS = {
    Reaction.ANAPHYLAXIS: "anaphylaxis",
    Reaction.ALLERGIC: "angioedema, bronchospasm or urticaria",
    Reaction.OTHER: "a reaction other than anaphylaxis, angioedema, bronchospasm or urticaria",
    Reaction.NOT_RECORDED: "the reaction is not recorded",
}
_SEVERE = (Reaction.ANAPHYLAXIS, Reaction.ALLERGIC)
# Optic nerve disease in which cyanocobalamin must not be offered as the other form.
_NO_CYANOCOBALAMIN = ("leber_hereditary_optic_neuropathy", "optic_neuropathy")


class Match(NamedTuple):
    """An allergy that concerns the draft: which situation it is, and the substance it names."""

    variant: str
    allergy: Allergy
    substance: str


def triggered_by(order: Order, limits: Limits) -> bool:
    """Any cobalamin, by any way of giving."""
    return cobalamin(order.medicine) is not None and order.status not in ENDING and not order.do_not_perform


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """A serious reaction to the same cobalamin is critical; tolerated since, it is information, save anaphylaxis."""
    drug = cobalamin(order.medicine) if order else None
    if order is None or drug is None:
        return None
    if any(concept.name == "cyanide_poisoning" for concept in order.indications):
        return Excluded("cyanide poisoning")
    if record.patient.deceased:
        return Excluded("the patient has died")
    matches = [match for each in allergies(record) if (match := _match(each, order, record, limits))]
    if not matches:
        return None
    worst = min(matches, key=lambda match: _LOUDEST_FIRST.index(match.variant))
    return Alert(worst.variant, _facts(worst, drug, order, record, today), order)


def _match(allergy: Allergy, order: Order, record: PatientRecord, limits: Limits) -> Match | None:
    """What one entry means for the draft, if anything."""
    named = [each for each in allergy.substances if each in COBALAMINS]
    tolerated = _tolerated(allergy, order, record, limits)
    if named and (same := next((each for each in named if _is_same(each, order)), None)):
        return Match(_same(allergy, tolerated=tolerated), allergy, same)
    if named:
        return Match(_different(allergy, tolerated=tolerated), allergy, named[0])
    if _COBALT in allergy.substances:
        return Match("cobalt_tolerated" if tolerated else "cobalt", allergy, _COBALT)
    excipient = next((each for each in allergy.substances if each in _possible_excipients(order)), None)
    return Match("excipient", allergy, excipient) if excipient else None


def _same(allergy: Allergy, *, tolerated: bool) -> str:
    if tolerated:
        return "same_tolerated"
    if _severe(allergy):
        return "same_severe"
    return "same_intolerance" if allergy.intolerance else "same"


def _severe(allergy: Allergy) -> bool:
    return allergy.high_criticality or allergy.reaction in _SEVERE


def _different(allergy: Allergy, *, tolerated: bool) -> str:
    if tolerated:
        return "different_tolerated"
    mild = allergy.intolerance or allergy.reaction is Reaction.OTHER
    return "different_mild" if mild and not _severe(allergy) else "different"


def _is_same(substance: str, order: Order) -> bool:
    """The same form; an entry or a draft that names no form may be of any form."""
    drafted = [each for each in order.medicine.ingredients if each in COBALAMINS]
    return substance == _UNKNOWN_FORM or substance in drafted or _UNKNOWN_FORM in drafted


def _tolerated(allergy: Allergy, order: Order, record: PatientRecord, limits: Limits) -> bool:
    """Whether doses of the drafted cobalamin were given after the reaction.

    Anaphylaxis is never lowered, nor is a high criticality of which no reaction is described: it may be the same.
    """
    if allergy.reaction is Reaction.ANAPHYLAXIS or allergy.when is None:
        return False
    if allergy.high_criticality and allergy.reaction is Reaction.NOT_RECORDED:
        return False
    return _doses_since(allergy, order, record) >= limits.whole("tolerated_doses")


def _doses_since(allergy: Allergy, order: Order, record: PatientRecord) -> int:
    """Injections of the drafted cobalamin on days after the reaction's date."""
    since = allergy.when.latest if allergy.when else date.max
    forms = cobalamins(order.medicine)
    return sum(1 for dose in injections(record) if forms <= cobalamins(dose.medicine) and dose.when.earliest > since)


def _possible_excipients(order: Order) -> frozenset[str]:
    """Macrogol in what is swallowed, preservatives in what is injected, either where the way is not known."""
    routes = {route_of(order, each) for each in order.instructions} or {order.medicine.form_route}
    if is_parenteral(order):
        return _IN_INJECTIONS
    return _IN_TABLETS if routes <= BY_MOUTH_OR_NOSE else _IN_INJECTIONS | _IN_TABLETS


def _facts(match: Match, drug: str, order: Order, record: PatientRecord, today: date) -> dict[str, object]:
    allergy = match.allergy
    drug = match.substance if match.substance in cobalamins(order.medicine) else drug
    adult = not younger_than(record, today, 18)
    other = _other_form(match, order, record) if adult else None
    return {
        "drug": drug,
        "substance": match.substance,
        "is_drug": match.substance in COBALAMINS,
        "form_unknown": match.substance != drug and _UNKNOWN_FORM in (match.substance, drug),
        "excipient": _EXCIPIENT_NAMES.get(match.substance),
        "kind": "intolerance" if allergy.intolerance else "allergy",
        "reaction": _REACTIONS[allergy.reaction],
        "short": _SHORT[allergy.reaction],
        "high": allergy.high_criticality,
        "when": allergy.when,
        "doses_since": _doses_since(allergy, order, record),
        "specialist_first": _specialist_first(allergy),
        "refer": match.variant in ("same_severe", "same", "different", "cobalt"),
        "to_hydroxocobalamin": other == "hydroxocobalamin",
        "to_cyanocobalamin": other == "cyanocobalamin",
        "removable": match.variant in ("same_severe", "same"),
    }


def _specialist_first(allergy: Allergy) -> bool:
    """Whether another form must wait for allergy advice too."""
    return allergy.high_criticality or allergy.reaction is Reaction.ANAPHYLAXIS


def _other_form(match: Match, order: Order, record: PatientRecord) -> str | None:
    """The injection to change to, for an entry against the drafted form and no other.

    Cyanocobalamin only when the problem list is known and holds no optic nerve disease.
    """
    if match.variant not in ("same_severe", "same") or not is_parenteral(order):
        return None
    if _specialist_first(match.allergy) or match.substance == _UNKNOWN_FORM:
        return None
    if match.substance != "hydroxocobalamin":
        return "hydroxocobalamin"
    optic = has(record, *_NO_CYANOCOBALAMIN)
    return "cyanocobalamin" if record.known(Source.PROBLEMS) and not optic else None
