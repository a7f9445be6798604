"""The rungs of re-ranking by the book: over the whole gallery, one image at a time, in plain Python."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]


def cosine(left: Vectors, right: Vectors) -> float:
    return float(left @ right / math.sqrt((left @ left) * (right @ right)))


def nearest(own: int, others: Sequence[int], vectors: Vectors, count: int) -> list[int]:
    """The others with the highest score, ties by their order."""
    return sorted((o for o in others if o != own), key=lambda o: -cosine(vectors[own], vectors[o]))[:count]


def expanded(query: Vectors, gallery: Vectors, found: int, alpha: float) -> list[float]:
    """Every image's score with the sum of the query and the best images, each weighted by a power of its score."""
    scores = [cosine(query, image) for image in gallery]
    best = sorted(range(len(gallery)), key=lambda row: -scores[row])[:found]
    total = query + sum(max(scores[row], 0) ** alpha * gallery[row] for row in best)
    return [cosine(total, image) for image in gallery]


def averaged(
    query: Vectors, gallery: Vectors, codes: Sequence[int] | None, order: Sequence[int], count: int
) -> list[float]:
    """Every image's score once averaged: with mutual neighbours or, given identities, with the nearest of its own."""
    scores = []
    for row in range(len(gallery)):
        if codes is None:
            joined = [o for o in nearest(row, order, gallery, count) if row in nearest(o, order, gallery, count)]
        else:
            joined = nearest(row, [o for o in order if codes[o] == codes[row]], gallery, count)
        scores.append(cosine(query, gallery[row] + sum(gallery[o] for o in joined)))
    return scores


def reciprocal(query: Vectors, gallery: Vectors, k1: int, k2: int, plain_share: float) -> list[float]:
    """Zhong et al.: reciprocal sets, their expansion, soft weights, local averaging, Jaccard, and the mixture."""
    vectors = np.concatenate([query[None], gallery])
    everything = range(len(vectors))
    ranked = [[i, *nearest(i, everything, vectors, len(vectors))] for i in everything]

    def near(i: int, k: int) -> list[int]:
        return ranked[i][: k + 1]

    def mutual(i: int, k: int) -> set[int]:
        return {j for j in near(i, k) if i in near(j, k)}

    encoded = []
    for i in everything:
        members = mutual(i, k1)
        for j in sorted(mutual(i, k1)):
            circle = mutual(j, max(1, round(k1 / 2)))
            if len(circle & mutual(i, k1)) > 2 / 3 * len(circle):
                members |= circle
        weights = {j: math.exp(cosine(vectors[i], vectors[j]) - 1) for j in members}
        encoded.append({j: w / sum(weights.values()) for j, w in weights.items()})
    smooth = [
        {j: sum(encoded[n].get(j, 0) for n in near(i, k2 - 1)) / len(near(i, k2 - 1)) for j in everything}
        for i in everything
    ]
    scores = []
    for i in everything[1:]:
        low = sum(min(smooth[0][j], smooth[i][j]) for j in everything)
        high = sum(max(smooth[0][j], smooth[i][j]) for j in everything)
        scores.append((1 - plain_share) * low / high + plain_share * cosine(vectors[0], vectors[i]))
    return scores
