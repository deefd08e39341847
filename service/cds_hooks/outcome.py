"""What the body of a refusal looks like: a FHIR OperationOutcome with one issue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from service.cds_hooks.wire import Message

IssueCode = Literal[
    "structure",
    "required",
    "value",
    "not-found",
    "not-supported",
    "too-long",
    "login",
    "throttled",
    "transient",
    "exception",
]


class IssueDetails(Message):
    """The fault in words; never a value that was sent."""

    text: str


class Issue(Message):
    """One fault; `expression` names the members of the request that it is about."""

    severity: Literal["error"]
    code: IssueCode
    details: IssueDetails
    expression: Annotated[list[str], Field(min_length=1)] | None = None


class OperationOutcome(Message):
    """The body of every answer that is not a success."""

    resource_type: Literal["OperationOutcome"]
    issue: Annotated[list[Issue], Field(min_length=1)]


def operation_outcome(code: IssueCode, text: str, expression: Sequence[str] = ()) -> dict[str, Any]:
    """An OperationOutcome as JSON: FHIR issue code, the fault in words, the members it is about."""
    issue: dict[str, Any] = {"severity": "error", "code": code, "details": {"text": text}}
    if expression:
        issue["expression"] = list(expression)
    return {"resourceType": "OperationOutcome", "issue": [issue]}
