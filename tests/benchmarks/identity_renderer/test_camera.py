import io
from dataclasses import replace

import numpy as np
import pytest
from identity_renderer.camera import Exposure, develop
from identity_renderer.surfaces import Picture
from PIL import Image

PLAIN = Exposure(1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 95, "seed")


@pytest.fixture
def picture() -> Picture:
    x, y = np.meshgrid(np.linspace(40, 200, 96), np.linspace(60, 180, 96))
    return np.stack([x, y, (x + y) / 2], axis=-1).astype(np.float32)


def opened(jpeg: bytes) -> Picture:
    return np.asarray(Image.open(io.BytesIO(jpeg)), dtype=np.float32)


def test_plain_camera_changes_next_to_nothing(picture: Picture) -> None:
    assert np.abs(opened(develop(picture, PLAIN)) - picture).mean() < 2


def test_same_seed_same_bytes_and_grain_only_from_the_seed(picture: Picture) -> None:
    grainy = replace(PLAIN, grain=8)

    assert develop(picture, grainy) == develop(picture, grainy)
    assert develop(picture, grainy) != develop(picture, replace(grainy, seed="other"))


def test_grain_has_its_deviation(picture: Picture) -> None:
    flat = np.full_like(picture, 200)
    deviation = (opened(develop(flat, replace(PLAIN, grain=8))) - 200).std(axis=(0, 1))

    # Chroma is stored at half the resolution, which evens out some of the grain.
    assert np.all((deviation > 3) & (deviation < 9))


def test_gain_and_warmth(picture: Picture) -> None:
    bright = opened(develop(picture, replace(PLAIN, gain=1.2)))
    warm = opened(develop(picture, replace(PLAIN, warmth=1.0)))

    assert bright.mean() / picture.mean() == pytest.approx(1.2, abs=0.02)
    assert warm[..., 0].mean() > 1.1 * picture[..., 0].mean()
    assert warm[..., 2].mean() < 0.9 * picture[..., 2].mean()


def test_shake_blurs_along_its_direction_only() -> None:
    line = np.zeros((96, 96, 3), dtype=np.float32)
    line[:, 48] = 255

    across = opened(develop(line, replace(PLAIN, shake=8, shake_angle=0.0)))
    along = opened(develop(line, replace(PLAIN, shake=8, shake_angle=np.pi / 2)))

    assert (across[48, :, 1] > 15).sum() >= 7
    assert (along[48, :, 1] > 40).sum() <= 3
    assert across.mean() == pytest.approx(line.mean(), rel=0.15)


def test_vignette_darkens_corners(picture: Picture) -> None:
    flat = opened(develop(np.full_like(picture, 180), replace(PLAIN, vignette=0.4)))

    assert flat[48, 48, 0] == pytest.approx(180, abs=3)
    assert flat[0, 0, 0] == pytest.approx(180 * 0.6, abs=6)
