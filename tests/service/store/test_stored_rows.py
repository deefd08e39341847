"""Nothing that identifies a patient is stored: no row and no byte of the database holds what a call was marked with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cards.library import load
from cards.vignettes import all_files
from service.demo import ehr
from service.store.migrate import migrate
from tests.service.store.conftest import sqlite_in
from tests.service.store.stored import PSEUDONYM_KEY, body_of, everything, overridden, service_with, store_at

pytestmark = pytest.mark.anyio
NAME, NUMBER, TOKEN, NOTE = "Zephyrine Quillfeather", "9434765919", "tok-5f0c7a", "lives beside the lighthouse"


def marked(request: dict[str, Any]) -> dict[str, Any]:
    """A call with a name, an identifier, a token and free text wherever an EHR may put them."""
    request["fhirServer"] = "https://ehr.example.org/fhir"
    request["fhirAuthorization"] = {"access_token": TOKEN, "token_type": "Bearer", "scope": "user/*.read"}
    request["context"] |= {"userId": f"Practitioner/{NUMBER}", "encounterId": NUMBER}
    resources = [
        entry["resource"]
        for bundle in (*request["prefetch"].values(), request["context"].get("draftOrders", {}))
        for entry in bundle.get("entry", [])
    ]
    for resource in resources:
        resource["note"] = [{"text": f"{NAME}, {NOTE}"}]
        resource["identifier"] = [{"value": NUMBER}]
        resource["subject"] = {"reference": f"Patient/{ehr.PATIENT}", "display": NAME}
    return request


def every_byte(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_no_stored_byte_tells_who_a_patient_is(tmp_path: Path) -> None:
    url = sqlite_in(tmp_path)
    migrate(url)
    terminology = load().terminology
    shown = 0
    async with service_with(
        store_at(url, quiet_days=30), override_quiet_days=30, pseudonym_key=PSEUDONYM_KEY
    ) as client:
        for file in all_files().values():
            for vignette in file.vignettes[::2]:
                path = f"/cds-services/b12-{vignette.hook.value}"
                answer = await client.post(path, json=marked(ehr.request(vignette, file.today, terminology)))
                cards = answer.json().get("cards", [])
                shown += len(cards)
                why = {"reason": {"code": NOTE, "display": NAME}, "userComment": f"{NAME} {NUMBER}"}
                entries = [overridden(card["uuid"], overrideReason=why, note=NAME) for card in cards]
                assert (await client.post(f"{path}/feedback", json=body_of(*entries, overridden(NUMBER)))).is_success

    stored = everything(url).encode() + every_byte(tmp_path)
    assert shown > 100
    for secret in (NAME, NUMBER, TOKEN, NOTE, ehr.PATIENT):
        assert secret.encode() not in stored
