"""Find how far a search index must look on a gallery's own look-alikes, and measure what it then costs.

Ordinary recall says little here: an index can find nine of the ten nearest and lose the one that decides. So stored
views are asked who they are, each without itself, and those are taken whose nearest other identity is closest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.config import QueryConfig, TuneConfig
from nearid_search.errors import ConfigError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.search.approximate import ApproximateBackend, ScanRule
from nearid_search.indexer.search.backend import LANCE, VectorBackend
from nearid_search.indexer.search.index_file import StoredIndex, open_index
from nearid_search.indexer.search.index_manifest import Tuning, write_index_manifest
from nearid_search.indexer.search.index_recipe import SearchSettings
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.indexer.search.lance_index import lance_index_state
from nearid_search.ranking import FIRST_FETCH, rank_identities
from nearid_search.similarity import Embeddings, Rows, top_k

_POOL = 4  # views looked at for each that is asked
_RECALL_AT = 10
_TIMED = 200
_NORMAL = 1.959964  # of a two-sided 95 % interval


class Rung(NamedTuple):
    """What was measured with one setting; the figures are those of ``Tuning``."""

    settings: SearchSettings
    rank1: float
    lost: int
    recall_at_10: float
    p50_ms: float


@dataclass(frozen=True)
class TuneReport:
    """What tuning found.

    Attributes:
        gallery: folder of the gallery.
        backend: which kind of index it has. There is nothing to tune in "exact", which loses nothing, and in
            "lance-ivf-rq", whose settings are fixed.
        settings: how far a search looks from now on; None if there was nothing to tune.
        settings_in_words: those that matter for this kind.
        tuning: what was measured with them; None if there was nothing to tune.
        tried: every setting measured, in order.
        scanned: whether the gallery is so small that every vector is scanned although it has an index; the figures are
            the scan's then.
    """

    gallery: str
    backend: str
    settings: SearchSettings | None
    settings_in_words: str
    tuning: Tuning | None
    tried: tuple[Rung, ...]
    scanned: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``gallery tune --json``."""
        queries = 1 if self.tuning is None else self.tuning.queries
        tried = [
            {**rung._asdict(), "settings": asdict(rung.settings), "loss": 100 * rung.lost / queries}
            for rung in self.tried
        ]
        return {
            "gallery": self.gallery,
            "backend": self.backend,
            "settings": None if self.settings is None else asdict(self.settings),
            "tuning": None if self.tuning is None else asdict(self.tuning),
            "tried": tried,
            "scanned": self.scanned,
        }


class LookAlikes(NamedTuple):
    """The stored views asked, and what exact search says of each.

    Attributes:
        rows: (Q,) gallery row of each.
        nearest: (Q, K) the nearest other rows, best first, K up to ten.
        right: (Q,) whether the first of them is of the same identity.
    """

    rows: Rows
    nearest: Rows
    right: NDArray[np.bool_]


OnRung = Callable[[Rung], None]


def tune_gallery(gallery: Gallery, config: TuneConfig | None = None, *, on_rung: OnRung | None = None) -> TuneReport:
    """Tune the search index of a gallery and store the settings with what they cost.

    Args:
        gallery: a gallery, usually with a search index; it is reopened, so that it shows what others have written.
        config: how.
        on_rung: told of every setting measured.

    Raises:
        ConfigError: if no identity has two images.
        GalleryLockedError: if another process is writing to it.
        IndexUnusableError: if the index is damaged or was made from other embeddings.
        GalleryWriteError: if the result cannot be written.
    """
    with writer_lock(gallery.folder):
        gallery.reopen()  # another process may have written, or made it anew, since the caller opened it
        rows = gallery.rows()
        stored = open_index(gallery.index_dir, rows)
        if stored is None:
            backend = "exact" if lance_index_state(gallery.store) is None else LANCE
            return TuneReport(str(gallery.folder), backend, None, "", None, ())
        codes = rows.identities().codes
        settings, tuning, tried = tune_index(stored, rows, codes, config, on_rung=on_rung)
        write_index_manifest(gallery.index_dir, replace(stored.manifest, settings=settings, tuning=tuning))
    words = stored.ann.recipe.settings_in_words(settings)
    scanned = ApproximateBackend(rows.vectors_on_demand, stored.ann, row_of=stored.row_of).scans_everything
    return TuneReport(str(gallery.folder), stored.manifest.recipe, settings, words, tuning, tuple(tried), scanned)


def tune_index(
    stored: StoredIndex,
    rows: GalleryRows,
    codes: NDArray[np.int64],
    config: TuneConfig | None = None,
    *,
    scan: ScanRule | None = None,
    on_rung: OnRung | None = None,
) -> tuple[SearchSettings, Tuning, list[Rung]]:
    """Raise the setting that trades speed for the right answer until the index loses little enough.

    Args:
        stored: the index.
        rows: the gallery's rows.
        codes: (G,) identity of each.
        config: how.
        scan: when the rows are scanned instead; by default as queries are answered.
        on_rung: told of every setting measured.

    Returns:
        The settings, what was measured with them, and every setting tried. If none loses little enough, the farthest.

    Raises:
        ConfigError: if no identity has two images.
    """
    config = config or TuneConfig()
    asked = find_look_alikes(rows.vectors, codes, config)
    count = len(asked.rows)
    tried = []
    for settings in stored.ann.recipe.ladder(SearchSettings(), rows=stored.ann.trained_rows):
        backend = ApproximateBackend(rows.vectors, stored.ann, settings=settings, row_of=stored.row_of, scan=scan)
        tried.append(_measure(backend, settings, rows.vectors, codes, asked))
        if on_rung is not None:
            on_rung(tried[-1])
        if 100 * tried[-1].lost <= config.max_loss * count:
            break
    last = tried[-1]
    tuning = Tuning(
        queries=count,
        seed=config.seed,
        rows=len(codes),
        exact_rank1=float(asked.right.mean()),
        rank1=last.rank1,
        loss=100 * last.lost / count,
        loss_high=100 * _upper_share(last.lost, count),
        recall_at_10=last.recall_at_10,
        p50_ms=last.p50_ms,
        max_loss=config.max_loss,
        reached=100 * last.lost <= config.max_loss * count,
    )
    return last.settings, tuning, tried


def find_look_alikes(vectors: Embeddings, codes: NDArray[np.int64], config: TuneConfig) -> LookAlikes:
    """Choose the stored views whose nearest other identity is closest, among a sample of them.

    Args:
        vectors: (G, D) float32 unit rows.
        codes: (G,) identity of each row.
        config: how many, and the seed.

    Raises:
        ConfigError: if no identity has two images.
    """
    shared = np.flatnonzero(np.bincount(codes)[codes] > 1) if len(codes) else np.empty(0, np.int64)
    if not len(shared):
        raise ConfigError("no identity has two images: there is no view to ask whose identity another view could show")
    pool = np.random.default_rng(config.seed).choice(shared, min(len(shared), _POOL * config.queries), replace=False)
    scores, found = top_k(vectors[pool], vectors, k=FIRST_FETCH)
    other = codes[found] != codes[pool][:, None]
    # Where all that were fetched are of one identity, another is no closer than the last of them.
    closeness = np.where(other.any(axis=1), scores[np.arange(len(pool)), other.argmax(axis=1)], scores[:, -1] - 1)
    chosen = np.sort(np.lexsort((pool, -closeness))[: config.queries])
    nearest = _without_own(found[chosen], pool[chosen])[:, :_RECALL_AT]
    return LookAlikes(pool[chosen], nearest, codes[nearest[:, 0]] == codes[pool[chosen]])


def _measure(
    backend: VectorBackend,
    settings: SearchSettings,
    vectors: Embeddings,
    codes: NDArray[np.int64],
    asked: LookAlikes,
) -> Rung:
    found = _without_own(backend.search(vectors[asked.rows], k=FIRST_FETCH)[1], asked.rows)
    right = codes[found[:, 0]] == codes[asked.rows]
    at = asked.nearest.shape[1]
    shared = (found[:, :at, None] == asked.nearest[:, None, :]).any(axis=1).sum(axis=1)
    return Rung(
        settings,
        rank1=float(right.mean()),
        lost=int((asked.right & ~right).sum()),
        recall_at_10=float(shared.mean() / at),
        p50_ms=_median_ms(backend, vectors[asked.rows[:_TIMED]], codes),
    )


def _median_ms(backend: VectorBackend, queries: Embeddings, codes: NDArray[np.int64]) -> float:
    """Time single queries as they are answered; the batch before has warmed up what there is to warm up."""
    seconds = []
    for number in range(len(queries)):
        started = time.perf_counter()
        rank_identities(backend, queries[number : number + 1], codes, k=QueryConfig.k)
        seconds.append(time.perf_counter() - started)
    return float(1_000 * np.median(seconds))


def _without_own(found: Rows, own: Rows) -> Rows:
    """Drop each query's own row, and the last hit where it was not found."""
    is_own = found == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    others: Rows = found[~is_own].reshape(len(found), -1)
    return others


def _upper_share(events: int, count: int) -> float:
    """Return the upper end of Wilson's 95 % interval of a share."""
    share, square = events / count, _NORMAL**2
    middle = share + square / (2 * count)
    spread = _NORMAL * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return min(1.0, (middle + spread) / (1 + square / count))
