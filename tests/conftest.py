"""What many tests need: a real encoder, and small catalogues of generated pictures."""

from pathlib import Path

import pytest
from catalogues import MakeCatalogue, draw

from nearid_search.encoder import IdentityEncoder


@pytest.fixture(scope="session")
def encoder() -> IdentityEncoder:
    """The default network without a head, opened once."""
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
