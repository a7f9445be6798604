"""The Hugging Face layout of published NearID checkpoints: which tensors there are, and what they are called here.

``Aleksandar/nearid-siglip2`` is a SigLIP vision tower under ``backbone.vision_model.``, the trained attention pool
below it as ``head.``. Newer versions of that library leave ``vision_model.`` out, and training code may keep the pool
beside the tower; keys say all this, so every such file is read. Anything else in it is refused: a checkpoint of which a
part was left out still returns plausible numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import WeightsError
from nearid_search.head_spec import HeadSpec

if TYPE_CHECKING:
    import torch

_HEAD_PREFIXES = ("map_head.", "pooler.")
_LAYER_NAMES = {
    "layer_norm1": "norm1",
    "self_attn.out_proj": "attn.proj",
    "layer_norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_HEAD_NAMES = {"attention.out_proj": "attention", "layernorm": "norm", "mlp.fc1": "mlp_in", "mlp.fc2": "mlp_out"}
_KINDS = ("weight", "bias")


@dataclass(frozen=True, kw_only=True)
class CheckpointSizes:
    """What the shapes of a checkpoint's tensors say.

    Attributes:
        width: of a token, and of the embedding.
        depth: layers.
        patch_size: side of a patch in pixels.
        num_tokens: patches of an image, a square number.
        mlp_dim: hidden width of a layer's MLP.
        head_mlp_dim: hidden width of the head's MLP.
    """

    width: int
    depth: int
    patch_size: int
    num_tokens: int
    mlp_dim: int
    head_mlp_dim: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor by its name below ``backbone.vision_model.``."""
        width, patch = self.width, self.patch_size
        shapes: dict[str, tuple[int, ...]] = {
            "embeddings.patch_embedding.weight": (width, 3, patch, patch),
            "embeddings.patch_embedding.bias": (width,),
            "embeddings.position_embedding.weight": (self.num_tokens, width),
            "head.probe": (1, 1, width),
            "head.attention.in_proj_weight": (3 * width, width),
            "head.attention.in_proj_bias": (3 * width,),
        }
        linear = {"head.attention.out_proj": (width, width)} | _mlp("head", width, self.head_mlp_dim)
        norms = ["post_layernorm", "head.layernorm"]
        for number in range(self.depth):
            layer = f"encoder.layers.{number}"
            norms += [f"{layer}.layer_norm1", f"{layer}.layer_norm2"]
            linear |= {f"{layer}.self_attn.{name}_proj": (width, width) for name in ("q", "k", "v", "out")}
            linear |= _mlp(layer, width, self.mlp_dim)
        for name, shape in linear.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return shapes | {f"{name}.{kind}": (width,) for name in norms for kind in _KINDS}

    def head_spec(self, num_heads: int) -> HeadSpec:
        """Describe the head, whose pool is split into as many heads as the tower's layers are."""
        return HeadSpec(
            token_dims=(self.width,),
            width=self.width,
            num_heads=num_heads,
            num_probes=1,
            mlp_dim=self.head_mlp_dim,
            out_dim=self.width,
            activation="gelu_tanh",
        )


@dataclass(frozen=True)
class CheckpointParts:
    """A checkpoint taken apart.

    Attributes:
        sizes: what its shapes say.
        tower: tensors by the keys of timm's ``VisionTransformer``, in the checkpoint's dtype.
        head: float32 weights by the names of ``HeadSpec.array_shapes``.
    """

    sizes: CheckpointSizes
    tower: dict[str, torch.Tensor]
    head: dict[str, NDArray[np.float32]]


def split_checkpoint(state: Mapping[str, torch.Tensor], source: Path) -> CheckpointParts:
    """Take a checkpoint apart into tower and head.

    Args:
        state: all its tensors by its own keys.
        source: where they came from, for messages.

    Returns:
        Both parts, every tensor of the checkpoint in one of them.

    Raises:
        WeightsError: names the first key that is missing, unknown, there twice, or of another shape or dtype.
    """
    keys = _canonical_keys(state, source)
    tensors = {name: state[key] for name, key in keys.items()}
    sizes = _read_sizes(tensors, source)
    shapes = sizes.shapes()
    for name, shape in shapes.items():
        if name not in tensors:
            raise WeightsError(f"{source}: 'backbone.vision_model.{name}' is missing; expected shape {shape}")
        if tensors[name].shape != shape or not tensors[name].is_floating_point():
            found = f"{tensors[name].dtype} {tuple(tensors[name].shape)}"
            raise WeightsError(f"{source}: {keys[name]!r} is {found}, expected floating point {shape}")
    for name, key in keys.items():
        if name not in shapes:
            raise WeightsError(f"{source}: {key!r} is unknown; expected a SigLIP vision tower with one attention pool")
    return CheckpointParts(sizes, _tower_of(tensors, sizes.depth), _head_of(tensors))


def _mlp(owner: str, width: int, hidden: int) -> dict[str, tuple[int, int]]:
    return {f"{owner}.mlp.fc1": (hidden, width), f"{owner}.mlp.fc2": (width, hidden)}


def _canonical_keys(state: Mapping[str, torch.Tensor], source: Path) -> dict[str, str]:
    """Map each tensor's name below ``backbone.vision_model.`` to the key it has in this file."""
    keys: dict[str, str] = {}
    for key in state:
        name = key.removeprefix("backbone.").removeprefix("vision_model.")
        for prefix in _HEAD_PREFIXES:
            if name.startswith(prefix):
                name = f"head.{name.removeprefix(prefix)}"
        if name in keys:
            raise WeightsError(f"{source}: {keys[name]!r} and {key!r} are the same part; expected one tower, one head")
        keys[name] = key
    return keys


def _read_sizes(tensors: Mapping[str, torch.Tensor], source: Path) -> CheckpointSizes:
    def shape(name: str, dims: int) -> tuple[int, ...]:
        key = f"backbone.vision_model.{name}"
        if name not in tensors:
            raise WeightsError(f"{source}: {key!r} is missing; expected a SigLIP vision tower with its attention pool")
        found = tuple(tensors[name].shape)
        if len(found) != dims or 0 in found:
            raise WeightsError(f"{source}: {key!r} has shape {found}, expected {dims} dimensions, none of them 0")
        return found

    width, _, _, patch_size = shape("embeddings.patch_embedding.weight", 4)
    num_tokens, _ = shape("embeddings.position_embedding.weight", 2)
    if math.isqrt(num_tokens) ** 2 != num_tokens:
        raise WeightsError(f"{source}: there are positions for {num_tokens} patches; expected a square number")
    return CheckpointSizes(
        width=width,
        depth=len({name.split(".")[2] for name in tensors if name.startswith("encoder.layers.")}),
        patch_size=patch_size,
        num_tokens=num_tokens,
        mlp_dim=shape("encoder.layers.0.mlp.fc1.weight", 2)[0],
        head_mlp_dim=shape("head.mlp.fc1.weight", 2)[0],
    )


def _tower_of(tensors: Mapping[str, torch.Tensor], depth: int) -> dict[str, torch.Tensor]:
    import torch

    tower = {"pos_embed": tensors["embeddings.position_embedding.weight"].unsqueeze(0)}
    for kind in _KINDS:
        tower[f"patch_embed.proj.{kind}"] = tensors[f"embeddings.patch_embedding.{kind}"]
        tower[f"norm.{kind}"] = tensors[f"post_layernorm.{kind}"]
        for number in range(depth):
            layer, block = f"encoder.layers.{number}", f"blocks.{number}"
            parts = [tensors[f"{layer}.self_attn.{name}_proj.{kind}"] for name in ("q", "k", "v")]
            tower[f"{block}.attn.qkv.{kind}"] = torch.cat(parts)
            for theirs, ours in _LAYER_NAMES.items():
                tower[f"{block}.{ours}.{kind}"] = tensors[f"{layer}.{theirs}.{kind}"]
    return tower


def _head_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, NDArray[np.float32]]:
    head = {"probes": tensors["head.probe"][0]}
    for kind in _KINDS:
        parts = tensors[f"head.attention.in_proj_{kind}"].chunk(3)
        for name, part in zip(("query", "key", "value"), parts, strict=True):
            head[f"{name}.{kind}"] = part
        for theirs, ours in _HEAD_NAMES.items():
            head[f"{ours}.{kind}"] = tensors[f"head.{theirs}.{kind}"]
    return {name: tensor.float().numpy() for name, tensor in head.items()}
