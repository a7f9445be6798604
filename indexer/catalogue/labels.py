"""Which identity a catalogued image has, and what else is known of it.

A catalogue says so by its folders (the first folder below the catalogue is the identity) or by a table with the columns
``path`` and ``identity``; any further columns of the table become metadata that ``--where`` can filter on.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.errors import CatalogueError
from nearid_search.indexer.schema import CATALOGUE_IDENTITY, EMBEDDING, WHOLE_EMBEDDING, is_storable_name

if TYPE_CHECKING:
    import pyarrow as pa

RESERVED_COLUMNS = frozenset(
    {
        "key",
        "path",
        "identity",
        CATALOGUE_IDENTITY,
        EMBEDDING,
        WHOLE_EMBEDDING,
        "width",
        "height",
        "thumbnail",
        "encoder",
        "indexed_at",
    }
)


@dataclass(frozen=True)
class Label:
    """What is known of one image.

    Attributes:
        identity: the thing it shows; None if the image is its own identity.
        metadata: value of each metadata column; empty for labels that come from folders.
    """

    identity: str | None
    metadata: dict[str, Any] = field(default_factory=dict)


class FolderLabels:
    """Identities from sub-folders: ``chair/front.jpg`` shows ``chair``; a file outside any sub-folder is its own."""

    metadata_fields: tuple[pa.Field, ...] = ()

    def label(self, path: str) -> Label:
        """Return the label of a file, by its POSIX path relative to the catalogue."""
        folder, separator, _ = path.partition("/")
        return Label(folder if separator else None)


class NamedLabels:
    """What shards, Parquet files and lists say of their own pictures.

    Args:
        labels: of every picture that has one, by its name in the catalogue.
        fields: the metadata columns.
    """

    def __init__(self, labels: Mapping[str, Label], fields: Iterable[pa.Field]) -> None:
        self._labels = labels
        self.metadata_fields = tuple(fields)

    def label(self, path: str) -> Label:
        """Return the label of a picture; one of which nothing is said is its own identity."""
        return self._labels.get(path) or Label(None)


class TableLabels:
    """Identities and metadata from a table, by path relative to the catalogue.

    Args:
        table: a table with string columns ``path`` and ``identity``.
        source: the file it came from, for messages.

    Raises:
        CatalogueError: if a column is missing or reserved, a path is empty or listed twice, or two paths are the same.
    """

    def __init__(self, table: pa.Table, *, source: Path) -> None:
        _check_columns(table.column_names, source)
        self.source = source
        extra = [name for name in table.column_names if name not in ("path", "identity")]
        self.metadata_fields = tuple(table.schema.field(name) for name in extra)
        self._labels: dict[str, Label] = {}
        first_lines: dict[str, int] = {}
        for line, row in enumerate(table.to_pylist(), start=2):
            if not row["path"]:
                raise CatalogueError(f"{source} line {line}: empty path")
            path = posixpath.normpath(row["path"].replace("\\", "/"))
            if path in first_lines:
                raise CatalogueError(
                    f"{source}: {path} stands in lines {first_lines[path]} and {line}: keep one of them"
                )
            first_lines[path] = line
            self._labels[path] = Label(row["identity"] or None, {name: row[name] for name in extra})
        self._lines = first_lines

    def label(self, path: str) -> Label:
        """Return the label of a file; a file the table does not list is its own identity, without metadata."""
        return self._labels.get(path) or Label(None, {field.name: None for field in self.metadata_fields})

    def unknown_paths(self, present: Iterable[str]) -> list[tuple[str, int]]:
        """Return listed paths that are not among ``present``, each with its line number.

        Raises:
            CatalogueError: if none of the listed paths is present.
        """
        known = set(present)
        unknown = [(path, line) for path, line in self._lines.items() if path not in known]
        if unknown and len(unknown) == len(self._lines):
            raise CatalogueError(
                f"{self.source}: none of its {len(unknown)} paths is in the catalogue (first: {unknown[0][0]!r}): "
                "paths must be relative to the catalogue's folder"
            )
        return unknown

    def num_unlisted(self, present: Iterable[str]) -> int:
        """Count files the table does not list."""
        return sum(path not in self._labels for path in present)


Labels = FolderLabels | NamedLabels | TableLabels


def read_labels(source: Path) -> TableLabels:
    """Read an identities table from CSV or Parquet.

    ``path`` and ``identity`` are read as text, so an identity ``007`` stays ``007``.

    Args:
        source: a ``.csv`` or ``.parquet`` file.

    Returns:
        The labels.

    Raises:
        CatalogueError: if the file is missing, of another kind or malformed, or ``TableLabels`` refuses it.
    """
    if source.suffix.lower() not in (".csv", ".parquet"):
        raise CatalogueError(f"{source}: expected a .csv or .parquet file with columns path, identity")
    table = read_table(source, text=("path", "identity"))
    return TableLabels(table, source=source)


def read_table(source: Path, *, text: Sequence[str]) -> pa.Table:
    """Read a table whose columns become labels.

    Args:
        source: a ``.csv`` or ``.parquet`` file.
        text: columns that are read as text, whatever they look like.

    Raises:
        CatalogueError: if the file is missing or malformed.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if source.suffix.lower() == ".csv":
            options = csv.ConvertOptions(column_types=dict.fromkeys(text, pa.string()), strings_can_be_null=True)
            table = csv.read_csv(source, convert_options=options)
        else:
            with parquet.ParquetFile(source) as file:
                # In pieces: read whole, a file that claims to have billions of rows would get the memory for them.
                table = pa.Table.from_batches(list(file.iter_batches()), file.schema_arrow)
        for name in text:
            if table.column_names.count(name) == 1 and not pa.types.is_string(table.column(name).type):
                column = table.column(name).cast(pa.string())
                table = table.set_column(table.column_names.index(name), name, column)
        table.validate(full=True)  # text that is not UTF-8
    except FileNotFoundError:
        raise CatalogueError(
            f"{source} does not exist: give a .csv or .parquet file with columns path, identity"
        ) from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{source} cannot be read: {str(error).splitlines()[0]}") from error
    return table


def _check_columns(names: list[str], source: Path) -> None:
    missing = [name for name in ("path", "identity") if name not in names]
    if missing:
        raise CatalogueError(
            f"{source} has no column {' or '.join(missing)}: it has {', '.join(names) or 'no columns'}"
        )
    check_metadata_names(names, source)


def check_metadata_names(names: list[str], source: Path) -> None:
    """Refuse columns that cannot become metadata; ``path`` and ``identity`` may be among them.

    Raises:
        CatalogueError: naming the first of them.
    """
    reserved = sorted((RESERVED_COLUMNS - {"path", "identity"}) & set(names))
    if reserved:
        raise CatalogueError(f"{source}: column {reserved[0]!r} is the gallery's own: rename it")
    unfit = [name for name in names if not is_storable_name(name)]
    if unfit:
        raise CatalogueError(
            f"{source}: column {unfit[0]!r} cannot be kept as metadata: rename it to letters and digits"
        )
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise CatalogueError(f"{source}: column {repeated[0]!r} stands there twice: keep one")
