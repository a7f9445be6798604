"""Vectors in a file that is mapped: a row is compared with its digest before it is believed for the first time.

Reading a whole file to compare one checksum would take longer than the first answers, and most rows are seldom asked
for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import IndexUnusableError
from nearid_search.indexer.search.index_rows import row_digests
from nearid_search.similarity import Embeddings, Rows

_ROWS_AT_ONCE = 16_384


class CheckedVectors:
    """The vectors of a gallery, row by row as they are needed.

    Args:
        path: file of (N, D) little-endian float32.
        digests: (N,) what ``row_digests`` said of each row; not from the same file.
        dim: D.
        read_again: reads the same rows from where the file's came from.
        is_copy: whether the file is a copy on this machine of what is kept elsewhere; a damaged one is deleted.

    Attributes:
        on_damage: told in one line of a file that was altered, whose rows are then read again. None: damage is an
            error.

    Raises:
        OSError: if the file cannot be mapped.
    """

    def __init__(
        self,
        path: Path,
        digests: NDArray[np.uint64],
        dim: int,
        *,
        read_again: Callable[[], Embeddings],
        is_copy: bool = False,
    ) -> None:
        self.on_damage: Callable[[str], None] | None = None
        self._path = path
        self._digests = digests
        self._read_again = read_again
        self._is_copy = is_copy
        shape = (len(digests), dim)
        # The plain class: NumPy's own for maps slows every access down.
        self._vectors: Embeddings = (
            np.asarray(np.memmap(path, "<f4", "r", shape=shape)) if len(digests) else np.empty(shape, np.float32)
        )
        self._unchecked = np.ones(len(digests), bool)

    def __len__(self) -> int:
        return len(self._digests)

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self._vectors.shape[1])

    def having(self, rows: Rows | None = None) -> Embeddings:
        """Return all vectors, of which some are what was written.

        Args:
            rows: row numbers that are about to be read, in any order and shape; None means all.

        Returns:
            (N, D) float32. Rows not asked for may be damaged.

        Raises:
            IndexUnusableError: if the file was altered and nobody is to be told.
        """
        new = np.flatnonzero(self._unchecked) if rows is None else np.unique(rows[self._unchecked[rows]])
        for start in range(0, len(new), _ROWS_AT_ONCE):
            some = new[start : start + _ROWS_AT_ONCE]
            if (row_digests(self._vectors[some]) != self._digests[some]).any():
                self._replace()
                break
            self._unchecked[some] = False
        return self._vectors

    def _replace(self) -> None:
        line = f"{self._path} was altered since it was written"
        if self._is_copy:
            self._path.unlink(missing_ok=True)
        if self.on_damage is None:
            raise IndexUnusableError(line)
        remedy = "the next command makes the copy anew" if self._is_copy else "index again to make it anew"
        self.on_damage(f"{line}; the vectors are read from the tables instead: {remedy}")
        self._vectors = self._read_again()
        self._unchecked[:] = False
