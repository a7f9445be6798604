"""From pictures to unit embeddings: preprocessing, frozen backbone and identity head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone
from nearid_search.config import EncoderConfig
from nearid_search.errors import ConfigError
from nearid_search.foreground import NONE as NO_FOREGROUND
from nearid_search.foreground import Foreground, open_foreground
from nearid_search.head_file import LoadedHead, load_head, read_head_manifest
from nearid_search.head_numpy import embed
from nearid_search.image_encoder import ImageEncoder
from nearid_search.onnx_encoder import ONNX_FAMILY, open_onnx_encoder
from nearid_search.shipped_heads import AUTO_HEAD, NO_HEAD, find_head
from nearid_search.similarity import Embeddings, unit_rows

if TYPE_CHECKING:
    from nearid_search.gpu_encoding import GpuEncoding


def open_encoder(config: EncoderConfig) -> ImageEncoder:
    """Open whatever encoder a configuration names.

    Args:
        config: of a backbone with or without a head, or of an exported encoder.

    Returns:
        The encoder.

    Raises:
        BackboneError: if the name is unknown.
        ConfigError: if device or dtype is none of these, or the exported encoder cannot have them, or a head.
        DeviceUnavailableError: if the device asked for is absent.
        MissingExtraError: if an optional package is missing.
        WeightsError: if weights are missing, not the expected ones, or the head was trained on another backbone.
    """
    foreground = open_foreground(config.foreground, config.masks)
    if config.backbone.startswith(ONNX_FAMILY):
        if foreground is not None:
            raise ConfigError(f"an exported encoder takes pictures as they are: give --foreground {NO_FOREGROUND}")
        return open_onnx_encoder(config)
    return IdentityEncoder.open(
        config.backbone, device=config.device, dtype=config.dtype, head=config.head, foreground=foreground
    )


def describe_encoder(config: EncoderConfig) -> str:
    """Say which encoder ``open_encoder`` would open, in which arithmetic and where, without opening it.

    Raises:
        ConfigError: if device or dtype is none of these.
        DeviceUnavailableError: if the device asked for is absent.
    """
    from nearid_search.backbones.registry import canonical_name, resolve_dtype
    from nearid_search.device import resolve_device

    if config.backbone.startswith(ONNX_FAMILY):
        return f"{config.backbone} in float32 on cpu"
    painted = "" if config.foreground == NO_FOREGROUND else f", background painted over (by {config.foreground})"
    device = resolve_device(config.device)
    head = find_head(config.head, canonical_name(config.backbone))
    shown = "" if head is None else " with its shipped head" if config.head == AUTO_HEAD else f" with head {head}"
    return f"{config.backbone}{shown} in {resolve_dtype(config.backbone, device, config.dtype)} on {device}{painted}"


class IdentityEncoder(ImageEncoder):
    """A backbone with an identity head. Without a head the vector is the backbone's frozen readout.

    Args:
        backbone: the frozen network.
        head: trained on this backbone's tokens.
        source: the text that opens the backbone again; its spec's name by default.
        foreground: says what is painted over before a picture is encoded; None for nothing.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        head: LoadedHead | None = None,
        source: str | None = None,
        foreground: Foreground | None = None,
    ) -> None:
        super().__init__(source or backbone.spec.name, backbone.spec.preprocessing, head, foreground)
        self.backbone = backbone
        self._on_gpu = None if head is None or backbone.device == "cpu" else _encoding_on_gpu(backbone, head)

    @classmethod
    def open(
        cls,
        backbone: str | None = None,
        *,
        device: str = EncoderConfig.device,
        dtype: str = EncoderConfig.dtype,
        head: str | Path | None = AUTO_HEAD,
        foreground: Foreground | None = None,
    ) -> IdentityEncoder:
        """Open an encoder by the name of its backbone, or by its head.

        Args:
            backbone: a name that ``nearid-search models`` lists; by default the head's, or dinov2-small.
            device: "auto", "cpu", "cuda" or "cuda:N".
            dtype: "auto", "float32", "bfloat16" or "float16"; a head serves its backbone in any.
            head: folder that ``nearid-search train`` made; "auto" for the one that ships for the backbone, if any; None
                or "none" for the frozen readout.
            foreground: as for ``IdentityEncoder``.

        Raises:
            BackboneError: if the name is unknown.
            ConfigError: if device or dtype is none of these.
            DeviceUnavailableError: if the device asked for is absent.
            MissingExtraError: if an optional package is missing.
            WeightsError: if weights are missing, not the expected ones, or the head was trained on another backbone.
        """
        from nearid_search.backbones.registry import canonical_name, open_backbone

        if backbone is None and head not in (AUTO_HEAD, NO_HEAD, None):
            backbone = read_head_manifest(Path(str(head))).backbone
        source = backbone or EncoderConfig.backbone
        opened = open_backbone(source, device=device, dtype=dtype)
        folder = find_head(head, canonical_name(source))
        loaded = None if folder is None else load_head(folder, backbone_weights=opened.spec.weights_fingerprint)
        return cls(opened, head=loaded, source=source, foreground=foreground)

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.backbone.spec.pooled_dim if self.head is None else self.head.spec.out_dim

    @property
    def device(self) -> str:
        """Where the backbone runs."""
        return self.backbone.device

    @property
    def dtype(self) -> str:
        """Arithmetic of the backbone; the head is always float32."""
        return self.backbone.spec.dtype

    @property
    def fingerprint(self) -> str:
        """Names preprocessing, backbone, head and foreground; embeddings compare only within one fingerprint."""
        readout = "frozen" if self.head is None else self.head.fingerprint
        painted = "" if self.foreground is None else f"+foreground:{self.foreground.name}"
        return f"{self.backbone.spec.fingerprint}+{readout}{painted}"

    @property
    def details(self) -> dict[str, Any]:
        """The backbone's specification."""
        return self.backbone.spec.as_dict()

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
        if self._on_gpu is not None:
            return self._on_gpu.encode(images)
        return embed(self.head.spec, self.head.arrays, self.backbone.tokens(images))


def _encoding_on_gpu(backbone: Backbone, head: LoadedHead) -> GpuEncoding:
    from nearid_search.gpu_encoding import GpuEncoding

    return GpuEncoding(backbone, head)
