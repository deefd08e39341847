"""The folder in which several processes count together, and what killed processes have left of theirs.

Whoever counts in a folder holds a lock on it, which ends with the process, however that ends. A process id in its name
would not tell: in a container every start has the same one, and workers outlive a parent that was killed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from service.operations.metrics import FOLDER_VARIABLE

_PREFIX = "b12-cds-metrics-"


@contextmanager
def together() -> Iterator[None]:
    """A folder for as long as the processes run, unless the environment names one already."""
    if FOLDER_VARIABLE in os.environ:
        yield
        return
    clear_leftovers(Path(gettempdir()))
    with TemporaryDirectory(prefix=_PREFIX) as folder:
        os.environ[FOLDER_VARIABLE] = folder
        hold()
        yield


def hold() -> None:
    """Keeps the folder, if there is one, from being cleared for as long as this process lives."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        return
    # A file system without locks lets nobody clear the folder either.
    with suppress(OSError):
        _lock(os.open(folder, os.O_RDONLY), shared=True)


def clear_leftovers(place: Path) -> None:
    """Deletes the folders of `place` in which no living process counts; what cannot be deleted stays."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            _clear(folder)


def _clear(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        _lock(handle, shared=False)
        # An empty one may have been made a moment ago, by a process that is about to lock it.
        if any(folder.iterdir()):
            shutil.rmtree(folder)
    finally:
        os.close(handle)


def _lock(handle: int, *, shared: bool) -> None:
    """Raises `OSError` where another process holds a lock that does not allow this one."""
    # Not there on every system; a single process does without.
    import fcntl

    # Who looks for leftovers holds a lock for a moment only, so it is waited for; who lives holds it for long.
    fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
