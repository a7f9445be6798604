"""The contract of every search backend, against the slow version in oracles.py."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import oracles
import pytest
from embeddings import crowded_rows, random_rows
from made_galleries import make_gallery

from nearid_search.errors import ConfigError, ShapeError
from nearid_search.indexer.search.approximate import ApproximateBackend, ScanRule
from nearid_search.indexer.search.backend import BACKENDS, LANCE, VectorBackend, make_backend
from nearid_search.indexer.search.faiss_ann import AnnIndex
from nearid_search.indexer.search.index_recipe import RECIPES, SearchSettings
from nearid_search.indexer.search.lance_backend import LanceBackend
from nearid_search.similarity import Embeddings, unit_rows

Make = Callable[[Embeddings], VectorBackend]


# Nothing is scanned, and every row is nominated.
NEVER_SCAN = ScanRule(rows=-1, share=float("inf"))
EVERYTHING = SearchSettings(overfetch=10_000, ef_search=10_000, nprobe=10_000, k_factor=1)


def all_nominated(name: str) -> Make:
    """Make a backend whose index nominates every row."""
    return lambda gallery: ApproximateBackend(
        gallery, AnnIndex.build(RECIPES[name], gallery), settings=EVERYTHING, scan=NEVER_SCAN
    )


@pytest.fixture(params=["exact", "faiss-flat", *RECIPES, *(f"all nominated by {name}" for name in RECIPES), LANCE])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    name = request.param.removeprefix("all nominated by ")
    if name not in ("exact", LANCE):
        pytest.importorskip("faiss")
    if name == LANCE:
        return lambda gallery: LanceBackend(
            make_gallery(tmp_path / uuid4().hex, gallery, np.zeros(len(gallery), np.int64), in_order=True).rows()
        )
    return all_nominated(name) if name != request.param else lambda gallery: make_backend(name, gallery)


def assert_agrees(
    backend: VectorBackend, queries: Embeddings, gallery: Embeddings, *, k: int, allowed: list[int] | None = None
) -> None:
    rows_allowed = None if allowed is None else np.array(allowed, np.int64)
    scores, rows = backend.search(queries, k=k, allowed=rows_allowed)
    assert (scores.dtype, rows.dtype) == (np.dtype(np.float32), np.dtype(np.int64))
    assert (scores.tolist(), rows.tolist()) == oracles.top_k(queries, gallery, k=k, allowed=allowed)


@pytest.mark.parametrize("k", [1, 7, 100], ids=lambda k: f"k={k}")
@pytest.mark.parametrize("seed", range(4), ids=lambda seed: f"seed={seed}")
def test_random_rows(make: Make, seed: int, k: int) -> None:
    gallery = random_rows(seed, 100)
    assert_agrees(make(gallery), random_rows(seed + 50, 3), gallery, k=k)


@pytest.mark.parametrize("k", [1, 5, 40], ids=lambda k: f"k={k}")
@pytest.mark.parametrize("seed", range(4), ids=lambda seed: f"seed={seed}")
def test_near_ties_and_duplicates(make: Make, seed: int, k: int) -> None:
    gallery = crowded_rows(seed, 120)
    assert_agrees(make(gallery), gallery[:3], gallery, k=k)


def test_more_duplicates_than_any_first_fetch_come_by_row_number(make: Make) -> None:
    gallery = np.repeat(random_rows(1, 2), 300, axis=0)
    scores, rows = make(gallery).search(gallery[-1:], k=4)
    assert rows.tolist() == [[300, 301, 302, 303]]
    assert_agrees(make(gallery), gallery[-1:], gallery, k=4)
    assert scores[0, 0] == pytest.approx(1.0, abs=1e-6)


def test_negative_scores(make: Make) -> None:
    gallery = -unit_rows(np.abs(random_rows(2, 30)) + 0.1)
    query = -gallery[:2]
    scores, _ = make(gallery).search(query, k=30)
    assert (scores < 0).all()
    assert_agrees(make(gallery), query, gallery, k=30)


def test_k_above_the_gallery(make: Make) -> None:
    gallery = random_rows(3, 4)
    assert make(gallery).search(gallery, k=50)[1].shape == (4, 4)
    assert_agrees(make(gallery), gallery, gallery, k=50)


def test_an_empty_gallery(make: Make) -> None:
    backend = make(np.empty((0, 16), np.float32))
    assert backend.num_rows == 0
    scores, rows = backend.search(random_rows(1, 2), k=5)
    assert scores.shape == rows.shape == (2, 0)


def test_one_row(make: Make) -> None:
    gallery = random_rows(5, 1)
    assert make(gallery).num_rows == 1
    assert_agrees(make(gallery), random_rows(6, 2), gallery, k=3)


def test_no_query(make: Make) -> None:
    scores, rows = make(random_rows(7, 5)).search(np.empty((0, 16), np.float32), k=3)
    assert scores.shape == rows.shape == (0, 3)


@pytest.mark.parametrize(
    "allowed",
    [[], [4], [0, 1, 2], list(range(0, 60, 2)), list(range(60))],
    ids=["none", "one", "three", "half", "all"],
)
def test_only_allowed_rows(make: Make, allowed: list[int]) -> None:
    gallery = crowded_rows(8, 60)
    assert_agrees(make(gallery), gallery[:2], gallery, k=10, allowed=allowed)


def test_k_below_one_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        make(random_rows(1, 3)).search(random_rows(1, 1), k=0)


def test_another_width_is_refused(make: Make) -> None:
    with pytest.raises(ShapeError, match=r"queries must be \(N, 16\), got \(1, 8\)"):
        make(random_rows(1, 3)).search(random_rows(1, 1, 8), k=1)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ConfigError, match=f"unknown backend 'annoy': use one of {', '.join(BACKENDS)}"):
        make_backend("annoy", random_rows(1, 3))


@pytest.mark.parametrize("num_queries", [1, 2, 300, 1_100], ids=lambda count: f"queries={count}")
@pytest.mark.parametrize("filtered", [False, True], ids=["whole", "filtered"])
def test_batches_of_any_size_give_the_answers_of_single_queries(make: Make, num_queries: int, filtered: bool) -> None:
    gallery = random_rows(9, 300, 128)
    backend = make(gallery)
    queries = random_rows(10, 1_100, 128)[:num_queries]
    allowed = np.flatnonzero(np.arange(300) % 3) if filtered else None
    scores, rows = backend.search(queries, k=5, allowed=allowed)
    for number in {0, num_queries // 2, num_queries - 1}:
        alone = backend.search(queries[number : number + 1], k=5, allowed=allowed)
        assert (scores[number].tolist(), rows[number].tolist()) == (alone[0][0].tolist(), alone[1][0].tolist())


def test_a_backend_of_tables_is_refused_where_there_are_none() -> None:
    with pytest.raises(ConfigError, match="lance-ivf-rq searches a stored gallery"):
        make_backend(LANCE, random_rows(1, 3))


def test_auto_builds_no_index() -> None:
    assert type(make_backend("auto", random_rows(1, 3))).__name__ == "ExactBackend"


def test_faiss_answers_where_another_library_has_replaced_its_search() -> None:
    """In a process of its own: the replacement cannot be undone."""
    pytest.importorskip("torch")
    program = """
import faiss.contrib.torch_utils
import numpy as np
from nearid_search.indexer.search.approximate import ApproximateBackend, ScanRule
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.indexer.search.faiss_ann import AnnIndex
from nearid_search.indexer.search.faiss_flat import FaissFlatBackend
from nearid_search.indexer.search.lance_backend import LanceBackend
from nearid_search.indexer.search.index_recipe import RECIPES
gallery = np.eye(64, dtype=np.float32)
backends = [ExactBackend(gallery), FaissFlatBackend(gallery)]
for recipe in RECIPES.values():
    index = AnnIndex.build(recipe, gallery)
    backends.append(ApproximateBackend(gallery, index, scan=ScanRule(rows=-1, share=float("inf"))))
for allowed in (None, np.array([1, 3])):
    first, *others = [backend.search(gallery[1:2], k=1, allowed=allowed) for backend in backends]
    for other in others:
        assert np.array_equal(first[0], other[0]) and np.array_equal(first[1], other[1])
"""
    subprocess.run([sys.executable, "-c", program], check=True)
