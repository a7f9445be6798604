"""How fast does a GPU encode, in which arithmetic, and how far from the processor's float32 are its embeddings?

The default backbone with the head that ships, on pictures of the sample catalogue that are prepared already: alone, in
every arithmetic and several sizes of batch; as it was before the head ran on the GPU, too ("tokens fetched"); and
``index_catalogue`` on JPEG files of 640 pixels, reading, decoding, thumbnails and writing included.

    python benchmarks/gpu_encoding.py --images 2048
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from indexing_throughput import make_catalogue
from numpy.typing import NDArray
from record import load_average, summarize, write_result

from nearid_search.config import IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.head_numpy import embed
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.similarity import Embeddings

DTYPES = ("float32", "bfloat16", "float16")
BATCHES = (1, 8, 64, 256)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    load_before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        paths = make_catalogue(Path(folder) / "catalog", options.images)
        on_cpu = IdentityEncoder.open(device="cpu", dtype="float32")
        prepared = np.stack([on_cpu.prepare(on_cpu.read(path).pixels) for path in paths[:256]])
        exact = on_cpu.encode_prepared(prepared[:64])
        many = np.concatenate([prepared] * (options.images // len(prepared)))
        measured = {dtype: _measure(dtype, many, exact, options.repeats) for dtype in DTYPES}
        indexing = {str(size): _index(Path(folder), len(paths), size, options.repeats) for size in (8, 64)}
    write_result(
        "gpu_encoding",
        {
            "gpu": torch.cuda.get_device_name(0),
            "torch": str(torch.__version__),
            "images": len(many),
            "median_distance_between_pictures": _median_distance(exact),
            "encoding": measured,
            "indexing_images_per_second_by_batch": indexing,
        },
        load_before=load_before,
    )


def _measure(dtype: str, images: NDArray[np.uint8], exact: Embeddings, repeats: int) -> dict[str, Any]:
    encoder = IdentityEncoder.open(device="cuda", dtype=dtype)
    assert encoder.head is not None
    found = encoder.encode_prepared(images[: len(exact)])
    torch.cuda.reset_peak_memory_stats()
    rates = {str(size): _rate(encoder, images, size, repeats) for size in BATCHES}
    started = time.perf_counter()
    embed(encoder.head.spec, encoder.head.arrays, encoder.backbone.tokens(images[:64]))
    fetched = 64 / (time.perf_counter() - started)
    return {
        "images_per_second_by_batch": rates,
        "images_per_second_tokens_fetched": round(fetched, 1),
        "max_cosine_distance_to_float32_on_the_processor": float(f"{(1 - (found * exact).sum(axis=1)).max():.2e}"),
        "peak_gpu_mib": torch.cuda.max_memory_allocated() >> 20,
    }


def _rate(encoder: IdentityEncoder, images: NDArray[np.uint8], size: int, repeats: int) -> dict[str, Any]:
    chosen = images if size > 1 else images[:256]
    rates = []
    for repeat in range(repeats + 1):
        started = time.perf_counter()
        for start in range(0, len(chosen), size):
            encoder.encode_prepared(chosen[start : start + size])
        if repeat:  # the first one warms up
            rates.append(len(chosen) / (time.perf_counter() - started))
    return summarize(rates)


def _index(home: Path, files: int, size: int, repeats: int) -> dict[str, Any]:
    encoder = IdentityEncoder.open(device="cuda")
    rates = []
    for repeat in range(repeats):
        started = time.perf_counter()
        report = index_catalogue(
            home / "catalog",
            gallery=home / f"gallery-{size}-{repeat}",
            encoder=encoder,
            config=IndexConfig(batch_size=size),
        )
        rates.append(files / (time.perf_counter() - started))
        assert report.added == files, report
    return summarize(rates)


def _median_distance(rows: Embeddings) -> float:
    distances = (1 - rows.astype(np.float64) @ rows.T)[np.triu_indices(len(rows), 1)]
    return round(float(np.median(distances)), 4)


if __name__ == "__main__":
    main()
