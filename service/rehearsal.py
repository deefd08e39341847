"""A rehearsal: a request of the sandbox that asks to be answered as if on its own day, profile and thresholds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from cards.library import RuleError
from cards.rule import Profile
from service.cds_hooks.as_if import AS_IF, AsIf
from service.clients.client import open_client
from service.clients.file import is_loopback
from service.respond import Responder
from service.settings import Settings
from service.value_sets.site import library_of

# Each holds every rule's compiled words, some megabytes; a visitor looks at one or two.
_KEPT = 8


def has_sandbox(settings: Settings) -> bool:
    """Whether an open service has one, in which anyone may choose the day and the thresholds.

    Where nobody else can call it has, unless that is switched off; elsewhere it has when that is switched on.
    """
    return is_loopback(settings.host) if settings.sandbox is None else settings.sandbox


class WrongScene(Exception):
    """The request asks for a scene that cannot be; the text says what is wrong and holds no value that was sent."""


class Scene(NamedTuple):
    """Who answers, and for which day."""

    responder: Responder
    today: date


class Rehearsals:
    """Finds the scene of a request. Only an app with a sandbox has one: elsewhere a request cannot choose its day."""

    def __init__(self, settings: Settings, own: Responder | None = None) -> None:
        """`own` is whoever answers with the profile and the thresholds of the settings; built when it is not given."""
        self._client = open_client(settings)
        self._library = library_of(settings.data_dir)
        self._own = own
        self._responder = lru_cache(maxsize=_KEPT)(self._build)

    def asked_for(self, extension: Any) -> bool:
        """Whether a request with this extension asks for a scene of its own."""
        return isinstance(extension, dict) and AS_IF in extension

    def scene(self, extension: Any, today: date) -> Scene:
        """The scene that the extension asks for; what it leaves out is as in the settings, and `today`.

        Raises `WrongScene`.
        """
        try:
            wanted = AsIf.model_validate(extension[AS_IF]) if self.asked_for(extension) else AsIf()
        except ValidationError as wrong:
            members = sorted({str(fault["loc"][0]) for fault in wrong.errors() if fault["loc"]})
            raise WrongScene(f"{', '.join(members) or 'the extension'} has the wrong form") from None
        own = {name: Decimal(value) for name, value in wanted.thresholds.items()}
        thresholds = tuple(sorted((own or self._client.thresholds).items()))
        try:
            responder = self._responder(wanted.profile or self._client.profile, thresholds)
        except RuleError:
            raise WrongScene("thresholds names one that no rule has") from None
        return Scene(responder, wanted.today or today)

    def _build(self, profile: Profile, thresholds: tuple[tuple[str, Decimal], ...]) -> Responder:
        if self._own and (profile, dict(thresholds)) == (self._client.profile, self._client.thresholds):
            return self._own
        return Responder(self._library, replace(self._client, profile=profile, thresholds=dict(thresholds)))
