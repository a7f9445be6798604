"""Which second look helps on a gallery? Each rung of re-ranking measured on the gallery's own look-alikes.

As in ``indexer.search.tune`` stored views are asked who they are, each without itself: those whose nearest other
identity is closest. A rung is switched on only if the whole interval of its gain lies above 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search import __version__
from nearid_search.config import TuneConfig
from nearid_search.engine import SearchEngine
from nearid_search.eval.intervals import or_none
from nearid_search.eval.paired import paired_difference
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.search.rerank_record import RerankRecord, RungFigures, write_rerank_record
from nearid_search.indexer.search.tune import find_look_alikes
from nearid_search.ranking import group_hits
from nearid_search.rerank.ladder import IDENTITIES, RUNGS
from nearid_search.rerank.rung import Deadline, Rung, reorder
from nearid_search.rerank.shortlist import Shortlist, take_shortlist

OnQuery = Callable[[int, int], None]
"""Told how many views were asked and how many there are."""

_PICTURE_QUERIES = 200  # of a rung that encodes pictures, for which each may take a second


class Outcome(NamedTuple):
    """What one rung did to one query.

    Attributes:
        right: whether the first identity is the right one.
        milliseconds: it took, without the search.
        stopped: whether it looked at less than it should have.
    """

    right: bool
    milliseconds: float
    stopped: bool


def tune_rerank(
    engine: SearchEngine, config: TuneConfig, *, budget_ms: float, on_query: OnQuery | None = None
) -> RerankRecord:
    """Measure every rung on an engine's gallery and store which one helps.

    Args:
        engine: of the gallery. Without an encoder, rungs that look at pictures are skipped.
        config: how many views are asked, and the seed; ``max_loss`` is not used.
        budget_ms: milliseconds that re-ranking one query may take.
        on_query: told of the progress.

    Returns:
        What was measured, as it was stored.

    Raises:
        ConfigError: if no identity has two images, or the budget is not above 0.
        GalleryLockedError: if another process is writing to the gallery.
        GalleryWriteError: if the result cannot be written.
    """
    codes = engine.enrolled.codes
    asked = find_look_alikes(engine.rows.vectors, codes, config).rows
    skipped = {name: reason for name in RUNGS if (reason := engine.second_look.why_not(name))}
    rungs = {name: engine.second_look.reranker(name, budget_ms=budget_ms).rung for name in RUNGS if name not in skipped}
    with_picture = _spread(len(asked), _PICTURE_QUERIES)
    plain = np.zeros(len(asked), np.bool_)
    outcomes: dict[str, dict[int, Outcome]] = {name: {} for name in rungs}
    for number, row in enumerate(asked.tolist()):
        shortlist = take_shortlist(engine.backend, engine.rows, engine.rows.vectors[row], codes, without=row)
        own, picture = int(codes[row]), engine.enrolled.file_at(row)
        plain[number] = shortlist.codes[0] == own
        for name, rung in rungs.items():
            if not rung.needs_picture or (number in with_picture and picture is not None):
                outcomes[name][number] = ask(rung, shortlist, picture, own, budget_ms=budget_ms)
        if on_query is not None:
            on_query(number + 1, len(asked))
    skipped |= {name: "no picture of the views that were asked is a file here" for name in rungs if not outcomes[name]}
    figures = {
        name: figures_of(list(found.values()), plain[list(found)], codes[asked][list(found)])
        for name, found in outcomes.items()
        if found
    }
    record = RerankRecord(
        chosen=choose(figures),
        rungs=figures,
        plain_rank1=float(plain.mean()),
        skipped=skipped,
        queries=len(asked),
        seed=config.seed,
        budget_ms=budget_ms,
        rows=len(codes),
        encoder=engine.rows.encoder,
        tables=engine.rows.tables,
        lance_version=engine.rows.lance_version,
        made_by=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    _store(engine.gallery.folder, record)
    return record


def figures_of(outcomes: Sequence[Outcome], plain: NDArray[np.bool_], identities: NDArray[np.int64]) -> RungFigures:
    """Compare a rung with plain search on the same queries.

    Args:
        outcomes: Q of them.
        plain: (Q,) whether plain search is right.
        identities: (Q,) identity of each query; its queries are resampled together.
    """
    right = np.asarray([outcome.right for outcome in outcomes])
    gain = paired_difference(right.astype(np.float64), plain.astype(np.float64), identities).difference
    low, high = (None if (end := or_none(value)) is None else 100 * end for value in (gain.low, gain.high))
    p50, p95 = np.percentile([outcome.milliseconds for outcome in outcomes], [50, 95])
    return RungFigures(
        rank1=float(right.mean()),
        gain=100 * gain.value,
        gain_low=low,
        gain_high=high,
        queries=len(outcomes),
        identities=gain.n_clusters,
        stopped=sum(outcome.stopped for outcome in outcomes),
        p50_ms=float(p50),
        p95_ms=float(p95),
    )


def choose(rungs: dict[str, RungFigures]) -> str | None:
    """Return the rung that gains most of those that help, of two alike the faster one; None if none helps."""
    helping = [name for name, figures in rungs.items() if figures.helps]
    return min(helping, key=lambda name: (-rungs[name].gain, rungs[name].p50_ms), default=None)


def ask(rung: Rung, shortlist: Shortlist, picture: Path | None, own: int, *, budget_ms: float) -> Outcome:
    """Ask a rung about one query.

    Args:
        rung: to ask.
        shortlist: of the query.
        picture: of the query; None if there is none.
        own: number of its identity.
        budget_ms: milliseconds that it may take.
    """
    deadline = Deadline(budget_ms)
    ranked = group_hits(shortlist.scores, shortlist.rows, shortlist.codes, k=IDENTITIES + 1)
    rescored = rung(shortlist, () if picture is None else (picture,), deadline)
    return Outcome(reorder(ranked, rescored)[0].code == own, deadline.spent, bool(rescored.remarks))


def _spread(count: int, wanted: int) -> set[int]:
    """Return up to so many numbers below a count, spread evenly."""
    return set(np.linspace(0, count - 1, min(count, wanted)).astype(np.int64).tolist())


def _store(folder: Path, record: RerankRecord) -> None:
    with writer_lock(folder):
        write_rerank_record(folder, record)
