import numpy as np
import pytest

from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.errors import BackboneError, ShapeError

PREPROCESSING = Preprocessing(size=8, filter="bicubic", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)


def test_normalise_is_the_formula() -> None:
    expected = (IMAGES / 255.0 - np.array(PREPROCESSING.mean)) / np.array(PREPROCESSING.std)
    normalised = PREPROCESSING.normalise(IMAGES)
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised, expected.transpose(0, 3, 1, 2), atol=1e-6)


def test_resize_squashes_the_whole_picture() -> None:
    halves = np.zeros((20, 60, 3), np.uint8)
    halves[:, 30:] = 200
    resized = PREPROCESSING.resize(halves)
    assert resized.shape == (8, 8, 3)
    assert resized[:, 0].max() < 10
    assert resized[:, -1].min() > 190


def test_an_image_of_the_right_size_is_untouched() -> None:
    np.testing.assert_array_equal(PREPROCESSING.resize(IMAGES[0]), IMAGES[0])


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3), (1, 4, 4, 3)])
def test_resize_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="pixels must be"):
        PREPROCESSING.resize(np.zeros(shape, np.uint8))


def test_a_library_configuration_is_taken_over() -> None:
    made = Preprocessing.from_config((8, 8), "bicubic", [0.1, 0.2, 0.3], [0.5, 0.6, 0.7])
    assert made == PREPROCESSING


def test_what_we_cannot_prepare_for_is_refused() -> None:
    with pytest.raises(BackboneError, match="8x9"):
        Preprocessing.from_config((8, 9), "bicubic", (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    with pytest.raises(BackboneError, match="'random'"):
        Preprocessing.from_config((8, 8), "random", (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
