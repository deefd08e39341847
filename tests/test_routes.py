"""The same patient gets the same cards however the data come: with the call, from the FHIR server, or half of each."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from cards.library import load
from cards.record import Source
from cards.rule import Profile
from cards.vignettes import Vignette, VignetteFile, all_files
from service.app import create_app
from service.clients.client import Client, FhirAccess
from service.demo import ehr
from service.fhir.client import FhirClient
from service.fhir.fallback import Fallback
from service.fhir.prefetch import SEARCHES
from service.respond import Responder
from service.settings import Settings
from tests.fhir_server import BASE, Asked, FhirServer, Said, outcome, said
from tests.service.calls import authorization
from tests.serving import client_of

pytestmark = pytest.mark.anyio

CASES = [
    pytest.param(file, vignette, id=f"{topic}: {vignette.name}")
    for topic, file in all_files().items()
    for vignette in file.vignettes
    # What is not supplied there would be supplied by the FHIR server.
    if not vignette.not_supplied
]
Json = dict[str, Any]
HALF = frozenset(list(Source)[::2])


@cache
def responder(profile: Profile, thresholds: tuple[tuple[str, Any], ...]) -> Responder:
    """Answers an EHR whose FHIR server it may ask, patiently: these tests are not about time."""
    settings = Settings(profile=profile, thresholds=dict(thresholds))
    access = FhirAccess((BASE,))
    client = Client("an EHR", profile, settings.zone, settings.thresholds, fhir=access)
    return Responder(load(), client, Fallback(FhirClient(settings.max_body_bytes), budget_ms=60_000))


@cache
def app(today: date, profile: Profile, thresholds: tuple[tuple[str, Any], ...]) -> ASGIApp:
    return create_app(Settings(), lambda: today, responder(profile, thresholds))


def fhir_server(prefetch: Json) -> FhirServer:
    """A server that holds what the prefetch of a vignette holds, failures and cuts included."""
    resources = [prefetch["patient"]]
    failing, cut = set(), set()
    for source in Source:
        value = prefetch[source.value]
        kind = ehr_kind(source)
        if value["resourceType"] == "OperationOutcome":
            failing.add(kind)
        elif value["resourceType"] == "Bundle":
            resources += [entry["resource"] for entry in value["entry"]]
            if "link" in value:
                cut.add(kind)

    def behaviour(asked: Asked) -> Said | None:
        if asked.kind in failing:
            return outcome("timeout")
        if asked.kind in cut:
            [source] = [each for each in Source if ehr_kind(each) == asked.kind]
            return said(prefetch[source.value])
        return None

    return FhirServer(resources, behaviour)


def ehr_kind(source: Source) -> str:
    """The resource type of a source."""
    return "Patient" if source is Source.PATIENT else SEARCHES[source].resource


def told(answer: httpx.Response) -> Json:
    """An answer without what is new in each: the ids of cards and suggestions."""

    def without_ids(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without_ids(each) for name, each in value.items() if name != "uuid"}
        return [without_ids(each) for each in value] if isinstance(value, list) else value

    assert answer.status_code == httpx.codes.OK
    return dict(without_ids(answer.json()))


@pytest.mark.parametrize(("file", "vignette"), CASES)
async def test_prefetch_and_the_fhir_server_and_half_of_each_give_the_same_cards(
    file: VignetteFile, vignette: Vignette
) -> None:
    request = ehr.request(vignette, file.today, load().terminology)
    whole = request.pop("prefetch")
    access = {"fhirServer": BASE, "fhirAuthorization": authorization()}
    address = f"/cds-services/b12-{vignette.hook.value}"
    half = {key: value for key, value in whole.items() if key in HALF}

    service = app(file.today, vignette.profile, tuple(sorted(vignette.settings.items())))
    with fhir_server(whole).intercepting() as server:
        async with client_of(service) as client:
            from_prefetch = await client.post(address, json={**request, "prefetch": whole})
            assert server.asked == []
            from_fhir = await client.post(address, json={**request, **access})
            asked_for_all = len(server.asked)
            from_both = await client.post(address, json={**request, **access, "prefetch": half})

    assert told(from_fhir) == told(from_prefetch)
    assert told(from_both) == told(from_prefetch)
    if from_prefetch.json() != {"cards": []}:
        asked_for_half = len(server.asked) - asked_for_all
        assert asked_for_half < asked_for_all or asked_for_all == 0
    assert authorization()["access_token"] not in from_fhir.text
