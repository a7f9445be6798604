"""Which index keeps look-alikes apart? FAISS and LanceDB indexes as such, without any exact re-scoring of ours.

On seeded synthetic look-alikes (`lookalikes.py`), or with `--embeddings` on real ones: a Parquet file as `nearid-search
gallery export` writes it, in which every fifth identity of several rows gives one row as a query. Prints and writes one
line an index: recall of the exact ten nearest, the share of queries whose nearest row is of their identity (rank-1)
with its interval over identities, seconds to build, bytes a row, and milliseconds a query in batches of 100.

    python benchmarks/quantisers.py
    python benchmarks/quantisers.py --embeddings renders.parquet
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from lookalikes import Lookalikes, make_lookalikes
from numpy.typing import NDArray
from record import load_average, summarize, write_result

from nearid_search.eval.intervals import bootstrap_interval
from nearid_search.similarity import Embeddings, Rows, top_k

K, BATCH = 10, 100

Search = Callable[[Embeddings], Rows]


class Built(NamedTuple):
    """An index ready to search, and its size."""

    search: Search
    size: int


def main() -> None:
    """Measure every index on one set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embeddings", type=Path, help="real ones, instead of synthetic look-alikes")
    parser.add_argument("--rows", type=int, default=60_000, help="synthetic rows (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=256, help="synthetic width (default: %(default)s)")
    parser.add_argument("--queries", type=int, default=1_000, help="at most (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="of the timed search (default: %(default)s)")
    options = parser.parse_args()
    load_before = load_average()
    if options.embeddings:
        data = read_embeddings(options.embeddings, options.queries)
    else:
        data = make_lookalikes(options.rows, options.dim, queries=options.queries)
    truth = top_k(data.queries, data.gallery, k=K)[1]
    measured: dict[str, Any] = {
        "rows": len(data.gallery),
        "dim": data.gallery.shape[1],
        "identities": len(np.unique(data.codes)),
        "queries": len(data.queries),
        "exact": _judge(truth, truth, data),
        "indexes": {},
    }
    for name, build in indexes(len(data.gallery), data.gallery.shape[1]).items():
        measured["indexes"][name] = _measure(build, data, truth, options.repeats)
        print(name, measured["indexes"][name], flush=True)
    write_result(f"quantisers_{'real' if options.embeddings else 'synthetic'}", measured, load_before=load_before)


def indexes(rows: int, dim: int) -> dict[str, Callable[[Embeddings], Built]]:
    """Return what builds each index, by its FAISS factory string or LanceDB's name of it."""
    lists = 2 ** max(4, round(np.log2(4 * np.sqrt(rows))) - 2)
    pieces = max(piece for piece in range(8, dim // 4 + 1) if dim % piece == 0)
    found: dict[str, Callable[[Embeddings], Built]] = {}
    kinds: tuple[tuple[str, dict[str, float]], ...] = (
        ("Flat", {}),
        ("SQfp16", {}),
        ("SQ8", {}),
        (f"IVF{lists},SQ8", {"nprobe": lists // 8}),
        ("HNSW32,SQ8", {"efSearch": 128}),
        (f"IVF{lists},RaBitQ", {"nprobe": lists // 8}),
        (f"IVF{lists},RaBitQ,Refine(SQ8)", {"nprobe": lists // 8, "k_factor_rf": 20}),
        (f"IVF{lists},PQ{pieces}", {"nprobe": lists // 8}),
        (f"IVF{lists},PQ{pieces},Refine(SQ8)", {"nprobe": lists // 8, "k_factor_rf": 20}),
    )
    found |= {name: _faiss_builder(name, settings) for name, settings in kinds}
    for kind, options in (("IVF_PQ", {}), ("IVF_PQ", {"nprobes": 50, "refine": 10}), ("IVF_RQ", {"refine": 10})):
        words = ["LanceDB", kind, *(f"{key}={value}" for key, value in options.items())]
        found[" ".join(words)] = _lance_builder(kind, options)
    return found


def read_embeddings(path: Path, queries: int) -> Lookalikes:
    """Split real embeddings into a gallery and queries: the last row of every fifth identity with three or more."""
    table = pq.read_table(path, columns=["identity", "embedding"])
    names, codes = np.unique(np.asarray(table["identity"].to_pylist()), return_inverse=True)
    column = table["embedding"].combine_chunks()
    vectors = column.flatten().to_numpy().reshape(len(column), -1).astype(np.float32)
    counts = np.bincount(codes, minlength=len(names))
    chosen = np.flatnonzero(counts >= 3)[::5][:queries]
    asked = np.array([np.flatnonzero(codes == code)[-1] for code in chosen])
    left = np.setdiff1d(np.arange(len(codes)), asked)
    return Lookalikes(vectors[left], codes[left].astype(np.int64), vectors[asked], codes[asked].astype(np.int64))


def _measure(build: Callable[[Embeddings], Built], data: Lookalikes, truth: Rows, repeats: int) -> dict[str, Any]:
    started = time.perf_counter()
    built = build(data.gallery)
    seconds = time.perf_counter() - started
    rows = np.concatenate(
        [built.search(data.queries[start : start + BATCH]) for start in range(0, len(data.queries), BATCH)]
    )
    batch, samples = data.queries[:BATCH], []
    for _ in range(repeats):
        started = time.perf_counter()
        built.search(batch)
        samples.append(1000 * (time.perf_counter() - started) / len(batch))
    size = {"build_s": round(seconds, 2), "bytes_per_row": round(built.size / len(data.gallery), 1)}
    return {**_judge(rows, truth, data), **size, "ms_per_query": summarize(samples)}


def _judge(rows: Rows, truth: Rows, data: Lookalikes) -> dict[str, Any]:
    shared = [len(np.intersect1d(found, true)) / len(true) for found, true in zip(rows, truth, strict=True)]
    right = (rows[:, 0] >= 0) & (data.codes[rows[:, 0]] == data.query_codes)
    rank1 = bootstrap_interval(right.astype(np.float64), data.query_codes).as_dict()
    return {f"recall@{K}": round(float(np.mean(shared)), 4), "rank1": rank1}


def _faiss_builder(name: str, settings: dict[str, float]) -> Callable[[Embeddings], Built]:
    def build(gallery: Embeddings) -> Built:
        index = faiss.index_factory(gallery.shape[1], name, faiss.METRIC_INNER_PRODUCT)
        index.train(gallery)
        index.add(gallery)
        for key, value in settings.items():
            faiss.ParameterSpace().set_index_parameter(index, key, value)
        return Built(
            lambda queries: np.asarray(index.search(queries, K)[1], np.int64), len(faiss.serialize_index(index))
        )

    return build


def _lance_builder(kind: str, options: dict[str, int]) -> Callable[[Embeddings], Built]:
    def build(gallery: Embeddings) -> Built:
        import lancedb

        folder = tempfile.mkdtemp()
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(gallery.ravel()), gallery.shape[1])
        table = lancedb.connect(folder).create_table(
            "rows", pa.table({"row": np.arange(len(gallery)), "vector": vectors})
        )
        before = _folder_size(Path(folder))
        vectors_of: Any = table  # its types know less than it does
        vectors_of.create_index(metric="dot", index_type=kind, vector_column_name="vector")

        def search(queries: Embeddings) -> NDArray[np.int64]:
            found = np.full((len(queries), K), -1, np.int64)
            for place, query in enumerate(queries):
                asked: Any = vectors_of.search(query).distance_type("dot").limit(K).select(["row", "_distance"])
                asked = asked.nprobes(options["nprobes"]) if "nprobes" in options else asked
                asked = asked.refine_factor(options["refine"]) if "refine" in options else asked
                rows = asked.to_arrow()["row"].to_numpy()
                found[place, : len(rows)] = rows
            return found

        return Built(search, _folder_size(Path(folder)) - before)

    return build


def _folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
