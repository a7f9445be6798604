"""Search on GPUs: everything around FAISS's kernels here, the kernels themselves where there is a GPU."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from made_galleries import make_gallery
from stored_indexes import CODES, COUNT, NEVER_SCAN, VECTORS

from nearid_search.config import AnnConfig
from nearid_search.device import count_cuda_devices, cuda_memory
from nearid_search.engine import SearchEngine
from nearid_search.errors import ConfigError, DeviceUnavailableError, MissingExtraError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.approximate import ApproximateBackend
from nearid_search.indexer.search.backend import make_backend
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.indexer.search.faiss_gpu import GpuIndex, GpuLayout, choose_layout, fill_index, find_gpus
from nearid_search.indexer.search.index_recipe import SearchSettings
from nearid_search.indexer.search.index_refresh import refresh_search
from nearid_search.similarity import Rows

faiss = pytest.importorskip("faiss")
HAS_GPU = hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
without_gpu = pytest.mark.skipif(HAS_GPU, reason="there is a GPU")
FLAT = GpuLayout("Flat", 64, clustered=False)


def assert_exact(backend: ApproximateBackend, allowed: Rows | None = None) -> None:
    scores, rows = backend.search(VECTORS[:30], k=10, allowed=allowed)
    exact_scores, exact_rows = ExactBackend(VECTORS).search(VECTORS[:30], k=10, allowed=allowed)
    assert (rows.tolist(), scores.tolist()) == (exact_rows.tolist(), exact_scores.tolist())


@pytest.mark.parametrize("every", [None, 1, 2, 40])
def test_what_is_nominated_is_filtered_and_scored(every: int | None) -> None:
    """FAISS's index on the CPU stands for the copy; the filter takes away half the rows, or nearly all."""
    backend = ApproximateBackend(VECTORS, GpuIndex(fill_index(FLAT, VECTORS)), scan=NEVER_SCAN)
    assert_exact(backend, None if every is None else np.arange(0, len(VECTORS), every))


def test_a_row_that_a_filter_leaves_too_little_of_is_lost_and_said_so() -> None:
    index = GpuIndex(fill_index(FLAT, VECTORS))
    mask = np.zeros(len(VECTORS), bool)
    mask[[3, 500]] = True
    found = index.nominate(VECTORS[3:5], fetch=3, settings=SearchSettings(), mask=mask)
    assert [sorted(row) for row in found.tolist()] == [[-1, 3, 500]] * 2
    assert found[:, 2].tolist() == [-1, -1]


def test_more_than_a_kernel_returns_is_scanned() -> None:
    many = np.tile(VECTORS, (8, 1))
    backend = ApproximateBackend(many, GpuIndex(fill_index(FLAT, many)), scan=NEVER_SCAN)
    rows = backend.search(many[:2], k=1_500)[1]
    assert rows.tolist() == ExactBackend(many).search(many[:2], k=1_500)[1].tolist()


class CountingIndex:
    """FAISS's index, noticing searches at the same time."""

    def __init__(self) -> None:
        self._index = fill_index(FLAT, VECTORS)
        self.ntotal, self.d = self._index.ntotal, self._index.d
        self.inside = self.most = 0

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        scores, rows = self._index.search(queries, k)
        self.inside -= 1
        return scores, rows


def test_one_search_at_a_time() -> None:
    index = CountingIndex()
    backend = ApproximateBackend(VECTORS, GpuIndex(index), scan=NEVER_SCAN)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: assert_exact(backend), range(20)))
    assert index.most == 1


def test_vectors_lie_as_exactly_as_they_fit() -> None:
    assert choose_layout(1_000, 256, memory=512_000) == GpuLayout("Flat", 512, clustered=False)
    assert choose_layout(1_000, 256, memory=511_999) == GpuLayout("IVF25,SQ8", 264, clustered=True)
    with pytest.raises(ConfigError, match=r"1,000 vectors of 256 are .* the GPUs have .*: use another --backend"):
        choose_layout(1_000, 256, memory=263_999)


def test_a_device_that_is_no_gpu_is_refused() -> None:
    for text in ("cpu", "gpu", "cuda:", "cuda:-1"):
        with pytest.raises(ConfigError, match="needs a GPU, not the device"):
            find_gpus(text)


@without_gpu
def test_without_a_gpu_the_backend_is_refused() -> None:
    for device in ("auto", "cuda", "cuda:1"):
        with pytest.raises(DeviceUnavailableError, match="use another --backend"):
            make_backend("faiss-gpu", VECTORS, device=device)


@pytest.mark.skipif(count_cuda_devices() > 0, reason="there is a GPU")
def test_the_memory_of_no_gpu() -> None:
    with pytest.raises(DeviceUnavailableError, match="CUDA device 0 was asked for its memory, and 0 can be seen"):
        cuda_memory(0)


@without_gpu
def test_a_gallery_for_gpus_is_searched_without_one_only_if_the_device_is_auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = make_gallery(tmp_path / "gallery", VECTORS[:COUNT], CODES[:COUNT])
    done = refresh_search(gallery, AnnConfig(backend="faiss-gpu"))
    assert (done.backend, done.action) == ("faiss-gpu", "none")
    opened = Gallery.open(gallery.folder)
    warnings: list[str] = []
    engine = SearchEngine(opened, None, on_warning=warnings.append)
    assert isinstance(engine.backend, ExactBackend)
    assert warnings[0].endswith("; every vector is scanned instead")
    for device, backend in (("cuda", "auto"), ("auto", "faiss-gpu")):
        with pytest.raises(DeviceUnavailableError):
            SearchEngine(opened, None, backend=backend, device=device)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError):
        SearchEngine(opened, None, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no GPU that FAISS can use")
@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_gpu_answers_as_exact_search_does(device: str) -> None:
    backend = make_backend("faiss-gpu", VECTORS, device=device)
    assert isinstance(backend, ApproximateBackend)
    never = ApproximateBackend(VECTORS, backend.index, scan=NEVER_SCAN)
    assert_exact(never)
    assert_exact(never, np.arange(0, len(VECTORS), 3))
    assert cuda_memory(0) > 1 << 30
