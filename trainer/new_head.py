"""Where training starts from: the backbone's own attention pool if it has one, else seeded weights."""

from __future__ import annotations

from nearid_search.backbones.attention_pool import init_from_pool, spec_of_pool
from nearid_search.backbones.base import Backbone
from nearid_search.backbones.torch_runtime import TorchBackbone
from nearid_search.head import MapHead
from nearid_search.head_spec import HeadSpec
from nearid_search.trainer.config import HeadConfig


def make_head(
    config: HeadConfig, backbone: Backbone, *, seed: int, token_dims: tuple[int, ...] | None = None
) -> MapHead:
    """Make the head that a run starts from.

    Args:
        config: its shape, as far as no attention pool decides it.
        backbone: gives the widths of the tokens, and the attention pool.
        seed: of the weights that come from nowhere.
        token_dims: widths of the tokens if they are not the backbone's own; then no pool fits.

    Returns:
        With one probe and the pool's own width, a head that computes what the pool does.

    Raises:
        ConfigError: if the shape is out of range, or the pool computes something that no head does.
    """
    own_dims = tuple(scale.dim for scale in backbone.spec.token_scales)
    may_be_pool = config.start == "pool" and token_dims in (None, own_dims)
    pool = backbone.attention_pool if may_be_pool and isinstance(backbone, TorchBackbone) else None
    if pool is not None:
        head = MapHead(spec_of_pool(pool, num_probes=config.num_probes, out_dim=config.out_dim), seed=seed)
        init_from_pool(head, pool)
        return head
    spec = HeadSpec(
        token_dims=token_dims or own_dims,
        width=config.width,
        num_heads=config.num_heads,
        num_probes=config.num_probes,
        mlp_dim=config.mlp_dim,
        out_dim=config.out_dim,
    )
    return MapHead(spec, seed=seed)
