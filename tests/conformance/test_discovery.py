"""GET /cds-services, requirement by requirement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from urllib.parse import parse_qsl, unquote

import pytest

from cards.rule import PROFILES, Profile
from service.cds_hooks.discovery import CDSServices
from service.endpoints.discovery import entry
from service.respond import build
from service.settings import Settings
from tests.conformance.emptiness import empty_members
from tests.service.calls import TODAY, Json, Listener, client
from tests.serving import service_on

pytestmark = pytest.mark.anyio

# What each prefetch key fetches is a public contract: the type, and the sort that puts the newest first.
CONTRACT = {
    "patient": ("Patient", None),
    "problems": ("Condition", "-recorded-date"),
    "medications": ("MedicationRequest", "-authoredon"),
    "doses": ("MedicationAdministration", "-effective-time"),
    "statements": ("MedicationStatement", "-effective"),
    "dispenses": ("MedicationDispense", "-whenhandedover"),
    "labs": ("Observation", "-date"),
    "procedures": ("Procedure", "-date"),
    "allergies": ("AllergyIntolerance", "-date"),
    "family": ("FamilyMemberHistory", "-date"),
    "tests": ("ServiceRequest", "-authored"),
    "appointments": ("Appointment", "-date"),
    "claims": ("ExplanationOfBenefit", "-created"),
}
# Search parameters of FHIR R4 (4.0.1) for the types that we ask for: those by patient, token or date.
R4 = {
    "Condition": {"patient", "code", "category", "clinical-status", "onset-date", "recorded-date"},
    "MedicationRequest": {"patient", "code", "status", "intent", "authoredon", "date"},
    "MedicationAdministration": {"patient", "code", "status", "effective-time"},
    "MedicationStatement": {"patient", "code", "status", "category", "effective"},
    "MedicationDispense": {"patient", "code", "status", "whenhandedover", "whenprepared"},
    "Observation": {"patient", "code", "status", "category", "date"},
    "Procedure": {"patient", "code", "status", "category", "date"},
    "AllergyIntolerance": {"patient", "code", "clinical-status", "date", "onset", "last-date"},
    "FamilyMemberHistory": {"patient", "code", "status", "date"},
    "ServiceRequest": {"patient", "code", "status", "category", "authored", "occurrence"},
    "Appointment": {"patient", "status", "service-type", "date"},
    "ExplanationOfBenefit": {"patient", "status", "created"},
}
RESULTS = {"_count", "_sort"}


@cache
def services(profile: Profile) -> tuple[Json, ...]:
    """What discovery says in a profile."""
    settings = Settings(profile=profile)
    return tuple(entry(service, settings.hooks_version) for service in build(settings).services.values())


def templates() -> Iterator[tuple[str, str]]:
    """Every prefetch key with its template, of all services in both profiles."""
    for profile in PROFILES:
        for service in services(profile):
            yield from service.get("prefetch", {}).items()


def parameters(template: str) -> list[tuple[str, str]]:
    """The parameters of a search."""
    return parse_qsl(template.partition("?")[2], keep_blank_values=True, strict_parsing=True)


@pytest.mark.req(4, 5)
@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/"])
async def test_discovery_stands_at_its_address(path: str) -> None:
    """The list is always there; a slash at the end is answered too, for a redirect would lose the token."""
    async with service_on(TODAY) as ehr:
        answer = await ehr.get(path, follow_redirects=False)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"services": list(services("uk"))}


@pytest.mark.req(6, 7, 8, 9, 10, 11, 12)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_service_is_described_as_the_standard_says(profile: Profile) -> None:
    """Each service in the list has hook, title, description, id, prefetch and usage requirements."""
    answer = {"services": list(services(profile))}

    CDSServices.model_validate(answer)
    assert [each["hook"] for each in answer["services"]] == ["order-sign", "order-select", "patient-view"]
    for each in answer["services"]:
        assert {"title", "description", "usageRequirements"} <= set(each)


@pytest.mark.req(3)
@pytest.mark.parametrize("profile", PROFILES)
def test_discovery_holds_nothing_empty(profile: Profile) -> None:
    """No null, empty text, empty list or empty object is sent."""
    assert list(empty_members({"services": list(services(profile))})) == []


@pytest.mark.req(13)
async def test_no_services_are_an_empty_list() -> None:
    """A service with nothing to offer answers 200 with an empty list."""
    listener = Listener()
    listener.services = {}
    async with client(listener) as ehr:
        answer = await ehr.get("/cds-services")

    assert (answer.status_code, answer.json()) == (200, {"services": []})


@pytest.mark.req(10, 16)
async def test_every_id_is_an_address_that_can_be_called() -> None:
    """The id is the last part of the address of the service."""
    async with service_on(TODAY) as ehr:
        for each in services("uk"):
            answer = await ehr.post(f"/cds-services/{each['id']}", json={})
            assert answer.status_code == 400


@pytest.mark.req(210, 211, 212)
def test_every_hook_has_one_service_with_an_id_of_its_own() -> None:
    """Two services with one id replace each other's cards, which we never want."""
    ids = {each["id"]: each["hook"] for each in services("uk")}

    assert ids == {
        "b12-order-sign": "order-sign",
        "b12-order-select": "order-select",
        "b12-patient-view": "patient-view",
    }


@pytest.mark.req(214, 215)
def test_discovery_adds_no_members_of_its_own() -> None:
    """What the standard has no member for stands in an extension, under a name that nobody else uses."""
    for each in services("uk"):
        standard = {"hook", "title", "description", "id", "prefetch", "usageRequirements", "version", "extension"}
        assert set(each) <= standard
        assert set(each["extension"]) == {"urn:b12-cds:override-reason"}


@pytest.mark.parametrize("profile", PROFILES)
def test_override_reasons_are_published_with_their_category_of_hl7(profile: Profile) -> None:
    """The reasons are codes of our own; each says to which suggested category of the standard it belongs."""
    categories = {
        "cds-not-applicable",
        "cds-suboptimal-context",
        "recipient-disagrees-evidence",
        "recipient-concerns-outcomes",
        "does-not-align-preferences",
        "not-convenient-feasible",
    }
    for each in services(profile):
        reasons = each["extension"]["urn:b12-cds:override-reason"]
        assert reasons["categorySystem"] == "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
        assert "inaccurate" in {reason["code"] for reason in reasons["concept"]}
        assert all(reason["category"] in categories and reason["display"] for reason in reasons["concept"])


def test_every_service_names_the_version_of_the_standard() -> None:
    """Version 3.0 recommends to name the version; we name the published one, or the one that is set."""
    assert {each["version"] for each in services("uk")} == {"2.0.1"}
    named = [entry(service, "3.0.0")["version"] for service in Listener().services.values()]
    assert set(named) == {"3.0.0"}


@pytest.mark.req(29, 36)
def test_prefetch_keys_are_the_public_contract() -> None:
    """Prefetch is an object from keys to queries; EHRs are configured for what each key stands for."""
    offered = list(templates())
    assert offered
    for key, template in offered:
        resource, sort = CONTRACT[key]
        assert re.split(r"[/?]", template)[0] == resource
        assert dict(parameters(template)).get("_sort") == sort if sort else "?" not in template


@pytest.mark.req(55, 56, 57, 59)
def test_the_only_token_is_the_patient() -> None:
    """A token stands in double braces and names a simple field of the context that every hook has."""
    for _, template in templates():
        assert set(re.findall(r"\{\{.*?\}\}", template)) == {"{{context.patientId}}"}
        assert "{" not in template.replace("{{context.patientId}}", "")


@pytest.mark.req(58)
def test_templates_keep_to_the_restricted_queries() -> None:
    """Queries are a read by id, or a search by FHIR R4 parameters without modifiers, chains, includes."""
    for _, template in templates():
        if "?" not in template:
            assert template == "Patient/{{context.patientId}}"
            continue
        resource = template.partition("?")[0]
        names = [name for name, _ in parameters(template)]
        assert set(names) <= {"patient", "code", *RESULTS}
        assert set(names) - RESULTS <= R4[resource]


def test_no_parameter_stands_twice_in_a_template() -> None:
    """Some clients merge parameters of one name into alternatives, which asks for something else."""
    for _, template in templates():
        names = [name for name, _ in parameters(template)] if "?" in template else []
        assert len(names) == len(set(names))


def test_every_search_has_a_page_size_and_begins_with_the_newest() -> None:
    """A page that is too short then loses the oldest, and we can say up to when the data reach."""
    for _, template in templates():
        if "?" in template:
            asked = dict(parameters(template))
            assert asked["patient"] == "{{context.patientId}}"
            assert 0 < int(asked["_count"]) <= 1000
            assert asked["_sort"].startswith("-")
            assert asked["_sort"].removeprefix("-") in R4[template.partition("?")[0]]


def test_results_are_asked_for_by_their_codes() -> None:
    """Results are asked for by codes with their systems, not by category, which many EHRs lack."""
    searches = [dict(parameters(template)) for key, template in templates() if key == "labs"]
    assert searches
    for asked in searches:
        assert "category" not in asked
        codes = unquote(asked["code"]).split(",")
        assert all(re.fullmatch(r"https?://[^|]+\|[A-Za-z0-9-]+", code) for code in codes)
        assert len(codes) == len(set(codes))


def test_claims_are_asked_for_in_the_united_states_only() -> None:
    """Claims record injections there; elsewhere the key would only ask for more data than needed."""
    assert not any("claims" in each.get("prefetch", {}) for each in services("uk"))
