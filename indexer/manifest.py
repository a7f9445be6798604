"""What a gallery says about itself: its format, the encoder that made it and the catalogues it describes.

The file carries the SHA-256 of its own content, so a flipped byte is noticed before anything is believed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nearid_search.config import AnnConfig
from nearid_search.durable_file import rename, write_file
from nearid_search.errors import GalleryCorruptError, GalleryMismatchError, GalleryWriteError, NoEncoderError
from nearid_search.sealed_json import read_sealed, seal

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
DRAFT_NAME = "draft.json"
TABLES_NAME = "tables"
HEAD_NAME = "head"


@dataclass(frozen=True, kw_only=True)
class EncoderRecord:
    """The encoder whose embeddings a gallery holds.

    Attributes:
        fingerprint: names preprocessing, backbone and head; embeddings compare only within one fingerprint. Of imported
            embeddings it is what their owner calls their maker, or "embeddings:<dim>".
        backbone: text that opens the backbone again; None if the embeddings were imported and nothing can be opened.
        dtype: arithmetic it runs in; None if the embeddings were imported.
        dim: width of an embedding.
        details: the backbone's full specification, for people.
        head: name of the folder of its head, beside the manifest; None for the frozen readout.
        foreground: what said which part of a picture is painted over, one of ``foreground.MODES`` but "auto".
        masks: absolute path of the folder of the user's masks; None if there is none.
        keeps_whole: whether each image also has the embedding of the picture as it is, not painted over.
    """

    fingerprint: str
    backbone: str | None
    dtype: str | None
    dim: int
    details: dict[str, Any] = field(default_factory=dict)
    head: str | None = None
    foreground: str = "none"
    masks: str | None = None
    keeps_whole: bool = False

    @property
    def whole(self) -> EncoderRecord:
        """What made the embeddings of the whole pictures."""
        fingerprint = self.fingerprint.removesuffix(f"+foreground:{self.foreground}")
        return replace(self, fingerprint=fingerprint, foreground="none", masks=None, keeps_whole=False)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A gallery's description of itself.

    Attributes:
        encoder: what made its embeddings.
        created_at: ISO 8601 time in UTC.
        made_by: version of this library that created it.
        catalogues: stored path of each catalogue indexed into it -> absolute path of its identities table, or None.
        tables: name of the folder of its tables, beside the manifest.
        search: what searching it may cost.
        format_version: layout of the gallery on disk.
    """

    encoder: EncoderRecord
    created_at: str
    made_by: str
    catalogues: dict[str, str | None] = field(default_factory=dict)
    tables: str = TABLES_NAME
    search: AnnConfig = field(default_factory=AnnConfig)
    format_version: int = FORMAT_VERSION

    def with_catalogue(self, stored: str, identities: str | None) -> Manifest:
        """Return a copy that remembers a catalogue."""
        return replace(self, catalogues={**self.catalogues, stored: identities})


def require_encoder(folder: Path, record: EncoderRecord) -> tuple[str, str]:
    """Return the backbone and dtype that open a gallery's encoder.

    Args:
        folder: the gallery's folder.
        record: what its manifest says of its encoder.

    Raises:
        NoEncoderError: if its embeddings were imported.
    """
    if record.backbone is None or record.dtype is None:
        raise NoEncoderError(
            f"{folder} holds imported embeddings ({record.fingerprint}) and no encoder, so no picture can be encoded "
            "for it: ask with embeddings instead (nearid-search query --embeddings Q.parquet), "
            "and index pictures into another --gallery"
        )
    return record.backbone, record.dtype


def write_manifest(gallery_dir: Path, manifest: Manifest, *, name: str = MANIFEST_NAME) -> None:
    """Write a manifest so that a crash leaves the old one or the new one, never half of one.

    Args:
        gallery_dir: the gallery's folder.
        manifest: what to write.
        name: the file, ``MANIFEST_NAME`` or ``DRAFT_NAME``.

    Raises:
        GalleryWriteError: if the folder cannot be written.
    """
    path = gallery_dir / name
    try:
        write_file(path, seal(asdict(manifest)))
    except OSError as error:
        raise GalleryWriteError(f"cannot write {path}: {error.strerror or error}") from error


def publish_manifest(gallery_dir: Path) -> None:
    """Put the draft's manifest in force, in one rename.

    Raises:
        GalleryWriteError: if the folder cannot be written.
    """
    try:
        rename(gallery_dir / DRAFT_NAME, gallery_dir / MANIFEST_NAME)
    except OSError as error:
        raise GalleryWriteError(f"cannot write {gallery_dir / MANIFEST_NAME}: {error.strerror or error}") from error


def read_manifest(gallery_dir: Path, *, name: str = MANIFEST_NAME) -> Manifest | None:
    """Read a manifest, or return None if there is none.

    Args:
        gallery_dir: the gallery's folder.
        name: the file, ``MANIFEST_NAME`` or ``DRAFT_NAME``.

    Raises:
        GalleryCorruptError: if it is not what was written.
        GalleryMismatchError: if a later version of this library wrote it.
    """
    path = gallery_dir / name
    try:
        document = read_sealed(path)
    except ValueError as error:
        raise GalleryCorruptError(
            f"{path} {error}: restore it with nearid-search gallery repair or index again with --rebuild"
        ) from error
    if document is None:
        return None
    found = document.get("format_version")
    if isinstance(found, int) and found != FORMAT_VERSION:
        raise GalleryMismatchError(
            f"{gallery_dir} has format {found}, this version reads format {FORMAT_VERSION}: "
            "upgrade nearid-search or index again with --rebuild"
        )
    try:
        encoder = EncoderRecord(**document.pop("encoder"))
        search = AnnConfig(**document.pop("search", {}))
        manifest = Manifest(encoder=encoder, search=search, **document)
        catalogues = dict(manifest.catalogues)
    except (KeyError, TypeError) as error:
        raise GalleryMismatchError(
            f"{path} has other fields than this version knows ({error}): upgrade nearid-search"
        ) from error
    except ValueError as error:
        raise GalleryCorruptError(
            f"{path} describes no gallery ({error}): restore it or index again with --rebuild"
        ) from error
    texts = [encoder.fingerprint, manifest.tables, *catalogues, encoder.head or ""]
    if not all(isinstance(text, str) for text in texts) or type(encoder.dim) is not int:
        raise GalleryCorruptError(f"{path} describes no gallery: restore it or index again with --rebuild")
    for named, beginning in ((manifest.tables, TABLES_NAME), (encoder.head, HEAD_NAME)):
        if named is not None and not (named.startswith(beginning) and Path(named).name == named):
            raise GalleryCorruptError(f"{path} names the folder {named!r}, which is outside the gallery")
    return manifest


def is_replaced(gallery_dir: Path, manifest: Manifest, *, name: str = MANIFEST_NAME) -> bool:
    """Say whether a rebuild has put other tables in a gallery's place since its manifest was read, and deleted its own.

    Args:
        gallery_dir: the gallery's folder.
        manifest: as it was read.
        name: the file that it was read from.

    Raises:
        GalleryCorruptError, GalleryMismatchError: as ``read_manifest`` does.
    """
    latest = read_manifest(gallery_dir, name=name)
    return latest is not None and latest.tables != manifest.tables


def are_replaced(tables_dir: Path) -> bool:
    """Say whether neither a gallery nor its draft is described by some tables any more, so that they may be gone.

    Args:
        tables_dir: their folder.

    Returns:
        False as well if a manifest is damaged: then that is what is to be told.
    """
    try:
        known = [read_manifest(tables_dir.parent, name=name) for name in (MANIFEST_NAME, DRAFT_NAME)]
    except (GalleryCorruptError, GalleryMismatchError):
        return False
    return known[0] is not None and all(found is None or found.tables != tables_dir.name for found in known)
