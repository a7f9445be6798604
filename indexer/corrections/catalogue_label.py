"""What a catalogue that a gallery describes calls the thing in a picture that is not indexed yet."""

from __future__ import annotations

from pathlib import Path

from nearid_search.indexer.catalogue.labels import FolderLabels, read_labels
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import catalogue_prefix, in_catalogue


def catalogue_label(gallery: Gallery, stored: str) -> str | None:
    """Return the identity that the next ``index`` would give a picture, before any correction.

    Args:
        gallery: the gallery, which remembers its catalogues and their tables.
        stored: the picture's stored path.

    Returns:
        The name; None if no catalogue holds the picture, or its catalogue does not name it.

    Raises:
        CatalogueError: if the catalogue's table cannot be read.
    """
    for catalogue, table in gallery.manifest.catalogues.items():
        if in_catalogue(stored, catalogue, folder=gallery.folder):
            labels = FolderLabels() if table is None else read_labels(Path(table))
            return labels.label(stored.removeprefix(catalogue_prefix(catalogue))).identity
    return None
