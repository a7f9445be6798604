"""What every rung of re-ranking is, and how what it scores becomes an order of identities."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nearid_search.image_encoder import Image
from nearid_search.ranking import RankedIdentity
from nearid_search.rerank.shortlist import Shortlist
from nearid_search.similarity import Rows


class Deadline:
    """The time that re-ranking one query may take, from now on.

    Args:
        milliseconds: how much.
    """

    def __init__(self, milliseconds: float) -> None:
        self.milliseconds = milliseconds
        self._started = time.perf_counter()

    @property
    def spent(self) -> float:
        """Milliseconds since it was made."""
        return 1_000 * (time.perf_counter() - self._started)

    @property
    def left(self) -> float:
        """Milliseconds that are left; negative once it is over."""
        return self.milliseconds - self.spent


class Rescored(NamedTuple):
    """What a rung says of a shortlist.

    Attributes:
        codes: (R,) identity of each image it scored; R may be 0.
        scores: (R,) their scores; higher is more alike, on a scale of the rung's own.
        remarks: why it did not score others, in a few words each.
    """

    codes: NDArray[np.int64]
    scores: NDArray[np.float32]
    remarks: tuple[str, ...] = ()


class Rung(Protocol):
    """Scores the images of a shortlist anew.

    Attributes:
        needs_picture: whether it looks at the query's picture.
    """

    needs_picture: bool

    def __call__(self, shortlist: Shortlist, pictures: Sequence[Image], deadline: Deadline) -> Rescored:
        """Score what the deadline allows.

        Args:
            shortlist: the images.
            pictures: of the query, at least one if it needs any; several show the same thing.
            deadline: when to stop.
        """
        ...


class EmbeddingRung:
    """A rung that looks at embeddings only; it takes a few milliseconds whatever the gallery holds.

    Args:
        score: gives a shortlist's scores, (S,) float32.
    """

    needs_picture = False

    def __init__(self, score: Callable[[Shortlist], NDArray[np.float32]]) -> None:
        self._score = score

    def __call__(
        self,
        shortlist: Shortlist,
        pictures: Sequence[Image],  # noqa: ARG002  (other rungs look at them)
        deadline: Deadline,
    ) -> Rescored:
        """Score the whole shortlist; see ``Rung``."""
        if deadline.left <= 0:
            return out_of_time(deadline, 0)
        return Rescored(shortlist.codes, self._score(shortlist))


def out_of_time(deadline: Deadline, identities: int) -> Rescored:
    """Return what a rung says that could score nothing, or too little to change anything."""
    none = np.empty(0, np.int64)
    return Rescored(none, none.astype(np.float32), (stopped_after(deadline, identities),))


def stopped_after(deadline: Deadline, identities: int) -> str:
    """Say that the time was over."""
    return f"stopped at its time budget of {deadline.milliseconds:g} ms after {identities} identities"


def reorder(ranked: Sequence[RankedIdentity], rescored: Rescored) -> list[RankedIdentity]:
    """Order identities by their best new score; one without a new score keeps its place.

    Args:
        ranked: identities in plain order.
        rescored: what a rung said of their images.

    Returns:
        The same identities; those that score the same stay in plain order.
    """
    best: dict[int, float] = {}
    for code, score in zip(rescored.codes.tolist(), rescored.scores.tolist(), strict=True):
        best[code] = max(score, best.get(code, score))
    places = [place for place, identity in enumerate(ranked) if identity.code in best]
    ordered = sorted(places, key=lambda place: -best[ranked[place].code])
    result = list(ranked)
    for place, source in zip(places, ordered, strict=True):
        result[place] = ranked[source]
    return result


def best_views(shortlist: Shortlist, *, identities: int, views: int) -> Rows:
    """Choose the images worth an expensive look: the best of every identity first, then the second best, and so on.

    Args:
        shortlist: the images.
        identities: most identities, in the shortlist's order.
        views: most images of each.

    Returns:
        (P,) places in the shortlist.
    """
    places: dict[int, list[int]] = {}
    for place, code in enumerate(shortlist.codes.tolist()):
        if len(places) < identities or code in places:
            places.setdefault(code, []).append(place)
    chosen = [own[turn] for turn in range(views) for own in places.values() if turn < len(own)]
    return np.asarray(chosen, np.int64)
