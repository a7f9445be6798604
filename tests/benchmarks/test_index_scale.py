"""The comparison of indexes from end to end, on two thousand rows and without the systems that live elsewhere."""

import subprocess
import sys
from pathlib import Path

import index_plot
import numpy as np
import pytest
from index_peers import measure_search
from index_scale import OWN, read_lines

pytest.importorskip("faiss")
SCRIPT = OWN.with_name("index_scale.py")


@pytest.mark.slow
def test_every_system_is_measured_once(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    command = [
        sys.executable, str(SCRIPT), "--sizes", "2000", "--systems", "nearid", "faiss", "lancedb", "--queries", "20",
        "--repeats", "1", "--work", str(tmp_path / "work"), "--results", str(results),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    first = results.read_text()
    lines = {line["system"]: line for line in read_lines(results)}
    assert list(lines) == ["nearid", "faiss", "lancedb"]
    for line in lines.values():
        assert line["rows"] == 2_000
        assert line["peak_mib"]["build"] > 10
        assert len(index_plot.table_row(line)) == len(index_plot.COLUMNS)
    own, flat = lines["nearid"], lines["faiss"]
    # Both scan every row here, so neither loses anything.
    assert own["index"] == "exact"
    assert flat["index"] == "Flat"
    assert own["recall@10"] == flat["recall@10"] == 1
    assert own["rank1"] == flat["rank1"] == own["exact_rank1"]
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert again.stderr.count("measured already") == 3
    assert results.read_text() == first


def test_what_a_search_finds_is_written_and_timed(tmp_path: Path) -> None:
    queries = np.eye(5, 8, dtype=np.float32)
    measured = measure_search(lambda rows: rows.argmax(axis=1)[:, None], queries, 3, tmp_path / "found.npy")
    assert np.load(tmp_path / "found.npy").ravel().tolist() == [0, 1, 2, 3, 4]
    assert [len(figures) for figures in measured.values()] == [3, 3, 3]


def test_the_picture_shows_every_system_and_the_limit(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    share = {"value": 0.0, "low": 0.0, "high": 0.1}
    lines = [
        {"system": system, "rows": rows, "p50_ms": [rows / 1e4], "loss_points": share}
        for system in ("nearid", "usearch")
        for rows in (1_000, 10_000)
    ]
    index_plot.draw([{"system": "bandwidth", "rows": 0, "gb_per_s": {"median": 12.0}}, *lines], tmp_path / "p.svg")
    drawn = (tmp_path / "p.svg").read_text()
    assert all(word in drawn for word in ("nearid-search", "usearch", "reading every vector at 12 GB/s"))
