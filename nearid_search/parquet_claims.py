"""Parquet files that claim more rows than they hold: reading a row group sets memory aside for all that it claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow import parquet


def check_claimed_rows(metadata: parquet.FileMetaData) -> None:
    """Make sure that each row group has the rows that it claims.

    Args:
        metadata: of an open file.

    Raises:
        pyarrow.ArrowInvalid: names the first row group that has fewer values in a column than it claims rows.
    """
    import pyarrow as pa

    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        values = min((group.column(place).num_values for place in range(group.num_columns)), default=0)
        if group.num_rows > values:
            raise pa.ArrowInvalid(f"row group {number} claims {group.num_rows:,} rows and has {values:,}")
