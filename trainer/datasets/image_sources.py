"""Where the bytes of a training image lie: in a file of their own, or in a cell of a table.

A source is small and plain: it opens nothing until its bytes are asked for, compares and hashes by place, and can be
sent to another process.
"""

from dataclasses import dataclass
from pathlib import Path

from nearid_search.images import read_file
from nearid_search.trainer.datasets.table_cells import read_cell

StorageOrder = tuple[str, int, str, int]


@dataclass(frozen=True, slots=True)
class FileImage:
    """An image in a file.

    Attributes:
        path: the file.
    """

    path: Path

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path)

    @property
    def storage_order(self) -> StorageOrder:
        """Sort key under which reading many images is cheapest."""
        return str(self.path), 0, "", 0

    def read_bytes(self) -> bytes:
        """Read the encoded image.

        Raises:
            UnreadableImageError: if the file is missing, forbidden, empty or too large.
        """
        return read_file(self.path)


@dataclass(frozen=True, slots=True)
class CellImage:
    """An image embedded in a table.

    Attributes:
        path: the Parquet or Arrow file.
        column: name of the column.
        row: row in the file, from 0.
        block: which row group or record batch of the file holds the row, from 0.
        offset: row within that block, from 0.
    """

    path: Path
    column: str
    row: int
    block: int
    offset: int

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.path} row {self.row} column {self.column}"

    @property
    def storage_order(self) -> StorageOrder:
        """Sort key under which reading many images is cheapest: each column of a block is decoded once."""
        return str(self.path), self.block, self.column, self.offset

    def read_bytes(self) -> bytes:
        """Read the encoded image.

        Raises:
            UnreadableImageError: if the table cannot be read or no longer has an image there.
        """
        return read_cell(self.path, self.block, self.column, self.offset, name=self.name)


ImageSource = FileImage | CellImage
