"""What people have said already, so that nobody is asked twice."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.search.index_rows import GalleryRows, Identities
from nearid_search.indexer.search.row_keys import KEY_LENGTH, find_keys


class Answered:
    """The corrections that hold, as questions that need not be asked.

    Args:
        said: the corrections.
        identities: what the gallery's rows show.
        rows: these rows.
    """

    def __init__(self, said: Corrections, identities: Identities, rows: GalleryRows) -> None:
        self._said = said
        self._apart: set[frozenset[int]] = set()
        if not said.kept_apart and not said.not_shown:
            return
        code_of = {name: code for code, name in enumerate(identities.names.to_pylist())}
        self._apart = {frozenset(code_of[name] for name in pair) for pair in said.kept_apart if pair <= code_of.keys()}
        keys = sorted(said.not_shown)
        places = find_keys(rows.keys, np.asarray(keys, f"S{KEY_LENGTH}"))
        for key, row in zip(keys, places.tolist(), strict=True):
            if row >= 0:
                code = int(identities.codes[row])
                self._apart |= {frozenset((code, code_of[name])) for name in said.not_shown[key] if name in code_of}

    def are_apart(self, code: int, other: int) -> bool:
        """Say whether two identities are not the same: that was said of them, or of a picture of one."""
        return frozenset((code, other)) in self._apart

    def is_of(self, key: str, identity: str) -> bool:
        """Say whether somebody has said that a picture shows this identity."""
        pin = self._said.pins.get(key)
        return pin is not None and pin.after == identity

    def says_of(self, key: str) -> bool:
        """Say whether somebody has looked at a picture and ruled out an identity."""
        return key in self._said.not_shown

    def settles(self, keys: Iterable[str], identity: str, key: str, other: str, other_key: str) -> bool:
        """Say whether pictures of one identity need not be suspected to show another.

        Somebody has said what one of the pictures shows, or that the nearest other is something else. The next nearest
        is not offered in its place: whoever said so has looked at the pictures.

        Args:
            keys: of the pictures.
            identity: theirs.
            key: of the one of them that is nearest to the other identity.
            other: the other identity.
            other_key: of its nearest picture.
        """
        said = self._said
        return (
            any(self.is_of(known, identity) for known in keys)
            or other in said.not_shown.get(key, {})
            or identity in said.not_shown.get(other_key, {})
            or frozenset((identity, other)) in said.kept_apart
        )
