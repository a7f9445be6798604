"""What holds for every protocol: memory that does not grow with queries times gallery, and no silent NaN."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from placed_samples import place, random_split

from nearid_search.errors import ShapeError
from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.protocols.ann_gap import evaluate_ann_gap
from nearid_search.eval.protocols.cross_view import evaluate_cross_view
from nearid_search.eval.protocols.gallery import evaluate_gallery, nearest_others
from nearid_search.eval.protocols.open_set import evaluate_open_set
from nearid_search.eval.protocols.pairs import evaluate_pairs
from nearid_search.eval.protocols.verification import evaluate_verification
from nearid_search.similarity import Embeddings, unit_rows

PROTOCOLS: dict[str, Callable[[PlacedSamples, Embeddings], object]] = {
    "pairs": lambda placed, embeddings: evaluate_pairs(placed, embeddings, resamples=2),
    "gallery": lambda placed, embeddings: evaluate_gallery(placed, embeddings, resamples=2),
    "nearest": nearest_others,
    "open set": lambda placed, embeddings: evaluate_open_set(placed, embeddings, resamples=2),
    "verification": lambda placed, embeddings: evaluate_verification(placed, embeddings, resamples=2),
    "cross view": lambda placed, embeddings: evaluate_cross_view(
        placed, embeddings, nearest_others(placed, unit_rows(np.nan_to_num(embeddings))), resamples=2
    ),
    "ann gap": lambda placed, embeddings: evaluate_ann_gap(placed, embeddings, "exact", resamples=2),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_memory_does_not_grow_with_queries_times_gallery(protocol: str) -> None:
    count, dim = 3_000, 8
    placed = place({f"thing-{n}": [(3 * n, {"flux": 3 * n + 2}), (3 * n + 1, {})] for n in range(count)})
    embeddings = unit_rows(np.random.default_rng(0).standard_normal((3 * count, dim)))
    assert len(placed.view_codes) == len(placed.view_pairs) * 2  # both are kept once made
    tracemalloc.start()
    try:
        PROTOCOLS[protocol](placed, embeddings)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # All scores of 6,000 views with 9,000 pictures would take 216 MB.
    assert peak < 40e6


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["view", "distractor"])
def test_what_is_no_number_is_refused_and_named(protocol: str, kind: str) -> None:
    placed, embeddings = random_split(1, count=12)
    rows = placed.view_rows if kind == "view" else placed.distractor_rows
    embeddings[rows[3]] = [np.nan, *np.ones(5)]
    with pytest.raises(ShapeError, match=r"row \d+ (has length nan|holds NaN)"):
        PROTOCOLS[protocol](placed, embeddings)
