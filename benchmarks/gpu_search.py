"""How fast does a GPU search look-alikes, and are its answers those of exact search?

Every size is searched in half precision, as it is by default, and as clusters of eight-bit codes, as it is where memory
is short. Beside them FAISS's own call on the same copy, and exact search on the processor of the same machine.

    python benchmarks/gpu_search.py --rows 100000 1000000
"""

from __future__ import annotations

import argparse
import importlib.metadata
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lookalikes import VIEWS, Lookalikes, make_lookalikes
from record import load_average, summarize, write_result

from nearid_search.eval.intervals import bootstrap_interval
from nearid_search.indexer.search.approximate import ApproximateBackend
from nearid_search.indexer.search.backend import make_backend
from nearid_search.indexer.search.faiss_gpu import choose_layout, open_gpu_backend
from nearid_search.ranking import FIRST_FETCH, rank_many
from nearid_search.similarity import Embeddings

DIM = 256  # of the default encoder with the head that ships
K = 10
_FETCH = max(FIRST_FETCH, 4 * (K + 1))  # rows that an answer asks for
_ONE_BY_ONE = 200  # queries


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    load_before = load_average()
    sizes = []
    for rows in options.rows:
        drawn = make_lookalikes(rows, DIM, queries=options.queries)
        truth = make_backend("exact", drawn.gallery)
        expected = truth.search(drawn.queries, k=K)
        exact = {"queries_per_s": _rate(lambda: truth.search(drawn.queries, k=K), options), **_one_by_one(truth, drawn)}  # noqa: B023
        layouts = {}
        for name, row_bytes in (("half precision", 2 * DIM), ("clusters of eight-bit codes", 2 * DIM - 1)):
            layouts[name] = _measure(drawn, expected, rows * row_bytes, options)
        sizes.append({"rows": rows, "exact_on_the_processor": exact, "gpu": layouts})
    write_result(
        "gpu_search",
        {
            "gpu": torch.cuda.get_device_name(0),
            "faiss-gpu": importlib.metadata.version("faiss-gpu"),
            "dim": DIM,
            "k": K,
            "queries": options.queries,
            "sizes": sizes,
        },
        load_before=load_before,
    )


def _measure(drawn: Lookalikes, expected: tuple[Any, Any], memory: int, options: argparse.Namespace) -> dict[str, Any]:
    started = time.perf_counter()
    backend = open_gpu_backend(drawn.gallery, memory=memory)
    copied = time.perf_counter() - started
    scores, rows = backend.search(drawn.queries, k=K)
    same_rows = np.equal(rows, expected[1])
    right, exactly = (np.equal(found[:, 0] // VIEWS, drawn.query_codes) for found in (rows, expected[1]))
    bare = backend.index._index  # type: ignore[attr-defined]
    return {
        "layout": choose_layout(*drawn.gallery.shape, memory=memory).factory,
        "copy_s": round(copied, 2),
        "scores_differ_by_at_most": float(np.abs(scores - expected[0])[same_rows].max()),
        "rows_that_differ": int((~same_rows).sum()),
        "rank1_lost_points": bootstrap_interval(
            100.0 * (exactly.astype(float) - right.astype(float)), drawn.query_codes
        ).as_dict(),
        "queries_per_s": _rate(lambda: backend.search(drawn.queries, k=K), options),
        "ranked_queries_per_s": _rate(lambda: rank_many(backend, drawn.queries, drawn.codes, k=K), options),
        "bare_faiss_queries_per_s": _rate(lambda: bare.search(drawn.queries, K), options),
        **_one_by_one(backend, drawn),
        "bare_faiss_one_query_ms": _milliseconds(lambda query: bare.search(query, 2 * _FETCH + 16), drawn.queries),
    }


def _rate(call: Callable[[], Any], options: argparse.Namespace) -> dict[str, Any]:
    call()  # warms up
    rates = []
    for _ in range(options.repeats):
        started = time.perf_counter()
        call()
        rates.append(options.queries / (time.perf_counter() - started))
    return summarize(rates)


def _one_by_one(backend: ApproximateBackend | Any, drawn: Lookalikes) -> dict[str, Any]:  # noqa: ANN401
    return {"one_query_ms": _milliseconds(lambda query: backend.search(query, k=_FETCH), drawn.queries)}


def _milliseconds(call: Callable[[Embeddings], Any], queries: Embeddings) -> dict[str, float]:
    times = []
    for number in range(min(_ONE_BY_ONE, len(queries))):
        started = time.perf_counter()
        call(queries[number : number + 1])
        times.append(1_000 * (time.perf_counter() - started))
    p50, p95 = np.percentile(times[5:], [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}


if __name__ == "__main__":
    main()
