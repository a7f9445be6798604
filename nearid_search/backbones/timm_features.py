"""Reads patch tokens and the pooled feature from any timm network, whatever the layout of its feature map."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from nearid_search.errors import BackboneError

if TYPE_CHECKING:
    import torch


class TimmNetwork(Protocol):
    """The part of a timm network used here."""

    num_features: int
    feature_info: Any  # one entry for each layer that can be read

    def forward_intermediates(self, x: torch.Tensor, **options: object) -> list[torch.Tensor]:
        """Compute the features of some layers."""
        ...

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the last feature map or sequence, after the final norm."""
        ...

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Pool it."""
        ...


def patch_tokens(network: TimmNetwork, pixels: torch.Tensor) -> torch.Tensor:
    """Compute the patch tokens.

    Args:
        network: a ViT (class and register tokens are removed) or a CNN (one token for each place of the last map).
        pixels: (B, 3, S, S).

    Returns:
        (B, N, D), row by row from the top left.

    Raises:
        BackboneError: if the features are neither a sequence nor a map.
    """
    features = network.forward_features(pixels)
    shape: tuple[int, ...] = tuple(getattr(features, "shape", ()))
    if len(shape) == 3:
        return features[:, getattr(network, "num_prefix_tokens", 0) :]
    if len(shape) == 4 and shape[1] == network.num_features:
        return features.flatten(2).transpose(1, 2)
    if len(shape) == 4 and shape[3] == network.num_features:
        return features.flatten(1, 2)
    raise BackboneError(
        f"{type(network).__name__} gives features of shape {shape}; expected (B, N, D), (B, D, H, W) or (B, H, W, D)"
    )


def parse_layers(architecture: str) -> tuple[str, tuple[int, ...]]:
    """Take apart an architecture and the layers to read.

    Args:
        architecture: timm's name, alone or followed by ":layers=" and rising numbers with hyphens between them.

    Returns:
        The name, and the layers; none if the last features are meant.

    Raises:
        BackboneError: if what follows the colon is something else.

    Example:
        >>> parse_layers("mobilenetv2_100:layers=3-4")
        ('mobilenetv2_100', (3, 4))
    """
    name, colon, setting = architecture.partition(":")
    match = re.fullmatch(r"layers=(\d+(?:-\d+)*)", setting)
    layers = tuple(int(layer) for layer in match[1].split("-")) if match else ()
    if (colon and not match) or any(low >= high for low, high in pairwise(layers)):
        raise BackboneError(
            f"timm:{architecture}: {setting!r} is no setting; expected rising numbers: {name}:layers=3-4"
        )
    return name, layers


def name_layers(layers: Sequence[int]) -> str:
    """Write layers as ``parse_layers`` reads them; nothing if there are none."""
    return f":layers={'-'.join(map(str, layers))}" if layers else ""


def check_layers(network: TimmNetwork, architecture: str, layers: Sequence[int]) -> None:
    """Make sure that layers can be read.

    Args:
        network: a timm network.
        architecture: its name, for the message.
        layers: their numbers, rising.

    Raises:
        BackboneError: if the network has no such layer or does not give its layers away.
    """
    if layers and not hasattr(network, "forward_intermediates"):
        raise BackboneError(f"timm:{architecture} does not give its layers away: leave out layers=")
    if layers and layers[-1] >= len(network.feature_info):
        raise BackboneError(
            f"timm:{architecture} has layers 0 to {len(network.feature_info) - 1}, asked for {layers[-1]}"
        )


def layer_tokens(network: TimmNetwork, pixels: torch.Tensor, layers: Sequence[int]) -> tuple[torch.Tensor, ...]:
    """Compute the tokens of inner layers.

    Args:
        network: a timm network; class and register tokens are left out.
        pixels: (B, 3, S, S).
        layers: their numbers, rising.

    Returns:
        One (B, N, D) tensor for each layer, row by row from the top left.
    """
    maps = network.forward_intermediates(
        pixels, indices=list(layers), norm=False, output_fmt="NCHW", intermediates_only=True
    )
    return tuple(features.flatten(2).transpose(1, 2) for features in maps)


def pooled_features(network: TimmNetwork, pixels: torch.Tensor) -> torch.Tensor:
    """Compute the network's own pooled feature, before any classifier.

    Args:
        network: a timm network.
        pixels: (B, 3, S, S).

    Returns:
        (B, P).
    """
    return network.forward_head(network.forward_features(pixels), pre_logits=True)
