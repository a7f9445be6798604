"""The index inside the tables, on look-alikes: nothing held in memory, nothing scored but exactly."""

from pathlib import Path

import numpy as np
import pytest
from embeddings import look_alikes
from made_galleries import add_images, key_of, make_gallery
from stored_indexes import NEVER_SCAN, refresh

from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.approximate import ScanRule
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.indexer.search.lance_backend import LanceBackend
from nearid_search.indexer.search.stored_index import describe_index, open_backend
from nearid_search.indexer.search.tune import tune_gallery
from nearid_search.similarity import Rows

VECTORS, CODES = look_alikes(8, 520, 5, 64)
COUNT = 2_500
QUERIES = VECTORS[:30]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    gallery = make_gallery(tmp_path_factory.mktemp("lance") / "gallery", VECTORS[:COUNT], CODES[:COUNT])
    assert refresh(gallery, "lance-ivf-rq").action == "built"
    return gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    made = make_gallery(tmp_path / "gallery", VECTORS[:COUNT], CODES[:COUNT])
    refresh(made, "lance-ivf-rq")
    return made


def assert_near_exact(rows: GalleryRows, allowed: Rows | None = None, scan: ScanRule = NEVER_SCAN) -> Rows:
    """Nearly all of the nearest are found, with exact scores; return them."""
    scores, found = LanceBackend(rows, scan=scan).search(QUERIES, k=10, allowed=allowed)
    assert "vectors" not in vars(rows), "the vectors were loaded"
    exact_scores, exact = ExactBackend(rows.vectors).search(QUERIES, k=10, allowed=allowed)
    assert found.shape == exact.shape
    shared = [len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), exact.tolist(), strict=True)]
    assert np.mean(shared) > (0.999 if scan.rows > len(rows) else 0.98)
    assert scores[found == exact].tolist() == exact_scores[found == exact].tolist()
    if allowed is not None:
        assert np.isin(found, allowed).all()
    return found


def test_look_alikes_are_found(shared: Gallery) -> None:
    assert_near_exact(shared.rows())
    assert_near_exact(shared.rows(), scan=ScanRule(rows=COUNT + 1))


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5], ids=lambda share: f"{share:.1%}")
@pytest.mark.parametrize("scan", [NEVER_SCAN, ScanRule(rows=300)], ids=["never scanned", "scanned below 300"])
def test_filters_of_any_selectivity(shared: Gallery, share: float, scan: ScanRule) -> None:
    allowed = np.sort(np.random.default_rng(3).choice(COUNT, round(share * COUNT), replace=False))
    assert_near_exact(shared.rows(), allowed, scan)


def test_the_table_is_searched_unless_another_is_asked_for(shared: Gallery) -> None:
    told: list[str] = []
    assert type(open_backend("auto", shared.index_dir, shared.rows(), on_warning=told.append)) is LanceBackend
    assert type(open_backend("exact", shared.index_dir, shared.rows(), on_warning=told.append)) is ExactBackend
    assert told == []
    described = describe_index(shared.index_dir, shared.rows())
    assert described is not None
    assert (described["state"], described["backend"], described["covered"]) == ("fresh", "lance-ivf-rq", COUNT)
    assert described["bytes"] > COUNT * 64 / 8
    assert refresh(shared, "lance-ivf-rq").action == "kept"
    report = tune_gallery(shared)
    assert (report.backend, report.tuning, report.tried) == ("lance-ivf-rq", None, ())


def test_rows_added_and_deleted_count_at_once(gallery: Gallery) -> None:
    gallery.store.remove_images([key_of(number) for number in range(10)])
    add_images(gallery, VECTORS[COUNT:], CODES[COUNT:], start=COUNT)
    add_images(gallery, VECTORS[:3], CODES[:3], start=9_000)
    rows = gallery.rows()
    found = assert_near_exact(rows)
    assert [rows.key(row) for row in found[:3, 0]] == [key_of(9_000 + number) for number in range(3)]
    described = describe_index(gallery.index_dir, rows)
    assert described is not None
    assert (described["state"], described["waiting"]) == ("stale", 103)
    assert refresh(gallery, "lance-ivf-rq").action == "extended"
    assert_near_exact(gallery.rows())
    described = describe_index(gallery.index_dir, gallery.rows())
    assert described is not None
    assert (described["state"], described["waiting"]) == ("fresh", 0)


def test_it_is_taken_away_when_it_is_not_needed(gallery: Gallery) -> None:
    assert refresh(gallery, "exact").action == "removed"
    assert describe_index(gallery.index_dir, gallery.rows()) is None
    pytest.importorskip("faiss")
    refresh(gallery, "lance-ivf-rq")
    assert refresh(gallery, "sq8").action == "built"
    described = describe_index(gallery.index_dir, gallery.rows())
    assert described is not None
    assert (described["backend"], described["state"]) == ("sq8", "fresh")
    assert refresh(gallery, "sq8").action == "kept"


def test_a_small_table_is_searched_without(tmp_path: Path) -> None:
    gallery = make_gallery(tmp_path / "gallery", VECTORS[:100], CODES[:100])
    assert refresh(gallery, "lance-ivf-rq").action == "none"
    assert_near_exact(gallery.rows(), scan=ScanRule(rows=101))
