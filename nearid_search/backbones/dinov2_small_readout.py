"""The frozen readout of ``dinov2-small`` from its tokens, for the runtimes that give these as arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.dinov2_small_variant import WIDTH


class LayerReadout(ABC):
    """A backbone whose frozen readout follows from its tokens."""

    @abstractmethod
    def tokens(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Compute patch tokens; see ``Backbone``."""

    def pooled(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the frozen readout, (B, 384 x layers); see ``Backbone``."""
        return self.features(images)[1]

    def features(self, images: NDArray[np.uint8]) -> tuple[tuple[NDArray[np.float32], ...], NDArray[np.float32]]:
        """Compute tokens and frozen readout in one pass of the network; see ``Backbone``."""
        tokens = self.tokens(images)
        return tokens, pool_layers(tokens[0])


def pool_layers(tokens: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pool tokens so that every layer weighs alike: later layers have longer tokens and would drown the earlier ones.

    Args:
        tokens: (B, N, L x 384) float32, layers side by side.

    Returns:
        (B, L x 384) float32, each layer's part of unit length.
    """
    peaks = tokens.max(axis=1).reshape(len(tokens), tokens.shape[2] // WIDTH, WIDTH)
    unit: NDArray[np.float32] = peaks / np.linalg.norm(peaks, axis=2, keepdims=True)
    return unit.reshape(len(tokens), tokens.shape[2])
