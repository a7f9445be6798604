"""Backbone and head in one go on a GPU: pictures go there as bytes, and only embeddings come back.

The tokens of one picture are a hundred times its bytes. Fetched to the processor, where ``head_numpy`` reads them
picture by picture, they would keep a GPU waiting most of the time.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone
from nearid_search.backbones.patch_colour import (
    BIN_SPREAD,
    GAIN,
    MEANS,
    OPPONENTS,
    SPREADS,
    WithPatchColours,
    bin_centres,
)
from nearid_search.backbones.torch_runtime import TorchBackbone
from nearid_search.head import MapHead
from nearid_search.head_file import LoadedHead
from nearid_search.similarity import Embeddings, unit_rows


class GpuEncoding:
    """Computes what ``head_numpy.embed`` makes of a backbone's tokens, up to rounding, where the backbone is.

    Args:
        backbone: one that torch runs, with or without patch colours.
        head: trained on its tokens.
    """

    def __init__(self, backbone: Backbone, head: LoadedHead) -> None:
        self._grid = backbone.grid if isinstance(backbone, WithPatchColours) else None
        self._network = cast("TorchBackbone", backbone.network if isinstance(backbone, WithPatchColours) else backbone)
        self._dtype: torch.dtype = getattr(torch, self._network.spec.dtype)
        self._head = MapHead.from_arrays(head.spec, head.arrays).eval().requires_grad_(False).to(self._network.device)
        prepared = self._network.spec.preprocessing
        self._mean, self._std = (
            torch.tensor(each, device=self._network.device) for each in (prepared.mean, prepared.std)
        )

    def encode(self, images: NDArray[np.uint8]) -> Embeddings:
        """Encode images that ``Preprocessing.resize`` has resized.

        Args:
            images: (B, S, S, 3) uint8; B may be 0.

        Returns:
            (B, D) float32 unit rows.

        Raises:
            ShapeError: if ``images`` has another shape or dtype, or an image's result is zero or not finite.
        """
        self._network.spec.preprocessing.check(images)
        if len(images) == 0:
            return np.zeros((0, self._head.spec.out_dim), np.float32)
        with torch.inference_mode():
            pictures = torch.tensor(images, device=self._network.device)
            pixels = (pictures.float() / 255 - self._mean) / self._std
            tokens = self._network.compute_tokens(pixels.permute(0, 3, 1, 2).contiguous().to(self._dtype))
            scales = [scale.float() for scale in tokens]
            if self._grid is not None:
                scales = [torch.cat([scales[0], GAIN * patch_colours_in_torch(pictures, grid=self._grid)], dim=2)]
            return unit_rows(self._head.pool(scales).cpu().numpy())


def patch_colours_in_torch(images: torch.Tensor, *, grid: int) -> torch.Tensor:
    """Compute ``patch_colour.patch_colours`` where the images are.

    Args:
        images: (B, S, S, 3) uint8 RGB, S a multiple of ``2 * grid``.
        grid: patches a side.

    Returns:
        (B, grid * grid, DIM) float32, up to rounding the same numbers.
    """
    count, side = len(images), images.shape[1] // (2 * grid)
    colours = (images.float() / 255 - 0.5) @ torch.from_numpy(OPPONENTS.T.copy()).to(images.device)
    # (image, patch row, quarter row, pixel row, patch column, quarter column, pixel column, 3)
    blocks = colours.reshape(count, grid, 2, side, grid, 2, side, 3)
    quarters = blocks.mean(dim=(3, 6)).permute(0, 1, 3, 2, 4, 5).reshape(count, grid * grid, 4, 3)
    centred = blocks - blocks.mean(dim=(2, 3, 5, 6), keepdim=True)
    spread = (centred * centred).mean(dim=(2, 3, 5, 6)).sqrt().reshape(count, grid * grid, SPREADS)
    centres = torch.from_numpy(bin_centres()).to(images.device)
    distances = (quarters[..., None, :] - centres).square().sum(dim=-1)
    shares = torch.softmax(-distances / (2 * BIN_SPREAD**2), dim=-1).mean(dim=2)
    return torch.cat([quarters.reshape(count, grid * grid, MEANS), spread, shares], dim=2)
