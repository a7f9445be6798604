"""Real pictures, a real encoder with its head, a real browser."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from browser import open_browser
from playwright.sync_api import Browser
from served import listening

from nearid_search.config import EncoderConfig
from nearid_search.encoder import open_encoder
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.catalogue.empty import open_or_make_gallery
from nearid_search.server.config import ServeConfig
from nearid_search.server.service import Service
from nearid_search.server.tokens import Token

EXAMPLES = Path(__file__).parents[3] / "examples"
THINGS = ("crate-flat", "drill-teal", "pot-blue", "vase-blue")

OpenSite = Callable[..., str]


@pytest.fixture(scope="session")
def full_encoder() -> ImageEncoder:
    """The default encoder: with a head, so that it can say what it looked at."""
    return open_encoder(EncoderConfig(device="cpu"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser, started once."""
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def made_store(full_encoder: ImageEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue of two views of four things and its gallery, to be copied."""
    store = tmp_path_factory.mktemp("store")
    lines = ["path,identity,bin"]
    for number, name in enumerate(THINGS):
        for view in (1, 2):
            (store / "catalog" / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(EXAMPLES / "catalog" / name / f"{view}.jpg", store / "catalog" / name)
            lines.append(f"{name}/{view}.jpg,{name},A{number}")
    (store / "catalog.csv").write_text("\n".join(lines) + "\n")
    index_catalogue(
        store / "catalog", gallery=store / "gallery", identities=store / "catalog.csv", encoder=full_encoder
    )
    return store


@pytest.fixture
def store(made_store: Path, tmp_path: Path) -> Path:
    """A copy of that folder to write into."""
    return Path(shutil.copytree(made_store, tmp_path / "store"))


@pytest.fixture
def open_site(full_encoder: ImageEncoder, tmp_path: Path) -> Iterator[OpenSite]:
    """Serve a gallery at a real port; by default one that is empty."""
    with ExitStack() as opened:

        def start(gallery: Path | None = None, *, tokens: tuple[Token, ...] = (), read_only: bool = False) -> str:
            folder = gallery or tmp_path / "empty"
            open_or_make_gallery(folder, encoder=full_encoder)
            service = Service(folder, ServeConfig(port=0, read_only=read_only), encoder=full_encoder)
            opened.callback(service.close)
            return opened.enter_context(listening(service, tokens))

        yield start
