"""Imported embeddings in a gallery that an encoder made: what keeps them, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from catalogues import MakeCatalogue, draw
from embedding_files import contents, directions, write_embeddings
from pyarrow import parquet

from nearid_search.cli.app import run
from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import GalleryMismatchError, NoEncoderError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.encoder_choice import find_encoder_config
from nearid_search.indexer.exchange.embedding_export import export_embeddings
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.gallery import Gallery
from nearid_search.strip import write_strip


@pytest.fixture
def gallery(tmp_path: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder) -> Path:
    folder = catalogue({"chair/1.png": 1, "lamp/1.png": 2})
    index_catalogue(folder, gallery=tmp_path / "gallery", encoder=encoder)
    return tmp_path / "gallery"


@pytest.fixture
def source(tmp_path: Path, encoder: IdentityEncoder) -> Path:
    return write_embeddings(tmp_path / "e.parquet", directions(1, 5, encoder.dim), list("aabbc"), shelf=range(5))


def test_only_with_the_fingerprint(gallery: Path, source: Path, encoder: IdentityEncoder) -> None:
    before = contents(gallery)
    for stated in (None, "other"):
        with pytest.raises(GalleryMismatchError, match="two encoders do not compare") as refused:
            import_embeddings(source, gallery=gallery, encoder=stated)
        assert f"--encoder {encoder.fingerprint}" in str(refused.value)
    assert contents(gallery) == before
    report = import_embeddings(source, gallery=gallery, encoder=encoder.fingerprint)
    assert (report.added, report.images, report.identities) == (5, 7, 5)
    assert Gallery.open(gallery).info()["imported"] == 5


def test_an_export_does_not_speak_for_its_owner(gallery: Path, encoder: IdentityEncoder, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    export_embeddings(out, gallery=gallery)
    with pytest.raises(GalleryMismatchError, match="say so with --encoder"):
        import_embeddings(out, gallery=gallery)
    assert import_embeddings(out, gallery=gallery, encoder=encoder.fingerprint).unchanged == 2


def test_indexing_again_keeps_them(gallery: Path, source: Path, encoder: IdentityEncoder, tmp_path: Path) -> None:
    import_embeddings(source, gallery=gallery, encoder=encoder.fingerprint)
    imported = [row for row in contents(gallery, "shelf") if row["width"] is None]
    folder = tmp_path / "catalogue"
    draw(folder / "lamp/2.png", 9)
    (folder / "chair/1.png").unlink()
    report = index_catalogue(folder, gallery=gallery, encoder=encoder)
    assert (report.added, report.removed, report.images) == (1, 1, 7)
    assert [row for row in contents(gallery, "shelf") if row["width"] is None] == imported


def test_a_picture_whose_embedding_was_imported_is_not_encoded_again(
    gallery: Path, encoder: IdentityEncoder, catalogue: MakeCatalogue, tmp_path: Path
) -> None:
    out, other = tmp_path / "out.parquet", tmp_path / "other/gallery"
    export_embeddings(out, gallery=gallery)
    index_catalogue(catalogue({"sofa/1.png": 7}, "second"), gallery=other, encoder=encoder)
    import_embeddings(out, gallery=other, encoder=encoder.fingerprint)
    report = index_catalogue(tmp_path / "catalogue", gallery=other, encoder=encoder)
    assert (report.added, report.images) == (0, 3)
    paths = {row["path"] for row in contents(other)}
    assert str(tmp_path / "catalogue/chair/1.png") in paths


def test_a_rebuild_would_lose_them(gallery: Path, source: Path, encoder: IdentityEncoder, tmp_path: Path) -> None:
    import_embeddings(source, gallery=gallery, encoder=encoder.fingerprint)
    before = contents(gallery)
    with pytest.raises(NoEncoderError, match="holds 5 imported embeddings, which no rebuild can make again"):
        index_catalogue(tmp_path / "catalogue", gallery=gallery, encoder=encoder, rebuild=True)
    assert run(["index", str(tmp_path / "catalogue"), "--gallery", str(gallery), "--rebuild", "--dry-run"]) == 1
    assert contents(gallery) == before


@pytest.mark.parametrize("rebuild", [False, True])
def test_pictures_are_not_indexed_among_imported_embeddings(
    rebuild: bool, source: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder, tmp_path: Path
) -> None:
    gallery = tmp_path / "imported"
    import_embeddings(source, gallery=gallery)
    before = contents(gallery)
    with pytest.raises(NoEncoderError):
        index_catalogue(catalogue({"a/1.png": 1}), gallery=gallery, encoder=encoder, rebuild=rebuild)
    with pytest.raises(NoEncoderError, match="no picture can be encoded for it"):
        find_encoder_config(gallery, backbone=None, dtype=None, device="cpu", fresh=rebuild)
    assert contents(gallery) == before


def test_another_encoder_may_not_ask_imported_embeddings(
    source: Path, encoder: IdentityEncoder, tmp_path: Path
) -> None:
    import_embeddings(source, gallery=tmp_path / "imported")
    with pytest.raises(NoEncoderError):
        SearchEngine(Gallery.open(tmp_path / "imported"), encoder)


def test_a_strip_shows_where_there_is_no_picture(
    gallery: Path, encoder: IdentityEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    export_embeddings(tmp_path / "out.parquet", gallery=gallery)
    chair = next(row for row in parquet.read_table("out.parquet").to_pylist() if row["identity"] == "chair")
    near = np.asarray([chair["embedding"]], np.float32) + np.float32(0.01)
    source = write_embeddings(tmp_path / "e.parquet", near, ["stool <b>"])
    import_embeddings(source, gallery=gallery, encoder=encoder.fingerprint)
    engine = SearchEngine(Gallery.open(gallery), encoder)
    answer = engine.query("catalogue/chair/1.png", k=2)
    assert [match.images[0].path for match in answer.matches] == ["catalogue/chair/1.png", None]
    write_strip(tmp_path / "strip.html", [answer], engine.gallery)
    page = (tmp_path / "strip.html").read_text()
    assert page.count("<img") == 2
    assert page.count("no picture") == 1
    assert "stool &lt;b&gt;" in page
    assert "None" not in page
