"""What many tests need: the real default encoder, and small catalogues of generated pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearid_search.encoder import IdentityEncoder

MakeCatalogue = Callable[..., Path]


def draw(path: Path, seed: int) -> None:
    """Write a picture of 64 to 200 pixels a side; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    width, height = (int(side) for side in rng.integers(64, 200, 2))
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(path)


@pytest.fixture(scope="session")
def encoder() -> IdentityEncoder:
    """The default encoder, opened once."""
    return IdentityEncoder.open("dinov2-small", device="cpu")


@pytest.fixture
def catalogue(tmp_path: Path) -> MakeCatalogue:
    """Make a catalogue from the path of each file and the seed of its picture."""

    def make(pictures: dict[str, int], name: str = "catalogue") -> Path:
        folder = tmp_path / name
        for path, seed in pictures.items():
            draw(folder / path, seed)
        return folder

    return make
