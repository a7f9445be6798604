"""Wide greys, whose white nobody writes down."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nearid_search.pixels import narrow_grey


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 128, 129, 65535]], np.uint16), [0, 0, 1, 255]),
        (np.array([[0.0, 1.0, np.nan]], np.float32), [0, 255, 0]),
        (np.array([[0.0, 2.0, 254.0]], np.float32), [0, 2, 254]),
        (np.array([[0.0, 257.0, 65535.0]], np.float32), [0, 1, 255]),
        (np.array([[-1.0, 0.0, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[-np.inf, 0.0, np.inf]], np.float32), [0, 128, 255]),
        (np.array([[5e9, 5e9]], np.float64), [0, 0]),
        (np.array([[0, 7, 255]], np.int32), [0, 7, 255]),
        (np.array([[0, 257 * 9, 65535]], np.int32), [0, 9, 255]),
        (np.array([[-(2**31), 2**31 - 1]], np.int32), [0, 255]),
    ],
)
def test_white_is_the_smallest_usual_one(values: np.ndarray, expected: list[int]) -> None:
    assert narrow_grey(values)[0].tolist() == expected


@given(arrays(np.float32, (3, 4), elements=st.floats(width=32)))
def test_any_floats_keep_their_order(values: np.ndarray) -> None:
    grey = narrow_grey(values)
    assert grey.shape == (3, 4)
    order = np.argsort(np.nan_to_num(values), axis=None)
    assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()
