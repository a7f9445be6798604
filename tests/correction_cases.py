"""Small galleries to correct: rows named by number, identities named by hand, no pictures needed."""

from pathlib import Path

import numpy as np
from made_galleries import FINGERPRINT, key_of
from numpy.typing import NDArray

from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.manifest import EncoderRecord, Manifest, write_manifest
from nearid_search.indexer.rows import FileRecord, ImageRow
from nearid_search.indexer.store import GalleryStore
from nearid_search.similarity import unit_rows

DIM = 8
Vectors = NDArray[np.float32]


def things(seed: int, count: int, *, noise: float = 0.1) -> Vectors:
    """Views of one thing: a direction and a little noise."""
    rng = np.random.default_rng(seed)
    return unit_rows(rng.normal(size=DIM) + noise * rng.normal(size=(count, DIM)))


def made_gallery(folder: Path, identities: dict[str, int], *, views: dict[str, Vectors] | None = None) -> Gallery:
    """Write a gallery of ``catalog/<identity>/<n>.png``; the name "" stands for pictures that no folder names."""
    record = EncoderRecord(fingerprint=FINGERPRINT, backbone="generated", dtype="float32", dim=DIM)
    folder.mkdir(parents=True, exist_ok=True)
    store = GalleryStore.create(folder / "tables", dim=DIM)
    manifest = Manifest(
        encoder=record, created_at="2026-01-02T03:04:05+00:00", made_by="0.1.0", catalogues={"catalog": None}
    )
    write_manifest(folder, manifest)
    rng = np.random.default_rng(0)
    rows, files = [], []
    for name, count in identities.items():
        for number in range(1, count + 1):
            path = f"catalog/{name}/{number}.png" if name else f"catalog/{number}.png"
            vector = unit_rows(rng.normal(size=(1, DIM)))[0] if views is None else views[name][number - 1]
            rows.append(ImageRow(key_of(path), path, name or path, vector, 1, 1, b"", {}, name or None))
            files.append(FileRecord(path, 1, 1, key_of(path), None))
    store.add_images(rows, encoder=FINGERPRINT)
    store.record_files(files, known=())
    return Gallery.open(folder)


def shown(gallery: Gallery) -> dict[str, str]:
    """Identity of every image that is in answers, by path."""
    table = Gallery.open(gallery.folder).store.image_table(["path", "identity"])
    return dict(zip(table.column("path").to_pylist(), table.column("identity").to_pylist(), strict=True))
