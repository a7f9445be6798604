"""Read a gallery that others write to, again and again, and check each time that all that was read belongs together.

The tables, the manifest, the search index and the log of corrections are read one after another; a reader must see
one state of them. Where a rebuild deletes the tables between opening and reading, the engine must answer from those
that took their place, and whoever reads the tables themselves must be told so. Every line on stdout is one time: the
version read, what was wrong, and whether a rebuild came in between.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from killing.gallery_state import MAY_BE_TOLD

from nearid_search.engine import SearchEngine
from nearid_search.errors import GalleryReplacedError
from nearid_search.indexer.schema import CATALOGUE_IDENTITY

_TOLERANCE = 1e-6
_PAUSE = 0.1  # seconds between two looks, so that there is time left for those who write


def main() -> None:
    """Read until time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gallery", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    SearchEngine.open(options.gallery, encode=False)  # libraries are loaded before time counts
    _say({"what": "started"})
    until = time.monotonic() + options.seconds
    while time.monotonic() < until:
        told: list[str] = []
        faults: list[str] = []
        read: dict[str, Any] = {}
        try:
            engine = SearchEngine.open(options.gallery, encode=False, on_warning=told.append)
            read = {"tables": engine.rows.tables, "version": engine.rows.lance_version}
            faults += engine.ask(_check_condition)
            faults += check(engine.in_force)
        except GalleryReplacedError:
            read["overtaken"] = True
        except Exception as error:  # noqa: BLE001  (whatever it is, a reader must not meet it)
            faults.append(f"{type(error).__name__}: {error}")
        faults += [line for line in told if not any(known in line for known in MAY_BE_TOLD)]
        _say({"what": "read", **read, "told": len(told), "faults": faults})
        time.sleep(_PAUSE)


def check(engine: SearchEngine) -> Iterator[str]:
    """Yield in what a gallery that was opened disagrees with itself."""
    columns = ["path", "identity", CATALOGUE_IDENTITY]
    rows = engine.gallery.store.image_table(columns).to_pylist()
    keys = [row["key"] for row in rows]
    if len(set(keys)) < len(keys):
        yield f"{len(keys) - len(set(keys))} keys are there twice"
    if [engine.rows.key(number) for number in range(len(engine.rows))] != keys:
        yield "the rows that are searched are not those of the table"
    corrections = engine.gallery.corrections_that_hold()
    for number, row in enumerate(rows):
        wanted = corrections.identity_of(row["key"], row[CATALOGUE_IDENTITY], row["path"])
        if row["identity"] != wanted or engine.enrolled.identity_at(number) != wanted:
            found = f"{row['identity']!r}, {engine.enrolled.identity_at(number)!r} where it is searched"
            yield f"{row['path']} is {found}, and the log says {wanted!r}"
    yield from _check_answers(engine, rows)


def _check_condition(engine: SearchEngine) -> list[str]:
    """A condition that holds for every image, which takes a look into the tables."""
    allowed = engine.enrolled.allowed("key IS NOT NULL")
    found = 0 if allowed is None else len(allowed)
    return [] if found == len(engine.rows) else [f"a condition holds for {found} of {len(engine.rows)} images"]


def _check_answers(engine: SearchEngine, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Ask about some of the stored views; the answers are those of the plain products of all vectors."""
    vectors = engine.rows.vectors.astype(np.float64)
    asked = np.linspace(0, len(rows) - 1, 5).astype(int)
    labels = [str(number) for number in asked]
    for number, answer in zip(asked, engine.answer_many(engine.rows.vectors[asked], labels=labels), strict=True):
        best = (vectors @ vectors[number]).max()
        own = rows[number]
        if abs(answer.matches[0].score - best) > _TOLERANCE or answer.matches[0].identity != own["identity"]:
            yield f"{own['path']} was answered with {answer.matches[0]}, and the best score is {best}"


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
