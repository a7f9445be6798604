"""Damage every file of a gallery in turn: does it answer as before, or say what is damaged, and can it be mended?

python benchmarks/damage_sweep.py
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from asked_gallery import REFUSED, answers, make_gallery
from record import load_average, write_result

from nearid_search.config import CalibrateConfig, EncoderConfig, QueryConfig, TuneConfig
from nearid_search.encoder import open_encoder
from nearid_search.engine import SearchEngine
from nearid_search.eval.calibrate import calibrate_gallery
from nearid_search.eval.rerank_tuning import tune_rerank
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.care.checksums import read_again
from nearid_search.indexer.care.repair import repair_gallery
from nearid_search.indexer.care.verify import verify_gallery
from nearid_search.indexer.gallery import Gallery

SECONDS_A_CASE = 120  # one that takes longer hangs
DIFFERENT = ("different", "crashed", "hung")
"""What must never happen: another answer without a word, an error that is not ours, no end."""


@dataclass(frozen=True)
class Damage:
    """A file with its content cut off (``flip`` is None) or one byte changed, at a place."""

    file: str
    place: int
    flip: int | None

    def apply(self, folder: Path) -> None:
        """Do it; the file's times stay, as where a disk fails."""
        path = folder / self.file
        content, status = path.read_bytes(), path.stat()
        rest = b"" if self.flip is None else bytes([content[self.place] ^ self.flip]) + content[self.place + 1 :]
        path.write_bytes(content[: self.place] + rest)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@contextlib.contextmanager
def damaged(folder: Path, damage: Damage) -> Iterator[None]:
    """Damage a file and put it back."""
    path = folder / damage.file
    content, status = path.read_bytes(), path.stat()
    damage.apply(folder)
    try:
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def outcome(folder: Path, queries: Any, expected: dict[str, Any]) -> str:  # noqa: ANN401
    """Ask a damaged gallery; say what came of it."""
    read_again()  # as a process does that has just begun
    with warnings.catch_warnings(record=True) as told, limited():
        warnings.simplefilter("always")
        try:
            seen = answers(folder, queries)
        except TimeoutError:
            return "hung"
        except BaseException as error:  # a panic of Lance's is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            return f"crashed ({type(error).__name__}: {str(error)[:80]})"
    changed = [name for name in expected if seen[name] != expected[name]]
    refused = [name for name in changed if seen[name] == REFUSED]
    if changed == refused:
        words = "refused: " + ", ".join(refused) if refused else "same"
        return words + (", told" if told else "")
    return ("told" if told else "different") + ": " + ", ".join(name for name in changed if name not in refused)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Interrupt what hangs."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_A_CASE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def cases(folder: Path, rng: random.Random, *, flips: int, cuts: int) -> list[Damage]:
    """Choose the damages: places of every file that is not empty."""
    chosen = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size):
        name, size = path.relative_to(folder).as_posix(), path.stat().st_size
        places = rng.sample(range(size), min(size, flips))
        chosen += [Damage(name, place, rng.choice((1, 32, 128, 255))) for place in sorted(places)]
        lengths = {0, size - 1, *rng.sample(range(size), min(size, cuts))}
        chosen += [Damage(name, length, None) for length in sorted(lengths)[:cuts]]
    return chosen


def mended(folder: Path, damage: Damage, queries: Any, expected: dict[str, Any], encoder: ImageEncoder) -> str:  # noqa: ANN401
    """Repair a copy of the gallery with the damage; say what came of it."""
    with tempfile.TemporaryDirectory(dir=folder.parent.parent) as temporary:
        copy = Path(temporary) / folder.parent.name
        shutil.copytree(folder.parent, copy)
        damage.apply(copy / folder.name)
        with limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = repair_gallery(copy / folder.name, encoder=encoder)
        known = {name: value for name, value in expected.items() if name != "past" or report.rescued is None}
        result = outcome(copy / folder.name, queries, known)
        if not report.whole:
            lost = [] if report.rescued is None else report.rescued.lost
            return f"in part: {len(report.remaining)} findings remain, {len(lost)} images lost"
        without = [*report.anew, *(["restore points"] if report.rescued is not None else [])]
        return result + (f", without {', '.join(without)}" if without else "")


def kind_of(name: str) -> str:
    """Return what a file is, for the counts."""
    parts = Path(name).parts
    if parts[0].startswith("tables"):
        return f"tables/{parts[1]}/{parts[2]}"
    return f"{parts[0].split('-')[0]}/{Path(name).suffix or Path(name).name}" if len(parts) > 1 else name


def sweep(folder: Path, encoder: ImageEncoder, chosen: list[Damage], *, repairs: int) -> dict[str, Any]:
    """Try every damage; repair the gallery after the first few of each file.

    Args:
        folder: the gallery's folder.
        encoder: the gallery's.
        chosen: the damages.
        repairs: how many of each file are repaired as well.
    """
    queries = encoder.encode(sorted((folder.parent / "catalog").glob("*.png"))[:4])
    expected = answers(folder, queries)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    repaired: dict[str, Counter[str]] = defaultdict(Counter)
    wrong, tried = [], Counter[str]()
    for number, damage in enumerate(chosen, start=1):
        with damaged(folder, damage):
            result = outcome(folder, queries, expected)
            found = bool(verify_gallery(folder).damaged)
        kind = kind_of(damage.file)
        counts[kind][f"{result}; {'found' if found else 'not found'} by verify"] += 1
        if result.startswith(DIFFERENT):
            wrong.append([damage.file, damage.place, damage.flip, result])
        if found and tried[damage.file] < repairs:
            tried[damage.file] += 1
            repaired[kind][mended(folder, damage, queries, expected, encoder)] += 1
        if number % 50 == 0:
            print(f"{number} of {len(chosen)}", flush=True)
    return {
        "files": len({damage.file for damage in chosen}),
        "damages": len(chosen),
        "truncated": sum(damage.flip is None for damage in chosen),
        "flipped": sum(damage.flip is not None for damage in chosen),
        "silently_different_crashed_or_hung": wrong,
        "outcomes": {kind: dict(sorted(counter.items())) for kind, counter in sorted(counts.items())},
        "repaired": {kind: dict(sorted(counter.items())) for kind, counter in sorted(repaired.items())},
    }


def fingerprint(folder: Path) -> str:
    """Return a digest of every file, to see that a sweep has put all back."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


def main() -> None:
    """Make a gallery, damage it, write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=6, help="bytes flipped a file")
    parser.add_argument("--cuts", type=int, default=4, help="truncations a file")
    parser.add_argument("--repairs", type=int, default=2, help="damages a file that are repaired as well")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    load, started = load_average(), time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        encoder = open_encoder(EncoderConfig(device="cpu", dtype="float32"))
        folder = make_gallery(Path(temporary) / "shop", encoder, things=24, views=2)
        calibrate_gallery(Gallery.open(folder), CalibrateConfig(fpir=0.2))
        tune_rerank(
            SearchEngine(Gallery.open(folder), None, rerank="none"), TuneConfig(), budget_ms=QueryConfig.rerank_ms
        )
        before = fingerprint(folder)
        chosen = cases(folder, random.Random(options.seed), flips=options.flips, cuts=options.cuts)  # noqa: S311
        measured = sweep(folder, encoder, chosen, repairs=options.repairs)
        assert fingerprint(folder) == before
    seconds = round(time.perf_counter() - started)
    write_result("damage_sweep", {"seed": options.seed, **measured, "seconds": seconds}, load_before=load)


if __name__ == "__main__":
    main()
