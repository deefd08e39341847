"""The app to compare with: plain FastAPI that reads a body to a dict and returns one fixed card."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

CARD = {
    "uuid": "0f6b4c7e-3f57-4d0c-9c41-5f0d7c1f6a10",
    "summary": "Folic acid 5 mg a day: B12 deficiency is recorded and no B12 has been given. Give B12 first.",
    "detail": (
        "**Why now** Pernicious anaemia is on the problem list, the last B12 was 96 ng/L, and neither an "
        "injection nor a sufficient oral dose is recorded.\n\n"
        "**Recommended** Give hydroxocobalamin first or on the same day: folic acid alone can correct the "
        "blood count while the spinal cord is being damaged.\n\n"
        "**Evidence** Product information of folic acid 5 mg tablets, sections 4.3 and 4.4."
    ),
    "indicator": "critical",
    "source": {
        "label": "Product information of folic acid",
        "url": "https://evidence.example.org/folic-acid",
        "topic": {"system": "urn:example:topic", "code": "folate-before-b12", "display": "Folate before B12"},
    },
    "selectionBehavior": "any",
    "suggestions": [
        {
            "label": "Order hydroxocobalamin 1 mg IM",
            "uuid": "7a3de4b2-95a4-4e19-8a0c-2c8a1f9de7b5",
            "isRecommended": True,
            "actions": [
                {
                    "type": "create",
                    "description": "Order hydroxocobalamin 1 mg into the muscle",
                    "resource": {
                        "resourceType": "MedicationRequest",
                        "status": "draft",
                        "intent": "order",
                        "medicationCodeableConcept": {"text": "Hydroxocobalamin"},
                        "subject": {"reference": "Patient/bench-patient"},
                        "dosageInstruction": [{"text": "1 mg three times a week for 2 weeks", "sequence": 1}],
                    },
                }
            ],
        }
    ],
    "overrideReasons": [
        {"system": "urn:example:override-reason", "code": "given-elsewhere", "display": "Given elsewhere"},
        {
            "system": "urn:example:override-reason",
            "code": "specialist-advice",
            "display": "Specialist advice",
        },
    ],
}

app = FastAPI()


@app.get("/cds-services")
async def services() -> dict[str, Any]:
    """Says that the app is up."""
    return {"services": []}


@app.post("/cds-services/{service}")
async def answer(service: str, body: dict[str, Any]) -> dict[str, Any]:
    """The same card, whatever was asked."""
    return {"cards": [CARD]}
