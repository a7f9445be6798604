"""Kill one process at one point, look at what it left, have its work go on, and compare the end."""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from killing.cases import Case, Told
from killing.gallery_state import faults_of, leftovers, state_of
from killing.process import NOWHERE, Point, watched
from killing.shop import Shop, Shops


@dataclass(frozen=True)
class Whole:
    """A run that nothing stopped.

    Attributes:
        state: what it left; see ``state_of``.
        changes: how many changes it made below the gallery; 0 if they cannot be counted here.
        seconds: how long it took.
        done: how much it acknowledged.
    """

    state: dict[str, Any]
    changes: int
    seconds: float
    done: int


@dataclass(frozen=True)
class Trial:
    """What came of one point.

    Attributes:
        killed: whether the process was still running there.
        done: how much it had acknowledged.
        lost: how much of that was not on disk.
        go_on_s: seconds that it took to do what was left.
        faults: everything that was wrong; none means it was survived.
    """

    killed: bool
    done: int
    lost: int
    go_on_s: float
    faults: tuple[str, ...]


def run_whole(case: Case, shops: Shops, scratch: Path) -> Whole:
    """Run a process that nothing stops.

    Args:
        case: which.
        shops: the states to start from.
        scratch: a folder that is not there yet; it is gone afterwards.

    Raises:
        RuntimeError: if it fails.
    """
    shop = case.start(shops).copy(scratch)
    try:
        started = time.perf_counter()
        with watched(case.command(shop), shop.gallery, NOWHERE) as run:
            told = case.drive(run, shop)
            seconds, changes = time.perf_counter() - started, run.changes
            complaint = "".join(run.stderr)
        case.look(told, shop, shops)
        faults = [*told.faults, *faults_of(shop.gallery, shops.queries(shop.gallery)), *leftovers(shop.gallery)]
        if run.process.returncode not in (0, -signal.SIGKILL) or faults:
            raise RuntimeError(f"{case.name} was not stopped and ended badly: {faults} {complaint}")
        return Whole(state_of(shop.gallery, shops.queries(shop.gallery)), changes, seconds, told.done)
    finally:
        shutil.rmtree(shop.folder)


def run_trial(case: Case, point: Point, whole: Whole, shops: Shops, scratch: Path) -> Trial:
    """Kill a process at a point and see what becomes of its work.

    Args:
        case: which process.
        point: where.
        whole: the run that nothing stopped.
        shops: the states to start from.
        scratch: a folder that is not there yet; it is gone afterwards, unless something was wrong.
    """
    shop = case.start(shops).copy(scratch)
    with watched(case.command(shop), shop.gallery, point) as run:
        told = case.drive(run, shop)
        # The service does not end by itself; it has survived its point once everything is answered.
        killed = run.process.poll() == -signal.SIGKILL or told.done < whole.done
    try:
        seconds = _see_and_go_on(case, told, whole, shops, scratch)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what the kill has led to)
        told.faults.append(f"{type(error).__name__}: {error}")
        seconds = 0.0
    if not told.faults:
        shutil.rmtree(shop.folder)
    return Trial(killed, told.done, told.lost, seconds, tuple(told.faults))


def _see_and_go_on(case: Case, told: Told, whole: Whole, shops: Shops, scratch: Path) -> float:
    shop = Shop(scratch)
    if shop.gallery.exists():
        told.faults += faults_of(shop.gallery, shops.queries(shop.gallery))
        case.look(told, shop, shops)
    started = time.perf_counter()
    case.go_on(told, shop, shops)
    seconds = time.perf_counter() - started
    compared = {part: value for part, value in whole.state.items() if part not in case.not_compared}
    told.faults += differences(compared, state_of(shop.gallery, shops.queries(shop.gallery)))
    told.faults += [f"{name} is left over" for name in leftovers(shop.gallery)]
    return seconds


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Say in a line each in which parts two states differ."""
    return [f"{part} differ: {_first(wanted[part], found[part])}" for part in wanted if wanted[part] != found[part]]


def _first(wanted: Any, found: Any) -> str:  # noqa: ANN401  (parts of a state)
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            return f"{len(found)} instead of {len(wanted)}"
        wanted, found = next((a, b) for a, b in zip(wanted, found, strict=True) if a != b)
    return f"{str(found)[:300]} instead of {str(wanted)[:300]}"
