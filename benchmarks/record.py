"""Repeat a measurement and write it down together with what is needed to read it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("nearid-search", "numpy", "pillow", "onnxruntime", "lancedb", "pyarrow", "typer", "rich")


def summarize(samples: Sequence[float]) -> dict[str, Any]:
    """Return the median, the interquartile range and the samples themselves, in the samples' own unit.

    Args:
        samples: one number a repeat; at least one.
    """
    low, median, high = np.percentile(samples, [25, 50, 75])
    return {
        "repeats": len(samples),
        "median": round(float(median), 4),
        "iqr": [round(float(low), 4), round(float(high), 4)],
        "samples": [round(sample, 4) for sample in samples],
    }


def write_result(name: str, measured: dict[str, Any], *, load_before: float) -> Path:
    """Write ``results/<name>.json`` and print it.

    Args:
        name: of the benchmark.
        measured: its numbers; the unit belongs in each name.
        load_before: one-minute load average when it began, which shows what else the machine was doing.

    Returns:
        The file.
    """
    result = {
        "benchmark": name,
        **describe_machine(),
        "load_before": round(load_before, 2),
        **measured,
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"), end="")
    return path


def describe_machine() -> dict[str, Any]:
    """Return the command, the commit, versions, processor and threads."""
    return {
        "command": shlex.join(["python", sys.argv[0], *map(_without_folders, sys.argv[1:])]),
        "commit": _commit(),
        "versions": {"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in _PACKAGES},
        "cpu": _cpu(),
        "threads": os.cpu_count(),
    }


def _without_folders(argument: str) -> str:
    """Leave out where this machine keeps a file: a result is read elsewhere."""
    return Path(argument).name if Path(argument).is_absolute() else argument


def load_average() -> float:
    """Return the one-minute load average."""
    return os.getloadavg()[0]


def _commit() -> str:
    """Return the commit measured, marked if the tracked source differs from it; a copy without history is told it."""
    if told := os.environ.get("BENCHMARK_COMMIT"):
        return told

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "nearid_search", "indexer", "trainer", "eval")
    return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
