"""How long until the command line answers, from a cold start of the process?

Times ``--help`` and ``query`` on the sample catalogue, each in a fresh process whose files are in the page cache, and
lists the heavy packages that ``--help`` has loaded, which must be none.

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

EXAMPLES = Path(__file__).parent.parent / "examples"
HEAVY = ("torch", "faiss", "lancedb", "onnx", "onnxruntime", "open_clip", "timm")
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
        gallery = ["--gallery", f"{folder}/gallery"]
        _run("index", str(EXAMPLES / "catalog"), *gallery, "--json")
        answer = [str(query), *gallery, "--json"]
        _run("--help")
        _run("query", *answer)
        help_seconds, query_seconds = [], []
        for _ in range(repeats):
            help_seconds.append(_run("--help"))
            query_seconds.append(_run("query", *answer))
    measured = {
        "help_seconds": summarize(help_seconds),
        "help_heavy_modules": heavy,
        "query_seconds": summarize(query_seconds),
    }
    write_result("startup", measured, load_before=load_before)


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
