"""Twins: a whole identity seen in a mirror and in other colours, which is another identity.

Mirroring a picture and exchanging its colour channels makes a picture of something else. Done in the same way to every
view and every distractor of an identity, it makes an identity that does not exist, with the same differences within it,
at the cost of running the backbone and without taking a photograph.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

_ORDERS = tuple(permutations(range(3)))
_LETTERS = "rgb"


@dataclass(frozen=True)
class Twin:
    """One way of changing every picture of an identity.

    Attributes:
        mirrored: left is right.
        channels: which channel of the picture becomes red, green and blue.
    """

    mirrored: bool
    channels: tuple[int, ...]

    @property
    def name(self) -> str:
        """Short name, for keys: ``mirror-gbr``."""
        return ("mirror-" if self.mirrored else "") + "".join(_LETTERS[channel] for channel in self.channels)

    def picture(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Change a picture.

        Args:
            pixels: (H, W, 3) uint8 RGB.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        changed = pixels[..., list(self.channels)]
        return np.ascontiguousarray(changed[:, ::-1] if self.mirrored else changed)


ALL = tuple(Twin(mirrored, order) for order in _ORDERS for mirrored in (False, True))[1:]
"""Every twin; the first of all, no mirror and no exchange, is the identity itself."""


def twins_of(identity: str, count: int) -> tuple[Twin, ...]:
    """Choose twins of an identity, decided by its name alone; the first of more are the same.

    Args:
        identity: its name.
        count: 0 to ``len(ALL)``.
    """
    start = int.from_bytes(hashlib.sha256(f"twins/{identity}".encode()).digest()[:8], "little")
    # Steps of 7 through 11 reach each, and leave two neighbours, which differ by the mirror alone, apart.
    return tuple(ALL[(start + 7 * number) % len(ALL)] for number in range(count))
