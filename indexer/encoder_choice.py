"""Which encoder a command means: what the caller names, else what made the gallery, else the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nearid_search.config import EncoderConfig
from nearid_search.errors import GalleryCorruptError
from nearid_search.head_file import read_head_manifest
from nearid_search.indexer.location import locate_gallery
from nearid_search.indexer.manifest import EncoderRecord, read_manifest, require_encoder
from nearid_search.shipped_heads import AUTO_HEAD, NO_HEAD, find_head

if TYPE_CHECKING:
    from nearid_search.image_encoder import ImageEncoder


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


def head_option(encoder: ImageEncoder) -> str:
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
