"""The chart as it stood: from when a resource was in it, and what its later members said before they changed.

An export holds each resource as it is today. A resource counts from the moment at which it was recorded, else authored,
issued or given; what it says of later events (a stop, a resolution, a death) counts from the day of that event. Where
the export does not tell the day, the assumptions stand in the README under "Replay".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cards.record import Source, When
from service.fhir.codes import code_in
from service.fhir.dates import first, when

Resource = dict[str, Any]
ALWAYS = datetime.min  # noqa: DTZ901 - moments are local times of the site, compared with each other only
NEVER = datetime.max  # noqa: DTZ901
_DAY = timedelta(days=1)
_END_OF_DAY = time.max


class Version(NamedTuple):
    """A resource as the chart had it in the half-open span of local time from `known` to `until`."""

    known: datetime
    until: datetime
    resource: Resource


class Change(NamedTuple):
    """Something that became true at a moment: before it, these members had the values here, or were absent (None)."""

    at: datetime
    before: Mapping[str, Any]


def moment(value: Any, zone: ZoneInfo, *, end_of_day: bool = False) -> datetime | None:
    """The local time of a FHIR date or instant; a date without a time is the start of its (last) day, or its end."""
    return _moment(value, zone, end_of_day) if isinstance(value, str) else None


@lru_cache(maxsize=1024)
def _moment(value: str, zone: ZoneInfo, end_of_day: bool) -> datetime | None:
    """Resources of one visit or sample share their time."""
    if len(value) > 10:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return found if found.tzinfo is None else found.astimezone(zone).replace(tzinfo=None)
    day = when(value, zone)
    return datetime.combine(day.latest, _END_OF_DAY if end_of_day else time.min) if isinstance(day, When) else None


def versions(source: Source, resource: Resource, zone: ZoneInfo) -> Iterator[Version]:
    """The states in which the chart held a resource, oldest first; none when it cannot be told since when."""
    known = _KNOWN[source](resource, zone)
    if known is None:
        return
    changes_of = _CHANGES.get(source)
    changes = [change for change in changes_of(resource, zone, known) if change.at > known] if changes_of else ()
    if not changes:
        yield Version(known, NEVER, resource)
        return
    starts = [known, *sorted({change.at for change in changes if change.at < NEVER})]
    for since, until in zip(starts, [*starts[1:], NEVER], strict=True):
        yield Version(since, until, _before(resource, [change for change in changes if change.at > since]))


def visited(encounter: Resource, zone: ZoneInfo) -> datetime | None:
    """When a visit began; None for one that was not made, or not dated."""
    if code_in(encounter.get("status")) in _NOT_VISITED:
        return None
    return moment(_start(encounter.get("period")), zone, end_of_day=True)


def ordered(order: Resource, zone: ZoneInfo) -> datetime | None:
    """When an order was signed; None for plans, proposals and reports, which nobody signs, and undated ones."""
    if code_in(order.get("intent")) in _NOT_SIGNED or code_in(order.get("status")) in ("entered-in-error", "draft"):
        return None
    if order.get("reportedBoolean") is True or order.get("reported") is True:
        return None
    return moment(first(order, "authoredOn", "dateWritten", "orderedOn"), zone, end_of_day=True)


def as_draft(order: Resource) -> Resource:
    """An order as it was when it was being signed."""
    draft = {name: value for name, value in order.items() if name not in _AFTER_SIGNING}
    draft["status"] = "draft"
    return draft


_NOT_VISITED = frozenset({"planned", "cancelled", "entered-in-error", "discontinued"})
_NOT_SIGNED = frozenset({"proposal", "plan", "option", "filler-order", "instance-order"})
_AFTER_SIGNING = frozenset({"meta", "statusReason", "statusChanged", "dateEnded", "reasonEnded"})


# --- since when a resource is in the chart -----------------------------------------------------------------------


def _first_of(*names: str, else_always: bool = False) -> Callable[[Resource, ZoneInfo], datetime | None]:
    """The first of these members that tells a moment, else the last update; a Period tells its end, else its start."""

    def known(resource: Resource, zone: ZoneInfo) -> datetime | None:
        for name in names:
            value = resource.get(name)
            if isinstance(value, dict):
                value = value.get("end") or value.get("start")
            if value is not None and (found := moment(value, zone)):
                return found
        return _updated(resource, zone) or (ALWAYS if else_always else None)

    return known


def _condition_known(resource: Resource, zone: ZoneInfo) -> datetime | None:
    recorded = first(resource, "recordedDate", "assertedDate", "dateRecorded")
    onset = first(resource, "onsetDateTime") or _start(resource.get("onsetPeriod"))
    return moment(recorded, zone) or moment(onset, zone) or _updated(resource, zone)


def _order_known(resource: Resource, zone: ZoneInfo) -> datetime | None:
    written = first(resource, "authoredOn", "dateWritten", "orderedOn", "dateAsserted")
    return moment(written, zone) or _updated(resource, zone)


_taken = _first_of("effectiveDateTime", "effectiveInstant", "effectivePeriod", "appliesDateTime")
_given = _first_of(
    "effectiveDateTime", "occurenceDateTime", "effectiveTimeDateTime",
    "effectivePeriod", "occurencePeriod", "effectiveTimePeriod",
)  # fmt: skip


def _result_known(resource: Resource, zone: ZoneInfo) -> datetime | None:
    """Neither before the sample was taken nor before the result was released."""
    taken, issued = _taken(resource, zone), moment(resource.get("issued"), zone)
    return max(taken, issued) if taken and issued else taken or issued


def _given_known(resource: Resource, zone: ZoneInfo) -> datetime | None:
    given = _given(resource, zone)
    # A dose in progress counts as given a day after it began, unless its end is told.
    return given + 2 * _DAY if given and code_in(resource.get("status")) == "in-progress" else given


def _statement_known(resource: Resource, zone: ZoneInfo) -> datetime | None:
    asserted = moment(resource.get("dateAsserted"), zone)
    one_day = moment(resource.get("effectiveDateTime"), zone)
    if asserted and one_day:
        return max(asserted, one_day)
    start = moment(_start(resource.get("effectivePeriod")), zone)
    return asserted or one_day or start or _updated(resource, zone)


def _claim_known(resource: Resource, zone: ZoneInfo) -> datetime | None:
    """Neither before the claim was made nor before the last of its services."""
    items = resource.get("item")
    days = [
        moment(first(each, "servicedDate") or _end_or_start(each.get("servicedPeriod")), zone)
        for each in (items if isinstance(items, list) else [])
        if isinstance(each, dict)
    ]
    dated = [each for each in (moment(resource.get("created"), zone), *days) if each]
    return max(dated) if dated else _updated(resource, zone)


_KNOWN: dict[Source, Callable[[Resource, ZoneInfo], datetime | None]] = {
    Source.PATIENT: lambda _resource, _zone: ALWAYS,
    Source.PROBLEMS: _condition_known,
    Source.MEDICATIONS: _order_known,
    Source.DOSES: _given_known,
    Source.STATEMENTS: _statement_known,
    Source.DISPENSES: _first_of("whenHandedOver", "whenPrepared"),
    Source.LABS: _result_known,
    Source.PROCEDURES: _first_of("performedDateTime", "occurrenceDateTime", "performedPeriod", "occurrencePeriod"),
    Source.ALLERGIES: _first_of("recordedDate", "assertedDate", "onsetDateTime", "onset", else_always=True),
    Source.FAMILY: _first_of("date", else_always=True),
    Source.TESTS: _order_known,
    Source.APPOINTMENTS: _first_of("created", "start"),
    Source.CLAIMS: _claim_known,
}


# --- what changed later ------------------------------------------------------------------------------------------


def _patient_changes(resource: Resource, zone: ZoneInfo, _known: datetime) -> Iterable[Change]:
    """A death without a day is not known: whoever visits or is prescribed for is alive."""
    updated = _updated(resource, zone) or NEVER
    if resource.get("deceasedDateTime") or resource.get("deceasedBoolean") is True or resource.get("deceased") is True:
        died = moment(resource.get("deceasedDateTime"), zone) or updated
        yield Change(died, {"deceasedDateTime": None, "deceasedBoolean": None, "deceased": None})
    if resource.get("active") is False:
        yield Change(updated, {"active": True})


def _condition_changes(resource: Resource, zone: ZoneInfo, _known: datetime) -> Iterable[Change]:
    status = resource.get("clinicalStatus")
    abated = moment(first(resource, "abatementDateTime") or _end_or_start(resource.get("abatementPeriod")), zone)
    over = any(resource.get(name) is not None for name in _ABATED)
    if over or code_in(status) in _OVER:
        present = {"coding": [{"code": "active"}]} if isinstance(status, dict) else "active"
        before = {"clinicalStatus": present if status is not None else None, **dict.fromkeys(_ABATED)}
        yield Change(abated or _updated(resource, zone) or ALWAYS, before)


def _order_changes(resource: Resource, zone: ZoneInfo, known: datetime) -> Iterable[Change]:
    updated = _updated(resource, zone)
    if updated:
        # Written by the last update: whatever the order says of its change.
        yield Change(updated, {"meta": None})
    if code_in(resource.get("status")) in _ORDER_ENDED:
        told = moment(first(resource, "statusChanged", "dateEnded"), zone)
        planned = [end for end in _bounds(resource, zone) if end]
        # Without any day it was over on the day after it was written, not before.
        ended = told or min([*planned, *([updated] if updated else [])], default=known + _DAY)
        yield Change(ended, {"status": "active", **dict.fromkeys(_AFTER_SIGNING)})


def _bounds(resource: Resource, zone: ZoneInfo) -> Iterator[datetime | None]:
    """The ends that the dosage instructions state as dates."""
    dosages = resource.get("dosageInstruction")
    for each in dosages if isinstance(dosages, list) else []:
        timing = each.get("timing") if isinstance(each, dict) else None
        repeat = timing.get("repeat") if isinstance(timing, dict) else None
        period = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
        if isinstance(period, dict):
            yield moment(period.get("end"), zone)


def _statement_changes(resource: Resource, zone: ZoneInfo, _known: datetime) -> Iterable[Change]:
    period = resource.get("effectivePeriod")
    end = moment(period.get("end"), zone) if isinstance(period, dict) else None
    if end and isinstance(period, dict) and code_in(resource.get("status")) in _ORDER_ENDED | {"not-taken"}:
        yield Change(end, {"status": "active", "effectivePeriod": {"start": period.get("start")}, "statusReason": None})


def _allergy_changes(resource: Resource, zone: ZoneInfo, _known: datetime) -> Iterable[Change]:
    if code_in(resource.get("clinicalStatus")) in _OVER:
        yield Change(_updated(resource, zone) or ALWAYS, {"clinicalStatus": {"coding": [{"code": "active"}]}})


def _test_changes(resource: Resource, zone: ZoneInfo, known: datetime) -> Iterable[Change]:
    if code_in(resource.get("status")) in _SERVICE_ENDED:
        due = moment(first(resource, "occurrenceDateTime", "scheduledDateTime"), zone)
        days = [day for day in (due, _updated(resource, zone)) if day and day > known]
        yield Change(min(days, default=known + _DAY), {"status": "active"})


def _appointment_changes(resource: Resource, zone: ZoneInfo, _known: datetime) -> Iterable[Change]:
    status = code_in(resource.get("status"))
    if status in _KEPT:
        yield Change(moment(resource.get("start"), zone) or ALWAYS, {"status": "booked"})
    elif status == "cancelled":
        cancelled = moment(resource.get("cancellationDate"), zone) or _updated(resource, zone)
        yield Change(cancelled or ALWAYS, {"status": "booked"})


_ABATED = ("abatementDateTime", "abatementPeriod", "abatementBoolean", "abatementAge", "abatementRange",
           "abatementString")  # fmt: skip
_OVER = frozenset({"inactive", "remission", "resolved"})
_ORDER_ENDED = frozenset({"stopped", "cancelled", "completed", "ended", "on-hold"})
_SERVICE_ENDED = frozenset({"completed", "revoked", "cancelled", "ended", "rejected", "failed"})
_KEPT = frozenset({"fulfilled", "noshow", "arrived", "checked-in"})
_Changes = Callable[[Resource, ZoneInfo, datetime], Iterable[Change]]
_CHANGES: dict[Source, _Changes] = {
    Source.PATIENT: _patient_changes,
    Source.PROBLEMS: _condition_changes,
    Source.MEDICATIONS: _order_changes,
    Source.STATEMENTS: _statement_changes,
    Source.ALLERGIES: _allergy_changes,
    Source.TESTS: _test_changes,
    Source.APPOINTMENTS: _appointment_changes,
}


def _before(resource: Resource, changes: list[Change]) -> Resource:
    """A resource without what these changes brought."""
    if not changes:
        return resource
    earlier = {name: value for change in changes for name, value in change.before.items()}
    kept = {name: value for name, value in resource.items() if name not in earlier}
    kept.update((name, value) for name, value in earlier.items() if value is not None)
    return kept


def _updated(resource: Resource, zone: ZoneInfo) -> datetime | None:
    meta = resource.get("meta")
    return moment(meta.get("lastUpdated"), zone) if isinstance(meta, dict) else None


def _start(period: Any) -> Any:
    return period.get("start") if isinstance(period, dict) else None


def _end_or_start(period: Any) -> Any:
    return (period.get("end") or period.get("start")) if isinstance(period, dict) else None
