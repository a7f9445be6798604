"""Look at enrolled views for two mistakes: a picture of something else in an identity, and one thing under two names.

What is usual is taken from the gallery: how well views of one identity find another view of it. A view that does so far
worse than nearly all is an outlier. A view that is nearer to one of another identity than to its own, and as near as
two views of one identity usually are, may show that other thing. Both are doubts for a person to settle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nearid_search.enrolled import EnrolledImages
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.review.view_sample import choose_views
from nearid_search.indexer.search.backend import VectorBackend
from nearid_search.indexer.search.gallery_backend import open_gallery_backend
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.indexer.search.row_keys import KEY_LENGTH, find_keys
from nearid_search.indexer.search.stored_index import OnWarning
from nearid_search.ranking import RankedIdentity, rank_many
from nearid_search.reports import Doubt, EnrolmentReport
from nearid_search.similarity import Rows, pair_scores

MOST_VIEWS = 2_000
"""Views looked at, at most: a search each."""

MOST_DOUBTS = 20
"""Doubts named of each kind, the worst ones."""

LEAST_USUAL = 20
"""Views of identities that have two or more, to say what is usual."""

_USUAL = 500
_AT_ONCE = 256
_OWN_VIEWS = 1_000
_WHISKER = 1.5  # of Tukey's fences


@dataclass(frozen=True)
class _Usual:
    """What scores two views of one identity have in this gallery.

    Attributes:
        fence: below it a view is an outlier: the lower quartile less 1.5 times the distance of the quartiles.
        median: from it on views of two identities look like those of one.
    """

    fence: float
    median: float


def check_enrolment(
    gallery: Gallery, *, keys: frozenset[str] | None = None, seed: int = 0, on_warning: OnWarning
) -> EnrolmentReport:
    """Look for outliers among views, and for identities too close to another.

    Args:
        gallery: the gallery.
        keys: the images to look at; None for all. Of more than 2,000 a sample is taken that spares no identity it need
            not spare.
        seed: of the samples.
        on_warning: told in one line of a search index that is damaged or covers little.

    Returns:
        The doubts, worst first within each kind; none, with the reason, if too few identities have two views.
    """
    rows = gallery.rows()
    backend = open_gallery_backend(gallery, rows, on_warning=on_warning)
    images = EnrolledImages(gallery, rows)
    rng = np.random.default_rng(seed)
    wanted = np.arange(len(rows)) if keys is None else find_keys(rows.keys, np.asarray(sorted(keys), f"S{KEY_LENGTH}"))
    asked = choose_views(wanted[wanted >= 0], images.codes, MOST_VIEWS, rng)
    several = np.flatnonzero(images.num_views[images.codes] > 1)
    if not len(asked) or len(several) < LEAST_USUAL:
        reason = f"{len(several)} views belong to identities of two or more, and it takes {LEAST_USUAL}"
        return EnrolmentReport(checked=0, of=len(wanted), doubts=(), reason=reason if len(asked) else "")
    views = _Views(rows, images, backend)
    usual = _usual([views.best_own(view)[0] for view in choose_views(several, images.codes, _USUAL, rng).tolist()])
    outliers, close = [], []
    for view, ranked in views.strangers(asked):
        own, nearest_own = views.best_own(view)
        if own < usual.fence:
            outliers.append(_doubt(images, "outlier", view, nearest_own, own))
        other = float(ranked[0].scores[0]) if ranked else -1.0
        if other >= usual.median and not own >= other:  # without another view there is no own score: NaN
            close.append(_doubt(images, "close", view, int(ranked[0].rows[0]), other))
    outliers.sort(key=lambda doubt: doubt.score)
    found = (*outliers[:MOST_DOUBTS], *_one_a_pair(close)[:MOST_DOUBTS])
    return EnrolmentReport(checked=len(asked), of=len(wanted), doubts=found)


class _Views:
    """What each view is most like, within its identity and outside."""

    def __init__(self, rows: GalleryRows, images: EnrolledImages, backend: VectorBackend) -> None:
        self._rows = rows
        self._codes = images.codes
        self._backend = backend
        order = np.argsort(images.codes, kind="stable")
        self._rows_of = np.split(order, np.cumsum(images.num_views)[:-1])

    def best_own(self, view: int) -> tuple[float, int]:
        """Return the best score with another view of the same identity, and its row; NaN and -1 without one."""
        others = self._rows_of[self._codes[view]]
        others = others[others != view][:_OWN_VIEWS]
        if not len(others):
            return float("nan"), -1
        vectors = self._rows.vectors_of(np.append(others, view))
        scores = pair_scores(vectors[-1], vectors[:-1])
        return float(scores.max()), int(others[scores.argmax()])

    def strangers(self, views: Rows) -> Iterator[tuple[int, list[RankedIdentity]]]:
        """Yield each view with the other identities that it is most like."""
        for start in range(0, len(views), _AT_ONCE):
            block = views[start : start + _AT_ONCE]
            hidden = partial(_is_own, self._codes, self._codes[block])
            found = rank_many(self._backend, self._rows.vectors_of(block), self._codes, k=1, hidden=hidden)
            yield from zip(block.tolist(), found, strict=True)


def _is_own(codes: NDArray[np.int64], owners: NDArray[np.int64], number: int, found: Rows) -> NDArray[np.bool_]:
    own: NDArray[np.bool_] = codes[found] == owners[number]
    return own


def _usual(scores: list[float]) -> _Usual:
    low, median, high = np.quantile(np.asarray(scores), [0.25, 0.5, 0.75])
    return _Usual(fence=float(low - _WHISKER * (high - low)), median=float(median))


def _doubt(images: EnrolledImages, kind: str, view: int, other: int, score: float) -> Doubt:
    return Doubt(
        kind=kind,
        identity=images.identity_at(view),
        path=images.path_at(view),
        other_identity=images.identity_at(other),
        other_path=images.path_at(other),
        score=score,
    )


def _one_a_pair(doubts: list[Doubt]) -> list[Doubt]:
    """Keep the closest pictures of every two identities, closest first."""
    kept: dict[frozenset[str], Doubt] = {}
    for doubt in sorted(doubts, key=lambda doubt: -doubt.score):
        kept.setdefault(frozenset((doubt.identity, doubt.other_identity)), doubt)
    return list(kept.values())
