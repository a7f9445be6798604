"""Colours, patterns and textures: known values, and what a palette has to cover."""

import numpy as np
import pytest
from identity_renderer.colour import difference, draw_palette, draw_shift, from_lab, shift_texture, to_lab
from identity_renderer.patterns import PATTERNS
from identity_renderer.textures import draw_texture, draw_texture_around


@pytest.mark.parametrize(
    ("srgb", "lab"),
    [
        # Bruce Lindbloom's calculator, D65.
        ((1, 0, 0), (53.2408, 80.0925, 67.2032)),
        ((0, 1, 0), (87.7347, -86.1827, 83.1793)),
        ((0, 0, 1), (32.2970, 79.1875, -107.8602)),
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_lab_of_known_colours(srgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    assert to_lab(np.array(srgb)) == pytest.approx(lab, abs=0.02)


def test_lab_round_trip() -> None:
    srgb = np.random.default_rng(0).random((2000, 3))
    assert from_lab(to_lab(srgb)) == pytest.approx(srgb, abs=1e-4)


def test_a_palette_covers_hues_greys_and_lightness() -> None:
    colours = np.concatenate([draw_palette(np.random.default_rng(seed), 3) for seed in range(150)])
    chroma = np.hypot(colours[:, 1], colours[:, 2])
    hues = np.floor(np.arctan2(colours[:, 2], colours[:, 1]) / (2 * np.pi) * 12)[chroma > 15]
    assert len(set(hues)) == 12
    assert 0.15 < (chroma < 10).mean() < 0.5
    assert np.quantile(colours[:, 0], 0.1) < 25
    assert np.quantile(colours[:, 0], 0.9) > 80


def test_colours_of_a_palette_differ() -> None:
    for seed in range(30):
        colours = draw_palette(np.random.default_rng(seed), 4)
        gaps = np.linalg.norm(colours[:, None] - colours[None], axis=2)[np.triu_indices(4, 1)]
        assert gaps.min() >= 17


@pytest.mark.parametrize("wanted", [12, 30, 60])
def test_a_shift_reaches_the_wanted_difference(wanted: float) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        old = rng.random((1, 3))
        new = from_lab(to_lab(old) + draw_shift(rng, old, wanted))
        assert difference(old, new) == pytest.approx(wanted, rel=0.15)


@pytest.mark.parametrize("name", PATTERNS)
class TestPattern:
    def test_fills_its_range(self, name: str) -> None:
        for seed in range(4):
            field = PATTERNS[name](np.random.default_rng(seed), 128)
            assert field.shape == (128, 128)
            assert 0 <= field.min() < field.max() <= 1
            assert field.std() > 0.05

    def test_continues_over_its_edges(self, name: str) -> None:
        for seed in range(4):
            field = PATTERNS[name](np.random.default_rng(seed), 128)
            for axis in (0, 1):
                steps = np.abs(np.diff(field, axis=axis, append=field.take([0], axis=axis))).mean(axis=1 - axis)
                assert steps[-1] <= max(2 * np.sort(steps)[-4], 0.02)

    def test_is_the_same_again(self, name: str) -> None:
        one, again, other = (draw_texture(np.random.default_rng(seed), name) for seed in (1, 1, 2))
        assert np.array_equal(one, again)
        assert not np.array_equal(one, other)

    def test_keeps_a_wanted_mean(self, name: str) -> None:
        for seed, mean in enumerate([(0.7, 0.3, 0.3), (0.15, 0.2, 0.5), (0.9, 0.9, 0.85)]):
            texture = draw_texture_around(np.random.default_rng(seed), mean, 30, name).astype(np.float32) / 255
            reached = to_lab(texture).mean(axis=(0, 1))
            assert np.linalg.norm(reached - to_lab(np.array(mean))) < 8
            assert to_lab(texture).reshape(-1, 3).std(axis=0).max() > 1


def test_a_shifted_texture_keeps_its_pattern() -> None:
    texture = draw_texture_around(np.random.default_rng(0), (0.5, 0.5, 0.5), 20, "wood")
    shifted = shift_texture(texture, np.array([10, 20, 0], dtype=np.float32))
    moved = to_lab(shifted / 255) - to_lab(texture / 255)
    assert moved.mean(axis=(0, 1)) == pytest.approx([10, 20, 0], abs=0.5)
    assert np.corrcoef(texture[..., 1].ravel(), shifted[..., 1].ravel())[0, 1] > 0.98
