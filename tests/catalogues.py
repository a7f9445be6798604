"""Small catalogues of generated pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

MakeCatalogue = Callable[..., Path]


def draw(path: Path, seed: int) -> None:
    """Write a picture of 64 to 200 pixels a side; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    width, height = (int(side) for side in rng.integers(64, 200, 2))
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(path)
