"""How different two pictures of things look: CIELAB distances of their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from identity_renderer.colour import to_lab

VISIBLE = 10.0
"""A distance that anyone sees at a glance; 2 is just noticeable side by side."""


def changed_share(
    first: NDArray[np.uint8], second: NDArray[np.uint8], free: NDArray[np.bool_], above: float = VISIBLE
) -> float:
    """Return the share of what either picture shows that differs visibly between them.

    Args:
        first: (S, S, 4) uint8, premultiplied sRGB and coverage of a thing.
        second: the same of another thing.
        free: (S, S), pixels that nothing else covers.
        above: CIELAB distance from which on a colour counts as changed.

    Returns:
        0 to 1: pixels that only one covers, or that both cover in different colours, over pixels that one covers; 0 if
        there are none.
    """
    covered = (first[:, :, 3] > 127) & free, (second[:, :, 3] > 127) & free
    either, both = covered[0] | covered[1], covered[0] & covered[1]
    # Colours at an edge are premultiplied by a part of the coverage and say nothing.
    inside = both & (first[:, :, 3] == 255) & (second[:, :, 3] == 255)
    distance = np.linalg.norm(to_lab(first[inside][:, :3] / 255) - to_lab(second[inside][:, :3] / 255), axis=-1)
    changed = int((covered[0] ^ covered[1]).sum()) + int((distance > above).sum())
    return changed / max(int(either.sum()), 1)
