"""What the plots draw is what was measured."""

import numpy as np
import pytest
from made_reports import made_report
from placed_samples import at_angles, place, random_split

from nearid_search.eval.eval_report import EvalReport
from nearid_search.eval.metrics import fnir_at_fpir
from nearid_search.eval.report.plots import margin_charts, open_set_charts, recall_chart
from nearid_search.similarity import unit_rows


@pytest.fixture(scope="module")
def report() -> EvalReport:
    """80 identities of one to three views, found more often by the head."""
    placed, frozen = random_split(3, count=80, dim=8)
    rng = np.random.default_rng(0)
    head = 0.6 * rng.standard_normal(frozen.shape)
    head[placed.view_rows] += rng.standard_normal((len(placed.samples), 8))[placed.view_codes]
    return made_report(placed, {"head": unit_rows(head), "frozen": frozen})


def test_a_histogram_holds_every_margin_once_and_0_among_the_lost() -> None:
    # The other view and the distractor are equally far from the first view, so its margin is exactly 0.
    placed = place({"cup": [(0, {"flux": 2}), (1, {"flux": 3})], "jug": [(4, {"flux": 6}), (5, {})]})
    vectors = at_angles(0, 30, 330, 80, 100, 101, 140)
    vectors[2] = vectors[1] * [1, -1]
    margins = made_report(placed, {"frozen": vectors}).readouts["frozen"].pairs.margins.margins
    present = margins[~np.isnan(margins)]
    assert (present == 0).sum() == 1
    (chart,) = margin_charts(made_report(placed, {"frozen": vectors}))
    (line,) = chart.lines
    starts, shares = line.x[::2], line.y[::2]
    assert shares.sum() == pytest.approx(1)
    assert shares[starts < -1e-9].sum() == pytest.approx((present <= 0).mean())
    assert (shares[0], shares[-1]) == (0, 0)
    assert f"{100 * (present > 0).mean():.1f} % of 3 above 0" in chart.description


def test_there_is_a_histogram_of_all_margins_and_of_each_source(report: EvalReport) -> None:
    charts = margin_charts(report)
    assert [chart.title for chart in charts] == ["All sources", "recolour", "sibling"]
    found = report.readouts["head"].pairs.margins
    for chart, source in zip(charts[1:], ("recolour", "sibling"), strict=True):
        margins = found.margins[found.sources == source]
        assert f"of {(~np.isnan(margins)).sum():,} above 0" in chart.description
        assert chart.series == ("frozen", "head")


def test_the_recall_curve_is_that_of_sorting_everything(report: EvalReport) -> None:
    placed, vectors = report.embedded.placed, report.embedded.embeddings["head"].astype(np.float64)
    rows = [*placed.view_rows.tolist(), *placed.distractor_rows.tolist()]
    owner = dict(zip(placed.view_rows.tolist(), placed.view_codes.tolist(), strict=True))
    ranks = []
    for row, code in owner.items():
        others = sorted(
            (other for other in rows if other != row), key=lambda other: -float(vectors[row] @ vectors[other])
        )
        ranks += [rank for rank, other in enumerate(others, start=1) if owner.get(other) == code][:1]
    chart = recall_chart(report)
    assert chart is not None
    (line,) = (line for line in chart.lines if line.series == "head")
    assert line.x.tolist() == list(range(1, 51))
    assert line.y == pytest.approx([np.mean(np.array(ranks) <= k) for k in range(1, 51)])
    assert {(mark.x, mark.y) for mark in chart.marks if mark.series == "head"} == {
        (k, report.readouts["head"].figures[f"recall@{k}"].value) for k in (1, 5, 10)
    }


@pytest.mark.parametrize("number", [0, 1])
def test_the_open_set_figures_lie_on_the_curves(report: EvalReport, number: int) -> None:
    chart = open_set_charts(report)[number]
    assert [guide.x for guide in chart.guides] == [0.01, 0.001]
    assert len(chart.marks) >= 2
    for mark in chart.marks:
        (line,) = (line for line in chart.lines if line.series == mark.series)
        last = np.flatnonzero(line.x <= mark.x)[-1]
        assert line.y[last] == pytest.approx(mark.y)
        assert (np.diff(line.x) >= 0).all()


def test_between_its_points_the_curve_is_what_the_metric_gives_at_that_rate(report: EvalReport) -> None:
    trials = report.readouts["head"].open_set.trials
    own, strange = trials.scores[trials.mated], trials.scores[~trials.mated]
    (line,) = (line for line in open_set_charts(report)[1].lines if line.series == "head")
    for rate in np.linspace(0.003, 1, 40):
        expected = fnir_at_fpir(own, trials.right[trials.mated], strange, float(rate))
        assert line.y[np.flatnonzero(line.x <= rate)[-1]] == pytest.approx(expected.value)
