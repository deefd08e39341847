"""Draft orders on the screen of the pretend EHR: as a form, and what becomes of them when a suggestion is accepted."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cards.record import Source
from cards.rule import Hook
from cards.terminology import Terminology
from service.demo import words
from service.demo.words import Resource, name_of, objects, text
from service.fhir.numbers import known_number

FIELDS = ("drug", "dose", "unit", "route", "site", "times", "period", "period_unit", "end")
_MEDICINES = frozenset({"MedicationRequest", "MedicationOrder"})
_TESTS = frozenset({"ServiceRequest", "ProcedureRequest"})
# Where an EHR files what it creates beside draft orders, or when no order is being written.
_FILED = {
    "MedicationRequest": Source.MEDICATIONS,
    "MedicationStatement": Source.STATEMENTS,
    "ServiceRequest": Source.TESTS,
}
_KINDS = {"MedicationStatement": "Recorded", "Task": "Task for the team"}


class WrongEdit(Exception):
    """A change that cannot be made to this request; the text says why."""


class Form(NamedTuple):
    """One draft as the form shows it; `place` is its place in the Bundle, `kind` is medicine, test or other.

    `later` are the phases after the first, in words. The other members are the values of the fields.
    """

    place: int
    kind: str
    title: str
    summary: str
    later: tuple[str, ...]
    values: Mapping[str, str]
    json: str


class Accepted(NamedTuple):
    """A request after a suggestion was accepted, and what is different, a line each."""

    request: Resource
    changes: tuple[str, ...]


def forms(request: Mapping[str, Any], terminology: Terminology, zone: ZoneInfo) -> list[Form]:
    """The drafts of a request, in their order."""
    return [
        _form(place, entry["resource"], terminology, zone)
        for place, entry in enumerate(_entries(request))
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict)
    ]


def with_field(request: Resource, place: int, field: str, value: str) -> Resource:
    """The request with one field of one draft changed; an empty value takes the field away.

    Raises `WrongEdit` for a draft or a field that is not there, or a value that the field cannot have.
    """
    changed = copy.deepcopy(request)
    entries = _entries(changed)
    if not 0 <= place < len(entries) or not isinstance(entries[place], dict):
        raise WrongEdit("There is no such draft.")
    draft = entries[place].get("resource")
    if not isinstance(draft, dict) or _type(draft) not in _MEDICINES:
        raise WrongEdit("Only a medicine has this form.")
    if field not in FIELDS:
        raise WrongEdit("There is no such field.")
    if field == "drug":
        for member in ("medicationReference", "medication"):
            draft.pop(member, None)
        draft["medicationCodeableConcept"] = {"text": value}
    else:
        _set_in_dosage(_first_dosage(draft), field, value.strip())
    return changed


def accepted(
    request: Resource, suggestion: Mapping[str, Any], hook: Hook, terminology: Terminology, zone: ZoneInfo, today: date
) -> Accepted:
    """What an EHR makes of an accepted suggestion: its own drafts and chart with the actions done.

    On patient-view no order is being written: what is created goes straight into the chart.
    """
    changed = copy.deepcopy(request)
    changes: list[str] = []
    for action in objects(suggestion.get("actions")):
        resource = action.get("resource")
        if action.get("type") == "delete":
            changes += _delete(changed, text(action.get("resourceId")), terminology, zone)
        elif isinstance(resource, dict) and action.get("type") == "update":
            changes += _update(changed, resource, terminology, zone)
        elif isinstance(resource, dict):
            changes.append(_create(changed, resource, hook, today, terminology, zone))
    return Accepted(changed, tuple(changes))


def _entries(request: Mapping[str, Any]) -> list[Any]:
    """The entries of `draftOrders`, which a change may be made to."""
    context = request.get("context")
    drafts = context.get("draftOrders") if isinstance(context, dict) else None
    entries = drafts.get("entry") if isinstance(drafts, dict) else None
    return entries if isinstance(entries, list) else []


# --- the form ----------------------------------------------------------------------------------------------------


def _form(place: int, draft: Resource, terminology: Terminology, zone: ZoneInfo) -> Form:
    kind = {**dict.fromkeys(_MEDICINES, "medicine"), **dict.fromkeys(_TESTS, "test")}
    name = _title(draft, terminology)
    phases = [words.in_full(each) for each in words.instructions(draft, terminology, zone)]
    return Form(
        place=place,
        kind=kind.get(_type(draft), "other"),
        title=name,
        summary=words.how_taken(draft, terminology, zone),
        later=tuple(phases[1:]),
        values=_values(draft, terminology, zone),
        json=json.dumps(draft, indent=2, ensure_ascii=False),
    )


def _title(draft: Resource, terminology: Terminology) -> str:
    if _type(draft) in _MEDICINES:
        name = words.medicine_name(draft, terminology)
        return "No medicine chosen yet" if name == words.UNNAMED else name
    names = [name_of(draft.get("code"), terminology)]
    names += [name_of(each, terminology) for each in objects(draft.get("orderDetail"))]
    return ", ".join(filter(None, names)) or _type(draft) or "Order"


def _type(resource: Resource) -> str:
    return text(resource.get("resourceType"))


def _values(draft: Resource, terminology: Terminology, zone: ZoneInfo) -> dict[str, str]:
    """What the fields hold: the structure of the first instruction, read as the service reads it."""
    dosage = next(iter(objects(draft.get("dosageInstruction"))), {})
    rate = next(iter(objects(dosage.get("doseAndRate"))), dosage)
    quantity = _object(rate, "doseQuantity")
    repeat = _object(_object(dosage, "timing"), "repeat")
    bounds = _object(repeat, "boundsPeriod")
    read = next(words.instructions(draft, terminology, zone), None)
    name = words.medicine_name(draft, terminology)
    return {
        "drug": "" if name == words.UNNAMED else name,
        "dose": _number(quantity.get("value")),
        "unit": text(quantity.get("unit")) or text(quantity.get("code")),
        "route": words.route(read) if read else "",
        "site": name_of(dosage.get("site"), terminology),
        "times": _number(repeat.get("frequency")),
        "period": _number(repeat.get("period")),
        "period_unit": text(repeat.get("periodUnit")),
        "end": text(bounds.get("end"))[:10],
    }


def _object(holder: Resource, member: str) -> Resource:
    """A member, or an empty object where it is none."""
    found = holder.get(member)
    return found if isinstance(found, dict) else {}


def _number(value: Any) -> str:
    found = known_number(value)
    return words.plain(found) if found is not None else ""


def _first_dosage(draft: Resource) -> Resource:
    """The first instruction of a draft, made if there is none."""
    found = objects(draft.get("dosageInstruction"))
    if not found:
        draft["dosageInstruction"] = found = [{}]
    return found[0]


def _set_in_dosage(dosage: Resource, field: str, value: str) -> None:
    if field in ("dose", "unit"):
        _set_dose(dosage, field, value)
    elif field in ("route", "site"):
        _set_or_take_away(dosage, field, {"text": value} if value else None)
    else:
        timing = _inner(dosage, "timing")
        # A code such as QD beside the repeat would go on saying the old thing.
        timing.pop("code", None)
        repeat = _inner(timing, "repeat")
        if field == "end":
            repeat.pop("boundsDuration", None)
            _set_or_take_away(_inner(repeat, "boundsPeriod"), "end", _date(value) if value else None)
            if not repeat["boundsPeriod"]:
                del repeat["boundsPeriod"]
        elif field == "period_unit":
            _set_or_take_away(repeat, "periodUnit", value or None)
        else:
            member = {"times": "frequency", "period": "period"}[field]
            _set_or_take_away(repeat, member, _positive(value) if value else None)
    # Words of the instruction would go on saying the old thing.
    for member in ("text", "patientInstruction"):
        dosage.pop(member, None)


def _set_dose(dosage: Resource, field: str, value: str) -> None:
    rates = objects(dosage.get("doseAndRate"))
    if not rates:
        dosage["doseAndRate"] = rates = [{}]
    quantity = _inner(rates[0], "doseQuantity")
    if field == "dose":
        _set_or_take_away(quantity, "value", _positive(value) if value else None)
    else:
        for member in ("code", "system"):
            quantity.pop(member, None)
        _set_or_take_away(quantity, "unit", value or None)


def _inner(holder: Resource, member: str) -> Resource:
    """A member that is an object, made if it is not."""
    if not isinstance(holder.get(member), dict):
        holder[member] = {}
    inner: Resource = holder[member]
    return inner


def _set_or_take_away(holder: Resource, member: str, value: Any) -> None:
    if value is None:
        holder.pop(member, None)
    else:
        holder[member] = value


def _positive(value: str) -> int | float:
    found = known_number(value)
    if found is None or found <= 0:
        raise WrongEdit("This must be a number above 0.")
    return int(found) if found == int(found) else float(found)


def _date(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise WrongEdit("This must be a date.") from None


# --- suggestions -------------------------------------------------------------------------------------------------


def _delete(request: Resource, reference: str, terminology: Terminology, zone: ZoneInfo) -> Iterator[str]:
    entries = _entries(request)
    for entry in list(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and _reference(resource) == reference:
            entries.remove(entry)
            yield f"Removed: {_in_a_line(resource, terminology, zone)}"


def _update(request: Resource, resource: Resource, terminology: Terminology, zone: ZoneInfo) -> Iterator[str]:
    """Puts an order of the EHR, changed, back where it stands: among the drafts or in the chart."""
    prefetch = request.get("prefetch")
    chart = prefetch.get(Source.MEDICATIONS.value) if isinstance(prefetch, dict) else None
    places = [*_entries(request), *(objects(chart.get("entry")) if isinstance(chart, dict) else [])]
    for entry in places:
        before = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(before, dict) and _reference(before) == _reference(resource):
            entry["resource"] = resource
            yield from _differences(before, resource, terminology, zone)


def _create(
    request: Resource, resource: Resource, hook: Hook, today: date, terminology: Terminology, zone: ZoneInfo
) -> str:
    kind = _type(resource)
    shown = _in_a_line(resource, terminology, zone)
    drafts = _entries(request)
    if hook.about_orders and kind in _MEDICINES | _TESTS:
        taken = {_reference(each["resource"]) for each in objects(drafts) if isinstance(each.get("resource"), dict)}
        names = (f"draft-{place}" for place in range(len(drafts) + 1, len(drafts) + len(taken) + 2))
        own = next(name for name in names if f"{kind}/{name}" not in taken)
        drafts.append({"resource": {**resource, "id": own}})
        _select(request, f"{kind}/{own}")
        return f"New draft: {shown}"
    if kind in _FILED:
        _file(request, resource, _FILED[kind], today)
    return f"{_KINDS.get(kind, 'Ordered')}: {shown}"


def _select(request: Resource, reference: str) -> None:
    """A new draft is among the selected ones, where the EHR tells which are."""
    context = request.get("context")
    selections = context.get("selections") if isinstance(context, dict) else None
    if isinstance(selections, list):
        selections.append(reference)


def _file(request: Resource, resource: Resource, source: Source, today: date) -> None:
    """Puts a new resource into the chart, as signed today."""
    prefetch = _inner(request, "prefetch")
    bundle = _inner(prefetch, source.value)
    if bundle.get("resourceType") != "Bundle":
        bundle.clear()
        bundle.update({"resourceType": "Bundle", "type": "searchset"})
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        bundle["entry"] = entries = []
    filed = {**resource, "id": f"filed-{len(entries) + 1}"}
    if source is not Source.STATEMENTS:
        filed |= {"status": "active", "authoredOn": today.isoformat()}
    entries.insert(0, {"resource": filed})
    if "total" in bundle:
        bundle["total"] = len(entries)


def _reference(resource: Resource) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def _in_a_line(resource: Resource, terminology: Terminology, zone: ZoneInfo) -> str:
    kind = _type(resource)
    if kind in _MEDICINES or kind == "MedicationStatement":
        how = words.how_taken(resource, terminology, zone)
        return ", ".join(filter(None, [words.medicine_name(resource, terminology), how]))
    return text(resource.get("description")) or _title(resource, terminology)


def _differences(before: Resource, after: Resource, terminology: Terminology, zone: ZoneInfo) -> Iterator[str]:
    """What is different, `Site: left buttock → deltoid`; other members by their names."""
    old, new = (_particulars(each, terminology, zone) for each in (before, after))
    told = False
    for label in dict.fromkeys([*old, *new]):
        if old.get(label) != new.get(label):
            told = True
            yield f"{label}: {old.get(label) or 'none'} → {new.get(label) or 'none'}"
    if not told:
        changed = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
        yield f"Changed: {', '.join(changed) or 'nothing'}"


def _particulars(order: Resource, terminology: Terminology, zone: ZoneInfo) -> dict[str, str]:
    found = {"Medicine": words.medicine_name(order, terminology), "Status": text(order.get("status"))}
    phases = list(words.instructions(order, terminology, zone))
    for place, each in enumerate(phases, start=1):
        phase = f" (phase {place})" if len(phases) > 1 else ""
        found |= {
            f"Dose{phase}": words.dose(each),
            f"Route{phase}": words.route(each),
            f"Site{phase}": words.site(each).removeprefix("into the "),
            f"How often{phase}": words.how_often(each),
            f"Dates{phase}": words.bounds(each),
        }
    return {label: value for label, value in found.items() if value}
