"""What do exact ranks cost when queries and gallery grow?

Ranks every query against the whole gallery and computes Recall@1 and mAP, each size in a fresh process. Embeddings are
made up: identities of ten views, near enough to others for ranks to be no matter of course. They are read from a memory
map, so the memory that counts is the process's own (its anonymous pages), sampled fifty times a second. ``--queries``
takes only so many of the queries; the result says how many, and the time is theirs.

    python benchmarks/ranking_scale.py --sizes 10000 100000 1000000 --queries 10000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import load_average, write_result

from nearid_search.eval.metrics import average_precision, mean_over_queries, recall_at_k
from nearid_search.eval.ranks import relevant_ranks

DIM = 256
VIEWS = 10
NOISE = 1.6  # of a view, relative to what makes its identity
BLOCK = 65_536  # rows written or multiplied at once


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, help="rank only the first so many; all by default")
    parser.add_argument("--rank", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank:
        print(json.dumps(_rank(Path(options.rank[0]), int(options.rank[1]))))
        return
    load_before = load_average()
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            path = Path(folder) / f"{size}.npy"
            _write_embeddings(path, size)
            queries = min(size, options.queries or size)
            program = [sys.executable, __file__, "--rank", str(path), str(queries)]
            sizes[str(size)] = json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout)
            path.unlink()
    write_result("ranking_scale", {"dim": DIM, "views": VIEWS, "sizes": sizes}, load_before=load_before)


def _write_embeddings(path: Path, size: int) -> None:
    embeddings = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(size, DIM))
    for start in range(0, size, BLOCK):
        rng = np.random.default_rng([0, start])
        rows = np.arange(start, min(start + BLOCK, size))
        identities = rows // VIEWS
        own = np.stack(
            [np.random.default_rng([1, identity]).standard_normal(DIM) for identity in np.unique(identities)]
        )
        views = own[identities - identities[0]] + NOISE * rng.standard_normal((len(rows), DIM))
        embeddings[rows] = views / np.linalg.norm(views, axis=1, keepdims=True)
    embeddings.flush()


def _rank(path: Path, num_queries: int) -> dict[str, Any]:
    gallery: NDArray[np.float32] = np.load(path, mmap_mode="r")
    codes = np.arange(len(gallery), dtype=np.int64) // VIEWS
    peak, stop = [_own_memory()], threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            peak[0] = max(peak[0], _own_memory())

    watcher = threading.Thread(target=watch)
    before = peak[0]
    watcher.start()
    started = time.perf_counter()
    queries = np.arange(num_queries, dtype=np.int64)
    ranks = relevant_ranks(gallery[:num_queries], codes[:num_queries], gallery, codes, exclude=queries)
    seconds = time.perf_counter() - started
    stop.set()
    watcher.join()
    figures = {"recall@1": recall_at_k(ranks, 1), "map": average_precision(ranks)}
    return {
        "queries": num_queries,
        "seconds": round(seconds, 2),
        "queries_per_second": round(num_queries / seconds, 1),
        "bare_product_seconds": round(_bare_product(gallery, num_queries), 2),
        "own_memory_before_mib": round(before / 2**20, 1),
        "own_memory_peak_mib": round(peak[0] / 2**20, 1),
        **{name: round(mean_over_queries(values).mean, 6) for name, values in figures.items()},
    }


def _bare_product(gallery: NDArray[np.float32], num_queries: int) -> float:
    """Return the seconds that the matrix products alone take, measured on one block of queries."""
    block = np.asarray(gallery[:256])
    started = time.perf_counter()
    for start in range(0, len(gallery), BLOCK):
        block @ gallery[start : start + BLOCK].T
    return (time.perf_counter() - started) * num_queries / len(block)


def _own_memory() -> int:
    """Return the bytes of anonymous pages of this process."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
