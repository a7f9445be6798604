"""Runs a frozen torch network behind the backbone protocol: normalise, move, compute, return NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.base import BackboneSpec, TokenScale

if TYPE_CHECKING:
    import torch

    Tokens = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
    Pooled = Callable[[torch.Tensor], torch.Tensor]


class TorchBackbone:
    """A frozen torch network.

    On the CPU images go through one by one: bfloat16 kernels choose their order of summation by the size of the batch,
    and the same image must give the same features whatever its neighbours. On a GPU the whole batch goes at once.

    Args:
        spec: what the network computes; ``spec.dtype`` is its arithmetic.
        tokens: (B, 3, S, S) -> one (B, N, D) tensor for each scale; its network went through ``freeze``.
        pooled: (B, 3, S, S) -> (B, P); likewise.
        device: where the network is, "cpu" or "cuda:N".
        attention_pool: the network's own ``timm.layers.AttentionPoolLatent``, if it has one: a head can begin as it.
    """

    def __init__(
        self,
        spec: BackboneSpec,
        tokens: Tokens,
        pooled: Pooled,
        device: str,
        *,
        attention_pool: torch.nn.Module | None = None,
    ) -> None:
        import torch

        self.attention_pool = attention_pool

        self._spec = spec
        self._device = device
        self._dtype: torch.dtype = getattr(torch, spec.dtype)
        self._tokens = tokens
        self._pooled = pooled

    @property
    def spec(self) -> BackboneSpec:
        """What it computes."""
        return self._spec

    @property
    def device(self) -> str:
        """Where it runs: "cpu" or "cuda:N"."""
        return self._device

    def tokens(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Compute patch tokens.

        Args:
            images: (B, S, S, 3) uint8, resized by ``spec.preprocessing``; B may be 0.

        Returns:
            One (B, N, D) float32 array for each of ``spec.token_scales``.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        parts = self._run(images, self._tokens)
        return tuple(
            _join([part[i] for part in parts], (scale.num_tokens, scale.dim))
            for i, scale in enumerate(self._spec.token_scales)
        )

    def pooled(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the frozen readout.

        Args:
            images: (B, S, S, 3) uint8, resized by ``spec.preprocessing``; B may be 0.

        Returns:
            (B, spec.pooled_dim) float32, not normalised.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        parts = self._run(images, lambda pixels: (self._pooled(pixels),))
        return _join([part[0] for part in parts], (self._spec.pooled_dim,))

    def features(self, images: NDArray[np.uint8]) -> tuple[tuple[NDArray[np.float32], ...], NDArray[np.float32]]:
        """Compute tokens and frozen readout; the network runs for each, as its readout may need more than tokens.

        Args:
            images: (B, S, S, 3) uint8, resized by ``spec.preprocessing``; B may be 0.

        Returns:
            What ``tokens`` and ``pooled`` give.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        return self.tokens(images), self.pooled(images)

    def compute_tokens(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute patch tokens from normalised pixels, as ``tokens`` does inside; what an exporter traces.

        Args:
            pixels: (B, 3, S, S) on the network's device, in its dtype.

        Returns:
            One (B, N, D) tensor for each of ``spec.token_scales``.
        """
        return self._tokens(pixels)

    def _run(self, images: NDArray[np.uint8], compute: Tokens) -> list[tuple[NDArray[np.float32], ...]]:
        import torch

        pixels = torch.from_numpy(self._spec.preprocessing.normalise(images))
        step = 1 if self._device == "cpu" else max(1, len(pixels))
        parts = []
        with torch.inference_mode():
            for start in range(0, len(pixels), step):
                chunk = pixels[start : start + step].to(device=self._device, dtype=self._dtype)
                parts.append(tuple(feature.float().cpu().numpy() for feature in compute(chunk)))
        return parts


def freeze(network: torch.nn.Module, device: str, dtype: str) -> None:
    """Make a network ready for inference: evaluation mode, no gradients, converted and moved; changed in place.

    Args:
        network: the network.
        device: "cpu" or "cuda:N".
        dtype: "float32", "bfloat16" or "float16".
    """
    import torch

    network.eval().requires_grad_(False).to(device=device, dtype=getattr(torch, dtype))


def measure_tokens(tokens: Tokens, size: int, device: str, dtype: str) -> tuple[TokenScale, ...]:
    """Find the shape of the tokens by running one black image.

    Args:
        tokens: as for ``TorchBackbone``.
        size: side of the input in pixels.
        device: where its network is.
        dtype: its arithmetic.

    Returns:
        One shape for each scale.
    """
    import torch

    with torch.inference_mode():
        black = torch.zeros(1, 3, size, size, device=device, dtype=getattr(torch, dtype))
        return tuple(TokenScale(scale.shape[1], scale.shape[2]) for scale in tokens(black))


def _join(parts: list[NDArray[np.float32]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros((0, *shape), np.float32), *parts])
