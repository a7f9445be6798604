"""Make the images table follow the ledger: what moved, was relabelled or is gone.

Said once and declaratively (an image stays while a file has its content, an imported embedding always), so it also
mends what a crash left half done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nearid_search.indexer.rows import FileRecord
from nearid_search.indexer.store import GalleryStore
from nearid_search.indexer.survey import Survey


@dataclass(frozen=True)
class Reconciled:
    """What was brought in line.

    Attributes:
        relabelled: keys whose path, identity or metadata changed.
        removed: keys taken out.
    """

    relabelled: frozenset[str]
    removed: frozenset[str]


def reconcile_images(store: GalleryStore, survey: Survey, files: Iterable[FileRecord]) -> Reconciled:
    """Update and delete rows of the images table.

    Args:
        store: the gallery's tables.
        survey: the catalogue just indexed; other catalogues' images keep their labels.
        files: the ledger as it now is, of every catalogue.

    Returns:
        What changed.
    """
    paths_of = defaultdict(list)
    for record in files:
        if record.key is not None:
            paths_of[record.key].append(record.path)
    metadata = [field.name for field in store.metadata_fields]
    columns = ["key", "path", "identity", *metadata]
    relabelled: list[dict[str, Any]] = []
    removed = []
    table = store.image_table([*columns, "width"])
    imported = table.column("width").is_null().to_pylist()
    for is_imported, *values in zip(imported, *(table.column(name).to_pylist() for name in columns), strict=True):
        row = dict(zip(columns, values, strict=True))
        paths = paths_of.get(row["key"])
        if not paths:
            if not is_imported:
                removed.append(row["key"])
        elif (wanted := _wanted(row, paths, survey, metadata)) != row:
            relabelled.append(wanted)
    store.relabel(relabelled)
    store.remove_images(removed)
    return Reconciled(frozenset(row["key"] for row in relabelled), frozenset(removed))


def _wanted(row: dict[str, Any], paths: list[str], survey: Survey, metadata: list[str]) -> dict[str, Any]:
    path = row["path"] if row["path"] in paths else min(paths)
    if not path.startswith(survey.prefix):
        return {**row, "path": path}
    label = survey.label(path)
    return {"key": row["key"], "path": path, "identity": label.identity} | {
        name: label.metadata.get(name) for name in metadata
    }
