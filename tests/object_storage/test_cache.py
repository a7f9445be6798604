"""What is kept on this machine is downloaded once, followed when the gallery changes, and never believed unseen."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from embeddings import look_alikes
from made_galleries import add_images, make_gallery
from s3_server import S3Server

from nearid_search.config import AnnConfig
from nearid_search.errors import IndexUnusableError, StorageError
from nearid_search.head_file import WEIGHTS_NAME, load_head, read_head_manifest, save_head
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.kept_head import local_head
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.indexer.search.index_file import open_index
from nearid_search.indexer.search.index_manifest import read_index_manifest
from nearid_search.indexer.search.index_refresh import refresh_search
from nearid_search.indexer.search.stored_index import open_backend
from nearid_search.object_storage import cache
from nearid_search.object_storage.cache import cache_root
from nearid_search.object_storage.path import ObjectPath
from nearid_search.shipped_heads import SHIPPED_HEADS

NUM_THINGS, VIEWS = 40, 5
COUNT = NUM_THINGS * VIEWS
VECTORS, CODES = look_alikes(3, NUM_THINGS, VIEWS)
DATA = ("/data/", ".vectors", ".rows", ".embeddings")

Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "cut": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:100] + bytes([content[100] ^ 4]) + content[101:],
}


@pytest.fixture
def gallery(folder: ObjectPath) -> Gallery:
    with writer_lock(folder):
        return make_gallery(folder, VECTORS[: COUNT - 10], CODES[: COUNT - 10])


def index(gallery: Gallery) -> None:
    pytest.importorskip("faiss")
    with writer_lock(gallery.folder):
        refresh_search(gallery, AnnConfig(backend="hnsw-sq8"))


def found(gallery: Gallery, told: list[str] | None = None) -> int:
    """Search through what is kept; every answer is exact search's, and return how many rows there are."""
    opened = Gallery.open(gallery.folder)
    rows = opened.rows()
    warnings: list[str] = []
    backend = open_backend("auto", opened.index_dir, rows, on_warning=warnings.append)
    got = backend.search(VECTORS[:20], k=5)
    exact = ExactBackend(opened.store.embeddings(opened.rows().keys)).search(VECTORS[:20], k=5)
    for mine, theirs in zip(got, exact, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    if told is None:
        assert warnings == []
    else:
        told += warnings
    return len(rows)


def opened_with(s3: S3Server, gallery: Gallery) -> list[str]:
    """What is downloaded of the gallery's content in order to search it."""
    with s3.asked() as asked:
        opened = Gallery.open(gallery.folder)
        backend = open_backend("auto", opened.index_dir, opened.rows(), on_warning=pytest.fail)
        backend.search(VECTORS[:3], k=5)
    return [request for request in asked if request.startswith("GET") and any(part in request for part in DATA)]


@pytest.mark.parametrize("indexed", [False, True])
def test_what_has_not_changed_is_downloaded_once(
    s3: S3Server, gallery: Gallery, indexed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cache, "FORGET_SECONDS", -1.0)
    if indexed:
        index(gallery)
        assert opened_with(s3, gallery) == []  # who has made it has it
        monkeypatch.setenv("NEARID_CACHE", str(tmp_path / "elsewhere"))
    assert opened_with(s3, gallery) != []
    assert opened_with(s3, gallery) == []
    found(gallery)
    with writer_lock(gallery.folder):
        add_images(Gallery.open(gallery.folder), VECTORS[COUNT - 10 :], CODES[COUNT - 10 :], start=COUNT - 10)
    told: list[str] = []
    assert found(gallery, told) == COUNT
    if indexed:
        index(Gallery.open(gallery.folder))
        monkeypatch.setenv("NEARID_CACHE", str(tmp_path / "elsewhere"))
        assert found(gallery) == COUNT
    assert opened_with(s3, gallery) == []
    # Of what has been replaced nothing is kept.
    assert len([path for path in cache_root().rglob("*") if path.suffix == ".embeddings"]) == 1


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("part", ["vectors", "rows", "embeddings"])
@pytest.mark.parametrize("indexed", [False, True])
def test_a_damaged_copy_is_never_believed(gallery: Gallery, indexed: bool, part: str, damage: Damage) -> None:
    if indexed:
        index(gallery)
    elif part == "vectors":
        pytest.skip("a gallery without an index keeps none")
    found(gallery)
    (copy,) = (path for path in cache_root().rglob("*") if path.name.endswith(f".{part}"))
    whole = copy.read_bytes()
    copy.write_bytes(damage(whole))
    told: list[str] = []
    found(gallery, told)
    assert all("was altered since it was written; the vectors are read from the tables" in line for line in told)
    found(gallery)
    assert copy.read_bytes() == whole


def test_what_the_store_itself_has_altered_is_not_kept(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    index(gallery)
    manifest = read_index_manifest(gallery.index_dir)
    assert manifest is not None
    stored = gallery.index_dir / manifest.files["rows"].name
    stored.write_bytes(DAMAGES["flipped"](stored.read_bytes()))
    found(gallery)  # the copy of who has written it is whole
    monkeypatch.setenv("NEARID_CACHE", f"{os.environ['NEARID_CACHE']}-other")
    with pytest.raises(IndexUnusableError, match="was altered since it was written"):
        open_index(gallery.index_dir, gallery.rows())
    assert not [path for path in cache_root().rglob("*") if path.name == stored.name]
    told: list[str] = []
    found(gallery, told)
    assert len(told) == 1
    assert "every vector is scanned instead: index again" in told[0]


def test_a_head_is_downloaded_once_and_compared_with_its_name(s3: S3Server, folder: ObjectPath) -> None:
    shipped = load_head(SHIPPED_HEADS / "efficientnet-lite0")
    stored = folder / f"head-{shipped.fingerprint.rpartition(':')[2]}"
    save_head(stored, shipped.arrays, shipped.manifest)
    kept = local_head(stored)
    assert read_head_manifest(kept).fingerprint == shipped.fingerprint
    with s3.asked() as asked:
        assert local_head(stored) == kept
    assert asked == []
    weights = (kept / WEIGHTS_NAME).read_bytes()
    (kept / WEIGHTS_NAME).write_bytes(DAMAGES["flipped"](weights))
    assert (local_head(stored) / WEIGHTS_NAME).read_bytes() == weights


def test_a_cache_that_cannot_be_written_is_named(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NEARID_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(StorageError, match=r"cannot be kept .*: make room, or name another folder with NEARID_CACHE"):
        found(gallery)
