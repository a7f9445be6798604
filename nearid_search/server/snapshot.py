"""A gallery as it was when it was opened, with what the service looks up in it again and again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.engine import SearchEngine
from nearid_search.errors import NotFoundError, UnreadableImageError
from nearid_search.explain import Explainer
from nearid_search.images import read_file
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.search.approximate import ApproximateBackend
from nearid_search.indexer.search.row_keys import find_keys
from nearid_search.indexer.sql import any_of

_ROWS_AT_ONCE = 8192


class View(NamedTuple):
    """One image of an identity: its key, and its path as one would type it."""

    key: str
    path: str | None


class NamePage(NamedTuple):
    """Some identities by name, how many there are in all, and the last of them if more follow."""

    names: list[str]
    total: int
    next: str | None


class Snapshot:
    """An engine that does not change; another one takes its place when the gallery does.

    Args:
        engine: the engine.
        stamp: what the gallery's files looked like just before it was opened; see ``gallery_stamp``.

    Attributes:
        identities: every identity and its number of images, sorted by name.
    """

    def __init__(self, engine: SearchEngine, stamp: tuple[object, ...]) -> None:
        self.engine = engine
        self.stamp = stamp
        counted = zip(engine.enrolled.identities.names.to_pylist(), engine.enrolled.num_views.tolist(), strict=True)
        self.identities = dict(sorted(item for item in counted if item[1]))
        self._names = list(self.identities)

    @property
    def version(self) -> int:
        """Version of the images table."""
        return self.engine.rows.lance_version

    @cached_property
    def info(self) -> dict[str, Any]:
        """What ``gallery info --json`` says."""
        return self.engine.gallery.info()

    @cached_property
    def explainer(self) -> Explainer:
        """What explains answers."""
        return Explainer(self.engine)

    def names(self, *, after: str, contains: str, limit: int) -> NamePage:
        """Return some identities by name.

        Args:
            after: only names behind this one.
            contains: only names with this in them, in any case.
            limit: most to return, at least 1.
        """
        wanted = contains.casefold()
        found = [name for name in self._names if wanted in name.casefold()] if wanted else self._names
        start = bisect_right(found, after)
        page = found[start : start + limit]
        return NamePage(page, len(found), page[-1] if start + limit < len(found) else None)

    def views_of(self, identity: str) -> list[View]:
        """Return the images of an identity, by path and key.

        Raises:
            NotFoundError: if there is none of that name.
        """
        enrolled = self.engine.enrolled
        code = enrolled.code_of(identity)
        rows = np.flatnonzero(enrolled.codes == code).tolist() if code >= 0 else []
        if not rows:
            raise NotFoundError(f"there is no identity {identity!r}")
        views = (View(self.engine.rows.key(row), enrolled.path_at(row)) for row in rows)
        return sorted(views, key=lambda view: (view.path or "", view.key))

    def covers(self, identities: Sequence[str]) -> dict[str, str]:
        """Return the key of one image of each of some identities."""
        code_of = self.engine.enrolled.code_of
        return {name: self.engine.rows.key(int(self._first_rows[code_of(name)])) for name in identities}

    @cached_property
    def _first_rows(self) -> NDArray[np.int64]:
        """A row of each identity by its number."""
        codes = self.engine.enrolled.codes
        first = np.full(len(self.engine.enrolled.num_views), -1, np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        return first

    def metadata_of(self, identity: str) -> dict[str, list[str]]:
        """Return what the catalogue's table says of an identity's images: the values of each column, without repeats.

        Columns without a value are left out.
        """
        store = self.engine.gallery.store
        names = [field.name for field in store.metadata_fields]
        if not names:
            return {}
        found: dict[str, dict[str, None]] = {name: {} for name in names}
        for batch in store.scan(names, where=any_of("identity", [identity]), batch_rows=_ROWS_AT_ONCE):
            for name in names:
                found[name] |= dict.fromkeys(
                    str(value) for value in batch.column(name).to_pylist() if value is not None
                )
        return {name: list(values) for name, values in found.items() if values}

    def row_of(self, key: str) -> int:
        """Return the row of an image.

        Raises:
            NotFoundError: if there is none of that key.
        """
        (row,) = find_keys(self.engine.rows.keys, np.array([key.encode()], self.engine.rows.keys.dtype)).tolist()
        if row < 0:
            raise NotFoundError(f"there is no image {key!r}")
        return int(row)

    def thumbnail(self, key: str) -> bytes:
        """Return the stored JPEG thumbnail of an image.

        Raises:
            NotFoundError: if there is no such image, or it was imported without a picture.
        """
        self.row_of(key)
        found = self.engine.gallery.store.thumbnails([key]).get(key)
        if not found:
            raise NotFoundError(f"image {key!r} was imported without a picture")
        return found

    def picture_file(self, key: str) -> bytes:
        """Return the bytes of an image's file.

        Raises:
            NotFoundError: if there is no such image, or its file is gone or holds something else by now.
        """
        file = self.engine.enrolled.file_at(self.row_of(key))
        try:
            data = b"" if file is None else read_file(file)
        except UnreadableImageError:
            data = b""
        if content_key(data) != key:
            raise NotFoundError(f"the file of image {key!r} is gone or was changed: its thumbnail is still there")
        return data

    @property
    def rows_beside_the_index(self) -> int:
        """Rows that the search index lacks and that are scanned; 0 without an index."""
        backend = self.engine.backend
        return backend.num_waiting if isinstance(backend, ApproximateBackend) else 0
