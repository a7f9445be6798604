"""A manifest that is damaged with its copy: the tables tell it of imported embeddings, and do not of pictures."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from catalogues import MakeCatalogue
from embedding_files import contents, directions, write_embeddings

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import GalleryCorruptError, NoEncoderError
from nearid_search.indexer.care.checksums import read_again
from nearid_search.indexer.care.repair import repair_gallery
from nearid_search.indexer.care.verify import verify_gallery
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.gallery import Gallery

NAMES = ["cup", "cup", "jug", "pan"]
COPY = "manifest.json.copy"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_embeddings(tmp_path / "e.parquet", directions(1, 4), NAMES, bin=["A", "B", "B", None])


@pytest.fixture
def gallery(source: Path, tmp_path: Path) -> Path:
    import_embeddings(source, gallery=tmp_path / "gallery", encoder="ViT")
    Gallery.open(tmp_path / "gallery").corrections.remove("pan", by="Ada")
    return tmp_path / "gallery"


def damage(gallery: Path) -> None:
    for name in ("manifest.json", COPY):
        (gallery / name).write_bytes((gallery / name).read_bytes().replace(b"format", b"farmat"))


@pytest.mark.parametrize("copied", [True, False], ids=["damaged copy", "no copy"])
def test_that_of_imported_embeddings_is_made_again(copied: bool, gallery: Path, source: Path) -> None:
    def asked() -> list[object]:
        return [*SearchEngine.open(gallery, encode=False).query_embeddings(source, where="bin = 'B'")]

    before, answers, rows = Gallery.open(gallery).manifest, asked(), contents(gallery, "bin")
    damage(gallery)
    if not copied:
        (gallery / COPY).unlink()
    (found,) = verify_gallery(gallery).damaged
    assert (found.file, found.repair) == (
        "manifest.json", "made again from the tables, which hold imported embeddings alone",
    )  # fmt: skip
    report = repair_gallery(gallery)
    assert report.whole
    assert sorted(report.aside) == ["manifest.json.copy.damaged", "manifest.json.damaged"][0 if copied else 1 :]
    after = Gallery.open(gallery).manifest
    assert (after.encoder, after.tables, after.catalogues) == (before.encoder, before.tables, before.catalogues)
    assert (asked(), contents(gallery, "bin")) == (answers, rows)
    assert (gallery / COPY).read_bytes() == (gallery / "manifest.json").read_bytes()
    assert Gallery.open(gallery).corrections.undo(by="Ada").images == 1


def _flip_a_byte(gallery: Path) -> None:
    part = max((gallery / "tables/images.lance/data").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 255
    part.write_bytes(content)
    read_again()


def _add_tables(gallery: Path) -> None:
    shutil.copytree(gallery / "tables", gallery / "tables-01234567")


def _add_another_maker(gallery: Path) -> None:
    store = Gallery.open(gallery).store
    store.images.update(where="identity = 'jug'", values={"encoder": "SigLIP"})


def _add_a_picture(gallery: Path) -> None:
    Gallery.open(gallery).store.images.update(where="identity = 'jug'", values={"width": 9})


@pytest.mark.parametrize("doubt", [_flip_a_byte, _add_tables, _add_another_maker, _add_a_picture])
def test_what_the_tables_do_not_tell_is_not_guessed(doubt: Callable[[Path], None], gallery: Path) -> None:
    doubt(gallery)
    damage(gallery)
    report = repair_gallery(gallery)
    assert not report.whole
    assert report.remaining[0].repair == "cannot be made again: index --rebuild makes a new gallery"
    with pytest.raises(GalleryCorruptError):
        Gallery.open(gallery)


def test_that_of_pictures_is_not_made_again(catalogue: MakeCatalogue, encoder: IdentityEncoder) -> None:
    folder = catalogue({"cup/1.png": 1})
    gallery = folder.parent / "gallery"
    index_catalogue(folder, gallery=gallery, encoder=encoder)
    damage(gallery)
    assert not repair_gallery(gallery).whole
    assert index_catalogue(folder, gallery=gallery, encoder=encoder, rebuild=True).images == 1


def test_a_rebuild_does_not_delete_whole_tables_of_imported_embeddings(
    gallery: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder
) -> None:
    damage(gallery)
    with pytest.raises(NoEncoderError, match=r"holds 3 imported embeddings, .* mend this one with: .* gallery repair"):
        index_catalogue(catalogue({"cup/1.png": 1}), gallery=gallery, encoder=encoder, rebuild=True)
    assert repair_gallery(gallery).whole
