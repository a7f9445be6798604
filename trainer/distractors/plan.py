"""What a run would make: the catalogue's views, each with its split and place. No picture is opened."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from nearid_search.errors import CatalogueError
from nearid_search.indexer.catalogue.labels import FolderLabels, Labels, TableLabels, read_labels
from nearid_search.indexer.catalogue.scan import ScannedFile, scan_catalogue
from nearid_search.records import Failure
from nearid_search.trainer.distractors.config import SOURCES, DistractorConfig

_BYTES_A_PIXEL = 0.4  # of a JPEG at quality 92


class PlannedView(NamedTuple):
    """One picture of the catalogue.

    Attributes:
        file: where it is.
        identity: the thing it shows.
        split: ``train``, ``val`` or ``test``.
        number: of the view within its identity, from 1.
    """

    file: ScannedFile
    identity: str
    split: str
    number: int

    @property
    def folder(self) -> str:
        """Its folder in the dataset, relative, with forward slashes."""
        # A folder's name cannot hold a slash, and a dot in front would hide it.
        name = quote(self.identity, safe=" !#$&'()+,;=@[]{}~") if "/" in self.identity else self.identity
        return f"{self.split}/{'%2E' + name[1:] if name.startswith('.') else name}/{self.number}"


@dataclass(frozen=True)
class DistractorPlan:
    """The work a run has before it.

    Attributes:
        catalogue: folder of the pictures.
        views: by split, identity and number.
        split_sizes: identities in each split.
        single: identities with one view; they stay in train, where they are look-alikes and negatives for others.
        failures: files that cannot even be looked at.
        done: views that an earlier run has finished.
    """

    catalogue: Path
    views: tuple[PlannedView, ...]
    split_sizes: dict[str, int]
    single: int
    failures: tuple[Failure, ...]
    done: int = 0

    @property
    def identities(self) -> int:
        """Number of identities."""
        return sum(self.split_sizes.values())

    def describe(self, config: DistractorConfig) -> str:
        """Return the plan as one line."""
        pictures = len(self.views) * (1 + len(SOURCES))
        megabytes = pictures * config.size * config.size * 0.75 * _BYTES_A_PIXEL / 1e6
        sizes = ", ".join(f"{count} {split}" for split, count in self.split_sizes.items())
        line = (
            f"{self.catalogue}: {self.identities} identities ({sizes}), {len(self.views)} views, up to {pictures} "
            f"pictures and {megabytes:,.0f} MB to write"
        )
        if self.single:
            line += f"; {self.single} identities have one view and stay in train, where they have no positive"
        return line + (f"; {self.done} views are done already" if self.done else "")


def plan_distractors(catalogue: Path, config: DistractorConfig, identities: Path | None = None) -> DistractorPlan:
    """Look at a catalogue and divide its identities.

    Whole identities go to a split, drawn by the seed. An identity with one view has no positive, by which val and test
    are judged, so it stays in train. A split that is wanted gets two identities at least, as with one there is no
    look-alike for it; if that would leave train fewer than two, it gets none.

    Args:
        catalogue: folder of pictures; its sub-folders name the identities.
        config: seed and shares.
        identities: table of paths and identities; None for sub-folders.

    Returns:
        The plan.

    Raises:
        CatalogueError: if catalogue or table cannot be used, or there are fewer than two identities.
    """
    scan = scan_catalogue(catalogue)
    labels: Labels = FolderLabels() if identities is None else read_labels(identities)
    failures = list(scan.failures)
    if isinstance(labels, TableLabels):
        for path, line in labels.unknown_paths(file.path for file in scan.files):
            failures.append(Failure(path, f"listed in line {line} of {labels.source.name}, but not in the catalogue"))
    files: dict[str, list[ScannedFile]] = {}
    for file in scan.files:
        files.setdefault(labels.label(file.path).identity or file.path, []).append(file)
    if len(files) < 2:
        raise CatalogueError(
            f"{catalogue} holds one identity, but look-alikes take two or more: put each into a folder"
        )
    several = [identity for identity, found in files.items() if len(found) > 1]
    splits = divide(several, len(files) - len(several), config)
    views = [
        PlannedView(file, identity, splits.get(identity, "train"), number)
        for identity, found in files.items()
        for number, file in enumerate(found, start=1)
    ]
    views.sort(key=lambda view: (view.split, view.identity, view.number))
    sizes = Counter(splits.get(identity, "train") for identity in files)
    ordered = {split: sizes[split] for split in ("train", "val", "test")}
    return DistractorPlan(catalogue, tuple(views), ordered, len(files) - len(several), tuple(failures))


def divide(identities: Sequence[str], others: int, config: DistractorConfig) -> dict[str, str]:
    """Draw the identities of val and test.

    Args:
        identities: those with two views or more.
        others: identities that are in train anyway.
        config: seed and shares.

    Returns:
        The split of each.
    """
    order = sorted(identities, key=lambda identity: hashlib.sha256(f"{config.seed}/{identity}".encode()).digest())
    splits = dict.fromkeys(identities, "train")
    left = len(order)
    for split, share in (("test", config.test), ("val", config.val)):
        count = max(2, round(share * len(order))) if share else 0
        if left - count + others >= 2 and left >= count:
            splits |= dict.fromkeys(order[left - count : left], split)
            left -= count
    return splits
