"""The OpenVINO runtime of ``dinov2-small``: bfloat16 on the CPU, without torch."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.base import BackboneSpec
from nearid_search.backbones.dinov2_small import INPUT, layer_output, make_spec
from nearid_search.backbones.dinov2_small_readout import LayerReadout
from nearid_search.backbones.dinov2_small_variant import PATCH, WIDTH, Dinov2Variant
from nearid_search.backbones.openvino_extra import import_openvino

# More images than one call usually has would only wait, and each stream takes memory and time to start.
_MOST_STREAMS = 8
_POSITIONS, _RESIZED_POSITIONS = "onnx::Reshape_1962", "/backbone/embeddings/Resize_output_0"
_CUBIC = -0.75  # the coefficient of the graph's Resize


class OpenvinoDinov2Small(LayerReadout):
    """The backbone in bfloat16 on the CPU; in float32 where the processor has no instructions for bfloat16.

    Images are computed side by side, each on one thread, so an image's features depend neither on its batch nor on
    the number of cores.

    Args:
        path: the ONNX file, already checked.
        variant: which tokens are read, without colours; the default one if None.
    """

    def __init__(self, path: Path, variant: Dinov2Variant | None = None) -> None:
        openvino = import_openvino()
        core = openvino.Core()
        self._variant = variant or Dinov2Variant()
        self._spec = make_spec("bfloat16", self._variant)
        streams = min(len(os.sched_getaffinity(0)), _MOST_STREAMS)
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "ENABLE_CPU_PINNING": False,  # another process would be pinned to the same cores
        }
        self._model = core.compile_model(self._cut(openvino, core.read_model(path)), "CPU", settings)
        self._queue = openvino.AsyncInferQueue(self._model, streams)
        self._queue.set_callback(_keep_patches)
        self._lock = threading.Lock()

    @property
    def spec(self) -> BackboneSpec:
        """What it computes."""
        return self._spec

    @property
    def device(self) -> str:
        """Always "cpu"."""
        return "cpu"

    def tokens(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Compute patch tokens.

        Args:
            images: (B, S, S, 3) uint8, resized by ``spec.preprocessing``; B may be 0.

        Returns:
            One (B, N, 384 x layers) float32 array: layers side by side, the class token removed.

        Raises:
            ShapeError: if ``images`` has another shape or dtype.
        """
        pixels = self._spec.preprocessing.normalise(images)
        tokens = np.empty((len(pixels), self._variant.num_tokens, self._variant.network_dim), np.float32)
        with self._lock:
            for row, image in enumerate(pixels):
                self._queue.start_async({INPUT: image[None]}, tokens[row])
            self._queue.wait_all()
        return (tokens,)

    def _cut(self, openvino: Any, whole: Any) -> Any:  # noqa: ANN401  (the module, and openvino.Model twice)
        """Keep the graph up to the layers read, for one image of the one size, its position grid resized already.

        OpenVINO would resize that grid too, in more than a second.
        """
        values = {name: output for node in whole.get_ops() for output in node.outputs() for name in output.get_names()}
        size = self._variant.size
        grid = resize_positions(values[_POSITIONS].get_node().data, size // PATCH)
        constant = openvino.op.Constant(grid.transpose(2, 0, 1)[None].copy())
        for place in values[_RESIZED_POSITIONS].get_target_inputs():
            place.replace_source_output(constant.output(0))
        model = openvino.Model(
            [values[layer_output(layer)] for layer in self._variant.layers], [values[INPUT].get_node()], "cut"
        )
        model.reshape([1, 3, size, size])
        return model


def resize_positions(positions: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Resize the square position grid as the exported graph does: bicubic, no antialias, corners not aligned.

    Args:
        positions: (1, G * G, D), row by row.
        size: side of the new grid.

    Returns:
        (size, size, D) float32.
    """
    side = round(positions.shape[1] ** 0.5)
    weights = np.zeros((size, side))
    centres = (np.arange(size) + 0.5) * side / size - 0.5
    for step in range(-1, 3):
        source = np.floor(centres).astype(int) + step
        np.add.at(weights, (np.arange(size), source.clip(0, side - 1)), _cubic(np.abs(centres - source)))
    square = positions.reshape(side, side, -1).astype(np.float64)
    resized: NDArray[np.float32] = np.einsum("yi,xj,ijd->yxd", weights, weights, square, optimize=True).astype("f4")
    return resized


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
    far = _CUBIC * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, far)


def _keep_patches(request: Any, tokens: NDArray[np.float32]) -> None:  # noqa: ANN401  (openvino.InferRequest)
    """Put one image's layers side by side into its row, the class token left out."""
    for place in range(tokens.shape[1] // WIDTH):
        tokens[:, place * WIDTH : (place + 1) * WIDTH] = request.get_output_tensor(place).data[0, 1:]
