"""Gallery: is a thing found among everything else, the look-alikes of all things included?

Every view asks for the other views of its identity. In the index stand all views of all identities and every distractor
of every identity, each content once, and fillers if there are any; the query itself is taken out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.eval.blocks import check_unit_rows, search_rows
from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.intervals import RESAMPLES, Interval, bootstrap_interval
from nearid_search.eval.metrics import (
    RelevantRanks,
    average_precision,
    inverse_negative_penalty,
    r_precision,
    recall_at_k,
)
from nearid_search.eval.ranks import relevant_ranks
from nearid_search.similarity import Embeddings, Rows, pair_scores, top_k

CUT_OFFS = (1, 5, 10)
FILLER_FACTORS = (1, 10, 100)
_NO_ANSWER = "no identity has two views, so no query has an answer"
_STRANGER = -1  # code of what shows no identity of the split


@dataclass(frozen=True)
class Index:
    """What is searched.

    Attributes:
        rows: (G,) embedding rows, all different.
        codes: (G,) identity of each; -1 for distractors and fillers.
    """

    rows: Rows
    codes: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class GalleryResult:
    """What the protocol found.

    Attributes:
        figures: ``recall@1``, ``recall@5``, ``recall@10``, ``map``, ``minp``, ``r_precision``.
        values: by figure, (Q,) its value for each query; NaN for lone ones.
        first_ranks: (Q,) int64 rank of each query's first right picture, from 1; 0 for lone ones.
        codes: (Q,) identity of each query.
        queries: (Q,) embedding row of each query.
        n_lone: queries whose identity has no other view; in no figure.
        n_distractors: distractors in the index.
        n_fillers: fillers in the index.
        n_indexed: pictures in the index, queries included.
    """

    figures: dict[str, Interval]
    values: dict[str, NDArray[np.float64]]
    first_ranks: NDArray[np.int64]
    codes: NDArray[np.int64]
    queries: Rows
    n_lone: int
    n_distractors: int
    n_fillers: int
    n_indexed: int

    def as_dict(self) -> dict[str, Any]:
        """Return figures and counts, JSON-ready."""
        counts = {name: getattr(self, name) for name in ("n_lone", "n_distractors", "n_fillers", "n_indexed")}
        return {**{name: figure.as_dict() for name, figure in self.figures.items()}, **counts}

    def slice(self, chosen: NDArray[np.bool_], *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
        """Return the figures of some of the queries against the same index.

        Args:
            chosen: (Q,) which.
            resamples: of each interval.
            seed: of each interval.
        """
        return _figures({name: each[chosen] for name, each in self.values.items()}, self.codes[chosen], resamples, seed)


@dataclass(frozen=True)
class NearestOthers:
    """What comes nearest to each view without being of its identity.

    Attributes:
        rows: (Q,) embedding row; -1 if there is nothing else.
        scores: (Q,) float32; -inf if there is nothing else.
        answers: (Q,) embedding row of the best other view of the identity; -1 for lone queries.
        answer_scores: (Q,) float32; NaN for lone queries.
    """

    rows: Rows
    scores: NDArray[np.float32]
    answers: Rows
    answer_scores: NDArray[np.float32]


def index_of(placed: PlacedSamples, fillers: Rows | None = None) -> Index:
    """Put all views, all distractors and some fillers into an index.

    Args:
        placed: the identities.
        fillers: (F,) rows of pictures that show none of them.
    """
    strangers = np.concatenate([placed.distractor_rows, np.zeros(0, np.int64) if fillers is None else fillers])
    rows = np.concatenate([placed.view_rows, strangers])
    codes = np.concatenate([placed.view_codes, np.full(len(strangers), _STRANGER, np.int64)])
    return Index(rows, codes)


def evaluate_gallery(
    placed: PlacedSamples,
    embeddings: Embeddings,
    *,
    fillers: Rows | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> GalleryResult:
    """Rank the index for every view.

    Args:
        placed: the identities.
        embeddings: (R, D) float32 unit rows.
        fillers: (F,) rows of pictures that show none of them.
        resamples: of each interval.
        seed: of each interval.

    Returns:
        The figures. If every query is lone they are NaN and say so.
    """
    index = index_of(placed, fillers)
    ranks = rank_views(placed, embeddings, index)
    values = query_values(ranks)
    return GalleryResult(
        figures=_figures(values, placed.view_codes, resamples, seed),
        values=values,
        first_ranks=_first_ranks(ranks),
        codes=placed.view_codes,
        queries=placed.view_rows,
        n_lone=int(np.isnan(values["map"]).sum()),
        n_distractors=len(placed.distractor_rows),
        n_fillers=0 if fillers is None else len(fillers),
        n_indexed=len(index.rows),
    )


def with_fillers(
    placed: PlacedSamples, embeddings: Embeddings, fillers: Rows, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, GalleryResult]:
    """Rank indexes that are diluted with more and more fillers.

    Args:
        placed: the identities.
        embeddings: (R, D) float32 unit rows.
        fillers: (F,) rows of pictures that show none of them.
        resamples: of each interval.
        seed: of each interval, and of which fillers come first.

    Returns:
        By "1x", "10x" and "100x" the size of the index without fillers, as far as they suffice; if not for 100x, by
        "all" for all of them. A larger index holds what a smaller one does.
    """
    shuffled = np.random.default_rng(seed).permutation(fillers)
    size = len(index_of(placed).rows)
    counts = {f"{factor}x": factor * size for factor in FILLER_FACTORS if factor * size <= len(fillers)}
    if len(fillers) and len(fillers) not in counts.values() and "100x" not in counts:
        counts["all"] = len(fillers)
    return {
        name: evaluate_gallery(placed, embeddings, fillers=shuffled[:count], resamples=resamples, seed=seed)
        for name, count in counts.items()
    }


def rank_views(placed: PlacedSamples, embeddings: Embeddings, index: Index) -> RelevantRanks:
    """Rank the other views of its identity for every view, which stand first in ``index`` as in ``placed``."""
    queries = embeddings[placed.view_rows]
    own_places = np.arange(len(queries), dtype=np.int64)
    return relevant_ranks(queries, placed.view_codes, embeddings[index.rows], index.codes, exclude=own_places)


def query_values(ranks: RelevantRanks) -> dict[str, NDArray[np.float64]]:
    """Return every figure of every query, NaN for lone ones."""
    return {
        **{f"recall@{k}": recall_at_k(ranks, k=k) for k in CUT_OFFS},
        "map": average_precision(ranks),
        "minp": inverse_negative_penalty(ranks),
        "r_precision": r_precision(ranks),
    }


def _first_ranks(ranks: RelevantRanks) -> NDArray[np.int64]:
    found = np.zeros(len(ranks.counts), np.int64)
    answered = ranks.counts > 0
    found[answered] = ranks.ranks[ranks.offsets[:-1][answered]]
    return found


def nearest_others(placed: PlacedSamples, embeddings: Embeddings, fillers: Rows | None = None) -> NearestOthers:
    """Find what comes nearest to each view without being of its identity, and its identity's best other view.

    Args:
        placed: the identities.
        embeddings: (R, D) float32 unit rows.
        fillers: (F,) rows in the index, too.

    Raises:
        ShapeError: if ``embeddings`` is not as described.
    """
    check_unit_rows(embeddings)
    index = index_of(placed, fillers)
    places, scores = best_wrong(embeddings[placed.view_rows], placed.view_codes, embeddings[index.rows], index.codes)
    answers, answer_scores = best_own(placed, embeddings)
    return NearestOthers(np.where(places >= 0, index.rows[places], -1), scores, answers, answer_scores)


def best_wrong(
    queries: Embeddings, codes: NDArray[np.int64], gallery: Embeddings, gallery_codes: NDArray[np.int64]
) -> tuple[Rows, NDArray[np.float32]]:
    """Find what comes nearest to each query without being of its identity.

    Args:
        queries: (Q, D) float32 unit rows.
        codes: (Q,) identity of each.
        gallery: (G, D) float32 unit rows, at least one.
        gallery_codes: (G,) identity of each.

    Returns:
        (Q,) rows of the gallery, -1 if there is nothing else, and (Q,) scores, -inf if there is nothing else.
    """
    # All of the query's identity may come first; the next hit is of another.
    deepest = int(np.bincount(codes).max()) + 1
    everything = np.arange(len(queries), dtype=np.int64)
    scores, places = search_rows(partial(top_k, gallery=gallery, k=deepest), queries, everything)
    wrong = gallery_codes[places] != codes[:, None]
    some = wrong.any(axis=1)
    first = (np.arange(len(queries)), wrong.argmax(axis=1))
    return np.where(some, places[first], -1), np.where(some, scores[first], -np.inf).astype(np.float32)


def best_own(placed: PlacedSamples, embeddings: Embeddings) -> tuple[Rows, NDArray[np.float32]]:
    """Find the best other view of each view's identity.

    Args:
        placed: the identities.
        embeddings: (R, D) float32 unit rows.

    Returns:
        (V,) embedding rows, -1 for lone views, and (V,) scores, NaN for lone views.
    """
    answers = np.full(len(placed.view_rows), -1, np.int64)
    scores = np.full(len(answers), np.nan, np.float32)
    place = 0
    for sample in placed.rows:
        rows = np.array([view.view for view in sample.views], np.int64)
        for row in rows:
            others = rows[rows != row]
            if len(others):
                found = pair_scores(embeddings[row], embeddings[others])
                answers[place], scores[place] = others[found.argmax()], found.max()
            place += 1
    return answers, scores


def _figures(
    values: dict[str, NDArray[np.float64]], codes: NDArray[np.int64], resamples: int, seed: int
) -> dict[str, Interval]:
    intervals = {}
    for name, each in values.items():
        interval = bootstrap_interval(each, codes, resamples=resamples, seed=seed)
        intervals[name] = interval if interval.n else Interval.none(_NO_ANSWER)
    return intervals
