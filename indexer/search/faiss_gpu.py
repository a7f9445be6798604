"""Search on GPUs: a copy of the vectors there nominates, and the scores come from the stored ones like everywhere.

The vectors are scanned in half precision for as long as they fit, which loses nothing and needs no training; past that
in clusters of eight-bit codes. Several GPUs share the rows. The copy is made when a gallery is opened and
never stored.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.amounts import format_memory
from nearid_search.device import cuda_memory
from nearid_search.errors import ConfigError, DeviceUnavailableError
from nearid_search.indexer.search.approximate import ApproximateBackend
from nearid_search.indexer.search.backend import GPU
from nearid_search.indexer.search.faiss_ann import FaissIndex, training_sample
from nearid_search.indexer.search.faiss_install import import_faiss
from nearid_search.indexer.search.index_recipe import SearchSettings, num_clusters
from nearid_search.similarity import Embeddings, Rows, check_embeddings

_TEMPORARY = 256 << 20  # bytes a GPU may use for a search, on top of the vectors
_SPARE = 1 << 30  # bytes of a GPU left to others: the encoder, the CUDA context
_MOST = 2_048  # rows that FAISS's GPU kernels return for a query
_QUERIES_AT_ONCE = 1_024
_NPROBE = 64


class GpuLayout(NamedTuple):
    """How vectors lie on GPUs: FAISS's name of the index, bytes a row, and whether it has clusters."""

    factory: str
    row_bytes: int
    clustered: bool


class GpuIndex(FaissIndex):
    """An index of FAISS that several threads may ask, one at a time: FAISS's GPU memory serves one search.

    Args:
        index: FAISS's object.
        resources: what it needs for as long as it lives.
    """

    def __init__(self, index: Any, resources: Sequence[Any] = ()) -> None:  # noqa: ANN401  (FAISS has no types)
        super().__init__(index)
        self._resources = resources
        self._lock = threading.Lock()

    def nominate(
        self,
        queries: Embeddings,
        *,
        fetch: int,
        settings: SearchSettings,  # noqa: ARG002  (how far it looks is part of the copy)
        mask: NDArray[np.bool_] | None = None,
    ) -> Rows:
        """Name positions that may be among the nearest; see ``AnnIndex.nominate``.

        GPU kernels know no filter, so as many more are fetched as it takes away; a query that is left with too few of
        them gets -1, and the rows are then scanned.
        """
        share = 1.0 if mask is None else mask.mean() / 2
        asked = min(_MOST, self.num_positions, int(np.ceil(fetch / max(share, 1 / _MOST))))
        positions = np.full((len(queries), fetch), -1, np.int64)
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            block = np.ascontiguousarray(queries[start : start + _QUERIES_AT_ONCE])
            with self._lock:
                _, found = self._index.search(block, asked)
            if mask is not None:
                found = _kept_first(found, mask)
            positions[start : start + len(block), : found.shape[1]] = found[:, :fetch]
        return positions


def open_gpu_backend(gallery: Embeddings, device: str = "cuda", *, memory: int | None = None) -> ApproximateBackend:
    """Copy vectors to GPUs and search them there.

    Args:
        gallery: (G, D) float32 unit rows.
        device: "cuda" for all GPUs, or "cuda:N"; "auto" is the former.
        memory: bytes of all GPUs together that the copy may take; by default all but a GiB of each.

    Raises:
        ConfigError: if the device is no GPU's name, or the vectors do not fit in any form.
        DeviceUnavailableError: if FAISS finds no such GPU.
        MissingExtraError: if FAISS is not installed.
    """
    checked = check_embeddings(gallery, name="gallery")
    gpus = find_gpus(device)
    faiss = import_faiss(f"the {GPU} backend")
    if memory is None:
        memory = sum(max(0, cuda_memory(gpu) - _SPARE) for gpu in gpus)
    layout = choose_layout(*checked.shape, memory=memory)
    resources = []
    for _ in gpus:
        held = faiss.StandardGpuResources()
        held.setTempMemory(_TEMPORARY)
        resources.append(held)
    options = faiss.GpuMultipleClonerOptions()
    options.shard = True
    options.useFloat16 = True
    copy = faiss.index_cpu_to_gpu_multiple_py(resources, fill_index(layout, checked), options, list(gpus))
    if layout.clustered:
        faiss.GpuParameterSpace().set_index_parameter(copy, "nprobe", _NPROBE)
    return ApproximateBackend(checked, GpuIndex(copy, resources))


def find_gpus(device: str) -> tuple[int, ...]:
    """Return the GPUs that a device setting names, as FAISS numbers them.

    Args:
        device: "auto" or "cuda" for all, "cuda:N" for one.

    Raises:
        ConfigError: if it names no GPU.
        DeviceUnavailableError: if FAISS has no such GPU.
        MissingExtraError: if FAISS is not installed.
    """
    asked = re.fullmatch(r"auto|cuda(?::(\d+))?", device)
    if asked is None:
        raise ConfigError(f"the {GPU} backend needs a GPU, not the device {device!r}: use --device cuda or cuda:N")
    faiss = import_faiss(f"the {GPU} backend")
    if not hasattr(faiss, "StandardGpuResources"):
        raise DeviceUnavailableError(
            f"the {GPU} backend needs faiss-gpu, and faiss-cpu is installed: "
            "pip uninstall faiss-cpu, then pip install 'nearid-search[gpu]'; or use another --backend"
        )
    present = int(faiss.get_num_gpus())
    wanted = range(present) if asked[1] is None else range(int(asked[1]), int(asked[1]) + 1)
    if not wanted or wanted[-1] >= present:
        raise DeviceUnavailableError(
            f"the {GPU} backend was asked for device {device!r}, and FAISS finds {present} GPU(s): "
            "use another --backend"
        )
    return tuple(wanted)


def choose_layout(rows: int, dim: int, *, memory: int) -> GpuLayout:
    """Choose how vectors lie on GPUs: in half precision where they fit, else as clusters of eight-bit codes.

    Args:
        rows: vectors.
        dim: their width.
        memory: bytes of all GPUs together that may be used.

    Raises:
        ConfigError: if they fit in neither form.

    Example:
        >>> choose_layout(1_000_000, 256, memory=8 << 30).factory
        'Flat'
        >>> choose_layout(20_000_000, 256, memory=8 << 30).factory
        'IVF16384,SQ8'
    """
    flat, codes = 2 * dim, dim + 8
    if rows * flat <= memory:
        return GpuLayout("Flat", flat, clustered=False)
    if rows * codes <= memory:
        return GpuLayout(f"IVF{num_clusters(rows)},SQ8", codes, clustered=True)
    raise ConfigError(
        f"{rows:,} vectors of {dim} are {format_memory(rows * codes)} in eight bits, the GPUs have "
        f"{format_memory(memory)}: use another --backend"
    )


def fill_index(layout: GpuLayout, vectors: Embeddings) -> Any:  # noqa: ANN401
    """Return the index on the CPU that is to be copied."""
    faiss = import_faiss(f"the {GPU} backend")
    index = faiss.index_factory(vectors.shape[1], layout.factory, faiss.METRIC_INNER_PRODUCT)
    if layout.clustered:
        index.train(training_sample(vectors, num_clusters(len(vectors))))
    index.add(vectors)
    return index


def _kept_first(found: Rows, mask: NDArray[np.bool_]) -> Rows:
    """Move what a mask keeps to the front of each row, in order, and put -1 in the place of the rest."""
    kept = (found >= 0) & mask[found]
    order = np.argsort(~kept, axis=1, kind="stable")
    ordered: Rows = np.where(np.take_along_axis(kept, order, 1), np.take_along_axis(found, order, 1), -1)
    return ordered
