"""The commands about populations: replay, review and demo-population."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from cards.library import Library
from cards.rule import PROFILES, Hook
from service.demo import population
from service.replay import review
from service.replay.plan import MONTHS, REPLAYED
from service.settings import Settings


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the three commands."""
    replay = commands.add_parser("replay", help="replay a population's FHIR export through the rules")
    replay.add_argument("export", type=Path, help="a folder of NDJSON (FHIR Bulk Data, plain or gzip) or of Bundles")
    replay.add_argument("--out", type=Path, required=True, help="the folder for report, tables and review sample")
    replay.add_argument("--from", dest="since", type=date.fromisoformat, metavar="DATE",
                        help=f"day of the first call (default: {MONTHS} months before the last)")  # fmt: skip
    replay.add_argument("--to", dest="until", type=date.fromisoformat, metavar="DATE",
                        help="day of the last call (default: the newest order, visit or result)")  # fmt: skip
    replay.add_argument("--hooks", type=_hooks, default=frozenset(REPLAYED), metavar="HOOK,…",
                        help=f"which calls to replay (default: {','.join(REPLAYED)})")  # fmt: skip
    replay.add_argument("--profile", choices=PROFILES, help="uk or us (default: B12_CDS_PROFILE)")
    replay.add_argument("--engine", choices=("local", "spark"), default="local", help="(default: %(default)s)")
    replay.add_argument("--workers", type=_positive, default=os.cpu_count() or 1, help="processes (default: all cores)")
    replay.add_argument("--sample", type=_positive, default=50, metavar="N",
                        help="hits, and near misses, to review of each rule (default: %(default)s)")  # fmt: skip
    replay.add_argument("--identifiers", action="store_true",
                        help="write patients' ids beside their pseudonyms: reviewers find the charts")  # fmt: skip
    judged = commands.add_parser("review", help="how far two reviewers of a replay's sample agree")
    judged.add_argument("folder", type=Path, help="the --out folder of a replay, or its review folder")
    demo = commands.add_parser("demo-population", help="write an export of made-up patients with known answers")
    demo.add_argument("count", type=_positive, metavar="N", help="how many patients")
    demo.add_argument("--out", type=Path, default=Path("demo-population"), help="the folder (default: %(default)s)")
    demo.add_argument("--profile", choices=PROFILES, help="uk or us (default: B12_CDS_PROFILE)")
    demo.add_argument("--prevalence", type=_share, default=population.PREVALENCE,
                      help="share of patients that are examples of a rule (default: %(default)s)")  # fmt: skip
    demo.add_argument("--seed", type=int, default=1, help="another number, another population (default: %(default)s)")


def answer(arguments: argparse.Namespace, settings: Settings, library: Library, today: date) -> int | None:
    """Runs the command if it is one of these; its exit status, else None."""
    if arguments.command == "replay":
        try:
            # DuckDB and rich are an extra: a server does without them.
            from service.commands.replay import replay
        except ImportError as missing:
            return failed(f"replay needs the extra of that name: {missing.name} is not installed")
        return replay(arguments, settings, library, today)
    if arguments.command == "review":
        return _review(arguments.folder)
    if arguments.command == "demo-population":
        return _demo_population(arguments, settings, library)
    return None


def _review(folder: Path) -> int:
    """Prints how far two reviewers agree; the exit status."""
    try:
        print(review.report(review.read(folder)), end="")
    except review.CannotReview as wrong:
        return failed(str(wrong))
    except OSError as unreadable:
        return failed(f"{unreadable.filename}: {unreadable.strerror}")
    return 0


def _demo_population(arguments: argparse.Namespace, settings: Settings, library: Library) -> int:
    """Writes an export with known answers; the exit status."""
    profile = arguments.profile or settings.profile
    try:
        answers = population.write(
            arguments.count, arguments.out, library, profile, arguments.prevalence, arguments.seed
        )  # fmt: skip
    except OSError as fault:
        return failed(f"{fault.filename}: {fault.strerror}")
    examples = sum(bool(answer.topic) for answer in answers)
    print(f"{len(answers):,} patients, {examples:,} of them examples of a rule: {arguments.out}")
    return 0


def failed(message: str) -> int:
    """Says what was the matter with the arguments or files; the exit status."""
    print(f"b12-cds: {message}", file=sys.stderr)
    return 2


def _hooks(text: str) -> frozenset[Hook]:
    names = text.split(",")
    if not set(names) <= {hook.value for hook in REPLAYED}:
        raise argparse.ArgumentTypeError(f"of {', '.join(REPLAYED)}, with commas between them")
    return frozenset(map(Hook, names))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("1 or more")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError("from 0 to 1")
    return number
