"""A store that is down, slow, locked or full costs no card; feedback is refused, and nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest
from sqlalchemy import URL, Engine, event, text

from service.clients.replay import StoreUnavailable
from service.operations import metrics
from service.store.database import Use, checkpoint, engine
from service.store.ledger import CallNoted
from service.store.migrate import migrate
from service.store.rows import TokenUse, write_token_uses
from service.store.store import Store, Where
from service.store.tables import call_count, card_shown, feedback, token_used
from tests.databases import Postgres, postgres
from tests.service.store.conftest import sqlite_in
from tests.service.store.stored import (
    FEEDBACK,
    NOON,
    SIGN,
    body_of,
    example,
    overridden,
    rows,
    service_with,
    store_at,
)
from tests.service.store.test_override_memory import BUTTOCK, ehr_on
from tests.service.test_serve import connected, served

pytestmark = pytest.mark.anyio
SOON = NOON + timedelta(minutes=5)
# As short as it is where the service runs: what is under test never answers in time.
HURRIED: dict[str, Any] = {"patience": 0.02, "feedback_patience": 0.05}


async def status_of_feedback(ehr: httpx.AsyncClient, card: str) -> int:
    """What this feedback gets; a refusal says when to try again."""
    answer = await ehr.post(FEEDBACK, json=body_of(overridden(card)))
    assert (answer.status_code == 503) == ("retry-after" in answer.headers)
    return answer.status_code


async def gets_a_card(ehr: httpx.AsyncClient) -> bool:
    """Whether a signed order of folic acid gets its card."""
    answer = await ehr.post(SIGN, json=example())
    return answer.status_code == 200 and len(answer.json()["cards"]) == 1


async def acknowledged_at_last(ehr: httpx.AsyncClient, card: str) -> None:
    """Sends feedback until it is acknowledged, as an EHR does."""
    with anyio.fail_after(60):
        while await status_of_feedback(ehr, card) != 200:
            await anyio.lowlevel.checkpoint()


@contextmanager
def held_up(url: URL) -> Iterator[None]:
    """Every writer waits: another has locked the database, or all tables of it."""
    if url.get_backend_name() == "sqlite":
        with engine(url, Use.CHANGING).begin():
            yield
    else:
        with engine(url, Use.CHANGING).begin() as connection:
            connection.execute(text("LOCK TABLE card_shown, feedback, token_used IN ACCESS EXCLUSIVE MODE"))
            yield


@asynccontextmanager
async def a_service_of_its_own(server: Postgres) -> AsyncIterator[tuple[httpx.AsyncClient, URL]]:
    url = server.database()
    migrate(url)
    async with service_with(store_at(url, quiet_days=1)) as ehr:
        yield ehr, url


async def test_while_the_database_is_held_up_cards_go_on_and_feedback_waits(url: URL) -> None:
    store = store_at(url, **HURRIED)
    async with service_with(store) as ehr:
        with held_up(url):
            assert await gets_a_card(ehr)
            assert await status_of_feedback(ehr, str(uuid4())) == 503
            with pytest.raises(StoreUnavailable):
                await store.first_use("issuer", "jti", SOON)
        card = str(uuid4())
        await acknowledged_at_last(ehr, card)

    assert card in {str(row["card"]) for row in rows(url, feedback)}
    assert len(rows(url, card_shown)) == 1


async def test_a_token_whose_check_came_too_late_is_known_afterwards(url: URL) -> None:
    hurried = store_at(url, **HURRIED)
    async with hurried.running(), store_at(url).running() as other:
        with held_up(url), pytest.raises(StoreUnavailable):
            await hurried.first_use("issuer", "jti", SOON)
        # Whatever is asked next comes after it on the same way.
        with anyio.fail_after(60):
            while True:
                try:
                    await hurried.first_use("issuer", "another", SOON)
                    break
                except StoreUnavailable:
                    await anyio.lowlevel.checkpoint()
        assert not await other.first_use("issuer", "jti", SOON)


async def test_a_card_that_may_have_been_overridden_is_shown_when_nobody_can_tell(url: URL) -> None:
    async with ehr_on(url, *BUTTOCK) as ehr:
        await ehr.override()
        assert await ehr.card() is None
    async with ehr_on(url, *BUTTOCK, **HURRIED) as ehr:
        with held_up(url):
            assert await ehr.card() is not None


async def test_postgresql_is_stopped_and_comes_back() -> None:
    with postgres() as server:
        async with a_service_of_its_own(server) as (ehr, url):
            before, meanwhile, after = (str(uuid4()) for _ in range(3))
            assert await status_of_feedback(ehr, before) == 200
            server.stop()
            assert await gets_a_card(ehr)
            assert await status_of_feedback(ehr, meanwhile) == 503
            assert await gets_a_card(ehr)
            server.start()
            await acknowledged_at_last(ehr, after)
            await acknowledged_at_last(ehr, meanwhile)

        assert [str(row["card"]) for row in rows(url, feedback)] == [before, after, meanwhile]
        # What was shown meanwhile has waited in the process.
        assert len(rows(url, card_shown)) == 2


async def test_a_service_starts_without_its_database_and_uses_it_once_it_is_there() -> None:
    with postgres() as server:
        url = server.database()
        server.stop()
        async with service_with(store_at(url)) as ehr:
            assert await gets_a_card(ehr)
            assert await status_of_feedback(ehr, str(uuid4())) == 503
            server.start()
            await acknowledged_at_last(ehr, str(uuid4()))

        assert len(rows(url, card_shown)) == 1


@contextmanager
def full_disk(url: URL) -> Iterator[None]:
    """Connections that are opened now find no room: SQLite says the same when the disk has none."""
    with engine(url, Use.READING).connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()

    def no_room(connection: Any, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", no_room)
    try:
        yield
    finally:
        event.remove(Engine, "connect", no_room)


async def test_on_a_full_disk_cards_go_on_feedback_is_refused_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    url = sqlite_in(tmp_path)
    migrate(url)
    acknowledged: list[str] = []
    async with service_with(store_at(url)) as ehr:
        with full_disk(url):
            async with service_with(store_at(url)) as full:
                with anyio.fail_after(60):
                    card = str(uuid4())
                    while await status_of_feedback(full, card) == 200:
                        acknowledged.append(card)
                        card = str(uuid4())
                assert await gets_a_card(full)
        assert await status_of_feedback(ehr, card) == 200

    assert {str(row["card"]) for row in rows(url, feedback)} == {*acknowledged, card}


async def test_a_data_folder_that_cannot_be_written_costs_no_card(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    store = store_at(URL.create("sqlite", database=str(tmp_path / "taken" / "b12-cds.sqlite")))
    async with service_with(store) as ehr:
        assert await gets_a_card(ehr)
        assert await status_of_feedback(ehr, str(uuid4())) == 503


async def test_a_file_that_is_no_database_costs_no_card(tmp_path: Path) -> None:
    (tmp_path / "b12-cds.sqlite").write_bytes(b"not a database " * 1_000)
    async with service_with(store_at(sqlite_in(tmp_path))) as ehr:
        assert await gets_a_card(ehr)
        assert await status_of_feedback(ehr, str(uuid4())) == 503


async def test_calls_that_wait_too_long_are_given_up_and_counted(tmp_path: Path) -> None:
    (tmp_path / "b12-cds.sqlite").write_bytes(b"not a database " * 1_000)
    dropped = metrics.count("b12_cds_store_drops_total", record="call")
    async with Store(Where(sqlite_in(tmp_path)), calls_waiting=10).running() as store:
        for _ in range(12):
            store.note(CallNoted(NOON, "client", "order-sign"))
        assert metrics.count("b12_cds_store_drops_total", record="call") == dropped + 2

    assert metrics.count("b12_cds_store_drops_total", record="call") == dropped + 12


async def test_two_processes_write_at_the_same_time(url: URL) -> None:
    async with store_at(url).running() as one, store_at(url).running() as other, anyio.create_task_group() as group:

        async def work(store: Store, number: int) -> None:
            for step in range(20):
                store.note(CallNoted(NOON, "client", "order-sign"))
                assert await store.first_use("issuer", f"{number}-{step}", SOON)
                await store.flush()

        for number in range(6):
            group.start_soon(work, (one, other)[number % 2], number)

    assert [row["calls"] for row in rows(url, call_count)] == [120]


async def test_what_is_written_reaches_the_main_file_of_sqlite_by_itself(tmp_path: Path) -> None:
    url = sqlite_in(tmp_path)
    migrate(url)
    async with store_at(url).running() as store:
        assert await store.first_use("issuer", "jti", SOON)
        [row] = rows(url, token_used)
        with anyio.fail_after(60):
            while row["digest"] not in (tmp_path / "b12-cds.sqlite").read_bytes():
                await anyio.lowlevel.checkpoint()


def test_the_log_of_sqlite_begins_anew_once_its_content_was_moved(tmp_path: Path) -> None:
    url = sqlite_in(tmp_path)
    migrate(url)
    log = tmp_path / "b12-cds.sqlite-wal"
    with engine(url, Use.QUICK).connect() as connection:
        with connection.begin():
            write_token_uses(connection, [TokenUse(number.to_bytes(32, "little"), 0) for number in range(2_000)])
        large = log.stat().st_size
        checkpoint(url, large_log_bytes=1)
        with connection.begin():
            write_token_uses(connection, [TokenUse(b"x" * 32, 0)])

        assert log.stat().st_size == large > 100_000


def test_what_was_acknowledged_is_there_after_the_process_was_killed(tmp_path: Path) -> None:
    acknowledged = []
    with (
        served("--open", environment={"B12_CDS_DATA_DIR": str(tmp_path)}) as (address, process),
        connected(address) as ehr,
    ):
        for card in (str(uuid4()) for _ in range(20)):
            if ehr.post(FEEDBACK, json=body_of(overridden(card))).status_code == 200:
                acknowledged.append(card)
        process.kill()
        process.wait()

    assert len(acknowledged) == 20
    assert {str(row["card"]) for row in rows(sqlite_in(tmp_path), feedback)} == set(acknowledged)
