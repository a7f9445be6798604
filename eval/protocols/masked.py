"""Masked: what is left when the background is, which frozen encoders lean on and an identity head should not need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nearid_search.eval.embedded_split import EmbeddedSplit
from nearid_search.eval.intervals import RESAMPLES, Sampling
from nearid_search.eval.protocols.gallery import GalleryResult, evaluate_gallery
from nearid_search.eval.protocols.pairs import PairsResult, evaluate_pairs
from nearid_search.similarity import Embeddings


@dataclass(frozen=True, kw_only=True)
class MaskedResult:
    """The same views and distractors, with and without background.

    Attributes:
        pairs: without background.
        gallery: without background.
        full_pairs: with it.
        full_gallery: with it.
        n_views: views that have a mask; the others, and their distractors, are in none of the four.
        n_unmasked: those others.
    """

    pairs: PairsResult
    gallery: GalleryResult
    full_pairs: PairsResult
    full_gallery: GalleryResult
    n_views: int
    n_unmasked: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures of both and the counts, JSON-ready."""
        return {
            "foreground": {**self.pairs.pooled.as_dict(), **self.gallery.as_dict()},
            "full": {**self.full_pairs.pooled.as_dict(), **self.full_gallery.as_dict()},
            "n_views": self.n_views,
            "n_unmasked": self.n_unmasked,
        }


def evaluate_masked(
    split: EmbeddedSplit, embeddings: Embeddings, *, resamples: int = RESAMPLES, seed: int = 0
) -> MaskedResult | None:
    """Compare foreground alone with the whole picture, on the views that have a mask.

    A distractor stands where the thing of its view does, so it is cut out by the view's mask.

    Args:
        split: the embedded split.
        embeddings: (R, D) float32 unit rows of one readout.
        resamples: of each interval.
        seed: of each interval.

    Returns:
        Both, or None if no view has a mask.
    """
    if not split.masked.samples:
        return None
    n_views = len(split.masked.view_rows)
    sampling = Sampling(resamples=resamples, seed=seed)
    return MaskedResult(
        pairs=evaluate_pairs(split.masked, embeddings, **sampling),
        gallery=evaluate_gallery(split.masked, embeddings, **sampling),
        full_pairs=evaluate_pairs(split.unmasked, embeddings, **sampling),
        full_gallery=evaluate_gallery(split.unmasked, embeddings, **sampling),
        n_views=n_views,
        n_unmasked=len(split.placed.view_rows) - n_views,
    )
