"""Cutting out, placing and pasting."""

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("cv2")

import cv2

from nearid_search.trainer.distractors.colour import from_lab, to_lab
from nearid_search.trainer.distractors.compose import (
    CutOut,
    Placement,
    cut_out,
    fit_placement,
    harmonise,
    hole_of,
    own_placement,
    paste,
)
from nearid_search.trainer.distractors.masks import bounding_box
from nearid_search.trainer.distractors.rejection import Rejection


def box(height: int, width: int, left: int, top: int, right: int, bottom: int) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


SQUARE, TALL = box(300, 300, 50, 50, 250, 250), box(300, 300, 100, 20, 200, 290)


def noise(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_thing_pasted_back_is_the_thing() -> None:
    pixels, mask = noise(120, 160, 0), box(120, 160, 50, 30, 90, 100)
    background = np.full_like(pixels, 128)
    pasted, where = paste(cv2, background, cut_out(cv2, pixels, mask), own_placement(mask, None))
    np.testing.assert_allclose(pasted[34:96, 54:86], pixels[34:96, 54:86], atol=1)
    np.testing.assert_array_equal(pasted[:20], background[:20])
    assert (where & mask).sum() / (where | mask).sum() > 0.85


def test_no_background_comes_along() -> None:
    mask = box(120, 160, 50, 30, 90, 100)
    pixels = np.repeat(mask[..., None] * np.uint8(200), 3, axis=2)
    thing = cut_out(cv2, pixels, mask)
    assert (thing.pixels == 200).all()


def test_a_thing_cut_off_by_its_frame_stays_at_it() -> None:
    mask = box(120, 160, 0, 30, 60, 120)
    pixels = np.repeat(mask[..., None] * np.uint8(200), 3, axis=2)
    place = own_placement(mask, np.random.default_rng(0))
    pasted, where = paste(cv2, np.zeros_like(pixels), cut_out(cv2, pixels, mask), place)
    assert (pasted[40:110, 0] == 200).all()
    assert (pasted[119, 5:50] == 200).all()
    assert where[50, 0]
    assert where[119, 20]


def test_a_look_alike_stands_where_the_thing_stood_and_is_as_large() -> None:
    mask, donor = box(300, 400, 150, 100, 250, 260), box(200, 200, 60, 40, 140, 168)
    place = fit_placement(donor, mask)
    assert isinstance(place, Placement)
    pixels = np.repeat(donor[..., None] * np.uint8(255), 3, axis=2)
    _, where = paste(cv2, np.zeros((300, 400, 3), np.uint8), cut_out(cv2, pixels, donor), place)
    assert bounding_box(where) == pytest.approx((150, 100, 250, 260), abs=3)


@pytest.mark.parametrize(
    ("donor", "mask", "reason"),
    [
        (box(200, 200, 0, 40, 100, 160), SQUARE, "look-alike is cut off by its picture's frame"),
        (box(200, 200, 90, 90, 120, 120), SQUARE, "look-alike is too small in its picture"),
        (box(400, 400, 20, 180, 380, 200), TALL, "look-alike has too different a shape"),
    ],
)
def test_look_alikes_that_cannot_stand_there(donor: NDArray[np.bool_], mask: NDArray[np.bool_], reason: str) -> None:
    assert fit_placement(donor, mask) == Rejection(reason)


def test_a_large_thing_is_shrunk_without_aliasing() -> None:
    rows, columns = np.mgrid[:400, :400]
    pixels = np.repeat((((rows + columns) % 2) * 255)[..., None], 3, axis=2).astype(np.uint8)
    mask = box(400, 400, 20, 20, 380, 380)
    pasted, _ = paste(cv2, np.zeros((200, 200, 3), np.uint8), cut_out(cv2, pixels, mask), Placement(0.25, 50, 50))
    np.testing.assert_allclose(pasted[60:130, 60:130].mean(), 127.5, atol=2)
    assert pasted[60:130, 60:130].std() < 40


def test_light_follows_the_place_and_the_thing_keeps_its_colour() -> None:
    lab = np.tile(np.array([60, 30, 10], np.float32), (40, 40, 1))
    thing = CutOut(from_lab(cv2, lab), np.ones((40, 40), np.float32), 4, np.array([[70, 0, 0], [10, 5, 5]], np.float32))
    same = harmonise(cv2, thing, thing.light)
    np.testing.assert_allclose(same.pixels, thing.pixels, atol=1)
    darker = to_lab(cv2, harmonise(cv2, thing, np.array([[50, 0, -20], [10, 5, 5]], np.float32)).pixels).mean((0, 1))
    assert darker == pytest.approx([50, 30, 4], abs=1.5)


def test_the_hole_reaches_beyond_the_mask() -> None:
    mask = box(300, 400, 150, 100, 250, 260)
    hole = hole_of(cv2, mask)
    assert hole[mask].all()
    assert bounding_box(hole) == (144, 94, 256, 266)
