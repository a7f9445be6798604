"""The pairs protocol on embeddings whose answer can be worked out by hand."""

import numpy as np
import pytest
from placed_samples import at_angles, place, random_split

from nearid_search.eval.metrics import score_margins
from nearid_search.eval.protocols.pairs import evaluate_pairs, pair_margins, sample_values

#                       0   1   2   3   4    5   6   7
EMBEDDINGS = at_angles(0, 20, 40, 10, 90, 120, 60, 110)
SPLIT = place(
    {
        "cup": [(0, {"flux": 2, "sdxl": 3}), (1, {"flux": 6})],  # flux 40 and 40 away, sdxl 10 away: views are 20 apart
        "jug": [(4, {"flux": 7}), (5, {})],  # flux 20 away, views 30 apart
        "pan": [(6, {"flux": 0})],  # no other view
    },
    categories={"cup": "kitchen", "jug": "kitchen"},
)


def test_figures_are_those_worked_out_by_hand() -> None:
    result = evaluate_pairs(SPLIT, EMBEDDINGS)
    pooled = result.pooled
    # cup with flux wins 2 of 2, cup with sdxl loses 1 of 1, jug with flux loses 1 of 1; pan has no margin.
    assert (pooled.ssr.value, pooled.ssr.n) == (1 / 3, 3)
    assert (pooled.pa.value, pooled.pa.n) == (0.5, 4)
    assert (pooled.pa_reference.value, pooled.pa_reference.n) == (3 / 7, 7)
    assert (pooled.ssr_mean.value, pooled.ssr_mean.n) == (1 / 3, 3)
    assert (pooled.n_dropped, result.n_unpaired) == (1, 1)
    assert pooled.ssr.n_clusters == 2


def test_figures_are_given_by_source_category_and_number_of_views() -> None:
    result = evaluate_pairs(SPLIT, EMBEDDINGS)
    assert {name: (each.ssr.value, each.ssr.n) for name, each in result.per_source.items()} == {
        "flux": (0.5, 2),
        "sdxl": (0, 1),
    }
    assert set(result.per_category) == {"kitchen", "unknown"}
    assert result.per_category["kitchen"].pa.value == 0.5
    assert result.per_views["2"].ssr.n == 3
    lonely = result.per_views["1"]
    assert lonely.n_dropped == 1
    assert lonely.ssr.as_dict()["value"] is None
    assert lonely.ssr.reason == "no identity has both two views and a distractor"
    assert result.per_source["sdxl"].ssr.reason.startswith("one identity")


def test_a_tie_loses() -> None:
    split = place({"cup": [(0, {"flux": 2}), (1, {})]})
    assert evaluate_pairs(split, at_angles(0, 30, -30)).pooled.ssr.value == 0


def test_margins_say_which_pictures_they_compare() -> None:
    found = pair_margins(SPLIT.rows, EMBEDDINGS)
    assert found.samples.tolist() == [0, 0, 1, 2]
    assert found.sources.tolist() == ["flux", "sdxl", "flux", "flux"]
    assert found.triples[0].tolist() == [[0, 1, 2], [1, 0, 6]]
    assert found.triples[1].tolist() == [[0, 1, 3], [-1, -1, -1]]
    cosines = np.cos(np.radians([20, 40]))
    assert found.margins[0] == pytest.approx([cosines[0] - cosines[1]] * 2, abs=1e-6)


def test_two_views_have_two_margins_a_source_and_three_have_six() -> None:
    split = place({"two": [(0, {"flux": 3}), (1, {"flux": 4})], "three": [(row, {"flux": 5}) for row in (0, 1, 2)]})
    counts = (~np.isnan(pair_margins(split.rows, EMBEDDINGS).margins)).sum(axis=1)
    assert counts.tolist() == [2, 6]


def test_without_distractors_ssr_is_refused_with_the_reason() -> None:
    result = evaluate_pairs(place({"cup": [(0, {}), (1, {})]}), EMBEDDINGS)
    assert result.pooled.as_dict()["ssr"]["value"] is None
    assert result.pooled.ssr.reason == "the split has no distractors, and SSR and PA compare views with distractors"
    assert (result.n_unpaired, result.per_source) == (1, {})


@pytest.mark.parametrize("seed", range(5), ids=lambda seed: f"seed={seed}")
def test_sums_over_samples_are_the_metrics(seed: int) -> None:
    split, embeddings = random_split(seed, count=20)
    margins = pair_margins(split.rows, embeddings).margins
    scores = score_margins(margins)
    for name, (values, weights) in sample_values(margins).items():
        counted = ~np.isnan(values)
        mean = np.average(values[counted], weights=weights[counted])
        assert mean == pytest.approx(getattr(scores, name)), name
