"""The OpenAPI document: the services, the wire format, an example of each call, and the refusals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from cards.rule import Hook
from service.cds_hooks.discovery import CDSServices
from service.cds_hooks.feedback import CDSFeedback
from service.cds_hooks.outcome import OperationOutcome
from service.cds_hooks.request import CDSRequest
from service.cds_hooks.response import CDSResponse
from service.present import OVERRIDE_SYSTEM
from service.respond import EVALUATION_EXTENSION, Service

TITLE = "B12 CDS"
# Of the interface that the document describes, not of the program.
INTERFACE_VERSION = "1.0"

_REFUSALS = {
    "400": "The request is not what the standard says; `expression` names the members that are wrong.",
    "401": "The caller is not known; why is in the service's log alone.",
    "404": "There is no service of this id.",
    "412": "Required prefetch keys are absent; `expression` names them.",
    "413": "The body is larger than the limit.",
    "415": "The body is not sent as JSON.",
    "429": "The client calls too often; Retry-After says when it may again, in seconds.",
    "500": "The service failed; nothing was checked.",
    "503": "Whether the token was used before cannot be told now; Retry-After says when to try again, in seconds.",
}
_SIGNED = (
    "A JWT signed by the EHR, as the standard describes it: header with alg, kid and typ JWT; claims iss, aud (the "
    "address that is called), exp, iat and jti. A service that is open on a loopback address asks for none."
)
_OPERATOR = "The secret of B12_CDS_OPERATOR_TOKEN; where none is set, the address is there for its own machine alone."
_LEFT_BUTTOCK = {
    "system": "http://snomed.info/sct",
    "code": "723979003",
    "display": "Structure of left buttock",
}
_DRAFT = {
    "resourceType": "MedicationRequest",
    "id": "draft-1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/pat-1"},
    "medicationCodeableConcept": {"text": "Hydroxocobalamin 1mg/1ml solution for injection ampoules"},
    "dosageInstruction": [
        {
            "site": {"coding": [_LEFT_BUTTOCK]},
            "route": {"text": "intramuscular"},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg"}}],
        }
    ],
}
_FEEDBACK = {
    "accepted": {
        "value": {
            "feedback": [
                {
                    "card": "8d3f1c1e-7a70-4e0c-9f1e-0c5c3a8f0001",
                    "outcome": "accepted",
                    "acceptedSuggestions": [{"id": "1b0a6d9f-52c3-4c0a-8e39-3b1c8f3a0002"}],
                    "outcomeTimestamp": "2026-11-25T09:30:08Z",
                }
            ]
        }
    },
    "overridden": {
        "value": {
            "feedback": [
                {
                    "card": "8d3f1c1e-7a70-4e0c-9f1e-0c5c3a8f0001",
                    "outcome": "overridden",
                    "overrideReason": {"reason": {"code": "patient-choice", "system": OVERRIDE_SYSTEM}},
                    "outcomeTimestamp": "2026-11-25T09:30:08.571Z",
                }
            ]
        }
    },
}
_REPORT = {
    "description": "Which rules were asked, which could not be answered and for want of what; empty members left out.",
    "type": "object",
    "required": ["version"],
    "properties": {
        "version": {"const": 1},
        "evaluated": {"type": "array", "items": {"type": "string"}},
        "notEvaluated": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["topic", "reason"],
                "properties": {
                    "topic": {"type": "string"},
                    "data": {"type": "array", "items": {"type": "string"}},
                    "reason": {"type": "string"},
                },
            },
        },
        "draftOrders": {
            "description": "Drafts of which nothing can be told, by reference or by place in `entry` from 0.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["reason"],
                "oneOf": [{"required": ["reference"]}, {"required": ["position"]}],
                "properties": {
                    "reference": {"type": "string"},
                    "position": {"type": "integer", "minimum": 0},
                    "reason": {"enum": ["unreadable", "unresolved", "another-patient"]},
                },
            },
        },
        "sources": {
            "description": "What was noticed of prefetch keys and cost no rule its answer.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["data", "reason"],
                "properties": {
                    "data": {"type": "string"},
                    "reason": {"enum": ["another-patient", "duplicate"]},
                },
            },
        },
        "unrecognisedCodes": {"type": "integer", "minimum": 1},
    },
}
_REPORTED = {"properties": {"extension": {"properties": {EVALUATION_EXTENSION: _REPORT}}}}
_UNREAD_DRAFT = {
    "cards": [],
    "extension": {EVALUATION_EXTENSION: {"version": 1, "draftOrders": [{"position": 0, "reason": "unreadable"}]}},
}
_DRAFTS = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _DRAFT}]}
_NOTHING_FOUND = {"resourceType": "Bundle", "type": "searchset", "total": 0}


def document(services: Iterable[Service]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these services."""
    references, definitions = models_json_schema(
        [
            (CDSServices, "serialization"),
            (CDSRequest, "validation"),
            (CDSResponse, "serialization"),
            (CDSFeedback, "validation"),
            (OperationOutcome, "serialization"),
        ],
        ref_template="#/components/schemas/{model}",
    )
    schemas = {model: schema for (model, _), schema in references.items()}
    refusals = {
        status: {"description": text, "content": _json(schemas[OperationOutcome])} for status, text in _REFUSALS.items()
    }
    paths: dict[str, Any] = {
        "/cds-services": {
            "get": {
                "operationId": "discovery",
                "summary": "The services there are",
                "responses": {
                    "200": {"description": "Every service.", "content": _json(schemas[CDSServices])},
                    "500": refusals["500"],
                },
            }
        }
    }
    for service in services:
        paths[f"/cds-services/{service.id}"] = {
            "post": {
                "operationId": service.id,
                "summary": service.title,
                "description": service.description,
                "security": [{"token": []}, {}],
                "requestBody": {
                    "required": True,
                    "content": _json(
                        {"allOf": [schemas[CDSRequest], _own_request(service)]},
                        {service.hook.value: {"value": example(service)}},
                    ),
                },
                "responses": {
                    "200": {
                        "description": "The cards; an empty list means that there is nothing to say.",
                        "content": _json({"allOf": [schemas[CDSResponse], _REPORTED]}, _answers(service)),
                    },
                    **refusals,
                },
            }
        }
        paths[f"/cds-services/{service.id}/feedback"] = _feedback(service, schemas[CDSFeedback], refusals)
    paths |= _for_operators(schemas[OperationOutcome])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": INTERFACE_VERSION,
            "description": "CDS Hooks services for vitamin B12, folic acid and related orders.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _SIGNED},
                "operator": {"type": "http", "scheme": "bearer", "description": _OPERATOR},
            },
        },
    }


def _answers(service: Service) -> dict[str, Any]:
    """Answers without a card: nothing to say, and while ordering a draft that could not be read."""
    nothing: dict[str, Any] = {"nothing to say": {"value": {"cards": []}}}
    unread = {"a draft that could not be read": {"value": _UNREAD_DRAFT}}
    return nothing | unread if service.hook is Hook.ORDER_SELECT else nothing


def _own_request(service: Service) -> dict[str, Any]:
    """What a call of this service has beyond any other's: its hook, and the context of that."""
    text = {"type": ["string", "null"]}
    context: dict[str, Any] = {
        "type": "object",
        "properties": {
            "patientId": {"type": "string", "pattern": r"^(Patient/)?[^/]*[^/\s][^/]*$"},
            "userId": text,
            "encounterId": text,
        },
        "required": ["patientId"],
    }
    if service.hook.about_orders:
        context["properties"]["draftOrders"] = {
            "type": "object",
            "properties": {"resourceType": {"const": "Bundle"}, "entry": {"type": ["array", "null"]}},
        }
        context["required"].append("draftOrders")
    return {"properties": {"hook": {"const": service.hook.value}, "context": context}}


def _feedback(service: Service, schema: dict[str, Any], refusals: dict[str, Any]) -> dict[str, Any]:
    """The address that takes what became of the service's cards."""
    unstored = {**refusals["503"], "description": "It cannot be stored now and is not acknowledged; send it again."}
    done = {"type": "object", "maxProperties": 0}
    return {
        "post": {
            "operationId": f"{service.id}-feedback",
            "summary": "What became of cards",
            "description": "Several cards of several calls may be told of at once; what is told twice is kept once.",
            "security": [{"token": []}, {}],
            "requestBody": {"required": True, "content": _json(schema, _FEEDBACK)},
            "responses": {
                "200": {"description": "It is on the disk.", "content": _json(done)},
                **{status: refusal for status, refusal in refusals.items() if status != "412"},
                "503": unstored,
            },
        }
    }


def _for_operators(refusal: dict[str, Any]) -> dict[str, Any]:
    """The addresses for those who run the service."""
    state: dict[str, Any] = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    checks = {"type": "object", "additionalProperties": {"type": "string"}}
    readiness = {**state, "properties": {**state["properties"], "checks": checks}, "required": ["status", "checks"]}
    ready = {"ready": {"value": {"status": "ready", "checks": {"rules": "ready", "store": "ready"}}}}
    waiting = {"no keys": {"value": {"status": "not ready", "checks": {"keys": "no client's keys are known"}}}}
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "/healthz": {
            "get": {
                "operationId": "health",
                "summary": "Whether the process answers",
                "responses": {"200": {"description": "It does.", "content": _json(state)}},
            }
        },
        "/readyz": {
            "get": {
                "operationId": "readiness",
                "summary": "Whether calls should come here",
                "responses": {
                    "200": {"description": "They should.", "content": _json(readiness, ready)},
                    "503": {"description": "A part that is needed is not there.", "content": _json(readiness, waiting)},
                },
            }
        },
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "What was counted, for Prometheus",
                "security": [{"operator": []}, {}],
                "responses": {
                    "200": {"description": "All counts, summed over the workers.", "content": text},
                    "401": {"description": "The operator's token is missing or wrong.", "content": _json(refusal)},
                    "404": {"description": "Not for callers from elsewhere.", "content": _json(refusal)},
                },
            }
        },
    }


def example(service: Service) -> dict[str, Any]:
    """A call of the service for an invented patient, in whose chart the EHR found nothing."""
    context: dict[str, Any] = {"userId": "Practitioner/prac-1", "patientId": "pat-1"}
    if service.hook.about_orders:
        context["draftOrders"] = _DRAFTS
        context["selections"] = ["MedicationRequest/draft-1"]
    prefetch: dict[str, Any] = dict.fromkeys(service.prefetch, _NOTHING_FOUND)
    if "patient" in prefetch:
        prefetch["patient"] = {"resourceType": "Patient", "id": "pat-1", "birthDate": "1956-03-14"}
    return {
        "hook": service.hook.value,
        "hookInstance": "8a2f1d3c-7b64-4a39-9d0e-5c1f6b7a8e90",
        "context": context,
        "prefetch": prefetch,
    }


def _json(schema: dict[str, Any], examples: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if examples:
        content["examples"] = examples
    return {"application/json": content}
