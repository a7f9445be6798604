"""Identity rank-1 through an index: none lost by those that scan everything, and those lost that a coarse one loses."""

import numpy as np
import oracles
import pytest
from numpy.typing import NDArray
from placed_samples import at_angles, place, random_split

from nearid_search.eval.protocols.ann_gap import evaluate_ann_gap, rank1_hits
from nearid_search.eval.protocols.gallery import evaluate_gallery, index_of
from nearid_search.similarity import Embeddings, Rows, top_k, unit_rows


class CoarseBackend:
    """Knows of every row only in which direction each of its numbers points."""

    def __init__(self, gallery: Embeddings) -> None:
        self._signs = self._coarse(gallery)

    @staticmethod
    def _coarse(rows: Embeddings) -> Embeddings:
        return unit_rows(np.sign(rows))

    @property
    def num_rows(self) -> int:
        return len(self._signs)

    def search(self, queries: Embeddings, *, k: int, allowed: Rows | None = None) -> tuple[NDArray[np.float32], Rows]:
        return top_k(self._coarse(queries), self._signs, k=k, allowed=allowed)


@pytest.mark.parametrize(
    ("backend", "named"),
    [("exact", "exact"), ("auto", "exact"), ("faiss-flat", "faiss-flat"), ("hnsw-sq8", "hnsw-sq8")],
)
def test_a_backend_that_scans_everything_has_no_gap(backend: str, named: str) -> None:
    if named != "exact":
        pytest.importorskip("faiss")
    split, embeddings = random_split(3, count=30)
    result = evaluate_ann_gap(split, embeddings, backend)
    assert result.as_dict()["backend"] == named
    assert result.rank1 == result.exact_rank1
    if backend == "faiss-flat":
        assert result.gap is not None
        assert (result.gap.difference.value, result.gap.p_value) == (0, 1)
    else:
        assert result.as_dict()["gap"] is None
    gallery = evaluate_gallery(split, embeddings)
    assert (result.rank1.value, result.rank1.n) == (gallery.figures["recall@1"].value, gallery.figures["recall@1"].n)
    assert result.n_lone == gallery.n_lone


@pytest.mark.parametrize("seed", range(3), ids=lambda seed: f"seed={seed}")
def test_what_a_coarse_index_finds_first_counts(seed: int) -> None:
    split, embeddings = random_split(seed, count=30)
    things = np.random.default_rng(seed).standard_normal((30, 6))
    embeddings[split.view_rows] = unit_rows(3 * things[split.view_codes] + embeddings[split.view_rows])
    index = index_of(split)
    gallery = embeddings[index.rows]
    hits = rank1_hits(CoarseBackend(gallery), embeddings[split.view_rows], split.view_codes, index.codes)
    coarse = unit_rows(np.sign(gallery))
    for query, code in enumerate(split.view_codes.tolist()):
        others = [row for row in range(len(gallery)) if row != query]
        first = max(others, key=lambda row: (float(oracles.score(coarse[query], coarse[row])), -row))
        alone = (split.view_codes == code).sum() == 1
        assert np.isnan(hits[query]) if alone else hits[query] == (index.codes[first] == code)
    exact = evaluate_gallery(split, embeddings).values["recall@1"]
    assert np.nanmean(hits) < np.nanmean(exact)


def test_a_query_that_the_index_does_not_find_itself_is_no_hit_of_its_own() -> None:
    """Three views alike: for the third, too, the index gives the first two."""
    split = place({"cup": [(0, {}), (1, {}), (2, {})], "jug": [(3, {})]})
    embeddings = at_angles(0, 0, 0, 90)
    result = evaluate_ann_gap(split, embeddings, "exact")
    assert (result.rank1.value, result.rank1.n, result.n_lone) == (1, 3, 1)
