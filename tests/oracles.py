"""Slow, obvious versions of everything fast."""

import numpy as np
from numpy.typing import NDArray


def top_k(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], *, k: int, allowed: list[int] | None = None
) -> tuple[list[list[float]], list[list[int]]]:
    """Score every allowed row of every query on its own and sort: best first, ties by row number."""
    scores, rows = [], []
    for query in queries:
        ranked = sorted(
            (-float(score(query, gallery[row])), row) for row in (range(len(gallery)) if allowed is None else allowed)
        )
        scores.append([-negative for negative, _ in ranked[:k]])
        rows.append([row for _, row in ranked[:k]])
    return scores, rows


def score(left: NDArray[np.float32], right: NDArray[np.float32]) -> np.float32:
    """Dot product in float64, rounded once to float32."""
    return np.float32((left.astype(np.float64) * right.astype(np.float64)).sum())
