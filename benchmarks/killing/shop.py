"""A small catalogue of real pictures and its gallery, to be copied and written to by a process that dies."""

from __future__ import annotations

import contextlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from nearid_search.cli.app import run
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.manifest import read_manifest
from nearid_search.similarity import Embeddings

EXAMPLES = Path(__file__).parents[2] / "examples"
THINGS = ("kettle-green", "kettle-red", "desk-lamp-brass", "desk-lamp-green", "vase-blue")
BACKBONE, BACKEND = "dinov2-small", "sq8"
WHO = "night shift"


@dataclass(frozen=True)
class Shop:
    """A folder with a catalogue and the gallery of it, if there is one yet.

    Attributes:
        folder: absolute.
    """

    folder: Path

    @property
    def catalogue(self) -> Path:
        """The folder of pictures."""
        return self.folder / "catalog"

    @property
    def gallery(self) -> Path:
        """The gallery's folder."""
        return self.folder / "gallery"

    def copy(self, folder: Path) -> Shop:
        """Copy it to a folder that is not there yet."""
        return Shop(Path(shutil.copytree(self.folder, folder)))

    def index(self, *options: str) -> list[str]:
        """Return the command that indexes it."""
        named = ["--gallery", str(self.gallery), "--backbone", BACKBONE, "--head", "none", "--backend", BACKEND]
        return ["index", str(self.catalogue), *named, *options, "--json"]

    def correct(self, action: str, *words: str) -> list[str]:
        """Return the command that corrects its gallery."""
        return ["gallery", action, *words, "--by", WHO, "--gallery", str(self.gallery), "--json"]


def command_line(arguments: list[str]) -> tuple[int, str, str]:
    """Give a command in this process; return its exit code and what it printed on either stream."""
    printed, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
        code = run(arguments)
    return code, printed.getvalue(), complained.getvalue()


def succeed(arguments: list[str]) -> str:
    """Give a command that must succeed; return what it printed.

    Raises:
        RuntimeError: if it did not.
    """
    code, printed, complained = command_line(arguments)
    if code != 0:
        raise RuntimeError(f"{' '.join(arguments)} gave {code}: {complained}")
    return printed


class Shops:
    """The states that processes start from, each made when it is first asked for.

    Args:
        folder: where to keep them; those that are there are taken as they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._encoder: ImageEncoder | None = None
        self._queries: dict[str, Embeddings] = {}

    @property
    def encoder(self) -> ImageEncoder:
        """What made the galleries."""
        if self._encoder is None:
            self._encoder = Gallery.open(self.indexed.gallery).open_encoder(device="cpu")
        return self._encoder

    def queries(self, gallery: Path) -> Embeddings:
        """Return what to ask a gallery: some of its pictures, some of the same things, one of a stranger.

        Args:
            gallery: its folder; there need not be a gallery yet.

        Returns:
            (Q, D) float32 unit rows of its encoder.
        """
        opened = Gallery.open(self.indexed.gallery if read_manifest(gallery) is None else gallery)
        made_by = opened.manifest.encoder.fingerprint
        if made_by not in self._queries:
            pictures = [*sorted(EXAMPLES.glob("queries/*.jpg")), *(self.new.catalogue / f"{t}/1.jpg" for t in THINGS)]
            self._queries[made_by] = opened.open_encoder(device="cpu").encode(pictures)
        return self._queries[made_by]

    @property
    def new(self) -> Shop:
        """A catalogue without a gallery: one picture is there twice, one file is damaged."""
        shop = Shop(self._folder / "new")
        if not shop.folder.exists():
            draft = Shop(self._folder / "new.draft")
            for thing in THINGS:
                shutil.copytree(EXAMPLES / "catalog" / thing, draft.catalogue / thing)
            shutil.copy(draft.catalogue / "vase-blue/1.jpg", draft.catalogue / "vase-blue/again.jpg")
            (draft.catalogue / "vase-blue/damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
            draft.folder.rename(shop.folder)
        return shop

    @property
    def indexed(self) -> Shop:
        """The same with its gallery and a search index."""
        shop = Shop(self._folder / "indexed")
        if not shop.folder.exists():
            draft = self.new.copy(self._folder / "indexed.draft")
            succeed(draft.index())
            draft.folder.rename(shop.folder)
        return shop

    @property
    def corrected(self) -> Shop:
        """The same with corrections."""
        shop = Shop(self._folder / "corrected")
        if not shop.folder.exists():
            draft = self.indexed.copy(self._folder / "corrected.draft")
            _correct(draft)
            draft.folder.rename(shop.folder)
        return shop

    @property
    def changed(self) -> Shop:
        """The same with a catalogue that has changed since it was indexed."""
        shop = Shop(self._folder / "changed")
        if not shop.folder.exists():
            draft = self.corrected.copy(self._folder / "changed.draft")
            _change(draft.catalogue)
            draft.folder.rename(shop.folder)
        return shop


def _correct(shop: Shop) -> None:
    bear = shop.folder / "bear.jpg"
    shutil.copy(EXAMPLES / "catalog/teddy-bear/1.jpg", bear)
    succeed(shop.correct("merge", "kettle-green", "kettle-red", "--into", "kettle-red"))
    succeed(shop.correct("confirm", str(bear), "bear", "--new"))
    succeed(shop.correct("reject", str(shop.catalogue / "vase-blue/2.jpg"), "vase-blue"))
    succeed(shop.correct("remove", str(shop.catalogue / "vase-blue/3.jpg")))


def _change(catalogue: Path) -> None:
    """Add a thing and a view of a merged one, change a picture, move one, delete one."""
    shutil.copytree(EXAMPLES / "catalog/pot-blue", catalogue / "pot-blue")
    shutil.copy(EXAMPLES / "catalog/kettle-green/1.jpg", catalogue / "desk-lamp-green/3.jpg")
    (catalogue / "desk-lamp-brass/2.jpg").rename(catalogue / "desk-lamp-brass/moved.jpg")
    (catalogue / "desk-lamp-brass/4.jpg").unlink()
    shutil.copy(EXAMPLES / "catalog/radio-cream/1.jpg", catalogue / "kettle-green/new.jpg")
