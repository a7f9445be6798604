"""Make the images follow the ledger: what moved, was relabelled or is gone.

Said once and declaratively (an image stays while a file has its content, an imported embedding always), so it also
mends what a crash left half done. Images that no answer shows follow the ledger as well, so that a later word of the
catalogue, or an undo, finds them as they should be.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any

from nearid_search.indexer.catalogue.labels import Label
from nearid_search.indexer.catalogue.survey import Survey
from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.image_rows import change_rows, delete_rows
from nearid_search.indexer.rows import FileRecord
from nearid_search.indexer.schema import CATALOGUE_IDENTITY
from nearid_search.indexer.store import GalleryStore


@dataclass(frozen=True)
class Reconciled:
    """What was brought in line.

    Attributes:
        relabelled: keys whose path, identity or metadata changed.
        removed: keys taken out.
    """

    relabelled: frozenset[str]
    removed: frozenset[str]


def reconcile_images(
    store: GalleryStore, survey: Survey, files: dict[str, FileRecord], corrections: Corrections
) -> Reconciled:
    """Update and delete rows of the images table.

    Args:
        store: the gallery's tables.
        survey: the catalogue just indexed; other catalogues' images keep their labels.
        files: the ledger as it now is, of every catalogue, by stored path.
        corrections: what people have said of names and pictures.

    Returns:
        What changed.
    """
    paths_of = defaultdict(list)
    held = survey.held(files)
    for record in files.values():
        if record.key is not None:
            paths_of[record.key].append(record.path)
    metadata = [field.name for field in store.metadata_fields]
    follow = partial(_reconcile, paths_of=paths_of, held=held, survey=survey, corrections=corrections)
    done = follow(store.images, metadata=metadata)
    if store.hidden_keys():
        known = [name for name in metadata if name in store.hidden.schema.names]
        follow(store.hidden, metadata=known)
    return done


def _reconcile(
    table: Any,  # noqa: ANN401  (LanceDB's class)
    *,
    paths_of: dict[str, list[str]],
    held: frozenset[str],
    survey: Survey,
    metadata: list[str],
    corrections: Corrections,
) -> Reconciled:
    columns = ["key", "path", "identity", CATALOGUE_IDENTITY, *metadata]
    relabelled: list[dict[str, Any]] = []
    removed = []
    found = table.search().select([*columns, "width"]).to_arrow()
    imported = found.column("width").is_null().to_pylist()
    for is_imported, *values in zip(imported, *(found.column(name).to_pylist() for name in columns), strict=True):
        row = dict(zip(columns, values, strict=True))
        paths = paths_of.get(row["key"])
        if not paths:
            if not is_imported:
                removed.append(row["key"])
            continue
        path = row["path"] if row["path"] in paths else min(paths)
        label = survey.label(path) if path in held else None
        if (wanted := _wanted(row, path, label, metadata, corrections)) != row:
            relabelled.append(wanted)
    change_rows(table, relabelled)
    delete_rows(table, removed)
    return Reconciled(frozenset(row["key"] for row in relabelled), frozenset(removed))


def _wanted(
    row: dict[str, Any], path: str, label: Label | None, metadata: list[str], corrections: Corrections
) -> dict[str, Any]:
    wanted = {**row, "path": path}
    if label is not None:
        wanted |= {CATALOGUE_IDENTITY: label.identity} | {name: label.metadata.get(name) for name in metadata}
    # One that no answer shows keeps the name it had until it leaves the answers.
    identity = corrections.identity_of(row["key"], wanted[CATALOGUE_IDENTITY], path)
    return wanted if identity is None else {**wanted, "identity": identity}
