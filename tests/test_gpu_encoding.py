"""Backbone and head in one go give what the backbone's tokens and the NumPy head give."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")

import torch

from nearid_search.backbones.dinov2_small import find_weights, make_spec
from nearid_search.backbones.dinov2_small_torch import open_torch_dinov2_small
from nearid_search.backbones.dinov2_small_variant import Dinov2Variant
from nearid_search.backbones.patch_colour import WithPatchColours, patch_colours
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ShapeError
from nearid_search.gpu_encoding import GpuEncoding, patch_colours_in_torch
from nearid_search.head_file import load_head
from nearid_search.head_numpy import embed
from nearid_search.shipped_heads import find_head

VARIANT = Dinov2Variant(layers=(2, 4, 6, 8), colour=True)
FOLDER = find_head("auto", VARIANT.name)
assert FOLDER is not None
HEAD = load_head(FOLDER)
PICTURES = sorted((Path(__file__).parent.parent / "examples" / "catalog").rglob("*.jpg"))[:12]
IMAGES = np.random.default_rng(3).integers(0, 256, (3, 224, 224, 3), np.uint8)
IMAGES[1] = IMAGES[1] // 8 + 100


@pytest.fixture(scope="module")
def backbone() -> WithPatchColours:
    weights = find_weights()
    assert weights is not None
    network = open_torch_dinov2_small(weights, "cpu", "float32", Dinov2Variant(layers=(2, 4, 6, 8)))
    return WithPatchColours(network, make_spec("float32", VARIANT), grid=VARIANT.grid)


def test_colours_are_those_of_numpy() -> None:
    found = patch_colours_in_torch(torch.from_numpy(IMAGES), grid=16).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, patch_colours(IMAGES, grid=16), atol=2e-6)


def test_embeddings_are_those_of_the_numpy_head(backbone: WithPatchColours) -> None:
    found = GpuEncoding(backbone, HEAD).encode(IMAGES)
    np.testing.assert_allclose(found, embed(HEAD.spec, HEAD.arrays, backbone.tokens(IMAGES)), atol=2e-5)
    assert GpuEncoding(backbone, HEAD).encode(IMAGES[:0]).shape == (0, HEAD.spec.out_dim)


@pytest.mark.parametrize("images", [IMAGES.astype(np.float32), IMAGES[0], IMAGES[:, :64]])
def test_other_shapes_are_refused(backbone: WithPatchColours, images: NDArray[np.uint8]) -> None:
    with pytest.raises(ShapeError, match=r"images must be \(B, 224, 224, 3\) uint8"):
        GpuEncoding(backbone, HEAD).encode(images)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("dtype", "furthest"), [("float32", 1e-5), ("bfloat16", 1e-2), ("float16", 1e-3)])
@pytest.mark.parametrize("name", [VARIANT.name, "efficientnet-lite0"])
def test_a_gpu_gives_what_the_cpu_gives(name: str, dtype: str, furthest: float) -> None:
    on_gpu = IdentityEncoder.open(name, device="cuda", dtype=dtype)
    on_cpu = IdentityEncoder.open(name, device="cpu", dtype="float32")
    expected = on_cpu.encode(PICTURES)
    found = on_gpu.encode(PICTURES)
    assert (1 - (found * expected).sum(axis=1)).max() < furthest
    alone = on_gpu.encode(PICTURES, batch_size=1)
    assert (1 - (found * alone).sum(axis=1)).max() < furthest
