"""What is painted over before encoding: by which means is part of what a gallery is, and means are never mixed."""

from pathlib import Path

import numpy as np
import pytest
from catalogues import draw
from PIL import Image

from nearid_search.config import EncoderConfig
from nearid_search.encoder import IdentityEncoder, open_encoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import ConfigError, GalleryMismatchError
from nearid_search.foreground import open_foreground, paint_over
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.encoder_choice import find_encoder_config
from nearid_search.indexer.gallery import Gallery


def write_mask(path: Path, picture: Path, *, left: bool) -> None:
    """White on one half."""
    with Image.open(picture) as opened:
        mask = Image.new("L", opened.size, 0)
    start = 0 if left else mask.width // 2
    mask.paste(255, (start, 0, start + mask.width // 2, mask.height))
    path.parent.mkdir(parents=True, exist_ok=True)
    mask.save(path)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for number in range(4):
        draw(tmp_path / f"catalogue/{number % 2}/{number}.png", number)
        write_mask(
            tmp_path / f"masks/{number % 2}/{number}.png", tmp_path / f"catalogue/{number % 2}/{number}.png", left=True
        )
    return tmp_path


def config(mode: str, masks: Path | None = None) -> EncoderConfig:
    folder = None if masks is None else str(masks)
    return EncoderConfig(backbone="dinov2-small", device="cpu", head=None, foreground=mode, masks=folder)


def test_what_is_not_the_thing_gets_the_mean_colour(encoder: IdentityEncoder) -> None:
    prepared = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    thing = np.zeros((4, 4))
    thing[:2, 2:] = 1
    painted = paint_over(prepared, thing, encoder.preprocessing)
    np.testing.assert_array_equal(painted[:4, 4:], prepared[:4, 4:])
    mean = np.rint(255 * np.array(encoder.preprocessing.mean))
    assert (painted[4:] == mean).all()
    assert (painted[:4, :4] == mean).all()


def test_pictures_that_differ_outside_their_masks_only_are_one(shop: Path) -> None:
    made = open_encoder(config("mask", shop / "masks"))
    first = shop / "catalogue/0/0.png"
    with Image.open(first) as opened:
        pixels = np.asarray(opened.convert("RGB")).copy()
    pixels[:, pixels.shape[1] // 2 + 2 :] = 77
    (shop / "queries").mkdir()
    Image.fromarray(pixels).save(shop / "queries/0.png")
    index_catalogue(shop / "catalogue", gallery=shop / "gallery", encoder=made)
    write_mask(shop / "query-masks/0.png", first, left=True)
    engine = SearchEngine.open(shop / "gallery", masks=shop / "query-masks")
    answer = engine.query(shop / "queries/0.png")
    assert answer.matches[0].images[0].path is not None
    assert answer.matches[0].images[0].path.endswith("0/0.png")
    assert answer.matches[0].score == pytest.approx(1, abs=1e-4)
    assert answer.matches[1].score < 0.999


def test_a_picture_without_a_mask_is_named_and_left_out(shop: Path) -> None:
    (shop / "masks/1/3.png").unlink()
    Image.new("L", (500, 10)).save(shop / "masks/1/1.png")
    report = index_catalogue(
        shop / "catalogue", gallery=shop / "gallery", encoder_config=config("mask", shop / "masks")
    )
    assert (report.added, len(report.failures)) == (2, 2)
    reasons = sorted(failure.error for failure in report.failures)
    assert reasons[0] == f"has another shape than its mask {shop / 'masks/1/1.png'}"
    assert reasons[1] == f"has no mask {shop / 'masks/1/3.png'}"
    write_mask(shop / "masks/1/3.png", shop / "catalogue/1/3.png", left=True)  # the picture itself is as it was
    again = index_catalogue(shop / "catalogue", gallery=shop / "gallery")
    assert (again.added, len(again.failures)) == (1, 1)
    made = Gallery.open(shop / "gallery").open_encoder(device="cpu")
    with pytest.raises(ConfigError, match="give a path, not pixels"):
        made.encode([np.zeros((9, 9, 3), np.uint8)])


def test_a_gallery_remembers_its_foreground_and_refuses_another(shop: Path) -> None:
    gallery = shop / "gallery"
    index_catalogue(shop / "catalogue", gallery=gallery, encoder_config=config("auto"))
    opened = Gallery.open(gallery)
    assert opened.info()["foreground"] in ("saliency", "u2net")
    assert opened.manifest.encoder.fingerprint.endswith(f"+foreground:{opened.info()['foreground']}")
    assert SearchEngine.open(gallery).query(shop / "catalogue/0/0.png").matches[0].score == pytest.approx(1, abs=1e-4)
    kept = find_encoder_config(gallery, backbone=None, dtype=None, device="cpu")
    again = find_encoder_config(gallery, backbone=None, dtype=None, device="cpu", foreground="auto")
    assert kept.foreground == again.foreground == opened.info()["foreground"]
    other = find_encoder_config(gallery, backbone=None, dtype=None, device="cpu", foreground="none")
    draw(shop / "catalogue/0/9.png", 9)
    with pytest.raises(GalleryMismatchError, match="embeddings of two encoders do not compare"):
        index_catalogue(shop / "catalogue", gallery=gallery, encoder_config=other)
    report = index_catalogue(shop / "catalogue", gallery=gallery, encoder_config=other, rebuild=True)
    assert report.images == 5
    assert Gallery.open(gallery).info()["foreground"] == "none"
    with pytest.raises(GalleryMismatchError, match=r"gallery migrate .* --foreground saliency --gallery "):
        Gallery.open(gallery).check_encoder(open_encoder(config("saliency")))


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown foreground 'sky': use one of none, auto, saliency, u2net, mask"):
        open_foreground("sky")
    with pytest.raises(ConfigError, match="--foreground mask needs the folder of your masks"):
        open_foreground("mask")
    with pytest.raises(ConfigError, match="is no folder: --masks takes one that mirrors the pictures"):
        open_foreground("mask", tmp_path / "none")
    with pytest.raises(ConfigError, match="an exported encoder takes pictures as they are"):
        open_encoder(EncoderConfig(backbone="onnx:x.onnx", foreground="saliency"))
