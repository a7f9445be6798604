"""A gallery on disk: its manifest and its tables, opened together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search import __version__
from nearid_search.config import AnnConfig, EncoderConfig
from nearid_search.errors import ConfigError, GalleryMismatchError, GalleryReplacedError
from nearid_search.foreground import NONE as FOREGROUND_NONE
from nearid_search.head_file import save_head
from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.corrections.restore_point import holding, versions_at
from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.encoder_choice import command_for
from nearid_search.indexer.kept_head import local_head
from nearid_search.indexer.location import display_path, locate_gallery, require_gallery
from nearid_search.indexer.manifest import (
    HEAD_NAME,
    MANIFEST_NAME,
    TABLES_NAME,
    EncoderRecord,
    Manifest,
    read_manifest,
    require_encoder,
    write_manifest,
)
from nearid_search.indexer.schema import EMBEDDING
from nearid_search.indexer.search.index_manifest import INDEX_DIRNAME
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.indexer.store import GalleryStore
from nearid_search.records import Failure

if TYPE_CHECKING:
    from nearid_search.image_encoder import ImageEncoder
    from nearid_search.indexer.corrections.actions import GalleryCorrections


class Gallery:
    """The indexed set of images with identities.

    Args:
        folder: absolute path of the gallery's folder.
        manifest: what the gallery says about itself.
        store: its tables.
        manifest_name: file the manifest is kept in; another one for a draft (see ``indexer.catalogue.rebuild``).
        as_of: the moment that its tables are read at; see the method of that name.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        store: GalleryStore,
        *,
        manifest_name: str = MANIFEST_NAME,
        as_of: str | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.store = store
        self.manifest_name = manifest_name
        self._as_of = as_of

    @classmethod
    def open(cls, gallery: str | Path | None = None, *, manifest_name: str = MANIFEST_NAME) -> Gallery:
        """Open an existing gallery.

        Args:
            gallery: its folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
            manifest_name: file its manifest is kept in.

        Raises:
            GalleryNotFoundError: if there is none.
            GalleryCorruptError: if its files are damaged.
            GalleryMismatchError: if a later version wrote it.
        """
        folder = locate_gallery(gallery)
        manifest = read_manifest(folder, name=manifest_name)
        require_gallery(folder, exists=manifest is not None)
        assert manifest is not None  # noqa: S101  (require_gallery has raised)
        try:
            return cls(folder, manifest, GalleryStore(folder / manifest.tables), manifest_name=manifest_name)
        except GalleryReplacedError:
            return cls.open(folder, manifest_name=manifest_name)

    @classmethod
    def create(
        cls,
        folder: Path,
        encoder: ImageEncoder,
        *,
        keep_whole: bool = False,
        manifest_name: str = MANIFEST_NAME,
        tables: str = TABLES_NAME,
    ) -> Gallery:
        """Make an empty gallery for an encoder; the caller holds the writer lock.

        Args:
            folder: where; made if missing.
            encoder: what will make its embeddings.
            keep_whole: also keep the embedding of each picture before it is painted over.
            manifest_name: file to keep the manifest in.
            tables: name of the folder for its tables.

        Raises:
            ConfigError: if the encoder paints nothing over, so that there is no second embedding to keep.
        """
        if keep_whole and encoder.foreground is None:
            raise ConfigError("--keep-whole keeps what is painted over: give --foreground auto or mask with it")
        head = None
        if encoder.head is not None:
            # A copy, so that the gallery opens wherever it is moved and whatever becomes of the original.
            head = f"{HEAD_NAME}-{encoder.head.fingerprint.rpartition(':')[2]}"
            save_head(folder / head, encoder.head.arrays, encoder.head.manifest)
        record = EncoderRecord(
            fingerprint=encoder.fingerprint,
            backbone=encoder.source,
            dtype=encoder.dtype,
            dim=encoder.dim,
            details=encoder.details,
            head=head,
            foreground=FOREGROUND_NONE if encoder.foreground is None else encoder.foreground.name,
            masks=None if encoder.foreground is None else encoder.foreground.masks,
            keeps_whole=keep_whole,
        )
        return cls._found(folder, record, manifest_name=manifest_name, tables=tables)

    @classmethod
    def create_for_embeddings(cls, folder: Path, *, dim: int, fingerprint: str) -> Gallery:
        """Make an empty gallery for embeddings made elsewhere; the caller holds the writer lock.

        Args:
            folder: where; made if missing.
            dim: width of an embedding.
            fingerprint: what made them, or "embeddings:<dim>".
        """
        record = EncoderRecord(fingerprint=fingerprint, backbone=None, dtype=None, dim=dim)
        return cls._found(folder, record, manifest_name=MANIFEST_NAME, tables=TABLES_NAME)

    @classmethod
    def _found(cls, folder: Path, record: EncoderRecord, *, manifest_name: str, tables: str) -> Gallery:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(encoder=record, created_at=created, made_by=__version__, tables=tables)
        store = GalleryStore.create(folder / tables, dim=record.dim, keeps_whole=record.keeps_whole)
        write_manifest(folder, manifest, name=manifest_name)
        return cls(folder, manifest, store, manifest_name=manifest_name)

    def reopen(self) -> None:
        """See what other processes have written since this was opened."""
        fresh = Gallery.open(self.folder, manifest_name=self.manifest_name)
        self.manifest, self.store = fresh.manifest, fresh.store

    def as_of(self, to: str) -> Gallery:
        """Return the gallery as it was, to be asked and not to be written.

        Args:
            to: version of the images table, a tag, or an ISO 8601 time; without an offset it is local.

        Raises:
            CorrectionError: if it is none of these, or that version has been cleaned up.
        """
        version = versions_at({"images": self.store.images}, to)["images"]
        store = GalleryStore(self.folder / self.manifest.tables, version=version)
        return Gallery(self.folder, self.manifest, store, as_of=to)

    @property
    def past_moment(self) -> str | None:
        """The moment that its tables are read at, as ``as_of`` was given it; None for now."""
        return self._as_of

    @property
    def is_past(self) -> bool:
        """Whether this is the gallery as it was, not as it is."""
        return self._as_of is not None

    @property
    def corrections(self) -> GalleryCorrections:
        """What confirms, rejects, merges, splits, renames and removes, and takes all of it back."""
        from nearid_search.indexer.corrections.actions import GalleryCorrections

        return GalleryCorrections(self)

    def corrections_that_hold(self) -> Corrections:
        """Return what people have said of names and pictures, as far as the tables that are open follow it."""
        log = CorrectionLog(self.folder)
        return Corrections.of(holding(log, self.store.version, self.manifest.tables, as_of=self._as_of))

    @property
    def home(self) -> Path:
        """Folder that stored relative paths start from."""
        return self.folder.parent

    @property
    def head_folder(self) -> Path | None:
        """Folder of this machine with the head that made its embeddings; None if the frozen readout did."""
        head = self.manifest.encoder.head
        return None if head is None else local_head(self.folder / head)

    @property
    def index_dir(self) -> Path:
        """Folder of its search index, whether or not it has one."""
        return self.folder / (INDEX_DIRNAME if self.store.column == EMBEDDING else f"{INDEX_DIRNAME}-whole")

    def rows(self) -> GalleryRows:
        """Return its images as they are now, to be read when they are needed."""
        record = self.manifest.encoder
        return GalleryRows(encoder=record.fingerprint, tables=self.manifest.tables, dim=record.dim, store=self.store)

    def open_encoder(self, *, device: str = "auto", masks: Path | None = None) -> ImageEncoder:
        """Open the encoder that made this gallery; ``masks``: where its masks are, if not where they were.

        Raises:
            GalleryMismatchError: if its backbone now computes something else.
            NoEncoderError: if its embeddings were imported.
            WeightsError: if its weights are missing.
        """
        from nearid_search.encoder import open_encoder

        backbone, dtype = require_encoder(self.folder, self.manifest.encoder)
        folder, record = self.head_folder, self.manifest.encoder
        config = EncoderConfig(
            backbone=backbone,
            device=device,
            dtype=dtype,
            head=None if folder is None else str(folder),
            foreground=record.foreground,
            masks=record.masks if masks is None else str(masks),
        )
        encoder = open_encoder(config)
        self.check_encoder(encoder)
        return encoder

    def check_encoder(self, encoder: ImageEncoder) -> None:
        """Refuse an encoder whose embeddings do not compare with this gallery's.

        Raises:
            GalleryMismatchError: with both fingerprints and the command that encodes the gallery's pictures anew.
            NoEncoderError: if its embeddings were imported and made by something else.
        """
        made_by = self.manifest.encoder.fingerprint
        if encoder.fingerprint != made_by:
            require_encoder(self.folder, self.manifest.encoder)
            raise GalleryMismatchError(
                f"{self.folder} was made by {made_by}, but this encoder is {encoder.fingerprint}: embeddings of two "
                "encoders do not compare. Leave out --backbone, --dtype, --head, --foreground, or give the gallery "
                f"this encoder with: {command_for(encoder, self.folder, self.manifest)}"
            )

    def remember_catalogue(self, stored: str, identities: str | None) -> None:
        """Note in the manifest which catalogue was indexed and with which identities table."""
        if self.manifest.catalogues.get(stored, "") != identities:
            self.manifest = self.manifest.with_catalogue(stored, identities)
            write_manifest(self.folder, self.manifest, name=self.manifest_name)

    def remember_search(self, search: AnnConfig) -> None:
        """Note in the manifest what searching may cost."""
        if self.manifest.search != search:
            self.manifest = replace(self.manifest, search=search)
            write_manifest(self.folder, self.manifest, name=self.manifest_name)

    def failures(self) -> list[Failure]:
        """Return the files that cannot be indexed, by stored path."""
        return sorted(
            (Failure(record.path, record.error) for record in self.store.ledger() if record.error is not None),
            key=lambda failure: failure.path,
        )

    def identities(self) -> dict[str, int]:
        """Return every identity and its number of images, sorted by name."""
        names = self.store.image_table(["identity"]).column("identity").to_pylist()
        return dict(sorted(Counter(names).items()))

    def views(self) -> dict[str, list[tuple[str | None, str]]]:
        """Return path, as one would type it, and key of every image, by identity."""
        found: dict[str, list[tuple[str | None, str]]] = {}
        for row in self.store.image_table(["path", "identity"]).to_pylist():
            found.setdefault(row["identity"], []).append((self.shown_path(row["path"]), row["key"]))
        return {name: sorted(views, key=lambda view: (view[0] or "", view[1])) for name, views in found.items()}

    def shown_path(self, path: str | None) -> str | None:
        """Return a stored path as one would type it; of an imported row as it came: its owner knows where it starts."""
        imported = self.manifest.encoder.backbone is None
        return path if path is None or imported else display_path(path, home=self.home)

    def info(self) -> dict[str, Any]:
        """Return what ``gallery info --json`` prints."""
        from nearid_search.indexer.gallery_info import describe_gallery

        return describe_gallery(self)
