"""Identity ranking against brute force: score every row, group by the best."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.indexer.search.backend import make_backend
from nearid_search.ranking import RankedIdentity, group_hits, rank_identities, rank_many, rank_set
from nearid_search.similarity import Embeddings, unit_rows

Plain = list[tuple[int, list[int], list[float]]]


def rank_slowly(
    query: Embeddings, gallery: Embeddings, codes: NDArray[np.int64], *, k: int, allowed: list[int] | None = None
) -> Plain:
    """Score every row, then group."""
    (scores,), (rows,) = oracles.top_k(query, gallery, k=len(gallery), allowed=allowed)
    return oracles.group_hits(scores, rows, [int(codes[row]) for row in rows], k=k)


def plain(ranked: list[RankedIdentity]) -> Plain:
    return [(identity.code, identity.rows.tolist(), identity.scores.tolist()) for identity in ranked]


def assert_agrees(
    query: Embeddings,
    gallery: Embeddings,
    codes: NDArray[np.int64],
    *,
    k: int,
    allowed: list[int] | None = None,
    backend: str = "exact",
) -> None:
    rows_allowed = None if allowed is None else np.array(allowed, np.int64)
    ranked = rank_identities(make_backend(backend, gallery), query, codes, k=k, allowed=rows_allowed)
    wanted = rank_slowly(query, gallery, codes, k=k + 1, allowed=allowed)
    found = plain(ranked)
    assert found[:k] == wanted[:k]
    # The identity past k exists for the margin alone: its leading view must be right, its support need not be complete.
    assert [(code, rows[0], scores[0]) for code, rows, scores in found[k:]] == [
        (code, rows[0], scores[0]) for code, rows, scores in wanted[k:]
    ]


def random_rows(rng: np.random.Generator, count: int, dim: int = 8) -> Embeddings:
    return unit_rows(rng.normal(size=(count, dim)))


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 80),
    num_identities=st.integers(1, 20),
    k=st.integers(1, 12),
    distinct=st.integers(1, 40),
    part=st.floats(0.05, 1),
)
def test_agrees_with_brute_force(seed: int, size: int, num_identities: int, k: int, distinct: int, part: float) -> None:
    rng = np.random.default_rng(seed)
    # Rows drawn from few distinct ones: ties within and between identities.
    gallery = random_rows(rng, distinct)[rng.integers(0, distinct, size)]
    codes = rng.integers(0, num_identities, size)
    allowed = np.flatnonzero(rng.random(size) < part).tolist()
    query = random_rows(rng, 1)
    assert_agrees(query, gallery, codes, k=k)
    assert_agrees(query, gallery, codes, k=k, allowed=allowed)


@given(codes=st.lists(st.integers(-3, 9), max_size=60), k=st.integers(1, 12))
def test_grouping_agrees_with_the_slow_version(codes: list[int], k: int) -> None:
    scores = np.linspace(1, 0, len(codes), dtype=np.float32)
    rows = np.arange(len(codes), dtype=np.int64) * 7
    found = group_hits(scores, rows, np.asarray(codes, np.int64), k=k)
    assert plain(found) == oracles.group_hits(scores.tolist(), rows.tolist(), codes, k=k)


@given(seed=st.integers(0, 2**32 - 1), num_queries=st.integers(0, 9), num_identities=st.integers(1, 60))
def test_a_batch_is_ranked_as_its_queries_are(seed: int, num_queries: int, num_identities: int) -> None:
    """Some queries are certain at once and others not: one identity has most of the rows near its own."""
    rng = np.random.default_rng(seed)
    many = unit_rows(np.ones(8) + 0.01 * rng.normal(size=(200, 8)))
    gallery = np.concatenate([many, random_rows(rng, 100)])
    codes = np.concatenate([np.zeros(200, np.int64), rng.integers(0, num_identities, 100)])
    queries = np.concatenate([many[: num_queries // 2], random_rows(rng, num_queries - num_queries // 2)])
    backend = make_backend("exact", gallery)
    together = rank_many(backend, queries, codes, k=3)
    alone = [rank_identities(backend, queries[number : number + 1], codes, k=3) for number in range(num_queries)]
    leading = [[plain(ranked)[:3] for ranked in found] for found in (together, alone)]
    assert leading[0] == leading[1]


@pytest.mark.parametrize("backend", ["exact", "faiss-flat", "hnsw-sq8", "ivf-rabitq"])
@pytest.mark.parametrize("k", [1, 3, 10], ids=lambda k: f"k={k}")
def test_hundreds_of_views_of_one_identity_hide_no_other(backend: str, k: int) -> None:
    rng = np.random.default_rng(k)
    query = random_rows(rng, 1)
    near = unit_rows(query + 0.01 * rng.normal(size=(700, 8)))
    gallery = np.concatenate([near, random_rows(rng, 60)])
    codes = np.concatenate([np.zeros(700, np.int64), 1 + np.arange(60) // 3])
    order = rng.permutation(len(gallery))
    gallery, codes = np.ascontiguousarray(gallery[order]), codes[order]
    ranked = rank_identities(make_backend(backend, gallery), query, codes, k=k)
    assert len(ranked[0].rows) == 700
    assert len(ranked) == k + 1
    assert_agrees(query, gallery, codes, k=k, backend=backend)


def test_hundreds_of_equal_views_keep_row_order() -> None:
    gallery = np.repeat(random_rows(np.random.default_rng(1), 1), 400, axis=0)
    codes = np.array([7] * 300 + [3] * 100)
    ranked = rank_identities(make_backend("exact", gallery), gallery[:1], codes, k=1)
    assert [identity.code for identity in ranked] == [7, 3]
    assert ranked[0].rows.tolist() == list(range(300))


def test_fewer_identities_than_wanted() -> None:
    rng = np.random.default_rng(2)
    gallery = random_rows(rng, 50)
    assert_agrees(gallery[:1], gallery, np.zeros(50, np.int64), k=5)
    assert len(rank_identities(make_backend("exact", gallery), gallery[:1], np.zeros(50, np.int64), k=5)) == 1


def test_nothing_to_rank() -> None:
    query = random_rows(np.random.default_rng(3), 1)
    nothing = np.empty(0, np.int64)
    assert rank_identities(make_backend("exact", query[:0]), query, nothing, k=3) == []
    assert rank_identities(make_backend("exact", query), query, np.zeros(1, np.int64), k=3, allowed=nothing) == []
    assert group_hits(np.empty(0, np.float32), nothing, nothing, k=3) == []


def test_k_below_one_is_refused() -> None:
    query = random_rows(np.random.default_rng(4), 1)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        rank_identities(make_backend("exact", query), query, np.zeros(1, np.int64), k=0)


@pytest.mark.parametrize("backend", ["exact", "faiss-flat"])
@pytest.mark.parametrize("k", [1, 4, 50], ids=lambda k: f"k={k}")
def test_a_block_of_queries_is_answered_as_each_alone(backend: str, k: int) -> None:
    """Some queries need more hits than others: those beside hundreds of views of one identity."""
    rng = np.random.default_rng(k)
    crowd = random_rows(rng, 1)
    gallery = np.concatenate([unit_rows(crowd + 0.01 * rng.normal(size=(300, 8))), random_rows(rng, 100)])
    codes = np.concatenate([np.zeros(300, np.int64), 1 + np.arange(100) // 3])
    queries = np.concatenate([random_rows(rng, 5), crowd, random_rows(rng, 5), gallery[:2]])
    searcher = make_backend(backend, gallery)
    for allowed in (None, np.arange(0, 400, 7), np.arange(3), np.empty(0, np.int64)):
        together = rank_many(searcher, queries, codes, k=k, allowed=allowed)
        alone = [
            rank_identities(searcher, queries[n : n + 1], codes, k=k, allowed=allowed) for n in range(len(queries))
        ]
        assert [plain(ranked) for ranked in together] == [plain(ranked) for ranked in alone]


@pytest.mark.parametrize("backend", ["exact", "faiss-flat"])
def test_what_a_query_must_not_see_is_as_if_it_were_not_there(backend: str) -> None:
    """The first query has hundreds of hidden rows nearest to it, so that it is searched again, farther."""
    rng = np.random.default_rng(6)
    gallery = np.concatenate([unit_rows(np.eye(8)[:1] + 0.01 * rng.normal(size=(300, 8))), random_rows(rng, 100)])
    codes = np.concatenate([np.zeros(300, np.int64), 1 + np.arange(100) // 3])
    asked = np.array([0, 320, 399])
    searcher = make_backend(backend, gallery)
    found = rank_many(searcher, gallery[asked], codes, k=2, hidden=lambda n, rows: codes[rows] == codes[asked[n]])
    for row, ranked in zip(asked.tolist(), found, strict=True):
        others = np.flatnonzero(codes != codes[row])
        assert plain(ranked) == plain(rank_identities(searcher, gallery[row : row + 1], codes, k=2, allowed=others))
    everything = rank_many(searcher, gallery[:1], codes, k=2, hidden=lambda _, rows: np.ones(len(rows), bool))
    assert everything == [[]]


def test_no_queries_have_no_answers() -> None:
    gallery = random_rows(np.random.default_rng(5), 3)
    assert rank_many(make_backend("exact", gallery), gallery[:0], np.zeros(3, np.int64), k=2) == []


@given(seed=st.integers(0, 2**32 - 1), num_queries=st.integers(1, 5), k=st.integers(1, 6))
def test_a_set_scores_as_the_mean_of_its_queries(seed: int, num_queries: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    gallery, codes = random_rows(rng, 40), rng.integers(0, 9, 40)
    queries = random_rows(rng, num_queries)
    found = rank_set(make_backend("exact", gallery), queries, codes, k=k)
    means = (queries.astype(float) @ gallery.T.astype(float)).mean(axis=0)
    best = {code: means[codes == code].max() for code in set(codes.tolist())}
    wanted = sorted(best, key=lambda code: -best[code])[: k + 1]
    assert [identity.code for identity in found] == wanted
    np.testing.assert_allclose([identity.scores[0] for identity in found], [best[code] for code in wanted], atol=1e-6)
    for identity in found[:-1]:
        np.testing.assert_allclose(identity.scores, means[identity.rows], atol=1e-6)


def test_a_set_of_one_is_a_query_and_a_set_without_direction_is_refused() -> None:
    rng = np.random.default_rng(7)
    gallery, codes = random_rows(rng, 40), rng.integers(0, 9, 40)
    backend = make_backend("exact", gallery)
    (alone, of_one) = (rank(backend, gallery[:1], codes, k=3) for rank in (rank_identities, rank_set))
    for one, other in zip(alone, of_one, strict=True):
        assert (one.code, one.rows.tolist()) == (other.code, other.rows.tolist())
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)
    for queries in (gallery[:0], np.concatenate([gallery[:1], -gallery[:1]])):
        with pytest.raises(ShapeError, match="must be one or more and not opposites"):
            rank_set(backend, queries, codes, k=3)
