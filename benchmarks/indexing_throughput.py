"""What share of the encoder's own speed does indexing reach?

Varies the sample catalogue's pictures by crop and JPEG quality, then times in turn the encoder alone on batches that
are prepared already, and ``index_catalogue`` on the same files into an empty gallery: reading, decoding, thumbnails and
writing included. Both encode the same batches in one process. Shared machines change their speed from minute to minute,
so each run of the indexer is compared with the mean of the encoder's runs just before and just after it.

    python benchmarks/indexing_throughput.py --files 128 --repeats 25
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from record import load_average, summarize, write_result

from nearid_search.config import IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.indexer.catalogue.build import index_catalogue

CATALOG = Path(__file__).parent.parent / "examples" / "catalog"
SIDE = 640  # pixels


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2500)
    parser.add_argument("--repeats", type=int, default=25)
    options = parser.parse_args()
    load_before = load_average()
    encoder = IdentityEncoder.open()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        paths = make_catalogue(home / "catalog", options.files)
        prepared = np.stack([encoder.prepare(encoder.read(path).pixels) for path in paths])
        _encode(encoder, prepared[:64])
        alone, indexing = [_encode(encoder, prepared)], []
        for repeat in range(options.repeats):
            started = time.perf_counter()
            report = index_catalogue(home / "catalog", gallery=home / f"gallery-{repeat}", encoder=encoder)
            indexing.append(time.perf_counter() - started)
            assert report.added == len(paths), report
            alone.append(_encode(encoder, prepared))
    measured = {
        "files": len(paths),
        "side_pixels": SIDE,
        "encoder_images_per_second": summarize([len(paths) / seconds for seconds in alone]),
        "indexing_images_per_second": summarize([len(paths) / seconds for seconds in indexing]),
        "ratio": summarize(
            [(before + after) / 2 / whole for before, whole, after in zip(alone[:-1], indexing, alone[1:], strict=True)]
        ),
    }
    write_result("indexing_throughput", measured, load_before=load_before)


def make_catalogue(catalogue: Path, num_files: int) -> list[Path]:
    """Write JPEG files of ``SIDE`` pixels, varied from the sample catalogue's pictures, and return their paths."""
    rng = np.random.default_rng(0)
    sources = sorted(path for path in CATALOG.rglob("*") if path.suffix in (".jpg", ".png", ".webp"))
    paths = []
    for number in range(num_files):
        source = sources[number % len(sources)]
        path = catalogue / source.parent.name / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(source) as image:
            left, top = rng.uniform(0, 0.1, 2) * image.size
            right, bottom = (1 - rng.uniform(0, 0.1, 2)) * image.size
            varied = image.convert("RGB").resize((SIDE, SIDE), box=(left, top, right, bottom))
        varied.save(path, "JPEG", quality=int(rng.integers(75, 96)))
        paths.append(path)
    return sorted(paths)


def _encode(encoder: IdentityEncoder, prepared: NDArray[np.uint8]) -> float:
    size = IndexConfig().batch_size
    started = time.perf_counter()
    for start in range(0, len(prepared), size):
        encoder.encode_prepared(prepared[start : start + size])
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
