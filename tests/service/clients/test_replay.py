"""A token is used once: in this process, in all of them, and when the store is silent as the client's policy says."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from service.clients.replay import ProcessMemory, Replays, StoreUnavailable
from tests.ehr_identity import ISSUER, NOW, Clock

pytestmark = pytest.mark.anyio

SOON = NOW + timedelta(minutes=5)


class Store:
    """A store shared by processes, which can fall silent."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self.silent = False
        self.asked = 0

    async def first_use(self, issuer: str, jti: str, expires: datetime) -> bool:
        self.asked += 1
        if self.silent:
            raise StoreUnavailable
        first = (issuer, jti) not in self.seen
        self.seen.add((issuer, jti))
        return first


async def test_a_token_used_in_one_process_is_refused_in_another() -> None:
    store = Store()
    one, other = Replays(store, Clock()), Replays(store, Clock())

    assert await one.first_use("shared", ISSUER, "1", SOON)
    assert not await other.first_use("shared", ISSUER, "1", SOON)


async def test_ids_of_different_issuers_have_nothing_to_do_with_each_other() -> None:
    replays = Replays(Store(), Clock())

    assert await replays.first_use("shared", ISSUER, "1", SOON)
    assert await replays.first_use("shared", "https://other.example", "1", SOON)


async def test_what_this_process_has_seen_needs_no_question() -> None:
    store = Store()
    replays = Replays(store, Clock())
    await replays.first_use("shared", ISSUER, "1", SOON)

    assert not await replays.first_use("shared", ISSUER, "1", SOON)
    assert store.asked == 1


async def test_while_the_store_is_silent_the_process_remembers_and_it_is_counted() -> None:
    store, counted = Store(), []
    replays = Replays(store, Clock(), lambda: counted.append(1))
    await replays.first_use("shared", ISSUER, "before", SOON)
    store.silent = True

    assert await replays.first_use("shared", ISSUER, "during", SOON)
    assert not await replays.first_use("shared", ISSUER, "during", SOON)
    assert not await replays.first_use("shared", ISSUER, "before", SOON)
    assert counted == [1]


async def test_a_strict_client_is_not_served_while_the_store_is_silent_and_may_try_again() -> None:
    store, counted = Store(), []
    store.silent = True
    replays = Replays(store, Clock(), lambda: counted.append(1))

    with pytest.raises(StoreUnavailable):
        await replays.first_use("strict", ISSUER, "1", SOON)
    store.silent = False

    assert await replays.first_use("strict", ISSUER, "1", SOON)
    assert not await replays.first_use("strict", ISSUER, "1", SOON)
    assert counted == []


async def test_a_client_may_use_one_token_for_several_calls_where_that_is_allowed() -> None:
    store = Store()
    replays = Replays(store, Clock())

    assert await replays.first_use("off", ISSUER, "1", SOON)
    assert await replays.first_use("off", ISSUER, "1", SOON)
    assert store.asked == 0


async def test_a_process_forgets_a_token_when_it_can_no_longer_be_used() -> None:
    clock = Clock()
    memory = ProcessMemory(clock)
    await memory.first_use(ISSUER, "1", SOON)

    clock.now = SOON - timedelta(seconds=1)
    assert not await memory.first_use(ISSUER, "1", SOON)
    clock.now = SOON
    assert await memory.first_use(ISSUER, "1", SOON + timedelta(minutes=5))


async def test_a_process_remembers_a_number_of_tokens_and_no_more() -> None:
    memory = ProcessMemory(Clock(), remembered=3)
    for number in range(5):
        await memory.first_use(ISSUER, str(number), SOON)

    assert not await memory.first_use(ISSUER, "4", SOON)
    assert await memory.first_use(ISSUER, "0", SOON)
