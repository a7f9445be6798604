"""``timm:<name>@<tag or local file>``: the ViTs and CNNs of timm.

``timm:<name>:layers=3-4@…`` reads inner layers instead of the last features, each a scale of its own, under the
numbers that timm gives them: blocks of a ViT, stages of a CNN, counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.backbones.attention_pool import find_pool
from nearid_search.backbones.base import BackboneSpec
from nearid_search.backbones.hub import check_architecture, fetch, find_local_file
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.backbones.timm_features import (
    check_layers,
    layer_tokens,
    name_layers,
    parse_layers,
    patch_tokens,
    pooled_features,
)
from nearid_search.backbones.torch_extra import require_torch
from nearid_search.backbones.torch_runtime import TorchBackbone, freeze, measure_tokens
from nearid_search.weights import file_sha256, fill_module, load_state

if TYPE_CHECKING:
    import torch

_HUB_FILE = "model.safetensors"


def open_timm(architecture: str, weights: str, device: str, dtype: str) -> TorchBackbone:
    """Open a timm network.

    Args:
        architecture: timm's name without tag, such as "vit_small_patch14_dinov2", alone or with layers to read, as in
            "mobilenetv2_100:layers=3-4".
        weights: a local file, prepared for as the architecture's default weights are; else a pretrained tag.
        device: "cpu" or "cuda:N".
        dtype: "float32", "bfloat16" or "float16".

    Returns:
        The backbone. Tokens are the last features after the final norm, or those of the layers as they leave them; the
        readout is the network's own pooling.

    Raises:
        BackboneError: if the architecture, a layer or the tag is unknown, or the network gives no tokens.
        MissingExtraError: if torch, timm or safetensors is not installed.
        WeightsError: if the weights cannot be had or do not fit.
    """
    require_torch(f"backbone timm:{architecture}", "timm", "safetensors")
    import timm

    architecture, layers = parse_layers(architecture)
    check_architecture(architecture, timm.list_models(), "timm")
    local = find_local_file(weights)
    path = local or _download(architecture, weights)
    network: Any = timm.create_model(
        architecture if local else f"{architecture}.{weights}", pretrained=False, num_classes=0
    )
    config = network.pretrained_cfg
    preprocessing = Preprocessing.from_config(
        config["input_size"][1:], config["interpolation"], config["mean"], config["std"]
    )
    fill_module(network, drop_classifier(load_state(path), config.get("classifier")), path)
    freeze(network, device, dtype)
    check_layers(network, architecture, layers)

    def tokens(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return layer_tokens(network, pixels, layers) if layers else (patch_tokens(network, pixels),)

    def pooled(pixels: torch.Tensor) -> torch.Tensor:
        return pooled_features(network, pixels)

    spec = BackboneSpec(
        name=f"timm:{architecture}{name_layers(layers)}@{local.name if local else weights}",
        weights_sha256=file_sha256(path),
        preprocessing=preprocessing,
        token_scales=measure_tokens(tokens, preprocessing.size, device, dtype),
        pooled_dim=network.head_hidden_size,
        readout="the network's own pooling, before its classifier",
        dtype=dtype,
    )
    return TorchBackbone(spec, tokens, pooled, device, attention_pool=find_pool(network))


def drop_classifier(
    state: Mapping[str, torch.Tensor], classifier: str | tuple[str, ...] | None
) -> dict[str, torch.Tensor]:
    """Leave out the classifier, which a feature extractor does not have.

    Args:
        state: a checkpoint with or without it.
        classifier: its module or modules, as timm's configuration names them.

    Returns:
        The other tensors.
    """
    modules = (classifier,) if isinstance(classifier, str) else classifier or ()
    return {key: tensor for key, tensor in state.items() if not any(key.startswith(f"{module}.") for module in modules)}


def _download(architecture: str, tag: str) -> Path:
    import timm
    from huggingface_hub import hf_hub_download

    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    config = timm.get_pretrained_cfg(f"{architecture}.{tag}") if tag in tags else None
    repository = config.hf_hub_id if config else None
    return fetch(
        f"timm:{architecture}",
        tag,
        tags,
        lambda: hf_hub_download(repository or f"timm/{architecture}.{tag}", _HUB_FILE),
    )
