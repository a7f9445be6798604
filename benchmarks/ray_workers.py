"""What do one and two Ray workers make of a catalogue beside a single process?

Indexes the same generated pictures into new galleries: in this process, and on a local Ray with one worker and with
two. Reports seconds of the whole command, pictures a second of the encoding phase (with Ray that includes starting Ray
and the workers, each of which loads the encoder), whether the rows are the same, and by how much a number of an
embedding differs: with another number of threads a matrix product sums in another order.

    python benchmarks/ray_workers.py --pictures 400
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from record import load_average, write_result

from nearid_search.config import ClusterConfig, EncoderConfig, IndexConfig
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.similarity import Embeddings

_SIDE = 640


def draw(folder: Path, count: int) -> None:
    """Write pictures of smooth noise, four of an identity."""
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        path = folder / f"{number // 4:05}/{number % 4}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC).save(path, quality=90)


def run(catalogue: Path, gallery: Path, cluster: ClusterConfig | None) -> dict[str, Any]:
    """Index into a new gallery."""
    begun = time.perf_counter()
    report = index_catalogue(
        catalogue,
        gallery=gallery,
        encoder_config=EncoderConfig(device="cpu"),
        config=IndexConfig(decoders=1),
        cluster=cluster,
    )
    return {
        "seconds": round(time.perf_counter() - begun, 2),
        "pictures_per_second": round(report.images_per_second, 2),
        "added": report.added,
    }


def contents(gallery: Path) -> tuple[Any, Embeddings]:
    """Return what a run decides, by key: an Arrow table without embeddings, and these."""
    opened = Gallery.open(gallery)
    return opened.store.image_table(["key", "path", "identity", "thumbnail"]), opened.rows().vectors


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=400)
    options = parser.parse_args()
    load_before = load_average()
    clusters = {
        "single_process": None,
        "ray_1_worker": ClusterConfig(workers=1, device="cpu"),
        "ray_2_workers": ClusterConfig(workers=2, device="cpu"),
    }
    measured: dict[str, Any] = {"pictures": options.pictures, "side": _SIDE, "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        draw(root / "catalogue", options.pictures)
        for name, cluster in clusters.items():
            measured[name] = run(root / "catalogue", root / name, cluster)
        rows, embeddings = contents(root / "single_process")
        others = [contents(root / name) for name in clusters]
        measured["same_rows"] = all(other == rows for other, _ in others)
        measured["largest_difference"] = max(float(np.abs(other - embeddings).max()) for _, other in others)
    write_result("ray_workers", measured, load_before=load_before)


if __name__ == "__main__":
    main()
