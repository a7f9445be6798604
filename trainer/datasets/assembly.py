"""Samples from single images that each say where they belong, as folders and manifests list them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets.image_sources import FileImage
from nearid_search.trainer.datasets.problems import first_few
from nearid_search.trainer.datasets.records import Role, Sample, View, order_samples

_DIGITS = re.compile("([0-9]+)")
_VIEW_NUMBER = re.compile("0*[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One image as its dataset lists it.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        identity: the thing its view shows.
        view: the view's name.
        role: what the image is to the view.
        source: who made the distractor; empty for other roles.
        image: where it lies.
        origin: what messages call the entry: a path, or a line of a table.
        attributes: numbers that describe the view; those of its positive count.
        category: what kind of thing the identity is; that of its positives counts. None if unknown.
    """

    split: str
    identity: str
    view: str
    role: Role
    source: str
    image: FileImage
    origin: str
    attributes: Mapping[str, float] = field(default_factory=dict)
    category: str | None = None


@dataclass
class _Slots:
    """The entries of one view."""

    positive: Entry | None = None
    mask: Entry | None = None
    distractors: dict[str, Entry] = field(default_factory=dict)

    def put(self, entry: Entry) -> Entry | None:
        """Place an entry; return the one that was there already."""
        if entry.role == "distractor":
            taken = self.distractors.get(entry.source)
            self.distractors[entry.source] = entry
        elif entry.role == "mask":
            taken, self.mask = self.mask, entry
        else:
            taken, self.positive = self.positive, entry
        return taken


def assemble_samples(path: Path, entries: Iterable[Entry]) -> tuple[Sample, ...]:
    """Gather images into views and views into samples.

    Args:
        path: the dataset, for messages.
        entries: all images, in any order.

    Returns:
        The samples, sorted.

    Raises:
        DatasetError: if a place is taken twice, a view has no positive, or two views of an identity have one number or
            different categories.
    """
    views: dict[tuple[str, str], dict[str, _Slots]] = {}
    problems = []
    for entry in entries:
        slots = views.setdefault((entry.split, entry.identity), {}).setdefault(entry.view, _Slots())
        taken = slots.put(entry)
        if taken is not None:
            problems.append(f"{taken.origin} and {entry.origin} are the same {entry.role} of one view: keep one")
    samples = []
    for (split, identity), named in sorted(views.items()):
        numbers = number_views(list(named))
        if len(set(numbers.values())) < len(numbers):
            problems.append(f"{split} {identity}: two of the views {', '.join(sorted(numbers))} have the same number")
        problems += [
            f"{split} {identity} view {name} has no positive" for name, slots in named.items() if slots.positive is None
        ]
        categories = sorted({each for slots in named.values() if slots.positive and (each := slots.positive.category)})
        if len(categories) > 1:
            problems.append(f"{split} {identity} has the categories {' and '.join(categories)}: give it one")
        samples.append(Sample(identity, next(iter(categories), None), split, _make_views(numbers, named)))
    if problems:
        raise DatasetError(f"{path}: {first_few(problems)}")
    return order_samples(samples)


def number_views(names: list[str]) -> dict[str, int]:
    """Number the views of one identity by their names.

    Names that are all whole numbers from 1 keep them, so views 1 and 3 stay 1 and 3; any others are numbered from 1 in
    natural order.

    Args:
        names: distinct names of views.

    Returns:
        The number of each name, in rising order.

    Example:
        >>> number_views(["3", "1"])
        {'1': 1, '3': 3}
        >>> number_views(["side10", "side9", "back"])
        {'back': 1, 'side9': 2, 'side10': 3}
    """
    ordered = sorted(names, key=_natural_order)
    if all(_VIEW_NUMBER.fullmatch(name) for name in ordered):
        return {name: int(name) for name in ordered}
    return {name: number for number, name in enumerate(ordered, start=1)}


def _make_views(numbers: dict[str, int], named: dict[str, _Slots]) -> tuple[View, ...]:
    return tuple(
        View(
            number,
            slots.positive.image,
            slots.mask.image if slots.mask else None,
            {source: entry.image for source, entry in sorted(slots.distractors.items())},
            slots.positive.attributes,
        )
        for name, number in numbers.items()
        if (slots := named[name]).positive is not None
    )


def _natural_order(name: str) -> tuple[list[tuple[int, str]], str]:
    # Digits compare by length first, which is by value once zeros in front are gone.
    parts = [
        (len(digits := part.lstrip("0")), digits) if number % 2 else (0, part)
        for number, part in enumerate(_DIGITS.split(name))
    ]
    return parts, name
