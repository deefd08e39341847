"""The service without identity and without a store: what these two cost is measured against it."""

from __future__ import annotations

from service.app import create_app
from service.settings import Settings

app = create_app(Settings(open=True, sandbox=False))
