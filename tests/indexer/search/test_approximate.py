"""Approximate indexes on look-alikes: what they may lose, and what they may never get wrong."""

from pathlib import Path

import numpy as np
import pytest
from embeddings import look_alikes, random_rows

from nearid_search.errors import ConfigError, ShapeError
from nearid_search.indexer.search.approximate import ApproximateBackend, ScanRule
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.indexer.search.faiss_ann import AnnIndex
from nearid_search.indexer.search.index_recipe import RECIPES, SearchSettings, num_clusters
from nearid_search.similarity import Embeddings, Rows, pair_scores

pytest.importorskip("faiss")

NEVER_SCAN = ScanRule(rows=-1, share=float("inf"))
SETTINGS = SearchSettings(overfetch=2, ef_search=128, nprobe=16, k_factor=8)
NUM_IDENTITIES, VIEWS = 1_000, 6


@pytest.fixture(scope="module")
def gallery() -> Embeddings:
    return look_alikes(1, NUM_IDENTITIES, VIEWS)[0]


@pytest.fixture(scope="module")
def codes() -> Rows:
    return look_alikes(1, NUM_IDENTITIES, VIEWS)[1]


@pytest.fixture(scope="module", params=list(RECIPES))
def index(request: pytest.FixtureRequest, gallery: Embeddings) -> AnnIndex:
    return AnnIndex.build(RECIPES[request.param], gallery)


@pytest.fixture(scope="module")
def queries(gallery: Embeddings) -> Embeddings:
    return gallery[:200]


def recall(found: Rows, exact: Rows) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), exact.tolist(), strict=True)]))


def test_look_alikes_keep_their_order(gallery: Embeddings, codes: Rows, index: AnnIndex, queries: Embeddings) -> None:
    backend = ApproximateBackend(gallery, index, settings=SETTINGS, scan=NEVER_SCAN)
    scores, rows = backend.search(queries, k=11)
    exact_scores, exact_rows = ExactBackend(gallery).search(queries, k=11)
    assert recall(rows, exact_rows) > 0.99
    first, exact_first = (codes[r[:, 1]] == codes[: len(queries)] for r in (rows, exact_rows))
    # The set is hard: exact search itself is far from always right.
    assert 0.3 < exact_first.mean() < 0.97
    assert first.mean() >= exact_first.mean() - 0.01
    assert scores[rows == exact_rows].tolist() == exact_scores[rows == exact_rows].tolist()


def test_scores_are_exact_whatever_was_nominated(gallery: Embeddings, index: AnnIndex) -> None:
    little = SearchSettings(overfetch=1, ef_search=1, nprobe=1, k_factor=1)
    backend = ApproximateBackend(gallery, index, settings=little, scan=NEVER_SCAN)
    query = gallery[7:8] + 0
    scores, rows = backend.search(query, k=9)
    assert scores[0].tolist() == pair_scores(query[0], gallery[rows[0]]).tolist()
    assert (np.diff(scores[0]) <= 0).all()
    assert len(set(rows[0].tolist())) == 9


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5], ids=lambda share: f"{share:.1%}")
@pytest.mark.parametrize("together", [False, True], ids=["anywhere", "one family"])
@pytest.mark.parametrize("scan", [NEVER_SCAN, ScanRule(rows=500)], ids=["never scanned", "scanned below 500"])
def test_filters_of_any_selectivity(
    gallery: Embeddings, index: AnnIndex, queries: Embeddings, share: float, together: bool, scan: ScanRule
) -> None:
    """Rows allowed at random, or those that lie together on the far side of most queries."""
    count = round(share * len(gallery))
    if together:
        allowed = np.sort(ExactBackend(gallery).search(gallery[-1:], k=count)[1][0])
    else:
        allowed = np.sort(np.random.default_rng(3).choice(len(gallery), count, replace=False))
    backend = ApproximateBackend(gallery, index, settings=SETTINGS, scan=scan)
    scores, rows = backend.search(queries, k=10, allowed=allowed)
    exact_scores, exact_rows = ExactBackend(gallery).search(queries, k=10, allowed=allowed)
    assert scores.shape == exact_scores.shape
    assert np.isin(rows, allowed).all()
    assert recall(rows, exact_rows) > (0.999 if count <= scan.rows else 0.98)


def test_rows_added_since_are_scanned_and_rows_gone_never_appear(gallery: Embeddings, index: AnnIndex) -> None:
    """The gallery lost every seventh row and gained 100, among them one equal to each of its first rows."""
    gone = np.arange(len(gallery)) % 7 == 0
    now = np.concatenate([gallery[~gone], gallery[:50], random_rows(5, 50, 32)])
    order = np.random.default_rng(6).permutation(len(now))
    now, place = np.ascontiguousarray(now[order]), np.argsort(order)
    row_of = np.full(len(gallery), -1, np.int64)
    row_of[~gone] = place[: (~gone).sum()]
    backend = ApproximateBackend(now, index, settings=SETTINGS, row_of=row_of, scan=NEVER_SCAN)
    assert backend.num_rows == len(now)
    for allowed in (None, np.flatnonzero(np.arange(len(now)) % 2)):
        scores, rows = backend.search(gallery[:50], k=10, allowed=allowed)
        exact_scores, exact_rows = ExactBackend(now).search(gallery[:50], k=10, allowed=allowed)
        assert recall(rows, exact_rows) > 0.99
        assert scores[:, 0].tolist() == exact_scores[:, 0].tolist()


def test_nothing_but_rows_added_since(index: AnnIndex) -> None:
    now = random_rows(5, 60, 32)
    gone = np.full(index.num_positions, -1, np.int64)
    backend = ApproximateBackend(now, index, row_of=gone, scan=NEVER_SCAN)
    found, exact = backend.search(now[:3], k=4), ExactBackend(now).search(now[:3], k=4)
    assert found[1].tolist() == exact[1].tolist()


def test_vectors_added_are_found(gallery: Embeddings, index: AnnIndex) -> None:
    half = AnnIndex.build(index.recipe, gallery[:3_000])
    half.add(gallery[3_000:])
    backend = ApproximateBackend(gallery, half, settings=SETTINGS, scan=NEVER_SCAN)
    _, rows = backend.search(gallery[-200:], k=10)
    assert recall(rows, ExactBackend(gallery).search(gallery[-200:], k=10)[1]) > 0.99


def test_an_index_of_another_width_is_refused(index: AnnIndex) -> None:
    with pytest.raises(ShapeError, match=r"gallery must be \(N, 32\)"):
        ApproximateBackend(random_rows(1, 5, 16), index)


@pytest.mark.parametrize("name", list(RECIPES))
@pytest.mark.parametrize(("rows", "dim"), [(5_000, 64), (3_000, 384)])
def test_a_vector_weighs_what_the_recipe_says(name: str, rows: int, dim: int, tmp_path: Path) -> None:
    path = tmp_path / "index"
    AnnIndex.build(RECIPES[name], random_rows(1, rows, dim)).write(path)
    assert path.stat().st_size / rows == pytest.approx(RECIPES[name].bytes_per_vector(rows, dim), rel=0.1)


@pytest.mark.parametrize(("rows", "clusters"), [(0, 1), (1, 1), (38, 1), (100, 2), (10_000, 256), (1_000_000, 4_096)])
def test_clusters_have_the_rows_their_training_needs(rows: int, clusters: int) -> None:
    assert num_clusters(rows) == clusters


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_ladder_looks_further_on_every_rung_and_ends(name: str) -> None:
    recipe = RECIPES[name]
    rungs = list(recipe.ladder(SearchSettings(), rows=100_000))
    values = [getattr(rung, recipe.tuned) for rung in rungs]
    assert values == sorted(set(values))
    assert 4 < len(rungs) < 12
    assert f"{recipe.tuned} {values[0]}" in recipe.settings_in_words(rungs[0])


def test_settings_below_one_are_refused() -> None:
    with pytest.raises(ConfigError, match="nprobe must be at least 1, got 0"):
        SearchSettings(nprobe=0)
