"""Colours stand where the heat map says."""

import numpy as np

from nearid_search.heat_overlay import AGAINST, FOR, overlay


def test_regions_are_coloured_by_sign_and_strength() -> None:
    grey = np.full((40, 80, 3), 100, np.uint8)
    heat = ((1.0, 0.0), (0.0, -1.0))
    found = overlay(grey, heat).astype(int)
    corners = {"for": found[0, 0], "none": found[0, -1], "against": found[-1, -1]}
    assert abs(corners["for"] - (0.25 * 100 + 0.75 * np.array(FOR))).max() <= 8
    assert abs(corners["against"] - (0.25 * 100 + 0.75 * np.array(AGAINST))).max() <= 8
    assert abs(corners["none"] - 100).max() <= 12


def test_a_map_that_says_nothing_leaves_the_picture_grey() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    found = overlay(pixels, ((0.0,),))
    assert (found == found[..., :1]).all()
