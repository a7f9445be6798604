"""The torch runtime of ``dinov2-small``: timm's ViT-S/14 filled from the ONNX file's initialisers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.dinov2_small import make_spec
from nearid_search.backbones.dinov2_small_variant import NAME, Dinov2Variant
from nearid_search.backbones.torch_extra import require_torch
from nearid_search.backbones.torch_runtime import TorchBackbone, freeze
from nearid_search.errors import WeightsError
from nearid_search.weights import fill_module

if TYPE_CHECKING:
    import onnx
    import torch

_GRID = 37  # patches a side of the stored position grid (518 px)
_CLASS_POSITION, _PATCH_POSITIONS = "onnx::Concat_1957", "onnx::Reshape_1962"
_BLOCK_VECTORS = {
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "attn.proj.bias": "attention.output.dense.bias",
    "ls1.gamma": "layer_scale1.lambda1",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
    "mlp.fc1.bias": "mlp.fc1.bias",
    "mlp.fc2.bias": "mlp.fc2.bias",
    "ls2.gamma": "layer_scale2.lambda1",
}
_BLOCK_MATRICES = {
    "attn.proj.weight": "attention/output/dense",
    "mlp.fc1.weight": "mlp/fc1",
    "mlp.fc2.weight": "mlp/fc2",
}


def open_torch_dinov2_small(path: Path, device: str, dtype: str, variant: Dinov2Variant | None = None) -> TorchBackbone:
    """Open the backbone in torch.

    Args:
        path: the ONNX file, already checked.
        device: "cpu" or "cuda:N".
        dtype: "float32", "bfloat16" or "float16".
        variant: which tokens are read, without colours; the default one if None.

    Returns:
        The backbone.

    Raises:
        MissingExtraError: if torch or timm is not installed.
        WeightsError: if an initialiser is missing or does not fit.
    """
    require_torch(f"backbone {NAME} on {device} in {dtype}", "timm")
    import onnx
    import timm

    variant = variant or Dinov2Variant()
    network: Any = timm.create_model(
        "vit_small_patch14_dinov2",
        pretrained=False,
        num_classes=0,
        img_size=variant.size,
        depth=variant.layers[-1] + 1,
    )
    fill_module(network, read_state(onnx.load(path), path, depth=variant.layers[-1] + 1, grid=variant.grid), path)
    freeze(network, device, dtype)

    def tokens(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        import torch

        layers = network.forward_intermediates(
            pixels, indices=list(variant.layers), norm=False, output_fmt="NLC", intermediates_only=True
        )
        return (torch.cat(layers, dim=2),)

    def pooled(pixels: torch.Tensor) -> torch.Tensor:
        import torch

        peaks = tokens(pixels)[0].float().amax(dim=1).reshape(len(pixels), len(variant.layers), -1)
        return torch.nn.functional.normalize(peaks, dim=2).flatten(1)

    return TorchBackbone(make_spec(dtype, variant), tokens, pooled, device)


def read_state(model: onnx.ModelProto, source: Path, *, depth: int, grid: int) -> dict[str, torch.Tensor]:
    """Read the ViT's weights under timm's keys.

    Args:
        model: the whole ONNX model.
        source: its file, for messages.
        depth: number of blocks to read, from the first.
        grid: patches a side of the input; the position grid is resized to it.

    Returns:
        The state dict of timm's ``vit_small_patch14_dinov2`` cut to ``depth`` blocks.

    Raises:
        WeightsError: if an initialiser is missing.
    """
    reader = _Initialisers(model, source)
    state = {
        "cls_token": reader.vector("backbone.embeddings.cls_token"),
        "pos_embed": _positions(reader.vector(_CLASS_POSITION), reader.vector(_PATCH_POSITIONS), grid),
        "patch_embed.proj.weight": reader.vector("backbone.embeddings.patch_embeddings.projection.weight"),
        "patch_embed.proj.bias": reader.vector("backbone.embeddings.patch_embeddings.projection.bias"),
        "norm.weight": reader.vector("backbone.layernorm.weight"),
        "norm.bias": reader.vector("backbone.layernorm.bias"),
    }
    for block in range(depth):
        for key, name in _BLOCK_VECTORS.items():
            state[f"blocks.{block}.{key}"] = reader.vector(f"backbone.encoder.layer.{block}.{name}")
        for key, node in _BLOCK_MATRICES.items():
            state[f"blocks.{block}.{key}"] = reader.matrix(f"/backbone/encoder/layer.{block}/{node}/MatMul")
        state |= _attention(reader, block)
    return state


class _Initialisers:
    """Initialisers by name, and by the MatMul that uses them: exporters give transposed weights meaningless names."""

    def __init__(self, model: onnx.ModelProto, source: Path) -> None:
        self._source = source
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self._factors = {node.name: node.input[1] for node in model.graph.node if node.op_type == "MatMul"}

    def vector(self, name: str) -> torch.Tensor:
        import torch
        from onnx import numpy_helper

        if name not in self._tensors:
            raise WeightsError(f"{self._source}: initialiser {name!r} is missing")
        values: NDArray[np.float32] = numpy_helper.to_array(self._tensors[name])
        return torch.from_numpy(values.copy())

    def matrix(self, node: str) -> torch.Tensor:
        if node not in self._factors:
            raise WeightsError(f"{self._source}: node {node!r} is missing")
        return self.vector(self._factors[node]).T.contiguous()


def _attention(reader: _Initialisers, block: int) -> dict[str, torch.Tensor]:
    import torch

    parts = ("query", "key", "value")
    matrices = [reader.matrix(f"/backbone/encoder/layer.{block}/attention/attention/{part}/MatMul") for part in parts]
    biases = [reader.vector(f"backbone.encoder.layer.{block}.attention.attention.{part}.bias") for part in parts]
    return {f"blocks.{block}.attn.qkv.weight": torch.cat(matrices), f"blocks.{block}.attn.qkv.bias": torch.cat(biases)}


def _positions(class_position: torch.Tensor, patches: torch.Tensor, grid: int) -> torch.Tensor:
    """Resize the position grid as the exported graph does: bicubic, no antialias, corners not aligned."""
    import torch

    square = patches.reshape(1, _GRID, _GRID, -1).permute(0, 3, 1, 2)
    square = torch.nn.functional.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([class_position, square.flatten(2).transpose(1, 2)], dim=1)
