"""What is known of every image of a gallery beside its embedding, and how ranked rows become an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import FilterError
from nearid_search.images import read_file
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.index_rows import GalleryRows, whole_array
from nearid_search.indexer.search.row_keys import find_keys
from nearid_search.ranking import RankedIdentity, margin_of
from nearid_search.records import IdentityMatch, MatchedImage, QueryAnswer
from nearid_search.similarity import Rows
from nearid_search.verdict import Judgement

if TYPE_CHECKING:
    import pyarrow as pa

_VIEWS_SHOWN = 4

Accept = Callable[["pa.Table"], NDArray[np.bool_]]
"""Given an Arrow table of all images (``key``, ``path``, ``identity`` and metadata), says which may be an answer."""


class EnrolledImages:
    """Key, path and identity of every image, by row.

    Args:
        gallery: the gallery.
        rows: its rows now.

    Attributes:
        identities: of every row, by number.
        codes: (G,) int64: these numbers.
        num_views: (I,) how many rows each identity has.
    """

    def __init__(self, gallery: Gallery, rows: GalleryRows) -> None:
        self.identities = rows.identities()
        self.codes = self.identities.codes
        self.num_views = np.bincount(self.codes, minlength=len(self.identities.names))
        self._rows = rows
        self._paths = whole_array(rows.labels.column("path"))
        self._store = gallery.store
        self._gallery = gallery
        self._not_shown = gallery.corrections_that_hold().not_shown

    def identity_at(self, row: int) -> str:
        """Return the identity of a row."""
        return self.identities.name(int(self.codes[row]))

    def path_at(self, row: int) -> str | None:
        """Return the path of a row's picture as one would type it; None if it was imported without one."""
        return self._gallery.shown_path(self._paths[row].as_py())

    def file_at(self, row: int) -> Path | None:
        """Return the file of a row's picture, which may be gone; None if it never was a file of this machine."""
        path: str | None = self._paths[row].as_py()
        imported = self._gallery.manifest.encoder.backbone is None
        return None if path is None or imported or "://" in path else self._gallery.home / path

    def code_of(self, identity: str) -> int:
        """Return the number of an identity; -1 if there is none of that name."""
        return int(self.identities.names.index(identity).as_py())

    def allowed(self, where: str | Accept | None) -> Rows | None:
        """Return the rows that a filter accepts, sorted; None if there is no filter.

        Args:
            where: SQL condition on the gallery's columns, or a function.

        Raises:
            FilterError: if the condition cannot be evaluated, or the function gives no bool for every image.
        """
        if where is None:
            return None
        if isinstance(where, str):
            found = find_keys(self._rows.keys, self._store.keys_where(where))
            return np.sort(found[found >= 0])
        names = [field.name for field in self._store.metadata_fields]
        mask = np.asarray(where(self._store.image_table(["path", "identity", *names])))
        if mask.shape != (len(self.codes),) or mask.dtype != np.bool_:
            raise FilterError(
                f"a filter function must return ({len(self.codes)},) bool, one for each image, "
                f"got {mask.shape} {mask.dtype}"
            )
        return np.flatnonzero(mask)

    def not_rejected(self, images: Iterable[str | Path], allowed: Rows | None) -> Rows | None:
        """Leave out the rows of identities that one of some pictures was said not to show.

        Args:
            images: the pictures; their bytes count, not their names.
            allowed: (A,) sorted rows; None means all.

        Returns:
            The rows left, sorted; ``allowed`` itself if nothing was said of any of the pictures.

        Raises:
            UnreadableImageError: if one of the pictures cannot be read.
        """
        if not self._not_shown:
            return allowed
        return self.without(self.not_shown(content_key(read_file(Path(image))) for image in images), allowed)

    def not_shown(self, keys: Iterable[str]) -> frozenset[str]:
        """Return the identities that one of some pictures, given by key, was said not to show."""
        return frozenset(name for key in keys for name in self._not_shown.get(key, ()))

    def without(self, names: frozenset[str], allowed: Rows | None) -> Rows | None:
        """Leave out the rows of some identities.

        Args:
            names: the identities; those that are not there do not matter.
            allowed: (A,) sorted rows; None means all.

        Returns:
            The rows left, sorted; ``allowed`` itself if there is no name.
        """
        if not names:
            return allowed
        codes = [code for code, name in enumerate(self.identities.names.to_pylist()) if name in names]
        rows = np.arange(len(self.codes), dtype=np.int64) if allowed is None else allowed
        kept: Rows = rows[~np.isin(self.codes[rows], codes)]
        return kept

    def views_among(self, allowed: Rows | None) -> NDArray[np.int64]:
        """Return how many of some rows each identity has, (I,) int64; None means all rows."""
        if allowed is None:
            return self.num_views
        return np.bincount(self.codes[allowed], minlength=len(self.num_views))

    def answer(
        self, ranked: list[RankedIdentity], *, label: str, k: int, judgement: Judgement, calibrated: bool
    ) -> QueryAnswer:
        """Return the answer that ranked identities give.

        Args:
            ranked: at least k + 1 identities, if there are so many, best first.
            label: what to call the query.
            k: identities to list.
            judgement: what is made of them.
            calibrated: whether that was fitted on the gallery as it is.
        """
        matches = tuple(self._match(place, identity) for place, identity in enumerate(ranked[:k], start=1))
        return QueryAnswer(
            query=label,
            verdict=judgement.verdict,
            identity=matches[0].identity if matches and judgement.verdict != "unknown" else None,
            confidence=judgement.confidence,
            margin=margin_of(ranked),
            calibrated=calibrated,
            matches=matches,
        )

    def _match(self, rank: int, identity: RankedIdentity) -> IdentityMatch:
        images = tuple(
            MatchedImage(self.path_at(int(row)), float(score), self._rows.key(row))
            for row, score in zip(identity.rows[:_VIEWS_SHOWN], identity.scores[:_VIEWS_SHOWN], strict=True)
        )
        return IdentityMatch(rank, self.identities.name(identity.code), images[0].score, len(identity.rows), images)
