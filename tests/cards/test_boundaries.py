"""Every threshold is held from both sides: nudged by one step either way, some example patient's outcome changes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from cards.library import Library, Threshold, load
from cards.record import PatientRecord
from cards.rule import PROFILES, Profile, evaluate, triggered
from cards.vignettes import all_files, record

LIBRARY: Library = load()
FILES = all_files()
# The records do not depend on a threshold: they are built once and asked again and again.
PATIENTS = [
    (topic, file.today, vignette, record(vignette, file.today, LIBRARY.terminology))
    for topic, file in FILES.items()
    for vignette in file.vignettes
]


def _thresholds() -> dict[str, Threshold]:
    own = {name: each for folder in LIBRARY.folders.values() for name, each in folder.definition.thresholds.items()}
    return {**LIBRARY.shared.thresholds, **own}


def _nudges() -> list[Any]:
    nudges = []
    for profile in PROFILES:
        for name, threshold in _thresholds().items():
            value = threshold.in_profile(profile)
            others = [1 - value] if threshold.unit == "yes/no" else [value - threshold.step, value + threshold.step]
            nudges += [pytest.param(profile, name, other, id=f"{profile} {name} {other}") for other in others]
    return nudges


def _outcomes(profile: Profile, own: Mapping[str, Decimal]) -> list[Any]:
    """What becomes of every patient, by the rules that know a threshold of `own`: the others cannot change."""
    rules = [rule for rule in LIBRARY.rules(profile, own) if own.keys() & rule.limits.keys()]
    found = []
    for topic, today, vignette, patient in PATIENTS:
        if own.keys() & vignette.settings.keys():
            continue
        found.append(_outcome([rule for rule in rules if rule.topic == topic], vignette.hook, patient, today))
    return found


def _outcome(rules: Any, hook: Any, patient: PatientRecord, today: Any) -> Any:
    evaluation = evaluate(triggered(rules, hook, patient.drafts), hook, patient, today)
    raised = [(each.level, each.alert.variant) for each in evaluation.raised]
    return raised, [(gap.data, gap.reason) for gap in evaluation.not_evaluated]


@pytest.mark.parametrize(("profile", "name", "nudged"), _nudges())
def test_a_nudge_changes_some_patient(profile: Profile, name: str, nudged: Decimal) -> None:
    unchanged = _thresholds()[name].in_profile(profile)

    assert _outcomes(profile, {name: nudged}) != _outcomes(profile, {name: unchanged})
