"""Cards and suggestions are known by random UUIDs, which no two processes share."""

from __future__ import annotations

import os
from uuid import RFC_4122, UUID

import pytest

from service.present import new_uuid


def test_they_are_random_ones_of_the_standard_and_no_two_are_alike() -> None:
    made = [new_uuid() for _ in range(1_000)]

    assert len(set(made)) == len(made)
    for each in made:
        known = UUID(each)
        assert (str(known), known.version, known.variant) == (each, 4, RFC_4122)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_makes_others() -> None:
    new_uuid()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, " ".join(new_uuid() for _ in range(50)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = set(pipe.read().split())
    os.waitpid(child, 0)

    assert len(theirs) == 50
    assert theirs.isdisjoint(new_uuid() for _ in range(50))
