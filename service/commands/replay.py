"""b12-cds replay, with a bar that says how far it is."""

from __future__ import annotations

import argparse
import sys
from datetime import date

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cards.library import Library
from service.commands.population import failed
from service.replay import run
from service.replay.export import NoExport
from service.settings import Settings

INTERRUPTED = 130


def replay(arguments: argparse.Namespace, settings: Settings, library: Library, today: date) -> int:
    """Replays, and says where the report is; the exit status."""
    profile = arguments.profile or settings.profile
    zone = settings.model_copy(update={"profile": profile}).zone
    secret = settings.pseudonym_key
    wish = run.Wish(
        export=arguments.export,
        out=arguments.out,
        profile=profile,
        thresholds=settings.thresholds,
        zone=zone,
        since=arguments.since,
        until=arguments.until,
        hooks=arguments.hooks,
        engine=arguments.engine,
        workers=arguments.workers,
        sample=arguments.sample,
        identifiers=arguments.identifiers,
        data_dir=settings.data_dir,
        secret=secret.get_secret_value() if secret else None,
    )
    console = Console(stderr=True)
    try:
        with _bar(console) as progress:
            outcome = run.run(wish, library, today, _Shown(progress))
    except NoExport as nothing:
        return failed(str(nothing))
    except ImportError as missing:
        return failed(f"--engine {wish.engine} needs the extra of that name: {missing.name} is not installed")
    except OSError as fault:
        return failed(f"{fault.filename or wish.out}: {fault.strerror}")
    except KeyboardInterrupt:
        print("\nb12-cds: stopped. What is finished is kept: the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    print(f"{outcome.patients:,} patients replayed. {outcome.report}")
    if outcome.problems:
        print(f"{outcome.problems:,} problems: {wish.out / 'problems.csv'}")
    return 0


class _Shown(run.Listener):
    """A replay on a progress bar."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def grouping(self, files: int, size: int) -> None:
        self._step(f"Grouping {files} files ({size / 1e6:,.0f} MB) by patient", None)

    def replaying(self, patients: int) -> None:
        self._step("Replaying", patients)

    def replayed(self, patients: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=patients)

    def counting(self) -> None:
        self._step("Counting and writing the report", None)

    def _step(self, name: str, total: int | None) -> None:
        if self._task is not None:
            self._progress.update(self._task, total=1, completed=1, visible=False)
        self._task = self._progress.add_task(name, total=total)


class _Rate(ProgressColumn):
    """Patients per second."""

    def render(self, task: Task) -> Text:
        """Nothing until there is a rate."""
        return Text(f"{task.speed:,.0f}/s" if task.speed and task.total else "")


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )
