"""Real servers on one PostgreSQL, as they are deployed: what they share, and what the end of one of them costs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Event
from uuid import uuid4

import httpx
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
TRIES = 200
ENOUGH = 40
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Replica:
    """One server process: a connection to it, and how to kill it."""

    ehr: httpx.Client
    kill: Callable[[], None]


@contextmanager
def replicas(number: int, folder: Path) -> Iterator[tuple[Postgres, URL, list[Replica]]]:
    """A PostgreSQL, a database on it, and so many servers that share it."""
    clients = folder / "clients.toml"
    clients.write_text(client_toml(EHR) + client_toml(STRICT, "strict", replay='"strict"'), encoding="utf-8")
    with ExitStack() as running:
        server = running.enter_context(postgres())
        url = server.database()
        environment = {
            "B12_CDS_CLIENTS": str(clients),
            "B12_CDS_PUBLIC_URL": PUBLIC_URL,
            "B12_CDS_OPERATOR_TOKEN": OPERATOR,
            "B12_CDS_DATABASE_URL": url.set(drivername="postgresql").render_as_string(hide_password=False),
        }
        found = []
        for _ in range(number):
            address, process = running.enter_context(served(environment=environment))
            ehr = running.enter_context(httpx.Client(base_url=address, timeout=PATIENCE_SECONDS))
            found.append(Replica(ehr, process.kill))
        yield server, url, found


def signs(ehr: httpx.Client, headers: dict[str, str] | None = None) -> httpx.Response:
    """The answer to an order of folic acid that gets a card."""
    return ehr.post(SIGN, json=example(), headers=headers or EHR.headers(SIGN, at=datetime.now(UTC)))


def tells(ehr: httpx.Client, card: str) -> httpx.Response:
    """The answer to feedback: this card was overridden."""
    headers = EHR.headers(FEEDBACK, at=datetime.now(UTC))
    return ehr.post(FEEDBACK, json=body_of(overridden(card)), headers=headers)


def token_that_was_used(replica: Replica) -> dict[str, str]:
    """The header of a strict client's call that was answered; it may be told to try again, with another token."""
    tokens = (STRICT.headers(SIGN, at=datetime.now(UTC)) for _ in range(TRIES))
    return next(headers for headers in tokens if signs(replica.ehr, headers).status_code == httpx.codes.OK)


def used_again(replica: Replica, headers: dict[str, str]) -> int:
    """The status of another call with this token, once the database is quick enough to tell."""
    answers = (signs(replica.ehr, headers).status_code for _ in range(TRIES))
    return next(status for status in answers if status != httpx.codes.SERVICE_UNAVAILABLE)


def overrides_counted(ehr: httpx.Client) -> int:
    """How many overridden cards the governance view of this server counts."""
    sheet = ehr.get("/governance/cards.csv", headers={"authorization": f"Bearer {OPERATOR}"})
    return sum(int(row["overridden"]) for row in csv.DictReader(io.StringIO(sheet.text)))


def counts_at_last(replica: Replica, overrides: int) -> bool:
    """Whether so many are counted, now or soon: what was shown is written down within a fraction of a second."""
    return any(overrides_counted(replica.ehr) == overrides for _ in range(TRIES))


def test_what_one_replica_was_told_the_other_knows(tmp_path: Path) -> None:
    with replicas(2, tmp_path) as (_, url, [one, other]):
        again = used_again(other, token_that_was_used(one))
        cards = [signs(replica.ehr).json()["cards"][0]["uuid"] for replica in (one, other, one)]
        told = [tells(replica.ehr, card) for replica, card in zip((one, other, other), cards, strict=True)]
        told.append(tells(one.ehr, cards[0]))
        kept = sorted(str(row["card"]) for row in rows(url, feedback))
        counted = [counts_at_last(replica, 3) for replica in (one, other)]

    assert again == httpx.codes.UNAUTHORIZED
    assert [answer.status_code for answer in told] == [200] * 4
    # What was told twice counts once.
    assert kept == sorted(cards)
    assert counted == [True, True]


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
            return
        with heard.news:
            heard.calls.append(signed.status_code)
            heard.without_card += not signed.json()["cards"]
            if told.status_code == httpx.codes.OK:
                heard.acknowledged.append(card)
            else:
                heard.refused.append(told)
            heard.news.notify_all()


@contextmanager
def load_on(*servers: tuple[Replica, Heard]) -> Iterator[None]:
    """Two callers at each server; at the end they have stopped, and none of them has failed."""
    stop = Event()
    with ThreadPoolExecutor(2 * len(servers)) as callers:
        work = [callers.submit(call, replica.ehr, heard, stop) for replica, heard in servers for _ in range(2)]
        try:
            yield
        finally:
            stop.set()
        for each in work:
            each.result()


def test_a_replica_killed_under_load_loses_no_acknowledged_feedback_and_no_call_to_the_other(tmp_path: Path) -> None:
    dead, survivor = Heard(), Heard()
    with replicas(2, tmp_path) as (_, url, [one, other]):
        with load_on((one, dead), (other, survivor)):
            dead.wait_until(dead.more_than(ENOUGH))
            one.kill()
            survivor.wait_until(survivor.more_than(len(survivor.acknowledged) + ENOUGH))
        kept = {str(row["card"]) for row in rows(url, feedback)}

    assert dead.lost
    assert (survivor.refused, survivor.lost) == ([], 0)
    assert {*survivor.calls} == {200}
    assert not survivor.without_card
    assert {*dead.acknowledged, *survivor.acknowledged} <= kept


def test_while_postgresql_restarts_under_load_no_call_fails_and_no_acknowledged_feedback_is_lost(
    tmp_path: Path,
) -> None:
    heard = Heard()
    with replicas(1, tmp_path) as (server, url, [replica]):
        with load_on((replica, heard)):
            heard.wait_until(heard.more_than(ENOUGH))
            server.stop()
            heard.wait_until(lambda: bool(heard.refused))
            server.start()
            heard.wait_until(heard.more_than(len(heard.acknowledged) + ENOUGH))
        kept = {str(row["card"]) for row in rows(url, feedback)}

    assert {*heard.calls} == {200}
    assert (heard.without_card, heard.lost) == (0, 0)
    assert {answer.status_code for answer in heard.refused} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in heard.refused)
    assert {*heard.acknowledged} <= kept
