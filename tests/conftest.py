"""What many tests need: a real encoder, and small catalogues of generated pictures."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from catalogues import MakeCatalogue, draw

from nearid_search import saliency
from nearid_search.backbones import dinov2_small
from nearid_search.encoder import IdentityEncoder


@pytest.fixture(scope="session", autouse=True)
def networks_opened_once() -> Iterator[None]:
    """Compile each real network once: that takes half a second, and hundreds of tests open one.

    Their files are still looked for and checked by every test. Tests of opening itself, in tests/backbones, go without.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dinov2_small, "_open_network", cache(dinov2_small._open_network))
        patch.setattr(saliency, "SaliencyNetwork", cache(saliency.SaliencyNetwork))
        yield


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
