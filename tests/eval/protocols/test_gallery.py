"""The gallery protocol: what stands in the index, what is left out of it, and the figures of a case done by hand."""

import numpy as np
import oracles
import pytest
from placed_samples import at_angles, place, random_split

from nearid_search.eval.protocols.gallery import evaluate_gallery, index_of, nearest_others, with_fillers
from nearid_search.similarity import unit_rows

#                       0   1   2   3   4    5   6
EMBEDDINGS = at_angles(0, 20, 10, 90, 94, 130, 45)
SPLIT = place({"cup": [(0, {"flux": 2}), (1, {"flux": 2})], "jug": [(3, {}), (4, {"flux": 5})], "pan": [(6, {})]})


def test_the_index_holds_every_view_and_every_distractor_once() -> None:
    index = index_of(SPLIT)
    assert index.rows.tolist() == [0, 1, 3, 4, 6, 2, 5]
    assert index.codes.tolist() == [0, 0, 1, 1, 2, -1, -1]


def test_figures_are_those_worked_out_by_hand() -> None:
    result = evaluate_gallery(SPLIT, EMBEDDINGS)
    # The distractor of both views of cup comes before the other view; jug is found at once; pan has no other view.
    assert {name: figure.value for name, figure in result.figures.items()} == {
        "recall@1": 0.5,
        "recall@5": 1,
        "recall@10": 1,
        "map": 0.75,
        "minp": 0.75,
        "r_precision": 0.5,
    }
    assert {figure.n for figure in result.figures.values()} == {4}
    assert (result.n_lone, result.n_distractors, result.n_fillers, result.n_indexed) == (1, 2, 0, 7)
    assert result.values["recall@1"].tolist()[:4] == [0, 0, 1, 1]
    assert result.as_dict()["n_lone"] == 1


def test_a_distractor_equal_to_the_answer_comes_first() -> None:
    split = place({"cup": [(0, {"flux": 2}), (1, {})]})
    assert evaluate_gallery(split, at_angles(0, 20, -20)).values["recall@1"].tolist() == [0, 1]


def test_another_identitys_view_as_distractor_stands_once_and_as_itself() -> None:
    split = place({"cup": [(0, {"look-alike": 2}), (1, {})], "jug": [(2, {}), (3, {})]})
    index = index_of(split)
    assert index.rows.tolist() == [0, 1, 2, 3]
    assert index.codes.tolist() == [0, 0, 1, 1]


def test_a_slice_has_the_same_index() -> None:
    result = evaluate_gallery(SPLIT, EMBEDDINGS)
    assert result.slice(result.codes == 0)["recall@1"].value == 0
    assert result.slice(result.codes == 1)["map"].value == 1
    assert result.slice(result.codes == 2)["map"].reason.startswith("no identity has two views")


def test_a_split_of_single_views_says_why_it_has_no_figures() -> None:
    result = evaluate_gallery(place({"cup": [(0, {})], "jug": [(1, {})]}), EMBEDDINGS)
    assert result.figures["recall@1"].as_dict()["value"] is None
    assert "no query has an answer" in result.figures["map"].reason
    assert result.n_lone == 2


def test_fillers_dilute_step_by_step() -> None:
    rng = np.random.default_rng(0)
    embeddings = np.concatenate([EMBEDDINGS, unit_rows(rng.normal(size=(200, 2)))])
    found = with_fillers(SPLIT, embeddings, np.arange(7, 207))
    assert {name: result.n_fillers for name, result in found.items()} == {"1x": 7, "10x": 70, "all": 200}
    assert {result.n_indexed for result in found.values()} == {14, 77, 207}
    worse = [found[name].figures["map"].value for name in ("1x", "10x", "all")]
    assert worse == sorted(worse, reverse=True)
    assert worse[-1] < 0.5
    assert with_fillers(SPLIT, embeddings, np.zeros(0, np.int64)) == {}


@pytest.mark.parametrize("seed", range(5), ids=lambda seed: f"seed={seed}")
def test_figures_follow_the_definitions(seed: int) -> None:
    split, embeddings = random_split(seed, count=12)
    owner = dict.fromkeys(split.distractor_rows.tolist(), -1)
    owner |= dict(zip(split.view_rows.tolist(), split.view_codes.tolist(), strict=True))
    result = evaluate_gallery(split, embeddings)
    for place_of, query in enumerate(split.view_rows.tolist()):
        scored = [
            (-float(oracles.score(embeddings[query], embeddings[row])), code == owner[query], code == owner[query])
            for row, code in owner.items()
            if row != query
        ]
        ranks = [rank for rank, (_, _, right) in enumerate(sorted(scored), start=1) if right]
        if not ranks:
            assert np.isnan(result.values["map"][place_of])
            continue
        assert result.values["recall@5"][place_of] == (min(ranks) <= 5)
        assert result.values["map"][place_of] == pytest.approx(np.mean([j / r for j, r in enumerate(ranks, start=1)]))
        assert result.values["minp"][place_of] == pytest.approx(len(ranks) / max(ranks))
        assert result.values["r_precision"][place_of] == pytest.approx(np.mean([r <= len(ranks) for r in ranks]))


def test_the_nearest_other_is_the_best_of_all_that_is_not_of_the_identity() -> None:
    nearest = nearest_others(SPLIT, EMBEDDINGS)
    assert nearest.rows.tolist() == [2, 2, 5, 5, 1]
    assert nearest.answers.tolist() == [1, 0, 4, 3, -1]
    assert nearest.scores[0] == pytest.approx(np.cos(np.radians(10)))
    assert nearest.answer_scores[0] == pytest.approx(np.cos(np.radians(20)))
    assert np.isnan(nearest.answer_scores[4])
    alone = nearest_others(place({"cup": [(0, {}), (1, {})]}), EMBEDDINGS)
    assert (alone.rows.tolist(), alone.scores.tolist()) == ([-1, -1], [-np.inf, -np.inf])
