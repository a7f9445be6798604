"""Colours of patches, against a loop over pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nearid_search.backbones.patch_colour import BINS, DIM, MEANS, bin_centres, patch_colours
from nearid_search.errors import ShapeError


def opponent(pixel: NDArray[np.uint8]) -> NDArray[np.float64]:
    red, green, blue = pixel.astype(np.float64) / 255 - 0.5
    return np.array([(red + green + blue) / 3, (red - green) / 2, (red + green) / 4 - blue / 2])


def slow_patch(patch: NDArray[np.uint8]) -> NDArray[np.float64]:
    """One patch, one pixel at a time."""
    half = len(patch) // 2
    quarters = [
        np.mean([opponent(patch[y, x]) for y in range(top, top + half) for x in range(left, left + half)], axis=0)
        for top in (0, half)
        for left in (0, half)
    ]
    spread = np.std([opponent(pixel) for row in patch for pixel in row], axis=0)
    shares = []
    for colour in quarters:
        weights = np.array([np.exp(-((colour - centre) ** 2).sum() / (2 * 0.15**2)) for centre in bin_centres()])
        shares.append(weights / weights.sum())
    return np.concatenate([*quarters, spread, np.mean(shares, axis=0)])


def test_it_agrees_with_a_loop_over_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), dtype=np.uint8)
    found = patch_colours(images, grid=3)
    assert found.shape == (2, 9, DIM)
    assert found.dtype == np.float32
    for number, image in enumerate(images):
        for place in range(9):
            row, column = divmod(place, 3)
            patch = image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            np.testing.assert_allclose(found[number, place], slow_patch(patch), atol=2e-5)


def test_a_plain_patch_has_no_spread_and_its_shares_sum_to_one() -> None:
    red = np.full((1, 28, 28, 3), (255, 0, 0), np.uint8)
    (patch,) = patch_colours(red, grid=1)[0]
    np.testing.assert_allclose(patch[:MEANS].reshape(4, 3), [[-1 / 6, 0.5, 0.25]] * 4, atol=1e-6)
    np.testing.assert_allclose(patch[MEANS : MEANS + 3], 0, atol=1e-3)
    assert patch[-BINS:].sum() == pytest.approx(1, abs=1e-5)


def test_things_of_other_colours_fall_into_other_bins() -> None:
    pixels = [
        (200, 30, 30),
        (30, 200, 30),
        (30, 30, 200),
        (220, 200, 40),
        (20, 20, 20),
        (235, 235, 235),
        (128, 128, 128),
    ]
    plain = np.stack([np.full((4, 4, 3), pixel, np.uint8) for pixel in pixels])
    assert len(set(patch_colours(plain, grid=1)[:, 0, -BINS:].argmax(axis=1).tolist())) == len(pixels)


def test_an_image_has_the_same_colours_in_any_batch() -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28, 3), dtype=np.uint8)
    assert np.array_equal(patch_colours(images, grid=2)[1:2], patch_colours(images[1:2], grid=2))
    assert patch_colours(images[:0], grid=2).shape == (0, 4, DIM)


@pytest.mark.parametrize("shape", [(1, 28, 30, 3), (1, 28, 28, 4), (28, 28, 3), (1, 27, 27, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"must be"):
        patch_colours(np.zeros(shape, np.uint8), grid=2)
