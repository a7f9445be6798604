"""Does anything that others wrote get past our errors? Coverage-guided fuzzing with atheris, for a bounded time.

Each target runs in a process of its own, which is ended at a crash, after 60 s on one input or above 3 GiB. What made
it crash is kept in the working directory, to become a test.

    scripts/fuzz 180            (every target for three minutes; or: scripts/fuzz 60 manifest)
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from record import load_average, write_result

_KEPT = "fuzz-findings"


def main() -> None:
    """Run the targets and write the result; or, as a child, be one."""
    from fuzz_targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", type=int)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"some of {', '.join(TARGETS)}; default: all")
    options = parser.parse_args()
    load = load_average()
    found = {name: fuzz(name, options.seconds, TARGETS[name].seeds()) for name in options.targets or TARGETS}
    write_result("fuzzing", {"targets": found}, load_before=load)
    sys.exit(any(target["crashes"] for target in found.values()))


def fuzz(name: str, seconds: int, seeds: list[bytes]) -> dict[str, Any]:
    """Feed one target for so many seconds and count."""
    kept = Path(_KEPT)
    kept.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        limits = [f"-max_total_time={seconds}", "-rss_limit_mb=3072", "-timeout=60", "-max_len=65536", "-seed=1"]
        where = [f"-artifact_prefix={kept / name}-", "-print_final_stats=1", corpus]
        child = "import fuzzing, sys; fuzzing.be_target(sys.argv)"
        done = subprocess.run(
            [sys.executable, "-c", child, name, *limits, *where],
            env=None, cwd=Path.cwd(), capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        corpus_files = len(list(Path(corpus).iterdir()))
    numbers = {key: int(value) for key, value in re.findall(r"stat::(\w+):\s+(\d+)", done.stderr)}
    coverage = re.findall(r"cov: (\d+)", done.stderr)
    if done.returncode:
        print(done.stderr[-3_000:], file=sys.stderr)
    return {
        "seconds": seconds,
        "executions": numbers.get("number_of_executed_units", 0),
        "coverage": int(coverage[-1]) if coverage else 0,
        "corpus": corpus_files,
        "peak_mib": numbers.get("peak_rss_mb", 0),
        "crashes": int(done.returncode != 0),
    }


def be_target(arguments: list[str]) -> None:
    """Be fed until libFuzzer ends this process."""
    import atheris

    with atheris.instrument_imports(include=["nearid_search", "PIL"]):
        from fuzz_targets import TARGETS

    target = TARGETS[arguments.pop(1)]
    atheris.Setup(arguments, target.feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
