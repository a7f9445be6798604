"""What a training set is made of: identities, their views, and what stands beside each view.

Every record only says where its images lie, so even a set of hundreds of thousands of images is cheap to hold.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, Self

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets.image_sources import ImageSource

SPLITS = ("train", "val", "test")
Role = Literal["positive", "distractor", "mask"]


@dataclass(frozen=True)
class View:
    """One picture of an identity, with what shares its background.

    Attributes:
        number: 1 or more. A view keeps its number when others are missing: views 1 and 3 stay 1 and 3.
        image: the picture itself.
        mask: where the object is (white) in the picture; None if unknown.
        distractors: by name of their source, pictures of *other* identities on the background of this view.
        attributes: numbers that a manifest gives for the view, such as an angle in degrees, by name of their column.
    """

    number: int
    image: ImageSource
    mask: ImageSource | None = None
    distractors: Mapping[str, ImageSource] = field(default_factory=dict)
    attributes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One identity.

    Attributes:
        identity: the thing it shows.
        category: what kind of thing; None if unknown.
        split: ``train``, ``val`` or ``test``.
        views: at least one, by number.
    """

    identity: str
    category: str | None
    split: str
    views: tuple[View, ...]

    def without_masks(self) -> Self:
        """Return it with its views as whole pictures."""
        return replace(self, views=tuple(replace(view, mask=None) for view in self.views))


class PlacedImage(NamedTuple):
    """One image of a dataset and its place there; ``source`` is empty unless it is a distractor."""

    split: str
    identity: str
    view: int
    role: Role
    source: str
    image: ImageSource


@dataclass(frozen=True)
class Dataset:
    """A training set as it lies on disk.

    Attributes:
        path: the folder or table it was opened from.
        samples: by split (train, val, test), then by identity.
        warnings: what was left out, one line each.
    """

    path: Path
    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()

    def split(self, name: str) -> tuple[Sample, ...]:
        """Return the samples of one split, possibly none.

        Raises:
            DatasetError: if ``name`` is not ``train``, ``val`` or ``test``.
        """
        wanted = parse_split(name)
        return tuple(sample for sample in self.samples if sample.split == wanted)

    def images(self) -> Iterator[PlacedImage]:
        """Yield every image: of each view the picture, its mask, then its distractors by source."""
        for sample in self.samples:
            for view in sample.views:
                place = (sample.split, sample.identity, view.number)
                yield PlacedImage(*place, "positive", "", view.image)
                if view.mask is not None:
                    yield PlacedImage(*place, "mask", "", view.mask)
                for source, image in sorted(view.distractors.items()):
                    yield PlacedImage(*place, "distractor", source, image)

    @cached_property
    def num_images(self) -> int:
        """Number of pictures and distractors; masks are not counted."""
        return sum(1 + len(view.distractors) for sample in self.samples for view in sample.views)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Names of the distractor sources, sorted."""
        return tuple(
            sorted({source for sample in self.samples for view in sample.views for source in view.distractors})
        )


def parse_split(text: str) -> str:
    """Return the name of a split; ``validation`` is read as ``val``.

    Raises:
        DatasetError: if it is none of ``train``, ``val`` and ``test``.

    Example:
        >>> parse_split("validation")
        'val'
    """
    name = "val" if text == "validation" else text
    if name not in SPLITS:
        raise DatasetError(f"split {text!r}: expected train, val or test")
    return name


def order_samples(samples: list[Sample]) -> tuple[Sample, ...]:
    """Sort samples as a ``Dataset`` holds them."""
    return tuple(sorted(samples, key=lambda sample: (SPLITS.index(sample.split), sample.identity)))
