"""Which score should an identity of several views have, and a thing that is asked with several pictures?

Reads one split that `render_identities.py` made. Every way to divide the views of an identity into two enrolled and two
asked is tried: once each picture alone, once both as a set. Known things are asked among all identities; strangers
are the same pictures asked without their own identity.

Gallery side: `best` view (what the product does), `mean` of the scores of the views, `prototype` (score with the mean
of the views, scaled to unit length), `medoid` (the view most like the others; of two, the first). Query side: `mean` of
the scores view by view (what `--same` does), `each best` (mean over pictures of each picture's own best view), `unit
mean` (score with the pictures' mean, scaled to unit length), `highest` (the surest picture decides).

Prints a Markdown table and writes `results/sets.json`: rank-1 and FNIR at two rates, with 95 % intervals over
identities, and the paired difference of rank-1 to what the product does.

    python benchmarks/sets.py identities/val
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from encoded_identities import encode_identities
from numpy.typing import NDArray
from record import load_average, write_result

from nearid_search.errors import DatasetError
from nearid_search.eval.intervals import bootstrap_interval, bootstrap_statistic
from nearid_search.eval.metrics import fnir_at_fpir
from nearid_search.similarity import unit_rows

ENROLLED = ASKED = 2
RATES = (0.01, 0.05)
_RESAMPLES = 1_000

Scores = NDArray[np.float64]
"""(I, Q, I, V): of each asked view of each thing with each enrolled view of each identity; fewer axes once merged."""


def prototypes(views: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of each identity's views, (I, D), scaled to unit length; ``views`` is (I, V, D)."""
    return unit_rows(views.mean(axis=1)).astype(np.float64)


GALLERY: dict[str, Callable[[NDArray[np.float32], NDArray[np.float32]], Scores]] = {
    "best": lambda asked, enrolled: _products(asked, enrolled).max(axis=-1),
    "mean": lambda asked, enrolled: _products(asked, enrolled).mean(axis=-1),
    "prototype": lambda asked, enrolled: np.einsum("aqd,bd->aqb", asked, prototypes(enrolled)),
    "medoid": lambda asked, enrolled: _products(asked, enrolled)[..., 0],
}
"""By name, the score of each asked view with each identity, (I, V, I)."""


def _products(asked: NDArray[np.float32], enrolled: NDArray[np.float32]) -> Scores:
    products: Scores = np.einsum("aqd,bgd->aqbg", asked.astype(np.float64), enrolled.astype(np.float64))
    return products


def set_scores(asked: NDArray[np.float32], enrolled: NDArray[np.float32]) -> dict[str, Scores]:
    """Return by rule the score of each set with each identity, (I, I)."""
    products = _products(asked, enrolled)
    lengths = np.linalg.norm(asked.mean(axis=1), axis=1)[:, None]
    means = np.einsum("aqd,bd->aqb", asked, prototypes(enrolled))
    return {
        "mean, best": products.mean(axis=1).max(axis=-1),
        "unit mean, best": products.mean(axis=1).max(axis=-1) / lengths,
        "each best, best": products.max(axis=-1).mean(axis=1),
        "highest, best": products.max(axis=-1).max(axis=1),
        "mean, mean": products.mean(axis=(1, 3)),
        "mean, prototype": means.mean(axis=1),
        "unit mean, prototype": means.mean(axis=1) / lengths,
    }


def main() -> None:
    """Encode, score and write what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="one split of a rendered set")
    parser.add_argument("--identities", type=int, help="take so many, chosen by the seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="keep the embeddings in this .npz file")
    parser.add_argument("--name", default="sets", help="of the result")
    arguments = parser.parse_args()
    before = load_average()
    encoded = encode_identities(
        arguments.folder, most=arguments.identities, distractors=False, seed=arguments.seed, cache=arguments.cache
    )
    names, counts = np.unique(encoded.identities, return_counts=True)
    whole = names[counts == ENROLLED + ASKED]
    if len(whole) < 2:
        raise DatasetError(f"{len(whole)} identities have {ENROLLED + ASKED} views: give a split with more of them")
    views = np.stack([encoded.embeddings[encoded.identities == name] for name in whole])
    rows = compare(views, seed=arguments.seed)
    print_table(rows)
    sys.stdout.flush()
    write_result(
        arguments.name,
        {"identities": len(whole), "encoder": encoded.fingerprint, "seed": arguments.seed, "rules": rows},
        load_before=before,
    )


def compare(views: NDArray[np.float32], *, seed: int) -> dict[str, dict[str, Any]]:
    """Return the figures of every rule.

    Args:
        views: (I, V, D) float32 unit rows.
        seed: of the intervals.
    """
    found: dict[str, list[tuple[NDArray[np.float64], ...]]] = {}
    places = set(range(views.shape[1]))
    for asked in combinations(sorted(places), ASKED):
        questions, enrolled = views[:, list(asked)], views[:, sorted(places - set(asked))]
        for name, rule in GALLERY.items():
            scores = rule(questions, enrolled)
            for number in range(ASKED):
                found.setdefault(f"one picture, {name}", []).append(_answers(scores[:, number]))
        for name, scores in set_scores(questions, enrolled).items():
            found.setdefault(f"set: {name}", []).append(_answers(scores))
    answers = {name: tuple(np.concatenate(each) for each in zip(*parts, strict=True)) for name, parts in found.items()}
    usual = {"one picture": "one picture, best", "set": "set: mean, best"}
    return {
        name: _figures(each, answers[usual[name.partition(",")[0].partition(":")[0]]], len(views), seed)
        for name, each in answers.items()
    }


def _answers(scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the score of each thing's own identity, and the best of the others."""
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    return np.diagonal(scores).copy(), others.max(axis=1)


def _figures(
    answers: tuple[NDArray[np.float64], ...], usual: tuple[NDArray[np.float64], ...], identities: int, seed: int
) -> dict[str, Any]:
    own, other = answers
    right, before = own > other, usual[0] > usual[1]
    clusters = np.arange(len(own)) % identities
    sampling: dict[str, Any] = {"resamples": _RESAMPLES, "seed": seed}

    def fnir(rate: float) -> dict[str, Any]:
        return bootstrap_statistic(
            lambda rows: fnir_at_fpir(np.maximum(own, other)[rows], right[rows], other[rows], rate).value,
            clusters,
            **sampling,
        ).as_dict()

    return {
        "rank1": bootstrap_interval(right.astype(np.float64), clusters, **sampling).as_dict(),
        "rank1_gain": bootstrap_interval(right.astype(np.float64) - before, clusters, **sampling).as_dict(),
        **{f"fnir@fpir={rate}": fnir(rate) for rate in RATES},
        "median_stranger": float(np.median(other)),
    }


def print_table(rows: dict[str, dict[str, Any]]) -> None:
    """Print a Markdown table."""
    print("| rule | rank-1 | less the product's | FNIR at FPIR 1 % | FNIR at FPIR 5 % |")
    print("|---|---|---|---|---|")
    for name, figures in rows.items():
        cells = [_cell(figures[key], key == "rank1_gain") for key in ("rank1", "rank1_gain", *_keys())]
        print(f"| {name} | {' | '.join(cells)} |")


def _keys() -> list[str]:
    return [f"fnir@fpir={rate}" for rate in RATES]


def _cell(figure: dict[str, Any], signed: bool) -> str:
    form = "{:+.3f}" if signed else "{:.3f}"
    value, low, high = (form.format(figure[key]) for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


if __name__ == "__main__":
    main()
