"""Where the service may connect to, and that it connects where it has looked."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from service.fhir.client import FhirClient, Unanswered
from service.fhir.network import is_allowed
from tests.fhir_server import FhirServer, listening

pytestmark = pytest.mark.anyio

PATIENT = {"resourceType": "Patient", "id": "p"}
NAME = "ehr.example.org"
PRIVATE_4 = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "192.0.2.1"]
PRIVATE = [*PRIVATE_4, "::1", "fc00::1", "fec0::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "2002:7f00:1::"]
METADATA = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
]
OF_NO_HOST = ["224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255", "240.0.0.1", "192.0.0.8", NAME, ""]  # noqa: S104


class Names:
    """Resolves every name to the next of the given lists of addresses, and counts how often it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]
)
def test_public_addresses_may_be_connected_to(address: str) -> None:
    assert is_allowed(address, private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_only_where_that_is_configured(address: str) -> None:
    assert not is_allowed(address, private=False)
    assert is_allowed(address, private=True)


@pytest.mark.parametrize("address", [*METADATA, *OF_NO_HOST])
def test_metadata_multicast_and_reserved_addresses_never(address: str) -> None:
    assert not is_allowed(address, private=False)
    assert not is_allowed(address, private=True)


async def test_a_name_that_leads_to_a_private_address_is_not_connected_to() -> None:
    client = FhirClient(10_000, Names(["127.0.0.1"]))
    async with listening(server := FhirServer([PATIENT]), NAME) as base:
        with pytest.raises(Unanswered, match="address-not-allowed"):
            await client.ask("GET", f"{base}/Patient/p", {})

    assert server.asked == []


async def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_connected_to() -> None:
    # Whoever owns the name gives another address as soon as the first was found good.
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    client = FhirClient(10_000, names)
    async with listening(server := FhirServer([PATIENT]), NAME) as base:
        answer = await client.ask("GET", f"{base}/Patient/p", {}, private=True)
        again = await client.ask("GET", f"{base}/Patient/p", {}, private=True)
        connections_of_others = client.ask("GET", f"{base}/Patient/p", {}, private=False)
        with pytest.raises(Unanswered, match="address-not-allowed"):
            await connections_of_others
        await client.close()

    assert (answer.status, again.status) == (200, 200)
    # Once for both: the connection was kept. Another client's leave is not borrowed: its name is looked up anew.
    assert names.asked == [NAME, NAME]
    assert server.asked[0].headers["host"] == base.removeprefix("http://").removesuffix("/r4")


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate of its own authority for `NAME`, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate", folder / "key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(files[0]), str(files[1])


@pytest.mark.parametrize(("host", "trusted"), [(NAME, True), ("other.example.org", False)])
async def test_the_certificate_must_be_that_of_the_name_though_the_address_is_connected_to(
    host: str, trusted: bool, tmp_path: Path
) -> None:
    file, key = certificate(tmp_path)
    client = FhirClient(10_000, Names(["127.0.0.1"]), ssl.create_default_context(cafile=file))
    async with listening(FhirServer([PATIENT]), host, ssl_certfile=file, ssl_keyfile=key) as base:
        if trusted:
            assert (await client.ask("GET", f"{base}/Patient/p", {}, private=True)).status == 200
        else:
            with pytest.raises(Unanswered, match="unreachable"):
                await client.ask("GET", f"{base}/Patient/p", {}, private=True)
        await client.close()
