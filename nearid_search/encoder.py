"""From pictures to unit embeddings: preprocessing, frozen backbone and identity head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone
from nearid_search.config import EncoderConfig
from nearid_search.head_file import LoadedHead, load_head, read_head_manifest
from nearid_search.head_numpy import embed
from nearid_search.images import DecodedImage, read_image
from nearid_search.similarity import Embeddings, unit_rows

Image = str | Path | NDArray[np.uint8]


class IdentityEncoder:
    """Encodes images into unit vectors whose dot product is their similarity.

    The same image gives the same vector whatever else is in the batch. Without a head the vector is the backbone's
    frozen readout.

    Args:
        backbone: the frozen network.
        head: trained on this backbone's tokens.
        source: the text that opens the backbone again; its spec's name by default.
    """

    def __init__(self, backbone: Backbone, *, head: LoadedHead | None = None, source: str | None = None) -> None:
        self.backbone = backbone
        self.head = head
        self.source = source or backbone.spec.name

    @classmethod
    def open(
        cls,
        backbone: str | None = None,
        *,
        device: str = EncoderConfig.device,
        dtype: str | None = None,
        head: str | Path | None = None,
    ) -> IdentityEncoder:
        """Open an encoder by the name of its backbone, or by its head.

        Args:
            backbone: a name that ``nearid-search models`` lists; by default the head's, or dinov2-small.
            device: "auto", "cpu", "cuda" or "cuda:N".
            dtype: "float32", "bfloat16" or "float16"; by default the one the head was trained on, or float32.
            head: folder that ``nearid-search train`` made; None for the frozen readout.

        Raises:
            BackboneError: if the name is unknown.
            ConfigError: if device or dtype is none of these.
            DeviceUnavailableError: if the device asked for is absent.
            MissingExtraError: if an optional package is missing.
            WeightsError: if weights are missing, not the expected ones, or the head was trained on another backbone.
        """
        from nearid_search.backbones.registry import open_backbone

        if head is not None:
            trained_on = read_head_manifest(Path(head))
            backbone = backbone or trained_on.backbone
            dtype = dtype or trained_on.config.get("dtype")
        source = backbone or EncoderConfig.backbone
        opened = open_backbone(source, device=device, dtype=dtype or EncoderConfig.dtype)
        loaded = None if head is None else load_head(Path(head), backbone_fingerprint=opened.spec.fingerprint)
        return cls(opened, head=loaded, source=source)

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.backbone.spec.pooled_dim if self.head is None else self.head.spec.out_dim

    @property
    def device(self) -> str:
        """Where the backbone runs."""
        return self.backbone.device

    @property
    def fingerprint(self) -> str:
        """Names preprocessing, backbone and head; embeddings compare only within one fingerprint."""
        readout = "frozen" if self.head is None else self.head.fingerprint
        return f"{self.backbone.spec.fingerprint}+{readout}"

    def prepare(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize one (H, W, 3) uint8 RGB image to the backbone's (S, S, 3) input.

        Raises:
            ShapeError: if ``pixels`` has another shape or dtype.
        """
        return self.backbone.spec.preprocessing.resize(pixels)

    def encode_prepared(self, images: NDArray[np.uint8]) -> Embeddings:
        """Encode images that ``prepare`` has resized.

        Args:
            images: (B, S, S, 3) uint8; B may be 0.

        Returns:
            (B, D) float32 unit rows.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        if self.head is None:
            return unit_rows(self.backbone.pooled(images))
        return embed(self.head.spec, self.head.arrays, self.backbone.tokens(images))

    def encode(self, images: Sequence[Image], *, batch_size: int = 8) -> Embeddings:
        """Encode files or arrays.

        Args:
            images: paths, or (H, W, 3) uint8 RGB arrays.
            batch_size: images a network call; changes memory and speed, never a vector.

        Returns:
            (len(images), D) float32 unit rows.

        Raises:
            ShapeError: if an array is not (H, W, 3) uint8.
            UnreadableImageError: if a file cannot be read.
        """
        size = self.backbone.spec.preprocessing.size
        embeddings = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), batch_size):
            batch = [self.prepare(self._pixels(image)) for image in images[start : start + batch_size]]
            embeddings[start : start + len(batch)] = self.encode_prepared(np.stack(batch).reshape(-1, size, size, 3))
        return embeddings

    def read(self, path: Path) -> DecodedImage:
        """Read a file no larger than this encoder and a thumbnail need; indexing and querying share this.

        Raises:
            UnreadableImageError: if the file cannot be read.
        """
        return read_image(path, min_side=self.min_side)

    @property
    def min_side(self) -> int:
        """Shorter side in pixels below which the decoder must not reduce a picture: twice the input, at least 512."""
        return max(2 * self.backbone.spec.preprocessing.size, 512)

    def _pixels(self, image: Image) -> NDArray[np.uint8]:
        return image if isinstance(image, np.ndarray) else self.read(Path(image)).pixels
