"""Training sets in the columns NearID is published in, with the images inside the tables.

    dataset/positives/*.parquet                id, split, category, images1..3, masks1..3
    dataset/distractors/<source>/*.parquet     id, nimg1..3 (or img1..3): nimg2 is on the background of images2

Files end in ``.parquet`` or ``.arrow`` (IPC file or stream); several in one folder are shards, read in the order of
their names. A table of distractors has the rows of the positives in the same order, which its ``id`` must confirm. A
view that is missing is null, and the others keep their numbers.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets.image_sources import CellImage
from nearid_search.trainer.datasets.listing import list_folder
from nearid_search.trainer.datasets.problems import first_few
from nearid_search.trainer.datasets.records import Dataset, Sample, View, order_samples, parse_split
from nearid_search.trainer.datasets.table_cells import TABLE_SUFFIXES, image_presence, iter_blocks, read_schema

POSITIVES = "positives"
DISTRACTORS = "distractors"


@dataclass(frozen=True)
class _Row:
    """One row of a shard: its text and, by prefix of the column and number of the view, the images it has."""

    origin: str
    text: dict[str, str]
    images: dict[str, dict[int, CellImage]] = field(default_factory=dict)


def read_nearid_tables(path: Path) -> Dataset:
    """Read a dataset in the published columns; no image is decoded.

    Args:
        path: a folder with ``positives/`` and, if there are any, ``distractors/<source>/``; or one table of positives.

    Returns:
        The dataset, each identity under its ``id``.

    Raises:
        DatasetError: if a table cannot be read or lacks a column, a row has no id, split or image, an id appears twice
            in a split, or a row of distractors has another id than that row of the positives. Rows are named from 0.
    """
    shards = _shards(path / POSITIVES) if path.is_dir() else [path]
    rows = [
        row for shard in shards for row in _read_shard(shard, ("id", "split"), {"images": "images", "masks": "masks"})
    ]
    distractors: list[dict[str, dict[int, CellImage]]] = [{} for _ in rows]
    warnings = []
    for folder in _source_folders(path / DISTRACTORS):
        num_homeless = _add_source(folder, rows, distractors)
        if num_homeless:
            warnings.append(
                f"{folder}: {num_homeless:,} distractors belong to views that are missing and were left out"
            )
    return Dataset(path, _make_samples(path, rows, distractors), tuple(warnings))


def _shards(folder: Path) -> list[Path]:
    shards = [file for file in list_folder(folder) if file.suffix.lower() in TABLE_SUFFIXES and file.is_file()]
    if not shards:
        raise DatasetError(f"{folder} holds no table: expected files ending in {' or '.join(TABLE_SUFFIXES)}")
    return shards


def _source_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [entry for entry in list_folder(folder) if entry.is_dir()]


def _read_shard(shard: Path, required: Sequence[str], prefixes: dict[str, str]) -> Iterator[_Row]:
    """Yield the rows of a shard, with the image columns ``<prefix><number>`` under the names given for the prefixes."""
    names = read_schema(shard).names
    missing = [name for name in required if name not in names]
    columns = [(name, match) for name in names if (match := re.fullmatch(r"([a-z]+)([1-9][0-9]?)", name))]
    images = [(name, prefixes[match[1]], int(match[2])) for name, match in columns if match[1] in prefixes]
    if not images:
        missing.append(" or ".join(f"{prefix}1" for prefix in prefixes))
    if missing:
        raise DatasetError(f"{shard} has no column {', '.join(missing)}: it has {', '.join(names) or 'no columns'}")
    presence = {name: image_presence(shard, name) for name, _, _ in images}
    wanted = [*required, "category"] if "category" in names else list(required)
    row = 0
    for number, block in enumerate(iter_blocks(shard, wanted)):
        for offset, cells in enumerate(block.to_pylist()):
            text = {name: "" if value is None else str(value) for name, value in cells.items()}
            found: dict[str, dict[int, CellImage]] = {}
            for name, kind, view in images:
                if presence[name][row]:
                    found.setdefault(kind, {})[view] = CellImage(shard, name, row, number, offset)
            yield _Row(f"{shard} row {row}", text, found)
            row += 1


def _add_source(folder: Path, rows: list[_Row], distractors: list[dict[str, dict[int, CellImage]]]) -> int:
    """Put one source's distractors beside the rows of the positives; return how many have no view there."""
    found = (
        row
        for shard in _shards(folder)
        for row in _read_shard(shard, ("id",), {"nimg": "distractors", "img": "distractors"})
    )
    problems = []
    num_homeless = 0
    for positive, distractor, collected in zip_longest(rows, found, distractors):
        if positive is None or distractor is None:
            problems.append(f"{(positive or distractor).origin} has no counterpart")
        elif positive.text["id"] != distractor.text["id"]:
            problems.append(
                f"{distractor.origin} has id {distractor.text['id']!r}, {positive.origin} has {positive.text['id']!r}"
            )
        else:
            views = positive.images.get("images", {})
            for view, image in distractor.images.get("distractors", {}).items():
                num_homeless += view not in views
                collected.setdefault(folder.name, {})[view] = image
    if problems:
        raise DatasetError(f"{folder} does not have the rows of the positives in their order: {first_few(problems)}")
    return num_homeless


def _make_samples(
    path: Path, rows: list[_Row], distractors: list[dict[str, dict[int, CellImage]]]
) -> tuple[Sample, ...]:
    first: dict[tuple[str, str], str] = {}
    samples, problems = [], []
    for row, beside in zip(rows, distractors, strict=True):
        try:
            sample = _make_sample(row, beside)
        except DatasetError as error:
            problems.append(f"{row.origin}: {error}")
            continue
        earlier = first.setdefault((sample.split, sample.identity), row.origin)
        if earlier != row.origin:
            problems.append(f"{earlier} and {row.origin} have the same id {sample.identity!r}")
        samples.append(sample)
    if problems:
        raise DatasetError(f"{path}: {first_few(problems)}")
    return order_samples(samples)


def _make_sample(row: _Row, distractors: dict[str, dict[int, CellImage]]) -> Sample:
    images, masks = row.images.get("images", {}), row.images.get("masks", {})
    if not row.text["id"] or not images:
        raise DatasetError(
            "no id" if not row.text["id"] else "no image in any view (images must be embedded, a path is not enough)"
        )
    views = tuple(
        View(
            number,
            image,
            masks.get(number),
            {source: by_view[number] for source, by_view in sorted(distractors.items()) if number in by_view},
        )
        for number, image in sorted(images.items())
    )
    return Sample(row.text["id"], row.text.get("category") or None, parse_split(row.text["split"]), views)
