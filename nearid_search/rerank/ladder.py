"""The rungs by name, and which of them a gallery's queries go through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError, RerankUnusableError
from nearid_search.image_encoder import Image, ImageEncoder
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.backend import VectorBackend
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.indexer.search.rerank_record import read_rerank_record
from nearid_search.opencv_extra import EXTRA as OPENCV_EXTRA
from nearid_search.opencv_extra import has_cv2
from nearid_search.ranking import RankedIdentity
from nearid_search.records import Reranking
from nearid_search.rerank.expansion import expanded_scores
from nearid_search.rerank.geometry import GeometryLook
from nearid_search.rerank.neighbours import mutual_scores, sibling_scores
from nearid_search.rerank.patches import PatchLook
from nearid_search.rerank.picture_rung import PictureRung
from nearid_search.rerank.reciprocal import reciprocal_scores
from nearid_search.rerank.rung import Deadline, EmbeddingRung, Rung, reorder
from nearid_search.rerank.shortlist import Shortlist, take_shortlist
from nearid_search.saliency import why_no_saliency
from nearid_search.similarity import Rows

AUTO, NONE = "auto", "none"
_BY_EMBEDDINGS: dict[str, Callable[[Shortlist], NDArray[np.float32]]] = {
    "expand": expanded_scores,
    "mutual": mutual_scores,
    "siblings": sibling_scores,
    "reciprocal": reciprocal_scores,
}
PATCHES, GEOMETRY = "patches", "geometry"
OF_PICTURES = (PATCHES, GEOMETRY)
"""Rungs that look at pictures."""
RUNGS = (*_BY_EMBEDDINGS, *OF_PICTURES)
IDENTITIES = 10
"""Identities whose order may change, at least."""


def why_not(name: str, encoder: ImageEncoder | None) -> str:
    """Say why a rung cannot be used with an encoder; empty if it can.

    Args:
        name: one of ``RUNGS``.
        encoder: of the gallery; None if there is none, or only embeddings are asked about.
    """
    if name not in OF_PICTURES:
        return ""
    if encoder is None:
        return "it looks at pictures, and here are embeddings only"
    if name == GEOMETRY:
        if not has_cv2():
            return f"it needs OpenCV: pip install 'nearid-search[{OPENCV_EXTRA}]'"
        missing = why_no_saliency()
        return f"what finds the thing in a picture {missing}" if missing else ""
    if isinstance(encoder, IdentityEncoder):
        masked = encoder.foreground is not None and encoder.foreground.masks is not None
        return "it reads pictures of the gallery without their masks" if masked else ""
    return "it looks at pictures, and this encoder shows none of their tokens"


def open_rung(name: str, encoder: ImageEncoder | None, file_of: Callable[[int], Path | None]) -> Rung:
    """Make a rung.

    Args:
        name: one of ``RUNGS``.
        encoder: of the gallery; None if only embeddings are asked about.
        file_of: gives the picture file of a gallery row; None if there never was one.

    Raises:
        ConfigError: if the name is unknown, or ``why_not`` says why the rung cannot be used.
    """
    if name not in RUNGS:
        raise ConfigError(f"unknown re-ranking {name!r}: use one of {', '.join((AUTO, NONE, *RUNGS))}")
    if reason := why_not(name, encoder):
        raise ConfigError(f"cannot re-rank by {name}: {reason}; use another of {', '.join(RUNGS)}")
    if isinstance(encoder, IdentityEncoder) and name == PATCHES:
        return PictureRung(PatchLook(encoder), file_of)
    if name == GEOMETRY:
        return PictureRung(GeometryLook(), file_of)
    return EmbeddingRung(_BY_EMBEDDINGS[name])


class Reranker:
    """Takes a second look at what plain search puts first.

    Args:
        name: of the rung.
        rung: what looks.
        backend: what searches the gallery.
        rows: its rows.
        codes: (G,) identity of each.
        budget_ms: milliseconds that one query may take.
    """

    def __init__(
        self,
        name: str,
        rung: Rung,
        backend: VectorBackend,
        rows: GalleryRows,
        codes: NDArray[np.int64],
        *,
        budget_ms: float,
    ) -> None:
        if not budget_ms > 0:
            raise ConfigError(f"rerank_ms must be above 0 milliseconds, got {budget_ms}")
        self.name = name
        self.rung = rung
        self._backend, self._rows, self._codes, self._budget = backend, rows, codes, budget_ms

    def rerank(
        self,
        query: NDArray[np.float32],
        ranked: Sequence[RankedIdentity],
        *,
        pictures: Sequence[Image] = (),
        allowed: Rows | None = None,
        length: float = 1.0,
    ) -> tuple[list[RankedIdentity], Reranking]:
        """Order a query's identities anew; their scores and views stay what they are.

        Args:
            query: (D,) float32, unit length; of several embeddings the direction of their mean.
            ranked: its identities in plain order.
            pictures: of the query, if there are any.
            allowed: (A,) sorted rows to search among; None means all.
            length: of that mean; an image's plain score is its score with ``query`` times that.

        Returns:
            The same identities, and what was done.
        """
        deadline = Deadline(self._budget)
        if self.rung.needs_picture and not pictures:
            return list(ranked), Reranking(self.name, False, 0.0, ("it looks at pictures, and an embedding has none",))
        if len(ranked) < 2:
            return list(ranked), Reranking(self.name, False, 0.0)
        shortlist = take_shortlist(self._backend, self._rows, query, self._codes, allowed=allowed)
        if (
            self.rung.needs_picture
        ):  # which mixes its scores with the plain ones of each picture, and so with their mean
            shortlist = shortlist._replace(scores=(shortlist.scores * length).astype(np.float32))
        rescored = self.rung(shortlist, pictures, deadline)
        ordered = reorder(ranked, rescored)
        changed = [identity.code for identity in ordered] != [identity.code for identity in ranked]
        return ordered, Reranking(self.name, changed, round(deadline.spent, 2), rescored.remarks)


def chosen_rung(
    name: str,
    gallery: Gallery,
    rows: GalleryRows,
    encoder: ImageEncoder | None,
    *,
    on_warning: Callable[[str], None],
) -> str | None:
    """Return which rung a gallery's queries go through; None for none.

    Args:
        name: one of ``RUNGS``, "none", or "auto" for what ``gallery tune --rerank`` has switched on.
        gallery: the gallery.
        rows: its rows now.
        encoder: what encodes the queries; None if only embeddings will be asked about.
        on_warning: told in one line of a record that cannot be used.
    """
    if name != AUTO:
        return None if name == NONE else name
    try:
        record = read_rerank_record(gallery.folder, rows)
    except RerankUnusableError as error:
        on_warning(f"{error}; answers are not re-ranked")
        return None
    chosen = None if record is None or record.chosen not in RUNGS else record.chosen
    if chosen is not None and (reason := why_not(chosen, encoder)):
        on_warning(f"answers are not re-ranked by {chosen}: {reason}")
        return None
    return chosen
