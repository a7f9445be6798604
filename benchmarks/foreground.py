"""What does painting over the background gain or lose, for the head that ships and for the frozen backbone?

Every view of a split of rendered identities asks for another of its identity among the views. Pictures are encoded as
they are, painted over by saliency, and by the set's own masks. Prints and writes identity rank-1 and the gain over
pictures as they are, in points with a 95 % interval over identities.

    python benchmarks/foreground.py identities
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import load_average, write_result

from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.paired import paired_difference
from nearid_search.foreground import open_foreground, paint_over
from nearid_search.images import read_image
from nearid_search.trainer.datasets import View, open_dataset

Rank1 = NDArray[np.float64]


def main() -> None:
    """Measure every foreground with both readouts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--identities", type=int, default=0, help="the first so many; 0: all")
    options = parser.parse_args()
    load_before = load_average()
    samples = open_dataset(options.dataset).split(options.split)
    samples = samples[: options.identities or len(samples)]
    shown = [(sample.identity, view) for sample in samples for view in sample.views if view.mask is not None]
    codes = np.unique([identity for identity, _ in shown], return_inverse=True)[1]
    head = IdentityEncoder.open(device="auto")
    readouts = {"head": head, "frozen": IdentityEncoder(head.backbone)}
    found = encode([view for _, view in shown], readouts)
    figures: dict[str, Any] = {name: {} for name in readouts}
    for (name, foreground), vectors in found.items():
        right, plain = rank1(vectors, codes), rank1(found[name, "none"], codes)
        gain = paired_difference(100 * right, 100 * plain, codes).difference
        figures[name][foreground] = {"rank1": float(right.mean()), "gain": gain.as_dict()}
    measured = {"split": options.split, "identities": len(samples), "queries": len(shown), **figures}
    write_result("foreground", measured, load_before=load_before)


def encode(views: Sequence[View], readouts: dict[str, IdentityEncoder]) -> dict[tuple[str, str], NDArray[np.float32]]:
    """Return the (V, D) embeddings of each readout and foreground."""
    saliency = open_foreground("saliency")
    assert saliency is not None
    preprocessing = next(iter(readouts.values())).preprocessing
    rows: dict[tuple[str, str], list[NDArray[np.float32]]] = {}
    for number, view in enumerate(views):
        assert view.mask is not None
        pixels = read_image(Path(view.image.name)).pixels
        prepared = preprocessing.resize(pixels)
        mask = read_image(Path(view.mask.name)).pixels[..., 0] / 255
        inputs = {
            "none": prepared,
            "saliency": paint_over(prepared, saliency.find(pixels, None), preprocessing),
            "mask": paint_over(prepared, mask, preprocessing),
        }
        for name, encoder in readouts.items():
            for foreground, embedding in zip(
                inputs, encoder.encode_prepared(np.stack([*inputs.values()])), strict=True
            ):
                rows.setdefault((name, foreground), []).append(embedding)
        if number % 64 == 0:
            print(f"  {number:,} of {len(views):,} views", file=sys.stderr)
    return {key: np.stack(found) for key, found in rows.items()}


def rank1(vectors: NDArray[np.float32], codes: NDArray[np.int64]) -> Rank1:
    """Return whether the nearest other view of each is of its identity, (V,) 0 or 1."""
    scores = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(scores, -np.inf)
    right: Rank1 = (codes[scores.argmax(axis=1)] == codes).astype(np.float64)
    return right


if __name__ == "__main__":
    main()
