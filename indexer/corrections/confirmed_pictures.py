"""Pictures that come in by a confirmation and not with a catalogue: encoded one by one, and kept by a rebuild."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from nearid_search.errors import GalleryError, UnreadableImageError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.images import read_file
from nearid_search.indexer.catalogue.picture_source import Picture
from nearid_search.indexer.catalogue.pipeline import PreparedPicture, read_ahead
from nearid_search.indexer.catalogue.scan import ScannedFile
from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.rows import FileRecord, ImageRow
from nearid_search.records import Failure


def encode_picture(
    record: FileRecord,
    gallery: Gallery,
    encoder: ImageEncoder,
    *,
    said: str | None,
    picture: PreparedPicture | None = None,
) -> ImageRow:
    """Read and encode one picture.

    Args:
        record: its file, as it is to stand in the ledger.
        gallery: that it is to come into.
        encoder: the gallery's.
        said: what its catalogue calls the thing; None for nothing.
        picture: what is in the file, if it has been decoded already.

    Raises:
        UnreadableImageError: if it cannot be read, or holds something else than the record says.
    """
    picture = picture or _read(record, gallery.home, encoder)
    (embedding,) = encoder.encode_prepared(picture.prepared[None])
    whole = None
    if gallery.manifest.encoder.keeps_whole and picture.whole is not None:
        (whole,) = encoder.encode_prepared(picture.whole[None])
    sides = (picture.width, picture.height)
    return ImageRow(record.key or "", record.path, record.path, embedding, *sides, picture.thumbnail, {}, said, whole)


def _read(record: FileRecord, home: Path, encoder: ImageEncoder) -> PreparedPicture:
    file = ScannedFile(record.path, record.size, record.mtime_ns)
    picture = Picture(file, partial(read_file, home / record.path))
    (item,) = read_ahead([picture], encoder, known=(), threads=1)
    if item.prepared is None or item.key is None:
        raise UnreadableImageError(str(home / record.path), item.error or "cannot be read")
    if item.key != record.key:
        raise UnreadableImageError(str(home / record.path), "was changed since it was confirmed")
    return PreparedPicture(item.prepared, item.whole, item.width, item.height, item.thumbnail)


def carry_confirmed(folder: Path, draft: Gallery, encoder: ImageEncoder) -> list[Failure]:
    """Put the confirmed pictures of a gallery into the one that is to take its place.

    Args:
        folder: the gallery's folder; the caller holds its writer lock.
        draft: the new one.
        encoder: what makes it.

    Returns:
        Those that are lost, because their files are gone or were changed.
    """
    corrections = Corrections.of(CorrectionLog(folder).standing)
    present = set(draft.store.image_table([]).column("key").to_pylist()) | draft.store.hidden_keys()
    lost = []
    for record in _still_there(folder, corrections.added.values()):
        if record.key in present:
            # An earlier try may have been killed between the two, and an image without a file is deleted.
            draft.store.record_files([record], known=[record.path])
            continue
        pin = corrections.pins.get(record.key or "")
        try:
            row = encode_picture(record, draft, encoder, said=None if pin is None else pin.said)
        except UnreadableImageError as error:
            lost.append(Failure(error.path, f"confirmed, and not in the new gallery: {error.reason}"))
            continue
        draft.store.add_images([row], encoder=encoder.fingerprint)
        draft.store.record_files([record], known=[record.path])
    return lost


def _still_there(folder: Path, records: Iterable[FileRecord]) -> list[FileRecord]:
    """Leave out what the gallery has lost since, as with a file that was deleted from a catalogue."""
    try:
        store = Gallery.open(folder).store
        keys = set(store.image_table([]).column("key").to_pylist()) | store.hidden_keys()
    except GalleryError:
        return list(records)  # a rebuild is the remedy for a gallery that cannot be opened
    return [record for record in records if record.key in keys]
