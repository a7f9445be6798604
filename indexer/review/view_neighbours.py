"""Who stored views look like: within their identity, and beyond it; asked in batches, whatever searches the gallery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.search.backend import VectorBackend
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.ranking import RankedIdentity, rank_many
from nearid_search.similarity import Embeddings, Rows, pair_scores

VIEWS_AN_IDENTITY = 64
"""Views of one identity that are looked at, at most: what a thing looks like is known long before that."""
_OTHERS = 8  # other identities known of a view; if people have ruled out all of them, it has no neighbour
_VIEWS_AT_ONCE = 256

OnViews = Callable[[int, int], None]


class Neighbour(NamedTuple):
    """The view of another identity that is nearest to a view.

    Attributes:
        code: number of the other identity.
        row: gallery row of its view.
        score: of the two.
    """

    code: int
    row: int
    score: float


@dataclass(frozen=True)
class AskedIdentity:
    """One identity and what its views look like.

    Attributes:
        code: its number.
        rows: (V,) gallery rows of the views looked at.
        vectors: (V, D) float32 their embeddings.
        within: (V, V) float32 scores of its views with each other; the diagonal is -inf.
        others: of each view the nearest other identities, nearest first.
    """

    code: int
    rows: NDArray[np.int64]
    vectors: Embeddings
    within: NDArray[np.float32]
    others: list[list[Neighbour]]

    @property
    def own(self) -> float | None:
        """Mean over its views of the score with the nearest other view of it; None of a single view."""
        return float(self.within.max(axis=1).mean()) if len(self.rows) > 1 else None

    def with_other(self, other: AskedIdentity) -> float:
        """Return the same with another identity: the lower of both directions, so a single view cannot make it high."""
        scores = np.stack([pair_scores(view, other.vectors) for view in self.vectors])
        return float(min(scores.max(axis=1).mean(), scores.max(axis=0).mean()))


def scores_within(vectors: Embeddings) -> NDArray[np.float32]:
    """Return the scores of views of one identity with each other, (V, V) float32, the diagonal -inf.

    Args:
        vectors: (V, D) float32 their embeddings.
    """
    within = np.stack([pair_scores(view, vectors) for view in vectors])
    np.fill_diagonal(within, -np.inf)
    return within


def draw_views(
    codes: NDArray[np.int64], *, views: int, seed: int, among: Rows | None = None
) -> dict[int, NDArray[np.int64]]:
    """Draw identities at random until they have so many views; of each some views, in order of their rows.

    Args:
        codes: (G,) identity number of every gallery row.
        views: how many, about; a small gallery is drawn whole.
        seed: of the draw.
        among: (R,) rows whose identities are drawn, and which come first where an identity has too many; None: all.

    Returns:
        Rows by identity number.
    """
    rng = np.random.default_rng(seed)
    by_code = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[by_code], np.arange(int(codes.max(initial=-1)) + 2))
    first = np.zeros(len(codes), bool)
    first[slice(None) if among is None else among] = True
    chosen: dict[int, NDArray[np.int64]] = {}
    total = 0
    for code in rng.permutation(np.unique(codes[first])).tolist():
        if total >= views:
            break
        chosen[code] = views_of(by_code[starts[code] : starts[code + 1]], rng, first=first)
        total += len(chosen[code])
    return chosen


def views_of(
    rows: NDArray[np.int64], rng: np.random.Generator, *, first: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Return the views of one identity that are looked at.

    Args:
        rows: (V,) all of them.
        rng: draws where they are too many.
        first: (G,) which rows of the gallery are drawn before others; None for none.
    """
    if len(rows) <= VIEWS_AN_IDENTITY:
        return rows
    mixed = rng.permutation(rows)
    if first is not None:
        mixed = mixed[np.argsort(~first[mixed], kind="stable")]
    return np.sort(mixed[:VIEWS_AN_IDENTITY])


def ask_views(
    chosen: dict[int, NDArray[np.int64]],
    gallery: GalleryRows,
    codes: NDArray[np.int64],
    backend: VectorBackend,
    *,
    on_views: OnViews,
) -> dict[int, AskedIdentity]:
    """Look at views of identities; memory grows with a batch and with what is returned.

    Args:
        chosen: rows to look at by identity number.
        gallery: its rows.
        codes: (G,) identity number of each.
        backend: what searches them.
        on_views: called with the views looked at and those to look at.
    """
    asked: dict[int, AskedIdentity] = {}
    batch: list[int] = []
    done, total = 0, sum(map(len, chosen.values()))
    for place, code in enumerate(chosen):
        batch.append(code)
        if sum(len(chosen[known]) for known in batch) < _VIEWS_AT_ONCE and place + 1 < len(chosen):
            continue
        rows = np.concatenate([chosen[known] for known in batch])
        vectors = gallery.vectors_of(rows)
        ranked = rank_many(backend, vectors, codes, k=_OTHERS + 1)
        start = 0
        for known in batch:
            stop = start + len(chosen[known])
            own = vectors[start:stop]
            others = [_others(found, known) for found in ranked[start:stop]]
            asked[known] = AskedIdentity(known, rows[start:stop], own, scores_within(own), others)
            start = stop
        done, batch = done + len(rows), []
        on_views(done, total)
    return asked


def _others(ranked: list[RankedIdentity], own: int) -> list[Neighbour]:
    return [Neighbour(found.code, int(found.rows[0]), float(found.scores[0])) for found in ranked if found.code != own][
        :_OTHERS
    ]
