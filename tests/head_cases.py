"""Random heads of many shapes, and tokens for them."""

import numpy as np
from numpy.typing import NDArray

from nearid_search.head_spec import HeadSpec

PAPER = HeadSpec(token_dims=(1152,), width=1152, num_heads=16, num_probes=1, mlp_dim=4304, out_dim=1152)
SPECS = {
    "like-siglip": HeadSpec(token_dims=(24,), width=24, num_heads=4, num_probes=1, mlp_dim=50, out_dim=24),
    "exact-gelu": HeadSpec(
        token_dims=(24,), width=24, num_heads=4, num_probes=1, mlp_dim=50, out_dim=24, activation="gelu"
    ),
    "narrow-output": HeadSpec(token_dims=(24,), width=24, num_heads=1, num_probes=1, mlp_dim=7, out_dim=5),
    "other-width": HeadSpec(token_dims=(10,), width=24, num_heads=3, num_probes=1, mlp_dim=50, out_dim=24),
    "three-scales": HeadSpec(token_dims=(8, 24, 24), width=24, num_heads=4, num_probes=1, mlp_dim=50, out_dim=24),
    "two-scales-four-probes": HeadSpec(token_dims=(16, 9), width=16, num_heads=2, num_probes=4, mlp_dim=40, out_dim=6),
    "nonlinear": HeadSpec(
        token_dims=(16, 9), width=24, num_heads=4, num_probes=3, mlp_dim=40, out_dim=6, nonlinear_tokens=True
    ),
    "nonlinear-of-its-width": HeadSpec(
        token_dims=(24,),
        width=24,
        num_heads=4,
        num_probes=1,
        mlp_dim=50,
        out_dim=24,
        nonlinear_tokens=True,
        activation="gelu",
    ),
}


def random_arrays(spec: HeadSpec, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights of which none is zero, large enough for attention to be far from uniform."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in spec.array_shapes().items():
        scale = 2 * shape[-1] ** -0.5 if name.endswith("weight") and len(shape) == 2 else 1.0
        arrays[name] = (scale * rng.standard_normal(shape)).astype(np.float32)
    return arrays


def random_tokens(spec: HeadSpec, batch: int = 5, seed: int = 1) -> list[NDArray[np.float32]]:
    """Another number of tokens at each scale."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((batch, 7 + 4 * number, dim), np.float32) for number, dim in enumerate(spec.token_dims)]
