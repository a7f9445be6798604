"""Tar shards and Parquet files of generated pictures."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from catalogues import draw
from pyarrow import parquet


def picture(folder: Path, seed: int) -> bytes:
    """The bytes of a generated picture."""
    path = folder / f"drawn-{seed}.png"
    draw(path, seed)
    data = path.read_bytes()
    path.unlink()
    return data


def write_tar(path: Path, members: Mapping[str, bytes | dict[str, Any]]) -> Path:
    """Write a tar file; dictionaries become JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]], *, group: int = 2, struct: bool = True) -> Path:
    """Write a Parquet file; each row's ``image`` is bytes or None."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shaped = [{**row, "image": {"bytes": row["image"], "path": None}} if struct else dict(row) for row in rows]
    table = pa.Table.from_pylist(shaped)
    parquet.write_table(table, path, row_group_size=group)
    return path
