"""The colours of patches as ONNX nodes, so that an exported encoder finds them itself in the network's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearid_search.backbones.patch_colour import (
    BIN_SPREAD,
    GAIN,
    MEANS,
    OPPONENTS,
    SPREADS,
    WithPatchColours,
    bin_centres,
)
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.onnx_head import Nodes

if TYPE_CHECKING:
    import onnx

_PREFIX = "/colours"


def join_patch_colours(model: onnx.ModelProto, backbone: WithPatchColours) -> None:
    """Put the colours of each patch behind a network's tokens; changes the model.

    Args:
        model: the network's, from (B, 3, S, S) float32 normalised pixels to one output, its tokens; afterwards that
            output is the backbone's tokens.
        backbone: the network with patch colours.
    """
    from onnx import TensorProto, helper

    (pixels,), (tokens,), (scale,) = model.graph.input, model.graph.output, backbone.spec.token_scales
    nodes = Nodes(_PREFIX)
    colours = append_patch_colours(nodes, pixels.name, backbone.spec.preprocessing, grid=backbone.grid)
    joined = nodes.add("Concat", tokens.name, nodes.add("Mul", colours, nodes.constant(GAIN)), axis=2)
    model.graph.node.extend(nodes.nodes)
    model.graph.initializer.extend(nodes.initialisers)
    del model.graph.output[:]
    shape: list[int | str | None] = ["batch", scale.num_tokens, scale.dim]
    model.graph.output.append(helper.make_tensor_value_info(joined, TensorProto.FLOAT, shape))


def append_patch_colours(nodes: Nodes, pixels: str, preprocessing: Preprocessing, *, grid: int) -> str:
    """Append what ``patch_colour.patch_colours`` computes.

    Args:
        nodes: gets those of the colours.
        pixels: name of the (B, 3, S, S) float32 value that ``preprocessing.normalise`` gives.
        preprocessing: says S, a multiple of ``2 * grid``, and how the pixels were normalised.
        grid: patches a side.

    Returns:
        Name of the (B, grid * grid, patch_colour.DIM) float32 value.
    """
    side = preprocessing.size // (2 * grid)
    colours = _append_opponents(nodes, pixels, preprocessing)
    means = nodes.add("AveragePool", colours, kernel_shape=[side, side], strides=[side, side])
    # (B, colour, patch row, quarter row, patch column, quarter column)
    split = nodes.reshape(means, 0, 3, grid, 2, grid, 2)
    spread = _append_spread(nodes, colours, split, preprocessing.size // grid, grid)
    by_patch = nodes.add("Transpose", split, perm=[0, 2, 4, 3, 5, 1])
    quarters = nodes.reshape(by_patch, 0, grid * grid, 4, 3)
    shares = nodes.add("ReduceMean", _append_soft_bins(nodes, quarters), axes=[2], keepdims=0)
    return nodes.add("Concat", nodes.reshape(by_patch, 0, grid * grid, MEANS), spread, shares, axis=2)


def _append_opponents(nodes: Nodes, pixels: str, preprocessing: Preprocessing) -> str:
    """Return the opponent colours (B, 3, S, S): undoing the normalisation is linear, so it is part of their weights."""
    mean, std = np.asarray(preprocessing.mean), np.asarray(preprocessing.std)
    weight = nodes.constant((OPPONENTS * std)[:, :, None, None])
    return nodes.add("Conv", pixels, weight, nodes.constant(OPPONENTS @ (mean - 0.5)))


def _append_spread(nodes: Nodes, colours: str, quarters: str, side: int, grid: int) -> str:
    """Return standard deviations (B, N, 3); taken around the mean, they are 0 in a plain patch to 1e-6."""
    mean = nodes.add("ReduceMean", quarters, axes=[3, 5], keepdims=1)
    centred = nodes.add("Sub", nodes.reshape(colours, 0, 3, grid, side, grid, side), mean)
    variance = nodes.add("ReduceMean", nodes.add("Mul", centred, centred), axes=[3, 5], keepdims=0)
    by_patch = nodes.add("Transpose", nodes.add("Sqrt", variance), perm=[0, 2, 3, 1])
    return nodes.reshape(by_patch, 0, grid * grid, SPREADS)


def _append_soft_bins(nodes: Nodes, colours: str) -> str:
    """Return the shares (..., BINS): a softmax, in which a colour's own square, the same for every bin, cancels."""
    centres = bin_centres().astype(np.float64)
    weight, bias = centres / BIN_SPREAD**2, -(centres * centres).sum(axis=1) / (2 * BIN_SPREAD**2)
    return nodes.add("Softmax", nodes.affine(colours, weight.astype(np.float32), bias.astype(np.float32)), axis=-1)
