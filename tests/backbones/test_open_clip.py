"""The open_clip path with the real architectures; weights come from a seed and go through a file."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from open_clip.transformer import VisionTransformer
from safetensors.torch import save_file

from nearid_search.backbones.base import Backbone, TokenScale
from nearid_search.backbones.open_clip_backbone import open_open_clip
from nearid_search.backbones.open_clip_towers import read_tower
from nearid_search.backbones.registry import open_backbone
from nearid_search.errors import BackboneError, WeightsError
from nearid_search.weights import file_sha256

Batch = NDArray[np.uint8]
TOWERS = {
    "ViT-S-32": (TokenScale(49, 384), 384),
    "ViT-B-16-SigLIP": (TokenScale(196, 768), 768),
    "RN50": (TokenScale(49, 2048), 1024),
}


class Case:
    """A model with weights from a seed, the file they were saved to, and our backbone opened from that file."""

    def __init__(self, architecture: str, folder: Path) -> None:
        torch.manual_seed(0)
        self.architecture = architecture
        self.model: Any = open_clip.create_model(architecture).eval()
        self.path = folder / f"{architecture}.safetensors"
        save_file(dict(self.model.state_dict()), self.path)
        self.backbone: Backbone = open_backbone(f"open_clip:{architecture}@{self.path}", device="cpu")


@pytest.fixture(scope="module")
def open_case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    return functools.cache(lambda architecture: Case(architecture, tmp_path_factory.mktemp("weights")))


@pytest.fixture(params=TOWERS)
def case(request: pytest.FixtureRequest, open_case: Callable[[str], Case]) -> Case:
    return open_case(request.param)


def test_contract(case: Case, check_contract: Callable[[Backbone], None]) -> None:
    check_contract(case.backbone)


def test_pooling_our_way_is_what_the_model_itself_gives(case: Case, make_images: Callable[[int, int], Batch]) -> None:
    images = make_images(2, 224)
    with torch.inference_mode():
        expected = case.model.encode_image(torch.from_numpy(case.backbone.spec.preprocessing.normalise(images)))
    np.testing.assert_allclose(case.backbone.pooled(images), expected.numpy(), atol=1e-5)


def test_spec_names_the_file_without_its_folder_and_its_hash(case: Case) -> None:
    spec = case.backbone.spec
    assert spec.name == f"open_clip:{case.architecture}@{case.path.name}"
    assert spec.weights_sha256 == file_sha256(case.path)
    assert (spec.token_scales, spec.pooled_dim) == ((TOWERS[case.architecture][0],), TOWERS[case.architecture][1])
    siglip = "SigLIP" in case.architecture
    assert spec.preprocessing.mean == ((0.5, 0.5, 0.5) if siglip else open_clip.OPENAI_DATASET_MEAN)
    assert (spec.preprocessing.size, spec.preprocessing.filter) == (224, "bicubic")


def test_siglip_tokens_are_what_its_attention_pool_sees(
    make_images: Callable[[int, int], Batch], open_case: Callable[[str], Case]
) -> None:
    case = open_case("ViT-B-16-SigLIP")
    images = make_images(2, 224)
    with torch.inference_mode():
        pooled = case.model.visual.trunk.attn_pool(torch.from_numpy(case.backbone.tokens(images)[0]))
    np.testing.assert_allclose(pooled.numpy(), case.backbone.pooled(images), atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pool_type": "avg"},
        {"final_ln_after_pool": True},
        {"pool_type": "avg", "final_ln_after_pool": True, "no_ln_pre": True},
        {"attentional_pool": True, "attn_pooler_queries": 5},
    ],
    ids=lambda settings: "-".join(settings) or "clip",
)
def test_every_way_of_pooling_equals_the_towers_own(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    tower = VisionTransformer(32, 8, width=32, layers=2, heads=4, mlp_ratio=2.0, output_dim=16, **settings).eval()
    torch.nn.init.normal_(tower.ln_post.weight)
    tokens, pooled = read_tower(tower, "tiny")
    pixels = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(pooled(pixels), tower(pixels), atol=1e-5, rtol=0)
        assert tokens(pixels)[0].shape == (3, 16, 32)


def test_a_tower_without_tokens_is_refused() -> None:
    with pytest.raises(BackboneError, match="unsupported kind: Linear"):
        read_tower(torch.nn.Linear(2, 2), "odd")


def test_a_file_without_an_image_tower_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.safetensors"
    save_file({"transformer.weight": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match=r"no key begins with 'visual\.'"):
        open_open_clip("ViT-S-32", str(path), "cpu", "float32")


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    tower = VisionTransformer(32, 8, width=32, layers=2, heads=4, mlp_ratio=2.0, output_dim=16)
    save_file({f"visual.{key}": value for key, value in tower.state_dict().items()}, path)
    with pytest.raises(
        WeightsError, match=r"other\.safetensors: 'class_embedding' has shape \(32,\), expected \(384,\)"
    ):
        open_open_clip("ViT-S-32", str(path), "cpu", "float32")


def test_unknown_names_are_met_with_the_known_ones() -> None:
    with pytest.raises(BackboneError, match=r"no architecture 'ViT-B-33': did you mean ViT-B-32"):
        open_open_clip("ViT-B-33", "openai", "cpu", "float32")
    with pytest.raises(BackboneError, match=r"no such file and no such pretrained tag; its tags: .*webli"):
        open_open_clip("ViT-B-16-SigLIP", "openai", "cpu", "float32")


def test_a_hub_out_of_reach_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"could not be downloaded .*give its path") as caught:
        open_open_clip("ViT-B-16-SigLIP", "webli", "cpu", "float32")
    assert "\n" not in str(caught.value)
