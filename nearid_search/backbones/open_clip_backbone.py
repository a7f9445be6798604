"""``open_clip:<arch>@<tag or local file>``: the image towers of open_clip, CLIP, SigLIP and SigLIP2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.backbones.attention_pool import find_pool
from nearid_search.backbones.base import BackboneSpec
from nearid_search.backbones.hub import check_architecture, fetch, find_local_file
from nearid_search.backbones.open_clip_towers import read_tower
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.backbones.torch_extra import require_torch
from nearid_search.backbones.torch_runtime import TorchBackbone, freeze, measure_tokens
from nearid_search.errors import WeightsError
from nearid_search.weights import file_sha256, fill_module, load_state

if TYPE_CHECKING:
    import torch

_PREFIX = "visual."


def open_open_clip(architecture: str, weights: str, device: str, dtype: str) -> TorchBackbone:
    """Open the image tower of an open_clip model; the text tower is neither built nor loaded.

    Args:
        architecture: open_clip's name, such as "ViT-SO400M-14-SigLIP2-378".
        weights: a local file of the whole model or of its ``visual.`` part, prepared for as the architecture's first
            tag is; else a pretrained tag.
        device: "cpu" or "cuda:N".
        dtype: "float32", "bfloat16" or "float16".

    Returns:
        The backbone. Tokens are the patch tokens after the final norm; the readout is what ``encode_image`` gives.

    Raises:
        BackboneError: if the architecture or tag is unknown, or the tower gives no tokens.
        MissingExtraError: if torch, open_clip or safetensors is not installed.
        WeightsError: if the weights cannot be had or do not fit.
    """
    require_torch(f"backbone open_clip:{architecture}", "open_clip", "safetensors")
    import open_clip

    check_architecture(architecture, open_clip.list_models(), "open_clip")
    config = open_clip.get_model_config(architecture)
    local = find_local_file(weights)
    path = local or _download(architecture, weights)
    pretrained = _pretrained_config(architecture, None if local else weights)
    # Some tags were trained with another GELU than their architecture's name says; open_clip keeps that with the tag.
    quick_gelu = config.get("quick_gelu", False) or (not local and bool(pretrained.get("quick_gelu")))
    visual = _build_tower(config, quick_gelu=quick_gelu)
    fill_module(visual, select_tower(load_state(path), path), path)
    freeze(visual, device, dtype)
    tokens, pooled = read_tower(visual, architecture)
    size = config["vision_cfg"]["image_size"]
    preprocessing = Preprocessing.from_config(
        (size, size) if isinstance(size, int) else size,
        pretrained.get("interpolation", "bicubic"),
        pretrained.get("mean", open_clip.OPENAI_DATASET_MEAN),
        pretrained.get("std", open_clip.OPENAI_DATASET_STD),
    )
    spec = BackboneSpec(
        name=f"open_clip:{architecture}@{local.name if local else weights}",
        weights_sha256=file_sha256(path),
        preprocessing=preprocessing,
        token_scales=measure_tokens(tokens, preprocessing.size, device, dtype),
        pooled_dim=config["embed_dim"],
        readout="the image tower's own pooling and projection",
        dtype=dtype,
    )
    return TorchBackbone(spec, tokens, pooled, device, attention_pool=find_pool(visual))


def select_tower(state: dict[str, torch.Tensor], source: Path) -> dict[str, torch.Tensor]:
    """Take the image tower out of a whole model.

    Args:
        state: tensors by the whole model's keys.
        source: where they came from, for the message.

    Returns:
        Tensors by the tower's own keys.

    Raises:
        WeightsError: if there is no image tower.
    """
    tower = {key.removeprefix(_PREFIX): tensor for key, tensor in state.items() if key.startswith(_PREFIX)}
    if not tower:
        raise WeightsError(f"{source}: no key begins with {_PREFIX!r}; expected an open_clip checkpoint")
    return tower


def _build_tower(config: dict[str, Any], *, quick_gelu: bool) -> torch.nn.Module:
    # open_clip has no public way to build the image tower alone; a whole model costs seconds and gigabytes more, and
    # some text towers fetch their configuration from a hub.
    from open_clip.model import _build_vision_tower

    vision = {**config["vision_cfg"], "timm_model_pretrained": False}
    tower: torch.nn.Module = _build_vision_tower(config["embed_dim"], vision, quick_gelu)
    return tower


def _pretrained_config(architecture: str, tag: str | None) -> dict[str, Any]:
    """Return open_clip's entry for a tag, or for the first tag of the architecture if None; empty without tags."""
    import open_clip

    tags = [tag] if tag else open_clip.list_pretrained_tags_by_model(architecture)
    return dict(open_clip.get_pretrained_cfg(architecture, tags[0])) if tags else {}


def _download(architecture: str, tag: str) -> Path:
    import open_clip

    return fetch(
        f"open_clip:{architecture}",
        tag,
        open_clip.list_pretrained_tags_by_model(architecture),
        lambda: open_clip.download_pretrained(open_clip.get_pretrained_cfg(architecture, tag)),
    )
