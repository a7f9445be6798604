"""Labels as shards bring them: fields of no agreed names and types, gathered into columns that a gallery can hold."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nearid_search.errors import CatalogueError
from nearid_search.indexer.catalogue.labels import RESERVED_COLUMNS, FolderLabels, Label
from nearid_search.indexer.schema import is_storable_name

if TYPE_CHECKING:
    import pyarrow as pa

IDENTITY = "identity"
_MAX_COLUMNS = 256


class ShardScan(NamedTuple):
    """What one shard holds.

    Attributes:
        pictures: name in the catalogue and place in the shard of each picture, in the order to read them.
        faults: name in the catalogue of what is damaged, and how.
    """

    pictures: list[tuple[str, int]]
    faults: list[tuple[str, str]]


class LabelTable:
    """Labels of pictures by name, whose fields become columns of one type each.

    Attributes:
        labels: of every picture, by its name in the catalogue.
    """

    def __init__(self) -> None:
        self.labels: dict[str, Label] = {}
        self._kinds: dict[str, set[type]] = {}
        self._left_out: set[str] = set()

    def add(self, name: str, fields: Mapping[str, Any], *, folders: str) -> None:
        """Enter what is said of a picture.

        Args:
            name: its name in the catalogue.
            fields: values by name; ``identity`` names the thing.
            folders: its path in its shard: if no identity is given, the first folder of that is one.

        Raises:
            ValueError: if the identity is neither text nor a whole number.
        """
        identity = fields.get(IDENTITY)
        if isinstance(identity, bool) or not isinstance(identity, str | int | None):
            raise ValueError(f"identity {identity!r} is neither text nor a whole number")
        metadata = {}
        for field, value in fields.items():
            if field == IDENTITY or value is None:
                continue
            if field in RESERVED_COLUMNS or not is_storable_name(field):
                self._left_out.add(field)
                continue
            plain = value if isinstance(value, bool | int | float | str) else _as_text(value)
            metadata[field] = plain
            self._kinds.setdefault(field, set()).add(type(plain))
        named = str(identity) if identity not in (None, "") else _folder_of(folders)
        self.labels[name] = Label(named, metadata)

    def fields(self) -> list[pa.Field]:
        """Return the columns; values of a field of mixed types are turned into text, in the labels too.

        Raises:
            CatalogueError: if there are too many.
        """
        import pyarrow as pa

        if len(self._kinds) > _MAX_COLUMNS:
            raise CatalogueError(
                f"the metadata has {len(self._kinds)} different fields: keep those to filter by, {_MAX_COLUMNS} at most"
            )
        kinds = {name: self._column_type(found) for name, found in self._kinds.items()}
        for label in self.labels.values():
            for name, value in label.metadata.items():
                if pa.types.is_string(kinds[name]):
                    label.metadata[name] = _as_text(value)
        return [pa.field(name, kind) for name, kind in kinds.items()]

    @staticmethod
    def _column_type(found: set[type]) -> pa.DataType:
        import pyarrow as pa

        if found == {bool}:
            return pa.bool_()
        if found == {int}:
            return pa.int64()
        return pa.float64() if found <= {int, float} else pa.string()

    def remarks(self) -> tuple[str, ...]:
        """Return which fields were left out and why, in one line."""
        if not self._left_out:
            return ()
        names = ", ".join(sorted(self._left_out)[:10])
        return (f"metadata left out, because the gallery has columns of its own for it or cannot name them: {names}",)


def _folder_of(path: str) -> str | None:
    folder = FolderLabels().label(posixpath.normpath(path)).identity
    return None if folder in ("", "..") else folder


def _as_text(value: Any) -> str:  # noqa: ANN401  (anything JSON or a column can hold)
    return json.dumps(value, default=str) if isinstance(value, bool | dict | list) else str(value)
