"""Where training starts from: the backbone's own attention pool if it has one, else seeded weights."""

from __future__ import annotations

from typing import Any

from nearid_search.backbones.attention_pool import init_from_pool, spec_of_pool
from nearid_search.backbones.base import Backbone
from nearid_search.backbones.torch_runtime import TorchBackbone
from nearid_search.head import MapHead
from nearid_search.head_spec import HeadSpec
from nearid_search.trainer.config import HeadConfig

_NUM_PROBES, _OUT_DIM = 4, 256  # of a head that does not begin as a pool


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
        From a pool, and unless other probes or another width are asked for, a head that computes what the pool does.

    Raises:
        ConfigError: if the shape is out of range, or the pool computes something that no head does.
    """
    spec, pool = _plan(config, backbone, token_dims)
    head = MapHead(spec, seed=seed)
    if pool is not None:
        init_from_pool(head, pool)
    return head


def resolve_head(config: HeadConfig, backbone: Backbone, *, token_dims: tuple[int, ...] | None = None) -> HeadConfig:
    """Say in full which head ``make_head`` makes; arguments and errors are its.

    Returns:
        Every size, and "pool" as the start only if the head begins as one.
    """
    spec, pool = _plan(config, backbone, token_dims)
    return HeadConfig(
        start="random" if pool is None else "pool",
        width=spec.width,
        num_heads=spec.num_heads,
        num_probes=spec.num_probes,
        mlp_dim=spec.mlp_dim,
        out_dim=spec.out_dim,
        nonlinear_tokens=spec.nonlinear_tokens,
    )


def _plan(config: HeadConfig, backbone: Backbone, token_dims: tuple[int, ...] | None) -> tuple[HeadSpec, Any]:
    """Return the head's sizes, and the pool that it begins as or None."""
    own_dims = tuple(scale.dim for scale in backbone.spec.token_scales)
    may_be_pool = config.start == "pool" and token_dims in (None, own_dims) and not config.nonlinear_tokens
    pool = backbone.attention_pool if may_be_pool and isinstance(backbone, TorchBackbone) else None
    if pool is not None:
        num_probes = 1 if config.num_probes is None else config.num_probes
        return spec_of_pool(pool, num_probes=num_probes, out_dim=config.out_dim), pool
    spec = HeadSpec(
        token_dims=token_dims or own_dims,
        width=config.width,
        num_heads=config.num_heads,
        num_probes=_NUM_PROBES if config.num_probes is None else config.num_probes,
        mlp_dim=config.mlp_dim,
        out_dim=_OUT_DIM if config.out_dim is None else config.out_dim,
        nonlinear_tokens=config.nonlinear_tokens,
    )
    return spec, None
