"""What the sandbox starts from: vignettes as the calls of an EHR, and calls of the official CDS Hooks Sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from cards.library import Library, read_yaml
from cards.rule import Profile
from cards.vignettes import ExpectedCard, ExpectedGap, Vignette, VignetteFile, load
from service.cds_hooks.as_if import AS_IF
from service.demo import ehr

START, OFFICIAL = "start", "official"
_START_FILE = Path(__file__).with_name("start.yaml")
_OFFICIAL_FILE = Path(__file__).with_name("official_sandbox.json")


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


class _Patient(BaseModel):
    """A patient of `start.yaml`; `level` and `topic` are those of the first card."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sex: str
    level: str
    topic: str
    vignette: dict[str, Any]

    @cached_property
    def told(self) -> Vignette:
        """The patient as a vignette, which leaves open what the card says."""
        return Vignette.model_validate({**self.vignette, "expect": "no card"})

    def summary(self, place: int) -> Summary:
        """The patient in a list."""
        return Summary(f"{START}/{place}", self.told.name, self.told.hook.value, self.level, self.told.profile)


class _Patients(BaseModel):
    """`start.yaml`."""

    today: date
    patients: tuple[_Patient, ...]


def summaries(topic: str, library: Library) -> list[Summary]:
    """The scenarios of a rule, of `start` or of the `official` sandbox, in their order. Raises `NoSuchScenario`."""
    if topic == START:
        return [each.summary(place) for place, each in enumerate(_start().patients, start=1)]
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
    if topic == START:
        place = _place(name, len(_start().patients))
        patient = _start().patients[place - 1]
        request = _request(patient.told, _start().today, library)
        request["prefetch"]["patient"]["gender"] = patient.sex
        return Scenario(patient.summary(place), topic, _start().today, request)
    file = _file(topic, library)
    place = _place(name, len(file.vignettes))
    vignette = file.vignettes[place - 1]
    return Scenario(summary(topic, place, vignette), topic, file.today, _request(vignette, file.today, library))


def as_if(vignette: Vignette, today: date) -> dict[str, Any]:
    """What the service must take for granted to answer a vignette: its day, its profile, a site's own thresholds."""
    own = {name: value if isinstance(value, bool) else float(value) for name, value in vignette.settings.items()}
    return {"today": today.isoformat(), "profile": vignette.profile, **({"thresholds": own} if own else {})}


def _request(vignette: Vignette, today: date, library: Library) -> dict[str, Any]:
    return {**ehr.request(vignette, today, library.terminology), "extension": {AS_IF: as_if(vignette, today)}}


def _place(name: str, last: int) -> int:
    """The place that an id names, the first being 1. Raises `NoSuchScenario`."""
    if not name.isascii() or not name.isdigit() or not 1 <= int(name) <= last:
        raise NoSuchScenario
    return int(name)


@cache
def _start() -> _Patients:
    return _Patients.model_validate(read_yaml(_START_FILE))


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
    found: dict[str, Any] = json.loads(_OFFICIAL_FILE.read_text(encoding="utf-8"))
    return found
