"""Every way in which one pass of the backbone becomes an embedding, so that all are compared on the same pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError
from nearid_search.head_file import LoadedHead
from nearid_search.head_numpy import pool

HEAD, FROZEN, MEAN, OTHER = "head", "frozen", "mean token", "other head"
"""The readouts: our head, the backbone's own, the plain average of the tokens, and a head to compare ours with."""

Vectors = NDArray[np.float32]


class Readouts:
    """What is read out of a backbone.

    Args:
        encoder: its backbone, and its head if it has one.
        other: a second head to compare with the encoder's.

    Raises:
        ConfigError: if there is a second head and no first.
    """

    def __init__(self, encoder: IdentityEncoder, *, other: LoadedHead | None = None) -> None:
        if other is not None and encoder.head is None:
            raise ConfigError("a head to compare with needs one to compare: give --head, too")
        self.encoder = encoder
        found = {HEAD: encoder.head, OTHER: other}
        self._heads = {name: head for name, head in found.items() if head is not None}
        backbone = encoder.backbone.spec.fingerprint
        heads = {name: f"{backbone}+{head.fingerprint}" for name, head in self._heads.items()}
        self.fingerprints: Mapping[str, str] = {**heads, FROZEN: f"{backbone}+frozen", MEAN: f"{backbone}+mean"}

    def vectors(self, images: NDArray[np.uint8]) -> dict[str, Vectors]:
        """Compute every readout.

        Args:
            images: (B, S, S, 3) uint8, resized by the encoder.

        Returns:
            By name of the readout, (B, D) float32 before scaling to unit length.
        """
        tokens, pooled = self.encoder.backbone.features(images)
        heads = {name: pool(head.spec, head.arrays, tokens) for name, head in self._heads.items()}
        return {**heads, FROZEN: pooled, MEAN: mean_tokens(tokens)}


def mean_tokens(tokens: Sequence[NDArray[np.float32]]) -> Vectors:
    """Average the tokens of each scale.

    Args:
        tokens: one (B, N, D) array a scale.

    Returns:
        (B, sum of all D) float32, scales side by side.
    """
    return np.concatenate([scale.mean(axis=1) for scale in tokens], axis=1)
