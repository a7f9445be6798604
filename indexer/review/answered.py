"""What people have said already, so that nobody is asked twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nearid_search.indexer.corrections.state import Corrections


class Answered:
    """The corrections that hold, as questions that need not be asked.

    Args:
        said: the corrections.
        names: identity by number.
        keys: of every gallery row.
        codes: (G,) identity number of every gallery row.
    """

    def __init__(self, said: Corrections, names: Sequence[str], keys: Sequence[str], codes: NDArray[np.int64]) -> None:
        self._said = said
        code_of = {name: code for code, name in enumerate(names)}
        self._apart = {frozenset(code_of[name] for name in pair) for pair in said.kept_apart if pair <= code_of.keys()}
        if said.not_shown:
            code_of_key = {key: int(codes[row]) for row, key in enumerate(keys) if key in said.not_shown}
            for key, code in code_of_key.items():
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
