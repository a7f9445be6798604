"""Does a killed process lose anything, or leave anything behind?

Starts real processes (`index` from nothing, `index` after changes, `index --rebuild`, `gallery merge`, `gallery tune`,
`gallery migrate`, and `serve` while somebody enrols and corrects over HTTP), kills each with SIGKILL at a seeded random
point, has its work go on, and compares the end with a run that nothing stopped: rows, embeddings, content keys, ledger,
corrections, search index and the answers to some queries, scores included. A point is a moment of the run or, where a C
compiler is at hand, one of the changes that the process makes below the gallery's folder: the process dies before that
change, or in the middle of it if it is a write. A run that is stopped goes on when the command is given again.

    python benchmarks/kill_points.py --points 60 --work /tmp/kill-points
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from killing.cases import Case, Indexing, Merging, Migrating, Tuning
from killing.process import Point, can_count
from killing.serving import Serving
from killing.shop import Shops
from killing.trial import Trial, Whole, run_trial, run_whole
from record import load_average, write_result

CASES: tuple[Case, ...] = (
    Indexing("index", fresh=True),
    Merging(),
    Tuning(),
    Serving(),
    Indexing("index again"),
    Indexing("index --rebuild", "--rebuild"),
    Migrating(),
)
_BY_TIME = 1 / 3  # share of the points that are moments


def main() -> None:
    """Kill and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=60, help="for each kind of process")
    parser.add_argument("--minutes", type=float, default=math.inf, help="for all of it; what is left goes on next time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True, help="folder for copies, and for what has been done")
    parser.add_argument("--kinds", nargs="+", default=[case.name for case in CASES], help="of process, by name")
    options = parser.parse_args()
    load_before = load_average()
    options.work.mkdir(parents=True, exist_ok=True)
    work = options.work.resolve()  # changes are told by their paths, which must have no ".." and no link
    shops = Shops(work / "shops")
    kinds = {}
    for number, case in enumerate(CASES):
        if case.name in options.kinds:
            rng = np.random.default_rng((options.seed, number))
            until = time.monotonic() + 60 * options.minutes / len(options.kinds)
            kinds[case.name] = measure(case, options.points, rng, shops, work, until=until)
    total = sum(kind["killed"] for kind in kinds.values())
    survived = sum(kind["survived"] for kind in kinds.values())
    measured = {"seed": options.seed, "killed": total, "survived": survived, "kinds": kinds}
    write_result("kill_points", measured, load_before=load_before)


def measure(
    case: Case, count: int, rng: np.random.Generator, shops: Shops, work: Path, *, until: float = math.inf
) -> dict[str, Any]:
    """Kill one kind of process at many points; those that an earlier run has done are not done again.

    Args:
        case: the kind.
        count: how many points.
        rng: chooses them.
        shops: the states to start from.
        work: folder for copies and for the list of what has been done.
        until: no point is begun after this reading of the monotonic clock.
    """
    name = case.name.replace(" ", "_")
    whole = run_whole(case, shops, work / f"{name}-whole")
    if can_count() and not whole.changes:
        raise RuntimeError(f"{case.name} changed nothing below {work}: the C library that counts is not at work")
    done_file = work / f"{name}.jsonl"
    done = [json.loads(line) for line in done_file.read_text().splitlines()] if done_file.exists() else []
    for number, point in enumerate(choose_points(whole, count, rng)):
        if number < len(done):
            continue
        if time.monotonic() > until:
            break
        started = time.perf_counter()
        trial = run_trial(case, point, whole, shops, work / f"{name}-{number}")
        done.append({**asdict(point), **asdict(trial)})
        with done_file.open("a") as file:
            file.write(json.dumps(done[-1]) + "\n")
        print(f"{case.name} {number + 1}/{count} {time.perf_counter() - started:.1f} s: {point} {trial}", flush=True)
    return summarize_trials(whole, done)


def choose_points(whole: Whole, count: int, rng: np.random.Generator) -> list[Point]:
    """Choose points of a run: a third of them moments, the others changes, all different as long as there are any.

    Args:
        whole: the run.
        count: how many.
        rng: chooses.
    """
    moments = count if not whole.changes else max(round(_BY_TIME * count), count - whole.changes)
    changes = 1 + rng.permutation(whole.changes)[: count - moments]
    seconds = rng.uniform(0, whole.seconds, moments)
    points = [*(Point(change=int(number)) for number in changes), *(Point(seconds=float(at)) for at in seconds)]
    return [points[place] for place in rng.permutation(count)]  # a run that is stopped has been everywhere


def summarize_trials(whole: Whole, trials: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return counts of trials, each as a dictionary of its point and its ``Trial``."""
    killed = [trial for trial in trials if trial["killed"]]
    seconds = [trial["go_on_s"] for trial in killed] or [0.0]
    return {
        "points": len(trials),
        "by_change": sum(trial["change"] is not None for trial in trials),
        "changes_of_a_whole_run": whole.changes,
        "acknowledged_by_a_whole_run": whole.done,
        "whole_run_s": round(whole.seconds, 2),
        "killed": len(killed),
        "survived": sum(not trial["faults"] for trial in killed),
        "most_lost": max((trial["lost"] for trial in trials), default=0),
        "to_go_on_s": {"median": round(float(np.median(seconds)), 2), "most": round(max(seconds), 2)},
        "faults": [
            {"change": t["change"], "seconds": t["seconds"], "faults": t["faults"]} for t in trials if t["faults"]
        ],
    }


if __name__ == "__main__":
    main()


__all__ = ["CASES", "Trial", "choose_points", "measure", "summarize_trials"]
