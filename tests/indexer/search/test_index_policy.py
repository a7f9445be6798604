"""Which index is chosen for which gallery."""

import pytest

from nearid_search.amounts import parse_latency, parse_memory
from nearid_search.indexer.search.index_policy import Budget, choose_index
from nearid_search.indexer.search.index_recipe import RECIPES

GIB = 2**30
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("rows", "dim", "memory", "latency", "backend"),
    [
        (0, 384, "4G", "10ms", "exact"),
        (50_000, 384, "4G", "10ms", "exact"),
        (100_000, 384, "4G", "10ms", "sq8"),
        (MILLION, 384, "4G", "10ms", "ivf-sq8"),
        (MILLION, 384, "4G", "1ms", "hnsw-sq8"),
        (MILLION, 384, "4G", "500ms", "exact"),
        (MILLION, 384, "4G", "100ms", "sq8"),
        (MILLION, 384, "1900M", "10ms", "ivf-sq8"),
        (10 * MILLION, 384, "18.6G", "10ms", "ivf-sq8"),
        (10 * MILLION, 384, "18.6G", "3ms", "ivf-rabitq"),
        (MILLION, 384, "1900M", "1us", "ivf-rabitq"),
        (MILLION, 384, "1500M", "10ms", "exact"),
        (MILLION, 384, "1G", "10ms", "lance-ivf-rq"),
        (MILLION, 1152, "16G", "10ms", "ivf-sq8"),
    ],
)
def test_what_is_chosen(rows: int, dim: int, memory: str, latency: str, backend: str) -> None:
    choice = choose_index(rows, dim, Budget(parse_memory(memory), parse_latency(latency)))
    assert choice.backend == backend, choice.reason
    assert f"{rows:,} vectors of {dim}" in choice.reason
    assert "\n" not in choice.reason


def test_the_reason_says_what_was_too_slow() -> None:
    reason = choose_index(MILLION, 384, Budget(4 * GIB, 0.01)).reason
    assert reason == (
        "because a scan of 1,000,000 vectors of 384 takes about 128 ms of the 10 ms allowed, "
        "IVF4096,SQ8 about 2.02 ms; 1.8G with the vectors"
    )


def test_the_reason_says_what_is_not_kept() -> None:
    assert "the vectors are 1.8G of 1.5G allowed" in choose_index(MILLION, 384, Budget(3 * GIB // 2, 0.01)).reason
    assert choose_index(MILLION, 384, Budget(GIB, 0.01)).reason == (
        "because 1,000,000 vectors of 384 are 1.4G of 1.0G allowed"
    )
    assert "the least there is" in choose_index(MILLION, 384, Budget(4 * GIB, 1e-6)).reason


def test_no_recipe_keeps_product_codes() -> None:
    assert not any("PQ" in recipe.factory(MILLION) for recipe in RECIPES.values())
