"""Where the features of each view and distractor are: a dataset's samples as rows of the feature store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.datasets.records import Sample
from nearid_search.trainer.feature_store import FeatureStore


@dataclass(frozen=True)
class ViewRows:
    """Feature rows of one view.

    Attributes:
        view: row of the view itself.
        distractors: rows of the distractors on its background, by source.
    """

    view: int
    distractors: Mapping[str, int]


@dataclass(frozen=True)
class SampleRows:
    """Feature rows of one identity.

    Attributes:
        identity: its name.
        views: those whose pictures could be read, possibly none.
    """

    identity: str
    views: tuple[ViewRows, ...]

    def rows(self) -> Iterator[int]:
        """Yield every row."""
        for view in self.views:
            yield view.view
            yield from view.distractors.values()

    def renumbered(self, place: Mapping[int, int]) -> SampleRows:
        """Return a copy with other row numbers."""
        views = (
            ViewRows(place[view.view], {source: place[row] for source, row in view.distractors.items()})
            for view in self.views
        )
        return SampleRows(self.identity, tuple(views))


def rows_of(samples: Iterable[Sample], keys: Mapping[ImageSource, str], store: FeatureStore) -> list[SampleRows]:
    """Look up every image that the store has; one that could not be read is left out.

    Args:
        samples: of one split.
        keys: content key of every image.
        store: filled by ``extract_features``.

    Returns:
        One entry a sample, in the order given.
    """

    def row(image: ImageSource) -> int | None:
        key = keys.get(image)
        return int(store.rows([key])[0]) if key is not None and key in store else None

    found = []
    for sample in samples:
        views = []
        for view in sample.views:
            own = row(view.image)
            if own is not None:
                distractors = {source: row(image) for source, image in sorted(view.distractors.items())}
                views.append(
                    ViewRows(own, {name: number for name, number in distractors.items() if number is not None})
                )
        found.append(SampleRows(sample.identity, tuple(views)))
    return found
