"""Which encoder a command means: what the caller names, else what made the gallery, else the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from nearid_search.config import EncoderConfig
from nearid_search.errors import GalleryCorruptError
from nearid_search.foreground import AUTO, MASK, NETWORKS
from nearid_search.head_file import read_head_manifest
from nearid_search.indexer.kept_head import local_head
from nearid_search.indexer.location import locate_gallery
from nearid_search.indexer.manifest import EncoderRecord, Manifest, read_manifest, require_encoder
from nearid_search.object_storage.path import ObjectPath
from nearid_search.shipped_heads import AUTO_HEAD, NO_HEAD, find_head

if TYPE_CHECKING:
    from nearid_search.image_encoder import ImageEncoder


class _Painted(TypedDict):
    foreground: str
    masks: str | None


def find_encoder_config(
    gallery: str | Path | None,
    *,
    backbone: str | None,
    dtype: str | None,
    device: str,
    head: str | Path | None = None,
    foreground: str | None = None,
    masks: Path | None = None,
    fresh: bool = False,
) -> EncoderConfig:
    """Fill in what the caller left open: from the head if one is given, else from the gallery, else the defaults.

    Args:
        gallery: the gallery's folder; by default the one ``locate_gallery`` finds.
        backbone: a backbone's name, or None.
        dtype: "auto", "float32", "bfloat16", "float16" or None; None and, unless made anew, "auto" are the gallery's.
        device: "auto", "cpu", "cuda" or "cuda:N".
        head: folder of a head, "auto" for the one that ships for the backbone, "none" for the frozen readout, or None.
        foreground: one of ``foreground.MODES``; None and, unless made anew, "auto" are the gallery's, if it has one.
        masks: folder of the user's masks; None is the gallery's.
        fresh: whether the gallery is about to be made anew, so that a damaged manifest is no obstacle.

    Raises:
        GalleryCorruptError: if the gallery's manifest is damaged.
        NoEncoderError: if the gallery's embeddings were imported.
        WeightsError: if the head cannot be read.
    """
    folder = locate_gallery(gallery)
    record = _known_encoder(folder, fresh=fresh)
    known = None if record is None else require_encoder(folder, record)
    chosen = None if head is None else str(head)
    if backbone is None and chosen not in (AUTO_HEAD, NO_HEAD, None):
        backbone = read_head_manifest(Path(str(chosen))).backbone
    painted = _foreground(record, foreground, masks, fresh=fresh)
    if record is None or known is None or backbone not in (None, known[0]):
        return EncoderConfig(
            backbone=backbone or EncoderConfig.backbone,
            dtype=dtype or EncoderConfig.dtype,
            device=device,
            head=chosen or EncoderConfig.head,
            **painted,
        )
    if dtype is None or (dtype == "auto" and not fresh):
        dtype = known[1]
    if chosen is None and record.head is not None:
        chosen = str(local_head(folder / record.head))
    kept = None if chosen == NO_HEAD else chosen
    return EncoderConfig(backbone=known[0], dtype=dtype, device=device, head=kept, **painted)


def command_for(encoder: ImageEncoder, folder: Path, manifest: Manifest) -> str:
    """Return the command that gives a gallery this encoder: in an object store, where nothing migrates, a rebuild.

    Args:
        encoder: the encoder.
        folder: the gallery's folder.
        manifest: what describes the gallery.
    """
    named = f"--backbone {encoder.source} --dtype {encoder.dtype} --head {_head_option(encoder)}"
    if encoder.foreground is not None:
        named += f" --foreground {encoder.foreground.name}"
        named += f" --masks {encoder.foreground.masks}" if encoder.foreground.masks else ""
    if isinstance(folder, ObjectPath):
        catalogue = next(iter(manifest.catalogues), "./catalog")
        return f"nearid-search index {catalogue} {named} --gallery {folder} --rebuild"
    return f"nearid-search gallery migrate {named} --gallery {folder}"


def _head_option(encoder: ImageEncoder) -> str:
    if encoder.head is None:
        return NO_HEAD
    shipped = find_head(AUTO_HEAD, str(encoder.details.get("name")))
    is_shipped = shipped is not None and read_head_manifest(shipped).fingerprint == encoder.head.fingerprint
    return AUTO_HEAD if is_shipped else "FOLDER"


def _foreground(record: EncoderRecord | None, wanted: str | None, masks: Path | None, *, fresh: bool) -> _Painted:
    known = record.foreground if record is not None else EncoderConfig.foreground
    if wanted is None or (wanted == AUTO and known in NETWORKS and not fresh):
        wanted = known
    folder = None if masks is None else str(masks)
    if folder is None and wanted == MASK and record is not None:
        folder = record.masks
    return {"foreground": wanted, "masks": folder}


def _known_encoder(folder: Path, *, fresh: bool) -> EncoderRecord | None:
    try:
        manifest = read_manifest(folder)
    except GalleryCorruptError:
        if not fresh:
            raise
        manifest = None
    return None if manifest is None else manifest.encoder
