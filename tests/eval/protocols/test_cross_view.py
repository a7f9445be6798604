"""Cross-view recall on angles whose differences are known."""

from itertools import pairwise

import numpy as np
from placed_samples import Views, at_angles, place

from nearid_search.eval.protocols.cross_view import evaluate_cross_view
from nearid_search.eval.protocols.gallery import nearest_others

EMBEDDINGS = at_angles(0, 10, 60, 90, 30)
VIEWS: dict[str, Views] = {"cup": [(0, {"flux": 4}), (1, {}), (2, {})], "jug": [(3, {})]}


def test_a_pair_is_won_if_the_view_alone_would_be_found() -> None:
    split = place(VIEWS, attributes={0: {"yaw": 355}, 1: {"yaw": 5}, 2: {"yaw": 85}, 3: {"yaw": 0}})
    result = evaluate_cross_view(split, EMBEDDINGS, nearest_others(split, EMBEDDINGS))["yaw"]
    # 355 and 5 are 10 apart: found both ways. The third view is 80 and 90 away and nearer to others, as is it to them.
    assert [(each.low, each.high, each.recall.value, each.recall.n) for each in result.bins] == [
        (10, 10, 1, 2),
        (80, 80, 0, 2),
        (90, 90, 0, 2),
    ]
    assert result.n_dropped == 0
    assert result.as_dict()["bins"][0]["recall@1"]["value"] == 1


def test_other_columns_differ_by_subtraction_and_gaps_are_counted() -> None:
    split = place(VIEWS, attributes={0: {"light": 350}, 1: {"light": 10}})
    result = evaluate_cross_view(split, EMBEDDINGS, nearest_others(split, EMBEDDINGS))["light"]
    assert [(each.low, each.high) for each in result.bins] == [(340, 340)]
    assert result.n_dropped == 4


def test_a_tie_loses() -> None:
    split = place({"cup": [(0, {"flux": 2}), (1, {})]}, attributes={0: {"yaw": 0}, 1: {"yaw": 20}})
    embeddings = at_angles(0, 20, -20)
    (only,) = evaluate_cross_view(split, embeddings, nearest_others(split, embeddings))["yaw"].bins
    assert (only.recall.value, only.recall.n) == (0.5, 2)


def test_many_differences_make_four_bins_of_about_as_many_pairs() -> None:
    rng = np.random.default_rng(0)
    split = place(
        {str(n): [(2 * n, {}), (2 * n + 1, {})] for n in range(40)},
        attributes={row: {"light": float(rng.random())} for row in range(80)},
    )
    embeddings = at_angles(*rng.uniform(0, 360, size=80))
    bins = evaluate_cross_view(split, embeddings, nearest_others(split, embeddings))["light"].bins
    assert [each.recall.n for each in bins] == [20, 20, 20, 20]
    assert all(one.high < other.low for one, other in pairwise(bins))


def test_a_dataset_without_columns_has_no_result() -> None:
    split = place(VIEWS)
    assert evaluate_cross_view(split, EMBEDDINGS, nearest_others(split, EMBEDDINGS)) == {}
