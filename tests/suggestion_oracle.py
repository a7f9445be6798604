"""Suspected duplicates and mixed identities by looking at every pair of views."""

import itertools

import numpy as np
from numpy.typing import NDArray
from oracles import score
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

Views = dict[str, NDArray[np.float32]]


def best(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return max(float(score(one, other)) for one in left for other in right)


def mean_best(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """Mean of each view's score with the nearest view of the other identity."""
    return float(np.asarray([best(one[None], right) for one in left], np.float32).mean())


def own(rows: NDArray[np.float32]) -> float | None:
    """Mean of each view's score with its nearest other view."""
    if len(rows) < 2:
        return None
    nearest = [max(float(score(rows[i], rows[j])) for j in range(len(rows)) if j != i) for i in range(len(rows))]
    return float(np.asarray(nearest, np.float32).mean())


def usual(views: Views) -> tuple[float, float]:
    """Median and lower fence of each view's score with its nearest other view."""
    scores = []
    for rows in views.values():
        for i in range(len(rows)) if len(rows) > 1 else ():
            scores.append(max(float(score(rows[i], rows[j])) for j in range(len(rows)) if j != i))
    low, median, high = np.quantile(np.asarray(scores, np.float32), [0.25, 0.5, 0.75])
    return float(median), float(low - 1.5 * (high - low))


def outliers(views: Views) -> set[tuple[str, float]]:
    """Identity and score of each view that is below the fence within its identity."""
    _, fence = usual(views)
    found = set()
    for name, rows in views.items():
        for place in range(len(rows)) if len(rows) > 1 else ():
            nearest = best(rows[place : place + 1], np.delete(rows, place, axis=0))
            if nearest < fence:
                found.add((name, nearest))
    return found


def duplicates(views: Views, *, margin: float) -> set[tuple[tuple[str, str], float]]:
    """Pairs of identities that are as near as views of one, and each other's nearest or one a single picture."""
    nearest = {
        name: max((other for other in views if other != name), key=lambda other: best(views[name], views[other]))
        for name in views
    }
    owns = {name: own(rows) for name, rows in views.items()}
    typical, fence = usual(views)
    found = set()
    for first, second in itertools.combinations(sorted(views), 2):
        back, forth = nearest[first] == second, nearest[second] == first
        if (back and forth) or (back and len(views[first]) == 1) or (forth and len(views[second]) == 1):
            near = min(mean_best(views[first], views[second]), mean_best(views[second], views[first]))
            single, several = sorted((views[first], views[second]), key=len)
            if len(single) == 1 < len(several):
                place = max(range(len(several)), key=lambda place: float(score(single[0], several[place])))
                rest = np.delete(several, place, axis=0)
                if best(several[place : place + 1], rest) >= fence:
                    near = best(single, several)
            known = [value for value in (owns[first], owns[second]) if value is not None]
            if near >= min(known, default=typical) - margin:
                found.add(((first, second), near))
    return found


def mixed(views: Views) -> set[tuple[tuple[str, str], float, float]]:
    """Of each identity the views that are nearer to another one than to the rest, by the most, and no outlier there."""
    found = set()
    _, fence = usual(views)
    for name, rows in views.items():
        suspects = []
        for part in parts(rows):
            inside = rows[list(part)]
            rest = best(inside, rows[[place for place in range(len(rows)) if place not in part]])
            near, other = max((best(inside, views[other]), other) for other in views if other != name)
            if near > rest and near >= fence:
                suspects.append((near - rest, -len(part), (name, other), near, rest))
        if suspects:
            _, _, names, near, rest = max(suspects, key=lambda suspect: suspect[:2])
            found.add((names, near, rest))
    return found


def parts(rows: NDArray[np.float32]) -> list[tuple[int, ...]]:
    """Every view, and the smaller side of what each edge of the maximum spanning tree joins."""
    count = len(rows)
    if count < 2:
        return []
    distances = np.array([[2 - float(score(left, right)) for right in rows] for left in rows])
    np.fill_diagonal(distances, 0)
    tree = minimum_spanning_tree(distances).toarray()
    found: set[tuple[int, ...]] = {(place,) for place in range(count)}
    for edge in np.argwhere(tree).tolist():
        cut = tree.copy()
        cut[tuple(edge)] = 0
        _, side = connected_components(cut, directed=False)
        sides = [tuple(np.flatnonzero(side == number).tolist()) for number in (0, 1)]
        found.add(min(sides, key=lambda places: (len(places), places)))
    return sorted(found)
