"""What a prefetched value, or the answer of a FHIR server, is: this patient's resources of one key, or why not.

Decided here alone, for every key and wherever the value comes from.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import orjson

from cards.memory import LONGEST_READ
from cards.record import SOURCES, Source, Supplied
from service.fhir.prefetch import SEARCHES
from service.fhir.resource_types import RESOURCE_TYPES
from service.fhir.subjects import NOWHERE, Addresses, Subject

ORDERS = frozenset({"MedicationRequest", "MedicationOrder"})
SERVICES = frozenset({"ServiceRequest", "ProcedureRequest", "ReferralRequest", "DiagnosticOrder"})
# The types that a key may hold, of any FHIR version; others are not what was asked for.
TYPES: dict[Source, frozenset[str]] = {
    Source.PATIENT: frozenset({"Patient"}),
    Source.PROBLEMS: frozenset({"Condition"}),
    Source.MEDICATIONS: ORDERS,
    Source.DOSES: frozenset({"MedicationAdministration"}),
    Source.STATEMENTS: frozenset({"MedicationStatement", "MedicationUsage"}),
    Source.DISPENSES: frozenset({"MedicationDispense"}),
    Source.LABS: frozenset({"Observation"}),
    Source.PROCEDURES: frozenset({"Procedure"}),
    Source.ALLERGIES: frozenset({"AllergyIntolerance"}),
    Source.FAMILY: frozenset({"FamilyMemberHistory"}),
    Source.TESTS: SERVICES,
    Source.APPOINTMENTS: frozenset({"Appointment"}),
    Source.CLAIMS: frozenset({"ExplanationOfBenefit"}),
}
# What EHRs put beside the resources that refer to it.
_COMPANY = frozenset(
    {
        "Medication", "Patient", "Practitioner", "PractitionerRole", "Organization", "Encounter", "Location",
        "Provenance", "Specimen",
    }
)  # fmt: skip
_OF_A_KEY = frozenset[str]().union(*TYPES.values()) - _COMPANY
_WRAPPERS = frozenset({"Bundle", "Parameters"})
_FAULTY = frozenset({"error", "fatal"})
_HARMLESS = frozenset({"warning", "information", "success"})
# Issue types that say that a list is not whole (FHIR, IssueType).
_CUTS_SHORT = frozenset({"incomplete", "timeout", "too-costly"})
# The standing remark of Epic, "may not contain the entire record available in the system", is none of these.
_SAYS_CUT_SHORT = re.compile(
    r"\b(?:is|are|be|was|were|list|results?|response|search|only|an?) (?:incomplete|truncated|partial)\b"
    r"|\bincomplete (?:results?|list|response|search|data)|\bpartial (?:results?|list|response|data|content)"
    r"|\btim(?:ed|e|ing)[ -]?out\b|\btoo (?:many|costly)\b|\bonly the first\b|\bcut (?:off|short)\b"
    r"|\bnot all (?:of the )?(?:results?|records?|entries|matches|resources|data)\b"
    r"|\b(?:more|additional|further) (?:results?|records?|entries|matches|resources) (?:exist|are|were|than)\b"
    r"|\b(?:limit|maximum)\b[^.;]{0,40}\b(?:reached|exceeded)\b|\bexceed(?:s|ed)\b[^.;]{0,40}\b(?:limit|maximum)\b"
    r"|\b(?:results?|records?|entries|matches|resources) (?:were|was|have been|has been) "
    r"(?:omitted|dropped|skipped|left out|truncated)\b",
    re.I,
)
_NOT_A_SUCCESS = re.compile(r"\s*[45]\d\d\b")
# All that a Bundle has of lists and objects (R5); a list of another name may be its entries, misspelt.
_BUNDLE_PARTS = frozenset({"entry", "link", "meta", "identifier", "signature", "issues", "text", "extension"})
_OF_AN_EMPTY_BUNDLE = frozenset({"resourceType", "id", "type", "timestamp", "total"})
_DESCENDING = re.compile(r"_sort(?::desc)?")
Resource = dict[str, Any]
Json = Any


class Received(NamedTuple):
    """What one key brought.

    `resources`: those of the key's own types that are about this patient, each once. `medications`: the Medications
    that came with them, by id and by full address. `unread`: how many entries could be anything.
    `remarks`: `another-patient` where others' were left out, `duplicate` where one id has two contents that both count.
    `newest_first`: the server said that it sorted the list so.
    """

    state: Supplied
    resources: list[Resource]
    medications: Mapping[str, Resource] = {}
    unread: int = 0
    remarks: tuple[str, ...] = ()
    newest_first: bool = False


NOTHING_RECEIVED = Received(Supplied.MISSING, [])
_NOTHING_FOUND = Received(Supplied.NONE_FOUND, [])


def received(
    prefetch: Mapping[str, Json] | None, sources: Collection[Source], patient_id: str
) -> dict[Source, Received]:
    """What arrived under the keys of `sources` about this patient.

    An absent key is missing; `null` and an empty Bundle say that nothing was found; an OperationOutcome says that
    the EHR's query failed; a Bundle that announces more than it holds is truncated; what holds something else than it
    should is unreadable.
    """
    prefetch = prefetch or {}
    subject = Subject(patient_id)
    # A source is its key: both are strings.
    return {
        source: read(prefetch[source], source, subject) if source in prefetch else NOTHING_RECEIVED
        for source in SOURCES
        if source in sources
    }


def read(value: Json, source: Source, subject: Subject) -> Received:
    """What a value says about its source; a list of Bundles are the pages of one search."""
    if value is None:
        return _NOTHING_FOUND
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if kind == "Bundle" and value.keys() <= _OF_AN_EMPTY_BUNDLE and not value.get("total"):
        # So it is for most keys.
        return _NOTHING_FOUND
    door = _Door(source, subject)
    if kind == "Bundle":
        door.bundle(value)
    elif kind == "OperationOutcome":
        door.failed = True
    elif isinstance(value, list) and value:
        door.loose(value)
    elif kind == "Parameters":
        door.loose(_inside_parameters(value))
    elif isinstance(kind, str):
        # One resource where a Bundle was asked for: taken as the answer.
        door.take(value, NOWHERE)
    else:
        door.unopened = True
    return door.received()


class _Page:
    """A Bundle: how many matches it holds, how many entries aside that some EHRs count with them, and if Bundles."""

    __slots__ = ("aside", "bundle", "matches", "wraps")

    def __init__(self, bundle: Resource) -> None:
        self.bundle = bundle
        self.matches = self.aside = 0
        self.wraps = False

    @property
    def links(self) -> Mapping[str, str]:
        """Where its links lead, by relation; one without an address leads nowhere."""
        links = self.bundle.get("link")
        return {
            each["relation"]: each["url"] if isinstance(each.get("url"), str) else ""
            for each in (links if isinstance(links, list) else (links,))
            if isinstance(each, dict) and isinstance(each.get("relation"), str)
        }

    @property
    def total(self) -> int | None:
        """How many matches there are, if it says so; some EHRs send the number as a string."""
        total = self.bundle.get("total")
        if total is None or isinstance(total, bool):
            return None
        try:
            return int(total)
        except (TypeError, ValueError, OverflowError):
            return None


class _Door:
    """Takes one value apart, its wrapper too if it has one, and judges what came."""

    failed = unopened = False
    _unread = 0
    _cut_short = False
    # What stands there in place of this key's resources: other patients', another key's, and what belongs to no key.
    _strangers = 0
    _swapped = False
    _others = 0

    def __init__(self, source: Source, subject: Subject) -> None:
        self._own = TYPES[source]
        self._search = SEARCHES.get(source)
        self._subject = subject
        self._resources: list[Resource] = []
        self._medications: dict[str, Resource] = {}
        self._pages: list[_Page] = []

    def bundle(self, bundle: Resource, *, inside: bool = False) -> None:
        """Takes a Bundle, `inside` another one or not."""
        entries = bundle.get("entry")
        if entries is None:
            entries = ()
            self.unopened = self.unopened or any(
                isinstance(value, list | dict) and name not in _BUNDLE_PARTS for name, value in bundle.items()
            )
        elif isinstance(entries, dict):
            entries = (entries,)
        elif not isinstance(entries, list):
            self.unopened = True
            return
        page = _Page(bundle)
        if (plain := self._plain(entries)) is not None:
            self._resources += plain
            page.matches = len(plain)
        else:
            addresses = Addresses(entries)
            for entry in entries:
                self._entry(entry, page, addresses, inside=inside)
        if page.matches or not page.wraps:
            self._pages.append(page)
        elif "next" in page.links:
            self._cut_short = True

    def _plain(self, entries: Iterable[Any]) -> list[Resource] | None:
        """The resources of entries that need no closer look, as those of most Bundles do not; None when any does."""
        own, reference = self._own, self._subject.reference
        found = []
        try:
            for entry in entries:
                resource = entry["resource"]
                if resource["subject"]["reference"] != reference or resource["resourceType"] not in own:
                    return None
                if "response" in entry or ("search" in entry and entry["search"]["mode"] != "match"):
                    return None
                found.append(resource)
        except (KeyError, TypeError):
            return None
        return found

    def _entry(self, entry: Any, page: _Page, addresses: Addresses, *, inside: bool) -> None:
        """Takes one entry, whatever it is."""
        resource: Any = None
        mode = None
        if isinstance(entry, dict):
            resource, search = entry.get("resource"), entry.get("search")
            if isinstance(search, dict):
                mode = search.get("mode")
            if "response" in entry:
                self._answered(entry["response"])
            if resource is None and "resourceType" in entry:
                resource = entry
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(kind, str):
            self._unread += 1
            page.matches += 1
        elif kind in self._own:
            self.take(resource, addresses)
            page.matches += mode != "include"
        elif kind == "OperationOutcome":
            self._noted(resource)
            page.aside += 1
        elif kind in _WRAPPERS:
            page.wraps = True
            self._wrapped(resource, inside=inside)
        else:
            self._keep_medication(resource, entry)
            if mode == "include":
                return
            if self._beside(kind):
                page.aside += 1
            else:
                page.matches += 1

    def loose(self, items: Iterable[Json]) -> None:
        """Takes resources, entries or pages that stand in a list of their own."""
        # Entries are taken as those of a Bundle, of which nothing else is known.
        entries = []
        for item in items:
            if isinstance(item, dict) and item.get("resourceType") == "Bundle":
                self.bundle(item, inside=True)
            else:
                entries.append(item if isinstance(item, dict) else {"resource": item})
        if entries or not self._pages:
            self.unopened = self.unopened or not entries
            self.bundle({"entry": entries}, inside=True)

    def take(self, resource: Resource, addresses: Addresses) -> None:
        """Takes a resource, if it is of this key and about this patient."""
        if resource["resourceType"] not in self._own:
            self._beside(resource["resourceType"])
        elif self._subject.owns(resource, addresses):
            self._resources.append(resource)
        else:
            self._strangers += 1

    def _wrapped(self, wrapper: Resource, *, inside: bool) -> None:
        if inside:
            self.unopened = True
        elif wrapper["resourceType"] == "Bundle":
            self.bundle(wrapper, inside=True)
        else:
            self.loose(_inside_parameters(wrapper))

    def _keep_medication(self, resource: Resource, entry: Resource) -> None:
        if resource["resourceType"] == "Medication":
            for name in (resource.get("id"), entry.get("fullUrl")):
                if isinstance(name, str):
                    self._medications[name] = resource

    def _beside(self, kind: str) -> bool:
        """Notes what is not of this key; False when nobody can tell what it is."""
        if kind not in RESOURCE_TYPES:
            self._unread += 1
            return False
        self._swapped = self._swapped or kind in _OF_A_KEY
        self._others += 1
        return True

    def _answered(self, response: Any) -> None:
        """Notes how an entry of a batch was answered."""
        if isinstance(response, dict):
            self.failed = self.failed or bool(_NOT_A_SUCCESS.match(str(response.get("status"))))
            if isinstance(outcome := response.get("outcome"), dict):
                self._noted(outcome)

    def _noted(self, outcome: Resource) -> None:
        """Notes what an OperationOutcome in a Bundle says of the list."""
        issues = outcome.get("issue")
        issues = issues if isinstance(issues, list) else [issues]
        for issue in issues or [None]:
            severity = str(issue.get("severity")).strip().lower() if isinstance(issue, dict) else ""
            if severity not in _HARMLESS:
                self.failed = True
            elif _says_cut_short(issue):
                self._cut_short = True

    def received(self) -> Received:
        """What became of the value."""
        resources, ambiguous = each_once(self._resources) if len(self._resources) > 1 else (self._resources, False)
        remarks: tuple[str, ...] = ("duplicate",) if ambiguous else ()
        if self._strangers:
            remarks = ("another-patient", *remarks)
        cut_short = self._cut_short or self._has_more()
        if self.failed:
            state = Supplied.FAILED
        elif self.unopened or self._swapped:
            state = Supplied.UNREADABLE
        elif not resources and (self._strangers or self._others or self._unread):
            state = Supplied.ANOTHER_PATIENT if self._strangers else Supplied.UNREADABLE
        elif cut_short:
            state = Supplied.TRUNCATED
        else:
            state = Supplied.SUPPLIED if resources else Supplied.NONE_FOUND
        newest_first = cut_short and self._is_sorted()
        return Received(state, resources, self._medications, self._unread, remarks, newest_first)

    def _has_more(self) -> bool:
        """Whether a search has more than came."""
        pages = self._pages
        if len(pages) == 1:
            return self._announces_more(pages[0])
        if len(pages) > 1:
            has_next = ["next" in each.links for each in pages]
            if all(has_next[:-1]) and not has_next[-1]:
                # Whoever pages and says no total has said with the last page that it is the last.
                there = sum(each.matches + each.aside for each in pages)
                return max(each.total or 0 for each in pages) > there
        return any(self._announces_more(each) for each in pages)

    def _announces_more(self, page: _Page) -> bool:
        links = page.links if "link" in page.bundle else {}
        if "next" in links:
            return True
        total = page.total
        if total is not None:
            # Some EHRs count an outcome beside the matches, others do not.
            return total > page.matches + page.aside
        if not page.matches or self._search is None:
            return False
        return str(page.matches) in (str(self._search.page), dict(_asked(links.get("self", ""))).get("_count"))

    def _is_sorted(self) -> bool:
        """Whether the link to itself says that the first page was sorted newest first (FHIR, search, self link)."""
        if self._search is None or not self._pages:
            return False
        for name, value in _asked(self._pages[0].links.get("self", "")):
            if _DESCENDING.fullmatch(name):
                first = value.partition(",")[0]
                return (first if name == "_sort" else f"-{first}") == self._search.sort
        return False


def _asked(address: str) -> list[tuple[str, str]]:
    """The parameters in an address."""
    try:
        return parse_qsl(urlsplit(address).query)
    except ValueError:
        return []


def _inside_parameters(parameters: Resource) -> list[Json]:
    """The resources that the parameters hold; what else they hold is none."""
    found = parameters.get("parameter")
    items = found if isinstance(found, list) else [found]
    return [each["resource"] for each in items if isinstance(each, dict) and "resource" in each]


def _says_cut_short(issue: Resource) -> bool:
    if str(issue.get("code")).strip().lower() in _CUTS_SHORT:
        return True
    details = issue.get("details")
    said = [issue.get("diagnostics"), *(_words(details) if isinstance(details, dict) else ())]
    return any(isinstance(each, str) and bool(_SAYS_CUT_SHORT.search(each[:LONGEST_READ])) for each in said)


def _words(concept: Resource) -> list[Json]:
    codings = concept.get("coding")
    codings = codings if isinstance(codings, list) else [codings]
    return [concept.get("text"), *(each.get("display") for each in codings if isinstance(each, dict))]


def each_once(resources: list[Resource]) -> tuple[list[Resource], bool]:
    """Each resource once, of one id the newest; and whether one id has two contents of which neither is known newer."""
    try:
        if len({each.get("id") for each in resources}) == len(resources):
            return resources, False
    except TypeError:
        # An id that is a list or an object identifies nothing.
        pass
    kept: list[Resource] = []
    places: dict[tuple[str, str], int] = {}
    contents: set[bytes] = set()
    ambiguous = False
    for resource in resources:
        id_, kind = resource.get("id"), resource["resourceType"]
        if isinstance(id_, str):
            content = _content(resource)
            if content in contents:
                continue
            if content:
                contents.add(content)
            place = places.setdefault((kind, id_), len(kept))
            if place < len(kept):
                newest = _newest(kept[place], resource)
                if newest:
                    kept[place] = newest
                    continue
                ambiguous = True
        kept.append(resource)
    return kept, ambiguous


def _content(resource: Resource) -> bytes:
    """All that a resource says; nothing for one nested too deep to be compared."""
    try:
        return orjson.dumps(resource, option=orjson.OPT_SORT_KEYS)
    except (TypeError, RecursionError):
        return b""


def _newest(one: Resource, other: Resource) -> Resource | None:
    """The newer of two versions of a resource; None when they do not say which."""
    for age in (_version, _last_updated):
        ages = age(one), age(other)
        if None not in ages and ages[0] != ages[1]:
            return one if ages[0] > ages[1] else other
    return None


def _version(resource: Resource) -> Any:
    said = _meta(resource).get("versionId")
    return int(said) if isinstance(said, str) and said.isascii() and said.isdigit() and len(said) < 20 else None


def _last_updated(resource: Resource) -> Any:
    try:
        moment = datetime.fromisoformat(str(_meta(resource).get("lastUpdated")))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _meta(resource: Resource) -> Resource:
    meta = resource.get("meta")
    return meta if isinstance(meta, dict) else {}
