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
    for left_out in range(len(edges)):
        cut = _reached(0, [edge for number, edge in enumerate(edges) if number != left_out])
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


def _reached(start: int, edges: list[tuple[int, int]]) -> set[int]:
    reached, grown = {start}, True
    while grown:
        more = {place for edge in edges if reached & set(edge) for place in edge}
        grown = not more <= reached
        reached |= more
    return reached
