"""The commands: from made-up patients to a report, and what is said when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def b12_cds(*arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command, as in a shell."""
    command = [sys.executable, "-m", "service", *map(str, arguments)]
    environment = {**os.environ, **settings}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_from_made_up_patients_to_a_report_and_its_review(tmp_path: Path) -> None:
    made = b12_cds("demo-population", 20, "--out", tmp_path / "export", "--prevalence", 1)
    replayed = b12_cds("replay", tmp_path / "export", "--out", tmp_path / "out", "--from", "2026-10-01", "--workers", 1)
    reviewed = b12_cds("review", tmp_path / "out")

    assert made.stdout == f"20 patients, 20 of them examples of a rule: {tmp_path / 'export'}\n"
    assert replayed.stdout == f"20 patients replayed. {tmp_path / 'out' / 'report.html'}\n"
    assert (made.returncode, replayed.returncode, reviewed.returncode) == (0, 0, 0)
    assert reviewed.stdout.splitlines()[-1].startswith("all rules")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["replay", "nowhere", "--out", "out"], "nowhere is not a folder"),
        (["replay", ".", "--out", "out", "--hooks", "order-select"], "of patient-view, order-sign"),
        (["replay", ".", "--out", "out", "--workers", "0"], "1 or more"),
        (["demo-population", "5", "--prevalence", "2"], "from 0 to 1"),
        (["review", "nowhere"], "nowhere"),
    ],
)
def test_wrong_arguments_end_with_status_2_and_say_what_fits(arguments: list[str], message: str) -> None:
    refused = b12_cds(*arguments)

    assert refused.returncode == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_server_starts_without_what_only_a_replay_needs() -> None:
    asked = "import sys, service.__main__; print(sorted({'duckdb', 'pyspark'} & set(sys.modules)))"

    found = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
