"""What a gallery's search index says about itself; the file carries the SHA-256 of its own content.

An index is a cache: everything in it can be made again from the gallery, so whatever is wrong with it is no reason to
answer nothing, and never one to answer something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nearid_search.durable_file import write_file
from nearid_search.errors import IndexUnusableError
from nearid_search.indexer.search.index_recipe import RECIPES, SearchSettings
from nearid_search.sealed_json import read_sealed, seal

INDEX_FORMAT = 2
INDEX_DIRNAME = "index"
INDEX_MANIFEST = "index.json"
PARTS = ("vectors", "rows", "embeddings")


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of the index.

    Attributes:
        name: in the index's folder.
        size: bytes.
        sha256: of its content, in hex.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What ``gallery tune`` measured with the settings it chose.

    Attributes:
        queries: stored views asked, each without itself; those whose nearest other identity is closest.
        seed: of the sample they were taken from.
        rows: images in the gallery at that time.
        exact_rank1: share of them whose first other view, found exactly, is of their identity.
        rank1: the same with the index.
        loss: share of them that exact search gets right and the index does not, in points of 100; what the index gets
            right by missing the nearest is not set off against it.
        loss_high: upper end of its 95 % interval, in points.
        recall_at_10: share of the ten nearest that the index finds, averaged over the queries.
        p50_ms: median time of one query alone, in milliseconds, grouping and re-scoring included.
        max_loss: points it was allowed to lose.
        reached: whether it lost no more.
    """

    queries: int
    seed: int
    rows: int
    exact_rank1: float
    rank1: float
    loss: float
    loss_high: float
    recall_at_10: float
    p50_ms: float
    max_loss: float
    reached: bool


@dataclass(frozen=True, kw_only=True)
class IndexManifest:
    """A search index's description of itself.

    Attributes:
        recipe: which kind of index it is.
        factory: what FAISS was told to make.
        settings: how far a search looks.
        trained_rows: rows there were when it was trained.
        positions: vectors in it, those of images that have gone since among them.
        dim: their width.
        encoder: fingerprint of the encoder that made them.
        tables: folder of the tables they came from.
        lance_version: version of the images table that ``rows`` were taken from.
        generation: what tells that version from any other; see ``indexer.generation``.
        files: its parts: the index itself, the gallery's rows, and their vectors (see ``indexer.search.row_file``).
        faiss: version of FAISS that wrote it.
        made_by: version of this library that did.
        created_at: ISO 8601 time in UTC.
        tuning: what tuning measured, if it was tuned.
        format_version: layout on disk.
    """

    recipe: str
    factory: str
    settings: SearchSettings
    trained_rows: int
    positions: int
    dim: int
    encoder: str
    tables: str
    lance_version: int
    generation: str
    files: Mapping[str, DataFile]
    faiss: str
    made_by: str
    created_at: str
    tuning: Tuning | None = None
    format_version: int = INDEX_FORMAT

    @property
    def num_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files.values())


def write_index_manifest(index_dir: Path, manifest: IndexManifest) -> None:
    """Write a manifest so that a crash leaves the old one or the new one.

    Raises:
        OSError: if it cannot be written.
    """
    write_file(index_dir / INDEX_MANIFEST, seal(asdict(manifest)))


def read_index_manifest(index_dir: Path) -> IndexManifest | None:
    """Read a manifest, or return None if there is no index.

    Args:
        index_dir: the index's folder.

    Raises:
        IndexUnusableError: if it is not what was written, or another version of this library wrote it.
    """
    path = index_dir / INDEX_MANIFEST
    try:
        document = read_sealed(path)
    except ValueError as error:
        raise IndexUnusableError(f"{path} {error}") from error
    if document is None:
        return None
    found = document.get("format_version")
    if found != INDEX_FORMAT:
        raise IndexUnusableError(f"{path} has format {found}, this version reads format {INDEX_FORMAT}")
    if set(document) != {field.name for field in fields(IndexManifest)} or str(document["recipe"]) not in RECIPES:
        raise IndexUnusableError(f"{path} describes no index that this version knows")
    try:
        return _from_document(document, path)
    except (KeyError, TypeError, AttributeError) as error:
        raise IndexUnusableError(f"{path} describes no index that this version knows ({error})") from error


def _from_document(document: dict[str, Any], path: Path) -> IndexManifest:
    files = {part: DataFile(**file) for part, file in document.pop("files").items()}
    if set(files) != set(PARTS) or any(Path(file.name).name != file.name for file in files.values()):
        raise IndexUnusableError(f"{path} names the files {sorted(file.name for file in files.values())}")
    tuning = document.pop("tuning")
    settings = SearchSettings(**document.pop("settings"))
    return IndexManifest(
        files=files, settings=settings, tuning=None if tuning is None else Tuning(**tuning), **document
    )
