"""What a backbone's own attention pool can give an identity head: timm's pool, which SigLIP towers carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearid_search.errors import ConfigError
from nearid_search.head_spec import LAYER_NORM_EPS, HeadSpec

if TYPE_CHECKING:
    import torch

    from nearid_search.head import MapHead


def find_pool(network: torch.nn.Module) -> torch.nn.Module | None:
    """Find the attention pool of a network: timm's trunks for SigLIP have one, and so do open_clip's towers of them.

    Args:
        network: the network.

    Returns:
        The ``timm.layers.AttentionPoolLatent``, or None if there is none.
    """
    from timm.layers.attention_pool import AttentionPoolLatent

    return next((module for module in network.modules() if isinstance(module, AttentionPoolLatent)), None)


def spec_of_pool(pool: Any, *, num_probes: int = 1, out_dim: int | None = None) -> HeadSpec:  # noqa: ANN401
    """Describe a head that an attention pool can initialise.

    Args:
        pool: what ``find_pool`` gives.
        num_probes: probes of the head.
        out_dim: width of the embedding; None means the pool's own.

    Returns:
        The pool's sizes and activation. With one probe and the pool's own width, such a head can compute what the pool
        does.

    Raises:
        ConfigError: if the pool computes something that no head does.
    """
    import torch

    width = pool.kv.in_features
    activation = None if pool.mlp is None else _activation_name(pool.mlp.act)
    departures = {
        "position embeddings": pool.pos_embed is not None,
        f"{pool.latent_len} probes": pool.latent_len != 1,
        "no query projection": not isinstance(pool.q, torch.nn.Linear),
        "no biases": pool.kv.bias is None,
        "normalised keys": not isinstance(pool.k_norm, torch.nn.Identity),
        "probes or outputs of another width than its tokens": not pool.latent_dim == pool.out_features == width,
        "another norm": not isinstance(pool.norm, torch.nn.LayerNorm) or pool.norm.eps != LAYER_NORM_EPS,
        "another activation": activation is None,
    }
    found = [name for name, present in departures.items() if present]
    if found or activation is None:
        raise ConfigError(
            f"this backbone's attention pool cannot initialise a head, it has {' and '.join(found)}: start from a seed"
        )
    return HeadSpec(
        token_dims=(width,),
        width=width,
        num_heads=pool.num_heads,
        num_probes=num_probes,
        mlp_dim=pool.mlp.fc1.out_features,
        out_dim=width if out_dim is None else out_dim,
        activation=activation,
    )


def init_from_pool(head: MapHead, pool: Any) -> None:  # noqa: ANN401
    """Copy an attention pool into a head.

    Further probes and the output projection, where the head has them, keep their seeded weights.

    Args:
        head: changed in place; its spec is one that ``spec_of_pool`` gives.
        pool: what ``find_pool`` gives, in any dtype.

    Raises:
        ConfigError: if the head has other sizes or another activation than the pool.
    """
    import torch

    wanted = spec_of_pool(pool, num_probes=head.spec.num_probes, out_dim=head.spec.out_dim)
    if head.spec != wanted:
        raise ConfigError(f"{head.spec} cannot begin as this backbone's attention pool; expected {wanted}")
    sources = {
        "query": pool.q,
        "attention": pool.proj,
        "norm": pool.norm,
        "mlp_in": pool.mlp.fc1,
        "mlp_out": pool.mlp.fc2,
    }
    with torch.no_grad():
        head.probes[:1].copy_(pool.latent[0])
        for name, source in sources.items():
            head.get_submodule(name).load_state_dict(source.state_dict())
        for kind in ("weight", "bias"):
            key, value = getattr(pool.kv, kind).chunk(2)
            getattr(head.key, kind).copy_(key)
            getattr(head.value, kind).copy_(value)


def _activation_name(layer: torch.nn.Module) -> str | None:
    """Name an activation as ``HeadSpec`` does; None if it has no name for it."""
    import torch
    from timm.layers.activations import GELU, GELUTanh

    if isinstance(layer, torch.nn.GELU):
        return "gelu_tanh" if layer.approximate == "tanh" else "gelu"
    if isinstance(layer, GELUTanh):
        return "gelu_tanh"
    return "gelu" if isinstance(layer, GELU) else None
