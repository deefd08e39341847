"""b12-cds demo-population: an export with known answers, of patients from the vignettes and of ordinary patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, Literal, NamedTuple

import orjson

from cards.library import Library, load
from cards.rule import Hook, Profile, Rule, evaluate, triggered
from cards.vignettes import ExpectedCard, Vignette, VignetteFile, all_files, record
from service.demo import ehr, ordinary

ANSWERS = "answers.csv"
PREVALENCE = 0.2
Resource = dict[str, Any]
# Sorted, so that two runs write the same bytes.
_TYPES = (
    "AllergyIntolerance", "Appointment", "Condition", "Encounter", "ExplanationOfBenefit", "FamilyMemberHistory",
    "MedicationAdministration", "MedicationDispense", "MedicationRequest", "MedicationStatement", "Observation",
    "Patient", "Procedure", "ServiceRequest",
)  # fmt: skip
# When a chart does not say since when it holds a resource; it has no clinical meaning.
_ENTERED = "2020-01-01T09:00:00Z"
_WITHOUT_DAY = {
    "Condition": ("recordedDate", "onsetDateTime"),
    "MedicationStatement": ("effectivePeriod", "effectiveDateTime", "dateAsserted"),
    "MedicationRequest": ("authoredOn",),
    "Procedure": ("performedDateTime",),
    "ServiceRequest": ("authoredOn",),
    "Appointment": ("created",),
}


class Answer(NamedTuple):
    """What is known of one patient: on `day` the rule speaks (`card`) or is silent; every rule, for an ordinary one."""

    patient: str
    topic: str
    day: date
    hook: str
    expected: Literal["card", "no card"]
    vignette: str


def write(
    count: int, folder: Path, library: Library, profile: Profile, prevalence: float = PREVALENCE, seed: int = 1
) -> list[Answer]:
    """Writes the NDJSON of `count` patients and their answers; the same for the same arguments.

    Of all patients the share `prevalence` are vignettes, each once before any comes again. Patients are interleaved.
    Raises `OSError` when it cannot write there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    answers = []
    with ExitStack() as open_files:
        files = {kind: open_files.enter_context((folder / f"{kind}.ndjson").open("wb")) for kind in _TYPES}
        for answer, resources in _patients(count, library, profile, prevalence, seed):
            answers.append(answer)
            _append(resources, files)
    lines = [",".join(Answer._fields)]
    lines += [",".join([*map(str, answer[:-1]), _quoted(answer.vignette)]) for answer in answers]
    (folder / ANSWERS).write_text("\n".join(lines) + "\n", "utf-8")
    return answers


@cache
def usable(profile: Profile) -> list[tuple[str, VignetteFile, Vignette]]:
    """The vignettes that an export can tell: what was signed or viewed, with all of the chart supplied.

    An export cannot say that a query failed, nor that an order was being stopped, held or chosen. Left out, too, are
    those of whose problem another rule speaks when all rules are asked.
    """
    library = load()
    rules = library.rules(profile)
    return [
        (topic, file, vignette)
        for topic, file in all_files().items()
        for vignette in file.vignettes
        if vignette.profile == profile
        and vignette.hook is not Hook.ORDER_SELECT
        and not (vignette.not_supplied or vignette.failed or vignette.truncated or vignette.settings)
        and not any(order.status or order.reported for order in vignette.orders)
        and not any(order.since is None for order in vignette.medicines)
        and (isinstance(vignette.expect, ExpectedCard) or vignette.expect == "no card")
        and topic not in _merged(vignette, file.today, library, rules)
    ]


def _merged(vignette: Vignette, today: date, library: Library, rules: Sequence[Rule]) -> Mapping[str, str]:
    """The rules whose problem another rule speaks of."""
    patient = record(vignette, today, library.terminology)
    asked = triggered(rules, vignette.hook, patient.drafts)
    return evaluate(asked, vignette.hook, patient, today).merged


def _patients(
    count: int, library: Library, profile: Profile, prevalence: float, seed: int
) -> Iterator[tuple[Answer, list[Resource]]]:
    random = Random(seed)  # noqa: S311 - the same population on every run
    vignettes = random.sample(usable(profile), k=len(usable(profile)))
    used = 0
    newest = max(file.today for _, file, _ in vignettes)
    for number in range(1, count + 1):
        patient = f"patient-{number:07}"
        # Evenly spread, so that the share holds for any number of patients.
        if int(number * prevalence) > int((number - 1) * prevalence):
            topic, file, vignette = vignettes[used % len(vignettes)]
            used += 1
            expected: Literal["card", "no card"] = "no card" if vignette.expect == "no card" else "card"
            answer = Answer(patient, topic, file.today, vignette.hook.value, expected, vignette.name)
            yield answer, of_vignette(vignette, file.today, patient, library)
        else:
            own = Random(f"{seed} {number}")  # noqa: S311
            yield Answer(patient, "", newest, "", "no card", ""), ordinary.chart(patient, own, newest)


def of_vignette(vignette: Vignette, today: date, patient: str, library: Library) -> list[Resource]:
    """The chart of a vignette as an export holds it, its call included: an order of that day, or a visit."""
    call = ehr.request(vignette, today, library.terminology)
    answers = call["prefetch"].values()
    found = [entry["resource"] for answer in answers for entry in answer.get("entry", [{"resource": answer}])]
    found = [resource for resource in found if resource["resourceType"] != "Bundle"]
    drafts = [entry["resource"] for entry in call["context"].get("draftOrders", {}).get("entry", [])]
    found += [{**draft, "status": "active", "authoredOn": today.isoformat()} for draft in drafts]
    if vignette.hook is Hook.PATIENT_VIEW:
        found.append({"resourceType": "Encounter", "status": "in-progress", "period": {"start": today.isoformat()}})
    own = [_own(resource, number, patient) for number, resource in enumerate(found)]
    return [_dated(resource, today) for resource in own]


def _own(resource: Resource, number: int, patient: str) -> Resource:
    """A resource with ids of this patient."""
    if resource["resourceType"] == "Patient":
        return {**resource, "id": patient}
    if resource["resourceType"] == "Encounter":
        resource = {**resource, "subject": {"reference": f"Patient/{ehr.PATIENT}"}}
    told = orjson.dumps(resource).decode()
    told = told.replace(f'"Patient/{ehr.PATIENT}"', f'"Patient/{patient}"')
    told = told.replace('"MedicationRequest/', f'"MedicationRequest/{patient}-')
    own: Resource = orjson.loads(told)
    return {**own, "id": f"{patient}-{resource.get('id', number)}"}


def _dated(resource: Resource, today: date) -> Resource:
    """A resource that names no day of its own, with the day on which it was entered."""
    if resource.get("deceasedBoolean") or resource.get("active") is False:
        return {**resource, "meta": {"lastUpdated": _ENTERED}}
    names = _WITHOUT_DAY.get(resource["resourceType"], ())
    if not names or any(name in resource for name in names) or "meta" in resource:
        return resource
    if resource["resourceType"] == "Appointment":
        return {**resource, "created": str(today - timedelta(days=1))}
    return {**resource, "meta": {"lastUpdated": _ENTERED}}


def _append(resources: list[Resource], files: Mapping[str, BinaryIO]) -> None:
    for resource in resources:
        files[resource["resourceType"]].write(orjson.dumps(resource) + b"\n")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
