"""What can be set from outside, read from environment variables that start with B12_CDS_."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cards.rule import Profile

ENV_PREFIX = "B12_CDS_"
_SECRET_CHARACTERS = 32
_ZONES: dict[Profile, str] = {"uk": "Europe/London", "us": "America/New_York"}


class WrongSetting(Exception):
    """Environment variables hold values that cannot be used; the message names each and says what fits."""


def _web_address(address: str) -> str:
    """An http or https address without its trailing slash, so that paths can be added to it."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a web address")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("not a plain web address")
    return address.rstrip("/")


def _postgresql(address: SecretStr) -> SecretStr:
    """The address of a PostgreSQL database, which may hold a password."""
    if urlsplit(address.get_secret_value()).scheme not in ("postgresql", "postgres"):
        raise ValueError("not PostgreSQL")
    return address


def _json(value: object) -> object:
    return json.loads(value, parse_float=Decimal) if isinstance(value, str) else value


def _yes_is_1(value: object) -> object:
    return int(value) if isinstance(value, bool) else value


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def zone_of(profile: Profile) -> ZoneInfo:
    """The time zone that a profile has unless another is set."""
    return ZoneInfo(_ZONES[profile])


WebAddress = Annotated[str, AfterValidator(_web_address)]
Threshold = Annotated[Decimal, BeforeValidator(_yes_is_1)]


class Settings(BaseSettings):
    """The settings of one process. The description of each field says what a right value is."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    profile: Profile = Field(default="uk", description="uk or us")
    time_zone: ZoneInfo | None = Field(default=None, description="an IANA time zone, such as Europe/London")
    max_body_bytes: int = Field(default=5_000_000, ge=1_000, description="a whole number of bytes, 1000 or more")
    text_characters: int = Field(default=200_000, ge=10_000, description="a whole number of characters, 10000 or more")
    public_url: WebAddress | None = Field(
        default=None, description="an http or https address without query, such as https://b12.example.org"
    )
    sandbox: bool | None = Field(default=None, description="1 for the sandbox while the service is open, 0 for none")
    thresholds: Annotated[dict[str, Threshold], NoDecode, BeforeValidator(_json)] = Field(
        default={},
        description='a JSON object of thresholds and their values, such as {"b12_deficient_below": 145}',
    )
    data_dir: Path = Field(default=Path(".data"), description="a folder for what this site keeps")
    hooks_version: str = Field(
        default="2.0.1", pattern=r"^[0-9]+(\.[0-9]+){2}$", description="a version of CDS Hooks, such as 2.0.1"
    )
    host: str = Field(default="127.0.0.1", description="the address or host name to listen on")
    clients: Path | None = Field(default=None, description="the path of clients.toml")
    open: bool = Field(default=False, description="1 to ask callers for no authentication, else 0")
    allow_open: bool = Field(default=False, description="1 to allow that on an address that others can reach, else 0")
    open_fhir_servers: Annotated[tuple[WebAddress, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(), description="http or https base URLs, separated by commas"
    )

    fhir_budget_ms: int = Field(
        default=350, ge=0, le=5_000, description="a whole number of milliseconds from 0 (never fetch) to 5000"
    )
    operator_token: SecretStr | None = Field(
        default=None, min_length=16, description="a secret of at least 16 characters, which /metrics then asks for"
    )
    otlp_endpoint: Annotated[str, AfterValidator(_web_address)] | None = Field(
        default=None, description="an http or https address of an OTLP collector, such as http://collector:4318"
    )
    database_url: Annotated[SecretStr, AfterValidator(_postgresql)] | None = Field(
        default=None, description="the address of a PostgreSQL database, such as postgresql://b12@db.example.org/b12"
    )
    migrate: Literal["start", "never"] = Field(default="start", description="start or never")
    keep_days: int = Field(default=730, ge=1, description="a whole number of days, 1 or more")
    comment_characters: int = Field(default=0, ge=0, le=4_000, description="a whole number from 0 to 4000")
    override_quiet_days: int = Field(default=0, ge=0, le=365, description="a whole number of days from 0 to 365")
    pseudonym_key: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="a secret of 32 characters or more; override memory (B12_CDS_OVERRIDE_QUIET_DAYS) needs it",
    )

    @field_validator("pseudonym_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Whether there is a key where one is needed, and one that cannot be guessed."""
        if key is None and info.data.get("override_quiet_days"):
            raise ValueError("needed")
        if key is not None and len(key.get_secret_value()) < _SECRET_CHARACTERS:
            raise ValueError("too short")
        return key

    @property
    def rule_pages(self) -> str | None:
        """The address of the rule pages, when it is known under which address EHRs know the service."""
        return f"{self.public_url}/rules" if self.public_url else None

    @property
    def zone(self) -> ZoneInfo:
        """Where "today" is decided: the time zone that was set, else the profile's own."""
        return self.time_zone or zone_of(self.profile)


def from_environment() -> Settings:
    """The settings that the environment variables ask for. Raises `WrongSetting`."""
    try:
        return Settings()
    except ValidationError as wrong:
        raise WrongSetting("; ".join(_what_fits(fault["loc"]) for fault in wrong.errors())) from None


def _what_fits(location: tuple[int | str, ...]) -> str:
    name = str(location[0])
    return f"{ENV_PREFIX}{name.upper()} must be {Settings.model_fields[name].description}"
