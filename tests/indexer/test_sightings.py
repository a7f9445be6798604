"""The log of sightings: every still once, moves in the order of time, whatever happens in between."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lancedb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearid_search import Failure, IdentityMatch, MatchedImage, QueryAnswer, Sighting, SightingLog
from nearid_search.errors import SightingsError
from nearid_search.indexer.sightings import Still

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def answer(asset: str, verdict: str = "match") -> QueryAnswer:
    image = MatchedImage("view.jpg", 0.75, "0" * 64)
    named = None if verdict == "unknown" else asset
    return QueryAnswer("q", verdict, named, 0.5, 0.25, True, (IdentityMatch(1, asset, 0.75, 1, (image,)),))  # type: ignore[arg-type]


def still(root: Path, place: str, minute: int) -> Path:
    """A file whose bytes, name and time differ from those of every other place and minute."""
    path = root / place / f"{minute}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"{place} {minute}".encode())
    moment = (START + timedelta(minutes=minute)).timestamp()
    os.utime(path, (moment, moment))
    return path


def note(log: SightingLog, root: Path, *stills: Path, asset: str = "cup", verdict: str = "match") -> list[Sighting]:
    new, failures = log.new_stills(stills)
    assert failures == []
    noted = log.note(new, [answer(asset, verdict)] * len(new), root=root)
    return [entry for entry in noted if isinstance(entry, Sighting)]


def test_a_still_is_noted_once_whatever_it_is_called(tmp_path: Path) -> None:
    log = SightingLog(tmp_path / "log", create=True)
    first = still(tmp_path, "dock", 1)
    copy = tmp_path / "dock" / "copy.jpg"
    copy.write_bytes(first.read_bytes())
    assert len(note(log, tmp_path, first, copy)) == 1
    assert note(log, tmp_path, first, copy) == []
    again = SightingLog(tmp_path / "log")
    assert note(again, tmp_path, first, copy) == []
    first.write_bytes(b"the camera overwrote it")
    assert [sighting.picture for sighting in note(again, tmp_path, first)] == [str(first)]
    assert lancedb.connect(tmp_path / "log").open_table("sightings").count_rows() == 2


def test_additions_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearid_search.indexer.sightings._COMPACT_ABOVE", 4)
    log = SightingLog(tmp_path / "log", create=True)
    for minute in range(12):
        note(log, tmp_path, still(tmp_path, "dock", minute))
    table = lancedb.connect(tmp_path / "log").open_table("sightings")
    statistics: Any = table.stats()
    assert statistics["fragment_stats"]["num_fragments"] <= 4
    assert table.count_rows() == 12
    assert SightingLog(tmp_path / "log").last()["cup"].time == START + timedelta(minutes=11)


def test_what_is_noted_can_be_read_again(tmp_path: Path) -> None:
    log = SightingLog(tmp_path / "log", create=True)
    (noted,) = note(log, tmp_path, still(tmp_path, "hall/bay-1", 0))
    assert (noted.place, noted.time, noted.score, noted.confidence) == ("hall/bay-1", START, 0.75, 0.5)
    assert SightingLog(tmp_path / "log").last() == {"cup": noted}
    assert SightingLog(tmp_path / "log", create=True).last() == {"cup": noted}


def test_only_a_match_moves_an_asset_and_a_late_still_does_not(tmp_path: Path) -> None:
    log = SightingLog(tmp_path / "log", create=True)
    assert note(log, tmp_path, still(tmp_path, "dock", 10))[0].moved_from is None
    assert note(log, tmp_path, still(tmp_path, "dock", 11))[0].moved_from is None
    for verdict in ("ambiguous", "unknown"):
        assert note(log, tmp_path, still(tmp_path, verdict, 12), verdict=verdict)[0].moved_from is None
    assert note(log, tmp_path, still(tmp_path, "bay", 5))[0].moved_from is None
    assert note(log, tmp_path, still(tmp_path, "bay", 20))[0].moved_from == "dock"
    last = SightingLog(tmp_path / "log").last()
    assert {asset: sighting.place for asset, sighting in last.items()} == {"cup": "bay"}
    assert log.last(since=START + timedelta(minutes=21)) == {}
    assert log.last(since=START + timedelta(minutes=20)) == last


def test_what_cannot_be_read_is_named_and_comes_again_once_it_has_changed(tmp_path: Path) -> None:
    log = SightingLog(tmp_path / "log", create=True)
    empty = still(tmp_path, "dock", 1)
    empty.write_bytes(b"")
    found, failures = log.new_stills([empty, tmp_path / "gone.jpg"])
    assert found == []
    assert {failure.path: failure.error for failure in failures} == {
        str(empty): "empty file: zero bytes",
        str(tmp_path / "gone.jpg"): "no such file or directory",
    }
    whole = still(tmp_path, "dock", 2)
    (found, _) = log.new_stills([whole])
    failure = Failure(str(whole), "truncated JPEG")
    assert log.note(found, [failure], root=tmp_path) == [failure]
    assert log.new_stills([whole]) == ([], [])
    assert [entry.path for entry in SightingLog(tmp_path / "log").new_stills([whole])[0]] == [whole]


def test_a_log_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SightingsError, match="no log of sightings at"):
        SightingLog(tmp_path / "log")
    (tmp_path / "log").mkdir()
    with pytest.raises(SightingsError, match="cannot be read"):
        SightingLog(tmp_path / "log")
    lancedb.connect(tmp_path / "log").create_table("sightings", [{"key": "1"}])
    with pytest.raises(SightingsError, match="cannot be read"):
        SightingLog(tmp_path / "log", create=True)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 9)), max_size=8), st.data())
def test_stops_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, seen: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    """However the stills are cut into runs: the same sightings, and each move from the last place before it."""
    folder = tmp_path_factory.mktemp("log")
    stills = [
        Still(Path(place) / f"{n}.jpg", f"{n:064x}", START + timedelta(hours=m)) for n, (_, place, m) in enumerate(seen)
    ]
    expected: dict[str, tuple[int, str]] = {}
    moves = []
    for asset, place, minute in seen:
        before = expected.get(asset)
        current = before is None or minute >= before[0]
        moves.append(before[1] if current and before is not None and before[1] != place else None)
        if current:
            expected[asset] = (minute, place)
    noted: list[Sighting | Failure] = []
    while len(noted) < len(stills):
        start, size = len(noted), data.draw(st.integers(1, 8))
        answers = [answer(asset) for asset, _, _ in seen[start : start + size]]
        noted += SightingLog(folder, create=True).note(stills[start : start + size], answers, root="")
    assert [entry.moved_from for entry in noted if isinstance(entry, Sighting)] == moves
    assert {name: entry.place for name, entry in SightingLog(folder, create=True).last().items()} == {
        name: place for name, (_, place) in expected.items()
    }
