"""Which asset was seen where and when: a log of camera stills, kept in a LanceDB table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_search.errors import SightingsError, UnreadableImageError
from nearid_search.images import read_file
from nearid_search.picture_time import capture_time
from nearid_search.records import Failure, QueryAnswer

if TYPE_CHECKING:
    import pyarrow as pa

_TABLE = "sightings"
_COMPACT_ABOVE = 128
_FAULTS = (ValueError, RuntimeError, OSError)


@dataclass(frozen=True)
class Still:
    """A camera's picture that the log does not have.

    Attributes:
        path: its file.
        key: SHA-256 of its bytes, in hex.
        time: when it was taken, in UTC; see ``capture_time``.
    """

    path: Path
    key: str
    time: datetime


@dataclass(frozen=True)
class Sighting:
    """What a still showed.

    Attributes:
        key: SHA-256 of its bytes, in hex.
        picture: path of its file.
        place: where it was taken.
        time: when it was taken, in UTC.
        verdict: "match", "ambiguous" or "unknown".
        asset: the identity; of "ambiguous" the likeliest one, None of "unknown".
        confidence: of the answer; None where the gallery is not calibrated.
        score: cosine similarity with the best view in [-1, 1]; None if the gallery is empty.
        moved_from: where a matched asset was seen before, if that was somewhere else.
    """

    key: str
    picture: str
    place: str
    time: datetime
    verdict: str
    asset: str | None
    confidence: float | None
    score: float | None
    moved_from: str | None


class SightingLog:
    """A log of sightings, for one process at a time to write.

    A still is known by its bytes: whatever it is called, and however often it is offered, it is noted once.

    Args:
        folder: of the log, a LanceDB database with the table ``sightings``.
        create: make it if there is none.

    Raises:
        SightingsError: if there is none, or it cannot be read or made.
    """

    def __init__(self, folder: str | Path, *, create: bool = False) -> None:
        import lancedb

        self.folder = Path(folder)
        if not create and not self.folder.is_dir():
            raise SightingsError(f"no log of sightings at {folder}: name the folder that track_assets.py writes")
        try:
            database = lancedb.connect(str(folder))
            self._table = (
                database.create_table(_TABLE, schema=_schema(), exist_ok=True)
                if create
                else database.open_table(_TABLE)
            )
        except _FAULTS as error:
            raise SightingsError(f"{folder}: the log of sightings cannot be read: {error}") from error
        self._keys = {bytes.fromhex(key) for key in self._rows(["key"]).column("key").to_pylist()}
        self._looked_at: set[tuple[Path, int]] = set()
        self._last = self.last()

    def new_stills(self, pictures: Iterable[str | Path]) -> tuple[list[Still], list[Failure]]:
        """Find out which pictures the log does not have; one that has not changed since the last call is passed over.

        Returns:
            Them, the oldest first, and the files that cannot be read.
        """
        found: dict[str, Still] = {}
        failures = []
        for path in map(Path, pictures):
            try:
                stamp = (path, path.stat().st_mtime_ns)
                if stamp in self._looked_at:
                    continue
                self._looked_at.add(stamp)
                key = sha256(read_file(path))
                if key.digest() not in self._keys:
                    found.setdefault(key.hexdigest(), Still(path, key.hexdigest(), capture_time(path)))
            except (OSError, UnreadableImageError) as error:
                failures.append(Failure(str(path), getattr(error, "reason", "") or str(error.strerror).lower()))
        return sorted(found.values(), key=lambda still: (still.time, still.path)), failures

    def note(
        self, stills: Sequence[Still], answers: Iterable[QueryAnswer | Failure], *, root: str | Path
    ) -> list[Sighting | Failure]:
        """Add what stills showed; when this returns it is on disk.

        An asset moves when it is matched elsewhere at the same time or later: a still that comes late moves nothing.

        Args:
            stills: those that the log does not have.
            answers: the gallery's, one to each.
            root: folder that places are named from: the place of ``root/hall/bay-1/still.jpg`` is ``hall/bay-1``.

        Returns:
            A sighting of each, in the same order; of a still that could not be read the failure, which is not noted.

        Raises:
            SightingsError: if the log cannot be written.
        """
        last = dict(self._last)
        seen = [
            answer if isinstance(answer, Failure) else _sighting(still, answer, str(root), last)
            for still, answer in zip(stills, answers, strict=True)
        ]
        sightings = [entry for entry in seen if isinstance(entry, Sighting)]
        try:
            if sightings:
                self._table.add([asdict(sighting) for sighting in sightings])
                statistics: Any = self._table.stats()
                if statistics["fragment_stats"]["num_fragments"] > _COMPACT_ABOVE:  # each addition makes one
                    self._table.optimize()
        except _FAULTS as error:
            raise SightingsError(f"{self.folder}: sightings cannot be written: {error}") from error
        self._last = last
        self._keys |= {bytes.fromhex(sighting.key) for sighting in sightings}
        return seen

    def last(self, *, since: datetime | None = None) -> dict[str, Sighting]:
        """Return the last match of each asset, as the table has them now.

        Args:
            since: matches before it do not count; a time without offset is local.

        Raises:
            SightingsError: if the log cannot be read.
        """
        import pyarrow.compute as pc

        rows = self._rows(_schema().names)
        counted = pc.equal(rows.column("verdict"), "match")
        if since is not None:
            counted = pc.and_(counted, pc.greater_equal(rows.column("time"), since.astimezone()))
        matches = rows.filter(counted).sort_by("time")  # stable: of two at one time the one noted later is the last
        places = {asset: place for place, asset in enumerate(matches.column("asset").to_pylist())}
        return {asset: Sighting(**matches.slice(place, 1).to_pylist()[0]) for asset, place in places.items()}

    def _rows(self, columns: list[str]) -> pa.Table:
        try:
            return self._table.to_arrow().select(columns)
        except (*_FAULTS, KeyError) as error:
            raise SightingsError(f"{self.folder}: the log of sightings cannot be read: {error}") from error


def _sighting(still: Still, answer: QueryAnswer, root: str, last: dict[str, Sighting]) -> Sighting:
    """Return a sighting, and remember it if it is the last of its asset."""
    place = Path(os.path.relpath(still.path.parent, root)).as_posix()
    before = last.get(answer.identity or "")
    current = answer.verdict == "match" and (before is None or still.time >= before.time)
    sighting = Sighting(
        key=still.key,
        picture=str(still.path),
        place=place,
        time=still.time,
        verdict=answer.verdict,
        asset=answer.identity,
        confidence=answer.confidence,
        score=answer.matches[0].score if answer.matches else None,
        moved_from=before.place if current and before is not None and before.place != place else None,
    )
    if current:
        last[str(sighting.asset)] = sighting
    return sighting


def _schema() -> pa.Schema:
    import pyarrow as pa

    texts: list[Any] = [(name, pa.string()) for name in ("key", "picture", "place")]
    texts += [("time", pa.timestamp("us", tz="UTC")), ("verdict", pa.string()), ("asset", pa.string())]
    return pa.schema([*texts, ("confidence", pa.float64()), ("score", pa.float64()), ("moved_from", pa.string())])
