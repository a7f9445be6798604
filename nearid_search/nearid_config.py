"""What a published NearID checkpoint computes that its tensors do not say.

Attention heads, image size and resize filter stand in ``config.json`` and ``preprocessor_config.json``, where these lie
beside the file. Without them they are SigLIP 2's: heads by width, bilinear, and an image of whole patches, or of 384
pixels for the published 27 x 27 patches of 14.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from nearid_search.backbones.siglip_backbone import TowerSettings
from nearid_search.errors import WeightsError
from nearid_search.head_spec import LAYER_NORM_EPS
from nearid_search.nearid_layout import CheckpointSizes

# No tensor's shape says how many heads it is split into. These are SigLIP's and SigLIP 2's, by width.
_HEADS_BY_WIDTH = {768: 12, 1024: 16, 1152: 16, 1536: 16}
# Pillow's numbers, which preprocessor_config.json holds. SigLIP 2 resizes bilinearly, SigLIP bicubically.
_FILTERS: dict[Any, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}


def read_settings(file: Path, sizes: CheckpointSizes, num_heads: int | None) -> TowerSettings:
    """Find what a checkpoint's tensors do not say.

    Args:
        file: the checkpoint; its configuration is read where it lies beside it.
        sizes: what its tensors say.
        num_heads: attention heads, if the caller knows them.

    Returns:
        Attention heads, image size and resize filter.

    Raises:
        WeightsError: if the files beside the checkpoint contradict it or cannot be read, or the number of attention
            heads cannot be known.
    """
    config = _read_json(file.with_name("config.json"))
    vision = config.get("vision_config") or config
    expected = {
        "hidden_size": sizes.width,
        "num_hidden_layers": sizes.depth,
        "intermediate_size": sizes.mlp_dim,
        "patch_size": sizes.patch_size,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": LAYER_NORM_EPS,
    }
    _check_values(file.with_name("config.json"), vision, expected)
    pictures = _read_json(file.with_name("preprocessor_config.json"))
    halves = {name: [0.5, 0.5, 0.5] for name in ("image_mean", "image_std")}
    _check_values(file.with_name("preprocessor_config.json"), pictures, halves)

    heads = num_heads or vision.get("num_attention_heads") or _HEADS_BY_WIDTH.get(sizes.width)
    if type(heads) is not int:
        raise WeightsError(
            f"{file}: the tensors do not say how many attention heads there are, and no SigLIP of width {sizes.width} "
            "is known: put the checkpoint's config.json beside the file, or give --heads"
        )
    grid = math.isqrt(sizes.num_tokens)
    whole = 384 if (grid, sizes.patch_size) == (27, 14) else grid * sizes.patch_size
    image_size = vision.get("image_size", whole)
    resample = pictures.get("resample", 2)
    if type(image_size) is not int or resample not in _FILTERS:
        raise WeightsError(
            f"{file.parent}: image_size {image_size!r} in config.json or resample {resample!r} in "
            "preprocessor_config.json is not supported; expected a whole number, and 2 (bilinear) or 3 (bicubic)"
        )
    settings = TowerSettings(num_heads=heads, image_size=image_size, filter=_FILTERS[resample])
    settings.check(width=sizes.width, patch_size=sizes.patch_size, num_tokens=sizes.num_tokens, source=file)
    return settings


def _read_json(path: Path) -> dict[str, Any]:
    """Read an object; an absent file is an empty one."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON ({error}); repair it or move it away") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: holds no JSON object; repair it or move it away")
    return content


def _check_values(path: Path, values: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if not isinstance(values, Mapping):
        raise WeightsError(f"{path}: vision_config is {values!r}, expected an object")
    for name, wanted in expected.items():
        if values.get(name, wanted) != wanted:
            raise WeightsError(f"{path}: {name} is {values[name]!r}, but the checkpoint beside it needs {wanted!r}")
