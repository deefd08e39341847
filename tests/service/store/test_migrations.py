"""The tables come to be by migrations, once, whoever starts first; old rows are purged."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, inspect, text

from service.clients.replay import StoreUnavailable
from service.store import care, migrations
from service.store.database import Use, engine
from service.store.ledger import CallNoted, CardShown, FeedbackNoted, Gap
from service.store.migrate import migrate
from service.store.revision import REVISIONS
from service.store.store import Store, Where
from service.store.tables import card_shown, feedback, metadata
from tests.service.store.stored import NOON, UNHURRIED, rows, store_at


def test_the_migrations_make_the_tables_that_the_code_knows(empty: URL) -> None:
    assert migrate(empty)
    assert not migrate(empty)
    with engine(empty, Use.READING).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_of_several_that_migrate_at_once_one_does_it(empty: URL) -> None:
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: migrate(empty), range(4)))

    assert sorted(done) == [False, False, False, True]


def test_of_many_that_open_a_new_file_at_once_none_is_refused(tmp_path: Path) -> None:
    def opened(number: int) -> None:
        with engine(URL.create("sqlite", database=str(tmp_path / f"{number // 8}.sqlite")), Use.CHANGING).begin():
            pass

    # Where the file is not asked again, one in a hundred or so is refused.
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(opened, range(1600))) == [None] * 1600


def test_tables_of_a_newer_version_are_left_alone(url: URL) -> None:
    with engine(url, Use.CHANGING).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        assert not migrate(url)
        with engine(url, Use.READING).connect() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    finally:
        with engine(url, Use.CHANGING).begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))


@pytest.mark.anyio
async def test_a_server_makes_the_tables_where_the_start_could_not(empty: URL) -> None:
    async with store_at(empty).running() as store:
        assert await store.first_use("issuer", "jti", NOON)


@pytest.mark.anyio
async def test_a_server_that_may_not_migrate_waits_for_someone_who_may(empty: URL) -> None:
    async with Store(Where(empty, may_migrate=False), patience=UNHURRIED).running() as store:
        with pytest.raises(StoreUnavailable):
            await store.first_use("issuer", "jti-1", NOON)
        assert inspect(engine(empty, Use.READING)).get_table_names() == []
        migrate(empty)
        with anyio.fail_after(UNHURRIED):
            while not await store.reachable():
                await anyio.lowlevel.checkpoint()


@pytest.mark.anyio
async def test_what_is_older_than_the_retention_is_deleted_and_nothing_else(url: URL) -> None:
    long_ago, lately = NOON - timedelta(days=800), NOON - timedelta(days=700)
    cards = {when: uuid4() for when in (long_ago, lately)}
    async with store_at(url).running() as store:
        for when, card in cards.items():
            shown = CardShown(card, "topic", 1, "info", "variant")
            store.note(CallNoted(when, "client", "order-sign", (shown,), ("topic",), (Gap("other", "missing"),)))
            await store.keep([FeedbackNoted(card.bytes * 2, "client", "service", "accepted", when, when, card)])
        await store.flush()

    assert care.purge(url, NOON - timedelta(days=730)) == 5
    assert care.purge(url, NOON - timedelta(days=730)) == 0
    assert [row["card"] for row in rows(url, card_shown)] == [cards[lately]]
    assert [row["card"] for row in rows(url, feedback)] == [cards[lately]]
    assert care.purge(url, NOON) == 5


def test_a_purge_goes_on_until_nothing_old_is_left(url: URL) -> None:
    long_ago = int((NOON - timedelta(days=800)).timestamp() * 1000)
    fields = {"client": "c", "service": "s", "outcome": "accepted", "suggestions": 1, "own_reason": False}
    old = [
        {"digest": number.to_bytes(32, "big"), "outcome_ms": long_ago, "received_ms": long_ago, **fields}
        for number in range(2_500)
    ]
    with engine(url, Use.CHANGING).begin() as connection:
        connection.execute(feedback.insert(), old)

    assert care.purge(url, NOON) == 2_500
    assert rows(url, feedback) == []


def test_the_revisions_that_serving_knows_are_those_of_the_migrations() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert tuple(reversed([each.revision for each in scripts.walk_revisions()])) == REVISIONS


def test_serving_from_tables_that_are_there_loads_nothing_of_alembic(url: URL) -> None:
    """It would take 10 MB in each process."""
    code = (
        "import sys, service.app\n"
        "from sqlalchemy import make_url\n"
        "from service.store.database import Use, engine\n"
        "from service.store.revision import is_ready\n"
        "with engine(make_url(sys.argv[1]), Use.QUICK).connect() as connection:\n"
        "    assert is_ready(connection)\n"
        "print('alembic' in sys.modules)\n"
    )
    address = url.render_as_string(hide_password=False)

    done = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
