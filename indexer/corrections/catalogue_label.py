"""What a catalogue that a gallery describes calls the thing in a picture that is not indexed yet."""

from __future__ import annotations

from pathlib import Path

from nearid_search.indexer.catalogue.labels import FolderLabels, read_labels
from nearid_search.indexer.gallery import Gallery


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
        prefix = catalogue_prefix(catalogue)
        if stored.startswith(prefix) and not (prefix == "" and stored.startswith("/")):
            labels = FolderLabels() if table is None else read_labels(Path(table))
            return labels.label(stored.removeprefix(prefix)).identity
    return None


def catalogue_prefix(stored_catalogue: str) -> str:
    """Return what the stored path of every file of a catalogue begins with.

    Args:
        stored_catalogue: the catalogue's own stored path.

    Example:
        >>> catalogue_prefix("catalog"), catalogue_prefix(".")
        ('catalog/', '')
    """
    return "" if stored_catalogue == "." else stored_catalogue.rstrip("/") + "/"
