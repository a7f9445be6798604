"""Build and search one index of FAISS, LanceDB, usearch or autofaiss, as its documentation would have it.

Started by `index_scale.py`, each step in a process of its own so that its peak memory is its own. It needs NumPy and
the library it measures, nothing of nearid-search: autofaiss wants an older NumPy and lives in another environment.

    python benchmarks/index_peers.py build usearch FOLDER
    python benchmarks/index_peers.py search usearch FOLDER

FOLDER holds `gallery.npy` and `queries.npy`; `build` writes the index there, `search` the rows found. Either prints one
line of JSON.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

K = 10
Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]
Search = Callable[[Vectors], Rows]


def main() -> None:
    """Do one step and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["build", "search"])
    parser.add_argument("system", choices=list(SYSTEMS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON for the system")
    options = parser.parse_args()
    build, opened, package = SYSTEMS[options.system]
    place = options.folder / options.system
    if options.step == "build":
        place.mkdir(exist_ok=True)
        gallery = np.load(options.folder / "gallery.npy", mmap_mode="r")
        started = time.perf_counter()
        details = build(gallery, place, options.options)
        measured = {"build_s": round(time.perf_counter() - started, 2), "index_bytes": folder_bytes(place), **details}
    else:
        queries = np.load(options.folder / "queries.npy")
        search = opened(place, options.options)
        measured = measure_search(search, queries, options.repeats, options.folder / f"{options.system}.found.npy")
    print(json.dumps({**measured, "version": importlib.metadata.version(package)}))


def measure_search(search: Search, queries: Vectors, repeats: int, found: Path) -> dict[str, Any]:
    """Time single queries and one batch, and write what was found.

    Args:
        search: returns the rows found, (Q, K), for (Q, D) queries.
        queries: (Q, D) float32.
        repeats: of either.
        found: file for the rows.

    Returns:
        The 50th and 95th percentile over the queries, and the queries a second of the batch, one figure a repeat.
    """
    np.save(found, search(queries))
    times = np.empty((repeats, len(queries)))
    batch = []
    for repeat in range(repeats):
        for number in range(len(queries)):
            started = time.perf_counter()
            search(queries[number : number + 1])
            times[repeat, number] = time.perf_counter() - started
        started = time.perf_counter()
        search(queries)
        batch.append(round(len(queries) / (time.perf_counter() - started), 1))
    return {
        **{f"p{p}_ms": [round(1000 * float(np.percentile(row, p)), 4) for row in times] for p in (50, 95)},
        "batch_queries_per_s": batch,
    }


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _build_faiss(gallery: Vectors, place: Path, options: dict[str, Any]) -> dict[str, Any]:
    import faiss

    index = faiss.index_factory(gallery.shape[1], options["factory"], faiss.METRIC_INNER_PRODUCT)
    vectors = np.ascontiguousarray(gallery)
    index.train(vectors)
    index.add(vectors)
    faiss.write_index(index, str(place / "index"))
    return {"index": options["factory"]}


def _open_faiss(place: Path, options: dict[str, Any]) -> Search:
    import faiss

    index = faiss.read_index(str(place / "index"))
    for name, value in options.get("settings", {}).items():
        faiss.ParameterSpace().set_index_parameter(index, name, value)
    return lambda queries: np.asarray(index.search(queries, K)[1], np.int64)


def _build_lancedb(gallery: Vectors, place: Path, _options: dict[str, Any]) -> dict[str, Any]:
    import lancedb
    import pyarrow as pa
    from lancedb.index import IvfPq

    database = lancedb.connect(str(place))
    schema = pa.schema([("row", pa.int64()), ("vector", pa.list_(pa.float32(), gallery.shape[1]))])
    table: Any = database.create_table("rows", schema=schema, mode="overwrite")
    for start in range(0, len(gallery), 100_000):
        block = np.ascontiguousarray(gallery[start : start + 100_000])
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), block.shape[1])
        table.add(pa.table({"row": np.arange(start, start + len(block)), "vector": vectors}, schema=schema))
    table.create_index("vector", config=IvfPq(distance_type="dot"))
    return {"index": "IVF_PQ"}


def _open_lancedb(place: Path, _options: dict[str, Any]) -> Search:
    import lancedb

    table: Any = lancedb.connect(str(place)).open_table("rows")

    def search(queries: Vectors) -> Rows:
        found = np.full((len(queries), K), -1, np.int64)
        for number, query in enumerate(queries):
            hits = table.search(query).distance_type("dot").limit(K).select(["row", "_distance"]).to_arrow()
            rows = hits["row"].to_numpy()
            found[number, : len(rows)] = rows
        return found

    return search


def _build_usearch(gallery: Vectors, place: Path, _options: dict[str, Any]) -> dict[str, Any]:
    from usearch.index import Index

    index = Index(ndim=gallery.shape[1], metric="ip")
    index.add(np.arange(len(gallery)), np.ascontiguousarray(gallery))
    index.save(str(place / "index"))
    return {"index": f"HNSW{index.connectivity}, {index.dtype}"}


def _open_usearch(place: Path, _options: dict[str, Any]) -> Search:
    from usearch.index import Index

    index = Index.restore(str(place / "index"))

    def search(queries: Vectors) -> Rows:
        return np.asarray(index.search(queries, K).keys, np.int64).reshape(len(queries), -1)

    return search


def _build_autofaiss(gallery: Vectors, place: Path, options: dict[str, Any]) -> dict[str, Any]:
    # It prints what it does on stdout, which is for our line alone; what it chose is in the file it writes.
    import contextlib
    import sys

    from autofaiss import build_index

    with contextlib.redirect_stdout(sys.stderr):
        build_index(
            embeddings=np.ascontiguousarray(gallery),
            index_path=str(place / "index"),
            index_infos_path=str(place / "infos.json"),
            metric_type="ip",
            **options,
        )
    infos = json.loads((place / "infos.json").read_text())
    return {"index": infos["index_key"], "settings": infos["index_param"]}


def _open_autofaiss(place: Path, _options: dict[str, Any]) -> Search:
    import faiss

    infos = json.loads((place / "infos.json").read_text())
    index = faiss.read_index(str(place / "index"))
    faiss.ParameterSpace().set_index_parameters(index, infos["index_param"])
    return lambda queries: np.asarray(index.search(queries, K)[1], np.int64)


Build = Callable[[Vectors, Path, dict[str, Any]], dict[str, Any]]
Open = Callable[[Path, dict[str, Any]], Search]
SYSTEMS: dict[str, tuple[Build, Open, str]] = {
    "faiss": (_build_faiss, _open_faiss, "faiss-cpu"),
    "lancedb": (_build_lancedb, _open_lancedb, "lancedb"),
    "usearch": (_build_usearch, _open_usearch, "usearch"),
    "autofaiss": (_build_autofaiss, _open_autofaiss, "autofaiss"),
}


if __name__ == "__main__":
    main()
