"""clients.toml: what it may say, what is refused by the name of its field, and the example that operators copy."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cards.library import load
from cards.record import Source
from service.clients.client import FhirAccess, SignOff
from service.clients.file import ClientEntry, WrongClients, is_loopback, read_clients
from service.clients.trust import Clients
from service.commands.check_config import describe
from service.settings import Settings
from tests.ehr_identity import ISSUER, PUBLIC_URL, Signer, client_toml

EXAMPLE = Path(__file__).parents[3] / "docker" / "clients.example.toml"
EHR = Signer()
HERE = Settings(public_url=PUBLIC_URL)
EVERYWHERE = "0.0.0.0"  # noqa: S104  # named, never listened on


def read(folder: Path, *entries: str, settings: Settings = HERE) -> Clients:
    file = folder / "clients.toml"
    file.write_text("\n".join(entries), encoding="utf-8")
    return read_clients(file, settings, load())


def refused(folder: Path, *entries: str, settings: Settings = HERE) -> str:
    """The message, without the path of the file."""
    with pytest.raises(WrongClients) as why:
        read(folder, *entries, settings=settings)
    return str(why.value).replace(f"{folder / 'clients.toml'}: ", "")


# --- the example -------------------------------------------------------------------------------------------------


def test_the_example_is_valid_and_shows_every_kind_of_client() -> None:
    clients = read_clients(EXAMPLE, HERE, load())

    by_name = {trust.client.name: trust for trust in clients.trusts}
    assert list(by_name) == ["general-hospital", "north-clinic", "south-clinic", "small-practice"]
    epic = by_name["general-hospital"]
    assert epic.algorithms == {"RS384"}
    assert epic.max_token_life == timedelta(minutes=15)
    assert str(epic.rate) == "50 per 1 second"
    assert epic.client.thresholds == {
        "b12_deficient_below": Decimal(145),
        "b12_replete_above": Decimal(400),
        "administrations_recorded": Decimal(1),
    }
    assert epic.client.mode_of("duplicate-cobalamin") == "silent"
    assert epic.client.mode_of("methylcobalamin-choice") == "off"
    assert epic.client.mode_of("folate-before-b12") == "live"
    assert epic.client.never_supplied == {Source.CLAIMS, Source.STATEMENTS}
    assert epic.client.fhir == FhirAccess(("https://fhir.general-hospital.example/api/FHIR/R4",), private_networks=True)
    assert epic.client.sign_off_of("folate-before-b12") == SignOff(
        "folate-before-b12", 1, "Chief Clinical Information Officer", date(2026, 11, 20)
    )
    north, south = by_name["north-clinic"], by_name["south-clinic"]
    assert north.issuer == south.issuer
    assert not north.tenants & south.tenants
    assert (north.client.mode, south.client.mode) == ("silent", "live")
    assert north.client.mode_of("folate-before-b12") == "silent"
    assert (north.client.zone.key, south.client.zone.key) == ("America/Chicago", "America/Phoenix")
    assert (by_name["small-practice"].replay, south.replay) == ("shared", "strict")
    assert set(by_name["small-practice"].pinned) == {("example-kid", "ES384")}
    assert clients.origins == {"https://practice.example"}


def test_every_field_that_a_client_may_have_is_in_the_example() -> None:
    text = EXAMPLE.read_text("utf-8")

    assert [name for name in ClientEntry.model_fields if name not in text] == ["audiences"]


def sandbox() -> str:
    """The sandbox of the example, with its comment marks taken away."""
    text = EXAMPLE.read_text("utf-8")
    return "\n".join(line.removeprefix("# ") for line in text[text.index("# [clients.sandbox]") :].splitlines())


@pytest.mark.parametrize(
    ("host", "public_url", "allowed"),
    [
        ("127.0.0.1", "http://localhost:8000", True),
        ("::1", "http://[::1]:8000", True),
        ("localhost", "http://127.0.0.1:8000", True),
        (EVERYWHERE, "http://localhost:8000", False),
        ("::", "http://localhost:8000", False),
        ("10.0.0.7", "http://localhost:8000", False),
        ("b12.hospital.example", "http://localhost:8000", False),
        # Behind a proxy on the same machine the service is public all the same.
        ("127.0.0.1", PUBLIC_URL, False),
    ],
)
def test_the_official_sandbox_whose_private_key_is_public_is_for_one_machine_alone(
    host: str, public_url: str, allowed: bool, tmp_path: Path
) -> None:
    settings = Settings(host=host, public_url=public_url)

    if allowed:
        assert read(tmp_path, sandbox(), settings=settings).trusts[0].client.fhir.without_token
    else:
        assert "private key is public" in refused(tmp_path, sandbox(), settings=settings)


@pytest.mark.parametrize(
    "entry",
    [
        client_toml(EHR, jku='["https://sandbox.cds-hooks.org/.well-known/jwks.json"]'),
        client_toml(Signer(key_id="44823f3d-0b01-4a6c-a80e-b9d3e8a7226f")),
        client_toml(Signer(issuer="https://sandbox.cds-hooks.org")),
        client_toml(Signer(issuer="https://sandbox.cds-hooks.org/")),
    ],
)
def test_the_sandbox_is_known_by_its_issuer_its_address_and_its_key(entry: str, tmp_path: Path) -> None:
    assert "private key is public" in refused(tmp_path, entry)


@pytest.mark.parametrize(
    ("host", "said"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True)]
    + [(each, False) for each in (EVERYWHERE, "::", "192.168.1.1", "localhost.example", "", "127.0.0.1.example")],
)
def test_which_addresses_only_this_machine_reaches(host: str, said: bool) -> None:
    assert is_loopback(host) == said


# --- what a client has unless the file says otherwise --------------------------------------------------------------


def test_a_client_has_safe_values_where_the_file_says_nothing(tmp_path: Path) -> None:
    [trust] = read(tmp_path, client_toml(EHR)).trusts

    assert trust.algorithms == {"RS384", "ES384"}
    assert trust.max_token_life == timedelta(hours=1)
    assert trust.replay == "shared"
    assert (trust.tenants, trust.audiences, trust.origins, trust.rate) == (frozenset(), frozenset(), (), None)
    assert (trust.client.profile, trust.client.zone.key, trust.client.mode) == ("uk", "Europe/London", "live")
    assert trust.client.fhir == FhirAccess()
    assert trust.client.rule_pages == f"{PUBLIC_URL}/rules"


def test_a_client_inherits_the_settings_and_their_time_zone_with_their_profile(tmp_path: Path) -> None:
    settings = Settings(
        public_url=PUBLIC_URL,
        profile="us",
        time_zone="America/Denver",  # type: ignore[arg-type]  # read from text, as in the environment
        thresholds={"b12_deficient_below": Decimal(150), "b12_replete_above": Decimal(390)},
    )
    american, british = read(
        tmp_path,
        client_toml(EHR, "a", tables="[clients.a.thresholds]\nb12_deficient_below = 145.5"),
        client_toml(Signer(issuer="https://b.example"), "b", profile='"uk"'),
        settings=settings,
    ).trusts

    assert (american.client.profile, american.client.zone.key) == ("us", "America/Denver")
    assert (british.client.profile, british.client.zone.key) == ("uk", "Europe/London")
    assert american.client.thresholds == {"b12_deficient_below": Decimal("145.5"), "b12_replete_above": Decimal(390)}


# --- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_a_key_file_may_be_a_key_set_or_a_key_as_pem(algorithm: str, tmp_path: Path) -> None:
    signer = Signer(algorithm=algorithm)
    public = signer.private_key.public_key()
    (tmp_path / "keys.json").write_text(json.dumps(signer.jwks()))
    (tmp_path / "one.json").write_text(json.dumps(signer.jwk()))
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    for fields in (
        {"key_file": '"keys.json"'},
        {"key_file": '"one.json"'},
        {"key_file": '"key.pem"', "key_id": '"key-1"'},
    ):
        [trust] = read(tmp_path, client_toml(signer, **fields)).trusts
        assert trust.pinned["key-1", algorithm].key == public


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither a JSON Web Key Set nor a public key as PEM"),
        (b"{", "not JSON"),
        (b'{"keys": []}', "no public key"),
        (b'{"keys": 3}', "not a JSON Web Key Set"),
        (json.dumps({"keys": [EHR.jwk(d="AAAA")]}).encode(), "no public key"),
        (json.dumps({"keys": [EHR.jwk(kid=...)]}).encode(), "no public key with an id"),
        (json.dumps({"keys": [{"kty": "oct", "kid": "1", "k": "AAAA"}]}).encode(), "no public key"),
        (json.dumps(Signer(algorithm="RS256").jwks()).encode(), "no key for RS384 or ES384"),
        (
            EHR.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "neither a JSON Web Key Set nor a public key as PEM",
        ),
    ],
    ids=range(9),
)
def test_a_key_file_without_a_usable_public_key_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(content)

    message = refused(tmp_path, client_toml(EHR, key_file='"keys"', key_id='"key-1"'))

    assert message.startswith("clients.general.key_file: keys: ")
    assert said in message


def test_a_pem_file_needs_the_id_that_tokens_name(tmp_path: Path) -> None:
    public = EHR.private_key.public_key()
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    assert "needs key_id" in refused(tmp_path, client_toml(EHR, key_file='"key.pem"'))
    assert "No such file" in refused(tmp_path, client_toml(EHR, key_file='"other.pem"'))


def signed_off(topic: str, version: int) -> dict[str, str]:
    """The field of a client whose clinicians agreed to a version of a rule."""
    members = f'rule = "{topic}"\nversion = {version}\nby = "Dr A"\non = 2026-01-31'
    return {"tables": f"[[clients.general.sign_offs]]\n{members}"}


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"issuer": '""'}, "clients.general.issuer: "),
        ({"jku": '["http://ehr.example.org/jwks"]'}, "clients.general.jku.0: must begin with https"),
        ({"jku": '["ehr.example.org"]'}, "clients.general.jku.0: must be a web address"),
        ({"jku": '["https://user:secret@ehr.example.org"]'}, "clients.general.jku.0: must be a web address"),
        ({"jku": "[]"}, "clients.general.jku: one of jku, jwks and key_file"),
        ({"jwks": "{ keys = [] }"}, "clients.general.jwks: no public key"),
        ({"algorithms": '["HS256"]'}, "clients.general.algorithms.0: Input should be 'RS256'"),
        ({"algorithms": '["none"]'}, "clients.general.algorithms.0: "),
        ({"algorithms": "[]"}, "clients.general.algorithms: "),
        ({"algorithms": '["RS512"]'}, "clients.general.jwks: no key for RS512"),
        ({"max_token_life": '"48:00:00"'}, "clients.general.max_token_life: "),
        ({"max_token_life": "0"}, "clients.general.max_token_life: "),
        ({"replay": '"never"'}, "clients.general.replay: "),
        ({"rate_limit": '"often"'}, "clients.general.rate_limit: must be a rate such as"),
        ({"rate_limit": "5"}, "clients.general.rate_limit: "),
        ({"cors_origins": '["*"]'}, "clients.general.cors_origins.0: must be the origin of a web page"),
        ({"cors_origins": '["https://a.example/page"]'}, "clients.general.cors_origins.0: must be the origin"),
        ({"profile": '"fr"'}, "clients.general.profile: "),
        ({"time_zone": '"Mars/Olympus"'}, "clients.general.time_zone: "),
        ({"mode": '"off"'}, "clients.general.mode: "),
        ({"never_supplied": '["x-rays"]'}, "clients.general.never_supplied.0: "),
        ({"isuer": '"x"'}, "clients.general.isuer: Extra inputs are not permitted"),
        ({"tables": '[clients.general.rules]\nfolat = "off"'}, "clients.general.rules.folat: there is no such rule"),
        (
            {"tables": '[clients.general.rules]\nfolate-before-b12 = "loud"'},
            "clients.general.rules.folate-before-b12: ",
        ),
        ({"tables": "[clients.general.thresholds]\nb12_low = 1"}, "clients.general.thresholds: unknown b12_low"),
        ({"tables": '[clients.general.thresholds]\nb12_deficient_below = "low"'}, "clients.general.thresholds."),
        (
            {"tables": "[clients.general.thresholds]\nadministrations_recorded = 1"},
            "clients.general.thresholds.administrations_recorded: stands beside the thresholds",
        ),
        (
            signed_off("folat", 1),
            "clients.general.sign_offs.0.rule: there is no rule folat",
        ),
        (
            signed_off("folate-before-b12", 99),
            "clients.general.sign_offs.0.version: folate-before-b12 is of version",
        ),
        (
            {"tables": '[[clients.general.sign_offs]]\nrule = "folate-before-b12"\nversion = 1\non = 2026-01-01'},
            "clients.general.sign_offs.0.by: Field required",
        ),
        (
            {"tables": '[clients.general.fhir]\nbase_urls = ["http://fhir.example.org"]'},
            "clients.general.fhir.base_urls: http://fhir.example.org: must begin with https",
        ),
        (
            {"tables": '[clients.general.fhir]\nbase_urls = ["https://fhir.example.org?x=1"]'},
            "clients.general.fhir.base_urls: https://fhir.example.org?x=1: must have no query",
        ),
        ({"tables": '[clients.general.fhir]\nbase_urls = ["fhir"]'}, "clients.general.fhir.base_urls.0: must be a web"),
    ],
    ids=str,
)
def test_a_fault_is_told_by_client_and_field(fields: dict[str, str], said: str, tmp_path: Path) -> None:
    assert refused(tmp_path, client_toml(EHR, **fields)).startswith(said)


def test_every_fault_of_meaning_is_told_at_once(tmp_path: Path) -> None:
    message = refused(
        tmp_path,
        client_toml(EHR, "one", tables='[clients.one.rules]\nfolat = "off"'),
        client_toml(EHR, "two", jwks="{ keys = [] }"),
        settings=Settings(),
    )

    assert [line.partition(":")[0] for line in message.splitlines()] == [
        "B12_CDS_PUBLIC_URL must be set",
        "clients.one.rules.folat",
        "clients.two.tenants",
        "clients.two.jwks",
    ]


@pytest.mark.parametrize("text", ["", "clients = {}", "[clients]", "[client.one]", "clients = 1", "[clients.General]"])
def test_a_file_without_clients_is_refused(text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text).startswith("clien")


@pytest.mark.parametrize("content", [b"[clients", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_bytes(content)

    with pytest.raises(WrongClients, match=r"clients\.toml: "):
        read_clients(file, HERE, load())


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(WrongClients, match=r"nowhere/clients\.toml: No such file"):
        read_clients(Path("nowhere/clients.toml"), HERE, load())


@pytest.mark.parametrize(
    ("one", "two", "fine"),
    [
        ({}, {}, False),
        ({"tenants": '["a"]'}, {}, False),
        ({"tenants": '["a", "b"]'}, {"tenants": '["b"]'}, False),
        ({"tenants": '["a"]'}, {"tenants": '["b"]'}, True),
    ],
    ids=str,
)
def test_clients_of_one_issuer_must_have_tenants_of_their_own(one: Any, two: Any, fine: bool, tmp_path: Path) -> None:
    entries = client_toml(EHR, "one", **one), client_toml(EHR, "two", **two)

    if fine:
        clients = read(tmp_path, *entries)
        assert [trust.client.name for trust in clients.by_issuer[ISSUER]] == ["one", "two"]
    else:
        assert refused(tmp_path, *entries).startswith("clients.two.tenants: must tell it apart from clients.one")


# --- what check-config says ----------------------------------------------------------------------------------------


def test_what_each_client_may_do_is_said_in_words(tmp_path: Path) -> None:
    clients = read(
        tmp_path,
        client_toml(
            EHR,
            tenants='["a"]',
            rate_limit='"5/minute"',
            never_supplied='["claims"]',
            administrations_recorded="true",
            tables='[clients.general.rules]\nb12-intravenous = "off"\n'
            "[clients.general.thresholds]\nb12_deficient_below = 145\n"
            '[clients.general.fhir]\nbase_urls = ["https://fhir.example.org/r4/"]\nprivate_networks = true',
        ),
    )

    said = describe(clients, HERE, load())

    for line in (
        f"1 client may call {PUBLIC_URL}; the service listens on 127.0.0.1.",
        "general: live, profile uk, time zone Europe/London",
        f"  issuer      {ISSUER}",
        "  keys        pinned key-1",
        "  tenants     a",
        "  token       lives up to 60 min; each token once; while the store is silent, once in each process",
        "  rate        5 per 1 minute in each process",
        "  web pages   none",
        "  FHIR        https://fhir.example.org/r4, also on private networks",
        "  rules       24 live, b12-intravenous off",
        "  never has   claims",
        "  own value   b12_deficient_below 145 ng/L instead of 180",
        "  own value   administrations_recorded yes instead of no",
        "  sign-off    0 of 25 rules as they are now",
    ):
        assert line in said.splitlines()


def test_a_rule_that_changed_since_its_sign_off_is_reported(tmp_path: Path) -> None:
    library = load()
    [topic, *_] = [topic for topic, folder in library.folders.items() if folder.definition.version == 1]
    clients = read(
        tmp_path,
        client_toml(EHR, **signed_off(topic, 1)),
    )
    folder = library.folders[topic]
    newer = replace(folder, definition=folder.definition.model_copy(update={"version": 2}))
    changed = replace(library, folders={**library.folders, topic: newer})

    assert f"  signed off  {topic} version 1 by Dr A on 2026-01-31" in describe(clients, HERE, library).splitlines()
    assert (
        f"  CHANGED     {topic} was signed off as version 1 by Dr A on 2026-01-31, and is now of version 2"
        in describe(clients, HERE, changed).splitlines()
    )
