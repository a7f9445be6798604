"""FAISS's approximate indexes, reduced to what is asked of them: name rows that may be among the nearest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.search.faiss_install import import_faiss
from nearid_search.indexer.search.index_recipe import Recipe, SearchSettings, num_clusters
from nearid_search.similarity import Embeddings, Rows

_ROWS_AT_ONCE = 16_384
_TRAINING_ROWS = 65_536
_TRAINING_ROWS_PER_CLUSTER = 64  # FAISS would take 256; more than 64 change which rows share a cluster hardly at all
_SEED = 1234

OnStep = Callable[[str, int, int], None]
"""Told what is being done, how much of it is and how much there is."""


def _silent(_step: str, _done: int, _total: int) -> None:
    pass


class FaissIndex:
    """What FAISS's indexes say of themselves.

    Args:
        index: FAISS's object.
    """

    def __init__(self, index: Any) -> None:  # noqa: ANN401  (FAISS has no types)
        self._index = index

    @property
    def num_positions(self) -> int:
        """Vectors in the index."""
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self._index.d)


class AnnIndex(FaissIndex):
    """One approximate index; a position is the number of a vector in the order they were added.

    Args:
        recipe: what kind it is.
        index: FAISS's object.
        trained_rows: rows there were when it was trained.
    """

    def __init__(self, recipe: Recipe, index: Any, trained_rows: int) -> None:  # noqa: ANN401
        super().__init__(index)
        self.recipe = recipe
        self.trained_rows = trained_rows
        self._faiss = import_faiss(f"the {recipe.name} index")

    @classmethod
    def build(cls, recipe: Recipe, vectors: Embeddings, *, on_step: OnStep = _silent) -> AnnIndex:
        """Train an index and add every vector.

        Args:
            recipe: what kind.
            vectors: (N, D) float32 unit rows; N may be 0.
            on_step: told of every step.

        Raises:
            ConfigError: if two builds of FAISS are installed.
            MissingExtraError: if none is.
        """
        faiss = import_faiss(f"the {recipe.name} index")
        rows, dim = vectors.shape
        index = faiss.index_factory(dim, recipe.factory(rows), faiss.METRIC_INNER_PRODUCT)
        built = cls(recipe, index, rows)
        if rows:
            on_step("training", 0, 1)
            index.train(training_sample(vectors, num_clusters(rows) if recipe.clustered else 1))
            built.add(vectors, on_step=on_step)
        return built

    @classmethod
    def read(cls, path: Path, recipe: Recipe, trained_rows: int, *, mapped: bool) -> AnnIndex:
        """Open an index that ``write`` wrote and that has been checked since.

        Args:
            path: the file.
            recipe: what kind it is.
            trained_rows: rows there were when it was trained.
            mapped: map the file instead of reading it; nothing can then be added.

        Raises:
            RuntimeError: if FAISS cannot read it.
        """
        faiss = import_faiss(f"the {recipe.name} index")
        return cls(recipe, faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mapped else 0), trained_rows)

    def write(self, path: Path) -> None:
        """Write a file, neither durably nor atomically.

        Raises:
            RuntimeError: if it cannot be written.
        """
        self._faiss.write_index(self._index, str(path))

    def add(self, vectors: Embeddings, *, on_step: OnStep = _silent) -> None:
        """Add vectors at the following positions; only to an index that was built or read, not mapped.

        Args:
            vectors: (N, D) float32 unit rows.
            on_step: told of every 16,384 vectors.
        """
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            on_step("adding", start, len(vectors))
            self._index.add(np.ascontiguousarray(vectors[start : start + _ROWS_AT_ONCE]))
        on_step("adding", len(vectors), len(vectors))

    def nominate(
        self, queries: Embeddings, *, fetch: int, settings: SearchSettings, mask: NDArray[np.bool_] | None = None
    ) -> Rows:
        """Name positions that may be among the nearest.

        Args:
            queries: (Q, D) float32 unit rows.
            fetch: positions a query gets, at least 1.
            settings: how far to look.
            mask: (N,) which positions may be named; None for all.

        Returns:
            (Q, fetch) int64 in no order to rely on; -1 where too few were found.
        """
        selector = None
        if mask is not None:
            bits = np.packbits(mask, bitorder="little")
            selector = self._faiss.IDSelectorBitmap(bits)
        # faiss.contrib.torch_utils, which other libraries import, replaces `search` by one that takes no parameters and
        # keeps the original under this name.
        search = getattr(self._index, "search_numpy", self._index.search)
        _, positions = search(queries, fetch, params=self._parameters(settings, fetch, selector))
        return np.asarray(positions, np.int64)

    def _parameters(self, settings: SearchSettings, fetch: int, selector: Any) -> Any:  # noqa: ANN401
        faiss = self._faiss
        chosen = {} if selector is None else {"sel": selector}
        if self.recipe.name == "sq8":
            return faiss.SearchParameters(**chosen)
        if self.recipe.name == "hnsw-sq8":
            return faiss.SearchParametersHNSW(efSearch=max(settings.ef_search, fetch), **chosen)
        if self.recipe.name == "ivf-sq8":
            return faiss.SearchParametersIVF(nprobe=settings.nprobe, **chosen)
        coarse = faiss.IVFRaBitQSearchParameters(nprobe=settings.nprobe, **chosen)
        return faiss.IndexRefineSearchParameters(k_factor=settings.k_factor, base_index_params=coarse)


def training_sample(vectors: Embeddings, clusters: int) -> Embeddings:
    """Return the rows, always the same ones, that are enough to train so many clusters."""
    wanted = max(_TRAINING_ROWS, _TRAINING_ROWS_PER_CLUSTER * clusters)
    if len(vectors) <= wanted:
        return vectors
    rows = np.random.default_rng(_SEED).choice(len(vectors), wanted, replace=False)
    return np.ascontiguousarray(vectors[np.sort(rows)])
