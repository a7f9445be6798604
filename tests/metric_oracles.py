"""Slow, obvious versions of the metrics: one query, one threshold and one bin at a time, in plain Python."""

import math
from itertools import pairwise

import oracles

from nearid_search.similarity import Embeddings

# --- Rankings: a list of True and False, best first ------------------------------------------------------------------


def relevance(
    query: Embeddings, code: int, gallery: Embeddings, codes: list[int], exclude: int | None = None
) -> list[bool]:
    """Sort the gallery for one query: by score, wrong before right where scores are equal, then by row."""
    items = [
        (-float(oracles.score(query, gallery[row])), codes[row] == code, row)
        for row in range(len(gallery))
        if row != exclude
    ]
    return [right for _, right, _ in sorted(items)]


def ranks_of(ranking: list[bool]) -> list[int]:
    return [rank for rank, right in enumerate(ranking, 1) if right]


def recall_at_k(ranking: list[bool], k: int) -> float:
    return float(any(ranking[:k])) if any(ranking) else math.nan


def average_precision(ranking: list[bool]) -> float:
    precisions = [sum(ranking[:rank]) / rank for rank in ranks_of(ranking)]
    return sum(precisions) / len(precisions) if precisions else math.nan


def r_precision(ranking: list[bool]) -> float:
    return sum(ranking[: sum(ranking)]) / sum(ranking) if any(ranking) else math.nan


def inverse_negative_penalty(ranking: list[bool]) -> float:
    return sum(ranking) / max(ranks_of(ranking)) if any(ranking) else math.nan


# --- Open set --------------------------------------------------------------------------------------------------------


def threshold_at(impostors: list[float], rate: float) -> float:
    """Try every threshold that changes anything, lowest first."""
    return next(t for t in [-math.inf, *sorted(impostors)] if share_above(impostors, t) <= rate)


def share_above(scores: list[float], threshold: float) -> float:
    return sum(score > threshold for score in scores) / len(scores) if scores else math.nan


def fnir(scores: list[float], correct: list[bool], threshold: float) -> float:
    missed = [not (right and score > threshold) for score, right in zip(scores, correct, strict=True)]
    return sum(missed) / len(missed) if missed else math.nan


# --- Calibration and correlation -------------------------------------------------------------------------------------


def expected_calibration_error(probabilities: list[float], outcomes: list[bool], uppers: list[float]) -> float:
    """Bins by their upper edges, which belong to them."""
    total = 0.0
    for lower, upper in pairwise([-math.inf, *uppers]):
        inside = [(p, o) for p, o in zip(probabilities, outcomes, strict=True) if lower < p <= upper]
        if inside:
            total += abs(sum(o for _, o in inside) - math.fsum(p for p, _ in inside))
    return total / len(probabilities) if probabilities else math.nan


def pearson(x: list[float], y: list[float]) -> float:
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    covariance = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    squares = [math.fsum((value - mean) ** 2 for value in values) for values, mean in ((x, mean_x), (y, mean_y))]
    return covariance / math.sqrt(squares[0] * squares[1])
