"""Training sets in folders.

dataset/<split>/<identity>/<view>/positive.jpg               split: train, val or test
dataset/<split>/<identity>/<view>/distractor-<source>.jpg    another identity, on this view's background
dataset/<split>/<identity>/<view>/mask.png                   object white, optional
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from nearid_search.images import IMAGE_SUFFIXES
from nearid_search.trainer.datasets.assembly import Entry, assemble_samples
from nearid_search.trainer.datasets.image_sources import FileImage
from nearid_search.trainer.datasets.listing import list_folder
from nearid_search.trainer.datasets.problems import first_few
from nearid_search.trainer.datasets.records import SPLITS, Dataset, Role

_DISTRACTOR = "distractor-"
_NOTES = {"manifest.json", "preview.png"}  # what `nearid-search distractors` leaves beside the splits


def read_folder(path: Path) -> Dataset:
    """Read a dataset laid out in folders; any suffix of an image that can be read will do.

    Hidden files are passed over; whatever else does not fit the layout is named in ``Dataset.warnings``.

    Args:
        path: the folder with ``train``, ``val``, ``test`` or some of them.

    Returns:
        The dataset. View folders are numbered as ``number_views`` says.

    Raises:
        DatasetError: if a folder cannot be read, a view has no positive or two, or a distractor source appears twice in
            a view.
    """
    unknown: list[str] = []
    samples = assemble_samples(path, _find_entries(path, unknown))
    warnings: tuple[str, ...] = ()
    if unknown:
        warnings = (
            f"{len(unknown):,} entries are no part of the layout <split>/<identity>/<view>/"
            f"(positive|distractor-<source>|mask).<image suffix> and were left out: {first_few(unknown)}",
        )
    return Dataset(path, samples, warnings)


def _find_entries(path: Path, unknown: list[str]) -> Iterator[Entry]:
    for split in _folders(path, unknown, passed_over=_NOTES):
        if split.name not in SPLITS:
            unknown.append(f"{split}/")
            continue
        for identity in _folders(split, unknown):
            for view in _folders(identity, unknown):
                files = list_folder(view)
                if not files:
                    unknown.append(f"{view}/")
                for file in files:
                    role, source = _role(file)
                    if role is None or not file.is_file():
                        unknown.append(str(file))
                        continue
                    place = (split.name, identity.name, view.name)
                    yield Entry(*place, role, source, FileImage(file), str(file))


def _role(file: Path) -> tuple[Role | None, str]:
    if file.suffix.lower() not in IMAGE_SUFFIXES:
        return None, ""
    if file.stem == "positive":
        return "positive", ""
    if file.stem == "mask":
        return "mask", ""
    source = file.stem.removeprefix(_DISTRACTOR)
    return ("distractor", source) if source and source != file.stem else (None, "")


def _folders(folder: Path, unknown: list[str], *, passed_over: Collection[str] = ()) -> list[Path]:
    folders = []
    for entry in list_folder(folder):
        if entry.is_dir():
            folders.append(entry)
        elif entry.name not in passed_over:
            unknown.append(str(entry))
    return folders
