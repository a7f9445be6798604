"""ANN gap: what the gallery's index costs in identities, not in neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.eval.blocks import search_rows
from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.intervals import RESAMPLES, Interval, Sampling, bootstrap_interval
from nearid_search.eval.paired import PairedDifference, paired_difference
from nearid_search.eval.protocols.gallery import index_of
from nearid_search.indexer.search.approximate import ApproximateBackend
from nearid_search.indexer.search.backend import VectorBackend, make_backend
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.similarity import Embeddings, Rows


@dataclass(frozen=True, kw_only=True)
class AnnGapResult:
    """What the protocol found.

    Attributes:
        backend: what was compared with the exact search: what "auto" stands for at this size.
        rank1: share of queries whose first hit, itself apart, is of their identity.
        exact_rank1: the same by exact search.
        gap: exact less backend; None where every row is scanned, by "exact" or beside an index of few rows.
        n_lone: queries whose identity has no other view; in no figure.
    """

    backend: str
    rank1: Interval
    exact_rank1: Interval
    gap: PairedDifference | None
    n_lone: int

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "backend": self.backend,
            "rank1": self.rank1.as_dict(),
            "exact_rank1": self.exact_rank1.as_dict(),
            "gap": None if self.gap is None else self.gap.as_dict(),
            "n_lone": self.n_lone,
        }


def evaluate_ann_gap(
    placed: PlacedSamples,
    embeddings: Embeddings,
    backend: str,
    *,
    fillers: Rows | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> AnnGapResult:
    """Search the whole index with a backend and exactly.

    Equal scores stand in the order of the index in both, so rank-1 can be above ``recall@1``, in which a tie loses.

    Args:
        placed: the identities.
        embeddings: (R, D) float32 unit rows.
        backend: as ``indexer.search.backend.make_backend`` names it.
        fillers: (F,) rows in the index, too.
        resamples: of each interval.
        seed: of each interval.

    Raises:
        ConfigError: if the backend is unknown.
        MissingExtraError: if it is not installed.
    """
    index = index_of(placed, fillers)
    queries, codes = embeddings[placed.view_rows], placed.view_codes
    gallery = embeddings[index.rows]
    searched = make_backend(backend, gallery)
    if backend == "auto":
        backend = "exact"
    hits = rank1_hits(searched, queries, codes, index.codes)
    scanned = isinstance(searched, ExactBackend) or (
        isinstance(searched, ApproximateBackend) and searched.scans_everything
    )
    exact_hits = hits if scanned else rank1_hits(ExactBackend(gallery), queries, codes, index.codes)
    sampling = Sampling(resamples=resamples, seed=seed)
    return AnnGapResult(
        backend=backend,
        rank1=bootstrap_interval(hits, codes, **sampling),
        exact_rank1=bootstrap_interval(exact_hits, codes, **sampling),
        gap=None if scanned else paired_difference(exact_hits, hits, codes, **sampling),
        n_lone=int(np.isnan(exact_hits).sum()),
    )


def rank1_hits(
    backend: VectorBackend, queries: Embeddings, codes: NDArray[np.int64], gallery_codes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Say of each query whether its first hit, itself apart, is of its identity.

    Args:
        backend: searches a gallery whose first rows are the queries.
        queries: (Q, D) float32 unit rows.
        codes: (Q,) identity of each.
        gallery_codes: (G,) identity of each row of the gallery.

    Returns:
        (Q,) 1 or 0; NaN for lone queries.
    """
    # The query is in the gallery, too: the better of the first two that is not itself counts.
    own = np.arange(len(queries))
    _, places = search_rows(partial(backend.search, k=2), queries, own)
    if places.shape[1] < 2:
        return np.full(len(queries), np.nan)
    first = np.where(places[:, 0] == own, places[:, 1], places[:, 0])
    hits = (gallery_codes[first] == codes).astype(np.float64)
    lone = np.bincount(codes)[codes] < 2
    return np.where(lone, np.nan, hits)
