"""Override memory: what an overridden card is remembered by, so that the same card on the same facts stays quiet.

The same facts: the card's rule, its version and the situation that it found (the alert's variant); what the order that
it speaks of says, apart from its id and its dates; and everything of the chart that the rule reads, with the days on
which it happened. A new result, dose, problem or order there is new facts, and so is a situation that has grown worse;
that a week has passed is not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

import orjson

from cards.record import Course, Order, PatientRecord, Source
from cards.rule import Level, Raised, Rule

# Of an order in the chart: a resource that was touched is no news.
_NOT_A_FACT = frozenset({"changed", "remembered"})
# Of a draft: each time it is written it is another resource, of another day.
_NOT_A_FACT_OF_A_DRAFT = _NOT_A_FACT | {"reference", "authored", "replaces", "status", "selected", "source"}
_DATES_OF_A_DRAFT = frozenset({"starts", "ends", "events"})


class Memory:
    """Makes what cards are remembered by; `secret` keeps anyone else from telling a patient's by trying ids."""

    def __init__(self, secret: str) -> None:
        self._secret = hashlib.sha256(secret.encode()).digest()

    def of(self, raised: Raised, patient_id: str, client: str, record: PatientRecord) -> bytes | None:
        """What an override of this alert is remembered by; None for a critical one, which is never kept quiet."""
        if raised.level is Level.CRITICAL:
            return None
        what = [client, patient_id, raised.rule.topic, facts(raised, record)]
        return hmac.digest(self._secret, orjson.dumps(what), "sha256")


def facts(raised: Raised, record: PatientRecord) -> list[Any]:
    """The facts behind an alert as plain values, the same for the same facts in whatever order they came."""
    rule, about = raised.rule, raised.alert.about
    return [rule.version, raised.alert.variant, _about(about), _chart(rule, record)]


def _about(about: Course | None) -> Any:
    if not isinstance(about, Order):
        return about.reference if about else None
    return _plain(about, _NOT_A_FACT_OF_A_DRAFT | _DATES_OF_A_DRAFT) | {"days": _lengths(about)}


def _lengths(order: Order) -> list[int | None]:
    """How many days each instruction lasts, where both ends are given."""
    return [(each.ends - each.starts).days if each.starts and each.ends else None for each in order.instructions]


def _chart(rule: Rule, record: PatientRecord) -> dict[str, Any]:
    """What the rule reads of the chart, whatever else the other rules of the call made us read."""

    def reads(*sources: Source) -> bool:
        return not rule.sources.isdisjoint(sources)

    read = {
        "patient": [record.patient] if reads(Source.PATIENT) else [],
        "problems": record.problems if reads(Source.PROBLEMS) else [],
        "courses": [each for each in record.courses if reads(each.source)],
        "doses": [each for each in (*record.doses, *record.doses_without_amount) if reads(each.source)],
        "not_given": record.not_given if reads(Source.DOSES) else [],
        "dispensed": record.dispensed if reads(Source.DISPENSES, Source.CLAIMS) else [],
        "labs": [each for each in record.labs if each.concept in rule.labs],
        "procedures": record.procedures if reads(Source.PROCEDURES) else [],
        "allergies": record.allergies if reads(Source.ALLERGIES) else [],
        "family": record.family if reads(Source.FAMILY) else [],
        "planned": [each for each in record.planned if reads(each.source)],
    }
    return {name: _in_order(items) for name, items in read.items() if items}


def _in_order(items: Iterable[Any]) -> list[Any]:
    return sorted((_plain(each) for each in items), key=orjson.dumps)


def _plain(value: Any, without: frozenset[str] = _NOT_A_FACT) -> Any:
    """A value of the record as JSON: dataclasses and mappings as objects, sets in order, numbers as they are worth."""
    if dataclasses.is_dataclass(value):
        names = [each.name for each in dataclasses.fields(value) if each.name not in without]
        return {name: _plain(getattr(value, name), without) for name in names}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(value[key], without) for key in sorted(value)}
    if isinstance(value, frozenset | set):
        return _in_order(value)
    if isinstance(value, tuple | list):
        return [_plain(each, without) for each in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value
