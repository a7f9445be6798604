"""What the words of a correction mean: which identity, and which picture."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from nearid_search.errors import CorrectionError, NotFoundError
from nearid_search.images import read_file
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.corrections.catalogue_label import catalogue_label
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import display_path, stored_path
from nearid_search.indexer.schema import CATALOGUE_IDENTITY
from nearid_search.indexer.search.row_keys import KEY_LENGTH
from nearid_search.object_storage.path import object_path

_COMPARED = 20_000  # names that are looked at for those like a mistyped one
_SUGGESTED = 3


class KnownImage(NamedTuple):
    """One image of the gallery; ``identity`` is None if no answer shows it."""

    key: str
    path: str | None
    identity: str | None
    said: str | None


class PictureFile(NamedTuple):
    """A picture that is no image of the gallery yet; ``said`` is what a catalogue around its file calls the thing."""

    key: str
    path: str
    said: str | None


class Targets:
    """The images of a gallery as a correction finds them.

    Args:
        gallery: the gallery, opened after the writer lock was taken.
    """

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._of_identity: dict[str, list[KnownImage]] = {}
        self._of_key: dict[str, KnownImage] = {}
        self._of_path: dict[str, KnownImage] = {}
        columns = ["key", "path", "identity", CATALOGUE_IDENTITY]
        for name in ("images", "hidden"):
            found = gallery.store.tables[name].search().select(columns).to_arrow().sort_by("key")
            for row in zip(*(found.column(column).to_pylist() for column in columns), strict=True):
                image = KnownImage(*row)
                self._add(image if name == "images" else image._replace(identity=None))

    def _add(self, image: KnownImage) -> None:
        self._of_key.setdefault(image.key, image)
        if image.path is not None:
            self._of_path.setdefault(image.path, image)
        if image.identity is not None:
            self._of_identity.setdefault(image.identity, []).append(image)

    @property
    def identities(self) -> Iterable[str]:
        """Every identity."""
        return self._of_identity.keys()

    def images_of(self, identity: str) -> list[KnownImage]:
        """Return the images of an identity, by key.

        Raises:
            CorrectionError: if there is none of that name.
        """
        check_name(identity)
        found = self._of_identity.get(identity)
        if found is None:
            raise NotFoundError(f"there is no identity {identity!r}{_like(identity, self.identities)}")
        return found

    def is_identity(self, name: str) -> bool:
        """Say whether an identity has that name."""
        return name in self._of_identity

    def image(self, picture: str, *, among: list[KnownImage] | None = None) -> KnownImage:
        """Find an image by a path as one types it, as the gallery shows it, or by its key.

        Args:
            picture: the path or key.
            among: the images it should be one of; None means all that are in answers.

        Raises:
            CorrectionError: if it is none of them.
        """
        found = self.find(picture)
        if found is None or found.identity is None or (among is not None and found not in among):
            home = self._gallery.home
            images = self._of_path.values() if among is None else among
            names = [display_path(image.path, home=home) for image in images if image.identity and image.path]
            what = f"picture {picture!r} of {among[0].identity!r}" if among else f"identity or picture {picture!r}"
            raise NotFoundError(f"there is no {what}{_like(picture, names if among else [*names, *self.identities])}")
        return found

    def find(self, picture: str) -> KnownImage | None:
        """Find an image, or return None; one that no answer shows is found as well."""
        stored = self._stored(picture)
        found = self._of_path.get(stored) or self._of_path.get(picture) or self._of_key.get(picture)
        if found is None:
            ledger = {stored, picture}
            keys = [record.key for record in self._gallery.store.files_at(sorted(ledger)) if record.key]
            found = self._of_key.get(keys[0]) if keys else None
        return found

    def with_key(self, key: str) -> KnownImage | None:
        """Return the image of a key, or None; one that no answer shows is found as well."""
        return self._of_key.get(key)

    def picture(self, picture: str, *, files: bool = True, unseen: bool = False) -> KnownImage | PictureFile:
        """Find an image, or the file of one that is not in the gallery; the content of a file is looked at.

        Args:
            picture: its path, as one types it or as the gallery shows it, or its key.
            files: whether it may be a file that is not in the gallery.
            unseen: whether it may be the key of a picture that nobody has here; such a one has no path.

        Raises:
            CatalogueError: if the table that names the pictures around it cannot be read.
            NotFoundError: if there is no such image and no such file.
            UnreadableImageError: if the file cannot be read.
        """
        found = self.find(picture)
        if found is not None:
            return found
        if unseen and re.fullmatch(f"[0-9a-f]{{{KEY_LENGTH}}}", picture):
            return PictureFile(picture, "", None)
        path = Path(picture)
        if not files or not path.is_file():
            shown = (display_path(stored, home=self._gallery.home) for stored in self._of_path)
            where = "in the gallery or as a file" if files else "in the gallery"
            raise NotFoundError(f"there is no picture {picture!r}, {where}{_like(picture, shown)}")
        key = content_key(read_file(path))
        stored = self._stored(picture)
        known = self._of_key.get(key)
        return known or PictureFile(key, stored, catalogue_label(self._gallery, stored))

    def _stored(self, picture: str) -> str:
        return stored_path(object_path(picture) or Path(os.path.abspath(picture)), home=self._gallery.home)


def check_name(identity: str) -> None:
    """Refuse a name that names nothing.

    Raises:
        CorrectionError: if it is empty or blank, or has blanks at an end.
    """
    if not identity.strip():
        raise CorrectionError("the name is empty: give an identity's name")
    if identity != identity.strip():
        raise CorrectionError(f"the name {identity!r} begins or ends with a blank: leave that out")


def _like(wanted: str, names: Iterable[str]) -> str:
    """Return the names most like a mistyped one, as the end of a sentence."""
    compared = list(islice(names, _COMPARED))
    folded = {name.casefold(): name for name in reversed(compared)}
    close = difflib.get_close_matches(wanted.casefold(), folded, n=_SUGGESTED, cutoff=0.6)
    if not close:
        return ": nearid-search gallery list --views shows what there is"
    return ": did you mean " + " or ".join(repr(folded[name]) for name in close) + "?"
