"""Indexing keeps corrections: the later of two statements about a picture counts, the catalogue's or a person's."""

import os
from pathlib import Path
from typing import Any

import pytest
from catalogues import MakeCatalogue, draw
from correction_cases import shown

from nearid_search.config import IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import CorrectionError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.store import GalleryStore
from nearid_search.records import QueryAnswer
from nearid_search.reports import IndexReport


class Shop:
    """A catalogue of two cups, a jug and a loose picture beside its gallery."""

    def __init__(self, catalogue: MakeCatalogue, encoder: IdentityEncoder) -> None:
        pictures = {"cup/1.png": 1, "cup/2.png": 2, "jug/1.png": 3, "loose.png": 4}
        self.folder = catalogue(pictures, "catalog")
        self.encoder = encoder
        self.index()

    def index(self, **options: Any) -> IndexReport:
        return index_catalogue(self.folder, gallery=self.folder.parent / ".nearid", encoder=self.encoder, **options)

    @property
    def gallery(self) -> Gallery:
        return Gallery.open(self.folder.parent / ".nearid")

    def shown(self) -> dict[str, str]:
        return {path.removeprefix("catalog/"): name for path, name in shown(self.gallery).items()}

    def move(self, source: str, target: str) -> None:
        (self.folder / target).parent.mkdir(exist_ok=True)
        (self.folder / source).rename(self.folder / target)

    def ask(self, picture: str) -> QueryAnswer:
        return SearchEngine(self.gallery, self.encoder).query(self.folder / picture)


@pytest.fixture
def shop(catalogue: MakeCatalogue, encoder: IdentityEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shop:
    monkeypatch.chdir(tmp_path)
    return Shop(catalogue, encoder)


def test_pictures_come_in_corrected_and_not_first_by_what_their_catalogue_says(shop: Shop) -> None:
    shop.gallery.corrections.merge(["cup", "jug"], into="jug")
    shop.gallery.corrections.remove("catalog/cup/1.png")
    content = (shop.folder / "cup/1.png").read_bytes()
    (shop.folder / "cup/1.png").unlink()
    shop.index()
    (shop.folder / "cup/1.png").write_bytes(content)
    for number in range(3, 8):
        draw(shop.folder / f"cup/{number}.png", 100 + number)
    seen: list[dict[str, str]] = []
    small = IndexConfig(batch_size=1, write_rows=1, decoders=1)
    shop.index(config=small, on_progress=lambda _: seen.append(shop.shown()))
    after = shop.shown()
    assert len(after) == 8
    assert "cup/1.png" not in after
    assert len(seen[-1]) > 4, "nothing came in before the end"
    assert all(shown.items() <= after.items() for shown in seen)
    assert shop.index().unchanged == 9


def test_corrections_outlast_indexing_and_rebuilding(shop: Shop) -> None:
    corrections = shop.gallery.corrections
    corrections.rename("jug", "pitcher")
    corrections.confirm("catalog/cup/2.png", "pitcher")
    corrections.rename("catalog/loose.png", "pan")
    corrections.remove("catalog/cup/1.png")
    wanted = {"cup/2.png": "pitcher", "jug/1.png": "pitcher", "loose.png": "pan"}
    assert shop.shown() == wanted
    os.utime(shop.folder / "cup/1.png")
    draw(shop.folder / "jug/2.png", 5)  # a new picture in the folder of the old name
    shop.move("loose.png", "kept.png")
    report = shop.index()
    wanted = {"cup/2.png": "pitcher", "jug/1.png": "pitcher", "jug/2.png": "pitcher", "kept.png": "pan"}
    assert shop.shown() == wanted
    assert (report.added, report.images) == (1, 4)
    shop.index(rebuild=True)
    assert shop.shown() == wanted
    corrections.undo(4)  # the picture that was removed is there although the tables were made anew
    corrections.undo(3)
    assert shop.shown() == wanted | {"cup/1.png": "cup", "kept.png": "catalog/kept.png"}


def test_what_the_catalogue_says_of_a_picture_later_counts(shop: Shop) -> None:
    corrections = shop.gallery.corrections
    corrections.confirm("catalog/cup/1.png", "jug")
    corrections.remove("catalog/cup/2.png")
    shop.index()
    assert shop.shown() == {"cup/1.png": "jug", "jug/1.png": "jug", "loose.png": "catalog/loose.png"}
    shop.move("cup/1.png", "pan/1.png")
    shop.move("cup/2.png", "pan/2.png")
    shop.index()
    assert shop.shown()["pan/1.png"] == shop.shown()["pan/2.png"] == "pan"


def test_a_picture_from_elsewhere_comes_in_as_a_view_and_stays(shop: Shop) -> None:
    photo = shop.folder.parent / "photo.png"
    draw(photo, 9)
    shop.gallery.corrections.confirm(photo, "cup", encoder=shop.encoder)
    assert shop.ask("../photo.png").identity == "cup"
    assert shop.gallery.identities()["cup"] == 3
    shop.index()
    shop.index(rebuild=True)
    assert shown(shop.gallery)["photo.png"] == "cup"
    photo.unlink()
    assert shop.index().images == 5
    (failure,) = shop.index(rebuild=True).failures
    assert failure.error.startswith("confirmed, and not in the new gallery: ")
    assert "photo.png" not in shown(shop.gallery)


def test_a_rebuild_stopped_between_a_picture_from_elsewhere_and_its_file_loses_neither(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(shop.folder.parent / "photo.png", 9)
    shop.gallery.corrections.confirm("photo.png", "cup", encoder=shop.encoder)
    before = shop.shown()

    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(GalleryStore, "record_files", interrupt)
        with pytest.raises(KeyboardInterrupt):
            shop.index(rebuild=True)
    shop.index(rebuild=True)
    assert shop.shown() == before


def test_undoing_takes_a_picture_from_elsewhere_out(shop: Shop) -> None:
    draw(shop.folder.parent / "photo.png", 9)
    draw(shop.folder / "jug/new.png", 10)
    before = shop.shown()
    shop.gallery.corrections.confirm("photo.png", "cup", encoder=shop.encoder)
    shop.gallery.corrections.confirm("catalog/jug/new.png", "cup", encoder=shop.encoder)
    shop.index()
    assert shop.shown() == before | {"photo.png": "cup", "jug/new.png": "cup"}
    shop.gallery.corrections.undo(2)
    shop.gallery.corrections.undo(1)
    assert shop.shown() == before
    assert shop.index().added == 1
    assert shop.shown() == before | {"jug/new.png": "jug"}


def test_a_rejected_identity_is_no_answer_to_that_picture_by_any_name(shop: Shop) -> None:
    assert shop.ask("cup/1.png").identity == "cup"
    (shop.folder.parent / "copy.png").write_bytes((shop.folder / "cup/1.png").read_bytes())
    shop.gallery.corrections.reject("copy.png", "jug")
    shop.gallery.corrections.reject("catalog/cup/1.png", "cup")
    answer = shop.ask("../copy.png")
    assert [match.identity for match in answer.matches] == ["catalog/cup/1.png", "catalog/loose.png"]
    assert {match.identity for match in shop.ask("jug/1.png").matches} >= {"cup", "jug"}
    shop.gallery.corrections.undo(1)
    assert "jug" in {match.identity for match in shop.ask("../copy.png").matches}


def test_the_gallery_as_it_was_answers_and_comes_back(shop: Shop) -> None:
    corrections = shop.gallery.corrections
    tag = corrections.tag("good")
    assert corrections.tag("good") == tag, "naming it so again changes nothing"
    before = shop.shown()
    corrections.rename("cup", "mug")
    corrections.reject("catalog/jug/1.png", "mug")
    (shop.folder / "jug/1.png").unlink()
    draw(shop.folder / "jug/2.png", 11)
    shop.index()
    later = shop.shown()
    for to in ("good", str(tag.version)):
        past = shop.gallery.as_of(to)
        answer = SearchEngine(past, shop.encoder).query(shop.folder / "cup/1.png")
        assert answer.identity == "cup"
        assert past.identities() == {"cup": 2, "jug": 1, "catalog/loose.png": 1}
        with pytest.raises(CorrectionError, match="a gallery as it was cannot be corrected"):
            past.corrections.rename("cup", "mug")
    made = corrections.restore("good")
    assert made.entry.sets_aside == (1, 2)
    assert shop.shown() == before
    assert [past.undone_by for past in corrections.history()] == [3, 3, None]
    corrections.undo()
    assert shop.shown() == later
    assert [past.undone_by for past in corrections.history()] == [None, None, 4, None]
    corrections.restore("good")
    report = shop.index()  # what was indexed since is found again
    assert (report.added, report.removed) == (1, 1)
    with pytest.raises(CorrectionError, match="was written to since entry 5"):
        corrections.undo(5)
    assert [known.tag for known in corrections.tags()] == ["good"]
    with pytest.raises(CorrectionError, match="there is a tag 'good' already"):
        corrections.tag("good")
    corrections.untag("good")
    with pytest.raises(CorrectionError, match="'good' is no version, tag or time"):
        corrections.restore("good")
