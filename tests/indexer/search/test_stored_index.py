"""The search index of a gallery that changes: whatever happens to one of the two, the answers are exact search's."""

from pathlib import Path

import numpy as np
import pytest
from embeddings import random_rows
from made_galleries import add_images, key_of, make_gallery
from stored_indexes import CODES, COUNT, VECTORS, assert_exact, refresh, searched

from nearid_search.config import AnnConfig
from nearid_search.errors import ConfigError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.indexer.search.index_manifest import read_index_manifest
from nearid_search.indexer.search.index_policy import Choice
from nearid_search.indexer.search.index_recipe import RECIPES
from nearid_search.indexer.search.index_refresh import Refresh, refresh_index
from nearid_search.indexer.search.index_rows import row_digests
from nearid_search.indexer.search.stored_index import describe_index, open_backend

pytest.importorskip("faiss")


@pytest.fixture(params=list(RECIPES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return make_gallery(tmp_path / "gallery", VECTORS[:COUNT], CODES[:COUNT])


def test_an_index_is_built_once_and_then_kept(gallery: Gallery, name: str) -> None:
    assert refresh(gallery, name) == Refresh(name, "because it was asked for", "built")
    before = {path.name: path.stat().st_mtime_ns for path in gallery.index_dir.iterdir()}
    assert len(before) == 4
    assert refresh(gallery, name).action == "kept"
    assert {path.name: path.stat().st_mtime_ns for path in gallery.index_dir.iterdir()} == before
    row_of = assert_exact(gallery)
    assert row_of.tolist() == list(range(COUNT))
    manifest = read_index_manifest(gallery.index_dir)
    assert manifest is not None
    assert (manifest.recipe, manifest.positions, manifest.lance_version) == (name, COUNT, gallery.store.version)
    described = describe_index(gallery.index_dir, gallery.rows())
    assert described is not None
    assert (described["state"], described["backend"], described["covered"]) == ("fresh", name, COUNT)
    assert described["bytes"] == sum(path.stat().st_size for path in gallery.index_dir.glob("*.*s"))


def test_a_small_gallery_needs_none(gallery: Gallery) -> None:
    assert refresh(gallery, "auto") == Refresh(
        "exact", f"because a scan of {COUNT} vectors of 32 takes about 0.0032 ms", "none"
    )
    assert describe_index(gallery.index_dir, gallery.rows()) is None
    refresh(gallery, "sq8")
    assert refresh(gallery, "exact").action == "removed"
    assert not gallery.index_dir.exists()


def test_auto_builds_what_the_budget_asks_for(gallery: Gallery) -> None:
    told: list[Choice] = []
    steps: list[str] = []
    done = refresh_index(
        gallery.index_dir,
        gallery.rows(),
        AnnConfig(memory="1G", latency="1us"),
        on_choice=told.append,
        on_step=lambda step, _done, _total: steps.append(step),
    )
    assert [(choice.backend, choice.reason) for choice in told] == [(done.backend, done.reason)]
    assert list(dict.fromkeys(steps)) == ["training", "adding", "writing"]
    assert done.action == "built"
    assert done.backend in RECIPES
    assert_exact(gallery)


def test_another_kind_replaces_it(gallery: Gallery) -> None:
    refresh(gallery, "sq8")
    assert refresh(gallery, "hnsw-sq8").action == "built"
    assert len(list(gallery.index_dir.iterdir())) == 4
    assert_exact(gallery)


def test_added_rows_are_scanned_and_then_added(gallery: Gallery, name: str) -> None:
    refresh(gallery, name)
    add_images(gallery, VECTORS[COUNT : COUNT + 20], CODES[COUNT : COUNT + 20], start=COUNT)
    assert len(assert_exact(gallery)) == COUNT
    assert refresh(gallery, name).action == "extended"
    assert (assert_exact(gallery) >= 0).sum() == COUNT + 20
    manifest = read_index_manifest(gallery.index_dir)
    assert manifest is not None
    assert (manifest.trained_rows, manifest.positions) == (COUNT, COUNT + 20)
    assert refresh(gallery, name).action == "kept"


def test_a_few_added_rows_wait(gallery: Gallery) -> None:
    refresh(gallery)
    add_images(gallery, VECTORS[COUNT : COUNT + 2], CODES[COUNT : COUNT + 2], start=COUNT)
    assert refresh(gallery).action == "kept"
    assert len(assert_exact(gallery)) == COUNT
    described = describe_index(gallery.index_dir, gallery.rows())
    assert described is not None
    assert (described["state"], described["waiting"], described["covered"]) == ("stale", 2, COUNT)


def test_clusters_are_made_anew_when_the_gallery_has_doubled(gallery: Gallery) -> None:
    refresh(gallery, "ivf-sq8")
    add_images(gallery, VECTORS[COUNT:], CODES[COUNT:], start=COUNT)
    add_images(gallery, VECTORS[:1], CODES[:1], start=2 * COUNT)
    warnings: list[str] = []
    assert_exact(gallery, warnings)
    assert warnings == ["301 of 601 images are not in the search index and are scanned: index again to add them"]
    assert refresh(gallery, "ivf-sq8").action == "built"
    assert_exact(gallery)


def test_deleted_rows_never_appear(gallery: Gallery, name: str) -> None:
    refresh(gallery, name)
    gallery.store.remove_images([key_of(number) for number in range(20)])
    assert (assert_exact(gallery) < 0).sum() == 20
    assert refresh(gallery, name).action == "kept"
    gallery.store.remove_images([key_of(number) for number in range(20, 31)])
    assert (assert_exact(gallery) < 0).sum() == 31
    assert refresh(gallery, name).action == "built"
    assert (assert_exact(gallery) >= 0).all()


def test_relabelled_rows_change_nothing(gallery: Gallery, name: str) -> None:
    refresh(gallery, name)
    gallery.store.relabel([{"key": key_of(number), "identity": "another"} for number in range(50)])
    stamp = read_index_manifest(gallery.index_dir)
    assert stamp is not None
    assert stamp.lance_version < gallery.store.version
    assert assert_exact(gallery).tolist() == list(range(COUNT))
    assert refresh(gallery, name).action == "kept"
    stamp = read_index_manifest(gallery.index_dir)
    assert stamp is not None
    assert stamp.lance_version == gallery.store.version
    assert_exact(gallery)  # with the labels that the images have now


def test_an_embedding_that_changed_under_its_key_is_not_searched_by_the_old_one(gallery: Gallery, name: str) -> None:
    refresh(gallery, name)
    gallery.store.remove_images([key_of(number) for number in range(5)])
    add_images(gallery, VECTORS[-5:], CODES[-5:], start=0)
    row_of = assert_exact(gallery)
    assert (row_of < 0).sum() == 5
    assert refresh(gallery, name).action == "extended"
    assert ((row_of := assert_exact(gallery)) >= 0).sum() == COUNT
    assert len(row_of) == COUNT + 5
    assert refresh(gallery, name).action == "kept"
    assert_exact(gallery)


def test_deleted_and_added_and_back_again(gallery: Gallery, name: str) -> None:
    refresh(gallery, name)
    gallery.store.remove_images([key_of(number) for number in range(10)])
    add_images(gallery, VECTORS[COUNT : COUNT + 20], CODES[COUNT : COUNT + 20], start=COUNT)
    assert refresh(gallery, name).action == "extended"
    assert_exact(gallery)
    add_images(gallery, VECTORS[:10], CODES[:10], start=0)
    assert (assert_exact(gallery) >= 0).all()


def test_an_index_of_other_embeddings_is_not_used(gallery: Gallery, tmp_path: Path) -> None:
    refresh(gallery)
    other = make_gallery(tmp_path / "other", VECTORS[:COUNT], CODES[:COUNT], fingerprint="another encoder")
    gallery.index_dir.rename(other.index_dir)
    warnings: list[str] = []
    backend = open_backend("auto", other.index_dir, other.rows(), on_warning=warnings.append)
    assert type(backend) is ExactBackend
    assert "was made for the encoder generated, the gallery has another encoder" in warnings[0]
    assert refresh(other).action == "built"


def test_a_backend_asked_for_by_name(gallery: Gallery) -> None:
    refresh(gallery, "sq8")
    warnings: list[str] = []
    searched(gallery, warnings, "sq8")
    searched(gallery, warnings, "ivf-sq8")
    assert warnings == ["the stored index is sq8, not ivf-sq8; ivf-sq8 is built in memory instead"]
    assert type(open_backend("exact", gallery.index_dir, gallery.rows(), on_warning=warnings.append)) is ExactBackend
    with pytest.raises(ConfigError, match="unknown backend 'pq'"):
        open_backend("pq", gallery.index_dir, gallery.rows(), on_warning=warnings.append)
    assert len(warnings) == 1


def test_an_open_index_outlives_its_replacement(gallery: Gallery, name: str) -> None:
    """The old files are mapped when the new ones take their place."""
    refresh(gallery, name)
    backend, _ = searched(gallery)
    before = backend.search(VECTORS[:40], k=10)
    add_images(gallery, VECTORS[COUNT:], CODES[COUNT:], start=COUNT)
    refresh(gallery, name)
    after = backend.search(VECTORS[:40], k=10)
    assert [part.tolist() for part in before] == [part.tolist() for part in after]


@pytest.mark.parametrize("dim", [7, 8])
def test_a_digest_notices_every_bit_of_its_row_and_of_no_other(dim: int) -> None:
    rows = random_rows(3, 1_030, dim)
    digests = row_digests(rows)
    assert len(set(digests.tolist())) == len(rows)
    for place in range(dim):
        for bit in range(32):
            changed = rows.copy()
            changed.view(np.uint32)[1_027, place] ^= np.uint32(1 << bit)
            assert np.flatnonzero(row_digests(changed) != digests).tolist() == [1_027]
