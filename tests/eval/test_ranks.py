"""Ranks from embeddings against sorting every query's gallery by hand, and the checks around them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import metric_oracles
import numpy as np
import pytest
from embeddings import crowded_rows, random_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.eval.metrics import RelevantRanks, mean_over_queries, recall_at_k
from nearid_search.eval.ranks import relevant_ranks
from nearid_search.similarity import Embeddings, unit_rows

Codes = NDArray[np.int64]
seeds = st.integers(0, 2**32 - 1)


def ranks_by_hand(
    queries: Embeddings, query_codes: Codes, gallery: Embeddings, gallery_codes: Codes, exclude: Codes | None = None
) -> list[list[int]]:
    left_out = [None] * len(queries) if exclude is None else [row if row >= 0 else None for row in exclude.tolist()]
    return [
        metric_oracles.ranks_of(metric_oracles.relevance(query, code, gallery, gallery_codes.tolist(), own))
        for query, code, own in zip(queries, query_codes.tolist(), left_out, strict=True)
    ]


def as_lists(found: RelevantRanks) -> list[list[int]]:
    return [part.tolist() for part in np.split(found.ranks, found.offsets[1:-1])] if len(found.counts) else []


def grid_rows(seed: int, count: int, dim: int = 3) -> Embeddings:
    """Few directions, so that most scores are shared, below zero as often as above."""
    return unit_rows(np.random.default_rng(seed).choice([-1.0, 1.0], size=(count, dim)))


@pytest.mark.parametrize("rows", [random_rows, crowded_rows, grid_rows])
@settings(max_examples=40)
@given(seed=seeds, size=st.integers(0, 40), identities=st.integers(1, 8), chunk_rows=st.integers(1, 50))
def test_agrees_with_sorting_by_hand(
    rows: Callable[[int, int], Embeddings], seed: int, size: int, identities: int, chunk_rows: int
) -> None:
    rng = np.random.default_rng(seed)
    gallery, gallery_codes = rows(seed, max(size, 1))[:size], rng.integers(-1, identities, size)
    queries = np.concatenate([rows(seed ^ 1, 4), gallery[:3]])
    query_codes = rng.integers(0, identities, len(queries))
    exclude = rng.integers(-1, size, len(queries))
    found = relevant_ranks(queries, query_codes, gallery, gallery_codes, exclude=exclude, chunk_rows=chunk_rows)
    assert found.gallery_size == size
    assert as_lists(found) == ranks_by_hand(queries, query_codes, gallery, gallery_codes, exclude)


@pytest.mark.parametrize("chunk_rows", [7, 97, 600, 10_000])
def test_chunks_change_no_rank(chunk_rows: int) -> None:
    """More queries than one product takes; scores that float32 products cannot tell apart."""
    gallery, codes = crowded_rows(5, 600, 256), np.arange(600) % 150
    found = relevant_ranks(gallery, codes, gallery, codes, exclude=np.arange(600), chunk_rows=chunk_rows)
    assert found.counts.tolist() == [3] * 600
    some = np.array([0, 1, 255, 256, 257, 599])
    by_hand = ranks_by_hand(gallery[some], codes[some], gallery, codes, some)
    assert [as_lists(found)[number] for number in some] == by_hand


def test_a_tie_loses() -> None:
    gallery = np.repeat(random_rows(4, 1), 5, axis=0)
    found = relevant_ranks(gallery[:1], np.array([1]), gallery, np.array([1, 0, 1, -1, 1]))
    assert found.ranks.tolist() == [3, 4, 5]


def test_the_query_itself_is_left_out() -> None:
    gallery, codes = random_rows(6, 4), np.array([0, 0, 1, 1])
    found = relevant_ranks(gallery[:3], codes[:3], gallery, codes, exclude=np.array([0, -1, 2]))
    assert found.counts.tolist() == [1, 2, 1]
    assert as_lists(found)[1][0] == 1  # not left out, it finds itself


def test_lone_queries_and_distractors_of_no_identity() -> None:
    gallery = random_rows(7, 3)
    found = relevant_ranks(gallery, np.array([0, 5, 0]), gallery, np.array([0, -1, -1]))
    assert found.counts.tolist() == [1, 0, 1]
    assert mean_over_queries(recall_at_k(found, 1)) == (0.5, 2, 1)


def test_no_queries_and_no_gallery() -> None:
    rows, none = random_rows(8, 2), np.zeros(0, np.int64)
    assert as_lists(relevant_ranks(rows[:0], none, rows, np.array([0, 1]))) == []
    assert as_lists(relevant_ranks(rows, np.array([0, 1]), rows[:0], none)) == [[], []]


def test_a_memory_map_is_read(tmp_path: Path) -> None:
    gallery, codes = random_rows(9, 50), np.arange(50) // 2
    np.save(tmp_path / "gallery.npy", gallery)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    whole = relevant_ranks(gallery, codes, gallery, codes)
    assert relevant_ranks(mapped, codes, mapped, codes, chunk_rows=8).ranks.tolist() == whole.ranks.tolist()


@pytest.mark.parametrize(("value", "length"), [(float("nan"), "nan"), (0.0, "0.0"), (9.0, "9.0")])
@pytest.mark.parametrize("name", ["queries", "gallery"])
def test_rows_without_unit_length_are_named(name: str, value: float, length: str) -> None:
    arrays = {"queries": random_rows(1, 4), "gallery": random_rows(2, 4)}
    arrays[name][2] = [value, *np.zeros(15)]
    codes = np.zeros(4, np.int64)
    with pytest.raises(ShapeError, match=f"{name} must be unit rows: row 2 has length {length}"):
        relevant_ranks(arrays["queries"], codes, arrays["gallery"], codes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queries": np.eye(3, dtype=np.float64)}, r"queries must be \(N, D\) float32"),
        ({"gallery": np.eye(4, dtype=np.float32)[:3]}, "one width"),
        ({"query_codes": np.array([0, 1])}, r"query_codes must be \(3,\) int64"),
        ({"query_codes": np.array([0, -1, 0])}, "query_codes must be from 0 .* row 1 is -1"),
        ({"gallery_codes": np.array([0, 1, -2])}, "gallery_codes must be from -1 .* row 2 is -2"),
        ({"gallery_codes": np.zeros(3)}, "gallery_codes must be .* float64"),
        ({"exclude": np.array([0, 3, 1])}, "exclude must be from -1 to 2: row 1 is 3"),
    ],
)
def test_other_arrays_are_refused(changes: dict[str, Any], message: str) -> None:
    rows, codes = np.eye(3, dtype=np.float32), np.arange(3)
    arguments: dict[str, Any] = {
        "queries": rows,
        "query_codes": codes,
        "gallery": rows,
        "gallery_codes": codes,
    } | changes
    with pytest.raises(ShapeError, match=message):
        relevant_ranks(**arguments)


def test_an_empty_chunk_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk_rows must be at least 1, got 0"):
        relevant_ranks(
            np.eye(2, dtype=np.float32), np.arange(2), np.eye(2, dtype=np.float32), np.arange(2), chunk_rows=0
        )
