"""Make the images follow the ledger: what moved, was relabelled or is gone.

Said once and declaratively (an image stays while a file has its content, an imported embedding always), so it also
mends what a crash left half done. Images that no answer shows follow the ledger as well, so that a later word of the
catalogue, or an undo, finds them as they should be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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
    store: GalleryStore, survey: Survey, files: Iterable[FileRecord], corrections: Corrections
) -> Reconciled:
    """Update and delete rows of the images table.

    Args:
        store: the gallery's tables.
        survey: the catalogue just indexed; other catalogues' images keep their labels.
        files: the ledger as it now is, of every catalogue.
        corrections: what people have said of names and pictures.

    Returns:
        What changed.
    """
    paths_of = defaultdict(list)
    for record in files:
        if record.key is not None:
            paths_of[record.key].append(record.path)
    metadata = [field.name for field in store.metadata_fields]
    done = _reconcile(store.images, paths_of, survey, metadata, corrections)
    if store.hidden_keys():
        known = [name for name in metadata if name in store.hidden.schema.names]
        _reconcile(store.hidden, paths_of, survey, known, corrections)
    return done


def _reconcile(
    table: Any,  # noqa: ANN401  (LanceDB's class)
    paths_of: dict[str, list[str]],
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
        elif (wanted := _wanted(row, paths, survey, metadata, corrections)) != row:
            relabelled.append(wanted)
    change_rows(table, relabelled)
    delete_rows(table, removed)
    return Reconciled(frozenset(row["key"] for row in relabelled), frozenset(removed))


def _wanted(
    row: dict[str, Any], paths: list[str], survey: Survey, metadata: list[str], corrections: Corrections
) -> dict[str, Any]:
    path = row["path"] if row["path"] in paths else min(paths)
    wanted = {**row, "path": path}
    if survey.holds(path):
        label = survey.label(path)
        wanted |= {CATALOGUE_IDENTITY: label.identity} | {name: label.metadata.get(name) for name in metadata}
    # One that no answer shows keeps the name it had until it leaves the answers.
    identity = corrections.identity_of(row["key"], wanted[CATALOGUE_IDENTITY], path)
    return wanted if identity is None else {**wanted, "identity": identity}
