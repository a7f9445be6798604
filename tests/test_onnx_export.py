"""One ONNX file gives what backbone and head give apart, says what it holds, and is refused if it is another."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import open_clip
import pytest
import timm
import torch
from head_cases import SPECS, random_arrays, random_tokens
from numpy.typing import NDArray
from safetensors.torch import save_file

from nearid_search.backbones.base import Backbone, BackboneSpec, TokenScale
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.backbones.registry import open_backbone
from nearid_search.backbones.torch_runtime import TorchBackbone
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import BackboneError, ShapeError, WeightsError
from nearid_search.head import MapHead
from nearid_search.head_file import HeadManifest, LoadedHead, load_head, save_head
from nearid_search.head_numpy import embed
from nearid_search.head_spec import HeadSpec
from nearid_search.onnx_encoder import INPUT, OUTPUT, OnnxEncoder
from nearid_search.onnx_export import export_head, export_onnx
from nearid_search.onnx_head import OPSET, Nodes, append_head

Batch = NDArray[np.uint8]


def spec_for(backbone: Backbone, **sizes: Any) -> HeadSpec:
    dims = tuple(scale.dim for scale in backbone.spec.token_scales)
    return HeadSpec(
        **{"width": 48, "num_heads": 4, "num_probes": 1, "mlp_dim": 60, "out_dim": 48, **sizes}, token_dims=dims
    )


def head_for(backbone: Backbone, folder: Path, spec: HeadSpec | None = None) -> LoadedHead:
    spec = spec or spec_for(backbone)
    manifest = HeadManifest(
        spec=spec,
        backbone=backbone.spec.name,
        backbone_weights=backbone.spec.weights_fingerprint,
        data_hash="0" * 64,
        split_sizes={"train": 2},
        seed=0,
        created_at="2026-01-01T00:00:00+00:00",
        made_by="test",
    )
    save_head(folder, MapHead(spec, seed=3).to_arrays(), manifest)
    return load_head(folder)


def noise(backbone: Backbone, count: int) -> Batch:
    size = backbone.spec.preprocessing.size
    return np.random.default_rng(5).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.fixture(scope="module")
def dinov2() -> Backbone:
    return open_backbone("dinov2-small", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def exported(dinov2: Backbone, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LoadedHead]:
    folder = tmp_path_factory.mktemp("exported")
    head = head_for(dinov2, folder / "head", spec_for(dinov2, num_probes=3, out_dim=32))
    export_onnx(dinov2, head, folder / "encoder.onnx")
    return folder / "encoder.onnx", head


def run_head(spec: HeadSpec, arrays: dict[str, NDArray[np.float32]], tokens: list[NDArray[np.float32]]) -> Any:
    nodes = Nodes("/head")
    names = [f"tokens_{number}" for number in range(len(tokens))]
    output = append_head(nodes, names, [scale.shape[1] for scale in tokens], spec, arrays)
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes.nodes,
        "head",
        [info(name, 1, ["batch", *scale.shape[1:]]) for name, scale in zip(names, tokens, strict=True)],
        [info(output, 1, ["batch", spec.out_dim])],
        nodes.initialisers,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([output], dict(zip(names, tokens, strict=True)))[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_heads_nodes_compute_the_head(spec: HeadSpec, seed: int) -> None:
    arrays, tokens = random_arrays(spec, seed), random_tokens(spec, seed=seed)
    found = run_head(spec, arrays, tokens)
    with torch.inference_mode():
        in_torch = MapHead.from_arrays(spec, arrays)([torch.from_numpy(scale) for scale in tokens]).numpy()
    np.testing.assert_allclose(found, in_torch, atol=1e-5)
    np.testing.assert_allclose(found, embed(spec, arrays, tokens), atol=1e-5)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"width": 1152, "num_heads": 16, "mlp_dim": 300, "out_dim": 1152},
        {"num_probes": 4, "out_dim": 20, "activation": "gelu"},
    ],
    ids=["projected", "own-width", "four-probes"],
)
def test_the_file_gives_what_backbone_and_head_give(dinov2: Backbone, sizes: dict[str, Any], tmp_path: Path) -> None:
    head = head_for(dinov2, tmp_path / "head", spec_for(dinov2, **sizes))
    export_onnx(dinov2, head, tmp_path / "encoder.onnx")
    images = noise(dinov2, 2)
    found = OnnxEncoder(tmp_path / "encoder.onnx").encode_prepared(images)
    expected = IdentityEncoder(dinov2, head=head).encode_prepared(images)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with torch.inference_mode():
        tokens = [torch.from_numpy(scale) for scale in dinov2.tokens(images)]
        in_torch = MapHead.from_arrays(head.spec, head.arrays)(tokens).numpy()
    np.testing.assert_allclose(found, in_torch, atol=1e-4)


def make_timm(name: str, folder: Path) -> Backbone:
    torch.manual_seed(0)
    path = folder / f"{name}.safetensors"
    save_file(timm.create_model(name, pretrained=False).state_dict(), path)
    return open_backbone(f"timm:{name}@{path}", device="cpu")


def make_open_clip(name: str, folder: Path) -> Backbone:
    torch.manual_seed(0)
    path = folder / f"{name}.safetensors"
    save_file(dict(open_clip.create_model(name).state_dict()), path)
    return open_backbone(f"open_clip:{name}@{path}", device="cpu")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: open_backbone("efficientnet-lite0", device="cpu"), id="efficientnet-lite0"),
        pytest.param(lambda folder: make_timm("vit_tiny_patch16_224", folder), id="timm-vit"),
        pytest.param(lambda folder: make_timm("convnext_atto", folder), id="timm-convnext"),
        pytest.param(lambda folder: make_open_clip("ViT-S-32", folder), id="open-clip-vit"),
    ],
)
def test_backbones_in_torch_are_exported_too(make: Callable[[Path], Backbone], tmp_path: Path) -> None:
    backbone = make(tmp_path)
    head = head_for(backbone, tmp_path / "head")
    export_onnx(backbone, head, tmp_path / "encoder.onnx")
    images = noise(backbone, 3)
    expected = IdentityEncoder(backbone, head=head).encode_prepared(images)
    np.testing.assert_allclose(OnnxEncoder(tmp_path / "encoder.onnx").encode_prepared(images), expected, atol=1e-4)
    np.testing.assert_allclose(run_batch(tmp_path / "encoder.onnx", backbone, images), expected, atol=1e-4)


def run_batch(path: Path, backbone: Backbone, images: Batch) -> Any:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run([OUTPUT], {INPUT: backbone.spec.preprocessing.normalise(images)})[0]


def test_the_file_takes_batches(dinov2: Backbone, exported: tuple[Path, LoadedHead]) -> None:
    path, head = exported
    images = noise(dinov2, 3)
    expected = IdentityEncoder(dinov2, head=head).encode_prepared(images)
    np.testing.assert_allclose(run_batch(path, dinov2, images), expected, atol=1e-4)


def test_an_images_bits_do_not_depend_on_its_batch(dinov2: Backbone, exported: tuple[Path, LoadedHead]) -> None:
    encoder = OnnxEncoder(exported[0])
    images = noise(dinov2, 4)
    whole = encoder.encode_prepared(images)
    np.testing.assert_array_equal(encoder.encode_prepared(images[[3, 1, 3]]), whole[[3, 1, 3]])
    np.testing.assert_array_equal(OnnxEncoder(exported[0]).encode_prepared(images[2:3]), whole[2:3])
    assert encoder.encode_prepared(images[:0]).shape == (0, 32)
    with pytest.raises(ShapeError, match="images must be"):
        encoder.encode_prepared(images[:, :100])


def test_the_file_says_what_it_holds(dinov2: Backbone, exported: tuple[Path, LoadedHead]) -> None:
    path, head = exported
    encoder = OnnxEncoder(path)
    assert encoder.metadata.preprocessing == dinov2.spec.preprocessing
    assert encoder.metadata.backbone_fingerprint == dinov2.spec.fingerprint
    assert encoder.metadata.head_fingerprint == head.fingerprint
    assert (encoder.dim, encoder.device) == (32, "cpu")
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    assert encoder.fingerprint == f"{IdentityEncoder(dinov2, head=head).fingerprint}+onnx:{content[:12]}"
    pixels = np.random.default_rng(0).integers(0, 256, (90, 300, 3), np.uint8)
    np.testing.assert_array_equal(encoder.prepare(pixels), dinov2.spec.preprocessing.resize(pixels))


def test_a_head_is_exported_by_its_folder(dinov2: Backbone, tmp_path: Path) -> None:
    head = head_for(dinov2, tmp_path / "head")
    metadata = export_head(tmp_path / "head", tmp_path / "encoder.onnx")
    assert metadata == OnnxEncoder(tmp_path / "encoder.onnx").metadata
    assert metadata.head_fingerprint == head.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder.onnx", "head"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "nearid-search encoder 2"}, r"'format' is 'nearid-search encoder 2', expected"),
        ({"format": None}, r"'format' is None, expected"),
        ({"head_fingerprint": None}, r"its property 'head_fingerprint' is missing"),
        ({"preprocessing": "{}"}, r"its properties cannot be read"),
        ({"out_dim": "many"}, r"its properties cannot be read"),
        ({"out_dim": "31"}, r"its inputs and outputs are .*\[32\].*, its properties say .*\[31\]"),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    exported: tuple[Path, LoadedHead], change: dict[str, str | None], message: str, tmp_path: Path
) -> None:
    model = onnx.load(exported[0])
    properties = {entry.key: entry.value for entry in model.metadata_props} | change
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {name: value for name, value in properties.items() if value is not None})
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(WeightsError, match=message):
        OnnxEncoder(tmp_path / "changed.onnx")


@pytest.mark.parametrize(
    "content", [None, b"", b"not a model", b"\x08\x07" * 50], ids=["absent", "empty", "text", "bytes"]
)
def test_what_is_no_model_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "encoder.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"encoder.onnx: .*export it again"):
        OnnxEncoder(path)


def test_a_cut_file_is_refused(exported: tuple[Path, LoadedHead], tmp_path: Path) -> None:
    content = exported[0].read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match=r"cut.onnx: .*export it again"):
        OnnxEncoder(tmp_path / "cut.onnx")


def test_a_head_of_another_backbone_is_refused(dinov2: Backbone, tmp_path: Path) -> None:
    head = head_for(open_backbone("efficientnet-lite0", device="cpu"), tmp_path / "head")
    with pytest.raises(WeightsError, match=r"trained on efficientnet-lite0:.*, but the backbone is dinov2-small:"):
        export_onnx(dinov2, head, tmp_path / "encoder.onnx")


def test_other_arithmetic_is_refused_with_what_can_be_exported(tmp_path: Path) -> None:
    backbone = open_backbone("dinov2-small", device="cpu", dtype="bfloat16")
    with pytest.raises(BackboneError, match=r"in bfloat16 on cpu cannot be exported: open dinov2-small, efficientnet"):
        export_onnx(backbone, head_for(backbone, tmp_path / "head"), tmp_path / "encoder.onnx")


def test_a_full_disk_leaves_the_earlier_file_whole(dinov2: Backbone, tmp_path: Path) -> None:
    head = head_for(dinov2, tmp_path / "head")
    (tmp_path / "encoder.onnx").write_bytes(b"earlier")
    (tmp_path / "encoder.onnx.tmp").symlink_to("/dev/full")
    with pytest.raises(WeightsError, match=r"encoder.onnx: the encoder cannot be written \(No space left"):
        export_onnx(dinov2, head, tmp_path / "encoder.onnx")
    assert (tmp_path / "encoder.onnx").read_bytes() == b"earlier"


def test_a_graph_that_computes_something_else_is_not_written(tmp_path: Path) -> None:
    """The traced network takes a branch by its data; the trace keeps the branch of a black image."""
    backbone = small_backbone("branching", lambda patches: patches if not patches.any() else torch.sin(9 * patches))
    with pytest.raises(BackboneError, match=r"branching cannot be exported: as ONNX its embedding of noise differs by"):
        export_onnx(backbone, head_for(backbone, tmp_path / "head"), tmp_path / "encoder.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["head"]


def test_a_network_that_onnx_cannot_express_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backbone = small_backbone("spectral", lambda patches: torch.fft.fft(patches).abs())
    with pytest.raises(BackboneError, match=r"spectral cannot be exported: torch cannot write it as ONNX \(.*fft"):
        export_onnx(backbone, head_for(backbone, tmp_path / "head"), tmp_path / "encoder.onnx")
    assert capsys.readouterr() == ("", "")


def small_backbone(name: str, network: Callable[[torch.Tensor], torch.Tensor]) -> Backbone:
    def tokens(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (network(pixels.flatten(2).transpose(1, 2)),)

    spec = BackboneSpec(
        name=name,
        weights_sha256="0" * 64,
        preprocessing=Preprocessing(size=4, filter="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3),
        token_scales=(TokenScale(16, 3),),
        pooled_dim=3,
        readout="none",
    )
    return TorchBackbone(spec, tokens, lambda pixels: pixels.mean(dim=(2, 3)), "cpu")
