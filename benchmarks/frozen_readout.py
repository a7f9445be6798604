"""Which frozen readout of dinov2-small tells the sample catalogue's things apart best?

Every picture of the catalogue is a query against all others (80 pictures, 20 identities); the figure is the share whose
nearest other picture shows the same identity, with a 95 % interval from resampling identities.

    python benchmarks/frozen_readout.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.dinov2_small import LAYERS, open_dinov2_small, pool_layers
from nearid_search.images import read_image
from nearid_search.similarity import unit_rows

CATALOGUE = Path(__file__).parents[1] / "examples" / "catalog"
SEED, RESAMPLES = 0, 2_000


def main() -> None:
    """Print one JSON line a readout."""
    paths = sorted(CATALOGUE.glob("*/*.jpg"))
    identities = np.array([path.parent.name for path in paths])
    backbone = open_dinov2_small("cpu", "float32")
    resized = [backbone.spec.preprocessing.resize(read_image(path).pixels) for path in paths]
    tokens = np.concatenate([backbone.tokens(image[None])[0] for image in resized])
    readouts = {
        "mean": tokens.mean(axis=1),
        "mean, layers of unit length": _unit_layers(tokens.mean(axis=1)),
        "maximum": tokens.max(axis=1),
        "maximum, layers of unit length": pool_layers(tokens),
    }
    for name, vectors in readouts.items():
        hits = _rank1_hits(unit_rows(vectors), identities)
        low, high = _interval(hits, identities)
        line = {"readout": name, "rank1": round(float(hits.mean()), 4), "low": low, "high": high, "n": len(hits)}
        print(json.dumps({**line, "identities": len(set(identities)), "seed": SEED, "dim": vectors.shape[1]}))


def _unit_layers(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    layers = vectors.reshape(len(vectors), len(LAYERS), -1)
    unit: NDArray[np.float32] = layers / np.linalg.norm(layers, axis=2, keepdims=True)
    return unit.reshape(vectors.shape)


def _rank1_hits(embeddings: NDArray[np.float32], identities: NDArray[np.str_]) -> NDArray[np.bool_]:
    scores = embeddings @ embeddings.T
    np.fill_diagonal(scores, -np.inf)
    hits: NDArray[np.bool_] = identities[scores.argmax(axis=1)] == identities
    return hits


def _interval(hits: NDArray[np.bool_], identities: NDArray[np.str_]) -> tuple[float, float]:
    shares = np.array([hits[identities == identity].mean() for identity in np.unique(identities)])
    drawn = np.random.default_rng(SEED).choice(shares, (RESAMPLES, len(shares))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


if __name__ == "__main__":
    main()
