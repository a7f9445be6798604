"""The approximate indexes that are on offer, what each weighs, and how far a search looks in one.

All of them keep eight bits a dimension somewhere. Coarser codes alone, such as those of product quantisation, do not
keep look-alikes apart, so none of these is left with them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from nearid_search.errors import ConfigError

_GRAPH_DEGREE = 32
_POINTS_PER_CLUSTER = 39  # FAISS's own minimum for training a cluster
_ID_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How far one search looks; each recipe reads the fields that concern it.

    Attributes:
        overfetch: rows nominated for each row wanted.
        ef_search: length of the list of candidates while a graph is walked.
        nprobe: clusters scanned.
        k_factor: one-bit candidates compared again in eight bits, for each row nominated.

    Raises:
        ConfigError: if one is below 1.
    """

    overfetch: int = 2
    ef_search: int = 64
    nprobe: int = 64
    k_factor: int = 4

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}")

    def widened(self, factor: float) -> SearchSettings:
        """Return settings that look ``factor`` times as far for each row found; for searches among part of the rows."""
        return replace(self, ef_search=math.ceil(self.ef_search * factor), nprobe=math.ceil(self.nprobe * factor))


@dataclass(frozen=True)
class Recipe:
    """One kind of approximate index.

    Attributes:
        name: what users call it.
        tuned: the search setting that trades speed for the right answer.
        clustered: whether rows are kept by cluster, so that training fixes how many clusters there are.
    """

    name: str
    tuned: str
    clustered: bool

    def factory(self, rows: int) -> str:
        """Return the text from which FAISS makes the index.

        Args:
            rows: rows it will be trained for.
        """
        clusters = num_clusters(rows)
        return {
            "sq8": "SQ8",
            "hnsw-sq8": f"HNSW{_GRAPH_DEGREE},SQ8",
            "ivf-sq8": f"IVF{clusters},SQ8",
            "ivf-rabitq": f"IVF{clusters},RaBitQ,Refine(SQ8)",
        }[self.name]

    def bytes_per_vector(self, rows: int, dim: int) -> float:
        """Compute what a vector costs in the index, without the float32 original that scores are made of.

        Args:
            rows: rows in the index, at least 1.
            dim: width of an embedding.

        Returns:
            Bytes, centroids shared out among the rows.

        Example:
            >>> RECIPES["sq8"].bytes_per_vector(1_000_000, 384)
            384.0
        """
        codes = float(dim)
        if self.name == "hnsw-sq8":
            # The ground floor has twice the links; each further floor holds a 32nd of the one below. Every vector also
            # has a level (4 bytes) and an offset into the list of links (8).
            return codes + 4 * _GRAPH_DEGREE * (2 + 1 / (_GRAPH_DEGREE - 1)) + 12
        if self.clustered:
            codes += _ID_BYTES + 4 * dim * num_clusters(rows) / rows
        if self.name == "ivf-rabitq":
            codes += math.ceil(dim / 8) + 8  # one bit a dimension and two correcting floats
        return codes

    def ladder(self, start: SearchSettings, *, rows: int) -> Iterator[SearchSettings]:
        """Yield settings that look further and further, up to the farthest that makes sense.

        Args:
            start: where to begin.
            rows: rows in the index.
        """
        yield start
        farthest = {"overfetch": 64, "ef_search": 4096, "nprobe": num_clusters(rows), "k_factor": 256}[self.tuned]
        settings = start
        while getattr(settings, self.tuned) < farthest:
            wider = {self.tuned: min(farthest, 2 * getattr(settings, self.tuned))}
            if self.name == "ivf-rabitq":
                # More candidates are of no use from the same few clusters.
                wider["nprobe"] = min(num_clusters(rows), 2 * settings.nprobe)
            settings = replace(settings, **wider)
            yield settings

    def settings_in_words(self, settings: SearchSettings) -> str:
        """Return the settings that this recipe reads, for people."""
        read = {"overfetch", self.tuned} | ({"nprobe"} if self.clustered else set())
        values: dict[str, Any] = asdict(settings)
        return ", ".join(f"{name} {value}" for name, value in values.items() if name in read)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("sq8", "overfetch", clustered=False),
        Recipe("ivf-sq8", "nprobe", clustered=True),
        Recipe("hnsw-sq8", "ef_search", clustered=False),
        Recipe("ivf-rabitq", "k_factor", clustered=True),
    )
}


def num_clusters(rows: int) -> int:
    """Choose the clusters of an inverted file: a power of two near four times the square root of the rows.

    Args:
        rows: rows it is trained for.

    Returns:
        At least 1, and never so many that a cluster has fewer rows than its training needs.
    """
    wanted = 1 << round(math.log2(4 * math.sqrt(max(1, rows))))
    return max(1, min(wanted, rows // _POINTS_PER_CLUSTER))
