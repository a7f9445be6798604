"""What does searching a gallery of look-alikes cost as it grows, beside FAISS, LanceDB, usearch and autofaiss?

One run measures every system on every size: seconds and peak memory to build, bytes of the index, recall and identity
rank-1 beside the time of one warm query and of a batch; of ours also grouping, exact re-scoring, and opening the
gallery. Every step runs in a process of its own. Each system and size adds one line to `results/index_scale.jsonl`; a
line that is there is not measured again, so a run that was stopped goes on, and deleting a line repeats it.

    python -m venv .venv-peers && .venv-peers/bin/pip install -r benchmarks/requirements-peers.txt
    python benchmarks/index_scale.py --peers .venv-peers/bin/python
    python benchmarks/index_plot.py
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from record import RESULTS, describe_machine, load_average, summarize

HERE = Path(__file__).parent
OWN, PEER = HERE / "index_own.py", HERE / "index_peers.py"
SYSTEMS = ("bandwidth", "nearid", "nearid-graph", "faiss", "lancedb", "usearch", "autofaiss")
OWN_BACKENDS = {"nearid": "auto", "nearid-graph": "hnsw-sq8"}
"""Galleries of ours and the index each gets: what the policy chooses, and a graph."""
ELSEWHERE = ("usearch", "autofaiss")
"""What runs in the peers' own environment."""


def main() -> None:
    """Measure what no line tells yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", type=Path, help="Python of the environment that has usearch and autofaiss")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "nearid-index-scale")
    parser.add_argument("--results", type=Path, default=RESULTS / "index_scale.jsonl")
    options = parser.parse_args()
    if options.peers is None and set(options.systems) & set(ELSEWHERE):
        parser.error(f"--peers is needed for {' and '.join(ELSEWHERE)}; or leave them out with --systems")
    done = {(line["system"], line["rows"]) for line in read_lines(options.results)}
    wanted = [(system, size) for size in options.sizes for system in options.systems if system != "bandwidth"]
    if "bandwidth" in options.systems:
        wanted.insert(0, ("bandwidth", 0))
    for number, (system, size) in enumerate(wanted, start=1):
        told = f"[{number}/{len(wanted)}] {system}" + (f", {size:,} rows" if size else "")
        if (system, size) in done:
            print(f"{told}: measured already", file=sys.stderr)
            continue
        print(told, file=sys.stderr, flush=True)
        load_before, started = load_average(), time.perf_counter()
        measured = _measure(system, size, options)
        line = {"system": system, "rows": size, "seconds": round(time.perf_counter() - started, 1), **measured}
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, "load_before": round(load_before, 2), **describe_machine()}) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return what was measured so far."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _measure(system: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    folder = options.work / str(size)
    folder.mkdir(parents=True, exist_ok=True)
    if system == "bandwidth":
        return _own("bandwidth", folder, options)[0]
    if not (folder / "truth.npy").exists():  # the last of its files
        _own("prepare", folder, options, "--rows", str(size))
    measured = (_measure_own if system in OWN_BACKENDS else _measure_peer)(system, folder, options)
    judged, _ = _own("judge", folder, options, "--found", str(folder / f"{system}.found.npy"))
    return {**judged, **measured}


def _measure_own(system: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    shutil.rmtree(folder / system, ignore_errors=True)  # what a stopped run has left
    chosen = ("--gallery", system, "--backend", OWN_BACKENDS[system])
    measured: dict[str, Any] = {}
    peaks = {}
    for step in ("build", "tune", "search", "batch"):
        found, peaks[step] = _own(step, folder, options, *chosen)
        measured |= found
    opened, whole = [], []
    for _ in range(options.repeats):
        started = time.time()
        answer, peaks["open"] = _own("open", folder, options, *chosen)
        opened.append(answer["seconds"])
        whole.append(answer["answered_at"] - started)
    return {
        **measured,
        "open_to_answer_s": summarize(opened),
        "process_to_answer_s": summarize(whole),
        "peak_mib": peaks,
    }


def _measure_peer(system: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    python = str(options.peers) if system in ELSEWHERE else sys.executable
    common = [str(folder), "--repeats", str(options.repeats)]
    if system == "faiss":
        common += ["--options", json.dumps(_faiss_like_ours(folder, options))]
    shutil.rmtree(folder / system, ignore_errors=True)
    built, build_peak = _run([python, str(PEER), "build", system, *common])
    searched, search_peak = _run([python, str(PEER), "search", system, *common])
    return {**built, **searched, "peak_mib": {"build": build_peak, "search": search_peak}}


def _faiss_like_ours(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return FAISS's name and settings of the index that our gallery of the same size has."""
    if not (folder / "nearid" / "manifest.json").exists():
        _own("build", folder, options)
        _own("tune", folder, options)
    return _own("index", folder, options)[0]


def _own(step: str, folder: Path, options: argparse.Namespace, *more: str) -> tuple[dict[str, Any], float]:
    common = ["--queries", str(options.queries), "--repeats", str(options.repeats)]
    return _run([sys.executable, str(OWN), step, str(folder), *common, *more])


def _run(program: list[str]) -> tuple[dict[str, Any], float]:
    """Run a step; return the JSON line it ends with and its peak resident memory in MiB."""
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(program)} ended with status {process.returncode}")
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found, round(usage.ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main()
