"""What every frozen feature extractor offers, whatever runs it underneath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.sealed_json import digest


@dataclass(frozen=True)
class TokenScale:
    """One grid of patch tokens.

    Attributes:
        num_tokens: tokens an image gives at this scale, row by row from the top left.
        dim: width of a token.
    """

    num_tokens: int
    dim: int


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """Everything that decides what a backbone computes; two equal specs give comparable features.

    Attributes:
        name: the name it was opened by, with the tag but without any local path.
        weights_sha256: SHA-256 of the weights, in hex.
        preprocessing: how pixels become its input.
        token_scales: shape of the tokens at each scale.
        pooled_dim: width of the frozen readout.
        readout: how the frozen readout is made, in words.
        dtype: arithmetic of the network, "float32", "bfloat16" or "float16".
    """

    name: str
    weights_sha256: str
    preprocessing: Preprocessing
    token_scales: tuple[TokenScale, ...]
    pooled_dim: int
    readout: str
    dtype: str = "float32"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return {
            "name": self.name,
            "weights_sha256": self.weights_sha256,
            "preprocessing": self.preprocessing.as_dict(),
            "token_scales": [[scale.num_tokens, scale.dim] for scale in self.token_scales],
            "pooled_dim": self.pooled_dim,
            "readout": self.readout,
            "dtype": self.dtype,
        }

    @property
    def fingerprint(self) -> str:
        """Short stable name of this spec: ``<name>:<first 12 hex digits of the SHA-256 of its JSON>``."""
        return self._named(self.as_dict())

    @property
    def weights_fingerprint(self) -> str:
        """Short stable name of what the tokens mean, whatever the arithmetic: all but dtype and frozen readout.

        A head reads the tokens of any backbone that has its own; embeddings compare only within one ``fingerprint``.
        """
        names = ("name", "weights_sha256", "preprocessing", "token_scales")
        return self._named({name: value for name, value in self.as_dict().items() if name in names})

    def _named(self, described: dict[str, Any]) -> str:
        return f"{self.name}:{digest(described)[:12]}"


class Backbone(Protocol):
    """A frozen network that turns resized images into patch tokens and one pooled vector.

    Implementations never train and are deterministic: the same image gives the same features whatever else is in its
    batch (bit for bit on the CPU).
    """

    @property
    def spec(self) -> BackboneSpec:
        """What it computes."""
        ...

    @property
    def device(self) -> str:
        """Where it runs: "cpu" or "cuda:N"."""
        ...

    def tokens(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Compute patch tokens.

        Args:
            images: (B, S, S, 3) uint8, already resized by ``spec.preprocessing``; B may be 0.

        Returns:
            One (B, N, D) float32 array for each of ``spec.token_scales``, class and register tokens removed.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        ...

    def pooled(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the frozen readout: what one would use without a trained head.

        Args:
            images: (B, S, S, 3) uint8, already resized by ``spec.preprocessing``; B may be 0.

        Returns:
            (B, spec.pooled_dim) float32, not normalised.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        ...

    def features(self, images: NDArray[np.uint8]) -> tuple[tuple[NDArray[np.float32], ...], NDArray[np.float32]]:
        """Compute tokens and frozen readout, in one pass of the network where the readout is made of its tokens.

        Args:
            images: (B, S, S, 3) uint8, already resized by ``spec.preprocessing``; B may be 0.

        Returns:
            What ``tokens`` and ``pooled`` give.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        ...
