"""clients.toml: the EHRs that may call, checked before any of it is used."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import limits
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cards.library import Library, RuleError
from cards.record import Source
from cards.rule import Profile
from service.clients.client import Client, FhirAccess, Mode, SignOff
from service.clients.key_set import KeySet, NoUsableKey, read_key_file, read_key_set
from service.clients.replay import ReplayPolicy
from service.clients.trust import RECOMMENDED, Algorithm, Clients, Trust
from service.settings import Settings, Threshold, zone_of

# The official CDS Hooks sandbox signs with a key whose private part is published: anyone can be it.
SANDBOX_HOST = "sandbox.cds-hooks.org"
SANDBOX_KEY_ID = "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f"

_SANDBOX_REFUSED = (
    "the official sandbox's private key is public, so anyone could call; it is allowed only while the service listens "
    "on a loopback address and B12_CDS_PUBLIC_URL names one"
)

_ADMINISTRATIONS = "administrations_recorded"
_NO_KEYS: KeySet = {}


class WrongClients(Exception):
    """clients.toml cannot be used; the message has a line for each fault, naming the client and the field."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _web_address(address: str, private: bool) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or parts.fragment:
        raise ValueError("must be a web address")
    if parts.scheme == "http" and not private and not is_loopback(parts.hostname):
        raise ValueError("must begin with https")
    return address


def _origin(address: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+", address):
        raise ValueError("must be the origin of a web page, such as https://ehr.example.org")
    return address.lower()


def _rate(text: str) -> limits.RateLimitItem:
    try:
        return limits.parse(text)
    except ValueError:
        raise ValueError('must be a rate such as "50/second" or "1000/minute"') from None


def _read_rate(value: object) -> object:
    return _rate(value) if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1)]
Secure = Annotated[str, AfterValidator(partial(_web_address, private=False))]
Reachable = Annotated[str, AfterValidator(partial(_web_address, private=True))]
Origin = Annotated[str, AfterValidator(_origin)]
Rate = Annotated[limits.RateLimitItem, BeforeValidator(_read_rate)]
Life = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=1))]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class FhirEntry(_Strict):
    """`[clients.NAME.fhir]`: where data may be fetched from."""

    base_urls: tuple[Reachable, ...] = ()
    private_networks: bool = False
    without_token: bool = False


class SignOffEntry(_Strict):
    """`[[clients.NAME.sign_offs]]`: the site's own clinical sign-off of one version of a rule."""

    rule: str
    version: Annotated[int, Field(ge=1)]
    by: Text
    on: date


class ClientEntry(_Strict):
    """`[clients.NAME]`, field by field."""

    issuer: Text
    jku: tuple[Secure, ...] = ()
    jwks: dict[str, Any] | None = None
    key_file: Path | None = None
    key_id: Text | None = None
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = RECOMMENDED
    tenants: tuple[Text, ...] = ()
    audiences: tuple[Text, ...] = ()
    max_token_life: Life = timedelta(hours=1)
    replay: ReplayPolicy = "shared"
    rate_limit: Rate | None = None
    cors_origins: tuple[Origin, ...] = ()
    profile: Profile | None = None
    time_zone: ZoneInfo | None = None
    thresholds: dict[str, Threshold] = {}
    administrations_recorded: bool | None = None
    mode: Literal["live", "silent"] = "live"
    rules: dict[str, Mode] = {}
    never_supplied: tuple[Source, ...] = ()
    sign_offs: tuple[SignOffEntry, ...] = ()
    fhir: FhirEntry = FhirEntry()


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class ClientsFile(_Strict):
    """The whole file."""

    clients: Annotated[dict[Name, ClientEntry], Field(min_length=1)]


def read_clients(path: Path, settings: Settings, library: Library) -> Clients:
    """The clients of the file; key files stand relative to it.

    Raises `WrongClients` with every fault of one kind: of the form first, then of what the entries say.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as unreadable:
        raise WrongClients(f"{path}: {unreadable.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise WrongClients(f"{path}: {broken}") from None
    try:
        entries = ClientsFile.model_validate(document).clients
    except ValidationError as wrong:
        raise WrongClients("\n".join(_form_faults(path, wrong))) from None
    faults = list(_meaning_faults(entries, settings, library))
    pinned = dict.fromkeys(entries, _NO_KEYS)
    for name, entry in entries.items():
        try:
            pinned[name] = _pinned(entry, path.parent)
        except NoUsableKey as fault:
            faults.append(f"clients.{name}.{fault}")
        if _is_sandbox(entry, pinned[name]) and not _only_this_machine(settings):
            faults.append(f"clients.{name}.issuer: {_SANDBOX_REFUSED}")
    if faults:
        raise WrongClients("\n".join(f"{path}: {fault}" for fault in faults))
    return Clients(tuple(_trust(name, entry, pinned[name], settings) for name, entry in entries.items()))


def _form_faults(path: Path, wrong: ValidationError) -> Iterator[str]:
    for fault in wrong.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(str(part) for part in fault["loc"] if part != "[key]")
        yield f"{path}: {place}: {fault['msg'].removeprefix('Value error, ')}"


def _meaning_faults(entries: Mapping[str, ClientEntry], settings: Settings, library: Library) -> Iterator[str]:
    if settings.public_url is None:
        yield "B12_CDS_PUBLIC_URL must be set: the tokens of clients are made for this address"
    for name, entry in entries.items():
        for fault in (*_trust_faults(entry), *_rule_faults(entry, settings, library)):
            yield f"clients.{name}.{fault}"
    yield from _mixed_up(entries)


def _trust_faults(entry: ClientEntry) -> Iterator[str]:
    if entry.jwks is not None and entry.key_file is not None:
        yield "key_file: not beside jwks; one of them is enough"
    if not entry.jku and entry.jwks is None and entry.key_file is None:
        yield "jku: one of jku, jwks and key_file must say where the public keys are"
    if not entry.fhir.private_networks:
        for address in entry.fhir.base_urls:
            if address.startswith("http:") and not is_loopback(urlsplit(address).hostname or ""):
                yield f"fhir.base_urls: {address}: must begin with https unless private_networks = true"
    for address in entry.fhir.base_urls:
        if urlsplit(address).query:
            yield f"fhir.base_urls: {address}: must have no query"


def _is_sandbox(entry: ClientEntry, pinned: KeySet) -> bool:
    hosts = {urlsplit(address).hostname for address in (entry.issuer, *entry.jku)}
    return SANDBOX_HOST in hosts or any(key_id == SANDBOX_KEY_ID for key_id, _ in pinned)


def _only_this_machine(settings: Settings) -> bool:
    public = urlsplit(settings.public_url or "").hostname or ""
    return is_loopback(settings.host) and is_loopback(public)


def _rule_faults(entry: ClientEntry, settings: Settings, library: Library) -> Iterator[str]:
    for topic in entry.rules:
        if topic not in library.folders:
            yield f"rules.{topic}: there is no such rule"
    for number, each in enumerate(entry.sign_offs):
        folder = library.folders.get(each.rule)
        if folder is None:
            yield f"sign_offs.{number}.rule: there is no rule {each.rule}"
        elif each.version > folder.definition.version:
            yield f"sign_offs.{number}.version: {each.rule} is of version {folder.definition.version}"
    if _ADMINISTRATIONS in entry.thresholds:
        yield f"thresholds.{_ADMINISTRATIONS}: stands beside the thresholds, as {_ADMINISTRATIONS} = true"
    try:
        library.rules(entry.profile or settings.profile, _thresholds(entry, settings))
    except RuleError as fault:
        yield str(fault)


def _mixed_up(entries: Mapping[str, ClientEntry]) -> Iterator[str]:
    """Clients that nothing tells apart."""
    names = list(entries)
    for number, name in enumerate(names):
        for other in names[:number]:
            one, two = entries[name], entries[other]
            apart = one.tenants and two.tenants and not set(one.tenants) & set(two.tenants)
            if one.issuer == two.issuer and not apart:
                yield f"clients.{name}.tenants: must tell it apart from clients.{other}, which has the same issuer"


def _pinned(entry: ClientEntry, folder: Path) -> KeySet:
    """The keys that the entry gives itself. Raises `NoUsableKey`, naming the field."""
    if entry.jwks is not None:
        field, content = "jwks", None
    elif entry.key_file is not None:
        field = f"key_file: {entry.key_file}"
        try:
            content = (folder / entry.key_file).read_bytes()
        except OSError as unreadable:
            raise NoUsableKey(f"{field}: {unreadable.strerror}") from None
    else:
        return _NO_KEYS
    try:
        keys = read_key_set(entry.jwks) if content is None else read_key_file(content, entry.key_id)
    except NoUsableKey as fault:
        raise NoUsableKey(f"{field}: {fault}") from None
    if not any(algorithm in entry.algorithms for _, algorithm in keys):
        raise NoUsableKey(f"{field}: no key for {' or '.join(entry.algorithms)}")
    return keys


def _thresholds(entry: ClientEntry, settings: Settings) -> dict[str, Decimal]:
    own = {**settings.thresholds, **entry.thresholds}
    if entry.administrations_recorded is not None:
        own[_ADMINISTRATIONS] = Decimal(entry.administrations_recorded)
    return own


def _trust(name: str, entry: ClientEntry, pinned: KeySet, settings: Settings) -> Trust:
    profile = entry.profile or settings.profile
    # The time zone of the settings belongs to their profile.
    own_zone = settings.zone if profile == settings.profile else zone_of(profile)
    client = Client(
        name=name,
        profile=profile,
        zone=entry.time_zone or own_zone,
        thresholds=_thresholds(entry, settings),
        mode=entry.mode,
        rules=entry.rules,
        never_supplied=frozenset(entry.never_supplied),
        fhir=FhirAccess(
            tuple(address.rstrip("/") for address in entry.fhir.base_urls),
            entry.fhir.private_networks,
            entry.fhir.without_token,
        ),
        rule_pages=settings.rule_pages,
        sign_offs=tuple(
            SignOff(each.rule, each.version, each.by, each.on) for each in sorted(entry.sign_offs, key=lambda s: s.on)
        ),
    )
    return Trust(
        client=client,
        issuer=entry.issuer,
        jkus=entry.jku,
        pinned=pinned,
        algorithms=frozenset(entry.algorithms),
        tenants=frozenset(entry.tenants),
        audiences=frozenset(entry.audiences),
        max_token_life=entry.max_token_life,
        replay=entry.replay,
        rate=entry.rate_limit,
        origins=entry.cors_origins,
    )
