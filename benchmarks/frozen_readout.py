"""Which frozen readout of dinov2-small tells the things of a catalogue apart best?

Each query picture is compared with every gallery picture but itself; the figure is the share whose nearest one shows
the same identity, with a 95 % interval from resampling identities. Sub-folders name identities; ``--queries`` and
``--gallery`` choose pictures by how their names begin, by default all.

    python benchmarks/frozen_readout.py
    python benchmarks/frozen_readout.py --catalogue grocery_packages --queries test_ --gallery train_
    python benchmarks/frozen_readout.py --catalogue grocery_packages --queries test_ --gallery iconic
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.dinov2_small import open_dinov2_small
from nearid_search.backbones.dinov2_small_readout import pool_layers
from nearid_search.backbones.dinov2_small_variant import WIDTH
from nearid_search.images import read_image
from nearid_search.similarity import unit_rows

CATALOGUE = Path(__file__).parents[1] / "examples" / "catalog"
SEED, RESAMPLES = 0, 2_000


def main() -> None:
    """Print one JSON line a readout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE)
    parser.add_argument("--queries", default="", help="how the names of query pictures begin")
    parser.add_argument("--gallery", default="", help="how the names of gallery pictures begin")
    options = parser.parse_args()
    chosen = (options.queries, options.gallery)
    paths = sorted(path for path in options.catalogue.glob("*/*.jpg") if path.name.startswith(chosen))
    identities = np.array([path.parent.name for path in paths])
    is_query, is_gallery = (np.array([path.name.startswith(prefix) for path in paths]) for prefix in chosen)
    readouts = _readouts(paths)
    for name, vectors in readouts.items():
        hits = _rank1_hits(unit_rows(vectors), identities, is_gallery)[is_query]
        low, high = _interval(hits, identities[is_query])
        line = {"catalogue": options.catalogue.name, "queries": options.queries, "gallery": options.gallery}
        line |= {"readout": name, "rank1": round(float(hits.mean()), 4), "low": low, "high": high, "n": len(hits)}
        line |= {"gallery_images": int(is_gallery.sum()), "identities": len(set(identities)), "seed": SEED}
        print(json.dumps({**line, "dim": vectors.shape[1]}))


def _readouts(paths: list[Path]) -> dict[str, NDArray[np.float32]]:
    backbone = open_dinov2_small("cpu", "float32")
    readouts: dict[str, list[NDArray[np.float32]]] = {}
    for path in paths:
        prepared = backbone.spec.preprocessing.resize(read_image(path).pixels)
        tokens = backbone.tokens(prepared[None])[0]
        for name, vectors in {
            "mean": tokens.mean(axis=1),
            "mean, layers of unit length": _unit_layers(tokens.mean(axis=1)),
            "maximum": tokens.max(axis=1),
            "maximum, layers of unit length": pool_layers(tokens),
        }.items():
            readouts.setdefault(name, []).append(vectors)
    return {name: np.concatenate(vectors) for name, vectors in readouts.items()}


def _unit_layers(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    layers = vectors.reshape(len(vectors), -1, WIDTH)
    unit: NDArray[np.float32] = layers / np.linalg.norm(layers, axis=2, keepdims=True)
    return unit.reshape(vectors.shape)


def _rank1_hits(
    embeddings: NDArray[np.float32], identities: NDArray[np.str_], is_gallery: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    scores = embeddings @ embeddings.T
    np.fill_diagonal(scores, -np.inf)
    scores[:, ~is_gallery] = -np.inf
    hits: NDArray[np.bool_] = identities[scores.argmax(axis=1)] == identities
    return hits


def _interval(hits: NDArray[np.bool_], identities: NDArray[np.str_]) -> tuple[float, float]:
    shares = np.array([hits[identities == identity].mean() for identity in np.unique(identities)])
    drawn = np.random.default_rng(SEED).choice(shares, (RESAMPLES, len(shares))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


if __name__ == "__main__":
    main()
