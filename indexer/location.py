"""Where a gallery is and how it names the files it has seen.

A gallery lives beside the catalogue it describes, as ``.git`` does beside a work tree. Paths below its parent folder
are kept relative to it, so a folder that is moved or mounted elsewhere keeps its gallery; other paths are absolute.
"""

from __future__ import annotations

import os
from pathlib import Path

from nearid_search.errors import ConfigError, GalleryNotFoundError
from nearid_search.object_storage.path import ObjectPath, object_path

GALLERY_DIRNAME = ".nearid"
GALLERY_VARIABLE = "NEARID_GALLERY"
UPLOADS_DIRNAME = "uploads"
"""Folder in the gallery's folder that holds pictures which came without a file of their own."""


def locate_gallery(gallery: str | Path | None = None, *, start: Path | None = None) -> Path:
    """Return the folder of the gallery to use, whether or not it exists yet.

    In order: ``gallery`` itself, the variable ``NEARID_GALLERY``, the nearest ``.nearid`` in ``start`` or a folder
    above it, and ``.nearid`` in ``start``.

    Args:
        gallery: folder named by the caller, or its address in an object store (``s3://bucket/folder``).
        start: where to look from; the working directory by default.

    Returns:
        An absolute path, or an address as an ``ObjectPath``.
    """
    named = os.environ.get(GALLERY_VARIABLE) if gallery is None else str(gallery)
    if named:
        return object_path(named) or Path(os.path.abspath(named))
    here = Path(os.path.abspath(start or Path.cwd()))
    for folder in (here, *here.parents):
        if (folder / GALLERY_DIRNAME).is_dir():
            return folder / GALLERY_DIRNAME
    return here / GALLERY_DIRNAME


def require_gallery(gallery_dir: Path, *, exists: bool) -> None:
    """Raise if there is no gallery, naming the command that makes one.

    Args:
        gallery_dir: where the gallery was looked for.
        exists: whether one was found there.

    Raises:
        GalleryNotFoundError: if ``exists`` is false.
    """
    if not exists:
        remedy = "make one with: nearid-search index ./catalog"
        if gallery_dir.name != GALLERY_DIRNAME or os.environ.get(GALLERY_VARIABLE):
            remedy += f" --gallery {gallery_dir}"
        raise GalleryNotFoundError(f"no gallery at {gallery_dir}: {remedy} (or name another with --gallery)")


def require_disk(gallery_dir: Path, what: str, *, remedy: str) -> None:
    """Raise if a gallery is in an object store, where something does not work.

    Args:
        gallery_dir: the gallery's folder.
        what: what does not work there, as the beginning of a sentence.
        remedy: what to do instead.

    Raises:
        ConfigError: if it is in an object store.
    """
    if isinstance(gallery_dir, ObjectPath):
        raise ConfigError(f"{what} needs a gallery on a disk, and {gallery_dir} is in an object store: {remedy}")


def stored_path(path: Path, *, home: Path) -> str:
    """Return the name under which the gallery keeps a file.

    Args:
        path: absolute path of the file.
        home: folder that holds the gallery's folder, absolute.

    Returns:
        A POSIX path, relative to ``home`` if the file is below it, else absolute.
    """
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else path.as_posix()


def in_catalogue(stored: str, catalogue: str, *, folder: Path) -> bool:
    """Say whether a file belongs to a catalogue; one that was uploaded into the gallery belongs to none.

    Args:
        stored: its stored path.
        catalogue: stored path of the catalogue.
        folder: the gallery's folder.

    Example:
        >>> shop = Path("/shop/.nearid")
        >>> [in_catalogue(path, ".", folder=shop) for path in ("a/1.jpg", ".nearid/uploads/2.jpg", "/b/3.jpg")]
        [True, False, False]
    """
    if stored.startswith(f"{folder.name}/{UPLOADS_DIRNAME}/"):
        return False
    return not stored.startswith("/") if catalogue == "." else stored.startswith(catalogue_prefix(catalogue))


def catalogue_prefix(stored_catalogue: str) -> str:
    """Return what the stored path of every file of a catalogue begins with.

    Args:
        stored_catalogue: the catalogue's own stored path.

    Example:
        >>> catalogue_prefix("catalog"), catalogue_prefix(".")
        ('catalog/', '')
    """
    return "" if stored_catalogue == "." else stored_catalogue.rstrip("/") + "/"


def display_path(stored: str, *, home: Path) -> str:
    """Return a stored path as a person in the working directory would type it; an address (``s3://``) as it is."""
    if "://" in stored:
        return stored
    if isinstance(home, ObjectPath) and not stored.startswith("/"):
        return str(home / stored)
    absolute = stored if isinstance(home, ObjectPath) else os.path.join(home, stored)
    relative = os.path.relpath(absolute)
    return absolute if relative.startswith(os.pardir + os.sep) else relative
