"""What every test shares."""

from __future__ import annotations

import os

import pytest

# What a developer keeps in the data directory is no part of any test.
os.environ["B12_CDS_DATA_DIR"] = os.devnull


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the service does."""
    return "asyncio"
