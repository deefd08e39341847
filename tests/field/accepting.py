"""What an EHR sends after its user took a suggestion of a card."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_KEYS = {
    "MedicationRequest": "medications",
    "MedicationAdministration": "doses",
    "MedicationStatement": "statements",
    "MedicationDispense": "dispenses",
    "ServiceRequest": "tests",
    "Appointment": "appointments",
    "Condition": "problems",
}
_REQUESTS = ("MedicationRequest", "ServiceRequest")


def accepted(request: Json, suggestion: Json, today: str) -> Json:
    """The request with every action carried out: on the drafts or, where there are none, in the chart."""
    changed = copy.deepcopy(request)
    chart = changed.setdefault("prefetch", {})
    drafts = ((changed.get("context") or {}).get("draftOrders") or {}).get("entry")
    for number, action in enumerate(suggestion.get("actions") or []):
        resource = copy.deepcopy(action.get("resource") or {})
        if action.get("type") == "create":
            resource.setdefault("id", f"accepted-{number}")
            _create(resource, changed, drafts, chart, today)
        elif action.get("type") == "update":
            _update(resource, drafts, chart)
        elif action.get("type") == "delete":
            _delete(action.get("resourceId") or [], drafts, chart)
    for bundle in chart.values():
        if isinstance(bundle, dict) and "total" in bundle and "entry" in bundle:
            bundle["total"] = len(bundle["entry"])
    return changed


def _create(resource: Json, request: Json, drafts: list[Json] | None, chart: Json, today: str) -> None:
    kind = str(resource.get("resourceType"))
    if drafts is not None and kind in _REQUESTS:
        drafts.append({"resource": {**resource, "status": "draft"}})
        selections = request["context"].get("selections")
        if isinstance(selections, list):
            selections.append(f"{kind}/{resource['id']}")
    elif kind in _KEYS:
        if kind in _REQUESTS:
            resource = {"authoredOn": today, **resource, "status": "active"}
        bundle = chart.setdefault(_KEYS[kind], {"resourceType": "Bundle", "type": "searchset"})
        bundle.setdefault("entry", []).insert(0, {"resource": resource})


def _update(resource: Json, drafts: list[Json] | None, chart: Json) -> None:
    for entries in _lists(drafts, chart):
        for entry in entries:
            if _is(entry, f"{resource.get('resourceType')}/{resource.get('id')}"):
                entry["resource"] = resource
                return


def _delete(targets: Any, drafts: list[Json] | None, chart: Json) -> None:
    for target in [targets] if isinstance(targets, str) else targets:
        in_drafts = drafts is not None and any(_is(each, target) for each in drafts)
        for entries in _lists(drafts, {} if in_drafts else chart):
            entries[:] = [each for each in entries if not _is(each, target)]


def _lists(drafts: list[Json] | None, chart: Json) -> Iterator[list[Json]]:
    if drafts is not None:
        yield drafts
    for bundle in chart.values():
        if isinstance(bundle, dict) and isinstance(bundle.get("entry"), list):
            yield bundle["entry"]


def _is(entry: Json, reference: str) -> bool:
    resource = entry.get("resource") or {}
    return f"{resource.get('resourceType')}/{resource.get('id')}" == reference
