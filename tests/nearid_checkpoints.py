"""Checkpoints in the layout of the published one, small and random, written without transformers."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from nearid_search.nearid_layout import CheckpointSizes

SIZES = CheckpointSizes(width=24, depth=2, patch_size=4, num_tokens=9, mlp_dim=41, head_mlp_dim=41)
NUM_HEADS = 3


def random_checkpoint(sizes: CheckpointSizes = SIZES, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Tensors by their published keys."""
    rng = np.random.default_rng(seed)
    shapes = sizes.shapes()
    return {f"backbone.vision_model.{name}": rng.normal(0, 0.3, shapes[name]).astype(np.float32) for name in shapes}


def write_checkpoint(path: Path, sizes: CheckpointSizes = SIZES) -> Path:
    """Write such a checkpoint."""
    save_file(random_checkpoint(sizes), path)
    return path
