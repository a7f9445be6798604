"""What becomes of damaged pictures and bombs? Each is read or named; nothing crashes, hangs or takes the memory.

A seeded mutator damages a sound picture of every variant, and known bombs are put beside them. `nearid-search index`,
in a process of its own whose time and memory are watched, is given all of them, and its report is compared with what
was put there. Then each is decoded alone, to find the slowest.

    python benchmarks/damaged_pictures.py --count 2600
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from picture_bombs import bombs
from picture_damage import damaged_pictures
from record import load_average, write_result

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the sound pictures

from pictures import EVERY_FORMAT, sample

from nearid_search.errors import UnreadableImageError
from nearid_search.image_decoding import decode_image

_ALONE_SECONDS = 30


def main() -> None:
    """Make them, index them, and write what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=900, help="after which indexing counts as hanging")
    options = parser.parse_args()
    load = load_average()
    with tempfile.TemporaryDirectory() as scratch:
        catalogue = Path(scratch) / "catalogue"
        variants = write_pictures(catalogue, count=options.count, seed=options.seed)
        indexed = index(catalogue, Path(scratch) / "gallery", seconds=options.seconds)
        slowest = time_each(catalogue, variants)
    failed = {Path(failure["path"]).name: failure["error"] for failure in indexed["report"]["failures"]}
    tried, refused = Counter(variants.values()), Counter(variants[name] for name in failed)
    measured = {
        "seed": options.seed,
        "tried": sum(tried.values()),
        "refused": len(failed),
        "read": sum(tried.values()) - len(failed),
        "by_variant": {
            name: {"tried": tried[name], "refused": refused[name], "read": tried[name] - refused[name]}
            for name in sorted(tried)
        },
        "bombs": {name: failed.get(name, "read") for name, variant in variants.items() if variant == "bomb"},
        "indexing": {name: value for name, value in indexed.items() if name != "report"},
        "slowest_seconds": slowest,
    }
    write_result("damaged_pictures", measured, load_before=load)


def write_pictures(catalogue: Path, *, count: int, seed: int) -> dict[str, str]:
    """Write them all; return the variant of each by its file name, "bomb" for a bomb."""
    catalogue.mkdir(parents=True)
    variants = {}
    sound = {variant: sample(variant) for variant in EVERY_FORMAT}
    for number, made in enumerate(damaged_pictures(sound, count=count, seed=seed)):
        name = f"{number:05}{made.suffix}"
        (catalogue / name).write_bytes(made.data)
        variants[name] = made.variant
    for name, make in bombs().items():
        (catalogue / name).write_bytes(make())
        variants[name] = "bomb"
    return variants


def index(catalogue: Path, gallery: Path, *, seconds: float) -> dict[str, Any]:
    """Index them in a child and watch it.

    Raises:
        RuntimeError: if it crashes or takes longer than ``seconds``.
    """
    started = time.monotonic()
    peak = 0
    arguments = ["index", str(catalogue), "--gallery", str(gallery), "--device", "cpu", "--json"]
    path = os.pathsep.join(filter(None, sys.path))
    # Into a file: the report of thousands of failures fills a pipe that nobody reads.
    with tempfile.TemporaryFile("w+") as out, subprocess.Popen(
        [sys.executable, "-m", "nearid_search", *arguments],
        env={**os.environ, "PYTHONPATH": path}, stdout=out, stderr=subprocess.DEVNULL, text=True,
    ) as child:  # fmt: skip
        watched = psutil.Process(child.pid)
        while child.poll() is None:
            if time.monotonic() - started > seconds:
                child.kill()
                raise RuntimeError(f"indexing took longer than {seconds} s")
            try:
                peak = max(peak, watched.memory_info().rss)
                child.wait(0.05)
            except (subprocess.TimeoutExpired, psutil.NoSuchProcess):
                continue
        out.seek(0)
        said = out.read()
    if child.returncode != 0:
        raise RuntimeError(f"indexing ended with {child.returncode}: {said[-500:]}")
    taken = round(time.monotonic() - started, 1)
    return {"exit_code": 0, "seconds": taken, "peak_mib": round(peak / 2**20), "report": json.loads(said)}


def time_each(catalogue: Path, variants: dict[str, str]) -> dict[str, Any]:
    """Decode each alone; return the three that took longest, in seconds.

    Raises:
        RuntimeError: if one takes longer than 30 s.
    """
    seconds = {}
    for name in variants:
        data = (catalogue / name).read_bytes()
        started = time.perf_counter()
        with contextlib.suppress(UnreadableImageError):
            decode_image(data, name=name, min_side=256)
        seconds[name] = round(time.perf_counter() - started, 2)
        if seconds[name] > _ALONE_SECONDS:
            raise RuntimeError(f"{name} took {seconds[name]} s")
    return dict(sorted(seconds.items(), key=lambda found: -found[1])[:3])


if __name__ == "__main__":
    main()
