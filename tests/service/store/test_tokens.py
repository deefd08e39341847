"""A token id is new once, whichever process is asked."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest
from sqlalchemy import URL

from service.store.tables import token_used
from tests.service.store.stored import NOON, Clock, everything, rows, store_at

pytestmark = pytest.mark.anyio
SOON = NOON + timedelta(minutes=5)
ISSUER = "https://ehr.example.org"


async def test_a_token_is_new_once(url: URL) -> None:
    async with store_at(url).running() as store:
        assert await store.first_use(ISSUER, "jti-1", SOON)
        assert not await store.first_use(ISSUER, "jti-1", SOON)
        assert await store.first_use(ISSUER, "jti-2", SOON)


async def test_two_issuers_may_use_the_same_id(url: URL) -> None:
    async with store_at(url).running() as store:
        assert await store.first_use("ab", "c", SOON)
        assert await store.first_use("a", "bc", SOON)


async def test_a_token_used_on_one_server_is_known_on_the_other(url: URL) -> None:
    async with store_at(url).running() as one, store_at(url).running() as other:
        assert await one.first_use(ISSUER, "jti-1", SOON)
        assert not await other.first_use(ISSUER, "jti-1", SOON)


async def test_of_many_uses_at_the_same_moment_one_is_the_first(url: URL) -> None:
    answers: list[bool] = []
    async with store_at(url).running() as one, store_at(url).running() as other, anyio.create_task_group() as group:

        async def use(store: object, jti: str) -> None:
            answers.append(await getattr(store, "first_use")(ISSUER, jti, SOON))  # noqa: B009

        for number in range(60):
            group.start_soon(use, (one, other)[number % 2], f"jti-{number // 6}")

    assert sorted(answers) == [False] * 50 + [True] * 10


async def test_neither_issuer_nor_id_is_kept(url: URL) -> None:
    async with store_at(url).running() as store:
        await store.first_use(ISSUER, "jti-marked", SOON)

    assert len(rows(url, token_used)) == 1
    assert "ehr.example" not in everything(url)
    assert "jti-marked" not in everything(url)


async def test_an_id_may_be_any_text(url: URL) -> None:
    async with store_at(url).running() as store:
        for jti in ("", "\x00", "\ud800", "é" * 5_000):
            assert await store.first_use(ISSUER, jti, SOON)
            assert not await store.first_use(ISSUER, jti, SOON)


async def test_expired_tokens_are_forgotten(url: URL) -> None:
    clock = Clock()
    async with store_at(url, clock=clock).running() as store:
        for number in range(3):
            await store.first_use(ISSUER, f"jti-{number}", SOON)
        await store.first_use(ISSUER, "later", SOON + timedelta(days=1))
    clock.pass_by(hours=1)
    async with store_at(url, clock=clock).running():
        with anyio.fail_after(60):
            while len(rows(url, token_used)) > 1:
                await anyio.lowlevel.checkpoint()
