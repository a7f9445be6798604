"""Batches that workers have embedded and that are not in the table yet.

Each is a Lance fragment, which no version of the table names, and a sealed note beside the tables that describes it.
The note is written last, so a batch is staged whole or not at all, and a run that was killed leaves what the next one
takes over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.durable_file import write_file
from nearid_search.indexer.catalogue.pipeline import ReadFile
from nearid_search.indexer.catalogue.scan import ScannedFile
from nearid_search.sealed_json import digest, read_sealed, seal

if TYPE_CHECKING:
    import pyarrow as pa

STAGED_DIRNAME = "staged"
TABLE = "images.lance"


@dataclass(frozen=True)
class StagedBatch:
    """One batch.

    Attributes:
        note: the file that describes it.
        fragment: what Lance needs to take the rows in; None if there are none.
        rows: key and stored path of each row, in the order of the fragment.
        items: what reading each picture gave, without its pixels.
    """

    note: Path
    fragment: dict[str, Any] | None
    rows: list[tuple[str, str]]
    items: list[ReadFile]


class Staging:
    """The staged batches of one catalogue in one gallery.

    Args:
        tables: folder of the gallery's tables.
        catalogue: stored path of the catalogue.
        encoder: fingerprint of what makes the embeddings.
        schema: columns of the images table; batches written for other columns are of no use.
    """

    def __init__(self, tables: Path, *, catalogue: str, encoder: str, schema: pa.Schema) -> None:
        self._tables = tables
        self._folder = tables / STAGED_DIRNAME
        self._catalogue = catalogue
        self._made_for = digest({"encoder": encoder, "schema": str(schema)})

    def name_of(self, files: Sequence[ScannedFile]) -> str:
        """Return the name of the batch that these pictures make, the same whoever asks."""
        return digest({"catalogue": self._catalogue, "for": self._made_for, "files": [list(file) for file in files]})

    def read(self, name: str) -> StagedBatch | None:
        """Return a batch by its name; None if it is not there, damaged, or of no use any more."""
        return self._read(self._folder / f"{name}.json")

    def write(
        self, name: str, fragment: dict[str, Any] | None, rows: list[tuple[str, str]], items: Sequence[ReadFile]
    ) -> None:
        """Stage a batch; when this returns it is on disk."""
        self._folder.mkdir(exist_ok=True)
        content = {
            "catalogue": self._catalogue,
            "for": self._made_for,
            "fragment": fragment,
            "rows": rows,
            "items": [[list(item.file), item.key, item.error] for item in items],
        }
        write_file(self._folder / f"{name}.json", seal(content))

    def batches(self) -> Iterator[StagedBatch]:
        """Yield every batch of this catalogue that is whole, by name."""
        for note in sorted(self._folder.glob("*.json")):
            found = self._read(note)
            if found is not None:
                yield found

    def clear(self) -> None:
        """Forget the batches of this catalogue; their fragments are the table's now, or Lance cleans them up."""
        for note in self._folder.glob("*.json"):
            content = _content(note)
            if content is None or content["catalogue"] == self._catalogue:
                note.unlink()

    def _read(self, note: Path) -> StagedBatch | None:
        content = _content(note)
        if content is None or (content["catalogue"], content["for"]) != (self._catalogue, self._made_for):
            return None
        fragment = content["fragment"]
        files = [] if fragment is None else fragment["files"]
        if not all((self._tables / TABLE / "data" / file["path"]).exists() for file in files):
            return None
        rows = [(key, path) for key, path in content["rows"]]
        items = [ReadFile(ScannedFile(*file), key, error) for file, key, error in content["items"]]
        return StagedBatch(note, fragment, rows, items)


def _content(note: Path) -> dict[str, Any] | None:
    try:
        return read_sealed(note)
    except ValueError:
        return None  # a note that was cut off is a batch that is embedded again
