"""A gallery of painted-over pictures that also keeps the embeddings of the whole ones, asked about these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nearid_search.config import AnnConfig
from nearid_search.errors import ConfigError, GalleryMismatchError
from nearid_search.foreground import AUTO, MASK, MODES, NETWORKS, NONE
from nearid_search.indexer.care.whole_tables import reading_tables
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.schema import WHOLE_EMBEDDING
from nearid_search.indexer.sql import any_of
from nearid_search.indexer.store import GalleryStore


def whole_embedding(gallery: Gallery, key: str) -> NDArray[np.float32] | None:
    """Return the embedding of a whole picture.

    Args:
        gallery: the gallery.
        key: of an image that is in it.

    Returns:
        (D,) float32 unit vector; None if the gallery keeps none.
    """
    if not gallery.manifest.encoder.keeps_whole:
        return None
    with reading_tables(gallery.store.folder):
        found = gallery.store.images.search().where(any_of("key", [key])).select([WHOLE_EMBEDDING]).to_arrow()
    return np.asarray(found.column(WHOLE_EMBEDDING)[0].as_py(), np.float32)


def seen_as(gallery: Gallery, foreground: str | None) -> Gallery:
    """Return a gallery as it is asked about pictures of one kind; to be read, not to be written.

    Args:
        gallery: the gallery, perhaps as it was at some time.
        foreground: one of ``foreground.MODES``; None for the gallery's own.

    Returns:
        The gallery itself, or the same images with the embeddings of the whole pictures. These have an encoder of
        their own and no search index: every vector is scanned.

    Raises:
        ConfigError: if there is no such mode.
        GalleryMismatchError: if the gallery keeps none of this kind, with the command that makes one that does.
    """
    record = gallery.manifest.encoder
    if foreground not in (None, *MODES):
        raise ConfigError(f"unknown foreground {foreground!r}: use one of {', '.join(MODES)}")
    if foreground in (None, record.foreground) or (foreground == AUTO and record.foreground in NETWORKS):
        return gallery
    if foreground == NONE and record.keeps_whole:
        version = gallery.store.version if gallery.is_past else None
        store = GalleryStore(gallery.folder / gallery.manifest.tables, version=version, column=WHOLE_EMBEDDING)
        manifest = replace(gallery.manifest, encoder=record.whole, search=AnnConfig())
        return Gallery(gallery.folder, manifest, store, as_of=gallery.past_moment)
    kept = "whole pictures" if record.foreground == NONE else f"pictures painted over by {record.foreground}"
    painted = record.foreground if foreground == NONE else foreground
    raise GalleryMismatchError(
        f"{gallery.folder} holds {kept} and none with --foreground {foreground}: ask without it, or make a gallery "
        f"that keeps both: nearid-search index {next(iter(gallery.manifest.catalogues), './catalog')} --foreground "
        f"{painted}{' --masks FOLDER' if painted == MASK else ''} --keep-whole --rebuild"
    )
