"""Masks from the user and from the network, and which are refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("cv2")

import cv2

from nearid_search.errors import DatasetError, WeightsError
from nearid_search.trainer.distractors.masks import (
    Mask,
    MaskFinder,
    bounding_box,
    clean,
    find_problem,
)
from nearid_search.trainer.distractors.rejection import Rejection


def disc(height: int, width: int, radius: float, centre: tuple[float, float] | None = None) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:height, :width]
    row, column = centre or (height / 2, width / 2)
    inside: NDArray[np.bool_] = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return inside


@pytest.fixture(scope="module")
def finder() -> MaskFinder:
    return MaskFinder(model="saliency")


def test_the_network_finds_a_thing_to_its_edge(finder: MaskFinder) -> None:
    true = disc(300, 400, 80, (170, 230))
    ground = np.linspace(150, 190, 300)[:, None, None] + np.random.default_rng(0).normal(0, 4, (300, 400, 3))
    pixels = np.where(true[..., None], [200, 40, 30], ground).clip(0, 255).astype(np.uint8)
    found = finder.find("a.jpg", pixels)
    assert isinstance(found, Mask)
    assert found.origin == "saliency+grabcut"
    assert (found.pixels & true).sum() / (found.pixels | true).sum() > 0.95
    again = finder.find("a.jpg", pixels)
    assert isinstance(again, Mask)
    np.testing.assert_array_equal(again.pixels, found.pixels)


def test_a_picture_of_nothing_has_no_mask(finder: MaskFinder) -> None:
    assert isinstance(finder.find("a.jpg", np.full((200, 300, 3), 128, np.uint8)), Rejection)


def test_the_users_mask_goes_first_and_mirrors_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "chair").mkdir()
    given = disc(60, 80, 20)
    Image.fromarray(given.astype(np.uint8) * 255).save(tmp_path / "chair" / "front.png")
    found = MaskFinder(tmp_path, "saliency").find("chair/front.jpg", np.zeros((120, 160, 3), np.uint8))
    assert isinstance(found, Mask)
    assert found.origin == "user"
    assert found.pixels.shape == (120, 160)
    assert found.pixels.mean() == pytest.approx(given.mean(), rel=0.05)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (np.zeros((60, 80), np.bool_), "user mask covers less than 1 % of the picture"),
        (np.ones((60, 80), np.bool_), "user mask covers more than 80 % of the picture"),
        (disc(60, 60, 20), "user mask has another shape than its picture"),
    ],
)
def test_the_users_mask_must_be_plausible(tmp_path: Path, mask: NDArray[np.bool_], reason: str) -> None:
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "a.png")
    assert MaskFinder(tmp_path, "saliency").find("a.jpg", np.zeros((120, 160, 3), np.uint8)) == Rejection(reason)


def test_what_is_implausible() -> None:
    frame = np.zeros((100, 100), np.bool_)
    frame[:20] = True
    assert find_problem(frame, most_border=0.5) is None
    assert find_problem(frame, most_border=0.1) == "runs along the picture's border"
    line = np.zeros((100, 100), np.bool_)
    line[10:90, 40:50] = True
    assert find_problem(line, most_border=1) == "is thinner than 16 pixels"
    assert find_problem(disc(100, 100, 30), most_border=0) is None


def test_cleaning_drops_specks_and_pinholes_and_keeps_real_holes() -> None:
    ring = disc(200, 200, 80) & ~disc(200, 200, 30)
    dirty = ring.copy()
    dirty[5:9, 5:9] = True
    dirty[100, 40] = False
    np.testing.assert_array_equal(clean(cv2, dirty), ring)


def test_the_box_leaves_out_its_far_edges() -> None:
    mask = np.zeros((10, 20), np.bool_)
    mask[2:5, 7:11] = True
    assert bounding_box(mask) == (7, 2, 11, 5)


def test_masks_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match="is no folder"):
        MaskFinder(tmp_path / "none", "saliency")
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"needs the file u2net\.onnx"):
        MaskFinder(model="u2net")
    (tmp_path / "u2net.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match="cannot be opened as an ONNX model"):
        MaskFinder(model="auto")
