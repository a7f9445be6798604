"""A sample of a gallery's views that leaves out as few identities as it can."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nearid_search.similarity import Rows


def choose_views(rows: Rows, codes: NDArray[np.int64], most: int, rng: np.random.Generator) -> Rows:
    """Choose views at random so that as many identities as possible have one, then two and so on.

    Args:
        rows: (R,) rows to choose from.
        codes: (G,) identity of every row of the gallery.
        most: how many to choose.
        rng: the source of chance.

    Returns:
        Up to ``most`` rows, sorted.
    """
    mixed = rng.permutation(rows)
    order = np.argsort(codes[mixed], kind="stable")
    starts = np.flatnonzero(np.diff(codes[mixed][order], prepend=-1))
    turns = np.empty(len(mixed), np.int64)
    turns[order] = np.arange(len(mixed)) - np.repeat(starts, np.diff(np.append(starts, len(mixed))))
    return np.sort(mixed[np.argsort(turns, kind="stable")[:most]])
