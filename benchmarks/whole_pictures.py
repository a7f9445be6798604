"""Embeddings of a split's pictures as they are, with progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from nearid_search.eval.embedded_split import EmbeddedSplit, embed_split
from nearid_search.eval.readouts import ReadoutSet
from nearid_search.trainer.datasets import Sample

_EVERY = 512


def embed_whole(samples: Sequence[Sample], readouts: ReadoutSet) -> EmbeddedSplit:
    """Embed views and distractors, none of them masked.

    Args:
        samples: of one split; their masks are passed over.
        readouts: how to embed.
    """
    return embed_split([sample.without_masks() for sample in samples], readouts, on_progress=_Progress())


class _Progress:
    """Says how far it is, every so many pictures."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, done: int, total: int) -> None:
        if done - self._told >= _EVERY or done == total:
            self._told = done
            print(f"  {done:,} of {total:,} pictures", file=sys.stderr)
