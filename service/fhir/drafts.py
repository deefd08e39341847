"""What the drafts of a call are: orders to read, or of which nothing can be told, and which of them are selected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from service.fhir.courses import has_an_id, reference_of
from service.fhir.product import medications
from service.fhir.resource_types import RESOURCE_TYPES
from service.fhir.sources import ORDERS, SERVICES, each_once
from service.fhir.subjects import Addresses, Subject

SIGNED = ORDERS | SERVICES
# What should have brought the draft and did not.
_IN_PLACE_OF_A_DRAFT = frozenset({"Binary", "Bundle", "List", "OperationOutcome", "Parameters"})
# Where an order of any FHIR version says its drug or test.
_WHAT_IT_IS_FOR = (
    "medicationCodeableConcept", "medicationReference", "medication", "code", "orderDetail", "item",
)  # fmt: skip
Resource = dict[str, Any]


class Unread(NamedTuple):
    """A draft that could not be read, or a selection that leads to none.

    `reason`: `unreadable`, `unresolved` or `another-patient`. It is known by `reference`, or where it has none that can
    be used by its `position` among the entries (of a selection: among the selections), from 0.
    `unfinished`: nobody has chosen yet what it is for.
    """

    reason: str
    reference: str | None = None
    position: int | None = None
    unfinished: bool = False


class Draft(NamedTuple):
    """An order to read."""

    position: int
    resource: Resource
    selected: bool

    def unread(self, reason: str) -> Unread:
        """That nothing can be told of this one."""
        unfinished = all(self.resource.get(name) is None for name in _WHAT_IT_IS_FOR)
        return _unread(reason, self.position, self.resource)._replace(unfinished=unfinished)


class _Entry(NamedTuple):
    position: int
    address: str
    resource: Any
    addresses: Addresses


class Opened(NamedTuple):
    """The drafts of this patient that rules may be about, what could not be read, and what stands beside."""

    drafts: Sequence[Draft]
    unread: Sequence[Unread]
    entries: Sequence[_Entry]

    def medications(self) -> Mapping[str, Resource]:
        """The Medications among the drafts, by id and by full address."""
        found = medications(each.resource for each in self.entries)
        for each in self.entries:
            if each.address and isinstance(each.resource, dict) and each.resource.get("resourceType") == "Medication":
                found[each.address] = each.resource
        return found


def opened(bundle: Any, subject: Subject, selections: Any) -> Opened:
    """The orders in a Bundle, and in Bundles inside it; a type that no rule reads is left out.

    `selections` name drafts in whatever way; where they name none of these, or there are none, every draft counts.
    """
    entries = entries_of(bundle)
    chosen, astray = _chosen(entries, selections)
    drafts: list[Draft] = []
    unread: list[Unread] = []
    for number, entry in enumerate(entries):
        resource = entry.resource
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(kind, str) or kind not in RESOURCE_TYPES or kind in _IN_PLACE_OF_A_DRAFT:
            unread.append(Unread("unreadable", position=entry.position))
        elif kind in SIGNED:
            if subject.owns(resource, entry.addresses):
                drafts.append(Draft(entry.position, resource, chosen is None or number in chosen))
            else:
                unread.append(_unread("another-patient", entry.position, resource))
    if len(drafts) > 1:
        once, _ = each_once([each.resource for each in drafts])
        if len(once) < len(drafts):
            kept = {id(resource) for resource in once}
            drafts = [each for each in drafts if id(each.resource) in kept]
    return Opened(drafts, [*unread, *astray], entries)


def entries_of(bundle: Any) -> list[_Entry]:
    """The entries of the drafts, those of a Bundle inside with the position of the entry that holds it."""
    items = _entries(bundle)
    addresses = Addresses(items)
    found: list[_Entry] = []
    for position, entry in enumerate(items):
        _take(entry, position, addresses, found, inside=False)
    return found


def resources_of(bundle: Any) -> list[Any]:
    """The resources in the entries of the drafts."""
    found = [each.get("resource") for each in _entries(bundle) if isinstance(each, dict)]
    for each in found:
        if not isinstance(each, dict) or each.get("resourceType") == "Bundle":
            return [entry.resource for entry in entries_of(bundle)]
    return found


def _take(entry: Any, position: int, addresses: Addresses, found: list[_Entry], *, inside: bool) -> None:
    resource, address = entry, None
    if isinstance(entry, dict):
        # An entry without a resource may be the resource itself.
        resource, address = entry.get("resource"), entry.get("fullUrl")
        if resource is None and "resourceType" in entry:
            resource = entry
    if not inside and isinstance(resource, dict) and resource.get("resourceType") == "Bundle":
        within = _entries(resource)
        if within or "entry" not in resource:
            for each in within:
                _take(each, position, Addresses(within), found, inside=True)
            return
    found.append(_Entry(position, address if isinstance(address, str) else "", resource, addresses))


def _entries(bundle: Any) -> list[Any]:
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    if isinstance(entries, dict):
        return [entries]
    return entries if isinstance(entries, list) else []


def _unread(reason: str, position: int, resource: Resource) -> Unread:
    reference = reference_of(resource, position)
    return Unread(reason, reference) if has_an_id(reference) else Unread(reason, position=position)


# --- selections ----------------------------------------------------------------------------------------------------


def _chosen(entries: Sequence[_Entry], selections: Any) -> tuple[set[int] | None, list[Unread]]:
    """The numbers of the entries that are selected (None: all), and the selections that lead to none of them."""
    wanted = selections if isinstance(selections, list) else [] if selections is None else [selections]
    if not wanted:
        return None, []
    places: dict[str, set[int]] = {}
    for number, entry in enumerate(entries):
        for name in _names(entry):
            places.setdefault(name, set()).add(number)
    chosen: set[int] = set()
    astray = []
    for position, each in enumerate(wanted):
        found = places.get(each) if isinstance(each, str) else None
        if found is None:
            # As it is written first: two drafts of different types may have one id.
            said = _said(each)
            found = next((places[name] for name in said if name in places), None)
        if found is not None:
            chosen |= found
        else:
            reference = next(filter(_is_named, said), None)
            astray.append(Unread("unresolved", reference, None if reference else position))
    return (chosen, astray) if chosen else (None, [])


def _names(entry: _Entry) -> list[str]:
    """All by which a draft may be called."""
    names = [entry.address, _last(entry.address)] if entry.address else []
    if isinstance(entry.resource, dict) and isinstance(id_ := entry.resource.get("id"), str | int):
        names += (f"{entry.resource.get('resourceType')}/{id_}", str(id_))
    return names


def _said(selection: Any) -> list[str]:
    """What a selection may mean: as it is written, as `Type/id`, as an id."""
    if isinstance(selection, dict):
        if (reference := selection.get("reference")) is not None:
            return _said(reference)
        kind, id_ = selection.get("resourceType"), selection.get("id")
        return [f"{kind}/{id_}", str(id_)] if isinstance(id_, str | int) else []
    if isinstance(selection, bool) or not isinstance(selection, str | int) or selection == "":
        return []
    written = str(selection).strip()
    reference = written.partition("/_history")[0].partition("?")[0].rstrip("/")
    return [written, "/".join(reference.split("/")[-2:]), _last(reference)]


def _is_named(reference: str) -> bool:
    kind, _, id_ = reference.rpartition("/")
    return kind in RESOURCE_TYPES and bool(id_) and not set(id_) & set(" #")


def _last(reference: str) -> str:
    return reference.rpartition("/")[2].rpartition(":")[2]
