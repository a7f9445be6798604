"""The timm path with real architectures; weights come from a seed and go through a file."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from nearid_search.backbones.base import Backbone, TokenScale
from nearid_search.backbones.registry import open_backbone
from nearid_search.backbones.timm_backbone import open_timm
from nearid_search.errors import BackboneError, WeightsError
from nearid_search.weights import file_sha256

Batch = NDArray[np.uint8]
# What each brings: a class token; class and register tokens; two class tokens; a map as (B, D, H, W); as (B, H, W, D).
NETWORKS = {
    "vit_tiny_patch16_224": TokenScale(196, 192),
    "vit_small_patch16_dinov3": TokenScale(256, 384),
    "deit_tiny_distilled_patch16_224": TokenScale(196, 192),
    "resnet18": TokenScale(49, 512),
    "swin_tiny_patch4_window7_224": TokenScale(49, 768),
}


class Case:
    """A network with weights from a seed, classifier included, their file, and our backbone opened from it."""

    def __init__(self, name: str, folder: Path) -> None:
        torch.manual_seed(0)
        self.name = name
        self.network: Any = timm.create_model(name, pretrained=False, num_classes=10).eval()
        self.path = folder / f"{name}.safetensors"
        save_file(self.network.state_dict(), self.path)
        self.backbone: Backbone = open_backbone(f"timm:{name}@{self.path}", device="cpu")


@pytest.fixture(scope="module")
def open_case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    return functools.cache(lambda name: Case(name, tmp_path_factory.mktemp("weights")))


@pytest.fixture(params=NETWORKS)
def case(request: pytest.FixtureRequest, open_case: Callable[[str], Case]) -> Case:
    return open_case(request.param)


def test_contract(case: Case, check_contract: Callable[[Backbone], None]) -> None:
    check_contract(case.backbone)


def test_tokens_and_readout_are_the_networks_own(case: Case, make_images: Callable[[int, int], Batch]) -> None:
    backbone, network = case.backbone, case.network
    images = make_images(2, backbone.spec.preprocessing.size)
    with torch.inference_mode():
        features = network.forward_features(torch.from_numpy(backbone.spec.preprocessing.normalise(images)))
        pooled = network.forward_head(features, pre_logits=True).numpy()
    if features.ndim == 3:
        sequence = features[:, network.num_prefix_tokens :]
    else:
        sequence = features.reshape(2, -1, 49).mT if case.name == "resnet18" else features.reshape(2, 49, -1)
    assert backbone.spec.token_scales == (NETWORKS[case.name],)
    np.testing.assert_allclose(backbone.tokens(images)[0], sequence.numpy(), atol=1e-5)
    np.testing.assert_allclose(backbone.pooled(images), pooled, atol=1e-5)
    if features.ndim == 4:
        np.testing.assert_allclose(backbone.tokens(images)[0].mean(axis=1), pooled, atol=1e-5)


def test_spec_names_the_file_without_its_folder_and_its_hash(case: Case) -> None:
    spec = case.backbone.spec
    assert spec.name == f"timm:{case.name}@{case.path.name}"
    assert spec.weights_sha256 == file_sha256(case.path)
    assert spec.preprocessing.mean == case.network.pretrained_cfg["mean"]


def test_bfloat16_is_another_fingerprint(
    open_case: Callable[[str], Case], check_contract: Callable[[Backbone], None]
) -> None:
    case = open_case("vit_tiny_patch16_224")
    backbone = open_backbone(f"timm:{case.name}@{case.path}", device="cpu", dtype="bfloat16")
    assert backbone.spec.fingerprint != case.backbone.spec.fingerprint
    check_contract(backbone)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(timm.create_model("test_vit", pretrained=False).state_dict(), path)
    with pytest.raises(
        WeightsError, match=r"w\.safetensors: 'cls_token' has shape \(1, 1, 64\), expected \(1, 1, 192\)"
    ):
        open_timm("vit_tiny_patch16_224", str(path), "cpu", "float32")


def test_unknown_names_are_met_with_the_known_ones() -> None:
    with pytest.raises(BackboneError, match=r"did you mean .*resnet18"):
        open_timm("resnet188", "a1_in1k", "cpu", "float32")
    with pytest.raises(BackboneError, match=r"no such file and no such pretrained tag; its tags: .*a1_in1k"):
        open_timm("resnet18", "b9", "cpu", "float32")


def test_a_hub_out_of_reach_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"could not be downloaded .*give its path") as caught:
        open_timm("resnet18", "a1_in1k", "cpu", "float32")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "modules", "scales"),
    [
        ("resnet18", ("layer3", "layer4"), (TokenScale(196, 256), TokenScale(49, 512))),
        ("vit_tiny_patch16_224", ("blocks.3", "blocks.4"), (TokenScale(196, 192), TokenScale(196, 192))),
        ("mobilenetv2_100", ("blocks.4", "blocks.6"), (TokenScale(196, 96), TokenScale(49, 320))),
    ],
)
def test_inner_layers_are_what_leaves_them(
    name: str,
    modules: tuple[str, ...],
    scales: tuple[TokenScale, ...],
    open_case: Callable[[str], Case],
    check_contract: Callable[[Backbone], None],
    make_images: Callable[[int, int], Batch],
) -> None:
    case = open_case(name)
    backbone = open_backbone(f"timm:{name}:layers=3-4@{case.path}", device="cpu")
    assert backbone.spec.name == f"timm:{name}:layers=3-4@{case.path.name}"
    assert backbone.spec.fingerprint != case.backbone.spec.fingerprint
    assert backbone.spec.token_scales == scales
    check_contract(backbone)
    left: list[torch.Tensor] = []
    for module in modules:
        case.network.get_submodule(module).register_forward_hook(lambda *call: left.append(call[2]))
    images = make_images(2, backbone.spec.preprocessing.size)
    with torch.inference_mode():
        case.network(torch.from_numpy(backbone.spec.preprocessing.normalise(images)))
    for tokens, features in zip(backbone.tokens(images), left, strict=True):
        sequence = features[:, 1:] if features.ndim == 3 else features.flatten(2).mT
        np.testing.assert_allclose(tokens, sequence.numpy(), atol=1e-5)


def test_layers_that_cannot_be_read_are_refused(open_case: Callable[[str], Case]) -> None:
    path = open_case("resnet18").path
    with pytest.raises(BackboneError, match="resnet18 has layers 0 to 4, asked for 5"):
        open_timm("resnet18:layers=3-5", str(path), "cpu", "float32")
    for setting in ("layers=4-3", "layers=", "size=3"):
        with pytest.raises(BackboneError, match=f"'{setting}' is no setting; expected rising numbers"):
            open_timm(f"resnet18:{setting}", str(path), "cpu", "float32")
