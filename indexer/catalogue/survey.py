"""Look at a catalogue and at the gallery, and say what indexing would do; nothing is written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nearid_search.errors import UnreadableImageError
from nearid_search.images import read_file
from nearid_search.indexer.catalogue.labels import FolderLabels, Label, Labels, TableLabels, read_labels
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.catalogue.plan import IndexPlan, make_plan
from nearid_search.indexer.catalogue.scan import Scan, scan_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import catalogue_prefix, in_catalogue, stored_path
from nearid_search.indexer.rows import FileRecord
from nearid_search.records import Failure

FOLDER_IDENTITIES = "folders"


@dataclass(frozen=True)
class Survey:
    """A catalogue seen from a gallery.

    Attributes:
        catalogue: absolute path of the catalogue's folder.
        folder: of the gallery; stored relative paths start from the folder that holds it.
        scan: its files.
        labels: their identities and metadata.
        plan: what there is to do.
        ledger: every file the gallery knew before, by stored path.
        missing: files the identities table lists and the catalogue lacks.
    """

    catalogue: Path
    folder: Path
    scan: Scan
    labels: Labels
    plan: IndexPlan
    ledger: dict[str, FileRecord]
    missing: tuple[Failure, ...]

    def stored(self, path: str) -> str:
        """Turn a path relative to the catalogue into a stored path."""
        return self.prefix + path

    @property
    def prefix(self) -> str:
        """What every stored path of this catalogue begins with."""
        return catalogue_prefix(self.stored_catalogue)

    @property
    def stored_catalogue(self) -> str:
        """The catalogue's own stored path."""
        return stored_path(self.catalogue, home=self.folder.parent)

    def holds(self, stored: str) -> bool:
        """Say whether a stored path is of a file of this catalogue."""
        return in_catalogue(stored, self.stored_catalogue, folder=self.folder)

    def label(self, stored: str) -> Label:
        """Return the label of one of this catalogue's files, by stored path."""
        return self.labels.label(stored.removeprefix(self.prefix))


def survey_catalogue(
    catalogue: Path, *, folder: Path, gallery: Gallery | None, identities: str | Path | None = None
) -> Survey:
    """Scan a catalogue and plan the run.

    Args:
        catalogue: the folder to index.
        folder: where the gallery is or will be.
        gallery: the gallery, if it exists.
        identities: a table to take identities from, "folders" to take them from sub-folders again, or None for
            what the gallery remembers of this catalogue (at first: sub-folders).

    Raises:
        CatalogueError: if the catalogue or the table cannot be used.
    """
    catalogue = Path(os.path.abspath(catalogue))
    home = folder.parent
    scan = scan_catalogue(catalogue, leave_out=folder)
    if identities is None and gallery is not None:
        identities = gallery.manifest.catalogues.get(stored_path(catalogue, home=home))
    table = None if identities is None or str(identities) == FOLDER_IDENTITIES else Path(os.path.abspath(identities))
    labels: Labels = read_labels(table) if table else FolderLabels()
    missing: list[Failure] = []
    if isinstance(labels, TableLabels):
        for path, line in labels.unknown_paths(file.path for file in scan.files):
            missing.append(
                Failure(path, f"listed in {labels.source.name} line {line}, but no such image in the catalogue")
            )
    ledger = {} if gallery is None else {record.path: record for record in gallery.store.ledger()}
    stored_catalogue = stored_path(catalogue, home=home)
    prefix = catalogue_prefix(stored_catalogue)
    plan = make_plan(
        scan.files,
        ledger.values(),
        stored=lambda path: prefix + path,
        in_catalogue=lambda stored: in_catalogue(stored, stored_catalogue, folder=folder),
        content_key=lambda path: _key_of(catalogue / path),
    )
    return Survey(catalogue, folder, scan, labels, plan, ledger, tuple(missing))


def _key_of(path: Path) -> str | None:
    try:
        return content_key(read_file(path))
    except UnreadableImageError:
        return None  # the run itself will open it again and name the reason
