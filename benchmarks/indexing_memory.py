"""Does the memory of an indexing run grow with the catalogue?

Indexes generated small pictures in a fresh process for each size and reads that process's peak resident memory.

    python benchmarks/indexing_memory.py --sizes 1000 10000 --repeats 1
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from record import load_average, summarize, write_result

SIDE = 64  # pixels
PER_IDENTITY = 10
_INDEX_AND_PRINT_PEAK = """
import resource, sys
from nearid_search.indexer.build import index_catalogue
report = index_catalogue(sys.argv[1], gallery=sys.argv[2])
print(report.added, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


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
    command = [sys.executable, "-c", _INDEX_AND_PRINT_PEAK, str(home / "catalog"), str(home / f"gallery-{repeat}")]
    added, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(added) == num_images, f"{added} of {num_images} indexed"
    return float(peak)


if __name__ == "__main__":
    main()
