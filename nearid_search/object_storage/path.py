"""Paths in an object store, with those of a path's file operations that a gallery needs.

A gallery in an object store is read and written by the same code as one on disk: the code asks a path, and such a path
asks the store. Writing an object is atomic and durable when it returns. What is not here has no place in the file
system, so it raises (``__fspath__``) instead of touching a local file of that name.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import io
import os
import re
import stat
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any

from nearid_search.object_storage.access import open_store, plain_errors, require_library

SCHEMES = ("s3", "gs", "az")
# pathlib makes one slash of two, so an address that went through a Path still is one.
_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):/{{1,2}}([^/].*)")

Tag = dict[str, Any]
"""What names one state of an object: its ETag and, where the store counts, its version."""


def object_path(text: str | Path) -> ObjectPath | None:
    """Return the path that an address names; None if it is a path of this machine.

    Example:
        >>> object_path("s3://shop/gallery"), object_path("./s3")
        (ObjectPath('s3://shop/gallery'), None)
    """
    if isinstance(text, ObjectPath):
        return text
    found = _ADDRESS.fullmatch(str(text))
    return None if found is None else ObjectPath(f"{found[1]}:", found[2])


class ObjectPath(PosixPath):
    """An object, or a folder of objects, by its address."""

    __slots__ = ()

    def __str__(self) -> str:
        scheme, colon, rest = super().__str__().partition(":/")
        return f"{scheme}://{rest}" if colon and scheme in SCHEMES else scheme + colon + rest

    def __fspath__(self) -> str:
        raise TypeError(f"{self} is in an object store and has no place in the file system")

    def __truediv__(self, key: str | os.PathLike[str]) -> Path:  # type: ignore[override]
        joined = PurePosixPath(*self.parts, *([key] if isinstance(key, str) else key.__fspath__()))
        return Path(joined) if joined.is_absolute() else type(self)(joined)

    @property
    def scheme(self) -> str:
        """Which kind of store it is in, one of ``SCHEMES``."""
        return self.parts[0].rstrip(":")

    @property
    def key(self) -> str:
        """Its name in the bucket."""
        return "/".join(self.parts[2:])

    @property
    def _store(self) -> Any:  # noqa: ANN401  (one of obstore's classes)
        return open_store(self.scheme, self.parts[1])

    @property
    def _library(self) -> Any:  # noqa: ANN401  (a module)
        return require_library(self.scheme)

    def absolute(self) -> ObjectPath:
        """Return the path itself."""
        return self

    def read_bytes(self) -> bytes:
        """Return an object's content; raises FileNotFoundError or StorageError."""
        return self.read_tagged()[0]

    def read_tagged(self) -> tuple[bytes, Tag]:
        """Return an object's content and what names this state of it."""
        with plain_errors(str(self)):
            found = self._library.get(self._store, self.key)
            return bytes(found.bytes()), _tag(found.meta)

    def write_bytes(self, data: Any) -> int:  # noqa: ANN401  (as pathlib has it)
        """Write an object; when this returns it is durable, and until then the earlier one is there."""
        self._put(data, "overwrite")
        return len(data)

    def create(self, data: bytes) -> Tag | None:
        """Write an object if there is none; None if there is one."""
        try:
            return self._put(data, "create")
        except self._library.exceptions.AlreadyExistsError:
            return None

    def update(self, data: bytes, tag: Tag) -> Tag | None:
        """Write an object if it still is what a tag names; None if it is not."""
        try:
            return self._put(data, tag)
        except self._library.exceptions.PreconditionError:
            return None

    def _put(self, data: bytes, mode: Any) -> Tag:  # noqa: ANN401
        with plain_errors(str(self)):
            return _tag(self._library.put(self._store, self.key, data, mode=mode, use_multipart=False))

    def upload(self, source: Path) -> None:
        """Write an object from a file, in parts if it is large."""
        with plain_errors(str(self)), source.open("rb") as file:
            self._library.put(self._store, self.key, file)

    def download(self) -> Generator[bytes]:
        """Yield an object's content piece by piece."""
        with plain_errors(str(self)):
            for piece in self._library.get(self._store, self.key).stream(min_chunk_size=4 * 2**20):
                yield bytes(piece)

    def open(self, mode: str = "r", *_: Any, **__: Any) -> Any:  # noqa: ANN401
        """Open an object to be read, all of it at once."""
        if mode != "rb":
            raise TypeError(f"{self} can be opened with mode 'rb' only, not {mode!r}")
        return io.BytesIO(self.read_bytes())

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:  # noqa: ARG002
        """Describe an object; the number of its inode stands for its ETag. A folder is as old as what it holds."""
        if self.key:  # without one it is a bucket, which is a folder
            with suppress(FileNotFoundError), plain_errors(str(self)):
                return _stat(self._library.head(self._store, self.key))
        held = self._listed()
        if not any(held.values()):
            raise FileNotFoundError(errno.ENOENT, "no such object", str(self))
        newest = max((entry["last_modified"].timestamp() for entry in held["objects"]), default=0)
        return os.stat_result((stat.S_IFDIR | 0o700, 0, 0, 1, 0, 0, 0, *(3 * (int(newest),))))

    def exists(self, **_: Any) -> bool:  # noqa: ANN401
        """Say whether there is an object or a folder here."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_file(self, **_: Any) -> bool:  # noqa: ANN401
        """Say whether there is an object here."""
        try:
            return stat.S_ISREG(self.stat().st_mode)
        except FileNotFoundError:
            return False

    def is_dir(self, **_: Any) -> bool:  # noqa: ANN401
        """Say whether there are objects below this."""
        return any(self._listed().values())

    def iterdir(self) -> Generator[ObjectPath]:
        """Yield what lies directly below, objects and folders."""
        held = self._listed()
        for key in (*held["common_prefixes"], *(entry["path"] for entry in held["objects"])):
            yield type(self)(*self.parts[:2], key)

    def glob(self, pattern: str, **_: Any) -> Generator[ObjectPath]:  # noqa: ANN401
        """Yield what lies directly below and has a name like that."""
        yield from (path for path in self.iterdir() if fnmatch.fnmatchcase(path.name, pattern))

    def _listed(self) -> Any:  # noqa: ANN401  (obstore's mapping)
        with plain_errors(str(self)):
            return self._library.list_with_delimiter(self._store, self.key)

    def mkdir(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        """Do nothing: a folder is there when something is in it."""

    def rmdir(self) -> None:
        """Do nothing: a folder goes with what was in it."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete an object; the store does not say whether there was one."""
        if not missing_ok and not self.exists():
            raise FileNotFoundError(errno.ENOENT, "no such object", str(self))
        with plain_errors(str(self)):
            self._library.delete(self._store, self.key)

    def remove_folder(self) -> None:
        """Delete everything below this."""
        with plain_errors(str(self)):
            for batch in self._library.list(self._store, self.key + "/"):
                self._library.delete(self._store, [entry["path"] for entry in batch])


def _tag(meta: Any) -> Tag:  # noqa: ANN401
    return {name: meta[name] for name in ("e_tag", "version") if meta[name] is not None}


def _stat(meta: Any) -> os.stat_result:  # noqa: ANN401
    written = meta["last_modified"].timestamp()
    inode = int.from_bytes(hashlib.sha256(str(meta["e_tag"]).encode()).digest()[:7], "big")
    whole = (stat.S_IFREG | 0o600, inode, 0, 1, 0, 0, meta["size"], int(written), int(written), int(written))
    nanoseconds = int(written * 1e9)
    return os.stat_result(whole, dict.fromkeys(("st_mtime_ns", "st_atime_ns", "st_ctime_ns"), nanoseconds))
