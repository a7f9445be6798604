"""Bring a gallery in line with a catalogue, or build it anew beside the old one and swap.

What one pass over a catalogue does is in ``indexer.catalogue.run``; this is what comes before it: the gallery, its
lock, the plan and the encoder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from nearid_search.config import AnnConfig, ClusterConfig, EncoderConfig, FetchConfig, IndexConfig, SuggestConfig
from nearid_search.encoder import open_encoder
from nearid_search.errors import GalleryCorruptError, GalleryMismatchError
from nearid_search.foreground import NONE as NO_FOREGROUND
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.rebuild import (
    open_draft,
    publish_draft,
    refuse_to_lose_imports,
    require_gallery_folder,
)
from nearid_search.indexer.catalogue.run import IndexRun, OnProgress, Progress
from nearid_search.indexer.catalogue.survey import Survey, survey_catalogue
from nearid_search.indexer.cluster.ray_session import require_ray
from nearid_search.indexer.corrections.confirmed_pictures import carry_confirmed
from nearid_search.indexer.corrections.follow import finish_pending
from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.corrections.unused_uploads import clear_uploads
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.leftovers import delete_leftovers
from nearid_search.indexer.location import locate_gallery, require_disk, stored_path
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.manifest import Manifest, read_manifest, require_encoder
from nearid_search.indexer.review.suggestions import suggest_corrections
from nearid_search.indexer.search.faiss_ann import OnStep
from nearid_search.indexer.search.index_refresh import OnChoice, refresh_search, require_backend
from nearid_search.records import Failure
from nearid_search.reports import IndexReport
from nearid_search.suggestion import Suggestion

__all__ = ["OnPlan", "OnProgress", "Progress", "index_catalogue"]

OnPlan = Callable[[Survey], None]
_NEW_VIEWS = 2_000  # looked at for doubts: it stays small beside encoding as many


def index_catalogue(
    catalogue: str | Path,
    *,
    gallery: str | Path | None = None,
    identities: str | Path | None = None,
    encoder: ImageEncoder | None = None,
    encoder_config: EncoderConfig | None = None,
    config: IndexConfig | None = None,
    fetch: FetchConfig | None = None,
    refetch: bool = False,
    cluster: ClusterConfig | None = None,
    rebuild: bool = False,
    on_plan: OnPlan | None = None,
    on_progress: OnProgress | None = None,
    search: AnnConfig | None = None,
    on_choice: OnChoice | None = None,
    on_step: OnStep | None = None,
) -> IndexReport:
    """Build a gallery from a catalogue, or bring it up to date.

    Args:
        catalogue: folder of images, whose sub-folders name identities; or tar shards, Parquet files with pictures, or
            a list, see ``picture_source.open_source``.
        gallery: the gallery's folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        identities: CSV or Parquet file with columns ``path``, ``identity`` and any metadata; "folders" for sub-folders.
        encoder: what encodes; opened when there is something to encode if not given.
        encoder_config: which encoder to open; by default the one that made the gallery.
        config: how to index.
        fetch: how addresses that a list names are fetched; None if they may not be.
        refetch: ask again for addresses whose pictures are known; what has not changed is not sent again.
        cluster: whose workers encode, through Ray; None for this process.
        rebuild: make the gallery anew from this catalogue and every other one it describes. The old gallery answers
            until the new one is complete; a rebuild that was stopped goes on.
        on_plan: called before any work, once a catalogue.
        on_progress: called after every file.
        search: what searching may cost; what it leaves open is as the gallery remembers it.
        on_choice: called with how the gallery is to be searched, after the images are stored.
        on_step: called at every step of making a search index.

    Returns:
        What was done.

    Raises:
        CatalogueError: if the catalogue or identities table cannot be used.
        GalleryError: if the gallery is locked, damaged, unwritable, made by another encoder or, for a rebuild, holds
            imported embeddings.
        ClusterError: if there is no cluster, or its workers cannot do their work.
        BackboneError, ConfigError, DeviceUnavailableError, MissingExtraError, WeightsError: from opening the encoder.
    """
    folder = locate_gallery(gallery)
    search = search or AnnConfig()
    require_backend(search.backend)
    if cluster is not None:
        require_ray()
        require_disk(folder, "index --ray", remedy="index without it, or into a folder that the workers share")
    require_gallery_folder(folder)
    if not folder.exists():
        # A catalogue that cannot be used must not leave an empty gallery behind.
        survey = survey_catalogue(Path(catalogue), folder=folder, gallery=None, identities=identities, fetch=fetch)
        survey.source.refuse(survey.plan.to_read)
    job = _Job(folder, encoder, encoder_config, config or IndexConfig(), fetch, refetch, cluster, on_plan, on_progress)
    with writer_lock(folder):
        remembered = _remembered_search(folder)
        report = (job.rebuild if rebuild else job.refresh)(Path(os.path.abspath(catalogue)), identities)
        started = time.perf_counter()
        clear_uploads(Gallery.open(folder))
        done = refresh_search(Gallery.open(folder), search.over(remembered), on_choice=on_choice, on_step=on_step)
        doubts = _doubts_about(Gallery.open(folder), report.new_keys)
        seconds = report.seconds + time.perf_counter() - started
        return replace(report, search=f"{done.backend} {done.reason}", seconds=seconds, doubts=doubts)


def _doubts_about(gallery: Gallery, keys: frozenset[str]) -> tuple[Suggestion, ...]:
    """Look at what has come in; the search index has just been made or checked, so there is nothing to warn of."""
    if not keys:
        return ()
    return suggest_corrections(gallery, SuggestConfig(views=_NEW_VIEWS), keys=keys, sure=True).found


@dataclass(frozen=True)
class _Job:
    """What a caller asked for, apart from the catalogue."""

    folder: Path
    encoder: ImageEncoder | None
    encoder_config: EncoderConfig | None
    config: IndexConfig
    fetch: FetchConfig | None
    refetch: bool
    cluster: ClusterConfig | None
    on_plan: OnPlan | None
    on_progress: OnProgress | None

    def refresh(self, catalogue: Path, identities: str | Path | None) -> IndexReport:
        existing = None if read_manifest(self.folder) is None else Gallery.open(self.folder)
        if existing is not None:
            require_encoder(self.folder, existing.manifest.encoder)
            finish_pending(existing)
            delete_leftovers(self.folder)
        survey = self._survey(existing, catalogue, identities)
        needed = bool(survey.plan.to_read) or existing is None
        encoder = self._checked_encoder(existing, needed=needed)
        if existing is None:
            assert encoder is not None  # noqa: S101  (a new gallery needs one)
            existing = Gallery.create(self.folder, encoder, keep_whole=bool(self.config.keep_whole))
        _check_kept(existing, self.config.keep_whole, catalogue)
        return IndexRun(existing, survey, encoder, self.config, self.on_progress, self.cluster).execute()

    def rebuild(self, catalogue: Path, identities: str | Path | None) -> IndexReport:
        started = time.perf_counter()
        refuse_to_lose_imports(self.folder)
        _finish_corrections(self.folder)
        described = _described_catalogues(self.folder)
        encoder = self.encoder or open_encoder(self.encoder_config or EncoderConfig())
        draft = open_draft(self.folder, encoder, keep_whole=self._keeps_whole(encoder))
        lost = carry_confirmed(self.folder, draft, encoder)
        described |= draft.manifest.catalogues
        reports = []
        for source, table in _sources(described, draft.home, catalogue, identities):
            survey = self._survey(draft, source, table)
            reports.append(IndexRun(draft, survey, encoder, self.config, self.on_progress, self.cluster).execute())
        publish_draft(draft)
        return _sum_of(reports, lost, seconds=time.perf_counter() - started)

    def _keeps_whole(self, encoder: ImageEncoder) -> bool:
        """Say whether a rebuilt gallery keeps both embeddings: as it is told, else as it did, where there are two."""
        if self.config.keep_whole is not None:
            return self.config.keep_whole
        manifest = _readable_manifest(self.folder)
        return manifest is not None and manifest.encoder.keeps_whole and encoder.foreground is not None

    def _survey(self, gallery: Gallery | None, catalogue: Path, identities: str | Path | None) -> Survey:
        survey = survey_catalogue(
            catalogue,
            folder=self.folder,
            gallery=gallery,
            identities=identities,
            fetch=self.fetch,
            refetch=self.refetch,
        )
        if self.on_plan is not None:
            self.on_plan(survey)
        survey.source.refuse(survey.plan.to_read)
        return survey

    def _checked_encoder(self, gallery: Gallery | None, *, needed: bool) -> ImageEncoder | None:
        """Return the encoder to use, or None when nothing needs one and none was asked for."""
        encoder, config = self.encoder, self.encoder_config
        if gallery is None:
            return encoder or open_encoder(config or EncoderConfig())
        record = gallery.manifest.encoder
        if encoder is None:
            backbone, dtype = require_encoder(self.folder, record)
            if config is not None and config.dtype == "auto" and config.backbone == backbone:
                config = replace(config, dtype=dtype)
            head = gallery.head_folder
            kept = None if head is None else str(head)
            made_by = EncoderConfig(
                backbone=backbone, dtype=dtype, head=kept, foreground=record.foreground, masks=record.masks
            )
            if config is None or replace(config, device=made_by.device) == made_by:
                device = (config or EncoderConfig()).device
                return gallery.open_encoder(device=device) if needed else None
            encoder = open_encoder(config)
        gallery.check_encoder(encoder)
        return encoder


def _check_kept(gallery: Gallery, wanted: bool | None, catalogue: Path) -> None:
    record = gallery.manifest.encoder
    keeps = record.keeps_whole
    if wanted not in (None, keeps):
        painted = "--foreground auto " if record.foreground == NO_FOREGROUND else ""
        raise GalleryMismatchError(
            f"{gallery.folder} keeps {'both embeddings' if keeps else 'one embedding'} of each picture: make it anew "
            f"with: nearid-search index {catalogue} {painted}--{'no-' if keeps else ''}keep-whole "
            f"--gallery {gallery.folder} --rebuild"
        )


def _described_catalogues(folder: Path) -> dict[str, str | None]:
    manifest = _readable_manifest(folder)
    return {} if manifest is None else dict(manifest.catalogues)


def _remembered_search(folder: Path) -> AnnConfig:
    manifest = _readable_manifest(folder)
    return AnnConfig() if manifest is None else manifest.search


def _finish_corrections(folder: Path) -> None:
    try:
        if read_manifest(folder) is not None:
            finish_pending(Gallery.open(folder))
    except GalleryCorruptError:
        # A rebuild is the remedy for damaged tables; with a damaged log it would lose corrections, so that is raised.
        CorrectionLog(folder)


def _readable_manifest(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except GalleryCorruptError:
        return None  # a rebuild is the remedy for exactly this; which other catalogues there were is lost


def _sources(
    described: dict[str, str | None], home: Path, catalogue: Path, identities: str | Path | None
) -> list[tuple[Path, str | Path | None]]:
    """Return each catalogue to index and its identities table, the named one last."""
    remembered = dict(described)
    own = remembered.pop(stored_path(catalogue, home=home), None)
    others: list[tuple[Path, str | Path | None]] = [(home / stored, table) for stored, table in remembered.items()]
    return [*others, (catalogue, own if identities is None else identities)]


def _sum_of(reports: list[IndexReport], lost: list[Failure], *, seconds: float) -> IndexReport:
    """Report several catalogues, and what no catalogue holds, as one run; the gallery is as the last one left it."""
    counts = ("added", "updated", "unchanged", "removed", "moved", "duplicates")
    encoding = sum(report.added / report.images_per_second for report in reports if report.images_per_second)
    added = sum(report.added for report in reports)
    return replace(
        reports[-1],
        **{name: sum(getattr(report, name) for report in reports) for name in counts},
        seconds=seconds,
        images_per_second=added / encoding if encoding else 0.0,
        failures=(*(failure for report in reports for failure in report.failures), *lost),
        new_keys=frozenset().union(*(report.new_keys for report in reports)),
    )
