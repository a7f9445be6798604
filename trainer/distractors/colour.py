"""Colours as people see them: CIELAB, differences in it, and clusters of it."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Lab = NDArray[np.float32]

_SAMPLES = 3_000
_ROUNDS = 12


def to_lab(cv2: ModuleType, pixels: Pixels) -> Lab:
    """Convert (H, W, 3) uint8 sRGB to float32 CIELAB: L in [0, 100], a and b about [-128, 128]."""
    lab: Lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab


def from_lab(cv2: ModuleType, lab: Lab) -> Pixels:
    """Convert (H, W, 3) float32 CIELAB to uint8 sRGB; what a screen cannot show is clipped."""
    rgb = cv2.cvtColor(np.ascontiguousarray(lab, np.float32), cv2.COLOR_LAB2RGB)
    pixels: Pixels = np.rint(rgb * 255).clip(0, 255).astype(np.uint8)
    return pixels


def delta_e(cv2: ModuleType, first: Pixels, second: Pixels) -> NDArray[np.float32]:
    """Return the colour difference of two (H, W, 3) uint8 pictures at each pixel: CIE76, about 2.3 is just visible."""
    difference: NDArray[np.float32] = np.linalg.norm(to_lab(cv2, first) - to_lab(cv2, second), axis=-1)
    return difference


def cluster(features: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Group rows by k-means with k-means++ seeding, on a sample.

    Args:
        features: (N, F) float32, N at least 1.
        count: clusters at most.
        rng: decides sample and seeds.

    Returns:
        (N,) the cluster of each row.
    """
    sample = features[rng.permutation(len(features))[:_SAMPLES]]
    centres = sample[:1]
    for _ in range(count - 1):
        nearest = _distances(sample, centres).min(1)
        if nearest.sum() <= 0:
            break
        centres = np.vstack([centres, sample[rng.choice(len(sample), p=nearest / nearest.sum())]])
    for _ in range(_ROUNDS):
        labels = _distances(sample, centres).argmin(1)
        centres = np.stack(
            [
                sample[labels == number].mean(0) if (labels == number).any() else old
                for number, old in enumerate(centres)
            ]
        )
    found: NDArray[np.int64] = _distances(features, centres).argmin(1)
    return found


def _distances(rows: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.stack(
        [((rows - centre).astype(np.float64) ** 2).sum(1) for centre in centres], axis=1
    )
    return squares
