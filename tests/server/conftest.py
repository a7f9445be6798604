"""A small real gallery, its service and its application."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from catalogues import draw
from served import Served

from nearid_search.encoder import IdentityEncoder
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.server.config import ServeConfig

THINGS = {"cup/1.png": 1, "cup/2.png": 2, "jug/1.png": 3, "jug/2.png": 4, "pan/1.png": 5}


@pytest.fixture(scope="session")
def made_shop(encoder: IdentityEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue and its gallery, to be copied."""
    shop = tmp_path_factory.mktemp("made")
    for path, seed in THINGS.items():
        draw(shop / "catalog" / path, seed)
    (shop / "catalog.csv").write_text("path,identity,bin\n" + "".join(
        f"{path},{path.split('/')[0]},{'A3' if path.startswith('cup') else 'B1'}\n" for path in THINGS
    ))  # fmt: skip
    index_catalogue(shop / "catalog", gallery=shop / "gallery", identities=shop / "catalog.csv", encoder=encoder)
    return shop


@pytest.fixture
def shop(made_shop: Path, tmp_path: Path) -> Path:
    """A copy of that folder to write into."""
    return Path(shutil.copytree(made_shop, tmp_path / "shop"))


Serve = Callable[..., Served]


@pytest.fixture
def serve(shop: Path, encoder: IdentityEncoder) -> Iterator[Serve]:
    """Serve the gallery in this process, as often as one likes."""
    opened: list[Served] = []

    def start(**settings: object) -> Served:
        served = Served.start(shop / "gallery", encoder, ServeConfig(refresh_every=0.05), settings)
        opened.append(served)
        return served

    yield start
    for served in opened:
        served.close()
