"""What a replay is to do, and the pseudonyms under which its results name patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from hashlib import blake2b
from pathlib import Path
from zoneinfo import ZoneInfo

from cards.library import Library, load
from cards.record import Source
from cards.rule import Hook, Profile
from service.value_sets.site import library_of

REPLAYED = (Hook.PATIENT_VIEW, Hook.ORDER_SIGN)
MONTHS = 24
_KEY_BYTES = 32
_PSEUDONYM_BYTES = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """One replay, the same in every process.

    `since` and `until`: the days of the first and last call. `supplied`: the sources that the export holds, though
    perhaps not for every patient. `sample`: how many hits, and how many near misses, a rule's review sample holds.
    `key`: what pseudonyms are made with. `identifiers`: the ids of patients stand beside their pseudonyms.
    `data_dir`: where a site keeps the drugs of its own release.
    """

    since: date
    until: date
    supplied: frozenset[Source]
    zone: ZoneInfo
    key: bytes
    profile: Profile = "uk"
    thresholds: Mapping[str, Decimal] = field(default_factory=dict)
    hooks: frozenset[Hook] = frozenset(REPLAYED)
    sample: int = 50
    identifiers: bool = False
    data_dir: Path | None = None

    def pseudonym(self, patient: str) -> str:
        """The name of a patient in all results: the same for the same key, and not to be told back without it."""
        return blake2b(patient.encode(), key=self.key, digest_size=_PSEUDONYM_BYTES).hexdigest()


@cache
def library(data_dir: Path | None) -> Library:
    """The rules, with the drugs of a site's own release; loaded once in each process."""
    return library_of(data_dir) if data_dir else load()


def key_from(secret: str) -> bytes:
    """The key of pseudonyms, from a secret of any length."""
    return blake2b(secret.encode(), digest_size=_KEY_BYTES).digest()
