"""Where the second look falls."""

import numpy as np
import pytest

pytest.importorskip("torch")

from more_looks import attended_square, cut


def test_the_square_lies_where_attention_lies() -> None:
    shares = np.zeros((16, 16), np.float32)
    shares[9:13, 2:6] = 1
    side, x, y = attended_square(shares.ravel())
    assert (x, y) == pytest.approx((4 / 16, 11 / 16))
    assert side == 0.5, "it is never smaller than half of the picture"
    assert attended_square(np.ones(256, np.float32)) == pytest.approx((1.0, 0.5, 0.5))


def test_a_cut_at_the_border_is_moved_inside() -> None:
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    np.testing.assert_array_equal(cut(pixels, 0.5, 0.0, 1.0), pixels[4:, :4])
    np.testing.assert_array_equal(cut(pixels, 1.0, 0.2, 0.9), pixels)
