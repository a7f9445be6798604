"""Other colours: visible, where they should be, and nowhere else."""

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("cv2")

import cv2

from nearid_search.trainer.distractors.colour import cluster, delta_e, from_lab, to_lab
from nearid_search.trainer.distractors.recolour import VISIBLE, Recoloured, recolour, repaint_part
from nearid_search.trainer.distractors.rejection import Rejection

MASK = np.zeros((120, 160), np.bool_)
MASK[20:100, 40:120] = True


def painted(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A box of two colours on noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    pixels[20:75, 40:120] = top
    pixels[75:100, 40:120] = bottom
    return pixels


COLOURS = [((200, 40, 30), (30, 60, 200)), ((250, 250, 250), (10, 10, 10)), ((128, 128, 128), (90, 90, 90))]


@pytest.mark.parametrize(("top", "bottom"), COLOURS)
@pytest.mark.parametrize("seed", range(3))
def test_a_recolour_is_visible_and_stays_on_the_thing(
    top: tuple[int, int, int], bottom: tuple[int, int, int], seed: int
) -> None:
    pixels = painted(top, bottom)
    made = recolour(cv2, pixels, MASK, np.random.default_rng(seed))
    assert isinstance(made, Recoloured)
    far = ~cv2.dilate(MASK.astype(np.uint8), np.ones((9, 9))).astype(np.bool_)
    np.testing.assert_array_equal(made.pixels[far], pixels[far])
    visible = delta_e(cv2, pixels, made.pixels)[MASK] > VISIBLE
    assert made.share == pytest.approx(visible.mean())
    assert made.share >= 0.25
    assert made.difference > VISIBLE
    again = recolour(cv2, pixels, MASK, np.random.default_rng(seed))
    assert isinstance(again, Recoloured)
    np.testing.assert_array_equal(again.pixels, made.pixels)


@pytest.mark.parametrize(("top", "bottom"), COLOURS[:2])
@pytest.mark.parametrize("seed", range(3))
def test_a_part_is_changed_and_the_rest_is_not(
    top: tuple[int, int, int], bottom: tuple[int, int, int], seed: int
) -> None:
    pixels = painted(top, bottom)
    made = repaint_part(cv2, pixels, MASK, np.random.default_rng(seed))
    assert isinstance(made, Recoloured)
    assert 0.05 <= made.share <= 0.5
    untouched = (made.pixels == pixels).all(-1)[MASK].mean()
    assert untouched >= 0.4


def test_a_part_that_is_all_of_the_thing_is_refused() -> None:
    tiny = np.zeros((120, 160), np.bool_)
    tiny[50, 50] = True
    assert isinstance(repaint_part(cv2, painted(*COLOURS[0]), tiny, np.random.default_rng(0)), Rejection)


def test_colours_go_to_lab_and_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    np.testing.assert_allclose(from_lab(cv2, to_lab(cv2, pixels)), pixels, atol=1)
    white = to_lab(cv2, np.full((1, 1, 3), 255, np.uint8))
    np.testing.assert_allclose(white.ravel(), [100, 0, 0], atol=0.1)


def test_clusters_are_the_groups_there_are() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(3), 100)
    features = (groups[:, None] * 50 + rng.normal(0, 1, (300, 2))).astype(np.float32)
    found = cluster(features, 3, np.random.default_rng(1))
    assert len({(int(group), int(label)) for group, label in zip(groups, found, strict=True)}) == 3
    assert cluster(np.ones((5, 2), np.float32), 3, rng).tolist() == [0] * 5
