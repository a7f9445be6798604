"""Open what searches a gallery, as it was indexed or as it is asked for."""

from __future__ import annotations

from nearid_search.config import AUTO
from nearid_search.errors import DeviceUnavailableError, MissingExtraError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.backend import GPU, VectorBackend
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.indexer.search.stored_index import OnWarning, open_backend


def open_gallery_backend(
    gallery: Gallery, rows: GalleryRows, backend: str = AUTO, *, on_warning: OnWarning, device: str = AUTO
) -> VectorBackend:
    """Open what searches a gallery.

    Args:
        gallery: the gallery.
        rows: its rows now.
        backend: one of ``indexer.search.backend.BACKENDS``; "auto" is what the gallery was indexed for.
        on_warning: told in one line of a search index that cannot be used or covers little, and of a missing GPU.
        device: where "faiss-gpu" searches; a gallery that was indexed for it is scanned without a GPU only if this is
            "auto".

    Raises:
        ConfigError: if the name is unknown.
        DeviceUnavailableError: if a GPU is asked for and FAISS finds none.
        MissingExtraError: if a backend asked for by name is not installed.
    """
    if backend == AUTO and gallery.manifest.search.backend == GPU:
        try:
            return open_backend(GPU, gallery.index_dir, rows, on_warning=on_warning, device=device)
        except (DeviceUnavailableError, MissingExtraError) as error:
            if device != AUTO:
                raise
            on_warning(f"{error}; every vector is scanned instead")
    return open_backend(backend, gallery.index_dir, rows, on_warning=on_warning, device=device)
