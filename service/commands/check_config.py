"""b12-cds check-config: what each client may do, and which rules changed since the site signed them off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from cards.library import Library, Threshold
from service.clients.client import Client
from service.clients.trust import Clients, Trust
from service.settings import Settings

_REPLAY = {
    "shared": "each token once; while the store is silent, once in each process",
    "strict": "each token once; no calls while the store is silent",
    "off": "a token may be used again while it lives",
}


def describe(clients: Clients, settings: Settings, library: Library) -> str:
    """The report, in lines for an operator and for the clinical lead of the site."""
    number = len(clients.trusts)
    who = "1 client" if number == 1 else f"{number} clients"
    lines = [f"{who} may call {settings.public_url}; the service listens on {settings.host}."]
    for trust in clients.trusts:
        client = trust.client
        lines += ["", f"{client.name}: {client.mode}, profile {client.profile}, time zone {client.zone.key}"]
        said = [*_identity(trust), *_access(trust), *_clinical(client, library)]
        lines += [f"  {name:<12}{text}" for name, text in said]
    return "\n".join(lines) + "\n"


def _identity(trust: Trust) -> Iterator[tuple[str, str]]:
    yield "issuer", trust.issuer
    pinned = ", ".join(dict.fromkeys(key_id for key_id, _ in trust.pinned))
    yield "keys", "; ".join(filter(None, (", ".join(trust.jkus), pinned and f"pinned {pinned}")))
    yield "algorithms", ", ".join(sorted(trust.algorithms))
    if trust.tenants:
        yield "tenants", ", ".join(sorted(trust.tenants))
    if trust.audiences:
        yield "audience", f"the address called, or {', '.join(sorted(trust.audiences))}"
    yield "token", f"lives up to {trust.max_token_life // timedelta(minutes=1)} min; {_REPLAY[trust.replay]}"


def _access(trust: Trust) -> Iterator[tuple[str, str]]:
    yield "rate", f"{trust.rate} in each process" if trust.rate else "unlimited"
    yield "web pages", ", ".join(trust.origins) or "none"
    fhir = trust.client.fhir
    allowed = (", also on private networks", fhir.private_networks), (", also without a token", fhir.without_token)
    yield "FHIR", (", ".join(fhir.base_urls) or "none") + "".join(text for text, said in allowed if said)


def _clinical(client: Client, library: Library) -> Iterator[tuple[str, str]]:
    modes = {topic: client.mode_of(topic) for topic in library.shared.precedence if topic in library.folders}
    spoken = [f"{sum(mode == client.mode for mode in modes.values())} {client.mode}"]
    spoken += [f"{topic} {mode}" for topic, mode in modes.items() if mode != client.mode]
    yield "rules", ", ".join(spoken)
    if client.never_supplied:
        yield "never has", ", ".join(sorted(source.value for source in client.never_supplied))
    for name, value in client.thresholds.items():
        threshold = _threshold(name, library)
        usual = threshold.in_profile(client.profile)
        yield "own value", f"{name} {_said(value, threshold)} instead of {_said(usual, threshold).split()[0]}"
    yield from _sign_offs(client, library)


def _threshold(name: str, library: Library) -> Threshold:
    every = dict(library.shared.thresholds)
    for folder in library.folders.values():
        every.update(folder.definition.thresholds)
    return every[name]


def _said(value: Decimal, threshold: Threshold) -> str:
    if threshold.unit == "yes/no":
        return "yes" if value else "no"
    return f"{value} {threshold.unit}"


def _sign_offs(client: Client, library: Library) -> Iterator[tuple[str, str]]:
    current = 0
    for topic, folder in library.folders.items():
        signed = client.sign_off_of(topic)
        if signed is None:
            continue
        version = folder.definition.version
        by = f"by {signed.by} on {signed.on}"
        if signed.version == version:
            current += 1
            yield "signed off", f"{topic} version {version} {by}"
        else:
            yield "CHANGED", f"{topic} was signed off as version {signed.version} {by}, and is now of version {version}"
    yield "sign-off", f"{current} of {len(library.folders)} rules as they are now"
