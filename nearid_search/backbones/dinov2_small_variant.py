"""Which tokens of ``dinov2-small`` are read: layers, input size and patch colours.

``dinov2-small`` alone is the default. Others are named after a colon, ``dinov2-small:size=336,layers=4-6-8,colour``;
what is not said stays as in the default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from nearid_search.backbones import patch_colour
from nearid_search.backbones.base import BackboneSpec, TokenScale
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.errors import BackboneError

NAME = "dinov2-small"
WIDTH = 384
PATCH = 14  # pixels
DEPTH = 12
_LARGEST = 518  # the size whose position grid the file holds
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_ADVICE = f"{NAME}:size=224,layers=4-6-8,colour is one with everything said"


@dataclass(frozen=True, kw_only=True)
class Dinov2Variant:
    """One way of reading the network.

    Attributes:
        size: side of the square input in pixels, a multiple of 28 up to 504.
        layers: numbers of the layers whose tokens stand side by side, rising, 0 to 11.
        colour: whether each patch's colour statistics stand beside them (see ``patch_colour``).

    Raises:
        BackboneError: if a value is out of range.
    """

    size: int = 224
    layers: tuple[int, ...] = (4, 6, 8)
    colour: bool = False

    def __post_init__(self) -> None:
        # Patch colours halve a patch, so do the sizes go by two patches: then no pixel is left over.
        if self.size % (2 * PATCH) or not 2 * PATCH <= self.size <= _LARGEST:
            raise BackboneError(f"the size of {NAME} must be a multiple of {2 * PATCH} up to 504, got {self.size}")
        rising = all(low < high for low, high in pairwise(self.layers))
        if not self.layers or not rising or not 0 <= self.layers[0] <= self.layers[-1] < DEPTH:
            raise BackboneError(f"the layers of {NAME} must be rising numbers from 0 to 11, got {self.layers}")

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a variant's name.

        Args:
            name: ``dinov2-small``, alone or with a colon and settings between commas.

        Raises:
            BackboneError: if it is not such a name.

        Example:
            >>> Dinov2Variant.parse("dinov2-small:layers=2-4,colour").name
            'dinov2-small:layers=2-4,colour'
        """
        base, colon, rest = name.partition(":")
        found: dict[str, str] = {}
        for setting in rest.split(",") if colon else ():
            match = re.fullmatch(r"size=(?P<size>\d+)|layers=(?P<layers>\d+(?:-\d+)*)|(?P<colour>colour)", setting)
            key = match.lastgroup if match else None
            if match is None or key is None or key in found:
                raise BackboneError(f"backbone {name!r}: {setting!r} is no setting of {NAME}: {_ADVICE}")
            found[key] = match[key]
        if base != NAME:
            raise BackboneError(f"backbone {name!r}: expected {NAME}: {_ADVICE}")
        default = cls()
        layers = tuple(int(layer) for layer in found["layers"].split("-")) if "layers" in found else default.layers
        return cls(size=int(found.get("size", default.size)), layers=layers, colour="colour" in found or default.colour)

    @property
    def name(self) -> str:
        """The shortest name that ``parse`` reads as this variant."""
        default = type(self)()
        settings = []
        if self.size != default.size:
            settings.append(f"size={self.size}")
        if self.layers != default.layers:
            settings.append(f"layers={'-'.join(map(str, self.layers))}")
        if self.colour != default.colour:
            settings.append("colour")
        return NAME + (":" + ",".join(settings) if settings else "")

    @property
    def grid(self) -> int:
        """Patches a side."""
        return self.size // PATCH

    @property
    def num_tokens(self) -> int:
        """Tokens an image gives."""
        return self.grid**2

    @property
    def network_dim(self) -> int:
        """Width of a token without colours."""
        return WIDTH * len(self.layers)

    @property
    def token_dim(self) -> int:
        """Width of a token with what colours it has."""
        return self.network_dim + (patch_colour.DIM if self.colour else 0)

    def spec(self, weights_sha256: str, dtype: str) -> BackboneSpec:
        """Describe what the backbone computes.

        Args:
            weights_sha256: of the network's file.
            dtype: "float32", "bfloat16" or "float16".

        Returns:
            One scale of tokens, layers side by side, colours last.
        """
        layers = ", ".join(map(str, self.layers))
        return BackboneSpec(
            name=self.name,
            weights_sha256=weights_sha256,
            preprocessing=Preprocessing(size=self.size, filter="bicubic", mean=_MEAN, std=_STD),
            token_scales=(TokenScale(self.num_tokens, self.token_dim),),
            pooled_dim=self.network_dim,
            readout=f"layers {layers}: maximum over the patch tokens, each layer to unit length, side by side",
            dtype=dtype,
        )
