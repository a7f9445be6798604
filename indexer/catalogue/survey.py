"""Look at a catalogue and at the gallery, and say what indexing would do; nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nearid_search.config import FetchConfig
from nearid_search.errors import UnreadableImageError
from nearid_search.indexer.catalogue.labels import Label, Labels, TableLabels, read_labels
from nearid_search.indexer.catalogue.picture_source import PictureSource, open_source
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.catalogue.plan import IndexPlan, make_plan
from nearid_search.indexer.catalogue.scan import Scan, ScannedFile
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import stored_path
from nearid_search.indexer.rows import FileRecord
from nearid_search.records import Failure

FOLDER_IDENTITIES = "folders"


@dataclass(frozen=True)
class Survey:
    """A catalogue seen from a gallery.

    Attributes:
        source: the catalogue, which names and reads its pictures.
        folder: of the gallery; stored relative paths start from the folder that holds it.
        scan: the catalogue's pictures.
        labels: their identities and metadata.
        plan: what there is to do.
        ledger: every file the gallery knew before, by stored path.
        missing: files the identities table lists and the catalogue lacks.
    """

    source: PictureSource
    folder: Path
    scan: Scan
    labels: Labels
    plan: IndexPlan
    ledger: dict[str, FileRecord]
    missing: tuple[Failure, ...]

    @property
    def catalogue(self) -> Path:
        """Absolute path of the catalogue."""
        return self.source.catalogue

    def stored(self, path: str) -> str:
        """Turn a name in the catalogue into a stored path."""
        return self.source.stored(path)

    @property
    def stored_catalogue(self) -> str:
        """The catalogue's own stored path."""
        return stored_path(self.catalogue, home=self.folder.parent)

    def held(self, files: dict[str, FileRecord]) -> frozenset[str]:
        """Return which stored paths of a ledger are of this catalogue: its pictures, and those it had that are kept."""
        present = (self.stored(file.path) for file in self.scan.files)
        return frozenset(present).union(path for path, record in files.items() if self.source.owns(record))

    def label(self, stored: str) -> Label:
        """Return the label of one of this catalogue's pictures, by stored path."""
        return self.labels.label(self.source.named(stored))

    def record(self, file: ScannedFile, key: str | None, error: str | None) -> FileRecord:
        """Return what the ledger is to say of a picture."""
        source = None if file.source is None else self.stored(file.source)
        return FileRecord(self.stored(file.path), file.size, file.mtime_ns, key, error, source, file.etag)


def survey_catalogue(
    catalogue: Path,
    *,
    folder: Path,
    gallery: Gallery | None,
    identities: str | Path | None = None,
    fetch: FetchConfig | None = None,
    refetch: bool = False,
) -> Survey:
    """Scan a catalogue and plan the run.

    Args:
        catalogue: what to index; see ``picture_source.open_source``.
        folder: where the gallery is or will be.
        gallery: the gallery, if it exists.
        identities: a table to take identities from, "folders" to take them from sub-folders again, or None for
            what the gallery remembers of this catalogue (at first: sub-folders).
        fetch: how addresses are fetched; None if they may not be.
        refetch: ask again for addresses whose pictures are known.

    Raises:
        CatalogueError: if the catalogue or the table cannot be used.
    """
    catalogue = Path(os.path.abspath(catalogue))
    home = folder.parent
    source = open_source(catalogue, folder=folder, fetch=fetch, refetch=refetch)
    ledger = {} if gallery is None else {record.path: record for record in gallery.store.ledger()}
    scan = source.scan(ledger)
    if identities is None and gallery is not None:
        identities = gallery.manifest.catalogues.get(stored_path(catalogue, home=home))
    table = None if identities is None or str(identities) == FOLDER_IDENTITIES else Path(os.path.abspath(identities))
    labels: Labels = read_labels(table) if table else scan.labels
    missing: list[Failure] = []
    if isinstance(labels, TableLabels):
        for path, line in labels.unknown_paths(file.path for file in scan.files):
            missing.append(
                Failure(path, f"listed in {labels.source.name} line {line}, but no such image in the catalogue")
            )
    plan = make_plan(
        scan.files,
        ledger.values(),
        stored=source.stored,
        owns=source.owns,
        may_be_there=lambda stored: scan.may_hold(source.named(stored)),
        content_keys=lambda files: _keys_of(source, files),
    )
    return Survey(source, folder, scan, labels, plan, ledger, tuple(missing))


def _keys_of(source: PictureSource, files: list[ScannedFile]) -> Iterator[str | None]:
    for picture in source.pictures(files):
        try:
            data = picture.read()
        except UnreadableImageError:
            data = None  # the run itself will open it again and name the reason
        yield None if data is None else content_key(data)
