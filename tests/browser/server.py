"""The real service on a port of its own, and the browser that looks at it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, sync_playwright

from service.app import create_app
from service.settings import Settings
from service.store.configured import opened

CHROMIUM = Path("/usr/bin/chromium")
TODAY = date(2026, 11, 25)
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of an open service that keeps its store in `folder`; it runs in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    settings = Settings(open=True, data_dir=folder)
    app = create_app(settings, today=lambda: TODAY, ledger=opened(settings))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    # A connection waits in the listener's queue until the server takes it: nobody needs to wait for the start here.
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)
    listener.close()


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield running
        running.close()
