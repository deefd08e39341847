"""One EHR that may call: its profile, its bands, which rules speak to it, and what it may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from cards.record import Source
from cards.rule import Profile
from service.settings import Settings

# live: cards are shown; silent: evaluated and recorded, never shown; off: not asked at all.
Mode = Literal["live", "silent", "off"]

OPEN = "open"


@dataclass(frozen=True, slots=True)
class FhirAccess:
    """Where data that the EHR did not send may be fetched from.

    `base_urls`: without trailing slash; a call that names another server has no access. `private_networks`: whether
    these may resolve to private addresses. `without_token`: whether a server is asked that sent no authorization.
    """

    base_urls: tuple[str, ...] = ()
    private_networks: bool = False
    without_token: bool = False


@dataclass(frozen=True, slots=True)
class SignOff:
    """That the site's own clinicians agreed to one version of a rule: who, and on which day."""

    topic: str
    version: int
    by: str
    on: date


@dataclass(frozen=True, slots=True)
class Client:
    """One EHR.

    `thresholds`: its own laboratory bands and service settings, by name. `mode`: of every rule that `rules` does not
    name; `rules`: by topic. `never_supplied`: data that this EHR never has; they are no news to a clinician.
    `sign_offs`: the site's own, oldest first; those of former versions of a rule are among them.
    `rule_pages`: the address under which its users find the rule pages, when cards shall link there.
    """

    name: str
    profile: Profile
    zone: ZoneInfo
    thresholds: Mapping[str, Decimal] = field(default_factory=dict)
    mode: Mode = "live"
    rules: Mapping[str, Mode] = field(default_factory=dict)
    never_supplied: frozenset[Source] = frozenset()
    fhir: FhirAccess = FhirAccess()
    sign_offs: tuple[SignOff, ...] = ()
    rule_pages: str | None = None

    @property
    def voice(self) -> Client:
        """What its answers depend on: clients with an equal voice get equal answers."""
        return replace(self, name="", sign_offs=())

    def sign_off_of(self, topic: str) -> SignOff | None:
        """The latest sign-off of a rule; whether it is of the version that runs is for the asker to compare."""
        own = (each for each in self.sign_offs if each.topic == topic)
        return max(own, key=lambda each: each.version, default=None)

    def mode_of(self, topic: str) -> Mode:
        """Whether a rule speaks to this client; a silent client has no live rule."""
        own = self.rules.get(topic, self.mode)
        return "silent" if own == "live" and self.mode == "silent" else own


def open_client(settings: Settings) -> Client:
    """Whoever calls while the service asks for no authentication."""
    fhir = FhirAccess(settings.open_fhir_servers, private_networks=True, without_token=True)
    return Client(OPEN, settings.profile, settings.zone, settings.thresholds, fhir=fhir, rule_pages=settings.rule_pages)
