"""What happens when several processes write to one gallery and several read it, all at once?

Four writers (two that correct, one that indexes a catalogue it keeps changing, one that tunes and rebuilds in turn) and
four readers work on one gallery for a minute. After a third of that a writer that corrects is killed with SIGKILL and
another takes its place. Writers must wait or be refused in one clear line; every reader must see tables, search index
and corrections of one moment; in the end every correction that was acknowledged is in the log, once.

    python benchmarks/many_processes.py --seconds 60
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from killing.gallery_state import faults_of, leftovers
from killing.shop import Shop, Shops, succeed
from record import load_average, write_result

from nearid_search.indexer.corrections.log import CorrectionLog

_CROWD = Path(__file__).parent / "crowd"
WRITERS = ("correct", "correct", "index", "rebuild")
_TO_END = 120  # seconds that a process may take to end what it has begun


@dataclass
class Member:
    """One process and the lines that it has written so far."""

    role: str
    command: list[str]
    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    thread: threading.Thread | None = None

    def read(self) -> None:
        """Read its lines until it ends."""
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(json.loads(line))


def main() -> None:
    """Run the crowd and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    load_before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        shops = Shops(Path(folder) / "shops")
        shop = shops.indexed.copy(Path(folder) / "shop")
        measured = run_crowd(shop, shops, WRITERS, options.readers, seconds=options.seconds, seed=options.seed)
    write_result("many_processes", {"seconds": options.seconds, **measured}, load_before=load_before)
    sys.exit(bool(measured["faults"]))


def run_crowd(
    shop: Shop, shops: Shops, writers: Sequence[str], readers: int, *, seconds: float, seed: int
) -> dict[str, Any]:
    """Have processes write and read at the same time, one of which is killed, and see what is left.

    Args:
        shop: a catalogue with its gallery, to be written to.
        shops: where questions come from.
        writers: what each does, see ``crowd.writer``; the first is killed.
        readers: how many.
        seconds: how long, from when the last of them has begun.
        seed: of what the writers do.

    Returns:
        Counts, and everything that was wrong.
    """
    crowd = [_writer(shop, what, number, seconds, seed) for number, what in enumerate(writers)]
    crowd += [_start("read", "reader.py", str(shop.gallery), "--seconds", str(seconds)) for _ in range(readers)]
    while not all(member.lines or member.process.poll() is not None for member in crowd):
        time.sleep(0.05)
    time.sleep(seconds / 3)
    _kill(crowd[0])
    crowd.append(_writer(shop, writers[0], len(writers), seconds / 2, seed))
    for member in crowd:
        member.process.wait(seconds + _TO_END)
        assert member.thread is not None
        member.thread.join()
    faults = [f"{m.role}: {line}" for m in crowd for line in m.lines if line.get("faults") or _is_fault(line)]
    faults += [f"{m.role} ended with {m.process.returncode}" for m in crowd[1:] if m.process.returncode != 0]
    faults += check_log(shop, [member for member in crowd if member.role == "correct"])
    faults += faults_of(shop.gallery, shops.queries(shop.gallery))
    succeed(shop.index())
    faults += [*faults_of(shop.gallery, shops.queries(shop.gallery)), *leftovers(shop.gallery)]
    return {**count(crowd), "faults": faults}


def check_log(shop: Shop, writers: Sequence[Member]) -> list[str]:
    """Compare the log with what was acknowledged; of the killed writer, the first, one more may be in it.

    Args:
        shop: the gallery.
        writers: those that corrected.
    """
    acknowledged = {
        line["entry"]: line["said"] for member in writers for line in member.lines if line.get("entry") is not None
    }
    logged = {entry.number: entry.what for entry in CorrectionLog(shop.gallery).entries}
    faults = [
        f"entry {number} was acknowledged as {said!r}, the log has {logged.get(number)!r}"
        for number, said in acknowledged.items()
        if logged.get(number) != said
    ]
    unsaid = sorted(logged.keys() - acknowledged.keys())
    if len(unsaid) > 1:
        faults.append(f"entries {unsaid} were never acknowledged")
    return faults


def count(crowd: Sequence[Member]) -> dict[str, Any]:
    """Return what the processes did, by role."""
    found: dict[str, Any] = {}
    for role in dict.fromkeys(member.role for member in crowd):
        members = [member for member in crowd if member.role == role]
        lines = [line for member in members for line in member.lines if line["what"] != "started"]
        if role == "read":
            states = {(line.get("tables"), line.get("version")) for line in lines}
            overtaken = sum(line.get("overtaken", False) for line in lines)
            found[role] = {"processes": len(members), "times": len(lines), "different_states": len(states)}
            # Those that were told that a rebuild had deleted the tables that they were reading.
            found[role]["overtaken"] = overtaken
            continue
        outcomes = Counter(line["outcome"] for line in lines)
        longest = max((line["seconds"] for line in lines if line["outcome"] == "done"), default=0.0)
        found[role] = {"processes": len(members), **dict(sorted(outcomes.items())), "longest_s": longest}
    return found


def _is_fault(line: dict[str, Any]) -> bool:
    return bool(line.get("outcome") == "fault")


def _writer(shop: Shop, what: str, number: int, seconds: float, seed: int) -> Member:
    own_seed = int(np.random.default_rng((seed, number)).integers(2**31))
    named = ["--what", what, "--seed", str(own_seed), "--seconds", str(seconds), "--name", f"writer {number}"]
    return _start(what, "writer.py", str(shop.folder), *named)


def _start(role: str, program: str, *arguments: str) -> Member:
    command = [sys.executable, str(_CROWD / program), *arguments]
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=pipe, stderr=nothing, text=True, env={**os.environ, **paths})
    member = Member(role, command, process)
    member.thread = threading.Thread(target=member.read, daemon=True)
    member.thread.start()
    return member


def _kill(member: Member) -> None:
    """Kill a writer, while it writes if it does so soon."""
    for _ in range(200):
        if f'"pid": {member.process.pid},' in _note(member):
            break
        time.sleep(0.005)
    member.process.kill()


def _note(member: Member) -> str:
    shop = Path(member.command[2])
    try:
        return (shop / "gallery/writer.json").read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
