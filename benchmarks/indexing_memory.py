"""Does the memory of an indexing run grow with the catalogue?

Indexes generated small pictures with ``nearid-search index``, each size in a fresh process, and reads that process's
peak resident memory.

    python benchmarks/indexing_memory.py --sizes 1000 10000 --repeats 1
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from record import load_average, summarize, write_result

from nearid_search.indexer.gallery import Gallery

SIDE = 64  # pixels
PER_IDENTITY = 10


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000], help="images in each catalogue")
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    load_before = load_average()
    peaks = {}
    for num_images in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            _make_catalogue(home / "catalog", num_images)
            peaks[num_images] = [_peak_mib(home, num_images, repeat) for repeat in range(options.repeats)]
    measured = {"peak_mib": {str(num_images): summarize(samples) for num_images, samples in peaks.items()}}
    write_result("indexing_memory", measured, load_before=load_before)


def _make_catalogue(catalogue: Path, num_images: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(num_images):
        path = catalogue / f"thing-{number // PER_IDENTITY:05}" / f"{number % PER_IDENTITY}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path, "JPEG")


def _peak_mib(home: Path, num_images: int, repeat: int) -> float:
    gallery = home / f"gallery-{repeat}"
    program = [sys.executable, "-m", "nearid_search", "index", str(home / "catalog"), "--gallery", str(gallery)]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"indexing ended with status {status}"
    found = Gallery.open(gallery).store.num_images()
    assert found == num_images, f"{found} of {num_images} indexed"
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
