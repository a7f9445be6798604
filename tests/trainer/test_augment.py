"""Variants of a picture: the same every time, and each setting alone does what it says and no more."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nearid_search.errors import ConfigError, ShapeError
from nearid_search.trainer.augment import GREY, AugmentConfig, augment

STILL = {"flip": 0.0, "jitter": 0.0, "shift": 0.0, "scale": 0.0, "foreground": 0.0}
PIXELS = np.random.default_rng(0).integers(60, 190, (40, 60, 3), dtype=np.uint8)
MASK = np.zeros((40, 60), bool)
MASK[10:30, 20:50] = True


def variants(
    count: int,
    mask: NDArray[np.bool_] | None = None,
    pixels: NDArray[np.uint8] = PIXELS,
    **changes: float,
) -> list[NDArray[np.uint8]]:
    """Variants 1, 2, ... with only the settings named here."""
    config = AugmentConfig(variants=count, **{**STILL, **changes})  # type: ignore[arg-type]  # variants is a whole number
    return [augment(pixels, mask, config=config, key="lamp", variant=number + 1) for number in range(count)]


def test_variant_0_is_the_picture() -> None:
    config = AugmentConfig(variants=3, flip=1.0, foreground=1.0)
    assert augment(PIXELS, MASK, config=config, key="lamp", variant=0) is PIXELS


def test_without_changes_every_variant_is_the_picture() -> None:
    assert all(np.array_equal(found, PIXELS) for found in variants(5, MASK))


def test_key_and_variant_alone_decide() -> None:
    config = AugmentConfig(variants=4, foreground=0.5)
    names = [(key, number) for key in ("lamp", "cup") for number in range(1, 5)]
    first, second = (
        {name: augment(PIXELS, MASK, config=config, key=name[0], variant=name[1]).tobytes() for name in order}
        for order in (names, names[::-1])
    )
    assert first == second
    assert len(set(first.values())) == 8


def test_another_process_makes_the_same_bytes() -> None:
    code = (
        "import hashlib, numpy as np; from nearid_search.trainer.augment import AugmentConfig, augment\n"
        "pixels = np.random.default_rng(0).integers(60, 190, (40, 60, 3), dtype=np.uint8)\n"
        "made = augment(pixels, None, config=AugmentConfig(), key='lamp', variant=2)\n"
        "print(hashlib.sha256(made.tobytes()).hexdigest())"
    )
    ours = augment(PIXELS, None, config=AugmentConfig(), key="lamp", variant=2)
    theirs = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert theirs.strip() == hashlib.sha256(ours.tobytes()).hexdigest()


def test_flip_mirrors_as_often_as_it_says() -> None:
    assert all(np.array_equal(found, PIXELS[:, ::-1]) for found in variants(5, flip=1.0))
    flipped = [np.array_equal(found, PIXELS[:, ::-1]) for found in variants(400, flip=0.25)]
    assert all(
        turned or np.array_equal(found, PIXELS) for turned, found in zip(flipped, variants(400, flip=0.25), strict=True)
    )
    assert 70 <= sum(flipped) <= 130


def test_shift_moves_by_whole_pixels_up_to_its_bound() -> None:
    marked = np.full((40, 60, 3), 100, np.uint8)
    marked[20, 30] = 200
    places = []
    for found in variants(200, pixels=marked, shift=0.1):
        ((row, column),) = np.argwhere(found[..., 0] == 200)
        places.append((row - 20, column - 30))
        # Everything moves alike, and what comes in at the border is grey.
        expected = np.full_like(marked, GREY)
        expected[max(row - 20, 0) : 40 + min(row - 20, 0), max(column - 30, 0) : 60 + min(column - 30, 0)] = 100
        expected[row, column] = 200
        assert np.array_equal(found, expected)
    assert {row for row, _ in places} == set(range(-4, 5))
    assert {column for _, column in places} == set(range(-6, 7))


def test_scale_enlarges_about_the_centre_up_to_its_bound() -> None:
    square = np.full((200, 200, 3), GREY, np.uint8)
    square[50:150, 50:150] = 255
    sides = []
    for found in variants(100, pixels=square, scale=0.2):
        rows, columns = (np.flatnonzero((found[..., 0] > 190).any(axis=axis)) for axis in (1, 0))
        assert abs(rows.mean() - 99.5) <= 0.5
        assert abs(columns.mean() - 99.5) <= 0.5
        assert len(rows) == len(columns)
        sides.append(len(rows))
    assert 79 <= min(sides) <= 84
    assert 116 <= max(sides) <= 121


def test_jitter_keeps_hue_and_its_bound() -> None:
    # Levels far from black and white, so that nothing is clipped and each variant is one straight line of values.
    slopes = []
    for found in variants(100, jitter=0.1):
        slope, offset = np.polyfit(PIXELS.ravel().astype(float), found.ravel().astype(float), 1)
        assert np.abs(slope * PIXELS + offset - found).max() < 1  # the same line in all three channels: no hue
        brightness = float(found.mean() / PIXELS.mean())
        assert 0.899 <= brightness <= 1.101
        assert 0.89 <= slope / brightness <= 1.11
        slopes.append((brightness, slope / brightness))
    assert np.ptp(slopes, axis=0).min() > 0.15
    assert abs(np.corrcoef(np.transpose(slopes))[0, 1]) < 0.4


def test_jitter_stops_at_black_and_white() -> None:
    extremes = np.tile(np.array([0, 255], np.uint8)[:, None, None], (10, 20, 3))
    found = np.stack(variants(50, pixels=extremes, jitter=0.9))
    assert (found[:, 0] < found[:, 1]).all()
    assert found.max() == 255
    assert found.min() == 0


def test_foreground_hides_all_but_the_thing_as_often_as_it_says() -> None:
    alone = np.where(MASK[..., None], PIXELS, GREY)
    assert all(np.array_equal(found, alone) for found in variants(5, MASK, foreground=1.0))
    hidden = sum(np.array_equal(found, alone) for found in variants(400, MASK, foreground=0.5))
    assert 160 <= hidden <= 240


def test_a_picture_without_a_mask_keeps_its_background() -> None:
    assert all(np.array_equal(found, PIXELS) for found in variants(5, foreground=1.0))
    with_mask, without = (variants(20, mask, flip=0.5, jitter=0.1, shift=0.1, scale=0.1) for mask in (MASK, None))
    assert all(np.array_equal(one, other) for one, other in zip(with_mask, without, strict=True))


def test_the_mask_moves_with_the_picture() -> None:
    flipped = np.where(MASK[..., None], PIXELS, GREY)[:, ::-1]
    assert all(np.array_equal(found, flipped) for found in variants(5, MASK, foreground=1.0, flip=1.0))


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    amounts=st.tuples(*[st.floats(0, 0.999)] * 5),
    variant=st.integers(0, 1000),
)
def test_any_size_and_setting_gives_a_picture_of_the_same_size(
    height: int, width: int, amounts: tuple[float, ...], variant: int
) -> None:
    flip, jitter, shift, scale, foreground = amounts
    config = AugmentConfig(flip=flip, jitter=jitter, shift=shift, scale=scale, foreground=foreground)
    pixels, mask = PIXELS[:height, :width], MASK[:height, :width]
    before = pixels.copy()
    made = augment(pixels, mask, config=config, key="", variant=variant)
    assert made.shape == pixels.shape
    assert made.dtype == np.uint8
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": -1}, r"augment\.variants must be 0 or more, got -1"),
        ({"flip": 1.1}, r"augment\.flip must be a probability from 0 to 1, got 1\.1"),
        ({"foreground": -0.1}, r"augment\.foreground must be a probability"),
        ({"jitter": 1.0}, r"augment\.jitter must be 0 or more and below 1, got 1\.0"),
        ({"shift": float("nan")}, r"augment\.shift .* got nan"),
        ({"scale": -0.5}, r"augment\.scale .* got -0\.5"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AugmentConfig(**changes)  # type: ignore[arg-type]  # variants among them


@pytest.mark.parametrize(
    ("pixels", "mask"),
    [
        (PIXELS[..., 0], None),
        (PIXELS.astype(np.float32), None),
        (PIXELS[:0], None),
        (PIXELS, MASK[:, :-1]),
        (PIXELS, MASK.astype(np.uint8)),
    ],
    ids=["grey", "float", "empty", "smaller mask", "mask of numbers"],
)
def test_other_shapes_are_refused(pixels: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> None:
    with pytest.raises(ShapeError, match="must be"):
        augment(pixels, mask, config=AugmentConfig(), key="lamp", variant=1)
