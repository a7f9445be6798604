"""The nodes of the patch colours give what NumPy gives, alone and inside an exported encoder."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from head_cases import random_arrays
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone
from nearid_search.backbones.patch_colour import DIM, MEANS, SPREADS, patch_colours
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.backbones.registry import open_backbone
from nearid_search.errors import BackboneError
from nearid_search.head_file import HeadManifest, LoadedHead, load_head, save_head
from nearid_search.head_numpy import embed
from nearid_search.head_spec import HeadSpec
from nearid_search.onnx_encoder import INPUT, OUTPUT, OnnxEncoder
from nearid_search.onnx_export import export_head, export_onnx
from nearid_search.onnx_head import OPSET, Nodes
from nearid_search.onnx_patch_colour import append_patch_colours

NAME = "dinov2-small:layers=2-8,colour"
GRID, SIZE = 4, 56
SPREAD = slice(MEANS, MEANS + SPREADS)
Batch = NDArray[np.uint8]


def run_colours(images: Batch, grid: int = GRID) -> Any:
    size = images.shape[1]
    preprocessing = Preprocessing(size=size, filter="bicubic", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    nodes = Nodes("/colours")
    output = append_patch_colours(nodes, INPUT, preprocessing, grid=grid)
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes.nodes,
        "colours",
        [info(INPUT, 1, ["batch", 3, size, size])],
        [info(output, 1, ["batch", grid * grid, DIM])],
        nodes.initialisers,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([output], {INPUT: preprocessing.normalise(images)})[0]


def noise(count: int, size: int = SIZE) -> Batch:
    return np.random.default_rng(5).integers(0, 256, (count, size, size, 3), np.uint8)


def constant(colours: Batch) -> Batch:
    return np.repeat(colours[:, None, None], SIZE, axis=1).repeat(SIZE, axis=2)


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(noise(3), id="random"),
        pytest.param(noise(3) // 128 * 255, id="random-saturated"),
        pytest.param(noise(3) // 16, id="random-dark"),
        pytest.param(constant(np.indices((2, 2, 2), np.uint8).reshape(3, 8).T * 255), id="constant-saturated"),
    ],
)
def test_the_nodes_compute_the_colours(images: Batch) -> None:
    np.testing.assert_allclose(run_colours(images), patch_colours(images, grid=GRID), atol=1e-5)


def test_the_nodes_compute_the_colours_of_patches_of_other_sizes() -> None:
    images = noise(2, size=24)
    np.testing.assert_allclose(run_colours(images, grid=3), patch_colours(images, grid=3), atol=1e-5)


def test_plain_patches_have_no_spread() -> None:
    images = constant(np.random.default_rng(6).integers(0, 256, (40, 3), np.uint8))
    found, expected = run_colours(images), patch_colours(images, grid=GRID)
    np.testing.assert_allclose(found[..., SPREAD], 0, atol=1e-5)
    np.testing.assert_allclose(expected[..., SPREAD], 0, atol=1e-5)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def head_for(backbone: Backbone, folder: Path) -> LoadedHead:
    dims = tuple(scale.dim for scale in backbone.spec.token_scales)
    spec = HeadSpec(token_dims=dims, width=32, num_heads=4, num_probes=2, mlp_dim=48, out_dim=16)
    manifest = HeadManifest(
        spec=spec,
        backbone=backbone.spec.name,
        backbone_weights=backbone.spec.weights_fingerprint,
        data_hash="0" * 64,
        split_sizes={"train": 1},
        seed=0,
        created_at="2026-01-01T00:00:00+00:00",
        made_by="test",
    )
    save_head(folder, random_arrays(spec), manifest)
    return load_head(folder)


def test_the_file_gives_what_backbone_and_head_give(tmp_path: Path) -> None:
    backbone = open_backbone(NAME, device="cpu", dtype="float32")
    head = head_for(backbone, tmp_path / "head")
    path = tmp_path / "encoder.onnx"
    metadata = export_head(tmp_path / "head", path)
    assert metadata.backbone == NAME
    images = noise(2, size=224)
    images[1, 60:] = 200, 30, 90
    expected = embed(head.spec, head.arrays, backbone.tokens(images))
    np.testing.assert_allclose(OnnxEncoder(path).encode_prepared(images), expected, atol=1e-4)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batch = session.run([OUTPUT], {INPUT: backbone.spec.preprocessing.normalise(images)})[0]
    np.testing.assert_allclose(batch, expected, atol=1e-4)


def test_other_arithmetic_is_refused_under_the_backbones_name(tmp_path: Path) -> None:
    backbone = open_backbone(NAME, device="cpu", dtype="bfloat16")
    with pytest.raises(BackboneError, match=rf"{NAME} in bfloat16 on cpu cannot be exported"):
        export_onnx(backbone, head_for(backbone, tmp_path / "head"), tmp_path / "encoder.onnx")
