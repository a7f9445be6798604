"""Make something of the gallery that is in force, although rebuilds may delete what it is being read from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nearid_search.errors import GalleryError, WeightsError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.gallery_stamp import gallery_stamp
from nearid_search.indexer.location import locate_gallery
from nearid_search.indexer.manifest import is_replaced

T = TypeVar("T")


def open_in_force(gallery: str | Path | None, make: Callable[[Gallery, tuple[object, ...]], T]) -> T:
    """Open a gallery and make something of it; again, if another has taken its place by then.

    Args:
        gallery: its folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        make: given the gallery, and its stamp from before anything of it was read.

    Raises:
        GalleryError: if the gallery is missing, damaged or of another format.
        Whatever ``make`` raises of a gallery that is still in force.
    """
    folder = locate_gallery(gallery)
    while True:
        stamp = gallery_stamp(folder)
        opened = Gallery.open(folder)
        try:
            made = make(opened, stamp)
        except (GalleryError, WeightsError, OSError, RuntimeError, ValueError):
            # What LanceDB raises when a rebuild deletes the tables it reads has many types; the head goes, too.
            if not is_replaced(folder, opened.manifest):
                raise
        else:
            if not is_replaced(folder, opened.manifest):
                return made
