"""Which regions of a picture a score comes from, by pooling again without them.

Attention alone says where a head looks, not what for. Here the tokens of a region are taken out of the head's pooling,
whose result is compared anew: what the score falls by is what the region carried. That is exact for the pooling; the
tokens that stay have seen the region inside the backbone, so the figures are of where the evidence is read, not of what
a photograph without the region would score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.head_file import LoadedHead
from nearid_search.head_numpy import attention, pool_parts
from nearid_search.similarity import pair_scores, unit_rows

Mask = NDArray[np.bool_]
_MIDDLE = 0.5


@dataclass(frozen=True)
class PatchGrid:
    """The regions of a picture: the patches of its finest square grid of tokens.

    Attributes:
        side: regions a side.
        tokens: for each scale, which token (by number) covers each region, (side * side,).
    """

    side: int
    tokens: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(cls, counts: Sequence[int]) -> PatchGrid | None:
        """Make the grid of an image's tokens; None if they are no square grids.

        Args:
            counts: tokens at each scale.
        """
        sides = [math.isqrt(count) for count in counts]
        if [side * side for side in sides] != list(counts):
            return None
        finest = max(sides)
        places = np.arange(finest)
        tokens = []
        for side in sides:
            along = places * side // finest
            tokens.append((along[:, None] * side + along).ravel())
        return cls(finest, tuple(tokens))

    def kept(self, regions: Mask) -> list[Mask]:
        """Return the tokens that lie wholly within chosen regions.

        Args:
            regions: (K, side * side) bool, K choices.

        Returns:
            One (K, N) bool array a scale.
        """
        kept = []
        for tokens in self.tokens:
            left = np.ones((len(regions), tokens.max() + 1), np.bool_)
            choice, region = np.nonzero(~regions)
            left[choice, tokens[region]] = False
            kept.append(left)
        return kept


@dataclass(frozen=True)
class TokenView:
    """A picture as the head sees it.

    Attributes:
        head: that pools it.
        scales: its tokens, one (N, D) array a scale.
        grid: where they are.
    """

    head: LoadedHead
    scales: tuple[NDArray[np.float32], ...]
    grid: PatchGrid

    def scores(self, regions: Mask, target: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score the picture as if it had only some regions; see ``head_numpy.pool_parts``.

        Args:
            regions: (K, side * side) bool, K choices; each leaves some token.
            target: (D,) float32, unit length.

        Returns:
            (K,) float32 in [-1, 1].

        Raises:
            ShapeError: if a choice leaves no token.
        """
        pooled = pool_parts(self.head.spec, self.head.arrays, self.scales, self.grid.kept(regions))
        return pair_scores(target, unit_rows(pooled))

    def drops(self, target: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute what the score against a target falls by without each region.

        Args:
            target: (D,) float32, unit length.

        Returns:
            (side, side) float32; positive where a region speaks for the target, negative where it speaks against.
        """
        count = self.grid.side**2
        scores = self.scores(~np.eye(count + 1, count, k=0, dtype=np.bool_), target)
        # The last choice leaves out nothing.
        fall: NDArray[np.float32] = (scores[-1] - scores[:-1]).reshape(self.grid.side, -1)
        return fall

    def attention(self) -> NDArray[np.float64]:
        """Return the share of the head's attention that each region has, (side * side,), summing to 1."""
        shares = attention(self.head.spec, self.head.arrays, [scale[None] for scale in self.scales])
        total = np.zeros(self.grid.side**2)
        for share, tokens in zip(shares, self.grid.tokens, strict=True):
            total += share[0, tokens] / np.bincount(tokens)[tokens]
        return total

    def attended(self) -> Mask:
        """Mark the regions with the most attention that together have half of it, (side, side) bool."""
        shares = self.attention()
        order = np.argsort(-shares, kind="stable")
        marked = np.zeros(len(shares), np.bool_)
        marked[order[: int(np.searchsorted(np.cumsum(shares[order]), _MIDDLE)) + 1]] = True
        return marked.reshape(self.grid.side, -1)


def squeeze(values: NDArray[np.floating] | Mask, side: int) -> NDArray[np.float32]:
    """Average an (H, W) map over the squares of the picture squeezed into (side, side)."""
    picture = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(picture.resize((side, side), Image.Resampling.BOX), np.float32)
