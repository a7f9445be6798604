"""Best patch against patch: for each patch of the query, how alike is the most alike patch of the other picture?

Pooling loses which patches there are. The comparison needs no training (MaSC, arXiv 2605.22469, makes it over the
query's foreground; here each patch weighs what the head attends to it). Tokens of a gallery are not stored: pictures of
a shortlist are read and encoded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.head_numpy import attention
from nearid_search.image_encoder import Image

Tokens = Sequence[NDArray[np.float32]]


class WeighedPatches(NamedTuple):
    """The patches of a query's picture.

    Attributes:
        patches: one (N, D) float32 array a scale, unit rows.
        weights: what each patch weighs, over all scales, summing to 1.
    """

    patches: Tokens
    weights: NDArray[np.float32]


def patch_score(query: Tokens, weights: NDArray[np.float32], other: Tokens) -> float:
    """Average over the query's patches how alike the most alike patch of another picture is.

    Args:
        query: one (N, D) array a scale, unit rows.
        weights: what each patch weighs, over all scales, summing to 1.
        other: one (M, D) array a scale, unit rows; patches are compared within a scale.

    Returns:
        The weighted mean of the best cosines, in [-1, 1].
    """
    best = [(own @ others.T).max(axis=1) for own, others in zip(query, other, strict=True)]
    return float(weights @ np.concatenate(best))


class PatchLook:
    """Compares patches, each weighed by how much the head attends to it; equally without a head. See ``Look``.

    Args:
        encoder: of the gallery.
    """

    plain_share = 2 / 3

    def __init__(self, encoder: IdentityEncoder) -> None:
        self._encoder = encoder

    def at_query(self, picture: Image) -> WeighedPatches:
        """Encode a picture and weigh its patches."""
        tokens = self._tokens(picture)
        return WeighedPatches(_units(tokens), self._weights(tokens))

    def at_view(self, picture: Path) -> Tokens:
        """Encode a picture of the gallery."""
        return _units(self._tokens(picture))

    def compare(self, query: WeighedPatches, view: Tokens) -> float:
        """Return the patch score, in [-1, 1]."""
        return patch_score(query.patches, query.weights, view)

    def _tokens(self, picture: Image) -> Tokens:
        encoder = self._encoder
        pixels = picture if isinstance(picture, np.ndarray) else encoder.read(Path(picture)).pixels
        return [scale[0] for scale in encoder.backbone.tokens(encoder.prepare(pixels)[None])]

    def _weights(self, tokens: Tokens) -> NDArray[np.float32]:
        head = self._encoder.head
        if head is None:
            count = sum(map(len, tokens))
            return np.full(count, 1 / count, np.float32)
        return np.concatenate([s[0] for s in attention(head.spec, head.arrays, [scale[None] for scale in tokens])])


def _units(tokens: Tokens) -> Tokens:
    return [scale / np.maximum(np.linalg.norm(scale, axis=1, keepdims=True), np.float32(1e-12)) for scale in tokens]
