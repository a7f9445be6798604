"""Which other identities look like the thing in a view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nearid_search.similarity import Embeddings, top_k
from nearid_search.trainer.augment import GREY
from nearid_search.trainer.distractors.masks import BoolMask, bounding_box

_MARGIN = 0.08  # of the box, around it
_DEPTH = 16  # views looked at for each look-alike wanted


def crop_on_grey(pixels: NDArray[np.uint8], mask: BoolMask) -> NDArray[np.uint8]:
    """Cut a thing out onto a grey square, so that it is compared without its background.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, not empty.

    Returns:
        (S, S, 3) uint8 RGB.
    """
    left, top, right, bottom = bounding_box(mask)
    side = round(max(right - left, bottom - top) * (1 + 2 * _MARGIN))
    square = np.full((side, side, 3), GREY, np.uint8)
    down, across = (side - (bottom - top)) // 2, (side - (right - left)) // 2
    inside = mask[top:bottom, left:right, None]
    place = square[down : down + bottom - top, across : across + right - left]
    place[:] = np.where(inside, pixels[top:bottom, left:right], place)
    return square


def rank_lookalikes(
    embeddings: Embeddings, identities: Sequence[str], splits: Sequence[str], *, choices: int
) -> list[list[tuple[int, float]]]:
    """Rank for each view the other identities by how much they look like it, each by its best view.

    Only identities of the same split count: a thing of the test split in a training picture would be learnt.

    Args:
        embeddings: (N, D) float32 unit rows of all views.
        identities: of all views.
        splits: of all views.
        choices: identities at most.

    Returns:
        For each view, rows and their scores, best first.
    """
    ranked: list[list[tuple[int, float]]] = [[] for _ in identities]
    largest = max(Counter(identities).values(), default=0)
    for split in sorted(set(splits)):
        rows = np.flatnonzero(np.array(splits) == split)
        # Deep enough to see past a view's own identity and past several views of the same look-alike.
        scores, found = top_k(embeddings[rows], embeddings, k=largest + _DEPTH * choices, allowed=rows)
        for row, row_scores, row_found in zip(rows.tolist(), scores, found, strict=True):
            best: dict[str, tuple[int, float]] = {}
            for other, score in zip(row_found.tolist(), row_scores.tolist(), strict=True):
                if identities[other] != identities[row] and len(best) < choices:
                    best.setdefault(identities[other], (other, score))
            ranked[row] = list(best.values())
    return ranked
