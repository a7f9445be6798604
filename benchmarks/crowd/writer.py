"""Write to a gallery that others write to as well: correct, index, or tune and rebuild, again and again.

Every line on stdout is one try: what, how it ended ("done", "locked", "refused" or "fault"), and for what was done the
entry of the log that was acknowledged.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nearid_search.cli.app import run
from nearid_search.errors import CorrectionError, GalleryLockedError
from nearid_search.indexer.gallery import Gallery

EXAMPLES = Path(__file__).parents[2] / "examples"
_LOCKED = re.compile(r".+ is being written by (process \d+ on \S+ since \S+|another process): wait for it")
_ACTIONS = {"undo": 0.4, "merge": 0.12, "rename": 0.12, "confirm": 0.12, "reject": 0.12, "remove": 0.12}
_PAUSE = 0.5  # most seconds between two tries


def main() -> None:
    """Write until time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", type=Path)
    parser.add_argument("--what", choices=["correct", "index", "rebuild"], required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    commands = {"correct": _corrections, "index": _indexing, "rebuild": _rebuilding}[options.what]
    Gallery.open(options.shop / "gallery").views()  # libraries are loaded before time counts
    _say({"what": "started"})
    until = time.monotonic() + options.seconds
    for command in commands(options.shop, options.name, rng):
        if time.monotonic() > until:
            break
        _say({"what": " ".join(command[:2]), **_try(command)})
        time.sleep(rng.uniform(0, _PAUSE))


def _try(command: list[str]) -> dict[str, Any]:
    started, printed = time.monotonic(), io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            code = run(["--debug", *command])
    except GalleryLockedError as error:
        outcome = {"outcome": "locked" if _LOCKED.fullmatch(str(error)) else "fault", "error": str(error)}
    except CorrectionError as error:
        outcome = {"outcome": "refused", "error": str(error)}
    except Exception as error:  # noqa: BLE001  (anything else is what is looked for)
        outcome = {"outcome": "fault", "error": f"{type(error).__name__}: {error}"}
    else:
        report = json.loads(printed.getvalue() or "{}")
        outcome = {"outcome": "fault" if code else "done", "entry": report.get("entry"), "said": report.get("what")}
    return outcome | {"seconds": round(time.monotonic() - started, 3)}


def _corrections(shop: Path, name: str, rng: np.random.Generator) -> Iterator[list[str]]:
    number = 0
    while True:
        views = Gallery.open(shop / "gallery").views()
        action = str(rng.choice(list(_ACTIONS), p=list(_ACTIONS.values()))) if len(views) > 2 else "undo"
        first, second = (str(found) for found in rng.choice(sorted(views), 2, replace=len(views) < 2))
        pictures = views[first]
        picture = str(pictures[rng.integers(len(pictures))][0])
        number += 1
        words = {
            "undo": [],
            "merge": [first, second, "--into", second],
            "rename": [first, f"{name} {number}"],
            "confirm": [picture, second],
            "reject": [picture, first],
            "remove": [picture],
        }[action]
        yield ["gallery", action, *words, "--by", name, "--gallery", str(shop / "gallery"), "--json"]


def _indexing(shop: Path, name: str, rng: np.random.Generator) -> Iterator[list[str]]:
    """Put a picture into the catalogue, or take it out, and index."""
    pictures = sorted(EXAMPLES.glob("catalog/pot-blue/*.jpg"))
    folder = shop / "catalog" / f"pot of {name}"
    folder.mkdir()
    while True:
        picture = pictures[rng.integers(len(pictures))]
        if (folder / picture.name).exists():
            (folder / picture.name).unlink()
        else:
            shutil.copy(picture, folder)
        yield ["index", str(shop / "catalog"), "--gallery", str(shop / "gallery"), "--json"]


def _rebuilding(shop: Path, name: str, rng: np.random.Generator) -> Iterator[list[str]]:  # noqa: ARG001
    while True:
        yield ["gallery", "tune", "--gallery", str(shop / "gallery"), "--json"]
        yield ["index", str(shop / "catalog"), "--gallery", str(shop / "gallery"), "--rebuild", "--json"]


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
