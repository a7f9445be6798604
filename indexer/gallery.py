"""A gallery on disk: its manifest and its tables, opened together."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search import __version__
from nearid_search.config import AnnConfig, EncoderConfig
from nearid_search.errors import GalleryCorruptError, GalleryMismatchError
from nearid_search.head_file import read_head_manifest, save_head
from nearid_search.indexer.calibration_file import describe_calibration
from nearid_search.indexer.index_manifest import INDEX_DIRNAME
from nearid_search.indexer.index_rows import GalleryRows
from nearid_search.indexer.location import locate_gallery, require_gallery
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
from nearid_search.indexer.store import GalleryStore
from nearid_search.indexer.stored_index import describe_index
from nearid_search.records import Failure
from nearid_search.shipped_heads import AUTO_HEAD, NO_HEAD, find_head

if TYPE_CHECKING:
    from nearid_search.image_encoder import ImageEncoder


class Gallery:
    """The indexed set of images with identities.

    Args:
        folder: absolute path of the gallery's folder.
        manifest: what the gallery says about itself.
        store: its tables.
        manifest_name: file the manifest is kept in; another one for a draft (see ``indexer.rebuild``).
    """

    def __init__(
        self, folder: Path, manifest: Manifest, store: GalleryStore, *, manifest_name: str = MANIFEST_NAME
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.store = store
        self._manifest_name = manifest_name

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
        folder = locate_gallery(Path(gallery) if gallery is not None else None)
        manifest = read_manifest(folder, name=manifest_name)
        require_gallery(folder, exists=manifest is not None)
        assert manifest is not None  # noqa: S101  (require_gallery has raised)
        return cls(folder, manifest, GalleryStore(folder / manifest.tables), manifest_name=manifest_name)

    @classmethod
    def create(
        cls,
        folder: Path,
        encoder: ImageEncoder,
        *,
        manifest_name: str = MANIFEST_NAME,
        tables: str = TABLES_NAME,
    ) -> Gallery:
        """Make an empty gallery for an encoder; the caller holds the writer lock.

        Args:
            folder: where; made if missing.
            encoder: what will make its embeddings.
            manifest_name: file to keep the manifest in.
            tables: name of the folder for its tables.
        """
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
        store = GalleryStore.create(folder / tables, dim=record.dim)
        write_manifest(folder, manifest, name=manifest_name)
        return cls(folder, manifest, store, manifest_name=manifest_name)

    @property
    def home(self) -> Path:
        """Folder that stored relative paths start from."""
        return self.folder.parent

    @property
    def head_folder(self) -> Path | None:
        """Folder of the head that made its embeddings; None if the frozen readout did."""
        head = self.manifest.encoder.head
        return None if head is None else self.folder / head

    @property
    def index_dir(self) -> Path:
        """Folder of its search index, whether or not it has one."""
        return self.folder / INDEX_DIRNAME

    def rows(self) -> GalleryRows:
        """Return its images as they are now, to be read when they are needed."""
        record = self.manifest.encoder
        return GalleryRows(encoder=record.fingerprint, tables=self.manifest.tables, dim=record.dim, store=self.store)

    def open_encoder(self, *, device: str = "auto") -> ImageEncoder:
        """Open the encoder that made this gallery.

        Raises:
            GalleryMismatchError: if its backbone now computes something else.
            NoEncoderError: if its embeddings were imported.
            WeightsError: if its weights are missing.
        """
        from nearid_search.encoder import open_encoder

        backbone, dtype = require_encoder(self.folder, self.manifest.encoder)
        head = None if self.head_folder is None else str(self.head_folder)
        encoder = open_encoder(EncoderConfig(backbone=backbone, device=device, dtype=dtype, head=head))
        self.check_encoder(encoder)
        return encoder

    def check_encoder(self, encoder: ImageEncoder) -> None:
        """Refuse an encoder whose embeddings do not compare with this gallery's.

        Raises:
            GalleryMismatchError: with both fingerprints and the command that makes the gallery anew.
            NoEncoderError: if its embeddings were imported and made by something else.
        """
        made_by = self.manifest.encoder.fingerprint
        if encoder.fingerprint != made_by:
            require_encoder(self.folder, self.manifest.encoder)
            catalogue = next(iter(self.manifest.catalogues), "./catalog")
            raise GalleryMismatchError(
                f"{self.folder} was made by {made_by}, but this encoder is {encoder.fingerprint}: embeddings of two "
                f"encoders do not compare. Leave out --backbone, --dtype and --head, or make it anew with: "
                f"nearid-search index {catalogue} --backbone {encoder.source} "
                f"--dtype {encoder.dtype} --head {_head_option(encoder)} --gallery {self.folder} --rebuild"
            )

    def remember_catalogue(self, stored: str, identities: str | None) -> None:
        """Note in the manifest which catalogue was indexed and with which identities table."""
        if self.manifest.catalogues.get(stored, "") != identities:
            self.manifest = self.manifest.with_catalogue(stored, identities)
            write_manifest(self.folder, self.manifest, name=self._manifest_name)

    def remember_search(self, search: AnnConfig) -> None:
        """Note in the manifest what searching may cost."""
        if self.manifest.search != search:
            self.manifest = replace(self.manifest, search=search)
            write_manifest(self.folder, self.manifest, name=self._manifest_name)

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

    def info(self) -> dict[str, Any]:
        """Return what ``gallery info --json`` prints."""
        identities = self.identities()
        record = self.manifest.encoder
        return {
            "gallery": str(self.folder),
            "images": sum(identities.values()),
            "imported": self.store.num_imported(),
            "identities": len(identities),
            "failed": len(self.failures()),
            "encoder": record.fingerprint,
            "backbone": record.backbone,
            "dtype": record.dtype,
            "head": record.head,
            "dim": record.dim,
            "metadata": [field.name for field in self.store.metadata_fields],
            "catalogues": sorted(self.manifest.catalogues),
            "created_at": self.manifest.created_at,
            "version": self.store.version,
            "search": asdict(self.manifest.search),
            "index": describe_index(self.index_dir, self.rows()),
            "calibration": describe_calibration(self.folder, self.rows()),
        }


def find_encoder_config(
    gallery: str | Path | None,
    *,
    backbone: str | None,
    dtype: str | None,
    device: str,
    head: str | Path | None = None,
    fresh: bool = False,
) -> EncoderConfig:
    """Fill in what the caller left open: from the head if one is given, else from the gallery, else the defaults.

    Args:
        gallery: the gallery's folder; by default the one ``locate_gallery`` finds.
        backbone: a backbone's name, or None.
        dtype: "auto", "float32", "bfloat16", "float16" or None; None and, unless made anew, "auto" are the gallery's.
        device: "auto", "cpu", "cuda" or "cuda:N".
        head: folder of a head, "auto" for the one that ships for the backbone, "none" for the frozen readout, or None.
        fresh: whether the gallery is about to be made anew, so that a damaged manifest is no obstacle.

    Raises:
        GalleryCorruptError: if the gallery's manifest is damaged.
        NoEncoderError: if the gallery's embeddings were imported.
        WeightsError: if the head cannot be read.
    """
    folder = locate_gallery(Path(gallery) if gallery is not None else None)
    record = _known_encoder(folder, fresh=fresh)
    known = None if record is None else require_encoder(folder, record)
    chosen = None if head is None else str(head)
    if backbone is None and chosen not in (AUTO_HEAD, NO_HEAD, None):
        backbone = read_head_manifest(Path(str(chosen))).backbone
    if record is None or known is None or backbone not in (None, known[0]):
        return EncoderConfig(
            backbone=backbone or EncoderConfig.backbone,
            dtype=dtype or EncoderConfig.dtype,
            device=device,
            head=chosen or EncoderConfig.head,
        )
    if dtype is None or (dtype == "auto" and not fresh):
        dtype = known[1]
    if chosen is None and record.head is not None:
        chosen = str(folder / record.head)
    kept = None if chosen == NO_HEAD else chosen
    return EncoderConfig(backbone=known[0], dtype=dtype, device=device, head=kept)


def _head_option(encoder: ImageEncoder) -> str:
    """Return what ``--head`` must say to open this encoder again."""
    if encoder.head is None:
        return NO_HEAD
    shipped = find_head(AUTO_HEAD, str(encoder.details.get("name")))
    is_shipped = shipped is not None and read_head_manifest(shipped).fingerprint == encoder.head.fingerprint
    return AUTO_HEAD if is_shipped else "FOLDER"


def _known_encoder(folder: Path, *, fresh: bool) -> EncoderRecord | None:
    try:
        manifest = read_manifest(folder)
    except GalleryCorruptError:
        if not fresh:
            raise
        manifest = None
    return None if manifest is None else manifest.encoder
