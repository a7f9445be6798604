"""The rungs that look at embeddings equal a dense version over the whole gallery, where it fits into the shortlist."""

from pathlib import Path

import numpy as np
import oracles
import pytest
import rerank_oracles
from embeddings import look_alikes, random_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from made_galleries import make_gallery
from numpy.typing import NDArray

from nearid_search.engine import SearchEngine
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.rerank.expansion import ALPHA, FOUND, expanded_scores
from nearid_search.rerank.neighbours import NEAREST, NEAREST_SIBLINGS, mutual_scores, sibling_scores
from nearid_search.rerank.reciprocal import K1, K2, PLAIN_SHARE, reciprocal_scores
from nearid_search.rerank.shortlist import SHORTLIST, Shortlist, take_shortlist
from nearid_search.similarity import Embeddings, rank_candidates, unit_rows

shapes = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 6))


def shortlist_of(query: NDArray[np.float32], gallery: Embeddings, codes: NDArray[np.int64]) -> Shortlist:
    """The whole gallery, as a search would rank it."""
    scores, rows = rank_candidates(query, gallery, np.arange(len(gallery)), k=len(gallery))
    return Shortlist(query, rows, scores, codes[rows], gallery[rows])


def small_gallery(seed: int, count: int, per_identity: int) -> tuple[Shortlist, Embeddings, NDArray[np.int64]]:
    rows, codes = random_rows(seed, count + 1), np.arange(count) // per_identity
    return shortlist_of(rows[0], rows[1:], codes), rows[1:], codes


@settings(deadline=None, max_examples=20)
@given(shapes, st.integers(1, 8), st.sampled_from([0.0, 1.0, 3.0]))
def test_query_expansion(shape: tuple[int, int, int], found: int, alpha: float) -> None:
    shortlist, gallery, _ = small_gallery(*shape)
    expected = rerank_oracles.expanded(shortlist.query.astype(float), gallery.astype(float), found, alpha)
    scores = expanded_scores(shortlist, found=found, alpha=alpha)
    np.testing.assert_allclose(scores, np.asarray(expected)[shortlist.rows], atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(shapes, st.integers(1, 8))
def test_averaging_with_neighbours(shape: tuple[int, int, int], count: int) -> None:
    shortlist, gallery, codes = small_gallery(*shape)
    query, wide, order = shortlist.query.astype(float), gallery.astype(float), shortlist.rows.tolist()
    for scores, names in ((mutual_scores, None), (sibling_scores, codes.tolist())):
        expected = np.asarray(rerank_oracles.averaged(query, wide, names, order, count))[shortlist.rows]
        np.testing.assert_allclose(scores(shortlist, nearest=count), expected, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(shapes, st.integers(1, 12), st.integers(1, 5), st.sampled_from([0.0, 0.3, 1.0]))
def test_reciprocal_neighbours(shape: tuple[int, int, int], k1: int, k2: int, plain_share: float) -> None:
    shortlist, gallery, _ = small_gallery(*shape)
    expected = rerank_oracles.reciprocal(shortlist.query.astype(float), gallery.astype(float), k1, k2, plain_share)
    scores = reciprocal_scores(shortlist, k1=k1, k2=k2, plain_share=plain_share)
    np.testing.assert_allclose(scores, np.asarray(expected)[shortlist.rows], atol=1e-6)


@pytest.mark.parametrize("rung", [expanded_scores, mutual_scores, sibling_scores, reciprocal_scores])
def test_the_numbers_of_identities_and_rows_do_not_matter(rung: object) -> None:
    vectors, codes = look_alikes(3, 10, 4)
    shortlist = shortlist_of(vectors[0], vectors[1:], codes[1:])
    renamed = shortlist._replace(codes=99 - shortlist.codes, rows=shortlist.rows + 7)
    np.testing.assert_array_equal(rung(renamed), rung(shortlist))  # type: ignore[operator]
    assert rung(shortlist).dtype == np.float32  # type: ignore[operator]


def test_views_that_lie_on_both_sides_of_a_thing_answer_together() -> None:
    """Two views of one thing surround the query's place; each alone is farther than a stranger."""
    angles = np.radians([0, 50, -50, 45])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    shortlist = shortlist_of(vectors[0], vectors[1:], np.array([7, 7, 8]))
    assert shortlist.codes[0] == 8
    assert shortlist.codes[np.argmax(sibling_scores(shortlist))] == 7


def by_the_book(
    name: str, query: NDArray[np.float64], gallery: NDArray[np.float64], codes: list[int], order: list[int]
) -> list[float]:
    """What a rung of that name scores every image of a gallery."""
    if name == "expand":
        return rerank_oracles.expanded(query, gallery, FOUND, ALPHA)
    if name == "reciprocal":
        return rerank_oracles.reciprocal(query, gallery, K1, K2, PLAIN_SHARE)
    if name == "mutual":
        return rerank_oracles.averaged(query, gallery, None, order, NEAREST)
    return rerank_oracles.averaged(query, gallery, codes, order, NEAREST_SIBLINGS)


@pytest.mark.parametrize("name", ["expand", "mutual", "siblings", "reciprocal"])
def test_several_embeddings_of_one_thing_ask_with_their_mean(tmp_path: Path, name: str) -> None:
    vectors, codes = look_alikes(4, 12, 4, noise=0.9)
    gallery, asked = make_gallery(tmp_path / "gallery", vectors, codes, in_order=True), np.array([0, 1, 2])
    plain, engine = (SearchEngine(gallery, None, rerank=each, rerank_ms=60_000) for each in ("none", name))
    changed = 0
    for row in range(0, 48, 4):
        queries = unit_rows(vectors[row + asked] + np.random.default_rng(row).normal(0, 0.1, (3, vectors.shape[1])))
        mean, wide = queries.astype(float).mean(axis=0), vectors.astype(float)
        mean /= np.linalg.norm(mean)
        order = np.argsort(-(wide @ mean), kind="stable").tolist()
        scores = np.asarray(by_the_book(name, mean, wide, codes.tolist(), order))
        before, after = (one.answer_set(queries, label="q", k=12) for one in (plain, engine))
        best = {match.identity: scores[codes == int(match.identity.split()[-1])].max() for match in before.matches}
        assert [match.identity for match in after.matches] == sorted(best, key=lambda each: -best[each])
        assert {match.identity: match.score for match in after.matches} == {m.identity: m.score for m in before.matches}
        assert after.rerank is not None
        changed += after.rerank.changed
    assert changed


def test_a_shortlist_is_what_search_finds_without_the_row_left_out(tmp_path: Path) -> None:
    vectors, codes = look_alikes(1, 30, 5)
    gallery = make_gallery(tmp_path / "gallery", vectors, codes, in_order=True)
    backend, allowed = ExactBackend(vectors), np.arange(0, 150, 2)
    for whole in (True, False):
        rows = gallery.rows()
        assert not whole or len(rows.vectors) == 150  # in memory; else they are read by key
        taken = take_shortlist(backend, rows, vectors[4], codes, allowed=allowed, without=4, size=20)
        expected = oracles.top_k(vectors[4:5], vectors, k=20, allowed=[row for row in allowed.tolist() if row != 4])
        assert (taken.scores.tolist(), taken.rows.tolist()) == (expected[0][0], expected[1][0])
        np.testing.assert_array_equal(taken.vectors, vectors[taken.rows])
        np.testing.assert_array_equal(taken.codes, codes[taken.rows])
    assert len(take_shortlist(backend, gallery.rows(), vectors[4], codes).rows) == SHORTLIST
