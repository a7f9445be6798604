"""``siglip:<file>``: the SigLIP vision tower of an imported NearID checkpoint.

timm's named SigLIP networks fix their sizes, and most compute the exact GELU, which the published towers do not. So the
network is built from its file alone: sizes come from the tensors, and what tensors cannot say from the file's metadata.
The SHA-256 covers both, so the fingerprint does too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nearid_search.backbones.base import BackboneSpec
from nearid_search.backbones.hub import find_local_file
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.backbones.torch_extra import require_torch
from nearid_search.backbones.torch_runtime import TorchBackbone, freeze, measure_tokens
from nearid_search.durable_file import write_file
from nearid_search.errors import WeightsError
from nearid_search.weights import file_sha256, fill_module, load_state

if TYPE_CHECKING:
    import torch

_METADATA_KEY = "siglip_tower"
_HALF = (0.5, 0.5, 0.5)
_ADVICE = "expected a file that `nearid-search models import` wrote"


@dataclass(frozen=True, kw_only=True)
class TowerSettings:
    """What a tower computes that the shapes of its tensors do not say.

    Attributes:
        num_heads: attention heads of every layer.
        image_size: side of the input in pixels; a rest that fills no patch is not looked at.
        filter: resampling filter that brings pictures to that size.
    """

    num_heads: int
    image_size: int
    filter: Literal["bilinear", "bicubic"]

    def check(self, *, width: int, patch_size: int, num_tokens: int, source: Path) -> None:
        """Make sure the settings fit a tower's tensors.

        Args:
            width: of a token.
            patch_size: side of a patch in pixels.
            num_tokens: patches the tower has positions for.
            source: where the tensors came from, for the message.

        Raises:
            WeightsError: if they do not.
        """
        if self.num_heads < 1 or width % self.num_heads:
            raise WeightsError(f"{source}: width {width} cannot be split into {self.num_heads} attention heads")
        if (self.image_size // patch_size) ** 2 != num_tokens:
            raise WeightsError(
                f"{source}: an image of {self.image_size} pixels has {(self.image_size // patch_size) ** 2} patches of "
                f"{patch_size}, but there are positions for {num_tokens}"
            )


def save_tower(path: Path, state: Mapping[str, torch.Tensor], settings: TowerSettings) -> None:
    """Write a tower so that ``open_siglip`` opens it; complete before it takes its name.

    Args:
        path: a ``.safetensors`` file, in a folder that is made if absent.
        state: tensors by the keys of timm's ``VisionTransformer``, without a pool.
        settings: what they do not say.

    Raises:
        WeightsError: if the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save

    try:
        content = save(dict(state), metadata={_METADATA_KEY: json.dumps(asdict(settings), sort_keys=True)})
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be written ({error})") from error


def open_siglip(file: str, device: str, dtype: str) -> TorchBackbone:
    """Open a tower.

    Args:
        file: written by ``save_tower``.
        device: "cpu" or "cuda:N".
        dtype: "float32", "bfloat16" or "float16".

    Returns:
        The backbone. Tokens are the last layer's after the final norm; the readout is their mean, because the tower's
        first pool is no longer in a checkpoint that trained it into the head.

    Raises:
        MissingExtraError: if torch, timm or safetensors is not installed.
        WeightsError: if the file is missing, or is not such a tower.
    """
    require_torch(f"backbone siglip:{file}", "timm", "safetensors")
    path = find_local_file(file)
    if path is None:
        raise WeightsError(f"siglip:{file}: there is no such file; {_ADVICE}")
    settings = _read_settings(path)
    state = load_state(path)
    network = _build(settings, state, path)
    fill_module(network, state, path)
    freeze(network, device, dtype)

    def tokens(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (network.forward_features(pixels),)

    def pooled(pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = network.forward_features(pixels)
        return features.mean(dim=1)

    preprocessing = Preprocessing(size=settings.image_size, filter=settings.filter, mean=_HALF, std=_HALF)
    scales = measure_tokens(tokens, preprocessing.size, device, dtype)
    spec = BackboneSpec(
        name=f"siglip:{path.name}",
        weights_sha256=file_sha256(path),
        preprocessing=preprocessing,
        token_scales=scales,
        pooled_dim=scales[0].dim,
        readout="mean of the tokens",
        dtype=dtype,
    )
    return TorchBackbone(spec, tokens, pooled, device)


def _build(settings: TowerSettings, state: Mapping[str, torch.Tensor], path: Path) -> Any:  # noqa: ANN401
    """Build the network that the tensors belong to; ``fill_module`` then compares every key and shape."""
    from timm.models.vision_transformer import VisionTransformer

    patches, positions, mlp = (
        _shape(state, key, dims, path)
        for key, dims in (("patch_embed.proj.weight", 4), ("pos_embed", 3), ("blocks.0.mlp.fc1.weight", 2))
    )
    width, patch_size = patches[0], patches[3]
    settings.check(width=width, patch_size=patch_size, num_tokens=positions[1], source=path)
    return VisionTransformer(
        img_size=settings.image_size,
        patch_size=patch_size,
        num_classes=0,
        global_pool="",
        class_token=False,
        embed_dim=width,
        depth=len({key.split(".")[1] for key in state if key.startswith("blocks.")}),
        num_heads=settings.num_heads,
        mlp_ratio=(mlp[0] + 0.5) / width,  # timm rounds the product with the width down
        act_layer="gelu_tanh",
        weight_init="skip",
    )


def _shape(state: Mapping[str, torch.Tensor], key: str, dims: int, path: Path) -> tuple[int, ...]:
    shape = tuple(state[key].shape) if key in state else ()
    if len(shape) != dims or math.prod(shape) == 0:
        raise WeightsError(f"{path}: {key!r} is missing or has shape {shape}, expected {dims} dimensions; {_ADVICE}")
    return shape


def _read_settings(path: Path) -> TowerSettings:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
        values = json.loads(metadata[_METADATA_KEY])
        settings = TowerSettings(**values)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be read as safetensors ({error}); {_ADVICE}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its metadata does not describe a SigLIP tower; {_ADVICE}") from error
    sizes = (settings.num_heads, settings.image_size)
    if any(type(size) is not int or size < 1 for size in sizes) or settings.filter not in ("bilinear", "bicubic"):
        raise WeightsError(f"{path}: its metadata describes no possible SigLIP tower: {settings}; {_ADVICE}")
    return settings
