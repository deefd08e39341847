"""What the OpenAPI document says holds: calls that schemathesis makes from it are answered as it describes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)

from tests.service.test_serve import served

DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"
# The same calls in every run.
FEW = GenerationConfig(max_examples=30, deterministic=True, database="none")
# A call that has the right form may still lack the data that every rule about it requires.
CHECKS = ChecksConfig(positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=["200", "412"]))
schema = schemathesis.openapi.from_path(
    DOCUMENT, config=SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=FEW, checks=CHECKS)))
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server that is open to calls from here."""
    with served() as (address, _):
        yield address


def about_one_patient(body: Any) -> Any:
    """The body with leave to read about the patient of its context: that two members agree, no schema can say."""
    match body:
        case {"context": {"patientId": str(patient)}, "fhirAuthorization": {"patient": str()} as leave}:
            return {**body, "fhirAuthorization": {**leave, "patient": patient}}
    return body


@schema.parametrize()
def test_every_operation_answers_as_the_document_says(case: schemathesis.Case[Any], address: str) -> None:
    case.body = about_one_patient(case.body)
    case.call_and_validate(base_url=address)
