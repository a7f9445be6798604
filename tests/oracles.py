"""Slow, obvious versions of everything fast."""

import math

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


def group_hits(
    scores: list[float], rows: list[int], codes: list[int], *, k: int
) -> list[tuple[int, list[int], list[float]]]:
    """Walk down the hits: identities in the order of their first, each with its hits above the next listed identity."""
    order: list[int] = []
    for code in codes:
        if code not in order:
            order.append(code)
    groups = []
    for place, code in enumerate(order[:k]):
        later = set(order[place + 1 :])
        views = []
        for row, value, found in zip(rows, scores, codes, strict=True):
            if found in later:
                break
            if found == code:
                views.append((row, value))
        groups.append((code, [row for row, _ in views], [value for _, value in views]))
    return groups


# --- Training objectives: one sample, one slot and one term at a time, in float64 ------------------------------------

Vectors = NDArray[np.float64]
Mask = NDArray[np.bool_]


def nearid(
    anchors: Vectors,
    positives: Vectors,
    distractors: Vectors,
    positive_mask: Mask,
    distractor_mask: Mask,
    temperature: float,
    *,
    every_distractor: bool = False,
) -> tuple[float, float]:
    """Discrimination and ranking, each the mean of its terms or zero where it has none."""
    samples = range(len(anchors))
    own = [[g for g, valid in zip(positives[i], positive_mask[i], strict=True) if valid] for i in samples]
    nearby = [[r for r, valid in zip(distractors[i], distractor_mask[i], strict=True) if valid] for i in samples]

    slots = []
    for p in range(positives.shape[1]):
        terms = []
        for i in samples:
            if positive_mask[i, p]:
                below = [_exp_logit(anchors[i], g, temperature) for j in samples for g in own[j]]
                met = [r for j in samples for r in nearby[j]] if every_distractor else nearby[i]
                below += [_exp_logit(anchors[i], r, temperature) for r in met]
                terms.append(-math.log(_exp_logit(anchors[i], positives[i, p], temperature) / sum(below)))
        if terms:
            slots.append(sum(terms) / len(terms))

    ranks = []
    for i in samples:
        others = [_exp_logit(anchors[i], g, temperature) for j in samples if j != i for g in own[j]]
        # softplus(log(others) - logit) = log(1 + others / exp(logit))
        ranks += [math.log(1 + sum(others) / _exp_logit(anchors[i], r, temperature)) for r in nearby[i] if others]
    return _mean_or_zero(slots), _mean_or_zero(ranks)


def supcon(anchors: Vectors, positives: Vectors, positive_mask: Mask, temperature: float) -> float:
    """Every view against every other view; views without a partner have no term."""
    views = [(i, anchor) for i, anchor in enumerate(anchors)]
    views += [(i, positives[i, p]) for i, p in zip(*np.nonzero(positive_mask), strict=True)]
    losses = []
    for v, (sample, view) in enumerate(views):
        rest = [(other, _exp_logit(view, vector, temperature)) for w, (other, vector) in enumerate(views) if w != v]
        below = sum(value for _, value in rest)
        terms = [-math.log(value / below) for other, value in rest if other == sample]
        if terms:
            losses.append(sum(terms) / len(terms))
    return _mean_or_zero(losses)


def _exp_logit(left: Vectors, right: Vectors, temperature: float) -> float:
    cosine = sum(left * right) / math.sqrt(sum(left * left) * sum(right * right))
    return math.exp(cosine / temperature)


def _mean_or_zero(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def score_margins(margins: list[list[float]]) -> dict[str, float]:
    """Sample success and pairwise accuracy (arXiv 2604.01973), one line a definition."""
    samples = [[value for value in row if value == value] for row in margins]
    kept = [row for row in samples if row]
    won_all = [all(value > 0 for value in row) for row in kept]
    won_mean = [math.fsum(row) > 0 for row in kept]
    won = [value > 0 for row in kept for value in row]
    return {
        "ssr": sum(won_all) / len(kept) if kept else math.nan,
        "pa": sum(won) / len(won) if won else math.nan,
        "pa_reference": (sum(won) + sum(won_mean)) / (len(won) + len(kept)) if kept else math.nan,
        "ssr_mean": sum(won_mean) / len(kept) if kept else math.nan,
        "n_samples": len(kept),
        "n_margins": len(won),
        "n_dropped": len(samples) - len(kept),
    }
