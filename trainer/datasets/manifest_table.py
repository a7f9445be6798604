"""Training sets listed in a table: one row an image.

Columns: ``path`` (relative to the table's folder), ``identity``, ``view``, ``role`` (positive, distractor or mask),
``source`` (who made the distractor; empty for other roles) and ``split``. A column ``category`` says what kind of thing
an identity is, in the rows of its positives. Further columns of numbers, such as an angle or the light, describe the
view in the row of its positive; any others are passed over.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import cast, get_args

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets.assembly import Entry, assemble_samples
from nearid_search.trainer.datasets.image_sources import FileImage
from nearid_search.trainer.datasets.problems import first_few
from nearid_search.trainer.datasets.records import Dataset, Role, parse_split
from nearid_search.trainer.datasets.table_cells import iter_blocks, read_schema

MANIFEST_COLUMNS = ("path", "identity", "view", "role", "source", "split")
CATEGORY_COLUMN = "category"


def read_manifest(path: Path) -> Dataset:
    """Read a dataset from its manifest.

    All columns are read as text, so an identity ``007`` in CSV stays ``007``. Paths may not leave the table's folder,
    so that a manifest from elsewhere cannot name other files of this machine.

    Args:
        path: a ``.csv`` (UTF-8) or ``.parquet`` file.

    Returns:
        The dataset. Views are numbered as ``number_views`` says.

    Raises:
        DatasetError: if the file cannot be read, a column is missing, a row is incomplete or names a file that is not
            there, a view has no positive, or a place is taken twice. Rows are named by line (CSV) or row from 0
            (Parquet).
    """
    rows = list(_csv_rows(path) if path.suffix.lower() == ".csv" else _parquet_rows(path))
    described = _number_columns([row for _, row in rows if row["role"] == "positive"])
    entries, problems = [], []
    for origin, row in rows:
        try:
            entries.append(_entry(path.parent, origin, row, described))
        except DatasetError as error:
            problems.append(f"{origin}: {error}")
    if problems:
        raise DatasetError(f"{path}: {first_few(problems)}")
    return Dataset(path, assemble_samples(path, entries))


def _csv_rows(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            names = list(reader.fieldnames or [])
            _check_columns(path, names)
            for row in reader:
                # Cells of a short row are None, those beyond the header stand under None.
                if None in row or None in row.values():
                    raise DatasetError(f"{path} line {reader.line_num}: expected {len(names)} cells, as in the header")
                yield f"line {reader.line_num}", row
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    from pyarrow import types

    schema = read_schema(path)
    _check_columns(path, schema.names)
    numbers = [entry.name for entry in schema if types.is_integer(entry.type) or types.is_floating(entry.type)]
    number = 0
    known = [*MANIFEST_COLUMNS, *(name for name in schema.names if name == CATEGORY_COLUMN)]
    # Columns of text beyond ours may be large, and are not asked for.
    for block in iter_blocks(path, list(dict.fromkeys([*known, *numbers]))):
        for row in block.to_pylist():
            # NaN is how some writers leave out a number.
            cells = {name: "" if value is None or value != value else str(value) for name, value in row.items()}
            yield f"row {number}", cells
            number += 1


def _check_columns(path: Path, names: list[str]) -> None:
    missing = [name for name in MANIFEST_COLUMNS if name not in names]
    if missing:
        raise DatasetError(
            f"{path} has no column {' or '.join(missing)}: a manifest needs {', '.join(MANIFEST_COLUMNS)}, "
            f"and this has {', '.join(names) or 'no columns'}"
        )


def _number_columns(rows: list[Mapping[str, str]]) -> list[str]:
    """Return the further columns that hold a finite number in some rows and nothing else in the others."""
    columns = [name for name in (rows[0] if rows else ()) if name not in (*MANIFEST_COLUMNS, CATEGORY_COLUMN)]
    filled = {name: [row[name] for row in rows if row[name].strip()] for name in columns}
    return [name for name, cells in filled.items() if cells and all(map(_is_number, cells))]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _entry(folder: Path, origin: str, row: Mapping[str, str], described: list[str]) -> Entry:
    empty = [name for name in ("path", "identity", "view", "role", "split") if not row[name]]
    if empty:
        raise DatasetError(f"{' and '.join(empty)} empty")
    if row["role"] not in get_args(Role):
        raise DatasetError(f"role {row['role']!r}: expected positive, distractor or mask")
    if (row["role"] == "distractor") != bool(row["source"]):
        raise DatasetError(f"a {row['role']} with source {row['source']!r}: distractors, and only they, have a source")
    image = FileImage(folder / _confined(row["path"]))
    if not image.path.is_file():
        raise DatasetError(f"{row['path']} is not there")
    split, role = parse_split(row["split"]), cast(Role, row["role"])
    attributes = {name: float(row[name]) for name in described if role == "positive" and row[name].strip()}
    category = row.get(CATEGORY_COLUMN, "").strip() or None
    return Entry(split, row["identity"], row["view"], role, row["source"], image, origin, attributes, category)


def _confined(text: str) -> PurePosixPath:
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or PureWindowsPath(text).drive or ".." in path.parts:
        raise DatasetError(f"path {text!r} leaves the table's folder: give paths relative to it, without '..'")
    return path
