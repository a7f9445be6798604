"""Reads patch tokens and the pooled feature from any timm network, whatever the layout of its feature map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nearid_search.errors import BackboneError

if TYPE_CHECKING:
    import torch


class TimmNetwork(Protocol):
    """The part of a timm network used here."""

    num_features: int

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


def pooled_features(network: TimmNetwork, pixels: torch.Tensor) -> torch.Tensor:
    """Compute the network's own pooled feature, before any classifier.

    Args:
        network: a timm network.
        pixels: (B, 3, S, S).

    Returns:
        (B, P).
    """
    return network.forward_head(network.forward_features(pixels), pre_logits=True)
