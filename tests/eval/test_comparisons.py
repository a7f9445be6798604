"""Rows of the table of baselines: which may be ranked against each other."""

from dataclasses import replace

import pytest
from made_reports import made_report
from placed_samples import Views, at_angles, place

from nearid_search.eval.comparisons import make_baselines
from nearid_search.eval.eval_report import EvalReport
from nearid_search.eval.evaluate import EvalOptions, judge_readout
from nearid_search.eval.intervals import Sampling

#                       whole picture: 0 1 2 | 3 4 | 5 6   foreground alone: 7 8 9 | 10 11 | 12 13
EMBEDDINGS = at_angles(0, 20, 10, 90, 91, 200, 210, 0, 20, 60, 90, 91, 200, 210)
FULL: dict[str, Views] = {"cup": [(0, {"flux": 2}), (1, {})], "jug": [(3, {}), (4, {})], "pan": [(5, {"flux": 6})]}
MASKED: dict[str, Views] = {
    "cup": [(7, {"flux": 9}), (8, {})],
    "jug": [(10, {}), (11, {})],
    "pan": [(12, {"flux": 13})],
}


def report_with(masked: dict[str, Views], full: dict[str, Views]) -> EvalReport:
    report = made_report(place(FULL), {"frozen": EMBEDDINGS, "mean token": EMBEDDINGS})
    embedded = replace(report.embedded, masked=place(masked), unmasked=place(full))
    readouts = {"frozen": judge_readout(embedded, "frozen", "frozen", EvalOptions(resamples=5))}
    rows = make_baselines(embedded, readouts, Sampling(resamples=5, seed=0))
    return replace(report, embedded=embedded, readouts=readouts, baselines=rows)


def test_a_row_with_every_picture_is_comparable() -> None:
    report = report_with(MASKED, FULL)
    assert [row.label for row in report.baselines] == ["frozen", "frozen + mask", "mean token"]
    assert report.star == ""


@pytest.mark.parametrize(("kept", "lost"), [([], 2), ([(12, {})], 1)], ids=["lone view", "its distractor"])
def test_a_row_with_the_same_n_and_an_easier_gallery_is_not(kept: Views, lost: int) -> None:
    """What a lone view brings is in no n, and in the gallery of everything else."""
    full: Views = [(5, {}) for _ in kept]
    report = report_with({**MASKED, "pan": kept}, {**FULL, "pan": full})
    first, masked, _ = report.baselines
    assert {name: figure.n for name, figure in masked.figures.items()} == {
        name: figure.n for name, figure in first.figures.items()
    }
    assert (masked.comparable, masked.n_left_out, masked.label) == (False, lost, "frozen + mask *")
    assert report.star.startswith(f"* leaves out {lost} pictures that have no mask")


def test_what_is_in_no_figure_is_counted_and_nothing_else_is_named() -> None:
    report = report_with({}, {})
    assert report.left_out == {"samples without a margin, in no SSR or PA": 1} | {
        "identities without a margin, for want of a second view or of distractors": 2,
        "views that are their identity's only one, in no recall or mAP": 1,
    }
    whole = place({"cup": [(0, {"flux": 2}), (1, {})], "jug": [(3, {"flux": 5}), (4, {})]})
    assert made_report(whole, {"frozen": EMBEDDINGS}).left_out_line == ""
