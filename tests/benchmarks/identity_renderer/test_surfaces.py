import numpy as np
import pytest
from identity_renderer.backgrounds import _sample
from identity_renderer.surfaces import SIDE, draw_surface


@pytest.mark.parametrize("seed", range(12))
def test_surfaces_are_pictures_that_only_the_seed_decides(seed: int) -> None:
    first, second = (draw_surface(np.random.default_rng(seed)) for _ in range(2))

    np.testing.assert_array_equal(first, second)
    assert first.shape == (SIDE, SIDE, 3)
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 255


def test_sampling_a_plane_mirrors_its_texture() -> None:
    texture = np.broadcast_to(np.arange(SIDE, dtype=np.float32)[None, :, None], (SIDE, SIDE, 3))
    x = np.array([[0.25, -0.25, 2 * (SIDE - 1) / SIDE - 0.25]])

    seen = _sample(texture, (x, np.zeros_like(x)), np.full_like(x, 1e-6), 1.0, 0.0)

    np.testing.assert_allclose(seen[0, :, 0], 64, atol=1e-3)
