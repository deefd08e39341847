"""Real servers on one PostgreSQL, as they are deployed: what they share, and what the end of one of them costs."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Condition, Event, Thread
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import URL

from service.store.tables import feedback
from tests.databases import Postgres, postgres
from tests.ehr_identity import PUBLIC_URL, Signer, client_toml
from tests.service.store.stored import FEEDBACK, SIGN, body_of, example, overridden, rows
from tests.service.test_serve import served

EHR = Signer(algorithm="RS384", key_id="rsa-1")
# It would rather be asked again than be let in on the word of one process.
STRICT = Signer("https://strict.example.org", "RS384", "rsa-1")
OPERATOR = "a token of the operators"
TRIES = 1_000
CALLERS = 2
ENOUGH = 40
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Replica:
    """One server process: a connection to it, and how to kill it."""

    ehr: httpx.Client
    kill: Callable[[], None]


@dataclass(frozen=True)
class Deployment:
    """Two servers, and the PostgreSQL database that they share."""

    server: Postgres
    url: URL
    one: Replica
    other: Replica

    def kept(self) -> list[str]:
        """The cards whose feedback is in the database."""
        return [str(row["card"]) for row in rows(self.url, feedback)]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    clients = tmp_path_factory.mktemp("replicas") / "clients.toml"
    clients.write_text(client_toml(EHR) + client_toml(STRICT, "strict", replay='"strict"'), encoding="utf-8")
    with postgres() as server:
        url = server.database()
        environment = {
            "B12_CDS_CLIENTS": str(clients),
            "B12_CDS_PUBLIC_URL": PUBLIC_URL,
            "B12_CDS_OPERATOR_TOKEN": OPERATOR,
            "B12_CDS_DATABASE_URL": url.set(drivername="postgresql").render_as_string(hide_password=False),
        }
        with replica(environment) as one, replica(environment) as other:
            yield Deployment(server, url, one, other)


@contextmanager
def replica(environment: Mapping[str, str]) -> Iterator[Replica]:
    """A server whose log is read all the time: otherwise it would wait for a reader once the pipe is full."""
    with served(environment=environment) as (address, process):
        reader = Thread(target=deque, args=(process.stderr, 0))
        reader.start()
        try:
            with httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as ehr:
                yield Replica(ehr, process.kill)
        finally:
            process.kill()
            reader.join()


def signs(ehr: httpx.Client, headers: dict[str, str] | None = None) -> httpx.Response:
    """The answer to an order of folic acid that gets a card."""
    return ehr.post(SIGN, json=example(), headers=headers or EHR.headers(SIGN, at=datetime.now(UTC)))


def tells(ehr: httpx.Client, card: str) -> httpx.Response:
    """The answer to feedback: this card was overridden."""
    headers = EHR.headers(FEEDBACK, at=datetime.now(UTC))
    return ehr.post(FEEDBACK, json=body_of(overridden(card)), headers=headers)


def used_on_both(one: Replica, other: Replica) -> int:
    """What a token gets on the other server once it was answered on the first.

    A strict client is told to try again while the database is too slow to tell. It does so with a new token: the old
    one may have been written down by the server that could not tell.
    """
    for _ in range(TRIES):
        headers = STRICT.headers(SIGN, at=datetime.now(UTC))
        if signs(one.ehr, headers).status_code != httpx.codes.OK:
            continue
        status = signs(other.ehr, headers).status_code
        if status != httpx.codes.SERVICE_UNAVAILABLE:
            return status
    pytest.fail("the database never told in time whether a token is new")


def overrides_counted(ehr: httpx.Client) -> int:
    """How many overridden cards the governance view of this server counts."""
    sheet = ehr.get("/governance/cards.csv", headers={"authorization": f"Bearer {OPERATOR}"})
    return sum(int(row["overridden"]) for row in csv.DictReader(io.StringIO(sheet.text)))


def counts_at_last(server: Replica, overrides: int) -> bool:
    """Whether so many are counted, now or soon: what was shown is written down within a fraction of a second."""
    return any(overrides_counted(server.ehr) == overrides for _ in range(TRIES))


def test_what_one_replica_was_told_the_other_knows(deployed: Deployment) -> None:
    one, other = deployed.one, deployed.other
    again = [used_on_both(one, other), used_on_both(other, one)]
    cards = [signs(each.ehr).json()["cards"][0]["uuid"] for each in (one, other, one)]
    told = [tells(each.ehr, card) for each, card in zip((one, other, other), cards, strict=True)]
    told.append(tells(one.ehr, cards[0]))

    assert again == [httpx.codes.UNAUTHORIZED] * 2
    assert [answer.status_code for answer in told] == [200] * 4
    # What was told twice counts once.
    assert sorted(card for card in deployed.kept() if card in cards) == sorted(cards)
    assert [counts_at_last(each, 3) for each in (one, other)] == [True, True]


@dataclass
class Heard:
    """What those who call one server heard: statuses of hook calls, and what became of each card's feedback."""

    calls: list[int] = field(default_factory=list)
    without_card: int = 0
    acknowledged: list[str] = field(default_factory=list)
    refused: list[httpx.Response] = field(default_factory=list)
    lost: int = 0
    news: Condition = field(default_factory=Condition)

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Returns once that is so."""
        with self.news:
            assert self.news.wait_for(reached, PATIENCE_SECONDS)

    def was_refused(self) -> bool:
        """Whether any feedback was not acknowledged."""
        return bool(self.refused)

    def more_than(self, acknowledged: int) -> Callable[[], bool]:
        """Whether more feedback than that was acknowledged."""
        return lambda: len(self.acknowledged) > acknowledged


def call(ehr: httpx.Client, heard: Heard, stop: Event) -> None:
    """Calls a hook and tells feedback, over and over, until `stop` is set or the server is gone."""
    while not stop.is_set():
        card = str(uuid4())
        try:
            signed = signs(ehr)
            told = tells(ehr, card)
        except httpx.TransportError:
            with heard.news:
                heard.lost += 1
                heard.news.notify_all()
            return
        with heard.news:
            heard.calls.append(signed.status_code)
            heard.without_card += not signed.json().get("cards")
            if told.status_code == httpx.codes.OK:
                heard.acknowledged.append(card)
            else:
                heard.refused.append(told)
            heard.news.notify_all()


@contextmanager
def load_on(*servers: tuple[Replica, Heard]) -> Iterator[None]:
    """CALLERS at each server; at the end they have stopped, and none of them has failed."""
    stop = Event()
    with ThreadPoolExecutor(CALLERS * len(servers)) as callers:
        work = [callers.submit(call, server.ehr, heard, stop) for server, heard in servers for _ in range(CALLERS)]
        try:
            yield
        finally:
            stop.set()
        for each in work:
            each.result()


def test_while_postgresql_restarts_under_load_no_call_fails_and_no_acknowledged_feedback_is_lost(
    deployed: Deployment,
) -> None:
    one, other = both = Heard(), Heard()
    with load_on((deployed.one, one), (deployed.other, other)):
        for heard in both:
            heard.wait_until(heard.more_than(ENOUGH))
        deployed.server.stop()
        try:
            for heard in both:
                heard.wait_until(heard.was_refused)
        finally:
            deployed.server.start()
        for heard in both:
            heard.wait_until(heard.more_than(len(heard.acknowledged) + ENOUGH))
    kept = set(deployed.kept())

    for heard in both:
        assert {*heard.calls} == {200}
        assert (heard.without_card, heard.lost) == (0, 0)
        assert {answer.status_code for answer in heard.refused} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in heard.refused)
        assert {*heard.acknowledged} <= kept


# The last of this file: it leaves one of the two.
def test_a_replica_killed_under_load_loses_no_acknowledged_feedback_and_no_call_to_the_other(
    deployed: Deployment,
) -> None:
    dead, survivor = Heard(), Heard()
    with load_on((deployed.one, dead), (deployed.other, survivor)):
        dead.wait_until(dead.more_than(ENOUGH))
        deployed.one.kill()
        dead.wait_until(lambda: dead.lost == CALLERS)
        survivor.wait_until(survivor.more_than(len(survivor.acknowledged) + ENOUGH))

    assert (survivor.refused, survivor.lost) == ([], 0)
    assert {*survivor.calls} == {200}
    assert not survivor.without_card
    assert {*dead.acknowledged, *survivor.acknowledged} <= set(deployed.kept())
