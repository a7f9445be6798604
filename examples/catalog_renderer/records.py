"""What is written down beside the pictures: tables, truth, attribution and the manifest."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from catalog_renderer.objects import OBJECTS, STRANGER
from catalog_renderer.plan import Query, Shot
from catalog_renderer.scenes import CATALOG_SCENES, QUERY_SCENES, SURFACES
from catalog_renderer.sources import PHOTO_LICENCE, Sources, versions

PAGES = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "MIT": "https://opensource.org/license/mit",
}


def write_tables(root: Path, shots: list[Shot], queries: list[Query]) -> None:
    """Write `catalog.csv` (paths relative to `catalog/`) and `queries/truth.csv` (relative to `queries/`)."""
    rows = [
        (shot.path.removeprefix("catalog/"), thing.identity, thing.category, thing.colour, thing.collection)
        for shot in shots
        for thing in (shot.thing,)
    ]
    _write_csv(root / "catalog.csv", ("path", "identity", "category", "colour", "collection"), rows)
    truth = [(query.shot.path.removeprefix("queries/"), query.identity, query.note) for query in queries]
    _write_csv(root / "queries" / "truth.csv", ("path", "identity", "note"), truth)


def _write_csv(path: Path, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def write_attribution(path: Path, sources: Sources) -> None:
    """Write who made every model, texture and photograph, and under which licence."""
    lines = [
        "# Attribution",
        "",
        "Written by `examples/render_catalog.py`. The pictures in `catalog/` and `queries/` were rendered from the",
        "works below; models were scaled, lit and, where the table says so, recoloured.",
        "",
        "## Models (Debian package `sweethome3d-furniture`)",
        "",
        "| identity | model | author | licence | archive | changes |",
        "|---|---|---|---|---|---|",
    ]
    for thing in (*OBJECTS, STRANGER):
        model = sources.model(thing)
        changes = "recoloured" if thing.recolour else ""
        source = f"`{thing.archive}.sh3f` no. {thing.model}"
        lines.append(
            f"| {thing.identity} | {model.name} | {model.creator} | {_link(model.licence)} | {source} | {changes} |"
        )
    lines += ["", "## Photographs (PyPI package `mvtb-data`, licence as its metadata states)", ""]
    lines += ["| background | file | package | licence |", "|---|---|---|---|"]
    lines += [
        f"| {scene.name} | `mvtbdata/images/{scene.photo}` | mvtb-data (Peter Corke) | {_link(PHOTO_LICENCE)} |"
        for scene in (*CATALOG_SCENES, *QUERY_SCENES)
    ]
    lines += ["", "## Surfaces", "", "| surface | file | package | licence |", "|---|---|---|---|"]
    for name, surface in SURFACES.items():
        package = "sweethome3d-furniture" if "!" in surface.source else "scikit-image"
        lines.append(f"| {name} | `{surface.source}` | {package} | {_link(surface.licence)} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _link(licence: str) -> str:
    return f"[{licence}]({PAGES[licence]})"


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_manifest(path: Path, seed: int, command: str, shots: list[Shot], sources: Sources) -> None:
    """Write everything that decides the pictures, and what came out.

    Args:
        path: The manifest; shots' paths are relative to its folder.
        seed: Seed of the plan.
        command: The command line that was given.
        shots: Every shot, queries included; their files exist.
        sources: Where the models are.
    """
    archives = sorted({shot.thing.archive for shot in shots})
    manifest = {
        "command": command,
        "seed": seed,
        "packages": versions(),
        "renderer": "Blender Cycles (CPU)",
        "sources": {f"{stem}.sh3f": sha256(sources.archive(stem)) for stem in archives},
        "images": [shot.parameters() | {"sha256": sha256(path.parent / shot.path)} for shot in shots],
    }
    path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
