"""
WHEN  an injection of a cobalamin is being ordered
AND   its site is the buttock, or a gluteal site that may be the buttock
THEN  offer a site away from the sciatic nerve.
"""

from __future__ import annotations

from datetime import date

from cards.dosing import ENDING, cobalamin, is_injected, route_of
from cards.record import BY_MOUTH_OR_NOSE, Order, PatientRecord, Route, Site
from cards.rule import DRAFTS, Alert, Limits, Outcome, Unanswerable
from cards.status import has

BUTTOCK = frozenset({"buttock", "other_quadrant", "upper_outer_quadrant", "gluteal_unspecified"})
# Sites of a given dose that are surely dorsogluteal; HL7's LG and RG may be ventrogluteal.
_DORSOGLUTEAL = frozenset({"buttock", "other_quadrant", "upper_outer_quadrant"})
_NOT_INTO_MUSCLE = BY_MOUTH_OR_NOSE | {Route.INTRAVENOUS, Route.TRANSDERMAL}


def triggered_by(order: Order, limits: Limits) -> bool:
    """A cobalamin to be injected into a gluteal site that is not surely ventrogluteal, or into one that is unread."""
    return (
        cobalamin(order.medicine) is not None
        and order.status not in ENDING
        and not order.do_not_perform
        and (_gluteal_site(order) is not None or _is_unread(order))
    )


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """The draft is enough to speak; earlier buttock doses and a sciatic injury raise the level."""
    site = _gluteal_site(order) if order else None
    if order is None or site is None:
        return Unanswerable((DRAFTS,), "unknown-code") if order and _is_unread(order) else None
    earlier = sum(
        1
        for dose in record.doses
        if cobalamin(dose.medicine) and is_injected(dose) and dose.site and dose.site.kind in _DORSOGLUTEAL
    )
    sciatic = has(record, "sciatic_nerve_injury")
    repeated = earlier >= limits.whole("repeated_buttock_doses")
    variant = {
        "upper_outer_quadrant": "upper_outer_quadrant",
        "gluteal_unspecified": "gluteal_unspecified",
    }.get(site.kind, "buttock")
    if sciatic or repeated:
        variant = "sciatic_injury" if sciatic else "repeated"
    return Alert(
        variant,
        {
            "drug": cobalamin(order.medicine),
            "site": _in_words(site),
            "upper_outer": site.kind == "upper_outer_quadrant",
            "unspecified": site.kind == "gluteal_unspecified",
            "earlier": earlier,
            "sciatic": sciatic,
        },
        order,
    )


def _gluteal_site(order: Order) -> Site | None:
    """The first gluteal site of an instruction that goes into the muscle or does not say where it goes."""
    for each in order.instructions:
        if each.site and each.site.kind in BUTTOCK and route_of(order, each) not in _NOT_INTO_MUSCLE:
            return each.site
    return None


def _is_unread(order: Order) -> bool:
    """Whether an instruction that goes into the muscle, or may, names its site in a code that nobody knows."""
    return any(each.site_unread and route_of(order, each) not in _NOT_INTO_MUSCLE for each in order.instructions)


def _in_words(site: Site) -> str:
    """`left buttock`, `upper outer quadrant of the left buttock`: in our words, never the sender's."""
    side = f"{site.side} " if site.side else ""
    if site.kind == "upper_outer_quadrant":
        return f"upper outer quadrant of the {side}buttock"
    return f"{side}gluteal site" if site.kind == "gluteal_unspecified" else f"{side}buttock"
