"""An upload that was taken back stays for as long as a kept version shows it, and no longer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from catalogues import MakeCatalogue
from served import plain

from nearid_search.encoder import IdentityEncoder
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.gallery import Gallery

NEW = plain(seed=7)
OTHER = plain(seed=8)


class Shop:
    """A gallery of one cup, with two more views of it that came as bytes."""

    def __init__(self, catalogue: Path, encoder: IdentityEncoder) -> None:
        self.catalogue, self.folder, self.encoder = catalogue, catalogue.parent / "gallery", encoder
        self.index()
        for data in (NEW, OTHER):
            self.gallery.corrections.enrol(data, "cup", name="new", encoder=encoder, by="Ada")

    @property
    def gallery(self) -> Gallery:
        return Gallery.open(self.folder)

    @property
    def uploads(self) -> set[str]:
        return {path.stem for path in (self.folder / "uploads").iterdir()}

    def index(self, *, rebuild: bool = False) -> None:
        index_catalogue(self.catalogue, gallery=self.folder, encoder=self.encoder, rebuild=rebuild)

    def forget_versions(self) -> None:
        for table in self.gallery.store.tables.values():
            table.optimize(cleanup_older_than=timedelta(milliseconds=1), delete_unverified=True)


@pytest.fixture
def shop(catalogue: MakeCatalogue, encoder: IdentityEncoder) -> Shop:
    return Shop(catalogue({"cup/1.png": 1}), encoder)


BOTH = {content_key(NEW), content_key(OTHER)}


def test_it_stays_while_it_can_be_restored(shop: Shop) -> None:
    shown = shop.gallery.store.version
    shop.gallery.corrections.undo(by="Ada")
    shop.index()
    assert shop.uploads == BOTH
    assert shop.gallery.as_of(str(shown)).identities() == {"cup": 3}
    shop.gallery.corrections.restore(str(shown), by="Ada")
    shop.index()
    assert (shop.gallery.identities(), shop.uploads) == ({"cup": 3}, BOTH)


@pytest.mark.parametrize(
    "forget", [Shop.forget_versions, lambda shop: shop.index(rebuild=True)], ids=["cleaned up", "rebuilt"]
)
def test_it_goes_with_the_last_version_that_shows_it(shop: Shop, forget: Callable[[Shop], None]) -> None:
    before = shop.gallery.store.version
    shop.gallery.corrections.undo(by="Ada")
    shop.gallery.corrections.restore(str(before), by="Ada")
    shop.gallery.corrections.undo(2, by="Ada")
    (shop.folder / "uploads/notes.txt").write_text("not ours")
    forget(shop)
    shop.index()
    assert shop.uploads == {content_key(NEW), "notes"}
    assert shop.gallery.identities() == {"cup": 2}
    shop.gallery.corrections.enrol(OTHER, "cup", name="again", encoder=shop.encoder, by="Ada")
    shop.forget_versions()
    shop.index()
    assert shop.uploads == {*BOTH, "notes"}


def test_what_a_restore_has_set_aside_stays_until_that_cannot_be_undone(shop: Shop) -> None:
    shop.gallery.corrections.restore("1", by="Ada")
    shop.index()
    assert shop.uploads == BOTH
    shop.forget_versions()
    shop.index()
    assert shop.uploads == set()


def test_what_a_crash_has_left_goes(shop: Shop) -> None:
    stray = shop.folder / f"uploads/{content_key(b'stray')}.png"
    stray.write_bytes(b"stray")
    shop.index()
    assert shop.uploads == BOTH
