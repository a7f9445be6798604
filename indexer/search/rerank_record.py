"""What was measured of re-ranking on a gallery, kept beside its manifest.

Like a search index it is a cache: whatever is wrong with it is no reason to answer nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nearid_search.durable_file import write_file
from nearid_search.errors import RerankUnusableError
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.sealed_json import read_sealed, seal

RERANK_FORMAT = 1
RERANK_NAME = "rerank.json"
_ADVICE = "measure again with: nearid-search gallery tune --rerank"


@dataclass(frozen=True, kw_only=True)
class RungFigures:
    """What was measured of one rung.

    Attributes:
        rank1: share of the queries whose first identity is right with it.
        gain: ``rank1`` less that of plain search on the same queries, in points of 100.
        gain_low: lower end of its 95 % interval over identities, in points; None if there is no interval.
        gain_high: upper end.
        queries: stored views asked.
        identities: that they belong to.
        stopped: queries at which it stopped at its time budget.
        p50_ms: median time of re-ranking one query, in milliseconds.
        p95_ms: time that 95 of 100 queries take at most.
    """

    rank1: float
    gain: float
    gain_low: float | None
    gain_high: float | None
    queries: int
    identities: int
    stopped: int
    p50_ms: float
    p95_ms: float

    @property
    def helps(self) -> bool:
        """Whether the whole interval of the gain is above 0."""
        return self.gain_low is not None and self.gain_low > 0


@dataclass(frozen=True, kw_only=True)
class RerankRecord:
    """What was measured of every rung, and which one is switched on.

    Attributes:
        chosen: name of the rung that queries use; None if none helps.
        rungs: figures of each, by name.
        plain_rank1: share of the queries whose first identity is right without re-ranking.
        skipped: why a rung could not be measured, by name.
        queries: stored views asked, each without itself; those whose nearest other identity is closest.
        seed: of the sample they were taken from.
        budget_ms: milliseconds that re-ranking a query was allowed.
        rows: images in the gallery at that time.
        encoder: fingerprint of the encoder that made its embeddings.
        tables: folder of the tables they were in.
        lance_version: version of the images table.
        made_by: version of this library that measured.
        created_at: ISO 8601 time in UTC.
        format_version: layout of the file.
    """

    chosen: str | None
    rungs: Mapping[str, RungFigures]
    plain_rank1: float
    skipped: Mapping[str, str]
    queries: int
    seed: int
    budget_ms: float
    rows: int
    encoder: str
    tables: str
    lance_version: int
    made_by: str
    created_at: str
    format_version: int = RERANK_FORMAT


def write_rerank_record(folder: Path, record: RerankRecord) -> None:
    """Write a record so that a crash leaves the old one or the new one.

    Args:
        folder: the gallery's.
        record: what to write.

    Raises:
        OSError: if it cannot be written.
    """
    write_file(folder / RERANK_NAME, seal(asdict(record)))


def read_rerank_record(folder: Path, rows: GalleryRows) -> RerankRecord | None:
    """Read what was measured, or return None if nothing was.

    Args:
        folder: the gallery's.
        rows: its rows now.

    Raises:
        RerankUnusableError: if the file is not what was written, or is of another encoder's embeddings.
    """
    path = folder / RERANK_NAME
    try:
        document = read_sealed(path)
    except ValueError as error:
        raise RerankUnusableError(f"{path} {error}: {_ADVICE}") from error
    if document is None:
        return None
    if document.get("format_version") != RERANK_FORMAT or set(document) != {
        field.name for field in fields(RerankRecord)
    }:
        raise RerankUnusableError(
            f"{path} has another format than {RERANK_FORMAT}, which this version reads: {_ADVICE}"
        )
    rungs = {name: RungFigures(**figures) for name, figures in document.pop("rungs").items()}
    record = RerankRecord(rungs=rungs, **document)
    if (record.encoder, record.tables) != (rows.encoder, rows.tables):
        raise RerankUnusableError(f"{path} was measured on other embeddings than the gallery's: {_ADVICE}")
    return record


def describe_rerank(folder: Path, rows: GalleryRows) -> dict[str, Any] | None:
    """Say what is known of re-ranking; None if nothing was measured.

    Args:
        folder: the gallery's.
        rows: its rows now.

    Returns:
        ``state`` is "fresh" if the gallery has not changed since, "stale" if it has, and "unusable" with a ``reason``
        if the record is damaged or of other embeddings; queries are then not re-ranked.
    """
    try:
        record = read_rerank_record(folder, rows)
    except RerankUnusableError as error:
        return {"state": "unusable", "reason": str(error)}
    if record is None:
        return None
    state = "fresh" if record.lance_version == rows.lance_version else "stale"
    shown = ("chosen", "plain_rank1", "rungs", "skipped", "queries", "seed", "budget_ms", "rows", "created_at")
    described = asdict(record)
    return {"state": state, **{name: described[name] for name in shown}}
