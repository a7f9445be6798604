"""Best patch against patch: for each patch of the query, how alike is the most alike patch of the other picture?

Pooling loses which patches there are. The comparison needs no training (MaSC, arXiv 2605.22469, makes it over the
query's foreground; here each patch weighs what the head attends to it). Tokens of a gallery are not stored: pictures of
a shortlist are read and encoded again, the best view of every identity first, for as long as the time lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import UnreadableImageError
from nearid_search.head_numpy import attention
from nearid_search.image_encoder import Image
from nearid_search.rerank.rung import Deadline, Rescored, best_views, out_of_time, stopped_after
from nearid_search.rerank.shortlist import Shortlist

IDENTITIES, VIEWS = 10, 1
"""Identities that are looked at, and views of each."""
_PLAIN_SHARE = 2 / 3

Tokens = Sequence[NDArray[np.float32]]


def patch_score(query: Tokens, weights: NDArray[np.float32], other: Tokens) -> float:
    """Average over the query's patches how alike the most alike patch of another picture is.

    Args:
        query: one (N, D) array a scale, unit rows.
        weights: what each patch weighs, over all scales, summing to 1.
        other: one (M, D) array a scale, unit rows; patches are compared within a scale.

    Returns:
        The weighted mean of the best cosines, in [-1, 1].
    """
    best = [(own @ others.T).max(axis=1) for own, others in zip(query, other, strict=True)]
    return float(weights @ np.concatenate(best))


class PatchRung:
    """Compares patches, each weighed by how much the head attends to it; equally without a head.

    Args:
        encoder: of the gallery.
        file_of: gives the picture file of a gallery row; None if there never was one.
    """

    needs_picture = True

    def __init__(self, encoder: IdentityEncoder, file_of: Callable[[int], Path | None]) -> None:
        self._encoder, self._file_of = encoder, file_of

    def __call__(self, shortlist: Shortlist, picture: Image | None, deadline: Deadline) -> Rescored:
        """Score as many of the best views as time allows; see ``Rung``."""
        assert picture is not None  # noqa: S101  (needs_picture)
        started = deadline.spent
        raw = self._tokens(picture)
        query, weights = _units(raw), self._weights(raw)
        longest = deadline.spent - started
        places: list[int] = []
        scores: list[float] = []
        gone: list[str] = []
        remarks: list[str] = []
        wanted = best_views(shortlist, identities=IDENTITIES, views=VIEWS)
        for place in wanted.tolist():
            if deadline.left < longest:
                remarks.append(stopped_after(deadline, len(set(shortlist.codes[places].tolist()))))
                break
            started = deadline.spent
            file = self._file_of(int(shortlist.rows[place]))
            try:
                other = None if file is None else _units(self._tokens(file))
            except UnreadableImageError:
                other = None
            if other is None:
                gone.append(str(file))
                continue
            places.append(place)
            scores.append(patch_score(query, weights, other))
            longest = max(longest, deadline.spent - started)
        if not places and remarks:
            return out_of_time(deadline, 0)
        if gone:
            remarks.append(f"{len(gone)} pictures cannot be read any more, such as {gone[0]}")
        plain = shortlist.scores[places]
        mixed = _PLAIN_SHARE * plain + (1 - _PLAIN_SHARE) * np.asarray(scores, np.float32)
        return Rescored(shortlist.codes[places], mixed.astype(np.float32), tuple(remarks))

    def _tokens(self, picture: Image) -> Tokens:
        encoder = self._encoder
        pixels = picture if isinstance(picture, np.ndarray) else encoder.read(Path(picture)).pixels
        return [scale[0] for scale in encoder.backbone.tokens(encoder.prepare(pixels)[None])]

    def _weights(self, tokens: Tokens) -> NDArray[np.float32]:
        head = self._encoder.head
        if head is None:
            count = sum(map(len, tokens))
            return np.full(count, 1 / count, np.float32)
        return np.concatenate([s[0] for s in attention(head.spec, head.arrays, [scale[None] for scale in tokens])])


def _units(tokens: Tokens) -> Tokens:
    return [scale / np.maximum(np.linalg.norm(scale, axis=1, keepdims=True), np.float32(1e-12)) for scale in tokens]
