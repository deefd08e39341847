"""What can be set from outside, and what a wrong value is told."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from service.settings import Settings, WrongSetting, from_environment

NAMES = [
    "PROFILE",
    "TIME_ZONE",
    "MAX_BODY_BYTES",
    "TEXT_CHARACTERS",
    "PUBLIC_URL",
    "THRESHOLDS",
    "HOOKS_VERSION",
    "HOST",
    "CLIENTS",
    "OPEN",
    "ALLOW_OPEN",
    "OPEN_FHIR_SERVERS",
]
STORE = ["DATA_DIR", "DATABASE_URL", "MIGRATE", "KEEP_DAYS", "COMMENT_CHARACTERS"]
MEMORY = ["OVERRIDE_QUIET_DAYS", "PSEUDONYM_KEY"]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing about the service."""
    for name in (*NAMES, *STORE, *MEMORY):
        monkeypatch.delenv(f"B12_CDS_{name}", raising=False)


def test_with_nothing_set_the_service_speaks_british() -> None:
    settings = from_environment()

    assert settings.profile == "uk"
    assert settings.zone.key == "Europe/London"
    assert settings.max_body_bytes == 5_000_000
    assert settings.public_url is None
    assert settings.thresholds == {}
    assert settings.hooks_version == "2.0.1"
    assert (settings.host, settings.clients) == ("127.0.0.1", None)
    assert (settings.open, settings.allow_open, settings.open_fhir_servers) == (False, False, ())


def test_each_profile_has_a_time_zone_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B12_CDS_PROFILE", "us")

    assert from_environment().zone.key == "America/New_York"


def test_everything_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [
        "us",
        "America/Denver",
        "20000",
        "50000",
        "https://b12.example.org/cds/",
        '{"a": 0.1, "b": 7, "c": true}',
        "3.0.0",
        "::1",
        "/etc/b12/clients.toml",
        "1",
        "1",
        "https://fhir.example.org/r4/, http://localhost:8080/fhir",
    ]
    for name, value in zip(NAMES, values, strict=True):
        monkeypatch.setenv(f"B12_CDS_{name}", value)

    settings = from_environment()

    assert settings.profile == "us"
    assert settings.zone.key == "America/Denver"
    assert (settings.max_body_bytes, settings.text_characters) == (20_000, 50_000)
    assert settings.public_url == "https://b12.example.org/cds"
    assert settings.thresholds == {"a": Decimal("0.1"), "b": Decimal(7), "c": Decimal(1)}
    assert settings.hooks_version == "3.0.0"
    assert (settings.host, settings.clients) == ("::1", Path("/etc/b12/clients.toml"))
    assert (settings.open, settings.allow_open) == (True, True)
    assert settings.open_fhir_servers == ("https://fhir.example.org/r4", "http://localhost:8080/fhir")


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_variable_sets_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"B12_CDS_{name}", "")

    assert from_environment() == Settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PROFILE", "fr", "must be uk or us"),
        ("PROFILE", "UK", "must be uk or us"),
        ("TIME_ZONE", "Mars/Olympus", "must be an IANA time zone"),
        ("TIME_ZONE", "../../etc/passwd", "must be an IANA time zone"),
        ("MAX_BODY_BYTES", "5 MB", "must be a whole number of bytes"),
        ("MAX_BODY_BYTES", "0", "must be a whole number of bytes"),
        ("TEXT_CHARACTERS", "9999", "must be a whole number of characters, 10000 or more"),
        ("PUBLIC_URL", "b12.example.org", "must be an http or https address"),
        ("PUBLIC_URL", "ftp://b12.example.org", "must be an http or https address"),
        ("PUBLIC_URL", "https://", "must be an http or https address"),
        ("PUBLIC_URL", "https://user:secret@b12.example.org", "must be an http or https address"),
        ("PUBLIC_URL", "https://b12.example.org/?a=b", "must be an http or https address"),
        ("THRESHOLDS", "a=1", "must be a JSON object of thresholds"),
        ("THRESHOLDS", "[]", "must be a JSON object of thresholds"),
        ("THRESHOLDS", '{"a":"high"}', "must be a JSON object of thresholds"),
        ("THRESHOLDS", '{"a":NaN}', "must be a JSON object of thresholds"),
        ("HOOKS_VERSION", "latest", "must be a version of CDS Hooks"),
        ("OPEN", "perhaps", "must be 1 to ask callers for no authentication"),
        ("ALLOW_OPEN", "perhaps", "must be 1 to allow that"),
        ("OPEN_FHIR_SERVERS", "fhir.example.org", "must be http or https base URLs"),
        ("OPEN_FHIR_SERVERS", "https://a.example,https://b.example?x=1", "must be http or https base URLs"),
        ("DATABASE_URL", "mysql://b12:secret@db/b12", "must be the address of a PostgreSQL database"),
        ("MIGRATE", "always", "must be start or never"),
        ("KEEP_DAYS", "0", "must be a whole number of days"),
        ("COMMENT_CHARACTERS", "-1", "must be a whole number from 0"),
        ("OVERRIDE_QUIET_DAYS", "a month", "must be a whole number of days"),
        ("PSEUDONYM_KEY", "too short to be one", "must be a secret of 32 characters"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"B12_CDS_{name}", value)

    with pytest.raises(WrongSetting) as refused:
        from_environment()

    assert str(refused.value).startswith(f"B12_CDS_{name} {said}")
    assert value not in str(refused.value).split()


def test_override_memory_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B12_CDS_OVERRIDE_QUIET_DAYS", "30")
    with pytest.raises(WrongSetting, match="B12_CDS_PSEUDONYM_KEY must be a secret"):
        from_environment()

    monkeypatch.setenv("B12_CDS_PSEUDONYM_KEY", "k" * 32)
    assert from_environment().override_quiet_days == 30


def test_every_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B12_CDS_PROFILE", "fr")
    monkeypatch.setenv("B12_CDS_MAX_BODY_BYTES", "much")

    with pytest.raises(WrongSetting, match=r"^B12_CDS_PROFILE .*; B12_CDS_MAX_BODY_BYTES "):
        from_environment()


@pytest.mark.parametrize("command", ["serve", "openapi"])
def test_the_command_line_says_what_is_wrong_and_ends(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B12_CDS_PROFILE", "fr")

    ended = subprocess.run([sys.executable, "-m", "service", command], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "b12-cds: B12_CDS_PROFILE must be uk or us\n"


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--port", "http"], ["--workers", "0"]])
def test_a_wrong_argument_is_refused_by_its_name(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "service", "serve", *arguments], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert arguments[0] in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_threshold_that_no_rule_has_ends_the_start_with_a_message() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "service", "serve", "--open", "--port", "0"],
        env={"B12_CDS_THRESHOLDS": '{"b12_deficiant_below": 145}'},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr == "b12-cds: thresholds: unknown b12_deficiant_below\n"
