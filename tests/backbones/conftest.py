from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from nearid_search.backbones import dinov2_small
from nearid_search.backbones.base import Backbone
from nearid_search.device import count_cuda_devices
from nearid_search.errors import ShapeError

Batch = NDArray[np.uint8]


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Threads that wait for one another make these small networks ten times slower on a machine with other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", autouse=True)
def networks_opened_anew(networks_opened_once: None) -> Iterator[None]:  # noqa: ARG001
    """Opening is what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dinov2_small, "_open_network", dinov2_small._open_network.__wrapped__)  # type: ignore[attr-defined]
        yield


@pytest.fixture(scope="session")
def cuda() -> str:
    """The first CUDA device; without one the test is skipped."""
    if count_cuda_devices() == 0:
        pytest.skip("no CUDA device")
    return "cuda:0"


@pytest.fixture(scope="session")
def make_images() -> Callable[[int, int], Batch]:
    """Smooth coloured noise: (num, size, size, 3) uint8, another picture each, the same at every run."""

    def make(num: int, size: int) -> Batch:
        coarse = np.random.default_rng(7).integers(0, 256, (num, 9, 9, 3), dtype=np.uint8)
        resized = [np.asarray(Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC)) for one in coarse]
        return np.stack(resized)

    return make


@pytest.fixture(scope="session")
def check_contract(make_images: Callable[[int, int], Batch]) -> Callable[[Backbone], None]:
    """Check what every backbone must do: shapes, the empty batch, refused input, and independence of the batch."""

    def check(backbone: Backbone) -> None:
        images = make_images(3, backbone.spec.preprocessing.size)
        _check_shapes(backbone, images)
        _check_refusals(backbone, images)
        _check_batches(backbone, images)

    return check


def _check_shapes(backbone: Backbone, images: Batch) -> None:
    spec = backbone.spec
    for batch in (images, images[:0]):
        tokens, pooled = backbone.tokens(batch), backbone.pooled(batch)
        shapes = [(len(batch), scale.num_tokens, scale.dim) for scale in spec.token_scales]
        assert [scale.shape for scale in tokens] == shapes
        assert pooled.shape == (len(batch), spec.pooled_dim)
        assert {scale.dtype for scale in tokens} | {pooled.dtype} == {np.dtype(np.float32)}
        assert all(np.isfinite(scale).all() for scale in tokens)
        both, readout = backbone.features(batch)
        for scale, other in zip((*tokens, pooled), (*both, readout), strict=True):
            np.testing.assert_array_equal(scale, other)


def _check_refusals(backbone: Backbone, images: Batch) -> None:
    refusals: list[Any] = [images[0], images[:, 1:], images.astype(np.float32)]
    for refused in refusals:
        with pytest.raises(ShapeError, match="images must be"):
            backbone.tokens(refused)
        with pytest.raises(ShapeError, match="images must be"):
            backbone.pooled(refused)
        with pytest.raises(ShapeError, match="images must be"):
            backbone.features(refused)


def _check_batches(backbone: Backbone, images: Batch) -> None:
    """The same image gives the same bits alone, in company, and in another order."""
    tokens, pooled = backbone.tokens(images), backbone.pooled(images)
    assert not np.array_equal(pooled[0], pooled[1])
    for rows in ([0], [2, 1]):
        for whole, part in zip(tokens, backbone.tokens(images[rows]), strict=True):
            np.testing.assert_array_equal(part, whole[rows])
        np.testing.assert_array_equal(backbone.pooled(images[rows]), pooled[rows])
