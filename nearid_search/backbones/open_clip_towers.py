"""How patch tokens and the pooled feature are read from each kind of open_clip image tower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nearid_search.backbones.timm_features import patch_tokens
from nearid_search.errors import BackboneError

if TYPE_CHECKING:
    import torch

    from nearid_search.backbones.torch_runtime import Pooled, Tokens


def read_tower(visual: torch.nn.Module, architecture: str) -> tuple[Tokens, Pooled]:
    """Choose how to read a tower.

    Args:
        visual: the tower of an open_clip model.
        architecture: its name, for the message.

    Returns:
        Functions of (B, 3, S, S) pixels: the patch tokens, and the pooled feature that equals ``visual(pixels)``.

    Raises:
        BackboneError: if the tower is of another kind.
    """
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import VisionTransformer

    tower = cast("Any", visual)
    if isinstance(visual, TimmModel):
        return _read_timm(tower)
    if isinstance(visual, ModifiedResNet):
        return _read_resnet(tower)
    if isinstance(visual, VisionTransformer) and not getattr(visual, "attn_pool_contrastive", None):
        return _read_vit(tower)
    raise BackboneError(f"open_clip:{architecture} has an image tower of an unsupported kind: {type(visual).__name__}")


def _read_vit(visual: Any) -> tuple[Tokens, Pooled]:  # noqa: ANN401
    """Read open_clip's own ViT. CoCa normalises after its attention pool only, so its tokens are not normalised."""
    import torch

    attention = visual.attn_pool is not None

    def sequence(pixels: torch.Tensor) -> torch.Tensor:
        last = visual.forward_intermediates(
            pixels, indices=1, intermediates_only=True, output_fmt="NLC", output_extra_tokens=True
        )
        return torch.cat([last["image_intermediates_prefix"][0], last["image_intermediates"][0]], dim=1)

    def tokens(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        patches = sequence(pixels)[:, 1:]
        return (patches if attention else visual.ln_post(patches),)

    def pooled(pixels: torch.Tensor) -> torch.Tensor:
        features = sequence(pixels)
        if attention:
            features = visual.attn_pool(features)
        average = visual.pool_type == "avg"
        if visual.final_ln_after_pool and not attention:
            feature = visual.ln_post(features[:, 1:].mean(dim=1) if average else features[:, 0])
        else:
            features = visual.ln_post(features)
            feature = features[:, 1:].mean(dim=1) if average else features[:, 0]
        return cast("torch.Tensor", feature @ visual.proj)

    return tokens, pooled


def _read_timm(visual: Any) -> tuple[Tokens, Pooled]:  # noqa: ANN401
    """Read a timm trunk: SigLIP's attention pool or a CNN's, then open_clip's projection, if any."""

    def tokens(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (patch_tokens(visual.trunk, pixels),)

    def pooled(pixels: torch.Tensor) -> torch.Tensor:
        trunk = visual.trunk
        return cast("torch.Tensor", visual.head(trunk.forward_head(trunk.forward_features(pixels))))

    return tokens, pooled


def _read_resnet(visual: Any) -> tuple[Tokens, Pooled]:  # noqa: ANN401
    """Read CLIP's ResNet: one token for each place of the last feature map."""

    def last_map(pixels: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(pixels))))))

    def tokens(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (last_map(pixels).flatten(2).transpose(1, 2),)

    def pooled(pixels: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", visual.attnpool(last_map(pixels)))

    return tokens, pooled
