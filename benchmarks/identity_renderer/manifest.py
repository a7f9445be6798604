"""What is written down about a set: one row an image, and where everything came from."""

from __future__ import annotations

import importlib.metadata
import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from identity_renderer import album
from identity_renderer.records import FAILED, RECORDS

PACKAGES = ("numpy", "pillow", "PyOpenGL", "mvtb-data", "scikit-image", "pyarrow")
_TEXTS = ("path", "identity", "view", "role", "source", "split", "category", "collection", "mesh", "other")
_ANGLES = {"yaw": "yaw", "elevation": "elevation", "light": "light_azimuth"}
_NUMBERS = (*_ANGLES.values(), "fill", "visible_share", "changed_share", "oracle")
SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXTS]
    + [("look", pa.int32()), ("licence", pa.string()), ("creator", pa.string())]
    + [(name, pa.float32()) for name in _NUMBERS]
    + [("background", pa.string()), ("occluded", pa.bool_()), ("sha256", pa.string())]
)
"""Angles in degrees; ``other`` is the mesh a distractor shows, ``oracle`` 1 minus the changed part's share."""


def versions(renderer: str) -> dict[str, str]:
    """Return the versions of the packages that decide how the pictures look."""
    names = (*PACKAGES, "bpy") if renderer == "cycles" else PACKAGES
    return {name: importlib.metadata.version(name) for name in names}


def write_manifest(out: Path, facts: Mapping[str, object]) -> Counter[str]:
    """Write `manifest.parquet` and `manifest.json` of all identities that are complete.

    Args:
        out: folder of the set.
        facts: how it was made; they stand first in `manifest.json`.

    Returns:
        Number of images by split and role or source, as ``train positive``.
    """
    rows: list[dict[str, object]] = []
    drops: Counter[str] = Counter()
    for path in sorted((out / RECORDS).glob("*.json")):
        record = json.loads(path.read_text())
        rows += map(_with_degrees, record["rows"])
        drops.update(record["drops"])
    rows.sort(key=lambda row: str(row["path"]))
    # Replaced, not written over: a larger set may begin as links to the files of a smaller one.
    partial = out / ".manifest.partial"
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), partial)
    partial.replace(out / "manifest.parquet")
    counts = Counter(f"{row['split']} {row['source'] or row['role']}" for row in rows)
    identities = Counter(split for split, _ in {(str(row["split"]), row["identity"]) for row in rows})
    summary = {
        **facts,
        "identities": dict(sorted(identities.items())),
        "images": dict(sorted(counts.items())),
        "dropped": dict(sorted(drops.items())),
        "failed": [json.loads(path.read_text()) for path in sorted((out / FAILED).glob("*.json"))],
        "photographs": album.SOURCES,
        "meshes": _credits(rows),
    }
    partial.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    partial.replace(out / "manifest.json")
    return counts


def _with_degrees(row: Mapping[str, object]) -> dict[str, object]:
    """Return a record's row with its angles, which are in radians, as the manifest has them."""
    rest = {name: value for name, value in row.items() if name not in _ANGLES}
    angles = {_ANGLES[name]: math.degrees(float(str(value))) for name, value in row.items() if name in _ANGLES}
    return rest | angles


def _credits(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return collection, licence and creator of every mesh that has an identity, once, by name."""
    names = ("mesh", "collection", "licence", "creator")
    found = {str(row["mesh"]): {name: row[name] for name in names} for row in rows}
    return [found[name] for name in sorted(found)]
