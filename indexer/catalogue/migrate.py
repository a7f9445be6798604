"""Give a gallery another encoder: its pictures are encoded again beside the old embeddings, which answer until then.

Unlike ``index --rebuild``, which starts from catalogues, this starts from the gallery's rows. So every identity,
metadata column, thumbnail and hidden image stays as it is; several catalogues, confirmed pictures and uploads come too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearid_search.config import EncoderConfig
from nearid_search.encoder import open_encoder
from nearid_search.errors import GalleryMismatchError, GalleryWriteError, NoEncoderError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.calibration_file import CALIBRATION_NAME
from nearid_search.indexer.catalogue.rebuild import find_draft, open_draft, publish_draft
from nearid_search.indexer.catalogue.stored_pictures import Catalogues, StoredPicture, encode_stored
from nearid_search.indexer.corrections.follow import finish_pending, follow_corrections
from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.image_rows import as_schema
from nearid_search.indexer.leftovers import delete_leftovers
from nearid_search.indexer.location import locate_gallery, require_disk
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.schema import EMBEDDING, WHOLE_EMBEDDING
from nearid_search.indexer.search.index_refresh import refresh_search
from nearid_search.indexer.search.rerank_record import RERANK_NAME
from nearid_search.indexer.sql import any_of
from nearid_search.records import Failure

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 256  # encoded, then written: what a stop costs
_IMAGES = ("images", "hidden")


@dataclass(frozen=True)
class MigrationPlan:
    """What a migration would do.

    Attributes:
        gallery: folder of the gallery.
        before: fingerprint of the encoder that made it.
        after: fingerprint of the one that is to.
        images: pictures to encode, those that no answer shows included.
        done: of these, encoded by a migration that was stopped.
        missing: stored paths whose files are gone; their images would be lost.
        lost: what else does not come along, in words.
    """

    gallery: str
    before: str
    after: str
    images: int
    done: int
    missing: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True)
class MigrationReport:
    """What a migration did.

    Attributes:
        plan: what it had to do.
        encoded: pictures encoded in this run.
        failures: pictures that are not in the gallery any more, because their files are gone or hold something else.
        search: how the gallery is searched now.
    """

    plan: MigrationPlan
    encoded: int
    failures: tuple[Failure, ...]
    search: str

    def as_dict(self) -> dict[str, Any]:
        """Return it with the stable keys of ``--json``."""
        return asdict(self)


OnPlan = Callable[[MigrationPlan], None]
OnPicture = Callable[[int, int], None]


def migrate_gallery(
    gallery: str | Path | None = None,
    *,
    encoder: ImageEncoder | None = None,
    encoder_config: EncoderConfig | None = None,
    drop_missing: bool = False,
    keep_whole: bool | None = None,
    dry_run: bool = False,
    on_plan: OnPlan | None = None,
    on_picture: OnPicture | None = None,
) -> MigrationReport | None:
    """Encode every picture of a gallery with another encoder, and put that in force in one rename.

    Queries go on meanwhile, answered by the old embeddings; corrections wait. A migration that was stopped goes on; one
    that was stopped after the rename is refused as made, and what it had left to do is done first.

    Args:
        gallery: its folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        encoder: the new encoder, if it is open.
        encoder_config: else which to open.
        drop_missing: go on although the files of some pictures are gone, without these.
        keep_whole: whether whole pictures' embeddings are kept beside painted-over ones; None: as it is.
        dry_run: only plan.
        on_plan: told of the plan, before any work.
        on_picture: told of every picture.

    Returns:
        What was done; None if it was only planned.

    Raises:
        GalleryCorruptError: if the gallery is damaged; ``gallery repair`` comes first.
        GalleryLockedError: if another process writes.
        GalleryMismatchError: if this encoder made the gallery already, or files are missing.
        GalleryNotFoundError: if there is no gallery.
        GalleryWriteError: if it cannot be written.
        NoEncoderError: if embeddings were imported, whose pictures nobody has.
        BackboneError, ConfigError, DeviceUnavailableError, MissingExtraError, WeightsError: from opening the encoder.
    """
    folder = locate_gallery(Path(gallery) if gallery is not None else None)
    require_disk(folder, "gallery migrate", remedy="index again with --rebuild")
    old = Gallery.open(folder)
    _refuse_imports(old)
    encoder = encoder or open_encoder(encoder_config or EncoderConfig())
    keeps = old.manifest.encoder.keeps_whole if keep_whole is None else keep_whole
    keeps = keeps and encoder.foreground is not None
    with writer_lock(folder):
        try:
            old.reopen()
            finish_pending(old)
            job = _Migration(old, encoder, keeps)
            plan = job.plan()
            if on_plan is not None:
                on_plan(plan)
            if plan.before == plan.after and not dry_run:
                _finish(old)
            _check(plan, drop_missing=drop_missing or dry_run)
            return None if dry_run else job.run(plan, on_picture or (lambda _done, _total: None))
        except OSError as error:
            if isinstance(error, GalleryWriteError) or not isinstance(error.errno, int):
                raise
            raise GalleryWriteError(f"cannot write the gallery {folder}: {error.strerror}") from error


def _refuse_imports(gallery: Gallery) -> None:
    imported = gallery.store.num_imported()
    if imported or gallery.manifest.encoder.backbone is None:
        raise NoEncoderError(
            f"{gallery.folder} holds {imported} imported embeddings, whose pictures are not at hand: import what the "
            "new encoder makes of them into another --gallery"
        )


def _finish(gallery: Gallery) -> None:
    """Do what is left of a migration that was killed after it had put its tables in force."""
    delete_leftovers(gallery.folder)
    refresh_search(gallery, gallery.manifest.search)


def _check(plan: MigrationPlan, *, drop_missing: bool) -> None:
    if plan.before == plan.after:
        raise GalleryMismatchError(
            f"{plan.gallery} was made by {plan.before} already: name another --backbone, --dtype, --head or "
            "--foreground"
        )
    if plan.missing and not drop_missing:
        raise GalleryMismatchError(
            f"the files of {len(plan.missing)} of {plan.images} pictures are gone (first: {plan.missing[0]}), so they "
            "cannot be encoded again: bring them back, or give --drop-missing to go on without them"
        )


class _Migration:
    def __init__(self, old: Gallery, encoder: ImageEncoder, keeps_whole: bool) -> None:
        self._old, self._encoder, self._keeps_whole = old, encoder, keeps_whole
        self._tables = {name: old.store.tables[name] for name in _IMAGES}
        self._paths: dict[str, dict[str, str]] = {name: self._paths_in(name) for name in _IMAGES}

    def _paths_in(self, name: str) -> dict[str, str]:
        found = self._tables[name].search().select(["key", "path"]).to_arrow()
        return dict(zip(found.column("key").to_pylist(), found.column("path").to_pylist(), strict=True))

    def plan(self) -> MigrationPlan:
        """Say what there is to do; nothing is written."""
        folder, home = self._old.folder, self._old.home
        paths = [path for found in self._paths.values() for path in found.values()]
        lost = ["restore points and tags"]
        for name, what in ((CALIBRATION_NAME, "the calibration"), (RERANK_NAME, "what was measured of re-ranking")):
            lost += [what] if (folder / name).exists() else []
        return MigrationPlan(
            gallery=str(folder),
            before=self._old.manifest.encoder.fingerprint,
            after=self._encoder.fingerprint,
            images=len(paths),
            done=self._done(),
            missing=tuple(sorted(path for path in paths if not (home / path).is_file())),
            lost=tuple(lost),
        )

    def _done(self) -> int:
        draft = find_draft(self._old.folder, self._encoder, keep_whole=self._keeps_whole)
        return 0 if draft is None else sum(int(draft.store.tables[name].count_rows()) for name in _IMAGES)

    def run(self, plan: MigrationPlan, on_picture: OnPicture) -> MigrationReport:
        """Do it."""
        draft = open_draft(self._old.folder, self._encoder, keep_whole=self._keeps_whole)
        draft.store.ensure_metadata(self._old.store.metadata_fields)
        encoded, failures = 0, list[Failure]()
        progress = _Progress(on_picture, plan.images)
        for name in _IMAGES:
            for number, failed in self._encode(name, draft, progress):
                encoded += number
                failures += failed
        kept = {key for name in _IMAGES for key in _keys(draft.store.tables[name])}
        ledger = [record for record in self._old.store.ledger() if record.key is None or record.key in kept]
        known = [record.path for record in draft.store.ledger()]
        draft.store.record_files(ledger, known=known)
        follow_corrections(draft, CorrectionLog(self._old.folder))
        draft.store.compact()
        for catalogue, table in self._old.manifest.catalogues.items():
            draft.remember_catalogue(catalogue, table)
        draft.remember_search(self._old.manifest.search)
        publish_draft(draft)
        done = refresh_search(Gallery.open(self._old.folder), self._old.manifest.search)
        return MigrationReport(plan, encoded, tuple(failures), f"{done.backend} {done.reason}")

    def _encode(self, name: str, draft: Gallery, progress: _Progress) -> Iterator[tuple[int, list[Failure]]]:
        """Encode the pictures of a table that the draft lacks; yield how many came in, and which did not."""
        target = draft.store.tables[name]
        there = set(_keys(target))
        progress.advance(len(there))
        missing = [(key, path) for key, path in sorted(self._paths[name].items()) if key not in there]
        catalogues = Catalogues(self._old.folder, self._old.manifest.catalogues)
        home = self._old.home
        for start in range(0, len(missing), _ROWS_AT_ONCE):
            pictures, failures = list[StoredPicture](), list[Failure]()
            some = missing[start : start + _ROWS_AT_ONCE]
            for found in encode_stored(
                some, self._encoder, home=home, catalogues=catalogues, keep_whole=self._keeps_whole
            ):
                if isinstance(found, StoredPicture):
                    pictures.append(found)
                else:
                    failures.append(found)
                progress.advance(1)
            if pictures:
                target.add(as_schema(self._rows(name, pictures), target.schema))
            yield len(pictures), failures

    def _rows(self, name: str, pictures: list[StoredPicture]) -> pa.Table:
        """Return the old rows of some pictures with their new embeddings."""
        import pyarrow as pa

        vectors = {picture.key: (picture.embedding, picture.whole) for picture in pictures}
        old = self._tables[name].search().where(any_of("key", sorted(vectors))).to_arrow()
        keys = old.column("key").to_pylist()
        names = [column for column in old.column_names if column not in (EMBEDDING, WHOLE_EMBEDDING, "encoder")]
        columns: dict[str, Any] = {column: old.column(column) for column in names}
        columns["encoder"] = pa.array([self._encoder.fingerprint] * len(keys), pa.string())
        for place, column in enumerate((EMBEDDING, WHOLE_EMBEDDING)):
            if place == 0 or self._keeps_whole:
                flat = np.concatenate([vectors[key][place] for key in keys]).astype(np.float32, copy=False)
                columns[column] = pa.FixedSizeListArray.from_arrays(pa.array(flat), self._encoder.dim)
        return pa.table(columns)


class _Progress:
    def __init__(self, on_picture: OnPicture, total: int) -> None:
        self._on_picture, self._total, self._done = on_picture, total, 0

    def advance(self, number: int) -> None:
        """Say that some more are done."""
        self._done += number
        self._on_picture(self._done, self._total)


def _keys(table: Any) -> list[str]:  # noqa: ANN401  (LanceDB's class)
    found: list[str] = table.search().select(["key"]).to_arrow().column("key").to_pylist()
    return found
