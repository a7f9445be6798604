"""Which views and distractors stand together in a batch; decided by seed and step alone.

A batch holds each identity once, because another identity's positives serve as negatives. Every sample brings its own
distractors: those on the background of its anchor view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearid_search.trainer.dataset_rows import SampleRows, ViewRows
from nearid_search.trainer.hard_negatives import fill_batch

NONE = -1  # row of a slot that is empty


@dataclass(frozen=True)
class Batch:
    """Feature rows of one step; empty slots hold ``NONE``.

    Attributes:
        anchors: (B,) rows.
        positives: (B, P) rows of other views of the anchor's identity.
        distractors: (B, K) rows of distractors on the anchor's background.
    """

    anchors: NDArray[np.int64]
    positives: NDArray[np.int64]
    distractors: NDArray[np.int64]


class BatchSampler:
    """Draws batches of identities with their positives and distractors.

    Args:
        samples: identities; one with fewer than two views has no positive and is left out.
        batch_size: identities a batch.
        max_positives: P.
        max_distractors: K.
        seed: of every choice.
        variants: by row, rows of which each slot takes one; a row that is not there stands for itself.
    """

    def __init__(
        self,
        samples: Sequence[SampleRows],
        *,
        batch_size: int,
        max_positives: int,
        max_distractors: int,
        seed: int,
        variants: Mapping[int, NDArray[np.int64]] | None = None,
    ) -> None:
        self._identities = [sample.views for sample in samples if len(sample.views) > 1]
        self._batch_size = min(batch_size, max(len(self._identities), 1))
        self._max_positives = max_positives
        self._max_distractors = max_distractors
        self._seed = seed
        self._variants = variants or {}

    @property
    def num_identities(self) -> int:
        """Identities with two views or more."""
        return len(self._identities)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass over the identities; the rest waits for another pass."""
        return len(self._identities) // self._batch_size

    def view_rows(self) -> list[NDArray[np.int64]]:
        """Return the rows of every view of each identity, in the order that ``neighbours`` counts them."""
        return [np.array([view.view for view in views], np.int64) for views in self._identities]

    def batch(self, step: int, neighbours: NDArray[np.int64] | None = None, *, hard_share: float = 0.0) -> Batch:
        """Draw the batch of a step; the same step and neighbours always give the same batch.

        Args:
            step: counted from 0 over all epochs.
            neighbours: for each identity, others that are hard to tell from it; an epoch may then show some twice.
            hard_share: of a batch to fill with neighbours, in [0, 1).
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._identities))
        chosen = order[place * self._batch_size : (place + 1) * self._batch_size]
        if neighbours is not None:
            chosen = fill_batch(chosen, neighbours, share=hard_share)
        rng = np.random.default_rng([self._seed, epoch, place])
        drawn = [self._draw(self._identities[number], rng) for number in chosen]
        slots = (
            np.array([anchor for anchor, _, _ in drawn], np.int64),
            _padded([positives for _, positives, _ in drawn], self._max_positives),
            _padded([distractors for _, _, distractors in drawn], self._max_distractors),
        )
        return Batch(*(self._varied(rows, rng) for rows in slots))

    def _draw(self, views: tuple[ViewRows, ...], rng: np.random.Generator) -> tuple[int, list[int], list[int]]:
        order = rng.permutation(len(views))
        anchor = views[order[0]]
        positives = [views[number].view for number in order[1 : 1 + self._max_positives]]
        distractors = rng.permutation(np.array(list(anchor.distractors.values()), np.int64))[: self._max_distractors]
        return anchor.view, positives, distractors.tolist()

    def _varied(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Put one variant, the image itself among them, in the place of each row."""
        chosen = [rng.choice(self._variants[row]) if row in self._variants else row for row in rows.ravel().tolist()]
        return np.array(chosen, np.int64).reshape(rows.shape)


def _padded(rows: list[list[int]], width: int) -> NDArray[np.int64]:
    padded = np.full((len(rows), width), NONE, np.int64)
    for number, values in enumerate(rows):
        padded[number, : len(values)] = values
    return padded
