"""What the sandbox starts from: every vignette as the call of an EHR, and calls of the official CDS Hooks Sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from cards.library import Library
from cards.rule import Profile
from cards.vignettes import ExpectedCard, ExpectedGap, Vignette, VignetteFile, load
from service.cds_hooks.as_if import AS_IF
from service.demo import ehr

OFFICIAL = "official"
_OFFICIAL_FILE = "official_sandbox.json"


class NoSuchScenario(Exception):
    """No scenario has this id."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A scenario in a list: `level` is that of its card, `silent`, or `open` when the question cannot be answered."""

    id: str
    name: str
    hook: str
    level: str
    profile: Profile = "uk"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario with the day on which it happens, and the call that the EHR makes."""

    summary: Summary
    topic: str
    today: date
    request: Mapping[str, Any]
    expected: str = ""


def summaries(topic: str, library: Library) -> list[Summary]:
    """The scenarios of a rule, or those of the official sandbox, in their order. Raises `NoSuchScenario`."""
    if topic == OFFICIAL:
        return [_official_summary(name) for name in _official()["calls"]]
    return [summary(topic, place, each) for place, each in enumerate(_file(topic, library).vignettes, start=1)]


def summary(topic: str, place: int, vignette: Vignette) -> Summary:
    """A vignette in a list; `place` is its place in its file, the first being 1."""
    expect = vignette.expect
    level = expect.level.value if isinstance(expect, ExpectedCard) else "silent"
    level = "open" if isinstance(expect, ExpectedGap) else level
    return Summary(f"{topic}/{place}", vignette.name, vignette.hook.value, level, vignette.profile)


def scenario(id: str, library: Library) -> Scenario:  # noqa: A002 - it is the id
    """The scenario of an id such as `folate-before-b12/58`. Raises `NoSuchScenario`."""
    topic, _, name = id.partition("/")
    if topic == OFFICIAL:
        return _official_scenario(name)
    file = _file(topic, library)
    if not name.isascii() or not name.isdigit() or not 1 <= int(name) <= len(file.vignettes):
        raise NoSuchScenario
    vignette = file.vignettes[int(name) - 1]
    return Scenario(
        summary(topic, int(name), vignette),
        topic,
        file.today,
        {**ehr.request(vignette, file.today, library.terminology), "extension": {AS_IF: as_if(vignette, file.today)}},
        vignette.expect.summary if isinstance(vignette.expect, ExpectedCard) else "",
    )


def as_if(vignette: Vignette, today: date) -> dict[str, Any]:
    """What the service must take for granted to answer a vignette: its day, its profile, a site's own thresholds."""
    own = {name: value if isinstance(value, bool) else float(value) for name, value in vignette.settings.items()}
    return {"today": today.isoformat(), "profile": vignette.profile, **({"thresholds": own} if own else {})}


def _file(topic: str, library: Library) -> VignetteFile:
    if topic not in library.folders:
        raise NoSuchScenario
    return load(library.folders[topic].folder)


def _official_summary(name: str) -> Summary:
    call = _official()["calls"][name]
    return Summary(f"{OFFICIAL}/{name}", call["name"], call["body"]["hook"], call["level"])


def _official_scenario(name: str) -> Scenario:
    """A recorded call with the data of one patient, on the day after it was recorded."""
    recorded = _official()
    if name not in recorded["calls"]:
        raise NoSuchScenario
    scene = {"today": recorded["today"], "profile": recorded["profile"]}
    request = {
        **recorded["calls"][name]["body"],
        "prefetch": recorded["prefetch"],
        "extension": {AS_IF: scene},
    }
    return Scenario(_official_summary(name), OFFICIAL, date.fromisoformat(recorded["today"]), request)


@cache
def _official() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("service.demo").joinpath(_OFFICIAL_FILE).read_text("utf-8"))
    return found
