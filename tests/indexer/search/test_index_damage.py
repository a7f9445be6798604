"""A search index that is damaged, half written or cannot be written: noticed, mended, and never a different answer."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from full_disk import small_disk
from made_galleries import make_gallery
from stored_indexes import CODES, COUNT, NEVER_SCAN, VECTORS, assert_exact, refresh

from nearid_search.errors import GalleryWriteError, IndexUnusableError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.approximate import ApproximateBackend
from nearid_search.indexer.search.checked_vectors import CheckedVectors
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.indexer.search.faiss_ann import AnnIndex
from nearid_search.indexer.search.index_file import open_index
from nearid_search.indexer.search.index_manifest import INDEX_MANIFEST
from nearid_search.indexer.search.index_recipe import RECIPES
from nearid_search.indexer.search.stored_index import describe_index, open_backend

pytest.importorskip("faiss")


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return make_gallery(tmp_path / "gallery", VECTORS[:COUNT], CODES[:COUNT])


def flipped(content: bytes, place: int, bit: int) -> bytes:
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


LENGTHS = ("cut", "empty", "gone", "longer")
DAMAGES = [(part, damage) for part in ("vectors", "rows", INDEX_MANIFEST) for damage in (*LENGTHS, *range(8))]


# A vector that was altered is noticed when it is needed: see the next test.
@pytest.mark.parametrize(("part", "damage"), [*DAMAGES, *(("embeddings", damage) for damage in LENGTHS)])
def test_damage_to_any_file_is_noticed_and_mended(gallery: Gallery, part: str, damage: str | int) -> None:
    refresh(gallery)
    path = next(path for path in gallery.index_dir.iterdir() if path.name.endswith(part))
    content = path.read_bytes()
    rng = np.random.default_rng(None if isinstance(damage, str) else damage)
    if damage == "gone":
        path.unlink()
    elif isinstance(damage, int):
        path.write_bytes(flipped(content, int(rng.integers(len(content))), int(rng.integers(8))))
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "longer": content + b"\n"}[damage])
    if part == INDEX_MANIFEST and damage == "gone":
        assert describe_index(gallery.index_dir, gallery.rows()) is None
        return
    if part == INDEX_MANIFEST and damage == "longer":
        assert_exact(gallery)  # a line break more is the same document
        return
    warnings: list[str] = []
    backend = open_backend("auto", gallery.index_dir, gallery.rows(), on_warning=warnings.append)
    assert type(backend) is ExactBackend
    (line,) = warnings
    assert str(path) in line
    assert line.endswith("; every vector is scanned instead: index again to make it anew")
    described = describe_index(gallery.index_dir, gallery.rows())
    assert described is not None
    assert described["state"] == "unusable"
    assert refresh(gallery).action == "built"
    assert_exact(gallery)


@pytest.mark.parametrize("bit", range(0, 32, 5))
def test_a_vector_that_was_altered_is_noticed_when_it_is_needed(gallery: Gallery, bit: int) -> None:
    """Its neighbours answer without a word before; then the tables are read, and every answer is as it was."""
    refresh(gallery)
    row = bit
    rows = gallery.rows()
    query = rows.vectors[row : row + 1]
    expected = ExactBackend(rows.vectors).search(query, k=5)
    path = next(path for path in gallery.index_dir.iterdir() if path.name.endswith("embeddings"))
    place = 4 * (row * rows.dim + bit) + bit // 8
    path.write_bytes(flipped(path.read_bytes(), place, bit % 8))
    warnings: list[str] = []
    reopened = gallery.rows()
    open_backend("auto", gallery.index_dir, reopened, on_warning=warnings.append)
    vectors = reopened.vectors_on_demand
    assert isinstance(vectors, CheckedVectors)
    vectors.having(np.setdiff1d(np.arange(len(rows)), row))
    assert warnings == []
    backend = ApproximateBackend(vectors, AnnIndex.build(RECIPES["sq8"], rows.vectors), scan=NEVER_SCAN)
    found = [backend.search(query, k=5) for _ in range(2)]
    assert [[part.tolist() for part in each] for each in found] == 2 * [[part.tolist() for part in expected]]
    (line,) = warnings
    assert line == (
        f"{path} was altered since it was written; the vectors are read from the tables instead: "
        "index again to make it anew"
    )
    strict = gallery.rows()
    open_index(gallery.index_dir, strict)
    with pytest.raises(IndexUnusableError, match="was altered since it was written"):
        strict.vectors  # noqa: B018
    assert refresh(gallery).action == "built"
    assert_exact(gallery)


def test_tables_of_the_same_version_are_not_taken_for_the_ones_indexed(gallery: Gallery, tmp_path: Path) -> None:
    """As after a backup of an earlier state was restored and written to."""
    refresh(gallery)
    other = make_gallery(tmp_path / "other", VECTORS[COUNT:], CODES[COUNT:])
    assert other.store.version == gallery.store.version
    gallery.index_dir.rename(other.index_dir)
    warnings: list[str] = []
    assert (assert_exact(other, warnings) < 0).all()
    assert warnings == ["300 of 300 images are not in the search index and are scanned: index again to add them"]


def test_readers_see_one_index_or_the_next_while_it_is_replaced(gallery: Gallery) -> None:
    refresh(gallery, "sq8")
    done = threading.Event()

    def replace_again_and_again() -> None:
        for number in range(40):
            refresh(gallery, ("ivf-sq8", "sq8")[number % 2])
        done.set()

    rows = gallery.rows()
    expected = open_backend("exact", gallery.index_dir, rows, on_warning=pytest.fail).search(VECTORS[:3], k=5)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(replace_again_and_again)
        seen = set()
        while not done.is_set() and not writing.done():
            backend = open_backend("auto", gallery.index_dir, rows, on_warning=pytest.fail)
            assert isinstance(backend, ApproximateBackend)
            assert isinstance(backend.index, AnnIndex)
            seen.add(backend.index.recipe.name)
            assert [part.tolist() for part in backend.search(VECTORS[:3], k=5)] == [part.tolist() for part in expected]
        writing.result()
    assert seen == {"sq8", "ivf-sq8"}


KILLED = """
import os, signal, sys
from nearid_search.indexer.gallery import Gallery
from nearid_search.config import AnnConfig
from nearid_search.indexer.search.index_refresh import refresh_index
folder, at = sys.argv[1:]
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def on_step(step, done, total):
    if step == at:
        die()
def before_rename(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith(at):
        die()
sys.addaudithook(before_rename)
gallery = Gallery.open(folder)
refresh_index(gallery.index_dir, gallery.rows(), AnnConfig(backend="ivf-rabitq"), on_step=on_step)
"""


@pytest.mark.parametrize(
    ("existing", "at"),
    [(False, "index.json"), *((True, at) for at in ("training", "adding", "writing", ".vectors", "index.json"))],
)
def test_a_build_that_is_killed_leaves_the_old_index_or_none(gallery: Gallery, existing: bool, at: str) -> None:
    """Killed at a step, or before a file takes its name."""
    if existing:
        refresh(gallery, "sq8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", KILLED, str(gallery.folder), at]
    killed = subprocess.run(command, env=environment, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    described = describe_index(gallery.index_dir, gallery.rows())
    if existing:
        assert described is not None
        assert (described["state"], described["backend"]) == ("fresh", "sq8")
        assert_exact(gallery)
    else:
        assert described is None
    assert refresh(gallery, "ivf-rabitq").action == "built"
    assert len(list(gallery.index_dir.iterdir())) == 4
    assert_exact(gallery)


def test_a_full_disk_keeps_the_old_index(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size=1 << 20) as disk:
        gallery = make_gallery(disk.folder / "gallery", VECTORS[:COUNT], CODES[:COUNT])
        refresh(gallery, "sq8")
        disk.fill()
        with pytest.raises(GalleryWriteError, match=r"cannot write the search index .* the gallery itself is complete"):
            refresh(gallery, "hnsw-sq8")
        assert_exact(gallery)
        disk.free()
        assert refresh(gallery, "hnsw-sq8").action == "built"
        assert len(list(gallery.index_dir.iterdir())) == 4
