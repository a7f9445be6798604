"""What stands in a thing's place once it is gone."""

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("cv2")

import cv2

from nearid_search.trainer.distractors.inpainting import CopyInpainter, diffuse


def scene() -> NDArray[np.uint8]:
    """A striped wall over a chequered ground."""
    rows, columns = np.mgrid[:160, :240]
    wall = np.where(columns % 24 < 12, 90, 210)
    ground = np.where((columns // 8 + rows // 8) % 2, 60, 160)
    return np.repeat(np.where(rows < 90, wall, ground)[..., None], 3, axis=2).astype(np.uint8)


def hole() -> NDArray[np.bool_]:
    mask = np.zeros((160, 240), np.bool_)
    mask[50:130, 90:150] = True
    return mask


def test_a_repeating_scene_goes_on_where_the_thing_was() -> None:
    pixels, gap = scene(), hole()
    damaged = pixels.copy()
    damaged[gap] = (255, 0, 0)
    filled = CopyInpainter()(damaged, gap, seed=0)
    np.testing.assert_array_equal(filled[~gap], pixels[~gap])
    error = np.abs(filled[gap].astype(int) - pixels[gap]).mean()
    smear = np.abs(cv2.inpaint(damaged, gap.astype(np.uint8), 3, cv2.INPAINT_TELEA)[gap].astype(int) - pixels[gap])
    assert error < 12
    assert error < smear.mean() / 3


def test_nothing_of_the_thing_is_left() -> None:
    gap = hole()
    first, second = scene(), scene()
    first[gap], second[gap] = 0, 255
    inpaint = CopyInpainter()
    np.testing.assert_array_equal(inpaint(first, gap, seed=0), inpaint(second, gap, seed=0))


@pytest.mark.parametrize("margin", [2, 10])
def test_a_hole_that_no_copy_can_fill_is_filled_smoothly(margin: int) -> None:
    pixels = np.full((64, 96, 3), (40, 120, 200), np.uint8)
    gap = np.zeros((64, 96), np.bool_)
    gap[margin:-margin, margin:-margin] = True
    damaged = np.where(gap[..., None], np.uint8(0), pixels)
    np.testing.assert_allclose(CopyInpainter()(damaged, gap, seed=0), pixels, atol=1)


def test_diffusion_keeps_what_is_known_and_stays_between() -> None:
    values = np.random.default_rng(0).uniform(10, 20, (37, 51, 3)).astype(np.float32)
    known = np.ones((37, 51), np.bool_)
    known[10:30, 5:45] = False
    spread = diffuse(cv2, np.where(known[..., None], values, np.float32(1e6)), known)
    np.testing.assert_array_equal(spread[known], values[known])
    assert spread.min() >= 9.99
    assert spread.max() <= 20.01
