"""The identity head as ONNX nodes, written by hand: the graph is small, and so any backbone's graph can end in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.head_folding import fold_attention
from nearid_search.head_spec import LAYER_NORM_EPS, Arrays, HeadSpec

if TYPE_CHECKING:
    import onnx

OPSET = 14  # of the nodes built here, that of dinov2-small's file


class Nodes:
    """Grows the end of a graph: every operation gets a name of its own, every constant is an initialiser.

    Args:
        prefix: begins every new name, so that none meets one of the graph's own.

    Attributes:
        nodes: in topological order.
        initialisers: the constants.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:  # noqa: ANN401
        """Append a node of one output.

        Args:
            operator: ONNX's name of it.
            inputs: names of values.
            output: its name; a new one by default.
            attributes: of the operator.

        Returns:
            The output's name.
        """
        from onnx import helper

        name = output or f"{self._prefix}/{len(self.nodes)}_{operator}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def split(self, value: str, sizes: list[int], axis: int) -> list[str]:
        """Append a node that cuts a value into parts of the sizes given, and return their names."""
        from onnx import helper

        name = f"{self._prefix}/{len(self.nodes)}_Split"
        outputs = [f"{name}_{number}" for number in range(len(sizes))]
        inputs = [value, self.constant(np.asarray(sizes, np.int64))]
        self.nodes.append(helper.make_node("Split", inputs, outputs, name, axis=axis))
        return outputs

    def constant(self, values: NDArray[Any] | float) -> str:
        """Add an initialiser, float32 unless an integer array is given, and return its name."""
        from onnx import numpy_helper

        array = np.asarray(values)
        array = np.ascontiguousarray(array if array.dtype == np.int64 else array.astype(np.float32))
        name = f"{self._prefix}/constant_{len(self.initialisers)}"
        self.initialisers.append(numpy_helper.from_array(array.reshape(np.shape(values)), name))
        return name

    def reshape(self, value: str, *shape: int) -> str:
        """Append a Reshape; 0 keeps a dimension."""
        return self.add("Reshape", value, self.constant(np.asarray(shape, np.int64)))

    def affine(self, value: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """Append a linear map over the last axis; ``weight`` is (out, in)."""
        return self.add("Add", self.add("MatMul", value, self.constant(weight.T)), self.constant(bias))


def append_head(nodes: Nodes, tokens: list[str], token_counts: list[int], spec: HeadSpec, arrays: Arrays) -> str:
    """Append a head.

    Args:
        nodes: gets the head's.
        tokens: name of each scale's (B, N, D) float32 value.
        token_counts: N of each scale.
        spec: sizes.
        arrays: weights by name, as ``HeadSpec.array_shapes`` lists them.

    Returns:
        Name of the (B, out_dim) float32 value of unit rows.
    """
    gathered = _append_attention(nodes, tokens, token_counts, spec, arrays)
    attended = nodes.affine(gathered, arrays["attention.weight"], arrays["attention.bias"])
    normed = _append_layer_norm(nodes, attended, arrays)
    hidden = nodes.affine(normed, arrays["mlp_in.weight"], arrays["mlp_in.bias"])
    activated = _append_gelu(nodes, hidden, spec.activation)
    corrected = nodes.affine(activated, arrays["mlp_out.weight"], arrays["mlp_out.bias"])
    pooled = nodes.reshape(nodes.add("Add", attended, corrected), 0, spec.num_probes * spec.width)
    if spec.projects_output:
        pooled = nodes.affine(pooled, arrays["output.weight"], arrays["output.bias"])
    return nodes.add("Div", pooled, nodes.add("ReduceL2", pooled, axes=[-1], keepdims=1))


def _append_attention(nodes: Nodes, tokens: list[str], token_counts: list[int], spec: HeadSpec, arrays: Arrays) -> str:
    """Return what each probe gathers, its heads side by side: (B, P, width)."""
    if spec.nonlinear_tokens:
        weights = [
            (arrays[f"scales.{number}.weight"], arrays[f"scales.{number}.bias"]) for number in range(len(tokens))
        ]
        bent = [nodes.affine(scale, *weight) for scale, weight in zip(tokens, weights, strict=True)]
        tokens = [_append_gelu(nodes, scale, spec.activation) for scale in bent]
    logits = [
        nodes.add("Transpose", nodes.affine(scale, fold.directions, fold.offsets), perm=[0, 2, 1])
        for scale, fold in zip(tokens, fold_attention(spec, arrays), strict=True)
    ]
    joined = logits[0] if len(logits) == 1 else nodes.add("Concat", *logits, axis=2)
    shares = nodes.add("Softmax", joined, axis=-1)
    parts = [shares] if len(tokens) == 1 else nodes.split(shares, token_counts, axis=2)
    sums = [nodes.add("MatMul", part, scale) for part, scale in zip(parts, tokens, strict=True)]
    if spec.projects_tokens and not spec.nonlinear_tokens:
        for number, part in enumerate(parts):
            mapped = nodes.add("MatMul", sums[number], nodes.constant(arrays[f"scales.{number}.weight"].T))
            share = nodes.add("ReduceSum", part, nodes.constant(np.asarray([-1], np.int64)), keepdims=1)
            bias = nodes.add("Mul", share, nodes.constant(arrays[f"scales.{number}.bias"]))
            sums[number] = nodes.add("Add", mapped, bias)
    total = sums[0] if len(sums) == 1 else nodes.add("Sum", *sums)
    heads, each = spec.num_heads, spec.width // spec.num_heads
    value_maps = arrays["value.weight"].reshape(heads, each, spec.width).transpose(0, 2, 1)
    by_head = nodes.reshape(total, 0, heads, spec.num_probes, spec.width)
    values = nodes.add("MatMul", by_head, nodes.constant(value_maps))
    side_by_side = nodes.reshape(nodes.add("Transpose", values, perm=[0, 2, 1, 3]), 0, spec.num_probes, spec.width)
    return nodes.add("Add", side_by_side, nodes.constant(arrays["value.bias"]))


def _append_layer_norm(nodes: Nodes, value: str, arrays: Arrays) -> str:
    centred = nodes.add("Sub", value, nodes.add("ReduceMean", value, axes=[-1], keepdims=1))
    variance = nodes.add("ReduceMean", nodes.add("Mul", centred, centred), axes=[-1], keepdims=1)
    deviation = nodes.add("Sqrt", nodes.add("Add", variance, nodes.constant(LAYER_NORM_EPS)))
    normed = nodes.add("Div", centred, deviation)
    scaled = nodes.add("Mul", normed, nodes.constant(arrays["norm.weight"]))
    return nodes.add("Add", scaled, nodes.constant(arrays["norm.bias"]))


def _append_gelu(nodes: Nodes, value: str, activation: str) -> str:
    if activation == "gelu_tanh":
        cube = nodes.add("Mul", nodes.add("Mul", value, value), value)
        bent = nodes.add("Add", value, nodes.add("Mul", cube, nodes.constant(0.044715)))
        gate = nodes.add("Tanh", nodes.add("Mul", bent, nodes.constant(math.sqrt(2 / math.pi))))
    else:
        gate = nodes.add("Erf", nodes.add("Mul", value, nodes.constant(math.sqrt(0.5))))
    half = nodes.add("Mul", value, nodes.constant(0.5))
    return nodes.add("Mul", half, nodes.add("Add", gate, nodes.constant(1.0)))
