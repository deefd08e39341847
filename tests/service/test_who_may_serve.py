"""Before anything listens: who may call is settled, or the command says what to do; then it says what protects it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from cards.library import load
from service.clients.file import read_clients
from service.commands.serve import banner, settle
from service.settings import ENV_PREFIX, Settings, WrongSetting
from tests.ehr_identity import PUBLIC_URL, Signer, client_toml

EVERYWHERE = "0.0.0.0"  # noqa: S104  # named, never listened on
EXAMPLE = Path(__file__).parents[2] / "docker" / "clients.example.toml"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing about the service, and is itself again afterwards."""
    for name in Settings.model_fields:
        monkeypatch.setenv(f"{ENV_PREFIX}{name.upper()}", "")


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env={**os.environ, **{f"{ENV_PREFIX}{name}": value for name, value in environment.items()}},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_clients_the_service_does_not_start_and_says_how_to_add_one() -> None:
    ended = command("serve", "--port", "0")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("b12-cds: nobody may call yet. Set B12_CDS_CLIENTS")
    for hint in ("docker/clients.example.toml", "check-config", "B12_CDS_PUBLIC_URL", "serve --open"):
        assert hint in ended.stderr


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "10.1.2.3", "b12.hospital.example"])
def test_without_authentication_the_service_is_for_this_machine_alone(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WrongSetting, match=f"others can reach {host}"):
        settle(host, open_to_all=True)

    monkeypatch.setenv("B12_CDS_ALLOW_OPEN", "1")
    assert settle(host, open_to_all=True).open


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_the_service_may_be_open(host: str) -> None:
    settings = settle(host, open_to_all=True)

    assert (settings.open, settings.host) == (True, host)


def test_the_arguments_reach_the_server_processes_in_the_environment() -> None:
    settle("localhost", open_to_all=True)

    assert os.environ["B12_CDS_HOST"] == "localhost"
    assert os.environ["B12_CDS_OPEN"] == "1"


def test_a_variable_opens_the_service_no_further_than_the_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B12_CDS_OPEN", "1")
    monkeypatch.setenv("B12_CDS_HOST", EVERYWHERE)

    with pytest.raises(WrongSetting, match="others can reach"):
        settle(None, open_to_all=False)


def test_a_service_is_not_open_and_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B12_CDS_CLIENTS", "clients.toml")

    with pytest.raises(WrongSetting, match="not both"):
        settle(None, open_to_all=True)


def test_a_wrong_file_ends_the_start_with_every_fault(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_text('[clients.one]\nissuer = "https://ehr.example.org"')

    ended = command("serve", "--port", "0", CLIENTS=str(file), PUBLIC_URL=PUBLIC_URL)

    assert ended.returncode == 2
    assert f"b12-cds: {file}: clients.one.jku: one of jku, jwks and key_file" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_check_config_says_what_the_clients_of_the_example_may_do() -> None:
    ended = command("check-config", CLIENTS=str(EXAMPLE), PUBLIC_URL=PUBLIC_URL)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"4 clients may call {PUBLIC_URL}; the service listens on 127.0.0.1.\n")
    assert "north-clinic: silent, profile us, time zone America/Chicago" in ended.stdout


def test_check_config_refuses_the_official_sandbox_beyond_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(client_toml(Signer(issuer="https://sandbox.cds-hooks.org")))
    here = {"CLIENTS": str(file), "PUBLIC_URL": "http://localhost:8000"}

    allowed, refused = command("check-config", **here), command("check-config", "--host", EVERYWHERE, **here)

    assert allowed.returncode == 0
    assert refused.returncode == 2
    assert "private key is public" in refused.stderr


def test_check_config_says_that_an_open_service_lets_everyone_in() -> None:
    ended = command("check-config", OPEN="1")

    assert (ended.returncode, ended.stdout) == (0, "Whoever reaches 127.0.0.1 may call: B12_CDS_OPEN is 1.\n")


def test_the_first_lines_say_what_is_served_to_whom_and_what_protects_it() -> None:
    database = SecretStr("postgresql://b12:its-password@db.example.org/b12_cds")
    settings = Settings(public_url=PUBLIC_URL, clients=EXAMPLE, host=EVERYWHERE, database_url=database)
    clients = read_clients(EXAMPLE, settings, load())

    assert list(banner(settings, clients, 8000)) == [
        f"B12 CDS: profile uk, time zone Europe/London, http://{EVERYWHERE}:8000/cds-services",
        f"authentication: signed tokens for {PUBLIC_URL}",
        "clients: general-hospital (uk, live, rules off: 1, rules silent: 1), north-clinic (us, silent), "
        "south-clinic (us, live), small-practice (uk, live)",
        "store: PostgreSQL, b12_cds on db.example.org",
        "TLS: none here; patient data need a proxy with TLS in front",
    ]
    assert list(banner(Settings(open=True, data_dir=Path("/data")), None, 8000)) == [
        "B12 CDS: profile uk, time zone Europe/London, http://127.0.0.1:8000/cds-services",
        "authentication: none, whoever reaches this address may call",
        "sandbox: http://127.0.0.1:8000/",
        "store: SQLite, /data/b12-cds.sqlite",
    ]
