"""One step of `index_scale.py` that concerns nearid-search itself, in a process of its own; prints one line of JSON.

python benchmarks/index_own.py prepare FOLDER --rows 100000     look-alikes, what exact search finds, a Parquet file
python benchmarks/index_own.py build FOLDER                     a gallery of them, with the index the policy chooses
python benchmarks/index_own.py tune FOLDER
python benchmarks/index_own.py search FOLDER                    one query after another, beside the bare FAISS call
python benchmarks/index_own.py batch FOLDER                     all queries at once, beside FAISS's flat index
python benchmarks/index_own.py open FOLDER                      from opening the gallery to the first answer
python benchmarks/index_own.py judge FOLDER --found FILE        what a system has found
python benchmarks/index_own.py index FOLDER                     FAISS's name and settings of the gallery's index
python benchmarks/index_own.py bandwidth FOLDER                 bytes a second that this machine reads
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from index_peers import K, folder_bytes
from lookalikes import VIEWS, make_lookalikes
from numpy.typing import NDArray
from record import summarize

from nearid_search.config import AUTO, AnnConfig
from nearid_search.engine import SearchEngine
from nearid_search.eval.intervals import bootstrap_interval
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.backend import make_backend
from nearid_search.indexer.search.index_manifest import IndexManifest, read_index_manifest
from nearid_search.indexer.search.index_recipe import RECIPES
from nearid_search.indexer.search.tune import tune_gallery
from nearid_search.ranking import FIRST_FETCH, rank_identities, rank_many
from nearid_search.similarity import Embeddings, top_k

DIM = 256  # of the default encoder with the head that ships
_FAISS_NAMES = {"ef_search": "efSearch", "nprobe": "nprobe", "k_factor": "k_factor_rf"}
_TO_BE_READ = 1 << 30
_BLOCK, _WARM = 50, 5  # queries
_SPUN_OUT_S = 0.05  # see _in_turn


def main() -> None:
    """Do one step and print what it measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=list(STEPS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--found", type=Path)
    parser.add_argument("--gallery", default="nearid", help="name of the gallery's folder")
    parser.add_argument("--backend", default=AUTO, help="which index it gets")
    options = parser.parse_args()
    print(json.dumps(STEPS[options.step](options)))


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """Draw the look-alikes and write everything that the systems and their judge need."""
    import pyarrow as pa
    from pyarrow import parquet

    drawn = make_lookalikes(options.rows, DIM, queries=min(options.queries, options.rows // VIEWS))
    folder = options.folder
    np.save(folder / "gallery.npy", drawn.gallery)
    np.save(folder / "queries.npy", drawn.queries)
    np.save(folder / "query_codes.npy", drawn.query_codes)
    columns = {
        "identity": pa.array([f"thing-{code:07}" for code in drawn.codes.tolist()]),
        "path": pa.array([str(row) for row in range(len(drawn.codes))]),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(drawn.gallery.ravel()), DIM),
    }
    parquet.write_table(pa.table(columns), folder / "embeddings.parquet", row_group_size=65_536)
    truth = top_k(drawn.queries, drawn.gallery, k=K)[1]
    np.save(folder / "truth.npy", truth)
    return {"rows": options.rows, "queries": len(truth)}


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Import the embeddings, which ends with the search index."""
    chosen: list[float] = []
    started = time.perf_counter()
    report = import_embeddings(
        options.folder / "embeddings.parquet",
        gallery=options.folder / options.gallery,
        search=AnnConfig(backend=options.backend),
        on_choice=lambda _choice: chosen.append(time.perf_counter()),
    )
    finished = time.perf_counter()
    gallery = Gallery.open(options.folder / options.gallery)
    manifest = read_index_manifest(gallery.index_dir)
    size = {} if manifest is None else {part: file.size for part, file in manifest.files.items()}
    return {
        "index": report.search.split()[0] if manifest is None else manifest.factory,
        "search": report.search,
        "store_s": round(chosen[0] - started, 2),
        "build_s": round(finished - chosen[0], 2) if size else 0.0,
        "index_bytes": size.get("vectors", 0),
        "kept_bytes": size.get("rows", 0) + size.get("embeddings", 0),
        "gallery_bytes": folder_bytes(gallery.folder),
    }


def tune(options: argparse.Namespace) -> dict[str, Any]:
    """Tune the index by the product's own rule."""
    started = time.perf_counter()
    report = tune_gallery(Gallery.open(options.folder / options.gallery)).as_dict()
    return {"tune_s": round(time.perf_counter() - started, 2), "tuning": report["tuning"]}


def search(options: argparse.Namespace) -> dict[str, Any]:
    """Time one query after another: FAISS alone, with exact re-scoring, with grouping, and as a whole answer."""
    engine, codes, queries = _opened(options)
    backend, fetch = engine.backend, min(len(codes), max(FIRST_FETCH, 4 * (K + 1)))
    bare = _bare_faiss(engine)
    nominated = min(len(codes), 2 * fetch + 16)  # what the gallery asks of an index for as many rows
    found = backend.search(queries, k=K)[1]
    paths = Gallery.open(options.folder / options.gallery).rows().labels.column("path").to_pylist()
    np.save(
        options.folder / f"{options.gallery}.found.npy", np.array([[int(paths[row]) for row in rows] for rows in found])
    )
    calls: dict[str, Callable[[Embeddings], Any]] = {
        "faiss": lambda query: bare.search(query, K),
        "faiss_as_far": lambda query: bare.search(query, nominated),
        "search": lambda query: backend.search(query, k=fetch),
        "rank": lambda query: rank_identities(backend, query, codes, k=K),
        "answer": lambda query: engine.answer(query, label="query", k=K),
    }
    times = _in_turn(calls, queries, options.repeats)
    p50 = {name: np.median(each, axis=1) for name, each in times.items()}
    percentiles = {
        f"{name}_p{p}_ms": [round(1000 * float(value), 4) for value in np.percentile(each, p, axis=1)]
        for name, each in times.items()
        for p in (50, 95)
    }
    return {
        **percentiles,
        "p50_ms": percentiles["answer_p50_ms"],
        "p95_ms": percentiles["answer_p95_ms"],
        "overhead_over_faiss": summarize((p50["answer"] / p50["faiss"] - 1).tolist()),
        "overhead_over_faiss_as_far": summarize((p50["answer"] / p50["faiss_as_far"] - 1).tolist()),
        "grouping_share_of_search": summarize((p50["rank"] / p50["search"] - 1).tolist()),
    }


def batch(options: argparse.Namespace) -> dict[str, Any]:
    """Time all queries at once: exact search and FAISS's flat index in turn, then the gallery as it is searched."""
    import faiss

    engine, codes, queries = _opened(options)
    vectors = Gallery.open(options.folder / options.gallery).rows().vectors
    exact = make_backend("exact", vectors)
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    calls: dict[str, Callable[[Embeddings], Any]] = {
        "faiss_flat": lambda rows: flat.search(rows, K),
        "exact": lambda rows: exact.search(rows, k=K),
        "ranked": lambda rows: rank_many(engine.backend, rows, codes, k=K),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(options.repeats + 1):
        for name, call in calls.items():
            time.sleep(_SPUN_OUT_S)
            started = time.perf_counter()
            call(queries)
            if repeat:  # the first turn warms up
                seconds[name].append(time.perf_counter() - started)
    ratio = [own / other for own, other in zip(seconds["exact"], seconds["faiss_flat"], strict=True)]
    rates = {name: summarize([len(queries) / each for each in taken]) for name, taken in seconds.items()}
    return {
        "queries_per_s": rates,
        "batch_queries_per_s": rates["ranked"]["samples"],
        "exact_time_over_flat": summarize(ratio),
    }


def open_gallery(options: argparse.Namespace) -> dict[str, Any]:
    """Time from opening the gallery to the first answer, LanceDB and FAISS not yet imported by then."""
    query = np.load(options.folder / "queries.npy")[:1]
    started = time.perf_counter()
    engine = SearchEngine.open(options.folder / options.gallery, encode=False)
    engine.answer(query, label="query", k=K)
    return {"seconds": time.perf_counter() - started, "answered_at": time.time()}


def judge(options: argparse.Namespace) -> dict[str, Any]:
    """Compare the rows a system found with exact search's, and their identities with the truth."""
    found, truth = np.load(options.found), np.load(options.folder / "truth.npy")
    asked = np.load(options.folder / "query_codes.npy")
    shared = [len(np.intersect1d(own, true)) / K for own, true in zip(found, truth, strict=True)]

    def right(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        shown = np.where(rows[:, 0] >= 0, rows[:, 0] // VIEWS, -1)
        return np.asarray(shown == asked, np.float64)

    lost = right(truth) - right(found)
    return {
        "recall@10": round(float(np.mean(shared)), 4),
        "rank1": bootstrap_interval(right(found), asked).as_dict(),
        "exact_rank1": bootstrap_interval(right(truth), asked).as_dict(),
        "loss_points": bootstrap_interval(100 * lost, asked).as_dict(),
    }


def index(options: argparse.Namespace) -> dict[str, Any]:
    """Return how FAISS itself would make the gallery's index; a flat one where the gallery has none."""
    manifest = read_index_manifest(Gallery.open(options.folder / options.gallery).index_dir)
    if manifest is None:
        return {"factory": "Flat", "settings": {}}
    return {"factory": manifest.factory, "settings": _faiss_settings(manifest)}


def bandwidth(options: argparse.Namespace) -> dict[str, Any]:
    """Read a gigabyte with every core and return the rate."""
    cores = os.cpu_count() or 1
    parts = np.array_split(np.ones(_TO_BE_READ // 8), cores)
    rates = []
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(options.repeats + 1):
            started = time.perf_counter()
            list(pool.map(np.max, parts))
            rates.append(_TO_BE_READ / 1e9 / (time.perf_counter() - started))
    return {"gb_per_s": summarize(rates[1:]), "threads": cores}


def _opened(options: argparse.Namespace) -> tuple[SearchEngine, NDArray[np.int64], Embeddings]:
    engine = SearchEngine.open(options.folder / options.gallery, encode=False)
    return engine, engine.gallery.rows().identities().codes, np.load(options.folder / "queries.npy")


def _bare_faiss(engine: SearchEngine) -> Any:  # noqa: ANN401  (FAISS has no types)
    """Return FAISS's own index: the gallery's file with its settings, or a flat one where the gallery has none."""
    import faiss

    manifest = read_index_manifest(engine.gallery.index_dir)
    if manifest is None:
        flat = faiss.IndexFlatIP(DIM)
        flat.add(engine.gallery.rows().vectors)
        return flat
    path = engine.gallery.index_dir / manifest.files["vectors"].name
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    for name, value in _faiss_settings(manifest).items():
        faiss.ParameterSpace().set_index_parameter(index, name, value)
    return index


def _faiss_settings(manifest: IndexManifest) -> dict[str, int]:
    """Return the settings of an index under FAISS's names."""
    recipe = RECIPES[manifest.recipe]
    names = {recipe.tuned} | ({"nprobe"} if recipe.clustered else set())
    return {_FAISS_NAMES[name]: getattr(manifest.settings, name) for name in names if name in _FAISS_NAMES}


def _in_turn(
    calls: dict[str, Callable[[Embeddings], Any]], queries: Embeddings, repeats: int
) -> dict[str, NDArray[np.float64]]:
    """Time every call on every query, in blocks of queries, each call first as often; (repeats, queries) seconds.

    Not one query at a time: FAISS and NumPy have threads of their own, which go on spinning for milliseconds after a
    call and would be timed with whatever comes next.
    """
    times = {name: np.empty((repeats, len(queries))) for name in calls}
    names = list(calls)
    for repeat in range(repeats):
        for block, first in enumerate(range(0, len(queries), _BLOCK)):
            for turn in range(len(names)):
                name = names[(turn + block + repeat) % len(names)]
                time.sleep(_SPUN_OUT_S)
                for warm in range(_WARM):
                    calls[name](queries[first + warm : first + warm + 1])
                for number in range(first, min(first + _BLOCK, len(queries))):
                    started = time.perf_counter()
                    calls[name](queries[number : number + 1])
                    times[name][repeat, number] = time.perf_counter() - started
    return times


STEPS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "prepare": prepare,
    "build": build,
    "tune": tune,
    "search": search,
    "batch": batch,
    "open": open_gallery,
    "judge": judge,
    "index": index,
    "bandwidth": bandwidth,
}


if __name__ == "__main__":
    main()
