"""What the sandbox shows: the list of scenarios, and the screen of the pretend EHR for one request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from cards.library import Library
from cards.rule import Hook, Profile
from service.demo import scenarios
from service.demo.chart import Chart, chart
from service.demo.orders import Form, forms
from service.demo.scenarios import OFFICIAL, START, Scenario, Summary
from service.web.timeline import Timeline, timeline

OWN = "own"
HOOKS = {
    Hook.PATIENT_VIEW: ("Open chart", "patient-view"),
    Hook.ORDER_SELECT: ("Select", "order-select"),
    Hook.ORDER_SIGN: ("Sign", "order-sign"),
}
PRODUCTS = (
    "Hydroxocobalamin 1mg/1ml solution for injection ampoules",
    "Cyanocobalamin 1mg tablets",
    "Cyanocobalamin 50microgram tablets",
    "Cyanocobalamin 1000 mcg/mL injection",
    "Methylcobalamin 1mg tablets",
    "Folic acid 5mg tablets",
    "Folic acid 400microgram tablets",
    "Metformin 500mg tablets",
    "Omeprazole 20mg capsules",
)
SITES = (
    "deltoid, left",
    "deltoid, right",
    "ventrogluteal, right",
    "vastus lateralis, left",
    "buttock, left",
    "buttock, upper outer quadrant",
)
ROUTES = ("intramuscular", "subcutaneous", "intravenous", "intradermal", "oral", "sublingual", "nasal")
UNITS = ("mg", "micrograms", "g", "mL", "tablet", "ampoule")
PERIODS = {"h": "hours", "d": "days", "wk": "weeks", "mo": "months", "a": "years"}


@dataclass(frozen=True, slots=True)
class Group:
    """A rule, or the official sandbox, in the list of what can be chosen from."""

    topic: str
    title: str


@dataclass(frozen=True, slots=True)
class Screen:
    """The pretend EHR: the patient's chart with its timeline, and the drafts."""

    chart: Chart
    timeline: Timeline | None
    drafts: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class SandboxPage:
    """The page: what can be chosen, what is chosen, and the screen of it. `text` is the request in the editor."""

    groups: tuple[Group, ...]
    topic: str
    hits: tuple[Summary, ...]
    others: tuple[Summary, ...]
    scenario: Scenario | None
    hook: str
    text: str
    screen: Screen

    @property
    def rules(self) -> frozenset[str]:
        """The groups that are rules."""
        return frozenset(each.topic for each in self.groups) - {START, OFFICIAL}

    @property
    def title(self) -> str:
        """The title of the chosen group."""
        return next((each.title for each in self.groups if each.topic == self.topic), "")


def first_of(topic: str, library: Library) -> str:
    """The scenario that a rule shows first: its first critical card, else its first card. Raises `NoSuchScenario`."""
    found = scenarios.summaries(topic, library)
    cards = [each for each in found if each.level in ("critical", "warning", "info")]
    return next((each.id for each in cards if each.level == "critical"), cards[0].id)


def sandbox_page(id: str, library: Library, zone: ZoneInfo, today: date) -> SandboxPage:  # noqa: A002 - it is the id
    """The page of a scenario, or of the reader's own request (`own`). Raises `NoSuchScenario`."""
    topic = id.partition("/")[0]
    chosen = None if id == OWN else scenarios.scenario(id, library)
    request: Mapping[str, Any] = chosen.request if chosen else {}
    found = scenarios.summaries(topic, library) if chosen else []
    return SandboxPage(
        groups=_groups(library),
        topic=topic,
        hits=tuple(each for each in found if each.level not in ("silent", "open")),
        others=tuple(each for each in found if each.level in ("silent", "open")),
        scenario=chosen,
        hook=chosen.summary.hook if chosen else Hook.ORDER_SIGN.value,
        text=in_full(request) if chosen else "",
        screen=screen(request, library, zone, chosen.today if chosen else today, _profile(chosen)),
    )


def screen(
    request: Mapping[str, Any], library: Library, zone: ZoneInfo, today: date, profile: Profile = "uk"
) -> Screen:
    """The screen for a request of any quality."""
    shown = chart(request, library.terminology, zone, today)
    limit = float(library.shared.thresholds["b12_deficient_below"].in_profile(profile))
    return Screen(shown, timeline(shown, limit), tuple(forms(request, library.terminology, zone)))


def in_full(request: Mapping[str, Any]) -> str:
    """A request as text for the editor."""
    return json.dumps(request, indent=2, ensure_ascii=False)


def _groups(library: Library) -> tuple[Group, ...]:
    rules = [
        Group(topic, library.folders[topic].definition.title)
        for topic in sorted(library.folders, key=library.shared.precedence.index)
    ]
    return (Group(START, "Start here: full charts"), *rules, Group(OFFICIAL, "Calls of the official CDS Hooks Sandbox"))


def _profile(chosen: Scenario | None) -> Profile:
    return chosen.summary.profile if chosen else "uk"
