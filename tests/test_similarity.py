"""Exact search against the slow version in oracles.py, and the checks around it."""

import numpy as np
import oracles
import pytest
from embeddings import crowded_rows, random_rows
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.similarity import (
    Embeddings,
    check_embeddings,
    pair_scores,
    rounding_slack,
    row_scores,
    top_k,
    unit_rows,
)


def assert_agrees(queries: Embeddings, gallery: Embeddings, *, k: int, chunk_rows: int = 16_384) -> None:
    scores, rows = top_k(queries, gallery, k=k, chunk_rows=chunk_rows)
    assert scores.dtype == np.float32
    assert rows.dtype == np.int64
    assert (scores.tolist(), rows.tolist()) == oracles.top_k(queries, gallery, k=k)


seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, gallery_size=st.integers(1, 60), k=st.integers(1, 70), chunk_rows=st.integers(1, 70))
def test_agrees_with_the_slow_version(seed: int, gallery_size: int, k: int, chunk_rows: int) -> None:
    assert_agrees(random_rows(seed, 3), random_rows(seed ^ 1, gallery_size), k=k, chunk_rows=chunk_rows)


@given(seed=seeds, k=st.integers(1, 40), chunk_rows=st.integers(1, 50))
def test_near_ties_and_duplicates_are_ordered_exactly(seed: int, k: int, chunk_rows: int) -> None:
    gallery = crowded_rows(seed, 40)
    assert_agrees(gallery[:2], gallery, k=k, chunk_rows=chunk_rows)


@pytest.mark.parametrize("chunk_rows", [1, 7, 64, 299, 300, 1000])
def test_chunk_size_changes_no_bit(chunk_rows: int) -> None:
    gallery = crowded_rows(3, 300)
    whole, chunked = top_k(gallery[:5], gallery, k=20), top_k(gallery[:5], gallery, k=20, chunk_rows=chunk_rows)
    assert whole[0].tobytes() == chunked[0].tobytes()
    assert whole[1].tobytes() == chunked[1].tobytes()


def test_a_query_scores_the_same_alone_and_in_company() -> None:
    queries, gallery = random_rows(1, 40, 384), crowded_rows(2, 200, 384)
    together = top_k(queries, gallery, k=9)
    for number in range(len(queries)):
        alone = top_k(queries[number : number + 1], gallery, k=9)
        assert alone[0].tobytes() == together[0][number].tobytes()
        assert alone[1].tobytes() == together[1][number].tobytes()


def test_duplicates_come_by_row_number() -> None:
    gallery = np.repeat(random_rows(4, 1), 9, axis=0)
    scores, rows = top_k(gallery[:1], gallery, k=4, chunk_rows=2)
    assert rows.tolist() == [[0, 1, 2, 3]]
    assert len(set(scores[0].tolist())) == 1


@given(seed=seeds, k=st.integers(1, 12), chunk_rows=st.integers(1, 12), chosen=st.sets(st.integers(0, 29)))
def test_only_allowed_rows_are_searched(seed: int, k: int, chunk_rows: int, chosen: set[int]) -> None:
    queries, gallery, allowed = random_rows(seed, 2), crowded_rows(seed, 30, 16), sorted(chosen)
    scores, rows = top_k(queries, gallery, k=k, allowed=np.array(allowed, np.int64), chunk_rows=chunk_rows)
    assert (scores.tolist(), rows.tolist()) == oracles.top_k(queries, gallery, k=k, allowed=allowed)
    assert scores.shape == (2, min(k, len(allowed)))


@given(seed=seeds, order_seed=seeds)
def test_permuting_the_gallery_permutes_only_the_rows(seed: int, order_seed: int) -> None:
    queries, gallery = random_rows(seed, 3), random_rows(seed ^ 1, 25)
    order = np.random.default_rng(order_seed).permutation(25)
    scores, rows = top_k(queries, gallery, k=25)
    permuted_scores, permuted_rows = top_k(queries, gallery[order], k=25)
    np.testing.assert_array_equal(permuted_scores, scores)
    if all(len(set(line)) == 25 for line in scores.tolist()):
        np.testing.assert_array_equal(order[permuted_rows], rows)


def test_k_above_the_gallery_gives_the_gallery() -> None:
    scores, rows = top_k(random_rows(1, 2), random_rows(2, 3), k=10)
    assert scores.shape == rows.shape == (2, 3)
    assert sorted(rows[0].tolist()) == [0, 1, 2]


@pytest.mark.parametrize(("num_queries", "num_rows", "shape"), [(2, 0, (2, 0)), (0, 3, (0, 3)), (0, 0, (0, 0))])
def test_nothing_to_search_or_to_ask(num_queries: int, num_rows: int, shape: tuple[int, int]) -> None:
    scores, rows = top_k(np.zeros((num_queries, 4), np.float32), np.eye(4, dtype=np.float32)[:num_rows], k=5)
    assert scores.shape == rows.shape == shape


@pytest.mark.parametrize(("k", "chunk_rows"), [(0, 1), (-1, 1), (1, 0)])
def test_counts_below_one_are_refused(k: int, chunk_rows: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        top_k(random_rows(1, 1), random_rows(2, 2), k=k, chunk_rows=chunk_rows)


def test_widths_that_differ_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 16\) and \(3, 8\)"):
        top_k(random_rows(1, 2), random_rows(2, 3, 8), k=1)


@given(seed=seeds, dim=st.integers(1, 600))
def test_the_slack_bounds_a_float32_product(seed: int, dim: int) -> None:
    left, right = random_rows(seed, 8, dim), random_rows(seed ^ 1, 8, dim)
    exact = np.array([[oracles.score(a, b) for b in right] for a in left])
    assert np.abs(left @ right.T - exact).max() <= rounding_slack(dim)


def test_pair_scores_is_the_documented_score() -> None:
    rows = random_rows(5, 20, 384)
    assert pair_scores(rows[0], rows).tolist() == [float(oracles.score(rows[0], row)) for row in rows]


@given(seed=seeds, scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e30]))
def test_unit_rows_have_length_one_whatever_their_scale(seed: int, scale: float) -> None:
    vectors = scale * np.random.default_rng(seed).normal(size=(4, 7))
    unit = unit_rows(vectors)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit.astype(np.float64), axis=1), 1.0, atol=1e-6)
    assert unit[2].tobytes() == unit_rows(vectors[2:3])[0].tobytes()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.array([[1.0, 0.0], [0.0, 0.0]]), "row 1 has norm 0.0"),
        (np.array([[1.0, np.nan]]), "row 0 has norm nan"),
        (np.array([[1.0, np.inf]]), "row 0 has norm inf"),
        (np.array([1.0, 0.0]), r"must be \(N, D\), got \(2,\)"),
    ],
)
def test_vectors_without_direction_are_refused(vectors: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        unit_rows(vectors)


@pytest.mark.parametrize(
    ("array", "dim", "message"),
    [
        (np.zeros((2, 3), np.float32), 4, r"q must be \(N, 4\), got \(2, 3\)"),
        (np.zeros((2, 3)), 3, "q must be float32, got float64"),
        (np.zeros(3, np.float32), None, r"q must be \(N, D\), got \(3,\)"),
        (np.zeros((2, 0), np.float32), None, r"got \(2, 0\)"),
        (np.array([[0], [np.nan]], np.float32), None, "row 1 holds NaN or infinity"),
    ],
)
def test_embeddings_of_another_kind_are_refused(array: NDArray[np.float32], dim: int | None, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        check_embeddings(array, dim=dim, name="q")


def test_good_embeddings_pass_contiguous() -> None:
    rows = np.asfortranarray(random_rows(1, 5))
    checked = check_embeddings(rows, dim=16)
    np.testing.assert_array_equal(checked, rows)
    assert checked.flags.c_contiguous
    assert check_embeddings(np.zeros((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("chunk_rows", [1, 7, 4_096])
def test_scores_of_rows_are_those_of_pairs(chunk_rows: int) -> None:
    left, right = random_rows(1, 20), random_rows(2, 20)
    expected = [pair_scores(one, other[None])[0] for one, other in zip(left, right, strict=True)]
    np.testing.assert_array_equal(row_scores(left, right, chunk_rows=chunk_rows), expected)
    with pytest.raises(ShapeError, match=r"must both be \(N, D\)"):
        row_scores(left, right[:3])


@given(seed=seeds, dim=st.integers(1, 40), scale=st.floats(-30, 30))
def test_scaling_twice_changes_no_bit(seed: int, dim: int, scale: float) -> None:
    vectors = np.random.default_rng(seed).normal(size=(20, dim)) * 10.0**scale
    once = unit_rows(vectors)
    assert unit_rows(once).tobytes() == once.tobytes()
    assert unit_rows(once.astype(np.float64)).tobytes() == once.tobytes()


def test_a_row_that_is_almost_unit_is_scaled() -> None:
    once = random_rows(3, 50)
    longer = (once.astype(np.float64) * (1 + 3e-7)).astype(np.float32)
    assert unit_rows(longer).tobytes() != longer.tobytes()
    assert np.abs(unit_rows(longer) - once).max() < 1e-7
