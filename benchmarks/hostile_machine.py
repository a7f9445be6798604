"""What is lost when the disk is full or memory is short? Nothing, and one line says what happened.

Every command that writes is given a disk with so many bytes free, in a process of its own. It must succeed or end with
one line and exit code 1; the gallery must be as it was or as it should be; and the same command, given again with room,
must lead to where a run without trouble leads. Then commands run under caps on the memory of their process.

    python benchmarks/hostile_machine.py            (needs the right to mount a file system in memory)
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from record import load_average, write_result

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the small disk, and pictures that are drawn

from catalogues import draw
from full_disk import SmallDisk, small_disk

from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.gallery import Gallery

IDENTITIES, VIEWS = 21, 2  # calibrating takes twenty
DISK = 2**25
LEFT = (0, 300, 4_096, 8_192, 16_384, 32_768, 65_536)
ADDRESS_SPACE = (2**30, 2**31, 2**32, 9 * 2**29, 5 * 2**30, 6 * 2**30, 2**33)
COMMANDS: dict[str, tuple[str, ...]] = {
    "index": ("index", "catalogue"),
    "rebuild": ("index", "catalogue", "--rebuild"),
    "rename": ("gallery", "rename", "thing-3", "other"),
    "merge": ("gallery", "merge", "thing-1", "thing-2", "--into", "thing-1"),
    "remove": ("gallery", "remove", "catalogue/thing-5/0.png"),
    "confirm": ("gallery", "confirm", "new.png", "thing-3"),
    "tag": ("gallery", "tag", "today"),
    "tune": ("gallery", "tune", "--queries", "10"),
    "calibrate": ("calibrate",),
    "export": ("gallery", "export", "out.parquet"),
    "table": ("gallery", "export", "out.csv", "--what", "images"),
    "fiftyone": ("gallery", "export", "samples", "--what", "fiftyone"),
    "page": ("gallery", "suggest", "--html", "doubts.html"),
}

Run = Callable[[Sequence[str]], tuple[int, str]]


class Attempt(NamedTuple):
    """One command on a full disk.

    Attributes:
        code: its exit code.
        said: what it printed on stderr.
        fault: what was not as it should be; empty if nothing.
    """

    code: int
    said: str
    fault: str


def prepare(home: Path) -> None:
    """Make a catalogue, its gallery with a search index, and then some files that have not been indexed yet."""
    for identity in range(IDENTITIES):
        for view in range(VIEWS):
            draw(home / f"catalogue/thing-{identity}/{view}.png", VIEWS * identity + view)
    code, said = in_a_child(home)(("index", "catalogue", "--backend", "hnsw-sq8"))
    if code:
        raise RuntimeError(said)
    draw(home / "catalogue/thing-3/2.png", 1_000)
    draw(home / "catalogue/thing-4/0.png", 1_001)
    (home / "catalogue/thing-6/0.png").unlink()
    draw(home / "new.png", 1_002)


def in_a_child(home: Path, *, cap: int | None = None) -> Run:
    """Return what runs a command in a process of its own, standing in a folder; ``cap``: bytes of address space."""
    limit = "" if cap is None else f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({cap}, {cap})); "
    program = f"{limit}import runpy; runpy.run_module('nearid_search', run_name='__main__', alter_sys=True)"

    def run(arguments: Sequence[str]) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=home,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stderr

    return run


def state(gallery: Path) -> dict[str, Any]:
    """Return all that a gallery answers from and is to remember."""
    opened = Gallery.open(gallery)
    rows = opened.store.image_table(["path", "identity", "embedding"]).to_pylist()
    kept = [(row["key"], row["path"], row["identity"], _digest(row["embedding"])) for row in rows]
    ledger = sorted(tuple(record)[:1] + tuple(record)[3:] for record in opened.store.ledger())
    # Confirming what was confirmed already adds a line that changes nothing.
    entries = dict.fromkeys((entry.action, entry.what) for entry in CorrectionLog(gallery).entries)
    return {"rows": kept, "ledger": ledger, "log": list(entries)}


def _digest(values: list[float]) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()


def expected(home: Path, scratch: Path, name: str, run: Callable[[Path], Run]) -> dict[str, Any]:
    """Return the state that a command leads to where nothing is in its way."""
    there = scratch / name
    shutil.copytree(home, there)
    code, said = run(there)(COMMANDS[name])
    if code:
        raise RuntimeError(f"{name}: {said}")
    return state(there / ".nearid")


def attempt(
    home: Path, disk: SmallDisk, name: str, left: int, after: dict[str, Any], run: Callable[[Path], Run]
) -> Attempt:
    """Give a command a disk with so many bytes left, then room, and look at what becomes of the gallery."""
    there = disk.folder / "home"
    shutil.copytree(home, there)
    before = state(there / ".nearid")
    disk.fill(left)
    code, said = run(there)(COMMANDS[name])
    fault = _fault(code, said)
    found = state(there / ".nearid")
    if not fault and found["log"] not in (before["log"], after["log"]):
        fault = "the log holds something else"
    if not fault and not {row[0] for row in before["rows"]} & {row[0] for row in after["rows"]} <= {
        row[0] for row in found["rows"]
    }:
        fault = "rows are lost"
    disk.free()
    again, complaint = run(there)(COMMANDS[name]) if code else (0, "")
    # A correction whose line is in the log was made: the same one cannot be made again, but is carried out.
    if not fault and again and len(found["log"]) == len(before["log"]):
        fault = f"cannot be given again: {complaint}"
    if not fault and state(there / ".nearid") != after:
        fault = "the gallery is not as after a run without trouble"
    shutil.rmtree(there)
    return Attempt(code, said, fault)


def _fault(code: int, said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if code not in (0, 1):
        return f"exit code {code}"
    if code == 1 and (len(errors) != 1 or "Traceback" in said or not said.rstrip().endswith(errors[0])):
        return f"not one line: {said[-300:]}"
    return ""


def main() -> None:
    """Try all of it and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    options = parser.parse_args()
    load = load_average()
    full: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch, small_disk(Path(scratch) / "disk", size=DISK) as disk:
        home = Path(scratch) / "home"
        prepare(home)
        for name in options.commands:
            after = expected(home, Path(scratch), name, in_a_child)
            tried = {left: attempt(home, disk, name, left, after, in_a_child) for left in LEFT}
            full[name] = {
                "tried": len(tried),
                "refused_in_one_line": sum(found.code == 1 and not found.fault for found in tried.values()),
                "done": sum(found.code == 0 and not found.fault for found in tried.values()),
                "faults": {str(left): found.fault for left, found in tried.items() if found.fault},
            }
            print(name, full[name], file=sys.stderr)
        capped = [_capped(home, cap, name) for cap in ADDRESS_SPACE for name in ("index", "export", "calibrate")]
    measured = {
        "disk": full,
        "disk_attempts": sum(found["tried"] for found in full.values()),
        "disk_faults": sum(len(found["faults"]) for found in full.values()),
        "memory": capped,
        "memory_faults": sum(bool(found["fault"]) for found in capped),
    }
    write_result("hostile_machine", measured, load_before=load)


def _capped(home: Path, cap: int, name: str) -> dict[str, Any]:
    there = home.parent / "capped"
    shutil.copytree(home, there)
    code, said = in_a_child(there, cap=cap)(COMMANDS[name])
    fault = _fault(code, said)
    again, complaint = in_a_child(there)(COMMANDS[name]) if code else (0, "")
    shutil.rmtree(there)
    return {
        "address_space_gib": round(cap / 2**30, 1),
        "command": name,
        "code": code,
        "fault": fault or (complaint if again else ""),
    }


if __name__ == "__main__":
    main()
