"""Whose a resource is: references to a patient, compared as references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

Resource = dict[str, Any]


class Addresses:
    """The resources of one Bundle by the full address (`fullUrl`) of their entries; looked through when first asked."""

    def __init__(self, entries: Iterable[Any] = ()) -> None:
        self._entries = entries

    def get(self, address: str) -> Resource | None:
        """The resource at an address; None when the Bundle has none there."""
        return self._resources.get(address)

    @cached_property
    def _resources(self) -> Mapping[str, Resource]:
        return {
            each["fullUrl"]: resource
            for each in self._entries
            if isinstance(each, dict)
            and isinstance(each.get("fullUrl"), str)
            and isinstance(resource := each.get("resource"), dict)
        }


NOWHERE = Addresses()


class Subject:
    """The patient whom a call is about, by the id in its context.

    `reference` is how most resources name this patient.
    """

    def __init__(self, patient_id: str) -> None:
        self.reference = f"Patient/{patient_id}"
        self._patient_id = patient_id

    @cached_property
    def _id(self) -> str:
        return _last(self._patient_id)

    def owns(self, resource: Resource, addresses: Addresses = NOWHERE) -> bool:
        """Whether a resource is about this patient; one that names nobody, or an identifier alone, is."""
        subject = resource.get("subject")
        if isinstance(subject, dict) and subject.get("reference") == self.reference:
            # So do most.
            return True
        named = _reference(subject or resource.get("patient"))
        if named is not None:
            return self._is(named, resource, addresses)
        kind = resource.get("resourceType")
        if kind == "Patient":
            return self._has_id(resource)
        return kind != "Appointment" or self._takes_part(resource, addresses)

    def _is(self, reference: str, resource: Resource, addresses: Addresses) -> bool:
        if reference == self.reference:
            return True
        if reference.startswith("#"):
            contained = _contained(reference[1:], resource)
            return contained is None or contained.get("resourceType") == "Patient"
        if (found := addresses.get(reference)) is not None:
            return found.get("resourceType") == "Patient" and self._has_id(found)
        if reference.startswith("urn:"):
            return _last(reference).lower() == self._id.lower()
        path, asked, _ = reference.partition("/_history")[0].rstrip("/").partition("?")
        kind = path.rpartition("/")[0].rpartition("/")[2]
        if asked and path.rpartition("/")[2] == "Patient":
            # A search by identifier in place of an id says no more than the identifier.
            return True
        return _last(path) == self._id and kind.lower() in ("", "patient")

    def _has_id(self, patient: Resource) -> bool:
        own = patient.get("id")
        return own is None or _last(str(own)) == self._id

    def _takes_part(self, appointment: Resource, addresses: Addresses) -> bool:
        """Whether an appointment is this patient's: a patient takes part in it, beside others who do."""
        participants = appointment.get("participant")
        patients = [
            reference
            for each in (participants if isinstance(participants, list) else [participants])
            if isinstance(each, dict) and (reference := _reference(each.get("actor"))) is not None
            if _names_a_patient(reference, each["actor"], appointment, addresses)
        ]
        return not patients or any(self._is(each, appointment, addresses) for each in patients)


def _reference(value: Any) -> str | None:
    """What a Reference refers to, also when it stands in a list or as a bare string; None when it says nothing."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("reference")
    return value.strip() or None if isinstance(value, str) else None


def _contained(name: str, resource: Resource) -> Resource | None:
    contained = resource.get("contained")
    for each in contained if isinstance(contained, list) else [contained]:
        if isinstance(each, dict) and str(each.get("id")).removeprefix("#") == name:
            return each
    return None


def _names_a_patient(reference: str, actor: Any, resource: Resource, addresses: Addresses) -> bool:
    """Whether somebody who takes part is a patient, by the type of the reference or of what it leads to."""
    if isinstance(actor, dict) and isinstance(actor.get("type"), str):
        return bool(actor["type"] == "Patient")
    found = _contained(reference[1:], resource) if reference.startswith("#") else addresses.get(reference)
    if found is not None:
        return found.get("resourceType") == "Patient"
    return reference.startswith("Patient/") or "/Patient/" in reference


def _last(reference: str) -> str:
    """The id at the end of a reference, of an address or of a URN."""
    return reference.strip().rpartition("/")[2].rpartition(":")[2]
