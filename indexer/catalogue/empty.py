"""Make a gallery that holds nothing yet, for pictures that come in one by one."""

from __future__ import annotations

from pathlib import Path

from nearid_search.config import EncoderConfig
from nearid_search.encoder import open_encoder
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.rebuild import require_gallery_folder
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import locate_gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.manifest import read_manifest


def open_or_make_gallery(
    gallery: str | Path | None = None, *, encoder: ImageEncoder | None = None, config: EncoderConfig | None = None
) -> Gallery:
    """Open a gallery, or make an empty one if there is none.

    Args:
        gallery: its folder; by default ``NEARID_GALLERY``, the nearest ``.nearid``, or one here.
        encoder: what will make its embeddings, if there is none; opened if it is not given.
        config: which encoder to open.

    Raises:
        GalleryError: if the gallery is locked, damaged or unwritable, or the folder holds something else.
        BackboneError, ConfigError, DeviceUnavailableError, MissingExtraError, WeightsError: from opening the encoder.
    """
    folder = locate_gallery(gallery)
    if read_manifest(folder) is None:
        require_gallery_folder(folder)
        opened = encoder or open_encoder(config or EncoderConfig())
        with writer_lock(folder):
            if read_manifest(folder) is None:
                Gallery.create(folder, opened)
    return Gallery.open(folder)
