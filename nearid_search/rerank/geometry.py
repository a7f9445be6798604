"""Local features whose places agree: a label that is the same in two photographs is the same drawing seen anew.

Keypoints of both pictures are matched by their descriptors (SIFT: Lowe, IJCV 2004), mutually and clearly, and counted
where one homography takes the query's places to the view's (MAGSAC++: Barath et al., CVPR 2020, as OpenCV has it).
Things without texture have too few keypoints to count, and then nothing changes.

Two things on the same background would agree on the background. So of a query's keypoints only those count that lie on
what saliency takes for the thing.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from nearid_search.image_encoder import Image
from nearid_search.images import read_image
from nearid_search.opencv_extra import import_cv2
from nearid_search.saliency import SaliencyNetwork, open_backbone_saliency

SIDE = 480
"""Longest side in pixels that a picture is reduced to; a smaller one stays as it is."""
MOST_KEYPOINTS = 1_000
RATIO = 0.85
"""A match counts if its distance is below this share of the next best one's."""
PIXELS = 4.0
"""That a match may lie off the homography, about."""
LEAST = 10
"""Matches that must agree; fewer agree by chance."""
HALF = 30
"""Matches beyond none at which the score is one half."""

_CONTRAST = 0.02  # half of SIFT's default: printed matter on a matt surface has little more
_THING = 0.5
_LEAST_OF_PICTURE = 0.01  # a thing smaller than that share of the picture is none
_LARGEST_SCALE = 20.0  # of areas, at the middle of what agrees


class LocalFeatures(NamedTuple):
    """Keypoints of a picture.

    Attributes:
        places: (N, 2) float32, in pixels of the reduced picture.
        descriptors: (N, 128) float32 unit rows whose Euclidean distance says how different two are.
    """

    places: NDArray[np.float32]
    descriptors: NDArray[np.float32]


def agreement_score(count: int) -> float:
    """Turn a number of matches that agree into a score in [0, 1).

    Example:
        >>> agreement_score(9), agreement_score(30), agreement_score(270)
        (0.0, 0.5, 0.9)
    """
    return count / (count + HALF) if count >= LEAST else 0.0


def match_features(query: LocalFeatures, view: LocalFeatures) -> NDArray[np.int64]:
    """Match keypoints that are each other's nearest, where the next nearest of the view is clearly farther.

    Returns:
        (M, 2) numbers of the keypoints, the query's first.
    """
    if not len(query.places) or len(view.places) < 2:
        return np.empty((0, 2), np.int64)
    likeness = query.descriptors @ view.descriptors.T
    distances = np.sqrt(np.maximum(2 - 2 * likeness, 0))
    nearest = distances.argmin(axis=1)
    best, second = np.partition(distances, 1, axis=1)[:, :2].T
    own = np.arange(len(nearest))
    kept = (best < RATIO * second) & (distances.argmin(axis=0)[nearest] == own)
    return np.stack([own[kept], nearest[kept]], axis=1)


def features_on(thing: NDArray[np.bool_], found: LocalFeatures) -> LocalFeatures:
    """Leave out keypoints that are not on the thing, an (H, W) map; none of them if it marks next to nothing."""
    if thing.mean() < _LEAST_OF_PICTURE:
        return found
    x, y = found.places.astype(np.int64).T
    kept = thing[np.minimum(y, thing.shape[0] - 1), np.minimum(x, thing.shape[1] - 1)]
    return LocalFeatures(found.places[kept], found.descriptors[kept])


class GeometryLook:
    """Counts local features whose places agree. See ``Look``; it needs no encoder.

    Raises:
        MissingExtraError: if OpenCV is not installed.
    """

    plain_share = 0.8

    def __init__(self) -> None:
        self._cv2: ModuleType = import_cv2("re-ranking by geometry")

    @cached_property
    def _saliency(self) -> SaliencyNetwork:
        return open_backbone_saliency()

    def at_query(self, picture: Image) -> LocalFeatures:
        """Find the keypoints on the thing; on the whole picture if nothing in it stands out.

        Raises:
            UnreadableImageError: if the picture cannot be read.
            WeightsError: if the saliency network is missing.
        """
        pixels = _reduced(picture)
        found = self._features(pixels)
        return features_on(self._saliency(pixels) >= _THING, found)

    def at_view(self, picture: Path) -> LocalFeatures:
        """Find the keypoints of a picture of the gallery; raises ``UnreadableImageError`` as ``at_query`` does."""
        return self._features(_reduced(picture))

    def compare(self, query: LocalFeatures, view: LocalFeatures) -> float:
        """Return the score of the matches that agree, in [0, 1)."""
        return agreement_score(self.count_agreeing(query, view))

    def count_agreeing(self, query: LocalFeatures, view: LocalFeatures) -> int:
        """Count the matches that one homography explains; a mirror image or a collapse to a line explains none."""
        matches = match_features(query, view)
        if len(matches) < LEAST:
            return 0
        here, there = query.places[matches[:, 0]], view.places[matches[:, 1]]
        cv2 = self._cv2
        homography, agreeing = cv2.findHomography(here, there, cv2.USAC_MAGSAC, PIXELS)
        if homography is None or not agreeing.any():
            return 0
        middle = np.append(here[agreeing.ravel() > 0].mean(axis=0), 1)
        area = np.linalg.det(homography) / (homography[2] @ middle) ** 3  # what areas grow by there
        return int(agreeing.sum()) if 1 / _LARGEST_SCALE < area < _LARGEST_SCALE else 0

    def _features(self, pixels: NDArray[np.uint8]) -> LocalFeatures:
        grey = np.asarray(PillowImage.fromarray(pixels).convert("L"))
        sift = self._cv2.SIFT_create(nfeatures=MOST_KEYPOINTS, contrastThreshold=_CONTRAST)
        keypoints, found = sift.detectAndCompute(grey, None)
        places = np.asarray([each.pt for each in keypoints], np.float32).reshape(-1, 2)
        if found is None:
            return LocalFeatures(places, np.empty((0, 128), np.float32))
        # The roots of the shares: a Hellinger distance, which tells histograms apart better than a Euclidean one
        # (Arandjelović and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012).
        sums = np.maximum(found.sum(axis=1, keepdims=True), np.float32(1e-9))
        return LocalFeatures(places, np.sqrt(found / sums).astype(np.float32))


def _reduced(picture: Image) -> NDArray[np.uint8]:
    pixels = picture if isinstance(picture, np.ndarray) else read_image(Path(picture), min_side=SIDE).pixels
    image = PillowImage.fromarray(pixels)
    image.thumbnail((SIDE, SIDE), PillowImage.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(image)
