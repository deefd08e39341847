"""Who may call and what each is answered with: over HTTP, for the clients of a clients.toml."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cards.library import load
from cards.record import Source
from cards.rule import Hook
from service.clients.replay import StoreUnavailable
from tests.ehr_identity import LIFE_SECONDS, NOW, Clock, Signer, client_toml, service_for
from tests.service.calls import SELECT, SIGN, VIEW, Json, client, issue, order_sign
from tests.service.test_suggestions import buttock_draft
from tests.serving import service_on

pytestmark = pytest.mark.anyio

EHR = Signer()
OTHER = Signer(issuer="https://other.example.org", key_id="other")
EXTENSION = "urn:b12-cds:evaluation"
NOTHING = {"resourceType": "Bundle", "type": "searchset", "total": 0}
FOLIC_ACID = {
    "resourceType": "MedicationRequest",
    "id": "draft-1",
    "status": "draft",
    "medicationCodeableConcept": {"text": "Folic acid 5mg tablets"},
    "dosageInstruction": [
        {
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
        }
    ],
}


def signing(*drafts: Json, prefetch: Mapping[str, Any] | None = None) -> Json:
    """A call at signing of these drafts."""
    entries = [{"resource": draft} for draft in drafts]
    context = {"patientId": "patient-of-a-vignette", "userId": "Practitioner/1"}
    call = order_sign(context={**context, "draftOrders": {"resourceType": "Bundle", "entry": entries}})
    return call if prefetch is None else {**call, "prefetch": dict(prefetch)}


READ_AT_SIGNING = ("problems", "medications", "doses", "labs", "allergies", "procedures", "statements", "dispenses")
BUTTOCK = signing(buttock_draft(), prefetch={"patient": None, **dict.fromkeys(READ_AT_SIGNING, NOTHING)})


def topics(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {card["source"]["topic"]["code"] for card in answer.json()["cards"]}


# --- who may call --------------------------------------------------------------------------------------------------


async def test_a_signed_call_is_answered(tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        answer = await ehr.post(SIGN, json=BUTTOCK, headers=EHR.headers())

    assert "buttock-injection-site" in topics(answer)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_the_scheme_may_be_written_in_any_case(scheme: str, tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        answer = await ehr.post(SIGN, json=order_sign(), headers={"authorization": f"{scheme} {EHR.token()}"})

    assert answer.status_code == 200


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, "no-token"),
    "another scheme": ({"authorization": "Basic dXNlcjpwYXNz"}, "malformed-token"),
    "no token": ({"authorization": "Bearer"}, "malformed-token"),
    "no JWT": ({"authorization": "Bearer opaque"}, "malformed-token"),
    "a stranger": (OTHER.headers(), "unknown-issuer"),
    "another service": (EHR.headers(VIEW), "wrong-audience"),
    "yesterday": (EHR.headers(at=NOW - timedelta(days=1)), "expired"),
    "tomorrow": (EHR.headers(at=NOW + timedelta(days=1)), "not-yet-valid"),
    "a week": (EHR.headers(exp=int(NOW.timestamp()) + 604_800), "lives-too-long"),
    "another hospital": (EHR.headers(tenant="other"), "wrong-tenant"),
    "another algorithm": (Signer(algorithm="RS256").headers(), "wrong-algorithm"),
    "another key": (Signer(key_id="other").headers(), "unknown-key"),
    "a forger": (Signer(key_id="other", header={"kid": EHR.key_id}).headers(tenant="ours"), "wrong-signature"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refusal_looks_the_same_whatever_its_reason_and_the_log_has_its_category(
    case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    headers, category = REFUSED[case]
    known = client_toml(EHR, tenants='["ours"]') if case in ("another hospital", "a forger") else client_toml(EHR)
    async with service_for(tmp_path, known) as ehr:
        answer = await ehr.post(SIGN, json=BUTTOCK, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "login", "details": {"text": "The caller is not known."}}],
    }
    [line] = [each for each in caplog.messages if each.startswith("call refused")]
    assert line.startswith(f"call refused: {category}")


async def test_two_tokens_are_none(tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        headers = [("authorization", f"Bearer {EHR.token()}"), ("authorization", f"Bearer {EHR.token()}")]
        answer = await ehr.post(SIGN, json=order_sign(), headers=headers)

    assert answer.status_code == 401


async def test_whoever_is_not_known_learns_nothing_from_the_body_that_was_sent(tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        answers = [await ehr.post(SIGN, content=body) for body in (b"", b"{", b"{}", b"x" * 6_000_000)]

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}


async def test_the_log_names_the_call_and_never_the_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token = EHR.token(VIEW, jti="c0ffee", tenant="north")
    caplog.set_level(logging.DEBUG)
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        await ehr.post(SIGN, json=order_sign(), headers={"authorization": f"Bearer {token}"})

    assert (
        "call refused: wrong-audience, issuer https://ehr.example.org/oauth2, jti c0ffee, tenant north"
        in caplog.messages
    )
    assert not any(part in caplog.text for part in token.split("."))


async def test_what_a_token_claims_is_logged_only_in_the_shape_of_an_address_or_an_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said: Json = {"iss": "Zephyrine Quillfeather", "jti": "9434 765 919\nforged line", "tenant": "born 14 Mar 1956"}
    caplog.set_level(logging.DEBUG)
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        await ehr.post(SIGN, json=order_sign(), headers=EHR.headers(**said))

    assert "call refused: unknown-issuer, issuer not an address, jti not an opaque id, tenant not an opaque id" in (
        caplog.messages
    )
    assert not any(value in caplog.text for value in said.values())


async def test_a_token_is_used_once(tmp_path: Path) -> None:
    headers = EHR.headers()
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        first, second = [await ehr.post(SIGN, json=order_sign(), headers=headers) for _ in range(2)]
        fresh = await ehr.post(SIGN, json=order_sign(), headers=EHR.headers())

    assert (first.status_code, second.status_code, fresh.status_code) == (200, 401, 200)


async def test_a_token_that_clocks_keep_alive_for_a_minute_is_used_once_in_it_too(tmp_path: Path) -> None:
    headers = EHR.headers()
    clock = Clock(NOW + timedelta(seconds=LIFE_SECONDS + 58))
    async with service_for(tmp_path, client_toml(EHR), clock=clock) as ehr:
        statuses = [(await ehr.post(SIGN, json=order_sign(), headers=headers)).status_code]
        clock.now += timedelta(seconds=1)
        statuses.append((await ehr.post(SIGN, json=order_sign(), headers=headers)).status_code)

    assert statuses == [200, 401]


async def test_a_forged_token_does_not_use_up_the_id_of_a_real_one(tmp_path: Path) -> None:
    forger = Signer(key_id="stranger", header={"kid": EHR.key_id})
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        forged = await ehr.post(SIGN, json=order_sign(), headers=forger.headers(jti="1"))
        real = await ehr.post(SIGN, json=order_sign(), headers=EHR.headers(jti="1"))

    assert (forged.status_code, real.status_code) == (401, 200)


async def test_a_client_may_be_allowed_to_use_a_token_again(tmp_path: Path) -> None:
    headers = EHR.headers()
    async with service_for(tmp_path, client_toml(EHR, replay='"off"')) as ehr:
        answers = [await ehr.post(SIGN, json=order_sign(), headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]


class Silent:
    """A store that does not answer in time."""

    async def first_use(self, issuer: str, jti: str, expires: datetime) -> bool:
        raise StoreUnavailable


@pytest.mark.parametrize(("policy", "statuses"), [("shared", [200, 401]), ("strict", [503, 503]), ("off", [200, 200])])
async def test_a_silent_store_is_dealt_with_as_the_client_wants(
    policy: str, statuses: list[int], tmp_path: Path
) -> None:
    headers = EHR.headers()
    async with service_for(tmp_path, client_toml(EHR, replay=f'"{policy}"'), replay=Silent()) as ehr:
        answers = [await ehr.post(SIGN, json=order_sign(), headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == statuses
    for answer in answers:
        if answer.status_code == 503:
            assert issue(answer, origin=None)["code"] == "transient"
            assert int(answer.headers["retry-after"]) > 0


async def test_a_client_that_calls_too_often_is_told_when_it_may_again(tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR, rate_limit='"2/hour"'), client_toml(OTHER, "other")) as ehr:
        answers = [await ehr.post(SIGN, json=order_sign(), headers=EHR.headers()) for _ in range(3)]
        unaffected = await ehr.post(SIGN, json=order_sign(), headers=OTHER.headers())

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert issue(answers[2], origin=None)["code"] == "throttled"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 7_200
    assert unaffected.status_code == 200


async def test_strangers_do_not_use_up_the_rate_of_a_client(tmp_path: Path) -> None:
    forger = Signer(key_id="stranger", header={"kid": EHR.key_id})
    async with service_for(tmp_path, client_toml(EHR, rate_limit='"1/hour"')) as ehr:
        for _ in range(5):
            await ehr.post(SIGN, json=order_sign(), headers=forger.headers())
        answer = await ehr.post(SIGN, json=order_sign(), headers=EHR.headers())

    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/", "/openapi.json"])
async def test_what_the_service_offers_is_told_to_everyone(path: str, tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        without = await ehr.get(path)
        with_any = await ehr.get(path, headers={"authorization": "Bearer whatever"})

    assert without.status_code == with_any.status_code == 200


async def test_an_unknown_service_is_not_found_whoever_asks(tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        answer = await ehr.post("/cds-services/unknown", json={})

    assert answer.status_code == 404


async def test_while_the_service_is_open_a_token_is_not_looked_at() -> None:
    async with client() as ehr:
        for headers in ({}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic x"}, OTHER.headers()):
            assert (await ehr.post(SIGN, json=order_sign(), headers=headers)).status_code == 200


# --- web pages -----------------------------------------------------------------------------------------------------

PAGE = "https://ehr.example.org"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


@pytest.mark.parametrize("path", ["/cds-services", SIGN, f"{SIGN}/feedback"])
async def test_a_preflight_needs_no_token(path: str, tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR, cors_origins=f'["{PAGE}"]')) as ehr:
        answer = await ehr.options(path, headers={"origin": PAGE, **PREFLIGHT})

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"
    assert answer.headers["vary"] == "origin"


async def test_the_pages_of_every_client_may_call_and_others_may_not(tmp_path: Path) -> None:
    entries = (
        client_toml(EHR, cors_origins=f'["{PAGE}"]'),
        client_toml(OTHER, "other", cors_origins='["http://localhost:8080"]'),
    )
    async with service_for(tmp_path, *entries) as ehr:
        for origin, allowed in (
            (PAGE, PAGE),
            ("http://localhost:8080", "http://localhost:8080"),
            ("https://attacker.example", None),
            (f"{PAGE}.attacker.example", None),
            (f"{PAGE}:8443", None),
            ("null", None),
        ):
            called = await ehr.post(SIGN, json=order_sign(), headers={"origin": origin, **EHR.headers()})
            asked = await ehr.options(SIGN, headers={"origin": origin, **PREFLIGHT})
            for answer in (called, asked):
                assert answer.headers.get("access-control-allow-origin") == allowed
                assert answer.headers["vary"] == "origin"


@pytest.mark.parametrize(
    ("path", "body", "status"), [(SIGN, {}, 401), ("/cds-services/unknown", {}, 404), ("/unknown", {}, 404)]
)
async def test_a_page_may_read_refusals_too(path: str, body: Json, status: int, tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR, cors_origins=f'["{PAGE}"]')) as ehr:
        answer = await ehr.post(path, json=body, headers={"origin": PAGE})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, PAGE)


async def test_without_pages_of_clients_no_page_may_call(tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        answer = await ehr.get("/cds-services", headers={"origin": PAGE})

    assert "access-control-allow-origin" not in answer.headers


# --- what each client is answered with -----------------------------------------------------------------------------


async def test_each_client_has_its_profile_and_its_own_values(tmp_path: Path) -> None:
    low = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
        "subject": {"reference": "Patient/patient-of-a-vignette"},
        "effectiveDateTime": "2026-11-01",
        "valueQuantity": {"value": 150, "unit": "ng/L", "system": "http://unitsofmeasure.org", "code": "ng/L"},
    }
    labs = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": low}]}
    keys = ("problems", "medications", "doses", "statements", "dispenses", "procedures", "allergies")
    call = signing(FOLIC_ACID, prefetch={"patient": None, "labs": labs, **dict.fromkeys(keys, NOTHING)})
    other = client_toml(OTHER, "other", profile='"us"', tables="[clients.other.thresholds]\nb12_deficient_below = 145")
    async with service_for(tmp_path, client_toml(EHR), other) as ehr:
        general = await ehr.post(SIGN, json=call, headers=EHR.headers())
        american = await ehr.post(SIGN, json=call, headers=OTHER.headers())

    [deficient] = [card for card in general.json()["cards"] if card["indicator"] == "critical"]
    assert "B12 150 ng/L" in deficient["summary"]
    assert "critical" not in [card["indicator"] for card in american.json()["cards"]]


async def test_discovery_asks_for_what_any_client_needs(tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR), client_toml(OTHER, "other", profile='"us"')) as ehr:
        both = (await ehr.get("/cds-services")).json()["services"]
    alone = {}
    for profile in ("uk", "us"):
        async with service_on(NOW.date(), profile) as ehr:
            alone[profile] = (await ehr.get("/cds-services")).json()["services"]

    assert [service["id"] for service in both] == [service["id"] for service in alone["uk"]]
    for service, uk, us in zip(both, alone["uk"], alone["us"], strict=True):
        assert set(service["prefetch"]) == set(uk["prefetch"]) | set(us["prefetch"])
        assert service["description"] == uk["description"]
        for key, template in service["prefetch"].items():
            for one in (uk, us):
                asked = one["prefetch"].get(key, "")
                codes = asked.partition("code=")[2].partition("&")[0].split(",")
                assert all(code in template for code in codes)


async def test_the_day_is_that_of_the_client(tmp_path: Path) -> None:
    # Ten past midnight in London is still yesterday in Chicago.
    clock = Clock(datetime(2026, 11, 22, 0, 10, tzinfo=UTC))
    entries = client_toml(EHR), client_toml(OTHER, "other", time_zone='"America/Chicago"')
    async with service_for(tmp_path, *entries, clock=clock) as ehr:
        starts = []
        for signer in (EHR, OTHER):
            call = signing(
                FOLIC_ACID,
                prefetch={
                    **dict.fromkeys(("patient", "medications", "doses", "labs", "procedures", "allergies"), NOTHING),
                    "problems": pernicious_anaemia(),
                },
            )
            answer = await ehr.post(SIGN, json=call, headers=signer.headers(at=clock.now))
            starts.append(authored(answer))

    assert starts == [{"2026-11-22"}, {"2026-11-21"}]


def pernicious_anaemia() -> Json:
    condition = {
        "resourceType": "Condition",
        "subject": {"reference": "Patient/patient-of-a-vignette"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "84027009"}]},
        "clinicalStatus": {"coding": [{"code": "active"}]},
    }
    return {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": condition}]}


def authored(answer: httpx.Response) -> set[str]:
    """The days on which the new orders of the cards are written."""
    return {
        action["resource"]["authoredOn"]
        for card in answer.json()["cards"]
        for suggestion in card.get("suggestions", ())
        for action in suggestion.get("actions", ())
        if action["type"] == "create" and action["resource"]["resourceType"] == "MedicationRequest"
    }


# --- live, silent, off ---------------------------------------------------------------------------------------------


async def test_a_silent_client_is_told_what_was_evaluated_and_shown_no_card(tmp_path: Path) -> None:
    async with service_for(tmp_path, client_toml(EHR, mode='"silent"')) as ehr:
        answer = await ehr.post(SIGN, json=BUTTOCK, headers=EHR.headers())

    assert topics(answer) == set()
    assert "buttock-injection-site" in answer.json()["extension"][EXTENSION]["evaluated"]


@pytest.mark.parametrize("mode", ["silent", "off"])
async def test_one_rule_is_silenced_or_switched_off_and_the_others_speak(mode: str, tmp_path: Path) -> None:
    intravenous = buttock_draft(id="draft-2")
    intravenous["dosageInstruction"] = [
        {
            "route": {"coding": [{"system": "http://snomed.info/sct", "code": "47625008"}]},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg", "code": "mg"}}],
        }
    ]
    keys = ("problems", "medications", "doses", "labs", "allergies", "procedures")
    call = signing(buttock_draft(), intravenous, prefetch={"patient": None, **dict.fromkeys(keys, NOTHING)})
    rules = f'[clients.general.rules]\nbuttock-injection-site = "{mode}"'
    async with service_for(tmp_path, client_toml(EHR), client_toml(OTHER, "other")) as ehr:
        before = await ehr.post(SIGN, json=call, headers=EHR.headers())
    async with service_for(tmp_path, client_toml(EHR, tables=rules), client_toml(OTHER, "other")) as ehr:
        after = await ehr.post(SIGN, json=call, headers=EHR.headers())
        unaffected = await ehr.post(SIGN, json=call, headers=OTHER.headers())

    assert {"buttock-injection-site", "b12-intravenous"} <= topics(before)
    assert topics(after) == topics(before) - {"buttock-injection-site"}
    assert topics(unaffected) == topics(before)
    evaluated = after.json()["extension"][EXTENSION]["evaluated"]
    assert ("buttock-injection-site" in evaluated) == (mode == "silent")


async def test_a_silent_rule_fails_no_call_for_want_of_data(tmp_path: Path) -> None:
    silent = client_toml(OTHER, "other", mode='"silent"')
    async with service_for(tmp_path, client_toml(EHR), silent) as ehr:
        live = await ehr.post(SIGN, json=signing(FOLIC_ACID), headers=EHR.headers())
        rehearsed = await ehr.post(SIGN, json=signing(FOLIC_ACID), headers=OTHER.headers())

    assert live.status_code == 412
    assert topics(rehearsed) == set()
    gaps = rehearsed.json()["extension"][EXTENSION]["notEvaluated"]
    assert {gap["reason"] for gap in gaps} == {"missing"}


async def test_a_service_whose_rules_are_all_off_for_a_client_has_nothing_to_say_to_it(tmp_path: Path) -> None:
    viewing = [topic for topic, folder in load().folders.items() if Hook.PATIENT_VIEW in folder.definition.hooks]
    off = "[clients.general.rules]\n" + "\n".join(f'{topic} = "off"' for topic in viewing)
    call = {**order_sign(context={"patientId": "p", "userId": "Practitioner/1"}), "hook": "patient-view"}
    async with service_for(tmp_path, client_toml(EHR, tables=off)) as ehr:
        listed = [service["id"] for service in (await ehr.get("/cds-services")).json()["services"]]
        missing = await ehr.post(VIEW, json=call, headers=EHR.headers(VIEW))
    async with service_for(tmp_path, client_toml(EHR, tables=off), client_toml(OTHER, "other")) as ehr:
        listed_for_both = [service["id"] for service in (await ehr.get("/cds-services")).json()["services"]]
        quiet = await ehr.post(VIEW, json=call, headers=EHR.headers(VIEW))
        wrong = await ehr.post(VIEW, json={}, headers=EHR.headers(VIEW))

    assert "b12-patient-view" not in listed
    assert missing.status_code == 404
    assert "b12-patient-view" in listed_for_both
    assert (quiet.status_code, quiet.json()) == (200, {"cards": []})
    assert wrong.status_code == 400


# --- data that an EHR never has ------------------------------------------------------------------------------------


async def test_data_that_an_ehr_never_has_are_not_demanded(tmp_path: Path) -> None:
    async with service_for(
        tmp_path, client_toml(EHR), client_toml(OTHER, "other", never_supplied='["problems"]')
    ) as ehr:
        demanded = await ehr.post(SIGN, json=signing(FOLIC_ACID), headers=EHR.headers())
        never = await ehr.post(SIGN, json=signing(FOLIC_ACID), headers=OTHER.headers())

    assert "prefetch.problems" in issue(demanded, origin=None)["expression"]
    assert demanded.status_code == never.status_code == 412
    assert "prefetch.problems" not in issue(never, origin=None)["expression"]
    assert set(issue(never, origin=None)["expression"]) == set(issue(demanded, origin=None)["expression"]) - {
        "prefetch.problems"
    }


async def test_what_cannot_be_checked_for_want_of_such_data_is_in_the_report_and_on_no_card(tmp_path: Path) -> None:
    call = signing(FOLIC_ACID, prefetch={"patient": None, "problems": NOTHING})
    keys = ["labs", "medications", "doses", "statements", "dispenses", "procedures"]
    never = client_toml(OTHER, "other", never_supplied=str(keys).replace("'", '"'))
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    call["prefetch"]["labs"] = failed
    async with service_for(tmp_path, client_toml(EHR), never) as ehr:
        asked = await ehr.post(SIGN, json=call, headers=EHR.headers())
        quiet = await ehr.post(SIGN, json=call, headers=OTHER.headers())

    assert topics(asked) == {"not-evaluated"}
    assert topics(quiet) == set()
    assert quiet.json()["extension"] == asked.json()["extension"]
    assert asked.json()["extension"][EXTENSION]["notEvaluated"]


async def test_an_ehr_that_has_nothing_is_answered_all_the_same(tmp_path: Path) -> None:
    never = client_toml(EHR, never_supplied=str([source.value for source in Source]).replace("'", '"'))
    async with service_for(tmp_path, never) as ehr:
        answer = await ehr.post(
            SELECT, json={**signing(FOLIC_ACID), "hook": "order-select"}, headers=EHR.headers(SELECT)
        )

    assert topics(answer) == set()
    assert answer.json()["extension"][EXTENSION]["notEvaluated"]
