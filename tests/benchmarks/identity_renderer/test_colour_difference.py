import numpy as np
import pytest
from identity_renderer.colour_difference import changed_share
from numpy.typing import NDArray


def layer(colour: tuple[int, int, int], rows: slice) -> NDArray[np.uint8]:
    drawn = np.zeros((20, 20, 4), dtype=np.uint8)
    drawn[rows] = (*colour, 255)
    return drawn


FREE = np.ones((20, 20), dtype=bool)
GREY, RED = (120, 120, 120), (200, 30, 30)


def test_nothing_changed() -> None:
    assert changed_share(layer(GREY, slice(0, 10)), layer(GREY, slice(0, 10)), FREE) == 0


def test_share_of_a_repainted_part() -> None:
    other = layer(GREY, slice(0, 10))
    other[:3, :, :3] = RED

    assert changed_share(layer(GREY, slice(0, 10)), other, FREE) == pytest.approx(0.3)


def test_hardly_visible_change_counts_only_below_its_threshold() -> None:
    first, second = layer(GREY, slice(0, 10)), layer((124, 120, 120), slice(0, 10))

    assert changed_share(first, second, FREE) == 0
    assert changed_share(first, second, FREE, above=1.0) == 1


def test_silhouettes_that_differ() -> None:
    assert changed_share(layer(GREY, slice(0, 10)), layer(GREY, slice(5, 15)), FREE) == pytest.approx(10 / 15)


def test_what_is_covered_by_an_occluder_does_not_count() -> None:
    other = layer(RED, slice(0, 10))
    free = FREE.copy()
    free[:10] = False

    assert changed_share(layer(GREY, slice(0, 10)), other, free) == 0
