"""How fast is indexing a catalogue in which nothing has changed?

Makes tiny PNG files that differ in a few bytes. The first filling would take the network an hour, so the gallery's
tables are filled directly: true sizes, times and content keys, and random unit embeddings, which this run never looks
at. Then times ``index_catalogue``: it must stat every file, compare it with the ledger and open none.

    python benchmarks/reindex_unchanged.py --files 100000 --repeats 5
"""

from __future__ import annotations

import argparse
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from record import load_average, summarize, write_result

from nearid_search.encoder import IdentityEncoder
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.rows import FileRecord, ImageRow
from nearid_search.indexer.store import GalleryStore
from nearid_search.similarity import Embeddings, unit_rows

SIDE = 4  # pixels
PER_IDENTITY = 10
WRITE_ROWS = 5000


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _make_catalogue(home / "catalog", options.files)
        _fill_gallery(home, home / "gallery")
        load_before = load_average()
        seconds = []
        for _ in range(options.repeats):
            report = index_catalogue(home / "catalog", gallery=home / "gallery")
            assert report.unchanged == report.images == options.files, report
            assert not report.added, report
            assert not report.failures, report
            seconds.append(report.seconds)
    measured = {
        "files": options.files,
        "seconds": summarize(seconds),
        "files_per_second": summarize([options.files / each for each in seconds]),
    }
    write_result("reindex_unchanged", measured, load_before=load_before)


def _make_catalogue(catalogue: Path, num_files: int) -> None:
    for number in range(num_files):
        path = catalogue / f"thing-{number // PER_IDENTITY:05}" / f"{number % PER_IDENTITY}.png"
        if number % PER_IDENTITY == 0:
            path.parent.mkdir(parents=True)
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        pixels[0, 0] = number & 255, number >> 8 & 255, number >> 16
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        path.write_bytes(buffer.getvalue())


def _fill_gallery(home: Path, folder: Path) -> None:
    encoder = IdentityEncoder.open()
    folder.mkdir()
    gallery = Gallery.create(folder, encoder)
    rng = np.random.default_rng(0)
    for paths in _chunks(sorted((home / "catalog").rglob("*.png"))):
        embeddings = unit_rows(rng.standard_normal((len(paths), encoder.dim), dtype=np.float32))
        _add(gallery.store, home, paths, embeddings, encoder.fingerprint)
    gallery.store.compact()


def _add(
    store: GalleryStore,
    home: Path,
    paths: list[Path],
    embeddings: Embeddings,
    fingerprint: str,
) -> None:
    images, files = [], []
    for path, embedding in zip(paths, embeddings, strict=True):
        status, key, stored = path.stat(), content_key(path.read_bytes()), path.relative_to(home).as_posix()
        identity = path.parent.name
        images.append(ImageRow(key, stored, identity, embedding, SIDE, SIDE, path.read_bytes(), {}, identity))
        files.append(FileRecord(stored, status.st_size, status.st_mtime_ns, key, None))
    store.add_images(images, encoder=fingerprint)
    store.record_files(files, known=())


def _chunks(paths: list[Path]) -> list[list[Path]]:
    return [paths[start : start + WRITE_ROWS] for start in range(0, len(paths), WRITE_ROWS)]


if __name__ == "__main__":
    main()
