"""Which generated image is to be compared with which reference image: the output folders of DreamBench++, or a table.

    PAIRS/<method>/src_image/<subject>/<prompt>_<image>.jpg    the reference
    PAIRS/<method>/tgt_image/<subject>/<prompt>_<image>.jpg    what the method made of it

or a CSV file with the columns ``reference, generated`` and, if wanted, ``method, prompt``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nearid_search.errors import DatasetError
from nearid_search.eval.ratings import FIRST_IMAGE
from nearid_search.images import IMAGE_SUFFIXES
from nearid_search.trainer.datasets.listing import list_folder
from nearid_search.trainer.datasets.problems import first_few

_REFERENCES, _GENERATED = "src_image", "tgt_image"


@dataclass(frozen=True)
class ImagePair:
    """A reference image and what a method made of it.

    Attributes:
        method: generation method.
        key: names the pair in the method's score file.
        reference: image file.
        generated: image file.
    """

    method: str
    key: str
    reference: Path
    generated: Path


def read_pairs(source: Path) -> list[ImagePair]:
    """List the pairs of a folder or table.

    In a folder a key is ``<subject>-<prompt>_<image>``. In a table it is ``<prompt>_0``, or without that column the
    generated image's path as given; paths are relative to the table; without the column ``method`` the method has the
    table's name.

    Args:
        source: a folder as DreamBench++ writes them, or a ``.csv`` file.

    Returns:
        The pairs, ordered by method and key in a folder, by line in a table.

    Raises:
        DatasetError: if it cannot be read, has another layout, holds no pair, lacks an image's partner, has an empty
            cell, or gives one key of a method twice.
    """
    if source.is_dir():
        return _folder_pairs(source)
    if source.suffix.lower() != ".csv":
        what = "is neither a folder nor a .csv file" if source.exists() else "does not exist"
        raise DatasetError(
            f"{source} {what}: expected <method>/{_REFERENCES} and <method>/{_GENERATED} in a folder, or a table with "
            "the columns reference, generated[, method, prompt]"
        )
    return _table_pairs(source)


def _folder_pairs(folder: Path) -> list[ImagePair]:
    methods = [path for path in list_folder(folder) if path.is_dir()]
    bare = [path.name for path in methods if not ((path / _REFERENCES).is_dir() and (path / _GENERATED).is_dir())]
    if bare:
        raise DatasetError(f"{folder}: no {_REFERENCES} and {_GENERATED} in {first_few(bare)}: move it elsewhere")
    pairs = []
    for method in methods:
        references, generated = _images(method / _REFERENCES), _images(method / _GENERATED)
        lone = [
            str(path)
            for key, path in sorted({**references, **generated}.items())
            if not (key in references and key in generated)
        ]
        if lone:
            raise DatasetError(f"{method}: {len(lone)} images have no partner: {first_few(lone)}")
        pairs += [ImagePair(method.name, key, references[key], path) for key, path in generated.items()]
    if not pairs:
        raise DatasetError(f"{folder} holds no image in <method>/{_GENERATED}/<subject>")
    return pairs


def _images(root: Path) -> dict[str, Path]:
    """Return key to image of one side of a method."""
    found: dict[str, Path] = {}
    for subject in list_folder(root):
        for path in list_folder(subject) if subject.is_dir() else []:
            if path.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            key = f"{subject.name}-{path.stem}"
            if key in found:
                raise DatasetError(f"{found[key]} and {path.name} are both {key}: keep one of them")
            found[key] = path
    return found


def _table_pairs(table: Path) -> list[ImagePair]:
    pairs: list[ImagePair] = []
    lines: dict[tuple[str, str], int] = {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            names = list(reader.fieldnames or [])
            absent = [name for name in ("reference", "generated") if name not in names]
            if absent:
                raise DatasetError(f"{table} has no column {' or '.join(absent)}: it has {', '.join(names) or 'none'}")
            for row in reader:
                pair = _pair_of(row, table, reader.line_num)
                first = lines.setdefault((pair.method, pair.key), reader.line_num)
                if first != reader.line_num:
                    raise DatasetError(f"{table}: lines {first} and {reader.line_num} are both {pair.key}: keep one")
                pairs.append(pair)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DatasetError(f"{table} cannot be read: {error}") from error
    if not pairs:
        raise DatasetError(f"{table} lists no pair")
    return pairs


def _pair_of(row: Mapping[str | None, str | None], table: Path, line: int) -> ImagePair:
    # A row with too many cells has the key None, one with too few has the value None.
    columns = [name for name in ("reference", "generated", "method", "prompt") if name in row]
    empty = [name for name in columns if not row[name]]
    if empty or None in row:
        raise DatasetError(f"{table} line {line}: {' and '.join(empty) + ' empty' if empty else 'too many cells'}")
    cells = {name: row[name] or "" for name in columns}
    method = cells.get("method", table.stem)
    if "/" in method or "\\" in method or method.startswith("."):
        raise DatasetError(f"{table} line {line}: method {method!r} cannot name a file: leave out slashes and dots")
    key = cells["prompt"] + FIRST_IMAGE if "prompt" in cells else cells["generated"]
    return ImagePair(method, key, table.parent / cells["reference"], table.parent / cells["generated"])
