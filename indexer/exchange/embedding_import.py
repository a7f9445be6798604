"""Bring embeddings made elsewhere into a gallery.

The file is read twice. The first pass looks at every row and writes nothing, so a file with one bad row leaves no
trace; the second writes batch by batch. A row is known by its key, so a run that was stopped goes on where it was, and
importing a file again adds nothing. Memory grows by the key and the labels of a row, never by the embeddings.

Only the second pass holds the writer lock: the first must not make the gallery's folder. So what the first has found
is looked up again under the lock, and the plan says what would be done at that moment.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearid_search.config import AnnConfig
from nearid_search.errors import ConfigError, EmbeddingsError, GalleryMismatchError
from nearid_search.indexer.catalogue.rebuild import require_gallery_folder
from nearid_search.indexer.corrections.follow import finish_pending, follow_corrections
from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.exchange.embeddings_file import UNNAMED_MAKER, EmbeddingRows, EmbeddingsFile, rows_at_once
from nearid_search.indexer.exchange.import_plan import ImportPlan, ImportProgress, Stage
from nearid_search.indexer.exchange.import_target import KnownRows, check_target
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import locate_gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.manifest import read_manifest
from nearid_search.indexer.schema import CATALOGUE_IDENTITY
from nearid_search.indexer.search.faiss_ann import OnStep
from nearid_search.indexer.search.index_refresh import OnChoice, refresh_search, require_backend
from nearid_search.reports import ImportReport

if TYPE_CHECKING:
    import pyarrow as pa

_HEX_KEY = re.compile(r"[0-9a-f]{64}")
_READ_COLUMNS = ("identity", "path", "key")


def import_embeddings(
    source: str | Path,
    *,
    gallery: str | Path | None = None,
    encoder: str | None = None,
    batch_rows: int | None = None,
    on_plan: Callable[[ImportPlan], None] | None = None,
    on_progress: Callable[[ImportProgress], None] | None = None,
    search: AnnConfig | None = None,
    on_choice: OnChoice | None = None,
    on_step: OnStep | None = None,
) -> ImportReport:
    """Add the embeddings of a Parquet file to a gallery, or make one of them, and refresh its search index.

    An imported row that is there already takes over the identity, path and metadata of the file; a picture's row keeps
    those of its catalogue.

    Args:
        source: the file: ``identity`` (text) and ``embedding`` (lists of floats of one width; rows are scaled to unit
            length); optional ``path`` (text) and ``key`` (SHA-256 in hex, as ``export_embeddings`` writes it); further
            columns become metadata. Without ``key`` a row's key is the SHA-256 of its unit embedding, identity and
            path.
        gallery: the gallery's folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        encoder: fingerprint of what made the embeddings, or a name for it. Required for a gallery that an encoder made;
            by default what the file says of itself, else "embeddings:<dim>".
        batch_rows: rows a write; a crash loses at most this many. By default 32 MiB of embeddings.
        on_plan: called once, before anything is written.
        on_progress: called after every batch of either pass.
        search: what searching may cost; what it leaves open is as the gallery remembers it.
        on_choice: called with how the gallery is to be searched, after the rows are stored.
        on_step: called at every step of making a search index.

    Returns:
        What was done.

    Raises:
        ConfigError: if ``encoder`` is empty, ``batch_rows`` below 1 or the backend unknown.
        EmbeddingsError: if the file or one of its rows cannot be used; nothing is written then.
        GalleryError: if the gallery is locked, damaged, unwritable, or holds embeddings of another encoder.
        MissingExtraError: if the backend asked for is not installed.
    """
    if encoder is not None and not encoder.strip():
        raise ConfigError("the encoder's name is empty: give the fingerprint of what made the embeddings, or a name")
    if batch_rows is not None and batch_rows < 1:
        raise ConfigError(f"batch_rows must be at least 1, got {batch_rows}")
    search = search or AnnConfig()
    require_backend(search.backend)
    started = time.perf_counter()
    folder = locate_gallery(gallery)
    require_gallery_folder(folder)
    with EmbeddingsFile(Path(source), needs=("identity",)) as file:
        job = _Import(file, folder, encoder, batch_rows or rows_at_once(file.dim), on_progress)
        plan = job.check()
        if on_plan is not None:
            on_plan(plan)
        with writer_lock(folder):
            added, updated = job.write() if plan.new or plan.changed else (0, 0)
            written = Gallery.open(folder)
            costs = search.over(written.manifest.search)
            done = refresh_search(written, costs, on_choice=on_choice, on_step=on_step)
    identities = written.identities()
    return ImportReport(
        gallery=str(folder),
        source=str(source),
        encoder=plan.encoder,
        dim=plan.dim,
        added=added,
        updated=updated,
        unchanged=plan.rows - plan.repeated - added - updated,
        duplicates=plan.repeated,
        images=sum(identities.values()),
        identities=len(identities),
        seconds=time.perf_counter() - started,
        search=f"{done.backend} {done.reason}",
    )


class _Import:
    """One file on its way into one gallery."""

    def __init__(
        self,
        file: EmbeddingsFile,
        folder: Path,
        encoder: str | None,
        batch_rows: int,
        on_progress: Callable[[ImportProgress], None] | None,
    ) -> None:
        self.file = file
        self.folder = folder
        self.stated = encoder
        self.batch_rows = batch_rows
        self.on_progress = on_progress
        if encoder is not None and file.made_by not in (None, encoder):
            raise GalleryMismatchError(
                f"{file.source} says that its embeddings were made by {file.made_by}, not by {encoder}: "
                "leave out --encoder"
            )
        self.fingerprint = encoder or file.made_by or f"{UNNAMED_MAKER}{file.dim}"

    def check(self) -> ImportPlan:
        """Look at every row and write nothing."""
        self.file.check_metadata()
        gallery = self._existing()
        known = self._known(gallery)
        in_file: set[bytes] = set()
        identities: set[str] = set()
        present = repeated = changed = 0
        for rows, keys in self._batches("checking", self._columns):
            changed += len(known.changed(self._labels(rows), keys))
            identities.update(rows.columns["identity"].unique().to_pylist())
            for place, key in enumerate(keys):
                if key not in in_file:
                    in_file.add(key)
                    present += key in known.keys
                elif self.file.has_keys:
                    raise self._fault(rows, place, "its key is that of an earlier row", "leave the column key out")
                else:
                    repeated += 1
        return ImportPlan(
            gallery=self.folder,
            rows=self.file.num_rows,
            identities=len(identities),
            dim=self.file.dim,
            encoder=self.fingerprint,
            new=len(in_file) - present,
            present=present,
            changed=changed,
            repeated=repeated,
        )

    def write(self) -> tuple[int, int]:
        """Write what is missing or changed; return how many rows these were. The caller holds the writer lock."""
        gallery = self._existing() or Gallery.create_for_embeddings(
            self.folder, dim=self.file.dim, fingerprint=self.fingerprint
        )
        finish_pending(gallery)
        gallery.store.ensure_correctable()
        known = self._known(gallery)
        added = updated = 0
        for rows, keys in self._batches("importing", self._columns):
            new = {key: place for place, key in reversed(list(enumerate(keys))) if key not in known.keys}
            changed = {
                row["key"]: row | {CATALOGUE_IDENTITY: row["identity"]}
                for row in known.changed(self._labels(rows), keys)
            }
            if (new or changed) and not (added or updated):
                gallery.store.ensure_metadata(self.file.metadata_fields)
            if new:
                known.keys.update(new)
                self._add(gallery, rows, {place: key.hex() for key, place in new.items()})
            gallery.store.relabel(list(changed.values()))
            added, updated = added + len(new), updated + len(changed)
        follow_corrections(gallery, CorrectionLog(self.folder))
        gallery.store.compact()
        return added, updated

    @property
    def _columns(self) -> list[str]:
        return [*_READ_COLUMNS, *(field.name for field in self.file.metadata_fields)]

    def _known(self, gallery: Gallery | None) -> KnownRows:
        return KnownRows(gallery, [name for name in self._columns if name != "key"])

    def _labels(self, rows: EmbeddingRows) -> dict[str, pa.Array]:
        return {name: column for name, column in rows.columns.items() if name != "key"}

    def _add(self, gallery: Gallery, rows: EmbeddingRows, keys: dict[int, str]) -> None:
        """Write the rows at some places of a batch."""
        import pyarrow as pa

        places = np.asarray(sorted(keys))
        kinds = {field.name: field.type for field in gallery.store.metadata_fields}
        taken = {name: column.take(pa.array(places)) for name, column in rows.columns.items()}
        metadata = {name: taken[name].cast(kind) for name, kind in kinds.items() if name in taken}
        flat = pa.array(rows.embeddings[places].reshape(-1))
        now = datetime.now(UTC)
        gallery.store.add_embeddings(
            metadata
            | {name: taken[name] for name in ("identity", "path") if name in taken}
            | {
                CATALOGUE_IDENTITY: taken["identity"],
                "key": pa.array([keys[place] for place in places.tolist()], pa.string()),
                "embedding": pa.FixedSizeListArray.from_arrays(flat, self.file.dim),
                "encoder": pa.array([self.fingerprint] * len(places), pa.string()),
                "indexed_at": pa.array([now] * len(places), pa.timestamp("us", tz="UTC")),
            }
        )

    def _batches(
        self, stage: Stage, columns: list[str] | tuple[str, ...]
    ) -> Iterator[tuple[EmbeddingRows, list[bytes]]]:
        """Yield every batch with its rows' keys; the first row that cannot be used ends it."""
        for rows in self.file.batches(columns, batch_rows=self.batch_rows):
            for place, reason in rows.faults.items():
                raise self._fault(rows, place, f"its embedding {reason}", "mend it or leave it out")
            yield rows, self._keys(rows)
            if self.on_progress is not None:
                self.on_progress(ImportProgress(stage, rows.start + len(rows.embeddings), self.file.num_rows))

    def _keys(self, rows: EmbeddingRows) -> list[bytes]:
        identities = rows.columns["identity"].to_pylist()
        for place, identity in enumerate(identities):
            if not identity:
                raise self._fault(rows, place, "its identity is null or empty", "name the thing or leave it out")
        if self.file.has_keys:
            given = rows.columns["key"].to_pylist()
            for place, key in enumerate(given):
                if key is None or not _HEX_KEY.fullmatch(key):
                    raise self._fault(rows, place, f"its key {key!r} is no SHA-256 in hex", "leave the column key out")
            return [bytes.fromhex(key) for key in given]
        paths = rows.columns["path"].to_pylist() if "path" in rows.columns else [None] * len(identities)
        return [
            row_key(embedding.astype("<f4", copy=False).tobytes(), identity, path)
            for embedding, identity, path in zip(rows.embeddings, identities, paths, strict=True)
        ]

    def _fault(self, rows: EmbeddingRows, place: int, what: str, remedy: str) -> EmbeddingsError:
        return EmbeddingsError(f"{self.file.source} {rows.name(place)}: {what}: {remedy}; nothing was imported")

    def _existing(self) -> Gallery | None:
        """Open the gallery if there is one and these embeddings may go into it."""
        if read_manifest(self.folder) is None:
            return None
        gallery = Gallery.open(self.folder)
        check_target(gallery, self.file, self.fingerprint, stated=self.stated is not None)
        return gallery


def row_key(embedding: bytes, identity: str, path: str | None) -> bytes:
    """Return the key of an imported row.

    Args:
        embedding: its unit embedding, little-endian float32.
        identity: its identity.
        path: its path, if it has one.

    Returns:
        32 bytes: the SHA-256 of the embedding followed by the JSON list of identity and path in UTF-8.
    """
    return hashlib.sha256(embedding + json.dumps([identity, path], ensure_ascii=False).encode()).digest()
