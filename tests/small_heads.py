"""Small random heads on disk for a real backbone."""

from pathlib import Path

from head_cases import random_arrays

from nearid_search.backbones.base import BackboneSpec
from nearid_search.head_file import HeadManifest, LoadedHead, load_head, save_head
from nearid_search.head_spec import HeadSpec


def write_head(folder: Path, backbone: BackboneSpec, *, seed: int = 0) -> LoadedHead:
    """Save a head with random weights and load it again."""
    dims = tuple(scale.dim for scale in backbone.token_scales)
    spec = HeadSpec(token_dims=dims, width=16, num_heads=2, num_probes=1, mlp_dim=16, out_dim=8)
    manifest = HeadManifest(
        spec=spec,
        backbone=backbone.name,
        backbone_weights=backbone.weights_fingerprint,
        data_hash="0" * 64,
        split_sizes={"train": 2},
        seed=seed,
        created_at="2026-01-01T00:00:00+00:00",
        made_by="0.1.0",
    )
    save_head(folder, random_arrays(spec, seed), manifest)
    return load_head(folder, backbone_weights=backbone.weights_fingerprint)
