"""Where training starts: as the tower's own attention pool, through our backbone, or from a seed."""

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from nearid_search.backbones.base import Backbone
from nearid_search.backbones.registry import open_backbone
from nearid_search.errors import ConfigError
from nearid_search.similarity import unit_rows
from nearid_search.trainer.config import HeadConfig, TrainConfig
from nearid_search.trainer.new_head import make_head, resolve_head

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """A SigLIP tower of open_clip with weights from a seed."""
    torch.manual_seed(0)
    model: Any = open_clip.create_model("ViT-B-16-SigLIP")
    path: Path = tmp_path_factory.mktemp("weights") / "siglip.safetensors"
    save_file(dict(model.state_dict()), path)
    return open_backbone(f"open_clip:ViT-B-16-SigLIP@{path}", device="cpu")


@pytest.mark.parametrize("config", [HeadConfig(), HeadConfig(num_probes=1, out_dim=768)], ids=["default", "named"])
def test_the_initial_head_gives_the_towers_own_pooled_output(siglip: Backbone, config: HeadConfig) -> None:
    head = make_head(config, siglip, seed=0)
    with torch.no_grad():
        pooled = head.pool([torch.from_numpy(scale) for scale in siglip.tokens(IMAGES)]).numpy()
    np.testing.assert_allclose(pooled, siglip.pooled(IMAGES), atol=1e-5)
    assert (unit_rows(pooled) * unit_rows(siglip.pooled(IMAGES))).sum(axis=1).min() > 1 - 1e-6


def test_a_random_start_and_other_sizes_are_a_choice(siglip: Backbone) -> None:
    head = make_head(HeadConfig(start="random", width=48, num_heads=4, mlp_dim=32, out_dim=16), siglip, seed=0)
    assert (head.spec.width, head.spec.out_dim) == (48, 16)
    wide = make_head(HeadConfig(num_probes=2, out_dim=16), siglip, seed=0)
    assert (wide.spec.width, wide.spec.num_probes, wide.spec.out_dim) == (768, 2, 16)


def test_a_backbone_without_a_pool_starts_from_the_seed() -> None:
    backbone = open_backbone("dinov2-small", device="cpu", dtype="float32")
    assert resolve_head(HeadConfig(), backbone) == HeadConfig(start="random", num_probes=4, out_dim=256)
    first, same, other = (make_head(HeadConfig(), backbone, seed=seed).to_arrays() for seed in (1, 1, 2))
    assert first["probes"].tobytes() == same["probes"].tobytes() != other["probes"].tobytes()


def test_what_the_pool_decided_is_said_in_full(siglip: Backbone) -> None:
    whole = HeadConfig(start="pool", width=768, num_heads=12, num_probes=1, mlp_dim=3072, out_dim=768)
    assert resolve_head(HeadConfig(width=48, num_heads=4), siglip) == whole
    assert resolve_head(whole, siglip) == whole
    # Tokens of another width than the pool reads, as after a projection, leave it no place.
    assert resolve_head(HeadConfig(), siglip, token_dims=(96,)).start == "random"


def test_a_size_that_is_no_number_is_refused(siglip: Backbone) -> None:
    config = TrainConfig.from_dict({"dataset": "d", "out": "o", "head": {"num_probes": "many"}})
    with pytest.raises(ConfigError, match="num_probes must be a whole number of at least 1, got 'many'"):
        make_head(config.head, siglip, seed=0)
