"""A gallery of painted-over pictures that keeps the whole ones, too, is both galleries in one."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogues import draw
from PIL import Image

from nearid_search.cli.app import run
from nearid_search.config import EncoderConfig, IndexConfig
from nearid_search.engine import SearchEngine
from nearid_search.errors import CatalogueError, ConfigError, GalleryMismatchError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.exchange.embedding_export import export_embeddings
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.kept_whole import seen_as, whole_embedding
from nearid_search.similarity import Embeddings

BOTH = IndexConfig(keep_whole=True)


def config(mode: str) -> EncoderConfig:
    return EncoderConfig(backbone="dinov2-small", device="cpu", head=None, foreground=mode)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures as three galleries: of both kinds, of whole pictures and of painted-over ones."""
    folder = tmp_path_factory.mktemp("shop")
    for number in range(4):
        draw(folder / f"catalogue/{number % 2}/{number}.png", number)
    index_catalogue(folder / "catalogue", gallery=folder / "both", encoder_config=config("saliency"), config=BOTH)
    index_catalogue(folder / "catalogue", gallery=folder / "whole", encoder_config=config("none"))
    index_catalogue(folder / "catalogue", gallery=folder / "painted", encoder_config=config("saliency"))
    return folder


def test_it_says_what_it_keeps(shop: Path) -> None:
    both, whole = Gallery.open(shop / "both"), Gallery.open(shop / "whole")
    assert (both.info()["foreground"], both.info()["keeps_whole"]) == ("saliency", True)
    assert not whole.info()["keeps_whole"]
    assert both.info()["metadata"] == []
    assert seen_as(both, "none").manifest.encoder.fingerprint == whole.manifest.encoder.fingerprint
    assert both.manifest.encoder.fingerprint == Gallery.open(shop / "painted").manifest.encoder.fingerprint


@pytest.mark.parametrize(("foreground", "alone"), [(None, "painted"), ("saliency", "painted"), ("none", "whole")])
def test_it_answers_as_the_gallery_of_that_kind_alone(shop: Path, foreground: str | None, alone: str) -> None:
    Image.open(shop / "catalogue/1/3.png").rotate(7).save(shop / "query.png")
    answer = SearchEngine.open(shop / "both", device="cpu", foreground=foreground).query(shop / "query.png")
    other = SearchEngine.open(shop / alone, device="cpu").query(shop / "query.png")
    assert answer == other
    np.testing.assert_array_equal(
        seen_as(Gallery.open(shop / "both"), foreground).rows().vectors, Gallery.open(shop / alone).rows().vectors
    )


def test_an_explanation_has_both_scores(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.open(shop / "catalogue/1/3.png").rotate(7).save(shop / "query.png")
    asked = ["query", str(shop / "query.png"), "--device", "cpu", "--explain"]
    assert run([*asked, "--gallery", str(shop / "both"), "--json"]) == 0
    why = json.loads(capsys.readouterr().out)["explanation"]
    whole = SearchEngine.open(shop / "whole", device="cpu").query(shop / "query.png")
    shown = {str(image.path): image.score for match in whole.matches for image in match.images}
    assert why["whole_score"] == shown[why["path"]] != why["score"]
    assert run([*asked, "--gallery", str(shop / "both")]) == 0
    assert (
        f"{why['whole_score']:.3f}, {why['whole_score'] - why['score']:+.3f} by their backgrounds"
        in capsys.readouterr().out
    )
    assert run([*asked, "--gallery", str(shop / "both"), "--foreground", "none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["explanation"]["whole_score"] is None


def test_each_kind_is_exported_with_its_own_maker(shop: Path, tmp_path: Path) -> None:
    for foreground, alone in (("none", "whole"), (None, "painted")):
        export_embeddings(tmp_path / "a.parquet", gallery=shop / "both", foreground=foreground)
        export_embeddings(tmp_path / "b.parquet", gallery=shop / alone)
        assert pq.read_table(tmp_path / "a.parquet").equals(pq.read_table(tmp_path / "b.parquet"), check_metadata=True)
    with pytest.raises(GalleryMismatchError, match="keeps two embeddings of each image, and a file brings one"):
        import_embeddings(
            tmp_path / "b.parquet",
            gallery=shop / "both",
            encoder=Gallery.open(shop / "both").manifest.encoder.fingerprint,
        )


def test_what_is_not_kept_is_refused_with_the_way_to_keep_it(shop: Path) -> None:
    with pytest.raises(GalleryMismatchError, match=r"painted over by saliency and none with .* none: .*--keep"):
        SearchEngine.open(shop / "painted", foreground="none")
    with pytest.raises(
        GalleryMismatchError, match=r"none with .* mask: .* --foreground mask --masks FOLDER --keep-whole"
    ):
        SearchEngine.open(shop / "painted", foreground="mask")
    with pytest.raises(GalleryMismatchError, match="holds whole pictures and none with --foreground auto"):
        SearchEngine.open(shop / "whole", foreground="auto")
    with pytest.raises(ConfigError, match="unknown foreground 'sky'"):
        SearchEngine.open(shop / "both", foreground="sky")
    with pytest.raises(ConfigError, match="--keep-whole keeps what is painted over: give --foreground auto or mask"):
        index_catalogue(shop / "catalogue", gallery=shop / "new", encoder_config=config("none"), config=BOTH)
    with pytest.raises(
        GalleryMismatchError, match=r"keeps one embedding .* --foreground auto --keep-whole .* --rebuild"
    ):
        index_catalogue(shop / "catalogue", gallery=shop / "whole", config=BOTH)
    with pytest.raises(GalleryMismatchError, match=r"keeps both embeddings .* --no-keep-whole"):
        index_catalogue(shop / "catalogue", gallery=shop / "both", config=IndexConfig(keep_whole=False))
    (shop / "table.csv").write_text("path,identity,whole_embedding\n0/0.png,cup,1\n")
    with pytest.raises(CatalogueError, match="whole_embedding"):
        index_catalogue(shop / "catalogue", gallery=shop / "both", identities=shop / "table.csv")


def test_pictures_that_come_later_or_come_back_bring_both(shop: Path, tmp_path: Path) -> None:
    for number in range(4):
        draw(tmp_path / f"catalogue/{number % 2}/{number}.png", number)
    home = tmp_path / "g"
    index_catalogue(tmp_path / "catalogue", gallery=home, encoder_config=config("saliency"), config=BOTH)
    draw(tmp_path / "catalogue/1/5.png", 5)
    draw(tmp_path / "elsewhere/7.png", 7)
    index_catalogue(tmp_path / "catalogue", gallery=home)
    corrections = Gallery.open(home).corrections
    corrections.confirm(tmp_path / "elsewhere/7.png", "1")
    corrections.remove("0")
    corrections.undo()
    expected = {name: draw_embedding(shop, tmp_path / name) for name in ("catalogue/1/5.png", "elsewhere/7.png")}
    for _ in range(2):
        gallery = Gallery.open(home)
        assert gallery.info()["images"] == 6
        for path, key in zip(
            *gallery.store.image_table(["path"]).select(["path", "key"]).to_pydict().values(), strict=True
        ):
            found = whole_embedding(gallery, key)
            assert found is not None
            assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
            if path in expected:
                np.testing.assert_allclose(found, expected[path], atol=1e-6)
        index_catalogue(tmp_path / "catalogue", gallery=home, encoder_config=config("saliency"), rebuild=True)
    index_catalogue(
        tmp_path / "catalogue",
        gallery=home,
        encoder_config=config("saliency"),
        config=IndexConfig(keep_whole=False),
        rebuild=True,
    )
    assert not Gallery.open(home).info()["keeps_whole"]


def draw_embedding(shop: Path, picture: Path) -> Embeddings:
    """What the encoder of whole pictures makes of one."""
    (embedding,) = Gallery.open(shop / "whole").open_encoder(device="cpu").encode([picture])
    found: Embeddings = embedding
    return found
