"""Rungs that look at pictures: those of the shortlist are read again, for as long as the time lasts.

The best view of every identity comes first. Several pictures of one query are each compared with a view before the next
view is read, so that a view is read once, and what it scores is the mean over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from nearid_search.errors import UnreadableImageError
from nearid_search.image_encoder import Image
from nearid_search.rerank.rung import Deadline, Rescored, best_views, out_of_time, stopped_after
from nearid_search.rerank.shortlist import Shortlist

IDENTITIES, VIEWS = 10, 1
"""Identities that are looked at, and views of each."""

Query = TypeVar("Query")
View = TypeVar("View")


class Look(Protocol[Query, View]):
    """One way of comparing a query's picture with a view's.

    Attributes:
        plain_share: weight in [0, 1] of the plain score in what an image scores; the rest is this comparison's.
    """

    plain_share: float

    def at_query(self, picture: Image) -> Query:
        """Look at a query's picture.

        Raises:
            UnreadableImageError: if it cannot be read.
        """
        ...

    def at_view(self, picture: Path) -> View:
        """Look at a picture of the gallery; raises as ``at_query`` does."""
        ...

    def compare(self, query: Query, view: View) -> float:
        """Return how alike the two are; higher is more alike."""
        ...


class PictureRung(Generic[Query, View]):
    """A rung that compares pictures in one way.

    Args:
        look: the way.
        file_of: gives the picture file of a gallery row; None if there never was one.
    """

    needs_picture = True

    def __init__(self, look: Look[Query, View], file_of: Callable[[int], Path | None]) -> None:
        self._look, self._file_of = look, file_of

    def __call__(self, shortlist: Shortlist, pictures: Sequence[Image], deadline: Deadline) -> Rescored:
        """Score as many of the best views as time allows; see ``Rung``."""
        seen, longest = [], 0.0
        for picture in pictures:
            if deadline.left < longest:
                return out_of_time(deadline, 0)
            started = deadline.spent
            seen.append(self._look.at_query(picture))
            longest = max(longest, deadline.spent - started)
        places: list[int] = []
        scores: list[float] = []
        gone: list[str] = []
        remarks: list[str] = []
        for place in best_views(shortlist, identities=IDENTITIES, views=VIEWS).tolist():
            if deadline.left < longest:
                remarks.append(stopped_after(deadline, len(set(shortlist.codes[places].tolist()))))
                break
            started = deadline.spent
            try:
                view = self._view_of(int(shortlist.rows[place]))
            except UnreadableImageError as error:
                gone.append(error.path)
                continue
            places.append(place)
            scores.append(float(np.mean([self._look.compare(query, view) for query in seen])))
            longest = max(longest, deadline.spent - started)
        if not places and remarks:
            return out_of_time(deadline, 0)
        if gone:
            remarks.append(f"{len(gone)} pictures cannot be read any more, such as {gone[0]}")
        share = self._look.plain_share
        mixed = share * shortlist.scores[places] + (1 - share) * np.asarray(scores, np.float32)
        return Rescored(shortlist.codes[places], mixed.astype(np.float32), tuple(remarks))

    def _view_of(self, row: int) -> View:
        file = self._file_of(row)
        if file is None:
            raise UnreadableImageError("one that is no file of this machine", "has no picture")
        return self._look.at_view(file)
