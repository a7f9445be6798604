"""Groups that the views of one identity come apart into."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def split_off(within: NDArray[np.float32]) -> Iterator[tuple[int, ...]]:
    """Yield the groups of views that may be another thing: every single one, and what an edge of the tree cuts off.

    Args:
        within: (V, V) scores of the views with each other, the diagonal -inf.
    """
    count = len(within)
    if count < 2:
        return
    yield from ((place,) for place in range(count))
    edges = maximum_spanning_tree(within)
    below = [{place} for place in range(count)]
    for source, place in reversed(edges):  # whatever hangs on a place joined the tree after it
        below[source] |= below[place]
    for _, place in edges:
        cut = below[place]
        smaller = min((sorted(cut), sorted(set(range(count)) - cut)), key=lambda side: (len(side), side))
        if len(smaller) > 1:
            yield tuple(smaller)


def maximum_spanning_tree(scores: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the edges of Prim's tree over all views; ties go to the lower place."""
    outside = set(range(1, len(scores)))
    best = scores[0].copy()
    source = np.zeros(len(scores), np.int64)
    edges = []
    while outside:
        place = min(outside, key=lambda place: (-best[place], place))
        outside.remove(place)
        edges.append((int(source[place]), place))
        nearer = scores[place] > best
        best[nearer], source[nearer] = scores[place][nearer], place
    return edges
