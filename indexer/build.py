"""The recipe that turns a catalogue into a gallery: survey, read ahead, encode, write, reconcile.

Reading, encoding and writing overlap; a batch is durable once written, and a run that is stopped anywhere goes on
where it was, because what is done is told from the ledger and the content keys.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nearid_search.config import EncoderConfig, IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import GalleryWriteError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import locate_gallery, stored_path
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.manifest import MANIFEST_NAME, read_manifest
from nearid_search.indexer.pipeline import ReadFile, read_ahead
from nearid_search.indexer.reconcile import reconcile_images
from nearid_search.indexer.store import FileRecord, ImageRow
from nearid_search.indexer.survey import Survey, survey_catalogue
from nearid_search.indexer.writer import BatchWriter, Pending
from nearid_search.records import Failure, IndexReport


@dataclass(frozen=True)
class Progress:
    """How far a run is: files read, files to read, files that failed."""

    done: int
    total: int
    failed: int


OnPlan = Callable[[Survey], None]
OnProgress = Callable[[Progress], None]


def index_catalogue(
    catalogue: str | Path,
    *,
    gallery: str | Path | None = None,
    identities: str | Path | None = None,
    encoder: IdentityEncoder | None = None,
    encoder_config: EncoderConfig | None = None,
    config: IndexConfig | None = None,
    rebuild: bool = False,
    on_plan: OnPlan | None = None,
    on_progress: OnProgress | None = None,
) -> IndexReport:
    """Build a gallery from a catalogue, or bring it up to date.

    Args:
        catalogue: folder of images; sub-folders name identities.
        gallery: the gallery's folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        identities: CSV or Parquet file with columns ``path``, ``identity`` and any metadata; "folders" for sub-folders.
        encoder: what encodes; opened when there is something to encode if not given.
        encoder_config: which encoder to open; by default the one that made the gallery.
        config: how to index.
        rebuild: start from an empty gallery.
        on_plan: called once before any work.
        on_progress: called after every file.

    Returns:
        What was done.

    Raises:
        CatalogueError: if the catalogue or identities table cannot be used.
        GalleryError: if the gallery is locked, damaged, unwritable or made by another encoder.
        BackboneError, ConfigError, DeviceUnavailableError, MissingExtraError, WeightsError: from opening the encoder.
    """
    started = time.perf_counter()
    folder = locate_gallery(Path(gallery) if gallery is not None else None)
    _forbid_foreign_folder(folder)
    if not folder.exists():
        # A catalogue that cannot be used must not leave an empty gallery behind.
        survey_catalogue(Path(catalogue), folder=folder, gallery=None, identities=identities)
    with writer_lock(folder):
        if rebuild:
            _discard(folder)
        existing = None if read_manifest(folder) is None else Gallery.open(folder)
        survey = survey_catalogue(Path(catalogue), folder=folder, gallery=existing, identities=identities)
        if on_plan is not None:
            on_plan(survey)
        encoder = _checked_encoder(
            existing, encoder, encoder_config, needed=bool(survey.plan.to_read) or existing is None
        )
        opened = existing or Gallery.create(folder, _required(encoder))
        run = _Run(opened, survey, encoder, config or IndexConfig(), on_progress)
        try:
            return run.execute(started)
        except OSError as error:
            if isinstance(error, GalleryWriteError):
                raise
            raise GalleryWriteError(f"cannot write the gallery {folder}: {error}") from error


class _Run:
    """One indexing run; holds the counts that the report is made of."""

    def __init__(
        self,
        gallery: Gallery,
        survey: Survey,
        encoder: IdentityEncoder | None,
        config: IndexConfig,
        on_progress: OnProgress | None,
    ) -> None:
        self.gallery = gallery
        self.survey = survey
        self.encoder = encoder
        self.config = config
        self.on_progress = on_progress
        self.keys = set(gallery.store.image_table([]).column("key").to_pylist())
        self.files = dict(survey.ledger)
        self.added: set[str] = set()
        self.encode_seconds = 0.0

    def execute(self, started: float) -> IndexReport:
        plan, store = self.survey.plan, self.gallery.store
        store.ensure_metadata(self.survey.labels.metadata_fields)
        table = getattr(self.survey.labels, "source", None)
        catalogue = stored_path(self.survey.catalogue, home=self.survey.home)
        self.gallery.remember_catalogue(catalogue, None if table is None else str(table))
        if plan.to_read:
            self._encode_all()
        forgotten = self._follow_moves()
        if not self.config.keep_missing:
            forgotten += [record.path for record in plan.gone]
        for path in forgotten:
            self.files.pop(path, None)
        reconciled = reconcile_images(store, self.survey, self.files.values())
        store.forget_files(forgotten)
        store.compact()
        return self._report(started, reconciled.relabelled, reconciled.removed)

    def _follow_moves(self) -> list[str]:
        """Enter moved files in the ledger under their new paths; return the old paths."""
        moved = [
            FileRecord(self.survey.stored(file.path), file.size, file.mtime_ns, record.key, None)
            for file, record in self.survey.plan.moved
        ]
        if moved:
            self.gallery.store.record_files(moved, known=self.survey.ledger)
            self.files.update((record.path, record) for record in moved)
        return [record.path for _, record in self.survey.plan.moved]

    def _encode_all(self) -> None:
        encoder = _required(self.encoder)
        to_read = self.survey.plan.to_read
        begun = time.perf_counter()
        batch: list[ReadFile] = []
        pending = Pending()
        done = failed = 0
        with BatchWriter(self.gallery.store, encoder.fingerprint, set(self.survey.ledger)) as writer:
            source = read_ahead(
                to_read,
                self.survey.catalogue,
                encoder,
                known=self.keys,
                threads=self.config.decoders,
                ahead=4 * self.config.batch_size,
            )
            try:
                for item in source:
                    done += 1
                    failed += item.error is not None
                    if item.prepared is not None and item.key not in self.keys:
                        self.keys.add(item.key or "")
                        batch.append(item)
                        if len(batch) == self.config.batch_size:
                            self._encode(batch, pending)
                            batch = []
                    else:
                        self._enter(item, pending)
                    if len(pending.files) >= self.config.write_rows or writer.idle_seconds > self.config.write_seconds:
                        writer.write(pending)
                        pending = Pending()
                    if self.on_progress is not None:
                        self.on_progress(Progress(done, len(to_read), failed))
                self._encode(batch, pending)
            finally:
                # Also on an interrupt: what has been encoded is kept.
                source.close()
                writer.write(pending)
        self.encode_seconds = time.perf_counter() - begun

    def _encode(self, batch: list[ReadFile], pending: Pending) -> None:
        if not batch:
            return
        embeddings = _required(self.encoder).encode_prepared(
            np.stack([item.prepared for item in batch if item.prepared is not None])
        )
        for item, embedding in zip(batch, embeddings, strict=True):
            assert item.key is not None  # noqa: S101  (a prepared picture has a key)
            path = self.survey.stored(item.file.path)
            label = self.survey.label(path)
            pending.images.append(
                ImageRow(
                    item.key,
                    path,
                    label.identity or path,
                    embedding,
                    item.width,
                    item.height,
                    item.thumbnail,
                    label.metadata,
                )
            )
            self.added.add(item.key)
            self._enter(item, pending)

    def _enter(self, item: ReadFile, pending: Pending) -> None:
        """Put a file into the ledger; one that has become unreadable keeps the content it had."""
        path = self.survey.stored(item.file.path)
        before = self.survey.ledger.get(path)
        key = item.key if item.error is None else (before.key if before else None)
        record = FileRecord(path, item.file.size, item.file.mtime_ns, key, item.error)
        self.files[path] = record
        pending.files.append(record)

    def _report(self, started: float, relabelled: frozenset[str], removed: frozenset[str]) -> IndexReport:
        plan, stored = self.survey.plan, self.survey.stored
        replaced = {record.key for _, record in plan.changed}
        # Only a content that took another's place is an update; beside a duplicate or after damage it is a new image.
        renewed = {self.files[stored(file.path)].key for file, record in plan.changed if record.key in removed}
        present = [self.files[stored(file.path)] for file in self.survey.scan.files]
        readable = [record.key for record in present if record.error is None]
        failures = [
            Failure(os.path.join(self.survey.catalogue, record.path.removeprefix(self.survey.prefix)), record.error)
            for record in present
            if record.error is not None
        ]
        identities = self.gallery.identities()
        return IndexReport(
            gallery=str(self.gallery.folder),
            added=len(self.added - renewed),
            updated=len(relabelled - self.added) + len(renewed & self.keys),
            unchanged=len(plan.unchanged),
            removed=len(removed - replaced),
            moved=len(plan.moved),
            duplicates=len(readable) - len(set(readable)),
            images=sum(identities.values()),
            identities=len(identities),
            seconds=time.perf_counter() - started,
            images_per_second=len(self.added) / self.encode_seconds if self.added else 0.0,
            failures=(*failures, *self.survey.scan.failures, *self.survey.missing),
        )


def _required(encoder: IdentityEncoder | None) -> IdentityEncoder:
    assert encoder is not None  # noqa: S101  (opened whenever there is something to encode)
    return encoder


def _checked_encoder(
    gallery: Gallery | None, encoder: IdentityEncoder | None, config: EncoderConfig | None, *, needed: bool
) -> IdentityEncoder | None:
    """Return the encoder to use, or None when nothing needs one and none was asked for."""
    if encoder is None and config is not None and gallery is not None:
        record = gallery.manifest.encoder
        if (config.backbone, config.dtype) == (record.backbone, record.dtype):
            return gallery.open_encoder(device=config.device) if needed else None
    if encoder is None and config is None:
        config = EncoderConfig()
        if gallery is not None:
            return gallery.open_encoder(device=config.device) if needed else None
    if encoder is None and config is not None:
        encoder = IdentityEncoder.open(config.backbone, device=config.device, dtype=config.dtype)
    if gallery is not None and encoder is not None:
        gallery.check_encoder(encoder)
    return encoder


def _forbid_foreign_folder(folder: Path) -> None:
    """Refuse to make a gallery in a folder that holds something else."""
    ours = {MANIFEST_NAME, "tables", "writer.lock", "writer.json", "manifest.tmp"}
    if folder.exists() and not folder.is_dir():
        raise GalleryWriteError(f"{folder} is a file: give a folder for the gallery")
    try:
        foreign = sorted({entry.name for entry in folder.iterdir()} - ours) if folder.exists() else []
    except OSError as error:
        raise GalleryWriteError(f"cannot look into {folder}: {error.strerror}") from error
    if foreign and not (folder / MANIFEST_NAME).exists():
        raise GalleryWriteError(
            f"{folder} holds other files ({foreign[0]}): give an empty or new folder for the gallery"
        )


def _discard(folder: Path) -> None:
    """Empty a gallery; the lock stays."""
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    shutil.rmtree(folder / "tables", ignore_errors=False) if (folder / "tables").exists() else None
