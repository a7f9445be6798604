"""Tokens of a dataset's images on disk, so that the frozen backbone runs once an image and not once an epoch.

A folder with ``store.json`` (what made it), one ``tokens-<scale>.bin`` of fixed-size records a token scale, and
``rows.txt``, one line a record: key and checksum. A line is written after its records are on disk, so whatever a crash
leaves behind the last whole line is cut off when the store is next written to.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from nearid_search.backbones.base import BackboneSpec
from nearid_search.durable_file import write_file
from nearid_search.errors import FeatureStoreError
from nearid_search.trainer.token_codec import TokenCodec
from nearid_search.trainer.token_projection import TokenProjection, load_projections, save_projections

_FORMAT_VERSION = 2
_LOCK_NAME = "writer.lock"


class FeatureStore:
    """Tokens by key, memory-mapped; several processes may fill and read one store at once.

    Args:
        folder: the store's folder; made if missing, resumed if it was made by the same backbone and codec.
        spec: the backbone's.
        codec: how tokens are kept.

    Attributes:
        token_dims: width of the tokens that come out, one a scale.
        projections: what tokens go through on the way in, one a scale; empty if nothing.

    Raises:
        FeatureStoreError: if the folder holds a store of another backbone or codec, is damaged, or cannot be written.
    """

    def __init__(self, folder: Path, spec: BackboneSpec, codec: TokenCodec | None = None) -> None:
        self.folder = folder
        self.codec = codec or TokenCodec()
        self.token_dims = tuple(self.codec.pca_dim or scale.dim for scale in spec.token_scales)
        self._dtypes = [
            self.codec.record_dtype(scale.num_tokens, dim)
            for scale, dim in zip(spec.token_scales, self.token_dims, strict=True)
        ]
        self.projections: tuple[TokenProjection, ...] = ()
        self._rows: dict[str, int] = {}
        self._checksums: list[int] = []
        self._maps: list[NDArray[np.void]] | None = None
        self._known_bytes = 0  # of rows.txt
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / _LOCK_NAME):
                self._check_manifest(spec)
        except OSError as error:
            raise FeatureStoreError(f"cannot write to {folder}: {error.strerror or error}") from error
        if self._projections_path.exists():
            self.projections = load_projections(self._projections_path)
        self._read_rows()

    @property
    def bytes_per_image(self) -> int:
        """Size of one image's records on disk."""
        return sum(dtype.itemsize for dtype in self._dtypes)

    @property
    def lacks_projections(self) -> bool:
        """Whether ``set_projections`` must come before ``append``."""
        return self.codec.projects and not self.projections

    def set_projections(self, projections: Sequence[TokenProjection]) -> None:
        """Fix what tokens go through; where another process was first, its projections stand.

        Args:
            projections: as the codec says, one a token scale.

        Raises:
            FeatureStoreError: if they cannot be written.
        """
        try:
            with FileLock(self.folder / _LOCK_NAME):
                if not self._projections_path.exists():
                    save_projections(self._projections_path, projections)
        except OSError as error:
            raise FeatureStoreError(f"cannot write to {self.folder}: {error.strerror or error}") from error
        self.projections = load_projections(self._projections_path)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def rows(self, keys: Iterable[str]) -> NDArray[np.int64]:
        """Return the row of each key.

        Raises:
            FeatureStoreError: if a key is not in the store.
        """
        try:
            return np.array([self._rows[key] for key in keys], np.int64)
        except KeyError as error:
            raise FeatureStoreError(
                f"{self.folder} lacks the features of image {error.args[0]}: fill it first"
            ) from None

    def require_space(self, num_images: int) -> int:
        """Make sure that so many more images fit on the disk.

        Returns:
            The bytes they will take.

        Raises:
            FeatureStoreError: if there is less space than that.
        """
        needed = num_images * self.bytes_per_image
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise FeatureStoreError(
                f"the features of {num_images:,} images take {needed / 1e6:,.1f} MB, but {self.folder} has "
                f"{free / 1e6:,.1f} MB free: make room, use another folder, or keep them as int8 or fewer tokens"
            )
        return needed

    def append(self, keys: Sequence[str], tokens: Sequence[NDArray[np.float32]]) -> None:
        """Add images; they are on disk when this returns.

        Args:
            keys: B keys without white space; those that are in the store by now are passed over.
            tokens: one (B, N, D) float32 array a token scale.

        Raises:
            FeatureStoreError: if the disk is full or the folder cannot be written; nothing that was there is lost.
        """
        if self.lacks_projections:
            raise FeatureStoreError(f"{self.folder} keeps projected tokens and has no projections yet")
        try:
            with FileLock(self.folder / _LOCK_NAME):
                self._catch_up()
                self._append([number for number, key in enumerate(keys) if key not in self._rows], keys, tokens)
        except OSError as error:
            self._read_rows()
            raise FeatureStoreError(
                f"cannot write features to {self.folder}: {error.strerror or error}; {len(self)} images are kept"
            ) from error

    def _append(self, numbers: list[int], keys: Sequence[str], tokens: Sequence[NDArray[np.float32]]) -> None:
        if self.projections:
            tokens = [projection.project(scale) for projection, scale in zip(self.projections, tokens, strict=True)]
        records = [
            np.array([self.codec.encode(scale[number], key=keys[number]) for number in numbers], dtype)
            for scale, dtype in zip(tokens, self._dtypes, strict=True)
        ]
        for path, scale in zip(self._token_paths, records, strict=True):
            _append_bytes(path, scale.tobytes())
        checksums = [_checksum([scale[place] for scale in records]) for place in range(len(numbers))]
        lines = [f"{keys[number]} {checksum:08x}\n" for number, checksum in zip(numbers, checksums, strict=True)]
        _append_bytes(self._rows_path, "".join(lines).encode())
        for number in numbers:
            self._rows[keys[number]] = len(self._rows)
        self._checksums += checksums
        self._known_bytes += sum(map(len, lines))
        self._maps = None

    def tokens(
        self, rows: NDArray[np.int64], *, share: float = 1.0, key: tuple[int, ...] = ()
    ) -> tuple[NDArray[np.float32], ...]:
        """Read the tokens of some images.

        Args:
            rows: (B,) row numbers, in any order, repeats allowed.
            share: of the tokens of each scale to read, in (0, 1]; the same places of every image.
            key: decides which, if not all.

        Returns:
            One (B, kept tokens, D) float32 array a token scale.
        """
        return tuple(self.codec.decode(scale, rows, _places(scale, share, key)) for scale in self._open_maps())

    def verify(self) -> None:
        """Read everything and compare it with the checksums.

        Raises:
            FeatureStoreError: names the first image whose features were altered.
        """
        maps = self._open_maps()
        for key, row in self._rows.items():
            if _checksum([scale[row] for scale in maps]) != self._checksums[row]:
                raise FeatureStoreError(f"the features of image {key} in {self.folder} were altered: delete the folder")

    def _open_maps(self) -> list[NDArray[np.void]]:
        if self._maps is None:
            if not self._rows:
                self._maps = [np.zeros(0, dtype) for dtype in self._dtypes]
            else:
                self._maps = [
                    np.memmap(path, dtype, mode="r", shape=(len(self._rows),))
                    for path, dtype in zip(self._token_paths, self._dtypes, strict=True)
                ]
        return self._maps

    def _check_manifest(self, spec: BackboneSpec) -> None:
        path = self.folder / "store.json"
        ours = {"format_version": _FORMAT_VERSION, "backbone": spec.fingerprint, "codec": self.codec.as_dict()}
        if not path.exists():
            # A crash or a full disk may have left the file that was to become the manifest.
            if any(entry.name not in (_LOCK_NAME, f"{path.name}.tmp") for entry in self.folder.iterdir()):
                raise FeatureStoreError(
                    f"{self.folder} holds other files: give an empty or new folder for the features"
                )
            write_file(path, (json.dumps(ours, indent=2) + "\n").encode())
            return
        try:
            found = json.loads(path.read_bytes())
        except (ValueError, OSError) as error:
            raise FeatureStoreError(f"{path} cannot be read ({error}): delete the folder") from error
        if found != ours:
            raise FeatureStoreError(
                f"the features in {self.folder} were made with {json.dumps(found)}, but this is {json.dumps(ours)}: "
                "give another folder or delete this one"
            )

    def _read_rows(self) -> None:
        """Read which records are whole; nothing is changed, as another process may be writing the next ones."""
        content = self._rows_path.read_bytes() if self._rows_path.exists() else b""
        content = content[: content.rfind(b"\n") + 1]
        self._rows, self._checksums, self._maps, self._known_bytes = {}, [], None, len(content)
        for line in content.decode("ascii", "replace").splitlines():
            key, _, checksum = line.rpartition(" ")
            if not key or key in self._rows or len(checksum) != 8 or set(checksum) - set("0123456789abcdef"):
                raise FeatureStoreError(f"{self._rows_path} line {len(self._rows) + 1} is damaged: delete the folder")
            self._rows[key] = len(self._rows)
            self._checksums.append(int(checksum, 16))
        for path, dtype in zip(self._token_paths, self._dtypes, strict=True):
            found, expected = _size(path), len(self._rows) * dtype.itemsize
            if found < expected:
                raise FeatureStoreError(f"{path} has {found:,} bytes, {expected:,} expected: delete {self.folder}")

    def _catch_up(self) -> None:
        """Take in what other processes have added, and cut off what a crash left half done; under the lock."""
        if _size(self._rows_path) != self._known_bytes:
            self._read_rows()
        sizes = [len(self._rows) * dtype.itemsize for dtype in self._dtypes]
        for path, size in zip([self._rows_path, *self._token_paths], [self._known_bytes, *sizes], strict=True):
            if _size(path) > size:
                os.truncate(path, size)

    @property
    def _rows_path(self) -> Path:
        return self.folder / "rows.txt"

    @property
    def _projections_path(self) -> Path:
        return self.folder / "projections.safetensors"

    @property
    def _token_paths(self) -> list[Path]:
        return [self.folder / f"tokens-{scale}.bin" for scale in range(len(self._dtypes))]


def _places(records: NDArray[np.void], share: float, key: tuple[int, ...]) -> NDArray[np.int64] | None:
    """Draw which tokens of a scale are read; None for all."""
    if share >= 1:
        return None
    count = records["tokens"].shape[1]
    drawn = np.random.default_rng([count, *key]).permutation(count)[: max(1, round(share * count))]
    return np.sort(drawn)


def _checksum(records: Iterable[NDArray[np.void]]) -> int:
    value = 0
    for record in records:
        value = zlib.crc32(record.tobytes(), value)
    return value


def _append_bytes(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
