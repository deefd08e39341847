"""The OpenAPI document: fresh, complete, and true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.cds_hooks.feedback import CDSFeedback
from service.cds_hooks.request import CDSRequest
from service.endpoints import openapi
from service.respond import build
from service.settings import Settings
from tests.service.calls import client

COMMITTED = Path(__file__).parents[2] / "openapi" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of the service as it is."""
    return openapi.document(build(Settings(profile="uk")).services.values())


def test_the_committed_document_is_fresh(document: dict[str, Any]) -> None:
    assert json.loads(COMMITTED.read_text("utf-8")) == document, "run `make openapi`"


def test_every_service_is_described_with_its_refusals(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {
        "/cds-services",
        "/cds-services/b12-order-sign",
        "/cds-services/b12-order-select",
        "/cds-services/b12-patient-view",
        "/cds-services/b12-order-sign/feedback",
        "/cds-services/b12-order-select/feedback",
        "/cds-services/b12-patient-view/feedback",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    post = document["paths"]["/cds-services/b12-order-sign"]["post"]
    assert set(post["responses"]) == {"200", "400", "401", "404", "412", "413", "415", "429", "500", "503"}


def test_every_example_is_a_valid_call(document: dict[str, Any]) -> None:
    posts = [path["post"] for path in document["paths"].values() if "post" in path]
    for post in posts:
        for example in post["requestBody"]["content"]["application/json"]["examples"].values():
            (CDSFeedback if "feedback" in example["value"] else CDSRequest).model_validate(example["value"])
    assert len(posts) == 6


def test_every_schema_that_is_pointed_at_exists(document: dict[str, Any]) -> None:
    pointers = set(references(document))
    names = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert pointers
    assert pointers <= names


def references(part: Any) -> Iterator[str]:
    """Every $ref in a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


@pytest.mark.anyio
async def test_the_document_is_served_and_no_page_that_loads_scripts_from_elsewhere() -> None:
    async with client() as ehr:
        served = await ehr.get("/openapi.json")
        pages = [await ehr.get("/docs"), await ehr.get("/redoc")]

    assert served.json()["info"]["title"] == "B12 CDS"
    assert [page.status_code for page in pages] == [404, 404]
