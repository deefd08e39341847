"""The command line beside serving: the index of the rules, and the explanation of one request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cards.library import load
from service.commands.rules import index, markdown

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "real_requests" / "example-order-sign.json"


def b12_cds(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What the command prints and how it ends."""
    return subprocess.run([sys.executable, "-m", "service", *arguments], capture_output=True, text=True, check=False)


def test_the_index_names_every_rule_with_its_review_and_its_vignettes() -> None:
    rows = index(load())

    assert {row.topic for row in rows} == set(load().folders)
    assert all(row.review == "awaiting clinical sign-off" and row.due > "2027" for row in rows)
    assert all(row.vignettes.endswith("show a card") for row in rows)
    assert b12_cds("rules").stdout.count("\n") == len(rows) + 1


def test_the_index_in_the_readme_of_the_cards_is_fresh() -> None:
    assert markdown(index(load())) in (ROOT / "cards" / "README.md").read_text()


def test_a_request_is_explained_rule_by_rule() -> None:
    said = b12_cds("explain", str(EXAMPLE), "--date", "2026-11-23").stdout

    assert "problem: pernicious anaemia" in said
    assert "result: serum B12 96 ng/L, 2026-02-26" in said
    assert "B12 status: deficient" in said
    assert "CRITICAL folate-before-b12: Folic acid 5 mg" in said
    # What a rule said of the patient is told in our own words: no identifier of the request is repeated.
    assert "pat-1" not in said
    assert "request-123" not in said


def test_what_was_missing_is_explained(tmp_path: Path) -> None:
    request = json.loads(EXAMPLE.read_text())
    request["prefetch"]["labs"] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    request["prefetch"]["problems"] = None
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request))

    said = b12_cds("explain", str(file), "--date", "2026-11-23").stdout

    assert "labs: the query failed" in said
    assert "draft 1: laboratory results: could not be retrieved" in said


def test_a_file_that_is_no_request_is_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text("{")
    absent = tmp_path / "absent.json"

    for path in (file, absent):
        ended = b12_cds("explain", str(path))
        assert ended.returncode != 0
        assert ended.stderr.startswith(f"b12-cds: {path}: ")
        assert "Traceback" not in ended.stderr
