"""Who may call, and who answers each of them: built at start and when clients.toml is read again, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from cards.library import Library
from cards.words import CHARACTERS_OF_A_CALL
from service.clients.client import Client, SignOff
from service.clients.trust import Clients, Trust
from service.fhir.fallback import Fallback
from service.respond import Answer, HookCall, Responder, Service, offered


class Answers(Protocol):
    """Whoever knows the services and what to say when one is called; `service.respond.Responder` does."""

    @property
    def services(self) -> Mapping[str, Service]:
        """The services by their ids."""

    async def respond(self, service: Service, call: HookCall, today: date) -> Answer:
        """The answer. Raises `PrefetchIncomplete`."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A client, and who answers it."""

    client: Client
    responder: Answers


@dataclass(frozen=True, slots=True)
class Clientele:
    """Everyone who may call.

    `callers`: by the client's name. `services`: what discovery tells, by id. `trusts`: how each client proves who it
    is, by issuer. `origins`: the web pages that may call, None for any.
    """

    callers: Mapping[str, Caller]
    services: Mapping[str, Service]
    trusts: Mapping[str, Sequence[Trust]]
    origins: frozenset[str] | None

    def sign_offs(self, topic: str) -> Mapping[str, SignOff]:
        """The latest sign-off of a rule by each client's own clinicians, by the client's name.

        It may be of a former version of the rule; then the rule has changed since.
        """
        latest = {name: caller.client.sign_off_of(topic) for name, caller in self.callers.items()}
        return {name: sign_off for name, sign_off in latest.items() if sign_off}


def anyone(client: Client, responder: Answers) -> Clientele:
    """Whoever calls is this client."""
    return Clientele({client.name: Caller(client, responder)}, responder.services, {}, None)


def registered(
    clients: Clients,
    library: Library,
    fallback: Fallback | None = None,
    text_characters: int = CHARACTERS_OF_A_CALL,
) -> Clientele:
    """The registered clients; those that get equal answers share a responder.

    Raises `cards.library.RuleError` for thresholds that no rule has.
    """
    voices: list[tuple[Client, Responder]] = []
    callers = {}
    for trust in clients.trusts:
        voice = trust.client.voice
        responder = next((known for other, known in voices if other == voice), None)
        if responder is None:
            responder = Responder(library, voice, fallback, text_characters)
            voices.append((voice, responder))
        callers[trust.client.name] = Caller(trust.client, responder)
    services = offered([responder for _, responder in voices], library)
    return Clientele(callers, services, clients.by_issuer, clients.origins)
