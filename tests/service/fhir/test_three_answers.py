"""Every reader of a part tells "nothing was said" from "something was said that could not be read".

The readers are found by what they say they return, so that a new one is tested by itself.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

import pytest

import service.fhir
from cards.record import NotUnderstood
from cards.terminology import Terminology
from service.fhir.product import Products
from service.fhir.setting import Setting
from tests.service.fhir.reading import TODAY, Json

LONDON = ZoneInfo("Europe/London")
SETTING = Setting(Terminology.load(), LONDON, TODAY)
BESIDES: dict[Any, Any] = {ZoneInfo: LONDON, Setting: SETTING, Terminology: SETTING.terminology}

# No reader of a single value can make anything of these.
UNREADABLE = [True, [], {}, ["2026-01-01", "2026-01-02"], {"value": {}}, "\N{SNOWMAN}", "about so much"]
# What the first parameter of a reader holds, by its name: the part in question, with a value that says nothing sure.
HOLDERS: dict[str, Callable[[Any], Any]] = {
    "value": lambda bad: bad,
    "part": lambda bad: {"valueQuantity": {"value": bad, "unit": "ng/L"}},
    "quantity": lambda bad: {"value": bad, "unit": "ng/L"},
    "words": lambda bad: f"about {bad} or so",
    "structure": lambda bad: {"frequency": bad, "period": bad, "periodUnit": "d"},
    "item": lambda bad: {"strength": {"numerator": {"value": bad, "unit": "mg"}}},
    "resource": lambda bad: {"medicationReference": {"identifier": {"value": bad}}},
}
# These take what another reader has read already.
OF_WHAT_WAS_READ = {"if_known", "_why_no_day", "_less_usual", "_usual", "_plausible", "_in_words", "_ratio"}


def _readers() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in pkgutil.iter_modules(service.fhir.__path__, "service.fhir."):
        loaded = importlib.import_module(module.name)
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            function = inspect.unwrap(function)
            if function.__module__ == module.name and name not in OF_WHAT_WAS_READ and _may_not_understand(function):
                yield f"{module.name}.{name}", function
    yield "service.fhir.product.Products.read", Products(SETTING.terminology, dict).read


def _may_not_understand(function: Callable[..., Any]) -> bool:
    returned = get_type_hints(function).get("return")
    return NotUnderstood in getattr(returned, "__args__", ())


def _asked(function: Callable[..., Any], bad: Any) -> Any:
    first, *others = inspect.signature(function).parameters.values()
    hints = get_type_hints(function)
    return function(HOLDERS[first.name](bad), *(BESIDES[hints[each.name]] for each in others))


READERS = [pytest.param(reader, id=name) for name, reader in _readers()]


def test_there_are_readers_of_dates_numbers_doses_results_timings_strengths_and_drugs() -> None:
    assert len(READERS) >= 9


@pytest.mark.parametrize("bad", UNREADABLE, ids=repr)
@pytest.mark.parametrize("reader", READERS)
def test_what_was_sent_and_cannot_be_read_is_never_taken_for_nothing(reader: Callable[..., Any], bad: Any) -> None:
    assert isinstance(_asked(reader, bad), NotUnderstood)


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("name", ["number", "when", "happened", "planned"])
def test_nothing_is_nothing(name: str, nothing: Any) -> None:
    [reader] = [function for full, function in _readers() if full.endswith(f".{name}")]
    assert _asked(reader, nothing) is None


PLACEHOLDERS = [
    "0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "0001-01-01T00:00:00Z", "1900-01-01T00:00:00",
    "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00",
    "1969-12-31T19:00:00-05:00", "1753-01-01T00:00:00+00:00",
]  # fmt: skip
NO_DATES = [
    "2026-02-30",
    "30/02/2026",
    "2026-13-01",
    "2026-W10-1",
    "yesterday",
    "2026-11-01T25:00:00Z",
    "20261399",
    "2026W10",
    "2026 10",
    "2026/10",
    "2026-11-01T10:60",
]
DATES: Json = {
    "2026-11-01": "2026-11-01",
    "2026-11-01T23:30:00Z": "2026-11-01",
    "2026-06-30T23:30:00Z": "2026-07-01",
    "2026-11-01t10:00:00z": "2026-11-01",
    "2026-11-01T10:00:00+0100": "2026-11-01",
    "2026-11-01T10:00:00.123456789Z": "2026-11-01",
    "2026-11-01T10:00": "2026-11-01",
    "20261101": "2026-11-01",
    "2016-12-31T23:59:60Z": "2016-12-31",
    " 2026-11-01 ": "2026-11-01",
    "1970-01-01": "1970-01-01",
}


@pytest.mark.parametrize("name", ["when", "happened", "planned"])
@pytest.mark.parametrize("sent", [*PLACEHOLDERS, *NO_DATES])
def test_what_stands_for_no_date_is_no_date(name: str, sent: str) -> None:
    [reader] = [function for full, function in _readers() if full.endswith(f".{name}")]
    assert _asked(reader, sent) == NotUnderstood("impossible-date")


@pytest.mark.parametrize(("sent", "day"), DATES.items())
def test_dates_are_read_in_the_spellings_that_leave_no_doubt(sent: str, day: str) -> None:
    [reader] = [function for full, function in _readers() if full.endswith(".when")]
    assert [str(each) for each in _asked(reader, sent)] == [day, day]
