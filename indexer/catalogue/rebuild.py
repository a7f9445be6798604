"""A gallery that is made anew grows beside the old one, as a draft, and takes its place in one rename.

``manifest.json`` names the folder of the tables in force, ``draft.json`` those of the draft. Publishing renames the
second over the first, so a crash leaves one gallery or the other, and readers find the old one until then.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_search.durable_file import remove_file
from nearid_search.errors import GalleryCorruptError, GalleryMismatchError, GalleryWriteError, NoEncoderError
from nearid_search.indexer.care.checksums import CHECKSUMS_NAME
from nearid_search.indexer.care.second_copies import COPY_SUFFIX
from nearid_search.indexer.care.set_aside import is_aside
from nearid_search.indexer.corrections.log import LOG_NAME
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.leftovers import delete_leftovers
from nearid_search.indexer.location import UPLOADS_DIRNAME
from nearid_search.indexer.manifest import (
    DRAFT_NAME,
    HEAD_NAME,
    MANIFEST_NAME,
    TABLES_NAME,
    publish_manifest,
    read_manifest,
)
from nearid_search.indexer.search.index_manifest import INDEX_DIRNAME
from nearid_search.indexer.store import GalleryStore
from nearid_search.object_storage.lease import CLOCK_NAME, LEASE_NAME

if TYPE_CHECKING:
    from nearid_search.image_encoder import ImageEncoder

_OWN_FILES = {MANIFEST_NAME, DRAFT_NAME, INDEX_DIRNAME, LOG_NAME, UPLOADS_DIRNAME, CHECKSUMS_NAME}
_OWN_FILES |= {LEASE_NAME, CLOCK_NAME}
_OWN_FILES |= {"writer.lock", "writer.json"}


def open_draft(folder: Path, encoder: ImageEncoder, *, keep_whole: bool = False) -> Gallery:
    """Go on with the draft an interrupted rebuild left, or begin one.

    Args:
        folder: the gallery's folder; the caller holds its writer lock.
        encoder: what the new gallery is made by. A draft made by another is dropped.
        keep_whole: whether it keeps the embeddings of whole pictures, too. A draft of the other kind is dropped.

    Returns:
        The draft, to be indexed into and then given to ``publish_draft``.
    """
    draft = find_draft(folder, encoder, keep_whole=keep_whole)
    if draft is not None:
        return draft
    remove_file(folder / DRAFT_NAME)  # its tables go with the old ones when the next draft is published
    tables = f"{TABLES_NAME}-{uuid.uuid4().hex[:8]}"
    return Gallery.create(folder, encoder, keep_whole=keep_whole, manifest_name=DRAFT_NAME, tables=tables)


def find_draft(folder: Path, encoder: ImageEncoder, *, keep_whole: bool = False) -> Gallery | None:
    """Return the draft that an interrupted rebuild left, if it can be gone on with; see ``open_draft``."""
    if not (folder / DRAFT_NAME).exists():
        return None
    try:
        draft = Gallery.open(folder, manifest_name=DRAFT_NAME)
        draft.check_encoder(encoder)
    except (GalleryCorruptError, GalleryMismatchError):
        return None
    is_published = draft.manifest.tables == _tables_in_force(folder)  # a crash came before it was deleted
    return draft if draft.manifest.encoder.keeps_whole == keep_whole and not is_published else None


def _tables_in_force(folder: Path) -> str | None:
    try:
        manifest = read_manifest(folder)
    except GalleryCorruptError:
        return None
    return None if manifest is None else manifest.tables


def refuse_to_lose_imports(folder: Path) -> None:
    """Refuse a rebuild that would drop embeddings whose pictures are not at hand.

    Args:
        folder: the gallery's folder; a gallery that is missing, or whose tables are damaged, loses nothing more.

    Raises:
        NoEncoderError: if the gallery holds imported embeddings.
    """
    keep = "keep them with: nearid-search gallery export"
    try:
        imported = 0 if read_manifest(folder) is None else Gallery.open(folder).store.num_imported()
    except GalleryCorruptError:  # a rebuild is the remedy for exactly this, but for tables that are still whole
        imported = sum(_imported_into(path) for path in folder.glob(f"{TABLES_NAME}*") if not is_aside(path.name))
        keep = "mend this one with: nearid-search gallery repair"
    if imported:
        raise NoEncoderError(
            f"{folder} holds {imported} imported embeddings, which no rebuild can make again: make the new gallery in "
            f"another --gallery, and {keep}"
        )


def _imported_into(tables_dir: Path) -> int:
    try:
        return GalleryStore(tables_dir).num_imported()
    except GalleryCorruptError:
        return 0


def publish_draft(draft: Gallery) -> None:
    """Put a complete draft in the old gallery's place and delete the old tables and head.

    Args:
        draft: what ``open_draft`` returned; the caller still holds the writer lock.

    Raises:
        GalleryWriteError: if the folder cannot be written.
    """
    publish_manifest(draft.folder)
    delete_leftovers(draft.folder)


def require_gallery_folder(folder: Path) -> None:
    """Refuse to make a gallery in a folder that holds something else.

    Raises:
        GalleryWriteError: if the folder is a file, cannot be read, or holds files of others and no gallery.
    """
    if folder.exists() and not folder.is_dir():
        raise GalleryWriteError(f"{folder} is a file: give a folder for the gallery")
    try:
        names = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise GalleryWriteError(f"cannot look into {folder}: {error.strerror}") from error
    foreign = [name for name in names if not _is_own(name)]
    if foreign and MANIFEST_NAME not in names:
        raise GalleryWriteError(
            f"{folder} holds other files ({foreign[0]}): give an empty or new folder for the gallery"
        )


def _is_own(name: str) -> bool:
    is_kept = name.endswith((".tmp", COPY_SUFFIX)) or is_aside(name)
    return name in _OWN_FILES or name.startswith((TABLES_NAME, HEAD_NAME)) or is_kept
