"""Which views and distractors stand together in a batch; decided by seed and step alone.

A batch holds each identity once, because another identity's positives serve as negatives. Every sample brings its own
distractors: those on the background of its anchor view, and where every view is an anchor, those of all its views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
        max_distractors: drawn of each view, K in all.
        seed: of every choice.
        every_view: each view drawn is the anchor once, so that a step has 1 + P batches over the same images, and each
            anchor meets the distractors of all views drawn: K = (1 + P) * ``max_distractors``.
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
        every_view: bool = False,
        variants: Mapping[int, NDArray[np.int64]] | None = None,
    ) -> None:
        self._identities = [sample.views for sample in samples if len(sample.views) > 1]
        self._batch_size = min(batch_size, max(len(self._identities), 1))
        self._max_positives = max_positives
        self._max_distractors = max_distractors
        self._seed = seed
        self._every_view = every_view
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

    def batches(
        self, step: int, neighbours: NDArray[np.int64] | None = None, *, hard_share: float = 0.0
    ) -> tuple[Batch, ...]:
        """Draw the batches of a step; the same step and neighbours always give the same.

        Args:
            step: counted from 0 over all epochs.
            neighbours: for each identity, others that are hard to tell from it; an epoch may then show some twice.
            hard_share: of a batch to fill with neighbours, in [0, 1).

        Returns:
            One; if every view is an anchor, one for each, of the identities that have so many views.
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._identities))
        chosen = order[place * self._batch_size : (place + 1) * self._batch_size]
        if neighbours is not None:
            chosen = fill_batch(chosen, neighbours, share=hard_share)
        rng = np.random.default_rng([self._seed, epoch, place])
        drawn = [self._draw(self._identities[number], rng) for number in chosen]
        # Variants last: with other variants the same pictures stand in the same places.
        drawn = [self._vary(views, rng) for views in drawn]
        num_anchors = 1 + self._max_positives if self._every_view else 1
        return tuple(
            self._arrange([(views, place) for views in drawn if len(views) > max(place, 1)])
            for place in range(num_anchors)
            if any(len(views) > place for views in drawn)
        )

    def _draw(self, views: tuple[ViewRows, ...], rng: np.random.Generator) -> list[_Drawn]:
        """Choose views of an identity, and distractors of each that will be an anchor."""
        drawn = []
        for place, number in enumerate(rng.permutation(len(views))[: 1 + self._max_positives].tolist()):
            distractors: list[int] = []
            if place == 0 or self._every_view:
                known = np.array(list(views[number].distractors.values()), np.int64)
                distractors = rng.permutation(known)[: self._max_distractors].tolist()
            drawn.append(_Drawn(views[number].view, distractors))
        return drawn

    def _vary(self, views: list[_Drawn], rng: np.random.Generator) -> list[_Drawn]:
        """Put one variant, the image itself among them, in the place of each row."""

        def vary(row: int) -> int:
            return int(rng.choice(self._variants[row])) if row in self._variants else row

        return [_Drawn(vary(drawn.view), [vary(row) for row in drawn.distractors]) for drawn in views]

    def _arrange(self, chosen: list[tuple[list[_Drawn], int]]) -> Batch:
        """Make a batch of identities, of each the views drawn and which of them is the anchor."""
        anchors = [views[place].view for views, place in chosen]
        positives = [[drawn.view for drawn in _others(views, place)] for views, place in chosen]
        distractors = [
            [row for drawn in (views[place], *_others(views, place)) for row in drawn.distractors]
            for views, place in chosen
        ]
        num_views = 1 + self._max_positives if self._every_view else 1
        return Batch(
            np.array(anchors, np.int64),
            _padded(positives, self._max_positives),
            _padded(distractors, num_views * self._max_distractors),
        )


class _Drawn(NamedTuple):
    """A view in a batch and its distractors there."""

    view: int
    distractors: list[int]


def _others(views: list[_Drawn], place: int) -> list[_Drawn]:
    return views[:place] + views[place + 1 :]


def _padded(rows: list[list[int]], width: int) -> NDArray[np.int64]:
    padded = np.full((len(rows), width), NONE, np.int64)
    for number, values in enumerate(rows):
        padded[number, : len(values)] = values
    return padded
