"""Which index a gallery needs, from its size and from what a search may cost; exact for as long as that is fast enough.

The rates below are one core's and on the safe side. They order the choices; ``gallery tune`` measures the one made.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NamedTuple

from nearid_search.amounts import format_memory, parse_latency, parse_memory
from nearid_search.config import AUTO, AnnConfig
from nearid_search.indexer.search.backend import LANCE
from nearid_search.indexer.search.index_recipe import RECIPES, Recipe, SearchSettings, num_clusters

DEFAULT_LATENCY = 0.010
"""Seconds a search may take where nobody said: an index is of no use where encoding the query takes longer."""

_SCAN_RATE = 12e9  # bytes of float32 rows a second, in a matrix product
_CODE_RATE = 6e9  # bytes of eight-bit codes a second
_LINK_RATE = 2e9  # bytes of codes a second where each is somewhere else
_FIXED = 0.0005  # seconds to re-score and group what was nominated


class Budget(NamedTuple):
    """What searching may cost.

    Attributes:
        memory: bytes for the float32 vectors and the index together.
        latency: seconds a query, without encoding it.
    """

    memory: int
    latency: float

    @classmethod
    def of(cls, config: AnnConfig) -> Budget:
        """Return the budget a configuration stands for on this machine."""
        memory, latency = config.memory or AUTO, config.latency or AUTO
        return cls(
            _half_of_memory() if memory == AUTO else parse_memory(memory),
            DEFAULT_LATENCY if latency == AUTO else parse_latency(latency),
        )


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        backend: "exact", a name in ``RECIPES``, or ``LANCE``.
        reason: why, in one line that goes on from the name.
        noteworthy: whether anything was asked for or decided, as opposed to a scan that is fast enough.
    """

    backend: str
    reason: str
    noteworthy: bool = True


def choose_index(rows: int, dim: int, budget: Budget) -> Choice:
    """Choose the most faithful way to search that keeps within the budget.

    Vectors that do not fit into the memory stay on disk. Otherwise, in order: every vector, eight-bit codes of every
    vector, clusters of such codes, a graph of them, clusters of one-bit codes. An index that is too big is never
    chosen; one that is too slow only if nothing else fits, and the reason then says so.

    Args:
        rows: vectors in the gallery.
        dim: their width.
        budget: what a search may cost.

    Example:
        >>> choose_index(10_000, 384, Budget(memory=2**30, latency=0.01)).backend
        'exact'
        >>> choose_index(1_000_000, 384, Budget(memory=8 * 2**30, latency=0.01)).backend
        'ivf-sq8'
    """
    vectors = 4 * rows * dim
    if vectors > budget.memory:
        return Choice(
            LANCE, f"because {_size(rows, dim)} are {format_memory(vectors)} of {format_memory(budget.memory)} allowed"
        )
    exact = exact_seconds(rows, dim)
    if exact <= budget.latency:
        reason = f"because a scan of {_size(rows, dim)} takes about {_time(exact)}"
        return Choice("exact", reason, noteworthy=False)
    need = f"a scan of {_size(rows, dim)} takes about {_time(exact)} of the {_time(budget.latency)} allowed"
    costs = {
        name: (vectors + index_bytes(recipe, rows, dim), _seconds(recipe, rows, dim))
        for name, recipe in RECIPES.items()
    }
    fitting = {name: cost for name, cost in costs.items() if cost[0] <= budget.memory}
    if not fitting:
        least = format_memory(min(size for size, _ in costs.values()))
        allowed = format_memory(budget.memory)
        return Choice("exact", f"although {need}: the smallest index and the vectors are {least} of {allowed} allowed")
    fast = [name for name, (_, seconds) in fitting.items() if seconds <= budget.latency]
    name = fast[0] if fast else min(fitting, key=lambda name: fitting[name][1])
    size, seconds = fitting[name]
    verdict = f"{RECIPES[name].factory(rows)} about {_time(seconds)}" + ("" if fast else ", the least there is")
    return Choice(name, f"because {need}, {verdict}; {format_memory(size)} with the vectors")


def exact_seconds(rows: int, dim: int) -> float:
    """Estimate how long scanning every vector takes, in seconds."""
    return 4 * rows * dim / _SCAN_RATE


def index_bytes(recipe: Recipe, rows: int, dim: int) -> int:
    """Compute how big an index is, in bytes, without the float32 vectors."""
    return round(rows * recipe.bytes_per_vector(max(1, rows), dim))


def _seconds(recipe: Recipe, rows: int, dim: int) -> float:
    """Estimate how long a search takes with the settings a recipe starts from."""
    settings, codes = SearchSettings(), rows * dim
    if recipe.name == "sq8":
        return _FIXED + codes / _CODE_RATE
    if recipe.name == "hnsw-sq8":
        return _FIXED + settings.ef_search * 32 * dim / _LINK_RATE  # every candidate's links are looked at
    clusters = num_clusters(rows)
    scanned = codes * min(1.0, settings.nprobe / clusters)
    bits = 4 if recipe.name == "ivf-rabitq" else 1  # one bit in eight, at half the rate
    return _FIXED + exact_seconds(clusters, dim) + scanned / bits / _CODE_RATE


def _half_of_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _size(rows: int, dim: int) -> str:
    return f"{rows:,} vectors of {dim}"


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
