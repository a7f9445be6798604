"""A program that tests start several times at once: it adds images, one at a time, to a feature store."""

import sys
from pathlib import Path

import numpy as np
from toy_backbone import TOY_SPEC

from nearid_search.trainer.feature_store import FeatureStore


def fill(folder: Path, keys: list[str]) -> None:
    """Add an image a key; its tokens all have the number that the key ends in."""
    store = FeatureStore(folder, TOY_SPEC)
    shapes = [(1, scale.num_tokens, scale.dim) for scale in TOY_SPEC.token_scales]
    for key in keys:
        value = float(key.rpartition("-")[2])
        store.append([key], [np.full(shape, value, np.float32) for shape in shapes])


if __name__ == "__main__":
    fill(Path(sys.argv[1]), sys.argv[2:])
