"""The review: a sample that is the same however the work was split, judged blindly, with the agreement of two."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cards.library import load
from service.replay import review
from service.replay.review import CannotReview, Judgement, agreement, cohens_kappa
from service.replay.sample import EXCLUDED, HIT, OUTCOMES, SILENT, Row, Sample, merged

YES, NO = True, False
RULE = "folate-before-b12"
PATIENTS = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(1, 400)]


def rows_of(patients: list[str], size: int = 20) -> list[Row]:
    sample = Sample(size)
    for number, patient in enumerate(patients):
        place = {"day": "2026-02-10", "hook": "order-sign", "ordered": "folic acid", "why": "reason"}
        outcome = OUTCOMES[int(patient, 16) % 3]
        sample.offer(RULE, outcome, patient, lambda place=place: dict(place))  # type: ignore[misc]
        assert number < len(PATIENTS)
    return list(sample.rows())


def test_the_sample_is_the_same_however_the_patients_are_split() -> None:
    whole = rows_of(PATIENTS)
    parts = [*rows_of(PATIENTS[:50]), *rows_of(PATIENTS[50:333]), *rows_of(PATIENTS[333:])]

    assert merged(parts, 20) == whole
    assert [row["outcome"] for row in whole].count(HIT) == 20


def test_the_sample_is_no_more_likely_to_hold_the_first_patients() -> None:
    places = [PATIENTS.index(row["patient"]) for row in rows_of(PATIENTS)]

    assert len(places) == 60
    assert 0.3 < sum(places) / len(places) / len(PATIENTS) < 0.7


def test_one_patient_stands_in_a_sample_once() -> None:
    sample = Sample(5)
    for day in ("2026-02-10", "2026-03-10"):
        sample.offer(RULE, HIT, PATIENTS[0], lambda day=day: {"day": day})  # type: ignore[misc]

    assert [row["day"] for row in sample.rows()] == ["2026-02-10"]


# --- kappa -------------------------------------------------------------------------------------------------------


def test_kappa_of_a_worked_example() -> None:
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed 0.70, by chance 0.50.
    pairs = [(YES, YES)] * 20 + [(YES, NO)] * 5 + [(NO, YES)] * 10 + [(NO, NO)] * 15

    assert cohens_kappa(pairs) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [
        ([(YES, YES), (NO, NO)], 1),
        ([(YES, NO), (NO, YES)], -1),
        ([(YES, YES), (YES, NO), (NO, YES), (NO, NO)], 0),
        ([(YES, YES), (YES, YES)], None),
        ([], None),
    ],
)
def test_kappa_is_one_for_agreement_zero_for_chance_and_undefined_without_variety(
    pairs: list[tuple[bool, bool]], kappa: float | None
) -> None:
    assert cohens_kappa(pairs) == kappa


def test_what_only_one_reviewer_judged_does_not_count() -> None:
    judged = [Judgement(RULE, YES, YES, YES), Judgement(RULE, YES, YES, None), Judgement(RULE, NO, NO, NO)]

    found = agreement(judged)

    assert (found.judged, found.agreed, found.right, found.shown_agreed, found.missed) == (2, 2, 1, 1, 0)


# --- worksheets --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A review of 10 hits and 10 near misses."""
    assert review.write(tmp_path / "review", rows_of(PATIENTS), 10, load(), {}) == 20
    return tmp_path


def sheet(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "review" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_worksheet_does_not_tell_what_the_rule_did(folder: Path) -> None:
    to_judge, answers = sheet(folder, review.WORKSHEET), sheet(folder, review.ANSWERS)

    assert set(to_judge[0]) == {
        "item", "topic", "rule", "patient", "day", "when", "ordered", "reviewer_1", "reviewer_2", "comment",
    }  # fmt: skip
    # Neither by a word nor by the order.
    assert {answer["shown"] for answer in answers[:8]} == {"yes", "no"}
    assert [answer["shown"] for answer in answers].count("yes") == 10


def test_half_of_the_near_misses_were_excluded_for_a_reason(folder: Path) -> None:
    shown = {row["patient"]: row["outcome"] for row in rows_of(PATIENTS)}
    outcomes = [shown[row["patient"]] for row in sheet(folder, review.WORKSHEET)]

    assert [outcomes.count(outcome) for outcome in (HIT, EXCLUDED, SILENT)] == [10, 5, 5]


def fill(folder: Path, first: str, second: str) -> None:
    rows = sheet(folder, review.WORKSHEET)
    with (folder / "review" / review.WORKSHEET).open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "reviewer_1": first, "reviewer_2": second} for row in rows)


def test_a_filled_worksheet_becomes_kappa_and_shares(folder: Path) -> None:
    fill(folder, "Yes", " y ")

    for place in (folder, folder / "review"):
        report = review.report(review.read(place))

        lines = [line.split("  ") for line in report.splitlines()]
        assert lines[0][0] == "rule"
        assert "not defined" in report
        assert "10 of 10 (100%)" in report.splitlines()[1]
        assert report.splitlines()[-1].startswith("all rules")


def test_an_unfilled_worksheet_is_told_as_such(folder: Path) -> None:
    assert "none judged" in review.report(review.read(folder))


def test_a_verdict_that_is_neither_yes_nor_no_is_named_by_row(folder: Path) -> None:
    fill(folder, "perhaps", "yes")

    with pytest.raises(CannotReview, match="row 2: 'perhaps' is neither yes nor no"):
        review.read(folder)


def test_a_worksheet_without_its_columns_is_refused(folder: Path) -> None:
    (folder / "review" / review.WORKSHEET).write_text("item,reviewer_1\n1,yes\n", "utf-8")

    with pytest.raises(CannotReview, match="no column reviewer_2"):
        review.read(folder)
