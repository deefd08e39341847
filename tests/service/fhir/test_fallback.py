"""What is fetched from an EHR's FHIR server, how, and what is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from cards.library import load
from cards.record import Source, Supplied
from service.clients.client import FhirAccess
from service.fhir.client import FhirClient
from service.fhir.fallback import Fallback
from service.fhir.prefetch import query
from service.fhir.sources import NOTHING_RECEIVED, Received
from service.operations import tracing
from tests.fhir_server import BASE, Asked, FhirServer, Said, bundle, outcome, said

pytestmark = pytest.mark.anyio

ACCESS = FhirAccess((BASE,))
QUERY = "patient=p&_sort=-recorded-date&_count=200"
PATIENT = {"resourceType": "Patient", "id": "p"}
REMOTE_TRACE = tracing.Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


@dataclass(frozen=True)
class Call:
    patient_id: str = "p"
    fhir_server: str | None = BASE
    fhir_token: SecretStr | None = field(default_factory=lambda: SecretStr("token-marked-secret"))


def condition(number: int, patient: str = "p") -> dict[str, Any]:
    return {"resourceType": "Condition", "id": f"c{number}", "subject": {"reference": f"Patient/{patient}"}}


def fallback(max_bytes: int = 1_000_000) -> Fallback:
    return Fallback(FhirClient(max_bytes), budget_ms=60_000)


async def fetched(
    server: FhirServer,
    *sources: Source,
    call: Call | None = None,
    of_labs: Iterable[str] = (),
    through: Fallback | None = None,
    **received: Received,
) -> dict[Source, Received]:
    """What becomes of sources that did not come with the call, and of those that are given as `received`."""
    arrived = dict.fromkeys(sources, NOTHING_RECEIVED) | {Source(key): each for key, each in received.items()}
    call = call or Call()
    visit = (through or fallback()).visit(call, ACCESS)
    assert visit
    patient_id, labs, terminology = call.patient_id, set(of_labs), load().terminology
    with server.intercepting():
        return await visit.completed(arrived, lambda source: query(source, patient_id, labs, terminology))


# --- who may be asked --------------------------------------------------------------------------------------------


async def test_without_a_token_a_server_is_asked_only_where_that_is_allowed() -> None:
    call = Call(fhir_token=None)

    assert fallback().visit(call, ACCESS) is None
    assert fallback().visit(call, FhirAccess((BASE,), without_token=True))


async def test_a_server_that_is_not_the_clients_is_no_access() -> None:
    assert fallback().visit(Call(fhir_server="https://evil.example/r4"), ACCESS) is None
    assert fallback().visit(Call(fhir_server=None), ACCESS) is None
    assert fallback().visit(Call(), FhirAccess()) is None


async def test_with_no_budget_nothing_is_fetched() -> None:
    assert Fallback(FhirClient(1000), budget_ms=0).visit(Call(), ACCESS) is None


# --- what is asked -----------------------------------------------------------------------------------------------


async def test_only_what_did_not_come_or_was_cut_short_is_asked_for() -> None:
    server = FhirServer([PATIENT, condition(1)])
    result = await fetched(
        server,
        Source.PATIENT,
        Source.PROBLEMS,
        labs=Received(Supplied.NONE_FOUND, []),
        doses=Received(Supplied.FAILED, []),
        allergies=Received(Supplied.SUPPLIED, [{"resourceType": "AllergyIntolerance"}]),
        procedures=Received(Supplied.TRUNCATED, []),
    )

    assert server.kinds() == ["Condition", "Patient", "Procedure"]
    assert result[Source.PATIENT] == Received(Supplied.SUPPLIED, [PATIENT])
    assert result[Source.PROBLEMS] == Received(Supplied.SUPPLIED, [condition(1)])
    # An EHR that says that its query failed spares us one that would fail again.
    assert result[Source.DOSES].state is Supplied.FAILED
    assert result[Source.LABS].state is Supplied.NONE_FOUND


async def test_every_request_carries_the_token_and_belongs_to_the_callers_trace() -> None:
    server = FhirServer([PATIENT])
    with tracing.span("a call", REMOTE_TRACE):
        await fetched(server, Source.PATIENT, Source.PROBLEMS)

    assert {each.headers["authorization"] for each in server.asked} == {"Bearer token-marked-secret"}
    traces = [tracing.read(each.headers["traceparent"]) for each in server.asked]
    assert {trace.trace_id for trace in traces if trace} == {REMOTE_TRACE.trace_id}
    assert len({trace.span_id for trace in traces if trace} | {REMOTE_TRACE.span_id}) == 3


async def test_a_search_is_posted_so_that_the_patient_is_in_no_address() -> None:
    server = FhirServer([])
    await fetched(server, Source.LABS, of_labs=["b12_total_serum"])

    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/r4/Observation/_search")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "http://loinc.org|2132-9" in asked.parameters["code"].split(",")
    assert {name: value for name, value in asked.parameters.items() if name != "code"} == {
        "patient": "p",
        "_sort": "-date",
        "_count": "200",
    }


@pytest.mark.parametrize("status", [404, 405, 415, 501])
async def test_a_server_without_search_by_post_is_asked_by_get_and_that_is_remembered(status: int) -> None:
    def no_post(asked: Asked) -> Said | None:
        return outcome("not-supported", status) if asked.method == "POST" else None

    server = FhirServer([condition(1)], no_post)
    through = fallback()
    first = await fetched(server, Source.PROBLEMS, through=through)
    second = await fetched(server, Source.PROBLEMS, through=through)

    assert first == second == {Source.PROBLEMS: Received(Supplied.SUPPLIED, [condition(1)])}
    assert [each.method for each in server.asked] == ["POST", "GET", "GET"]
    assert server.asked[1].parameters == server.asked[0].parameters


@pytest.mark.parametrize("patient_id", ["..", "a b", "p?x=1", "p,q", "p|q", "p\u00e9", "x" * 300])
async def test_an_id_that_would_change_the_question_is_not_asked_about(patient_id: str) -> None:
    server = FhirServer([])
    result = await fetched(server, Source.PATIENT, Source.PROBLEMS, call=Call(patient_id))

    assert server.asked == []
    assert {each.state for each in result.values()} == {Supplied.FAILED}


# --- pages -------------------------------------------------------------------------------------------------------


async def test_pages_are_followed_to_the_last() -> None:
    conditions = [condition(number) for number in range(450)]
    server = FhirServer(conditions)

    result = await fetched(server, Source.PROBLEMS)

    assert result[Source.PROBLEMS] == Received(Supplied.SUPPLIED, conditions)
    assert len(server.asked) == 3


async def test_what_was_cut_short_in_prefetch_is_fetched_whole() -> None:
    conditions = [condition(number) for number in range(3)]
    result = await fetched(FhirServer(conditions), problems=Received(Supplied.TRUNCATED, conditions[:2]))

    assert result[Source.PROBLEMS] == Received(Supplied.SUPPLIED, conditions)


@pytest.mark.parametrize("held", [0, 1])
async def test_a_list_that_was_cut_short_is_never_replaced_by_less(held: int) -> None:
    sent = Received(Supplied.TRUNCATED, [condition(1), condition(2)])

    assert await fetched(FhirServer([condition(1)][:held]), problems=sent) == {Source.PROBLEMS: sent}


async def test_a_server_that_pages_without_end_is_left_after_five_pages() -> None:
    def endless(asked: Asked) -> Said:
        number = int(asked.parameters.get("page", 0))
        link = {"relation": "next", "url": f"{BASE}/Condition?page={number + 1}"}
        return said(bundle(condition(number), link=[link]))

    server = FhirServer([], endless)
    result = await fetched(server, Source.PROBLEMS)

    assert len(server.asked) == 5
    # Known back to the oldest that came, as any list that is cut short.
    assert result[Source.PROBLEMS].state is Supplied.TRUNCATED
    assert len(result[Source.PROBLEMS].resources) == 5


@pytest.mark.parametrize(
    "next_page",
    [f"{BASE}/Condition?{QUERY}", "https://evil.example/r4/Condition?page=2", "http://169.254.169.254/", ""],
)
async def test_a_next_page_elsewhere_or_in_a_circle_is_not_followed(next_page: str) -> None:
    page = bundle(condition(1), link=[{"relation": "next", "url": next_page}])
    server = FhirServer([], lambda asked: said(page))
    result = await fetched(server, Source.PROBLEMS)

    assert {each.path for each in server.asked} == {"/r4/Condition/_search"}
    assert result[Source.PROBLEMS] == Received(Supplied.TRUNCATED, [condition(1)])


async def test_a_list_cut_short_that_is_not_newest_first_is_not_known_at_all() -> None:
    links = [
        {"relation": "self", "url": f"{BASE}/Condition?patient=p"},
        {"relation": "next", "url": "https://elsewhere.example/"},
    ]
    result = await fetched(FhirServer([], lambda asked: said(bundle(condition(1), link=links))), Source.PROBLEMS)

    assert result[Source.PROBLEMS] == Received(Supplied.TRUNCATED, [condition(1)], newest_first=False)


# --- medicines ---------------------------------------------------------------------------------------------------


def dose(reference: str, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationAdministration",
        "subject": {"reference": "Patient/p"},
        "medicationReference": {"reference": reference, **members},
    }


MEDICATION = {"resourceType": "Medication", "id": "m1", "code": {"text": "Hydroxocobalamin"}}


@pytest.mark.parametrize("reference", ["Medication/m1", f"{BASE}/Medication/m1", "Medication/m1/_history/2"])
async def test_a_medication_that_an_order_only_refers_to_is_read(reference: str) -> None:
    server = FhirServer([dose(reference), MEDICATION])
    result = await fetched(server, Source.DOSES)

    assert server.kinds() == ["Medication", "MedicationAdministration"]
    assert result[Source.DOSES] == Received(Supplied.SUPPLIED, [dose(reference)], {"m1": MEDICATION})


async def test_a_medication_is_not_read_when_words_or_the_bundle_say_what_it_is() -> None:
    named = dose("Medication/m2", display="Hydroxocobalamin injection")
    server = FhirServer([])
    sent = Received(Supplied.SUPPLIED, [named, dose("Medication/m1")], {"m1": MEDICATION})

    assert await fetched(server, doses=sent) == {Source.DOSES: sent}
    assert server.asked == []


async def test_a_dose_of_a_drug_that_is_gone_is_left_to_the_reader_which_names_it() -> None:
    result = await fetched(FhirServer([dose("Medication/gone")]), Source.DOSES)

    assert result[Source.DOSES] == Received(Supplied.SUPPLIED, [dose("Medication/gone")])


async def test_no_more_than_twenty_medications_are_read_and_none_elsewhere() -> None:
    many = [dose(f"Medication/m{number}") for number in range(30)]
    server = FhirServer([*many, dose("https://evil.example/Medication/m1")])
    await fetched(server, Source.DOSES)

    assert server.kinds().count("Medication") == 20
    assert all(each.path.startswith("/r4/Medication") for each in server.asked)
