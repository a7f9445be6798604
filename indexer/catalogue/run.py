"""One indexing run: read ahead, encode, write, reconcile, report.

Reading, encoding and writing overlap; a batch is durable once written, and a run that is stopped anywhere goes on
where it was, because what is done is told from the ledger and the content keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from nearid_search.config import ClusterConfig, IndexConfig
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.pipeline import ReadFile, read_ahead
from nearid_search.indexer.catalogue.reconcile import reconcile_images
from nearid_search.indexer.catalogue.rows_of_pictures import encode_rows
from nearid_search.indexer.catalogue.survey import Survey
from nearid_search.indexer.catalogue.writer import BatchWriter, Pending
from nearid_search.indexer.cluster.embed import ClusterEmbedding
from nearid_search.indexer.corrections.follow import follow_corrections
from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.rows import TO_BE_READ
from nearid_search.records import Failure
from nearid_search.reports import IndexReport


@dataclass(frozen=True)
class Progress:
    """How far a run is: files read, files to read, files that failed."""

    done: int
    total: int
    failed: int


OnProgress = Callable[[Progress], None]


class IndexRun:
    """One run over a surveyed catalogue; holds the counts that the report is made of.

    Args:
        gallery: where to write; the caller holds its writer lock.
        survey: what there is to do.
        encoder: needed only if the survey found something to read.
        config: how to index.
        on_progress: called after every file.
        cluster: whose workers encode; None for this process.
    """

    def __init__(
        self,
        gallery: Gallery,
        survey: Survey,
        encoder: ImageEncoder | None,
        config: IndexConfig,
        on_progress: OnProgress | None,
        cluster: ClusterConfig | None = None,
    ) -> None:
        self.cluster = cluster
        self.gallery = gallery
        self.survey = survey
        self.encoder = encoder
        self.config = config
        self.on_progress = on_progress
        self.log = CorrectionLog(gallery.folder)
        self.corrections = Corrections.of(self.log.standing)
        self.keys = set(gallery.store.image_table([]).column("key").to_pylist()) | gallery.store.hidden_keys()
        self.files = dict(survey.ledger)
        self.added: set[str] = set()
        self.encode_seconds = 0.0

    def execute(self) -> IndexReport:
        """Do it; what has been encoded is kept even if this is interrupted.

        Raises:
            CatalogueError: if metadata does not fit the gallery's columns.
            OSError: if the gallery cannot be written.
        """
        started = time.perf_counter()
        plan, store = self.survey.plan, self.gallery.store
        store.ensure_correctable()
        store.ensure_metadata(self.survey.labels.metadata_fields)
        table = getattr(self.survey.labels, "source", None)
        self.gallery.remember_catalogue(self.survey.stored_catalogue, None if table is None else str(table))
        if plan.to_read and self.cluster is not None:
            self._encode_on(self.cluster)
        elif plan.to_read:
            self._encode_all()
        forgotten = self._follow_moves()
        if not self.config.keep_missing:
            forgotten += [record.path for record in plan.gone]
        for path in forgotten:
            self.files.pop(path, None)
        reconciled = reconcile_images(store, self.survey, self.files, self.corrections)
        store.forget_files(forgotten)
        follow_corrections(self.gallery, self.log)
        store.compact()
        return self._report(started, reconciled.relabelled, reconciled.removed)

    def _follow_moves(self) -> list[str]:
        """Enter moved files in the ledger under their new paths; return the old paths."""
        moved = [self.survey.record(file, record.key, None) for file, record in self.survey.plan.moved]
        if moved:
            self.gallery.store.record_files(moved, known=self.survey.ledger)
            self.files.update((record.path, record) for record in moved)
        return [record.path for _, record in self.survey.plan.moved]

    @property
    def _opened_encoder(self) -> ImageEncoder:
        assert self.encoder is not None  # noqa: S101  (opened whenever there is something to read)
        return self.encoder

    def _encode_all(self) -> None:
        encoder = self._opened_encoder
        to_read = self.survey.plan.to_read
        begun = time.perf_counter()
        batch: list[ReadFile] = []
        pending = Pending()
        done = failed = 0
        with BatchWriter(self.gallery.store, encoder.fingerprint, set(self.survey.ledger)) as writer:
            source = read_ahead(
                self.survey.source.pictures(to_read),
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
        named = [(path := self.survey.stored(item.file.path), self.survey.label(path)) for item in batch]
        keeps_whole = self.gallery.manifest.encoder.keeps_whole
        rows = encode_rows(batch, named, self._opened_encoder, keeps_whole=keeps_whole)
        for item, row in zip(batch, rows, strict=True):
            # Corrected before it is written: whoever asks during the run, or after a crash, is told what people said.
            identity = self.corrections.identity_of(row.key, row.catalogue_identity, row.path)
            shown = row if identity is None else row._replace(identity=identity)
            (pending.hidden if identity is None else pending.images).append(shown)
            self.added.add(row.key)
            self._enter(item, pending)

    def _encode_on(self, cluster: ClusterConfig) -> None:
        """Have a cluster's workers encode, and commit what they staged; a killed run's batches are taken over."""
        begun = time.perf_counter()
        total = len(self.survey.plan.to_read)
        done = failed = 0

        def count(more: int, more_failed: int) -> None:
            nonlocal done, failed
            done, failed = done + more, failed + more_failed
            if self.on_progress is not None:
                self.on_progress(Progress(done, total, failed))

        embedding = ClusterEmbedding(self.gallery, self.survey, cluster, self.config, count)
        found = embedding.embed(self.keys)
        read = {item.key for item in found.values() if item.error is None and item.key is not None}
        self.added = embedding.commit(read - self.keys)
        self.keys |= self.added
        pending = Pending()
        for item in found.values():
            self._enter(item, pending)
        self.gallery.store.record_files(pending.files, known=self.survey.ledger)
        embedding.clear()
        self.encode_seconds = time.perf_counter() - begun

    def _enter(self, item: ReadFile, pending: Pending) -> None:
        """Put a file into the ledger; one that has become unreadable keeps the content it had."""
        record = self.survey.record(item.file, item.key, item.error)
        before = self.survey.ledger.get(record.path)
        if item.error is not None or item.key is None:
            record = record._replace(key=before.key if before else None)
        if item.passing:
            record = record._replace(mtime_ns=TO_BE_READ)
        if item.error is None and item.key is None and before is not None:
            record = before  # its server says that nothing has changed
        self.files[record.path] = record
        pending.files.append(record)

    def _report(self, started: float, relabelled: frozenset[str], removed: frozenset[str]) -> IndexReport:
        plan, stored = self.survey.plan, self.survey.stored
        replaced = {record.key for _, record in plan.changed}
        # Only a content that took another's place is an update; beside a duplicate or after damage it is a new image.
        renewed = {self.files[stored(file.path)].key for file, record in plan.changed if record.key in removed}
        present = [self.files[stored(file.path)] for file in self.survey.scan.files]
        readable = [record.key for record in present if record.error is None]
        failures = [
            Failure(self.survey.source.shown(self.survey.source.named(record.path)), record.error)
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
            new_keys=frozenset(self.added),
            corrections=self.log.num_in_force,
        )
