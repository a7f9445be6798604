"""How a pass of the backbone becomes embeddings, so that all are compared on the same pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError
from nearid_search.head_file import LoadedHead
from nearid_search.head_numpy import pool

HEAD, FROZEN, MEAN, OTHER = "head", "frozen", "mean token", "other head"
"""The readouts: our head, the backbone's own, the plain average of the tokens, and a head to compare ours with."""

Vectors = NDArray[np.float32]


class ReadoutSet(Protocol):
    """One or more embeddings of the same pixels.

    Attributes:
        encoder: prepares the pictures.
        fingerprints: of each readout, by its name.
    """

    encoder: IdentityEncoder
    fingerprints: Mapping[str, str]

    def vectors(self, images: NDArray[np.uint8]) -> dict[str, Vectors]:
        """Compute every readout.

        Args:
            images: (B, S, S, 3) uint8, resized by the encoder.

        Returns:
            By name of the readout, (B, D) float32 before scaling to unit length.
        """
        ...


class Readouts:
    """Every way in which a backbone is judged, all from one pass.

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
        """Compute every readout; see ``ReadoutSet``."""
        tokens, pooled = self.encoder.backbone.features(images)
        heads = {name: pool(head.spec, head.arrays, tokens) for name, head in self._heads.items()}
        return {**heads, FROZEN: pooled, MEAN: mean_tokens(tokens)}


class OwnReadout:
    """What an encoder gives, with nothing beside it.

    Args:
        encoder: frozen or with a head.
    """

    def __init__(self, encoder: IdentityEncoder) -> None:
        self.encoder = encoder
        self.name = FROZEN if encoder.head is None else HEAD
        self.fingerprints: Mapping[str, str] = {self.name: encoder.fingerprint}

    def vectors(self, images: NDArray[np.uint8]) -> dict[str, Vectors]:
        """Compute it; see ``ReadoutSet``."""
        head, backbone = self.encoder.head, self.encoder.backbone
        if head is None:
            return {self.name: backbone.pooled(images)}
        return {self.name: pool(head.spec, head.arrays, backbone.tokens(images))}


def mean_tokens(tokens: Sequence[NDArray[np.float32]]) -> Vectors:
    """Average the tokens of each scale.

    Args:
        tokens: one (B, N, D) array a scale.

    Returns:
        (B, sum of all D) float32, scales side by side.
    """
    return np.concatenate([scale.mean(axis=1) for scale in tokens], axis=1)
