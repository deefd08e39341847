"""Fetches from the EHR's FHIR server what did not come with a call: within one budget, or it stays not known."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import orjson
from cachetools import LRUCache
from pydantic import SecretStr

from cards.record import Source, Supplied
from service.clients.client import FhirAccess
from service.fhir import sources
from service.fhir.client import Answer, FhirClient, Unanswered
from service.fhir.prefetch import Query
from service.fhir.product import medications
from service.fhir.references import MEDICATION, id_of, unnamed_medications
from service.fhir.servers import next_page, permitted
from service.fhir.sources import Received
from service.fhir.subjects import Subject
from service.operations import metrics, tracing

_log = logging.getLogger(__name__)

_JSON = "application/fhir+json"
_FORM = "application/x-www-form-urlencoded"
# A search by POST keeps the patient out of the server's access log; these say that the server has none.
_NO_SEARCH_BY_POST = frozenset({404, 405, 415, 501})
_SERVERS_REMEMBERED = 256
_PAGES = 5
_MEDICATIONS = 20
_ID = re.compile(r"(?!\.+$)[A-Za-z0-9._~-]{1,256}")
_OF_MEDICINES = (Source.MEDICATIONS, Source.DOSES, Source.STATEMENTS, Source.DISPENSES)
_FETCHED = frozenset({Supplied.MISSING, Supplied.TRUNCATED, Supplied.UNREADABLE, Supplied.ANOTHER_PATIENT})
_FAILED = Received(Supplied.FAILED, [])
# Of an OperationOutcome only these of FHIR's issue types are logged: the rest of it may hold anything.
_ISSUES = frozenset(
    {"login", "expired", "forbidden", "security", "throttled", "too-costly", "timeout", "not-supported"}
)
Resource = dict[str, Any]


class Call(Protocol):
    """What of a hook call decides what may be fetched."""

    @property
    def patient_id(self) -> str:
        """The patient, whose data alone are asked for."""

    @property
    def fhir_server(self) -> str | None:
        """The address that the call names."""

    @property
    def fhir_token(self) -> SecretStr | None:
        """The EHR's leave to read; None without one."""


class Fallback:
    """Fetches for the calls of one process. Holds nothing of a call.

    `budget_ms`: how long one call may wait for all that it fetches; with 0 nothing is ever fetched.
    """

    def __init__(self, client: FhirClient, budget_ms: int) -> None:
        self._client = client
        self._budget_seconds = budget_ms / 1000
        self._searched_by_get: LRUCache[str, bool] = LRUCache(_SERVERS_REMEMBERED)

    def visit(self, call: Call, access: FhirAccess) -> Visit | None:
        """Leave to fetch for this call, whose budget begins now; None when it may not.

        It may with a token of the EHR, or where `access` needs none, and only from a server that `access` names.
        """
        if not call.fhir_server or not self._budget_seconds:
            return None
        if call.fhir_token is None and not access.without_token:
            return None
        base = permitted(call.fhir_server, access.base_urls)
        if base is None:
            return None
        deadline = asyncio.get_running_loop().time() + self._budget_seconds
        return Visit(self._client, self._searched_by_get, base, call, access, deadline)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()


class Visit:
    """What one call fetches. Ends with the call: neither the token nor a resource outlives it."""

    def __init__(
        self,
        client: FhirClient,
        searched_by_get: LRUCache[str, bool],
        base: str,
        call: Call,
        access: FhirAccess,
        deadline: float,
    ) -> None:
        self._client = client
        self._searched_by_get = searched_by_get
        self._base = base
        self._patient_id = call.patient_id
        self._subject = Subject(call.patient_id)
        self._token = call.fhir_token
        self._private = access.private_networks
        self._deadline = deadline
        self._unauthorised = False
        self._failures: dict[str, str] = {}

    async def completed(
        self, received: Mapping[Source, Received], query: Callable[[Source], Query]
    ) -> dict[Source, Received]:
        """What arrived, with what was absent, cut short or something else fetched by the `query` of each source.

        A key that arrived whole, found nothing or failed stays as it is: an EHR that sends an OperationOutcome spares
        us a query that would fail again. What cannot be fetched is failed, and what could be fetched in part truncated.
        """
        began = perf_counter()
        result = dict(received)
        asked = [source for source, each in received.items() if each.state in _FETCHED]
        fetches = {source: _Fetch(source, self._subject) for source in asked}
        if _ID.fullmatch(self._patient_id):
            await self._within_budget({source.value: self._fetched(fetches[source], query(source)) for source in asked})
        elif asked:
            self._failures["patient"] = "unfit-id"
        for source in asked:
            result[source] = _better(received[source], fetches[source].received())
        await self._name_medicines(result)
        if asked:
            metrics.fhir_waited(perf_counter() - began)
        self._log_failures()
        return result

    async def medications(self, references: Iterable[str]) -> list[Resource]:
        """The Medication resources that are referred to, as far as they can be read."""
        wanted: dict[str, str] = {}
        for reference in references:
            found = MEDICATION.fullmatch(reference)
            if found and _ID.fullmatch(found["id"]) and (not found["base"] or self._is_ours(found["base"])):
                wanted.setdefault(found["id"], reference)
        found_resources: list[Resource] = []
        chosen = list(wanted)[:_MEDICATIONS]
        await self._within_budget(
            {f"Medication {number}": self._read_medication(each, found_resources) for number, each in enumerate(chosen)}
        )
        return found_resources

    def _is_ours(self, base: str) -> bool:
        return permitted(base, (self._base,)) == self._base

    async def _name_medicines(self, result: dict[Source, Received]) -> None:
        """Reads the Medications that orders in the chart refer to without saying in words what they are."""
        bare = {
            source: references
            for source in _OF_MEDICINES
            if source in result and (references := unnamed_medications(result[source].resources))
        }
        if not bare:
            return
        known = {name for found in result.values() for name in found.medications}
        bare = {
            source: lacking
            for source, references in bare.items()
            if (lacking := [each for each in references if id_of(each) not in known])
        }
        if not bare:
            return
        read = medications(
            await self.medications(reference for references in bare.values() for reference in references)
        )
        for source in bare:
            found = result[source]
            result[source] = found._replace(medications={**found.medications, **read})

    # --- one fetch -------------------------------------------------------------------------------------------------

    async def _within_budget(self, fetches: Mapping[str, Coroutine[Any, Any, None]]) -> None:
        """Does all of them at once, and leaves what is not done when the budget is spent or the token is refused."""
        loop = asyncio.get_running_loop()
        names = {loop.create_task(fetch): name for name, fetch in fetches.items()}
        pending = set(names)
        try:
            while pending and not self._unauthorised and (left := self._deadline - loop.time()) > 0:
                done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self._note_fault(names[task], task)
        finally:
            for task in pending:
                task.add_done_callback(_ended)
                task.cancel()
                self._failures[names[task]] = "unauthorised" if self._unauthorised else "late"
                metrics.fhir_fetched(self._failures[names[task]])

    def _note_fault(self, name: str, task: asyncio.Task[None]) -> None:
        fault = task.exception()
        if isinstance(fault, Unanswered):
            self._failures[name] = fault.why
        elif fault is not None:
            raise fault

    async def _fetched(self, fetch: _Fetch, query: Query) -> None:
        """Fetches a source into `fetch`, page by page. Raises `Unanswered`."""
        if query.parameters:
            await self._search(fetch, query)
        else:
            answer = await self._ask("GET", query.resource, self._url(query))
            fetch.take_patient(self._resource(answer))

    async def _search(self, fetch: _Fetch, query: Query) -> None:
        address = self._url(query)
        answer = await self._first_page(query, address)
        seen = {address}
        while True:
            link = fetch.add_page(self._resource(answer))
            if link is None:
                return
            following = next_page(link, address)
            if following is None or following in seen:
                raise Unanswered("next-page-refused")
            if len(seen) == _PAGES:
                raise Unanswered("too-many-pages")
            seen.add(following)
            address = following
            answer = await self._ask("GET", query.resource, address)

    async def _first_page(self, query: Query, address: str) -> Answer:
        if self._base not in self._searched_by_get:
            body = urlencode(query.parameters).encode()
            answer = await self._ask("POST", query.resource, f"{self._base}/{query.resource}/_search", body)
            if answer.status not in _NO_SEARCH_BY_POST:
                return answer
        answer = await self._ask("GET", query.resource, address)
        if answer.status == 200:
            self._searched_by_get[self._base] = True
        return answer

    async def _read_medication(self, id_: str, into: list[Resource]) -> None:
        answer = await self._ask("GET", "Medication", f"{self._base}/Medication/{id_}")
        resource = self._resource(answer)
        if resource.get("resourceType") != "Medication" or resource.get("id") != id_:
            raise Unanswered("malformed")
        into.append(resource)

    def _url(self, query: Query) -> str:
        parameters = urlencode(query.parameters, quote_via=quote)
        return f"{self._base}/{query.resource}{'?' if parameters else ''}{parameters}"

    async def _ask(self, method: str, resource: str, url: str, body: bytes = b"") -> Answer:
        kind = resource.partition("/")[0]
        headers = {"accept": _JSON}
        if body:
            headers["content-type"] = _FORM
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token.get_secret_value()}"
        with tracing.span(f"FHIR {kind}", client=True) as trace:
            if trace:
                headers[tracing.HEADER] = trace.header
            try:
                answer = await self._client.ask(method, url, headers, body, private=self._private)
            except Unanswered as unanswered:
                metrics.fhir_fetched(unanswered.why)
                tracing.note("fhir.outcome", unanswered.why)
                raise
            metrics.fhir_fetched(str(answer.status))
            tracing.note("http.response.status_code", answer.status)
        if answer.status == 401:
            self._unauthorised = True
        return answer

    def _resource(self, answer: Answer) -> Resource:
        """The resource in an answer. Raises `Unanswered` when there is none that is data."""
        try:
            resource = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            resource = None
        is_object = isinstance(resource, dict)
        outcome = resource if is_object and resource.get("resourceType") == "OperationOutcome" else None
        if answer.status != 200:
            raise Unanswered(f"{answer.status}{_issue(outcome)}")
        if outcome is not None:
            raise Unanswered(f"operation-outcome{_issue(outcome)}")
        if not is_object:
            raise Unanswered("malformed")
        return dict(resource)

    def _log_failures(self) -> None:
        if self._failures:
            said = ", ".join(f"{name}: {why}" for name, why in self._failures.items())
            _log.warning("not fetched from the FHIR server: %s", said)


class _Fetch:
    """The answer to the query of one source, as far as it has come."""

    def __init__(self, source: Source, subject: Subject) -> None:
        self._source = source
        self._subject = subject
        self._pages: list[Resource] = []
        self._patient: Received | None = None

    def take_patient(self, resource: Resource) -> None:
        """Takes the answer to a read. Raises `Unanswered`."""
        found = self._read(resource)
        if found.state is not Supplied.SUPPLIED:
            raise Unanswered("malformed")
        self._patient = found

    def add_page(self, bundle: Resource) -> str | None:
        """Takes a page of a search; gives its link to the next one. Raises `Unanswered`."""
        if bundle.get("resourceType") != "Bundle":
            raise Unanswered("malformed")
        try:
            self._read(bundle)
        except Unanswered:
            # The search was not answered as it was asked: nothing in it can be relied on.
            self._pages.clear()
            raise
        self._pages.append(bundle)
        return _next_link(bundle)

    def _read(self, answer: Resource) -> Received:
        found = sources.read(answer, self._source, self._subject)
        if found.state is Supplied.ANOTHER_PATIENT or "another-patient" in found.remarks:
            raise Unanswered("another-patient")
        if found.state is Supplied.UNREADABLE:
            raise Unanswered("malformed")
        return found

    def received(self) -> Received:
        """What has come: failed without any page, truncated without the last."""
        if self._patient:
            return self._patient
        return sources.read(self._pages, self._source, self._subject) if self._pages else _FAILED


def _ended(task: asyncio.Task[None]) -> None:
    """Looks at how a task that was given up has ended, so that nobody complains that nobody did."""
    if not task.cancelled():
        task.exception()


def _better(sent: Received, fetched: Received) -> Received:
    """A list that the EHR had cut short, or what was fetched in its place when that is more."""
    if sent.state is not Supplied.TRUNCATED:
        return fetched
    is_data = fetched.state in (Supplied.SUPPLIED, Supplied.TRUNCATED)
    return fetched if is_data and len(fetched.resources) >= len(sent.resources) else sent


def _next_link(bundle: Resource) -> str | None:
    """Where the next page is; an empty address where a link leads nowhere, None without any."""
    links = bundle.get("link")
    for each in links if isinstance(links, list) else [links]:
        if isinstance(each, dict) and each.get("relation") == "next":
            return each["url"] if isinstance(each.get("url"), str) else ""
    return None


def _issue(outcome: Resource | None) -> str:
    """The issue types of an OperationOutcome, in brackets; nothing without any that is worth a word."""
    issues = outcome.get("issue") if outcome else None
    codes = [each.get("code") for each in (issues if isinstance(issues, list) else ()) if isinstance(each, dict)]
    known = [code for code in codes if isinstance(code, str) and code in _ISSUES]
    return f" ({', '.join(dict.fromkeys(known))})" if known else ""
