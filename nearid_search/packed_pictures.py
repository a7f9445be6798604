"""Pictures that lie many together in one file, each under a path as if that file were a folder.

``shard.tar/chair/1.jpg`` is a member of a tar file, ``file.parquet#12`` the picture in row 12 of a Parquet file,
counted from 0. A tar file is never unpacked: its headers say where each member begins, and a picture is read from
there. Both kinds are read as if they were hostile.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nearid_search.errors import UnreadableImageError

if TYPE_CHECKING:
    import pyarrow as pa

TAR_SUFFIX = ".tar"
PARQUET_SUFFIX = ".parquet"
IMAGE_COLUMN = "image"
"""Column of a Parquet file that holds pictures: bytes, or a struct with ``bytes``."""

_BLOCK = 512  # bytes; everything in a tar file begins at a multiple of it
_HEADER_BYTES = 1 << 20  # the most that one header of a member, with its long names, may take
_READ_BUFFER = 1 << 20
_ROWS_AT_ONCE = 16


class TarMember(NamedTuple):
    """Where the bytes of a member lie in its tar file."""

    offset: int
    size: int


class TarListing(NamedTuple):
    """What a tar file holds.

    Attributes:
        members: its regular files by name.
        faults: what is wrong with it, each with the member concerned ("" for the file itself).
    """

    members: dict[str, TarMember]
    faults: tuple[tuple[str, str], ...]


class _HeaderReader:
    """A file whose single reads are bounded: a header of a tar file can claim any length for a member's name."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.seek, self.tell, self.close = self._file.seek, self._file.tell, self._file.close
        self.length = os.fstat(self._file.fileno()).st_size

    def read(self, size: int) -> bytes:
        if size > _HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._file.read(size)


def list_members(shard: Path) -> TarListing:
    """Read the headers of a tar file; the pictures themselves are skipped.

    Args:
        shard: an uncompressed tar file.

    Raises:
        OSError: if it cannot be opened or is no tar file.
    """
    reader = _HeaderReader(shard)
    members: dict[str, TarMember] = {}
    faults: list[tuple[str, str]] = []
    try:
        length = reader.length
        with tarfile.TarFile(fileobj=reader) as tar:  # type: ignore[arg-type]
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # or every header would stay in memory
                if member.isreg():
                    name, fault = _plain_name(member.name), _fault_of(member, length)
                    if name is None:
                        faults.append((ascii(member.name), "its name leads out of the shard: rename it"))
                    elif fault or name in members:
                        faults.append((name, fault or "stands twice in the shard: the first is taken"))
                    else:
                        members[name] = TarMember(member.offset_data, member.size)
            reader.seek(tar.offset)
            if any(reader.read(_BLOCK)) or tar.offset >= length:
                faults.append(("", "is damaged or cut short: what follows its last whole member is lost"))
    except (tarfile.TarError, ValueError, OverflowError) as error:
        if not members and not faults:
            raise OSError(f"no tar file ({error})") from error
        faults.append(("", f"is damaged: what follows its last whole member is lost ({error})"))
    finally:
        reader.close()
    return TarListing(members, tuple(faults))


def _plain_name(name: str) -> str | None:
    """Return a member's name without a leading ``./``; None if it could mean something outside."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    try:
        "/".join(parts).encode()
    except UnicodeEncodeError:
        return None
    return None if name.startswith("/") or ".." in parts or not parts or "\0" in name else "/".join(parts)


def _fault_of(member: tarfile.TarInfo, length: int) -> str:
    if member.sparse is not None:
        return "is a sparse file: pack it again without holes"
    return "is cut short: the shard ends before it does" if member.offset_data + member.size > length else ""


@lru_cache(maxsize=4)
def _listing(shard: Path, size: int, mtime_ns: int) -> TarListing:
    del size, mtime_ns  # they tell one state of the file from another
    return list_members(shard)


def read_member(shard: Path, name: str, *, max_bytes: int) -> bytes:
    """Read one member of a tar file.

    Args:
        shard: the tar file.
        name: the member's name.
        max_bytes: the most bytes to read, > 0.

    Raises:
        UnreadableImageError: if there is no such member, it is empty or larger, or the file changes meanwhile.
    """
    shown = f"{shard}/{name}"
    try:
        status = shard.stat()
        member = _listing(shard, status.st_size, status.st_mtime_ns).members.get(name)
        if member is None:
            raise UnreadableImageError(shown, "no such member in the shard")
        if not 0 < member.size <= max_bytes:
            reason = f"too large: more than {max_bytes:,} bytes" if member.size else "empty file: zero bytes"
            raise UnreadableImageError(shown, reason)
        with shard.open("rb") as file:
            data = os.pread(file.fileno(), member.size, member.offset)
            after = os.fstat(file.fileno())
    except OSError as error:
        if isinstance(error, UnreadableImageError):
            raise
        raise UnreadableImageError(shown, str(error.strerror or error).lower()) from error
    if len(data) != member.size or (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise UnreadableImageError(shown, "the shard changed while it was read")
    return data


def open_parquet(file: Path) -> Any:  # noqa: ANN401  (pyarrow's class)
    """Open a Parquet file so that it is read piece by piece: by default a whole row group is held in memory.

    Raises:
        OSError: if it cannot be opened or is no Parquet file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(file, buffer_size=_READ_BUFFER, pre_buffer=False)
    except (pa.ArrowException, ValueError) as error:
        raise OSError(f"no Parquet file ({str(error).splitlines()[0]})") from error


def holds_pictures(schema: pa.Schema) -> bool:
    """Say whether a Parquet file of these columns holds the bytes of pictures."""
    import pyarrow as pa

    if IMAGE_COLUMN not in schema.names:
        return False
    kind = schema.field(IMAGE_COLUMN).type
    if pa.types.is_struct(kind):
        kind = next((field.type for field in kind if field.name == "bytes"), None)
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def read_rows(file: Path, rows: Sequence[int]) -> Iterator[tuple[int, bytes | UnreadableImageError]]:
    """Read the pictures in some rows of a Parquet file, in bounded memory.

    Args:
        file: the Parquet file.
        rows: ascending row numbers, counted from 0.

    Yields:
        Each row's number and its picture, or why there is none.
    """
    wanted = list(rows)
    try:
        with open_parquet(file) as opened:
            if not holds_pictures(opened.schema_arrow):
                raise OSError(f"no column {IMAGE_COLUMN} of bytes")
            start = 0
            for group in range(opened.num_row_groups):
                stop = start + opened.metadata.row_group(group).num_rows
                here = [row for row in wanted if start <= row < stop]
                if here:
                    wanted = wanted[len(here) :]
                    yield from _rows_of_group(file, opened, group, start, here)
                start = stop
            reason = "no such row in the file"
    except OSError as error:
        reason = str(error.strerror or error)
    for row in wanted:
        yield row, UnreadableImageError(f"{file}#{row}", reason)


def _rows_of_group(
    file: Path,
    opened: Any,  # noqa: ANN401  (pyarrow's class)
    group: int,
    start: int,
    rows: list[int],
) -> Iterator[tuple[int, bytes | UnreadableImageError]]:
    import pyarrow as pa
    from pyarrow import compute

    left = rows
    reason = "no such row in the file"
    try:
        for batch in opened.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=[IMAGE_COLUMN]):
            if not left:
                return
            column = batch.column(0)
            if pa.types.is_struct(column.type):
                column = compute.struct_field(column, "bytes")
            here = [row for row in left if row < start + len(batch)]
            left = left[len(here) :]
            for row in here:
                data = column[row - start].as_py()
                yield row, data or UnreadableImageError(f"{file}#{row}", "holds no bytes of a picture")
            start += len(batch)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = f"this part of the file is damaged ({str(error).splitlines()[0]})"
    for row in left:
        yield row, UnreadableImageError(f"{file}#{row}", reason)


def read_packed(path: Path, *, max_bytes: int) -> bytes | None:
    """Read the picture that a path names if part of the path is a tar or Parquet file.

    Args:
        path: such as ``shard.tar/chair/1.jpg`` or ``file.parquet#12``.
        max_bytes: the most bytes a picture may have, > 0.

    Returns:
        At least one byte; None if no part of the path is such a file.

    Raises:
        UnreadableImageError: if it is, and has no such picture.
    """
    name, separator, row = path.name.rpartition("#")
    if separator and name.lower().endswith(PARQUET_SUFFIX) and row.isdecimal() and path.with_name(name).is_file():
        ((_, data),) = read_rows(path.with_name(name), [int(row)])
        if isinstance(data, UnreadableImageError):
            raise data
        if len(data) > max_bytes:
            raise UnreadableImageError(str(path), f"too large: more than {max_bytes:,} bytes")
        return data
    for parent in path.parents:
        if parent.suffix.lower() == TAR_SUFFIX and parent.is_file():
            return read_member(parent, path.relative_to(parent).as_posix(), max_bytes=max_bytes)
    return None
