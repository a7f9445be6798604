"""Blocks against doing everything at once."""

from functools import partial

import numpy as np
import pytest
from embeddings import crowded_rows
from numpy.typing import NDArray

from nearid_search.eval.blocks import score_rows, search_rows
from nearid_search.similarity import Embeddings, row_scores, top_k


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 600])
def test_searching_in_blocks_finds_what_one_search_does(count: int) -> None:
    gallery = crowded_rows(1, 300)
    rows = np.random.default_rng(count).integers(300, size=count)
    sizes: list[int] = []

    def search(queries: Embeddings) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        sizes.append(len(queries))
        return top_k(queries, gallery, k=4)

    scores, hits = search_rows(search, gallery, rows)
    for found, whole in zip((scores, hits), partial(top_k, k=4)(gallery[rows], gallery), strict=True):
        np.testing.assert_array_equal(found, whole)
    assert sum(sizes) == count
    assert max(sizes) <= 256


@pytest.mark.parametrize("count", [0, 1, 4_095, 4_097, 9_000])
def test_pairs_are_scored_as_if_all_were_gathered(count: int) -> None:
    embeddings = crowded_rows(2, 50)
    left, right = np.random.default_rng(count).integers(50, size=(2, count))
    np.testing.assert_array_equal(score_rows(embeddings, left, right), row_scores(embeddings[left], embeddings[right]))
