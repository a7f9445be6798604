"""What every encoder offers: pictures in, unit embeddings out, however it computes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.foreground import Foreground, paint_over
from nearid_search.head_file import LoadedHead
from nearid_search.images import DecodedImage, read_image
from nearid_search.similarity import Embeddings

Image = str | Path | NDArray[np.uint8]


class ImageEncoder(ABC):
    """Encodes images into unit vectors whose dot product is their similarity.

    The same image gives the same vector whatever else is in the batch.

    Args:
        source: the text that opens its network again.
        preprocessing: how pixels become its input.
        head: what a gallery must keep to open it again; None if there is no head, or one inside what ``source`` names.
        foreground: says what is painted over before a picture is encoded; None for nothing.
    """

    def __init__(
        self,
        source: str,
        preprocessing: Preprocessing,
        head: LoadedHead | None = None,
        foreground: Foreground | None = None,
    ) -> None:
        self.source = source
        self.preprocessing = preprocessing
        self.head = head
        self.foreground = foreground

    @property
    @abstractmethod
    def dim(self) -> int:
        """Width of an embedding."""

    @property
    @abstractmethod
    def device(self) -> str:
        """Where it runs: "cpu" or "cuda:N"."""

    @property
    @abstractmethod
    def dtype(self) -> str:
        """Arithmetic of its network: "float32", "bfloat16" or "float16"."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Names all that decides an embedding; embeddings compare only within one fingerprint."""

    @property
    @abstractmethod
    def details(self) -> dict[str, Any]:
        """What it is, for people, as JSON-ready values."""

    @abstractmethod
    def encode_prepared(self, images: NDArray[np.uint8]) -> Embeddings:
        """Encode images that ``prepare`` has resized.

        Args:
            images: (B, S, S, 3) uint8; B may be 0.

        Returns:
            (B, D) float32 unit rows.

        Raises:
            ShapeError: if ``images`` has another shape or dtype, or an image's result is zero or not finite.
        """

    def prepare(self, pixels: NDArray[np.uint8], file: str | None = None) -> NDArray[np.uint8]:
        """Resize one image to the network's input and paint over its background, if this encoder does.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            file: path of the picture as the user's masks mirror it; only those need it.

        Returns:
            (S, S, 3) uint8.

        Raises:
            ConfigError: if a mask is needed and there is no file.
            ShapeError: if ``pixels`` has another shape or dtype.
            UnreadableImageError: if its mask cannot be read.
        """
        return self.paint(self.preprocessing.resize(pixels), pixels, file)

    def paint(
        self, prepared: NDArray[np.uint8], pixels: NDArray[np.uint8], file: str | None = None
    ) -> NDArray[np.uint8]:
        """Paint over the background of an image that was resized already; raises as ``prepare`` does."""
        if self.foreground is None:
            return prepared
        return paint_over(prepared, self.foreground.find(pixels, file), self.preprocessing)

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
        size = self.preprocessing.size
        embeddings = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), batch_size):
            batch = [self._prepared(image) for image in images[start : start + batch_size]]
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
        return max(2 * self.preprocessing.size, 512)

    def _prepared(self, image: Image) -> NDArray[np.uint8]:
        if isinstance(image, np.ndarray):
            return self.prepare(image)
        path = image if isinstance(image, Path) else Path(image)  # one of an object store stays one
        return self.prepare(self.read(path).pixels, path.name)
