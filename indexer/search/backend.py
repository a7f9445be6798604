"""The one interface of every search backend, and how a name becomes one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ConfigError
from nearid_search.indexer.search.index_recipe import RECIPES
from nearid_search.similarity import Embeddings, Rows

LANCE = "lance-ivf-rq"
GPU = "faiss-gpu"
BACKENDS = ("auto", "exact", "faiss-flat", *RECIPES, LANCE, GPU)


class VectorBackend(Protocol):
    """Finds the gallery rows most similar to a query.

    Scores are exact (``similarity.pair_scores``) and higher is better, whatever nominated the rows.
    """

    @property
    def num_rows(self) -> int:
        """Rows searched."""
        ...

    def search(self, queries: Embeddings, *, k: int, allowed: Rows | None = None) -> tuple[NDArray[np.float32], Rows]:
        """Return the best rows of each query.

        Args:
            queries: (Q, D) float32 unit rows; Q may be 0.
            k: rows a query gets, at least 1.
            allowed: (A,) sorted row numbers to search among; None means all.

        Returns:
            Scores (Q, K) float32 and rows (Q, K) int64, K = min(k, rows searched); best first, ties by row number.

        Raises:
            ShapeError: if ``queries`` has another width.
            ValueError: if ``k`` is below 1.
        """
        ...


def check_backend(name: str) -> str:
    """Return ``name`` if it is one of ``BACKENDS``.

    Raises:
        ConfigError: if it is not.
    """
    if name not in BACKENDS:
        raise ConfigError(f"unknown backend {name!r}: use one of {', '.join(BACKENDS)}")
    return name


def require_backend(name: str, *, device: str = "auto") -> None:
    """Make sure that ``make_backend`` can make a backend, before the work that it is wanted for.

    Args:
        name: of the backend.
        device: as for ``make_backend``.

    Raises:
        ConfigError, DeviceUnavailableError, MissingExtraError: as from ``make_backend``.
    """
    if check_backend(name) == LANCE:
        raise ConfigError(f"{LANCE} searches a stored gallery: make one with nearid-search index --backend {LANCE}")
    if name == GPU:
        from nearid_search.indexer.search.faiss_gpu import find_gpus

        find_gpus(device)
    elif name not in ("auto", "exact"):
        from nearid_search.indexer.search.faiss_install import import_faiss

        import_faiss(f"the {name} backend")


def make_backend(name: str, gallery: Embeddings, *, device: str = "auto") -> VectorBackend:
    """Build a backend over embeddings in memory.

    Args:
        name: "exact", "faiss-flat", the name of an approximate index, which is then built, or "auto", which is exact:
            what an index would save here, building it costs a hundred times over.
        gallery: (G, D) float32 unit rows; G may be 0.
        device: where "faiss-gpu" searches: "cuda" or "auto" for every GPU, or "cuda:N".

    Raises:
        ConfigError: if the name is unknown or needs a stored gallery, or two builds of FAISS are installed.
        DeviceUnavailableError: if it needs a GPU and FAISS finds none.
        MissingExtraError: if FAISS is needed and not installed.
    """
    require_backend(name, device=device)
    if name in ("auto", "exact"):
        from nearid_search.indexer.search.exact import ExactBackend

        return ExactBackend(gallery)
    if name == "faiss-flat":
        from nearid_search.indexer.search.faiss_flat import FaissFlatBackend

        return FaissFlatBackend(gallery)
    if name == GPU:
        from nearid_search.indexer.search.faiss_gpu import open_gpu_backend

        return open_gpu_backend(gallery, device)
    from nearid_search.indexer.search.approximate import ApproximateBackend
    from nearid_search.indexer.search.faiss_ann import AnnIndex
    from nearid_search.similarity import check_embeddings

    return ApproximateBackend(gallery, AnnIndex.build(RECIPES[name], check_embeddings(gallery, name="gallery")))
