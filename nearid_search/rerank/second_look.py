"""Re-ranking as an engine has it: which rung, if any, and what it makes of a block of queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.image_encoder import Image, ImageEncoder
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.backend import VectorBackend
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.ranking import RankedIdentity
from nearid_search.records import Reranking
from nearid_search.rerank.ladder import IDENTITIES, Reranker, chosen_rung, open_rung, why_not
from nearid_search.similarity import Embeddings, Rows


class SecondLook:
    """The rungs of re-ranking on one gallery.

    Args:
        backend: what searches it.
        rows: its rows.
        codes: (G,) identity of each.
        encoder: what encodes its queries; None if only embeddings will be asked about.
        file_of: gives the picture file of a row; None if there never was one.
    """

    def __init__(
        self,
        backend: VectorBackend,
        rows: GalleryRows,
        codes: NDArray[np.int64],
        encoder: ImageEncoder | None,
        file_of: Callable[[int], Path | None],
    ) -> None:
        self._backend, self._rows, self._codes = backend, rows, codes
        self._encoder, self._file_of = encoder, file_of
        self._reranker: Reranker | None = None

    def use(self, name: str, gallery: Gallery, *, budget_ms: float, on_warning: Callable[[str], None]) -> None:
        """Have queries go through a rung.

        Args:
            name: one of ``ladder.RUNGS``, "none", or "auto" for what ``gallery tune --rerank`` has switched on.
            gallery: the gallery.
            budget_ms: milliseconds that one query may take, above 0.
            on_warning: told in one line of what was switched on and cannot be used.

        Raises:
            ConfigError: if the name is unknown, the rung cannot be used here or the time is not above 0.
        """
        rung = chosen_rung(name, gallery, self._rows, self._encoder, on_warning=on_warning)
        self._reranker = None if rung is None else self.reranker(rung, budget_ms=budget_ms)

    def reranker(self, name: str, *, budget_ms: float) -> Reranker:
        """Return a rung on this gallery; arguments and errors as for ``use``, but a rung's own name."""
        rung = open_rung(name, self._encoder, self._file_of)
        return Reranker(name, rung, self._backend, self._rows, self._codes, budget_ms=budget_ms)

    def why_not(self, name: str) -> str:
        """Say why a rung cannot be used here; empty if it can."""
        return why_not(name, self._encoder)

    @property
    def is_on(self) -> bool:
        """Whether queries go through a rung."""
        return self._reranker is not None

    def wanted(self, k: int) -> int:
        """Return how many identities must be known so that k can be listed."""
        return k if self._reranker is None else max(k, IDENTITIES)

    def look(
        self,
        embeddings: Embeddings,
        found: Sequence[list[RankedIdentity]],
        pictures: Sequence[Image | None] | None,
        allowed: Rows | None,
    ) -> tuple[list[list[RankedIdentity]], list[Reranking | None]]:
        """Look again at what was found.

        Args:
            embeddings: (Q, D) of the queries.
            found: identities of each in plain order.
            pictures: of the queries, if there are any.
            allowed: rows that were searched; None means all.

        Returns:
            For each query its identities in their new order, and what was done; None if nothing was.
        """
        shown = [None] * len(found) if pictures is None else pictures
        looked = [
            self.look_once(embedding, ranked, () if picture is None else (picture,), allowed)
            for embedding, ranked, picture in zip(embeddings, found, shown, strict=True)
        ]
        return [ranked for ranked, _ in looked], [reranking for _, reranking in looked]

    def look_once(
        self,
        query: NDArray[np.float32],
        found: list[RankedIdentity],
        pictures: Sequence[Image],
        allowed: Rows | None,
        *,
        length: float = 1.0,
    ) -> tuple[list[RankedIdentity], Reranking | None]:
        """Look again at what was found for one query, or for several pictures of one thing.

        Args:
            query: (D,) unit length; of several pictures the direction of their mean.
            found: its identities in plain order.
            pictures: of the query, if there are any.
            allowed: rows that were searched; None means all.
            length: of the mean; 1 for one picture.
        """
        if self._reranker is None:
            return found, None
        return self._reranker.rerank(query, found, pictures=pictures, allowed=allowed, length=length)
