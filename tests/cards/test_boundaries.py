"""Every threshold is held from both sides: nudged by one step either way, some example patient's outcome changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import pytest

from cards.library import Library, Threshold, load
from cards.record import PatientRecord
from cards.rule import PROFILES, Profile, Rule, evaluate, triggered
from cards.vignettes import Vignette, all_files, record

LIBRARY: Library = load()


class Patient(NamedTuple):
    """An example patient, read once: the record does not depend on a threshold."""

    topic: str
    today: date
    vignette: Vignette
    record: PatientRecord


PATIENTS = [
    Patient(topic, file.today, vignette, record(vignette, file.today, LIBRARY.terminology))
    for topic, file in all_files().items()
    for vignette in file.vignettes
]


def _thresholds() -> dict[str, Threshold]:
    own = {name: each for folder in LIBRARY.folders.values() for name, each in folder.definition.thresholds.items()}
    return {**LIBRARY.shared.thresholds, **own}


class Nudge(NamedTuple):
    """A threshold moved by its step, in the profiles that have this value: the criteria never ask for the profile."""

    profiles: frozenset[Profile]
    name: str
    to: Decimal


def _nudges() -> list[Any]:
    nudges = []
    for name, threshold in _thresholds().items():
        values: dict[Decimal, set[Profile]] = {}
        for profile in PROFILES:
            values.setdefault(threshold.in_profile(profile), set()).add(profile)
        for value, profiles in values.items():
            others = [1 - value] if threshold.unit == "yes/no" else [value - threshold.step, value + threshold.step]
            for other in others:
                where = " and ".join(sorted(profiles))
                nudges.append(pytest.param(Nudge(frozenset(profiles), name, other), id=f"{where} {name} {other}"))
    return nudges


@cache
def _rule(topic: str, profile: Profile, own: tuple[tuple[str, Decimal], ...]) -> Rule:
    return next(rule for rule in LIBRARY.rules(profile, dict(own)) if rule.topic == topic)


def _outcome(patient: Patient, nudged: Mapping[str, Decimal]) -> Any:
    """What becomes of a patient by the rule whose example this is, in its own profile and with its own settings."""
    own = {**{name: Decimal(value) for name, value in patient.vignette.settings.items()}, **nudged}
    rule = _rule(patient.topic, patient.vignette.profile, tuple(sorted(own.items())))
    hook = patient.vignette.hook
    evaluation = evaluate(triggered([rule], hook, patient.record.drafts), hook, patient.record, patient.today)
    raised = [(each.level, each.alert.variant) for each in evaluation.raised]
    return raised, [(gap.data, gap.reason) for gap in evaluation.not_evaluated]


@cache
def _unchanged(place: int) -> Any:
    return _outcome(PATIENTS[place], {})


def _held_by(nudge: Nudge) -> Iterator[str]:
    """The example patients whose outcome in their own profile changes with the threshold."""
    for place, patient in enumerate(PATIENTS):
        vignette = patient.vignette
        if vignette.profile not in nudge.profiles or nudge.name in vignette.settings:
            continue
        own = LIBRARY.folders[patient.topic].definition.thresholds
        if nudge.name not in own and nudge.name not in LIBRARY.shared.thresholds:
            continue
        if _outcome(patient, {nudge.name: nudge.to}) != _unchanged(place):
            yield f"{patient.topic}: {vignette.name}"


@pytest.mark.parametrize("nudge", _nudges())
def test_a_nudge_changes_some_patient(nudge: Nudge) -> None:
    assert next(_held_by(nudge), None)
