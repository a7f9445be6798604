"""Painting over what is not the thing, before a picture is encoded.

What is background says a network or the user's own masks. The pixels are replaced by the mean colour, which every
encoder knows as "nothing here"; dropping tokens would leave what the others have seen of the background.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.errors import ConfigError, UnreadableImageError
from nearid_search.images import read_image
from nearid_search.saliency import SaliencyNetwork, find_u2net, open_backbone_saliency, open_u2net

AUTO, NONE, MASK = "auto", "none", "mask"
NETWORKS = ("saliency", "u2net")
MODES = (NONE, AUTO, *NETWORKS, MASK)
_THING = 0.5  # of a mask or a saliency map, averaged over a pixel of the encoder's input


class Foreground(Protocol):
    """Says where the thing is in a picture."""

    @property
    def name(self) -> str:
        """Part of the fingerprint: pictures painted over by different means do not compare."""
        ...

    @property
    def masks(self) -> str | None:
        """Absolute path of the folder of the user's masks; None if a network is asked."""
        ...

    def find(self, pixels: NDArray[np.uint8], file: str | None) -> NDArray[np.float32]:
        """Return where the thing is.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            file: path of the picture, relative to the catalogue; of a query its name.

        Returns:
            (h, w) float32 in [0, 1] over the whole picture, of any size.

        Raises:
            ConfigError: if masks are the user's and ``pixels`` came without a file.
            UnreadableImageError: if there is no mask of the picture, or it cannot be read.
        """
        ...


class NetworkForeground:
    """Asks a network.

    Args:
        network: gives the map.
    """

    masks = None

    def __init__(self, network: SaliencyNetwork) -> None:
        self._network = network

    @property
    def name(self) -> str:
        """Name of the network."""
        return self._network.name

    def find(self, pixels: NDArray[np.uint8], file: str | None) -> NDArray[np.float32]:  # noqa: ARG002  (others need it)
        """Return the network's map; see ``Foreground.find``."""
        return self._network(pixels)


class MaskForeground:
    """Takes the user's masks: ``chair/1.png``, thing white, for ``chair/1.jpg``.

    Args:
        folder: that mirrors the catalogue; for queries, one with their names.

    Raises:
        ConfigError: if it is no folder.
    """

    name = MASK

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(f"{folder} is no folder: --masks takes one that mirrors the pictures, with PNG files")
        self._folder = folder.absolute()

    @property
    def masks(self) -> str:
        """Absolute path of the folder."""
        return str(self._folder)

    def find(self, pixels: NDArray[np.uint8], file: str | None) -> NDArray[np.float32]:
        """Return the user's mask; see ``Foreground.find``."""
        if file is None:
            raise ConfigError("this encoder takes masks by the picture's file name: give a path, not pixels")
        mask = (self._folder / file).with_suffix(".png")
        if not mask.is_file():
            raise UnreadableImageError(file, f"has no mask {mask}", passing=True)
        try:
            grey = Image.fromarray(read_image(mask).pixels).convert("L")
        except UnreadableImageError as error:
            error.passing = True  # the picture is sound: another mask may come
            raise
        if abs(grey.width * pixels.shape[0] / (grey.height * pixels.shape[1]) - 1) > 0.02:
            raise UnreadableImageError(file, f"has another shape than its mask {mask}", passing=True)
        return np.asarray(grey, np.float32) / np.float32(255)


def open_foreground(mode: str, masks: str | Path | None = None) -> Foreground | None:
    """Make what a mode names.

    Args:
        mode: one of ``MODES``; "auto" is U²-Net if its file is on the machine, else the default backbone's saliency.
        masks: folder of the user's masks, which "mask" takes.

    Returns:
        It; None for "none".

    Raises:
        ConfigError: if the mode is unknown, or folder and mode do not go together.
        WeightsError: if the network's file is missing or not the expected one.
    """
    if mode not in MODES:
        raise ConfigError(f"unknown foreground {mode!r}: use one of {', '.join(MODES)}")
    if mode == NONE:
        return None
    if mode == MASK:
        if masks is None:
            raise ConfigError("--foreground mask needs the folder of your masks: give --masks FOLDER")
        return MaskForeground(Path(masks))
    chosen = ("u2net" if find_u2net() is not None else "saliency") if mode == AUTO else mode
    return NetworkForeground(open_u2net() if chosen == "u2net" else open_backbone_saliency())


def paint_over(
    prepared: NDArray[np.uint8], thing: NDArray[np.floating], preprocessing: Preprocessing
) -> NDArray[np.uint8]:
    """Replace what is not the thing by the mean colour.

    Args:
        prepared: (S, S, 3) uint8, the encoder's input.
        thing: (h, w) in [0, 1] over the same picture.
        preprocessing: whose mean colour it is.

    Returns:
        (S, S, 3) uint8. Where there is no thing at all everything is painted over.
    """
    map_of_thing = Image.fromarray(np.asarray(thing, np.float32))
    size = (prepared.shape[1], prepared.shape[0])
    shown = np.asarray(map_of_thing.resize(size, Image.Resampling.BOX)) >= _THING
    paint = np.rint(255 * np.asarray(preprocessing.mean)).astype(np.uint8)
    return np.where(shown[..., None], prepared, paint)
