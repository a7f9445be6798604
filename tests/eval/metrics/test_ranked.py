"""Rank metrics against their definitions, and against three other people's programs."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import metric_oracles
import numpy as np
import oracles
import pytest
from embeddings import crowded_rows, random_rows
from hypothesis import given
from hypothesis import strategies as st

from nearid_search.errors import ShapeError
from nearid_search.eval.metrics import (
    QueryMean,
    RelevantRanks,
    average_precision,
    inverse_negative_penalty,
    mean_over_queries,
    r_precision,
    recall_at_k,
)
from nearid_search.eval.metrics.ranked import Values
from nearid_search.eval.ranks import relevant_ranks
from nearid_search.similarity import unit_rows

GALLERY_SIZE = 12
METRICS: dict[str, tuple[Callable[[RelevantRanks], Values], Callable[[list[bool]], float]]] = {
    "recall@1": (lambda ranks: recall_at_k(ranks, 1), lambda ranking: metric_oracles.recall_at_k(ranking, 1)),
    "recall@5": (lambda ranks: recall_at_k(ranks, 5), lambda ranking: metric_oracles.recall_at_k(ranking, 5)),
    "recall@99": (lambda ranks: recall_at_k(ranks, 99), lambda ranking: metric_oracles.recall_at_k(ranking, 99)),
    "ap": (average_precision, metric_oracles.average_precision),
    "r-precision": (r_precision, metric_oracles.r_precision),
    "inp": (inverse_negative_penalty, metric_oracles.inverse_negative_penalty),
}
RANKINGS = st.lists(st.lists(st.booleans(), min_size=GALLERY_SIZE, max_size=GALLERY_SIZE), max_size=5)


def packed(rankings: list[list[bool]]) -> RelevantRanks:
    return RelevantRanks.from_lists([metric_oracles.ranks_of(ranking) for ranking in rankings], GALLERY_SIZE)


@pytest.fixture(scope="module")
def adversarial() -> list[list[bool]]:
    """Nothing right, all right, right at either end or in every other place, and at random."""
    rng = np.random.default_rng(0)
    edges = [[False] * GALLERY_SIZE, [True] * GALLERY_SIZE]
    edges += [[rank == only for rank in range(GALLERY_SIZE)] for only in (0, 1, 5, GALLERY_SIZE - 1)]
    edges += [[rank % 2 == odd for rank in range(GALLERY_SIZE)] for odd in (0, 1)]
    drawn: list[list[bool]] = (rng.random((40, GALLERY_SIZE)) < rng.random((40, 1))).tolist()
    return edges + drawn


@pytest.mark.parametrize("name", METRICS)
@given(rankings=RANKINGS)
def test_agrees_with_the_definition(name: str, rankings: list[list[bool]]) -> None:
    ours, oracle = METRICS[name]
    found = ours(packed(rankings))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.array([oracle(ranking) for ranking in rankings], np.float64))


@pytest.fixture(scope="module")
def ranx() -> Any:
    """Ranx without its just-in-time compiler, which would take half a minute for a dozen queries."""
    pytest.importorskip("numba").config.DISABLE_JIT = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # escape sequences in its source
        return pytest.importorskip("ranx")


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("recall@1", "hit_rate@1"), ("recall@5", "hit_rate@5"), ("ap", "map"), ("r-precision", "r-precision")],
)
def test_agrees_with_ranx(name: str, theirs: str, ranx: Any, adversarial: list[list[bool]]) -> None:
    """Scores are all below zero; lone queries, to which ranx gives 0, are not asked about. It sorts the names."""
    kept = [ranking for ranking in adversarial if any(ranking)]
    run = {f"{q:02}": {f"{rank}": -float(rank) for rank in range(1, GALLERY_SIZE + 1)} for q in range(len(kept))}
    right = {f"{q:02}": {f"{rank}": 1 for rank in metric_oracles.ranks_of(kept[q])} for q in range(len(kept))}
    expected = ranx.evaluate(ranx.Qrels(right), ranx.Run(run), theirs, return_mean=False)
    np.testing.assert_allclose(METRICS[name][0](packed(kept)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "theirs", "options"),
    [
        ("recall@5", "retrieval_hit_rate", {"top_k": 5}),
        ("ap", "retrieval_average_precision", {}),
        ("r-precision", "retrieval_r_precision", {}),
    ],
)
def test_agrees_with_torchmetrics(
    name: str, theirs: str, options: dict[str, int], adversarial: list[list[bool]]
) -> None:
    torch = pytest.importorskip("torch")
    retrieval = pytest.importorskip("torchmetrics.functional.retrieval")
    kept = [ranking for ranking in adversarial if any(ranking)]
    scores = torch.linspace(1, 0.1, GALLERY_SIZE)
    expected = [getattr(retrieval, theirs)(scores, torch.tensor(ranking), **options) for ranking in kept]
    np.testing.assert_allclose(METRICS[name][0](packed(kept)), np.array(expected), rtol=1e-6)


def test_average_precision_agrees_with_scikit_learn(adversarial: list[list[bool]]) -> None:
    average_precision_score = pytest.importorskip("sklearn.metrics").average_precision_score
    kept = [ranking for ranking in adversarial if any(ranking)]
    expected = [average_precision_score(ranking, -np.arange(GALLERY_SIZE)) for ranking in kept]
    np.testing.assert_allclose(average_precision(packed(kept)), expected, rtol=1e-12)


def test_the_penalty_agrees_with_scikit_learns_coverage(adversarial: list[list[bool]]) -> None:
    """Coverage is how far down one must go to have all; it, too, puts what ties with the last before it."""
    coverage_error = pytest.importorskip("sklearn.metrics").coverage_error
    kept = [ranking for ranking in adversarial if any(ranking)]
    depths = [coverage_error([ranking], [-np.arange(GALLERY_SIZE)]) for ranking in kept]
    np.testing.assert_allclose(
        inverse_negative_penalty(packed(kept)), [sum(r) / d for r, d in zip(kept, depths, strict=True)]
    )


@pytest.mark.parametrize("seed", range(4), ids=lambda seed: f"seed={seed}")
def test_ties_and_scores_below_zero_agree_with_scikit_learn(seed: int) -> None:
    """Few directions: most scores are shared. A tie lost is a score a little lower, to a program that shares ties."""
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    gallery, codes = unit_rows(rng.choice([-1.0, 1.0], size=(60, 3))), rng.integers(-1, 9, 60)
    queries, asked = unit_rows(rng.choice([-1.0, 1.0], size=(20, 3))), rng.integers(0, 9, 20)
    found = relevant_ranks(queries, asked, gallery, codes)
    precisions, penalties = average_precision(found), inverse_negative_penalty(found)
    for number, (query, code) in enumerate(zip(queries, asked, strict=True)):
        right, scores = codes == code, np.array([oracles.score(query, row) for row in gallery], np.float64)
        assert (scores < 0).any()
        # Below what ties with it, each relevant item below the one before.
        lowered = scores - 1e-6 * right * (1 + right.cumsum())
        assert precisions[number] == pytest.approx(metrics.average_precision_score(right, lowered))
        assert penalties[number] == pytest.approx(right.sum() / metrics.coverage_error([right], [scores]))


@pytest.mark.parametrize("identities", [1, 9], ids=["one identity", "many"])
def test_a_gallery_searched_with_itself_agrees_with_pytorch_metric_learning(identities: int) -> None:
    """From embeddings to means, the self-match removed and lone queries excluded by both."""
    torch = pytest.importorskip("torch")
    cosine = pytest.importorskip("pytorch_metric_learning.distances").CosineSimilarity()
    search = pytest.importorskip("pytorch_metric_learning.utils.inference").CustomKNN(cosine)
    calculator = pytest.importorskip("pytorch_metric_learning.utils.accuracy_calculator").AccuracyCalculator
    rng = np.random.default_rng(3)
    rows = random_rows(3, 60, 8)
    codes = np.append(rng.integers(0, identities, 58), [100, 101])  # the last two are alone
    theirs = calculator(
        include=("precision_at_1", "r_precision", "mean_average_precision"),
        k=59,  # all but the query itself
        knn_func=search,
    ).get_accuracy(torch.from_numpy(rows), torch.from_numpy(codes), ref_includes_query=True)
    ours = relevant_ranks(rows, codes, rows, codes, exclude=np.arange(60))
    for values, name in (
        (recall_at_k(ours, 1), "precision_at_1"),
        (r_precision(ours), "r_precision"),
        (average_precision(ours), "mean_average_precision"),
    ):
        mean, n, n_lone = mean_over_queries(values)
        assert n_lone == (codes >= 100).sum()
        assert n == 60 - n_lone
        assert mean == pytest.approx(theirs[name], rel=1e-6)


def test_equal_scores_lose_in_every_metric() -> None:
    rows = crowded_rows(1, 9)[:1].repeat(4, axis=0)
    ranks = relevant_ranks(rows[:1], np.array([0]), rows, np.array([0, 0, 1, 1]))
    assert recall_at_k(ranks, 2).tolist() == [0]
    assert average_precision(ranks).tolist() == [(1 / 3 + 2 / 4) / 2]
    assert inverse_negative_penalty(ranks).tolist() == [0.5]


def test_without_queries_or_gallery_nothing_is_counted() -> None:
    for ranks, lone in ((RelevantRanks.from_lists([], 0), 0), (RelevantRanks.from_lists([[], []], 0), 2)):
        for ours, _ in METRICS.values():
            mean, n, n_lone = mean_over_queries(ours(ranks))
            assert math.isnan(mean)
            assert (n, n_lone) == (0, lone)


def test_lone_queries_are_counted_and_excluded() -> None:
    assert mean_over_queries(np.array([1.0, np.nan, 0.0, 0.5])) == QueryMean(0.5, 3, 1)


@pytest.mark.parametrize(
    ("ranks", "offsets", "message"),
    [
        ([0], [0, 1], "within 1 and the gallery's 12 items, got 0"),
        ([13], [0, 1], "got 13"),
        ([2, 2], [0, 2], "ascend within a query without repeating, query 0"),
        ([5, 9, 3], [0, 1, 1, 3], "query 2"),
        ([1], [0], "offsets must ascend from 0 to the 1 ranks"),
        ([1], [], "offsets must ascend"),
        ([1, 2], [0, 2, 1, 2], "offsets must ascend"),
    ],
)
def test_impossible_ranks_are_refused(ranks: list[int], offsets: list[int], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        RelevantRanks(np.array(ranks, np.int64), np.array(offsets, np.int64), GALLERY_SIZE)


def test_other_arrays_are_refused() -> None:
    with pytest.raises(ShapeError, match="ranks must be one-dimensional int64"):
        RelevantRanks(np.ones(1), np.array([0, 1]), 1)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"values must be \(Q,\) float64"):
        mean_over_queries(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        recall_at_k(RelevantRanks.from_lists([[1]], 1), 0)
