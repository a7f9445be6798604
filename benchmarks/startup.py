"""How long until the command line answers, from a cold start of the process?

Times ``--help`` and ``query`` on the sample catalogue, each in a fresh process whose files are in the page cache, and
lists the heavy packages that ``--help`` has loaded, which must be none. Queries take turns between a gallery in the
dtype that is the default here and one in float32.

    python benchmarks/startup.py --repeats 7
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import load_average, summarize, write_result

from nearid_search.backbones.registry import resolve_dtype

EXAMPLES = Path(__file__).parent.parent / "examples"
HEAVY = ("torch", "faiss", "lancedb", "onnx", "onnxruntime", "openvino", "open_clip", "timm")
_LIST_MODULES = """
import sys
from nearid_search.cli.app import run
assert run(["--help"]) == 0
print(*sorted(name for name in sys.modules if "." not in name), sep=" ", file=sys.stderr)
"""


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    load_before = load_average()
    heavy = _heavy_modules_of_help()
    assert not heavy, f"--help loads {heavy}"
    query = next(path for path in sorted((EXAMPLES / "queries").rglob("*")) if path.is_file())
    with tempfile.TemporaryDirectory() as folder:
        answers = {dtype: _make_gallery(Path(folder) / dtype, dtype, str(query)) for dtype in ("auto", "float32")}
        _run("--help")
        help_seconds: list[float] = []
        query_seconds: dict[str, list[float]] = {dtype: [] for dtype in answers}
        for _ in range(repeats):
            help_seconds.append(_run("--help"))
            for dtype, answer in answers.items():
                query_seconds[dtype].append(_run(*answer))
    measured = {
        "help_seconds": summarize(help_seconds),
        "help_heavy_modules": heavy,
        "default_dtype": resolve_dtype("dinov2-small", "cpu", "auto"),
        "query_seconds": summarize(query_seconds["auto"]),
        "query_seconds_float32": summarize(query_seconds["float32"]),
    }
    write_result("startup", measured, load_before=load_before)


def _make_gallery(folder: Path, dtype: str, query: str) -> list[str]:
    """Index the sample catalogue and ask once; return the command line of the question."""
    _run("index", str(EXAMPLES / "catalog"), "--gallery", str(folder), "--dtype", dtype, "--json")
    answer = ["query", query, "--gallery", str(folder), "--json"]
    _run(*answer)
    return answer


def _run(*arguments: str) -> float:
    command = [str(Path(sys.executable).with_name("nearid-search")), *arguments]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _heavy_modules_of_help() -> list[str]:
    done = subprocess.run([sys.executable, "-c", _LIST_MODULES], check=True, capture_output=True, text=True)
    return sorted(set(done.stderr.split()) & set(HEAVY))


if __name__ == "__main__":
    main()
