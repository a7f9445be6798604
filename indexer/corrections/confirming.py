"""Make the entry that says what a picture shows; one that is not in the gallery is encoded and comes in with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearid_search.indexer.catalogue.pipeline import PreparedPicture
from nearid_search.indexer.corrections.checks import check_may_show
from nearid_search.indexer.corrections.confirmed_pictures import encode_picture
from nearid_search.indexer.corrections.desk import Correction, Desk
from nearid_search.indexer.corrections.log import Pin
from nearid_search.indexer.corrections.targets import KnownImage, PictureFile
from nearid_search.indexer.image_rows import add_rows
from nearid_search.indexer.rows import FileRecord

if TYPE_CHECKING:
    from nearid_search.image_encoder import ImageEncoder


def confirm_picture(
    desk: Desk,
    found: KnownImage | PictureFile,
    identity: str,
    *,
    new: bool,
    encoder: ImageEncoder | None = None,
    decoded: PreparedPicture | None = None,
) -> Correction:
    """Say that a picture shows an identity.

    Args:
        desk: the gallery.
        found: the picture.
        identity: what it shows; that it may be named so has been checked.
        new: it is the first view of that identity.
        encoder: the gallery's, if it is open; else it is opened when it is needed.
        decoded: what is in the file, if it has been decoded already.

    Raises:
        CorrectionError: if the picture was said not to show it.
        NoEncoderError: if the picture is new and the gallery's embeddings were imported.
        UnreadableImageError: if it is new and cannot be read.
    """
    check_may_show(desk, found.key, found.path or found.key, identity)
    added = _stage(desk, found, encoder, decoded) if isinstance(found, PictureFile) else None
    before = found.identity if isinstance(found, KnownImage) else None
    return desk.make(
        "confirm",
        f"{found.path or found.key} shows {identity}",
        pins=(Pin(found.key, found.path, before, identity, found.said),),
        creates=identity if new else None,
        added=added,
    )


def _stage(desk: Desk, found: PictureFile, encoder: ImageEncoder | None, decoded: PreparedPicture | None) -> FileRecord:
    """Put a new picture where no answer shows it; the entry that follows brings it in."""
    gallery = desk.gallery
    status = (gallery.home / found.path).stat()
    record = FileRecord(found.path, status.st_size, status.st_mtime_ns, found.key, None)
    opened = encoder or gallery.open_encoder()
    gallery.check_encoder(opened)
    row = encode_picture(record, gallery, opened, said=found.said, picture=decoded)
    add_rows(gallery.store.hidden, [row], encoder=opened.fingerprint)
    return record
