"""Real galleries filled with generated embeddings instead of encoded pictures."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.manifest import EncoderRecord, Manifest, write_manifest
from nearid_search.indexer.rows import ImageRow
from nearid_search.indexer.store import GalleryStore
from nearid_search.similarity import Embeddings

FINGERPRINT = "generated"


def key_of(name: object) -> str:
    """Return the content key of a made-up picture."""
    return hashlib.sha256(str(name).encode()).hexdigest()


def make_gallery(
    folder: Path,
    vectors: Embeddings,
    codes: NDArray[np.int64],
    *,
    fingerprint: str = FINGERPRINT,
    in_order: bool = False,
) -> Gallery:
    """Write a gallery of images named by number, with identities named by code; ``in_order``: rows as given."""
    dim = vectors.shape[1]
    record = EncoderRecord(fingerprint=fingerprint, backbone="generated", dtype="float32", dim=dim)
    folder.mkdir(parents=True, exist_ok=True)
    GalleryStore.create(folder / "tables", dim=dim)
    write_manifest(folder, Manifest(encoder=record, created_at="2026-01-02T03:04:05+00:00", made_by="0.1.0"))
    gallery = Gallery.open(folder)
    if len(vectors):
        add_images(gallery, vectors, codes, start=0, in_order=in_order)
    return gallery


def add_images(
    gallery: Gallery, vectors: Embeddings, codes: NDArray[np.int64], *, start: int, in_order: bool = False
) -> None:
    """Add images numbered from ``start``."""
    rows = [
        ImageRow(
            f"{n:064}" if in_order else key_of(n),
            f"{n}.png",
            f"thing {int(code)}",
            vector,
            1,
            1,
            b"",
            {},
            f"thing {int(code)}",
        )
        for n, (vector, code) in enumerate(zip(vectors, codes, strict=True), start)
    ]
    gallery.store.add_images(rows, encoder=gallery.manifest.encoder.fingerprint)
