"""An import that is stopped anywhere ends, after the same command again, as if it had never been stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from embedding_files import contents, directions, write_embeddings

from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.exchange.import_plan import ImportProgress
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.manifest import read_manifest

NUM_ROWS, BATCH = 40, 7
KILLED = """
import os, signal, sys
from nearid_search.indexer.exchange import embedding_import
from nearid_search.indexer import store
source, gallery, stage, rows = sys.argv[1:]
def die(state):
    if state.stage == stage and state.done >= int(rows):
        os.kill(os.getpid(), signal.SIGKILL)
if stage == "writing":
    add = store.GalleryStore.add_embeddings
    def die_before(self, columns):
        if self.num_images() >= int(rows):
            os.kill(os.getpid(), signal.SIGKILL)
        add(self, columns)
    store.GalleryStore.add_embeddings = die_before
embedding_import.import_embeddings(source, gallery=gallery, batch_rows=7, on_progress=die)
"""
LARGE = """
import sys
from pathlib import Path
import lancedb, pyarrow.parquet
from nearid_search.indexer.exchange.embedding_import import import_embeddings
def peak():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])
before = peak()
report = import_embeddings(sys.argv[1], gallery=sys.argv[2])
print(report.added, peak() - before)
"""


def in_a_process(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment, timeout=120, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some rows twice; further metadata."""
    rows = directions(1, NUM_ROWS)[[*range(NUM_ROWS), 3, 30]]
    names = [f"thing {number % 9}" for number in [*range(NUM_ROWS), 3, 30]]
    target = tmp_path_factory.mktemp("import") / "e.parquet"
    return write_embeddings(target, rows, names, shelf=[len(name) for name in names], rows_a_group=10)


@pytest.fixture(scope="module")
def whole(source: Path) -> Path:
    import_embeddings(source, gallery=source.parent / "whole")
    return source.parent / "whole"


def assert_ends_as_if_never_stopped(source: Path, stopped: Path, whole: Path) -> None:
    kept = 0 if read_manifest(stopped) is None else Gallery.open(stopped).store.num_images()
    report = import_embeddings(source, gallery=stopped, batch_rows=BATCH)
    assert (report.added, report.unchanged, report.duplicates) == (NUM_ROWS - kept, kept, 2)
    assert contents(stopped, "shelf") == contents(whole, "shelf")
    assert import_embeddings(source, gallery=stopped).added == 0


@pytest.mark.parametrize(
    ("stage", "rows", "kept"),
    [("checking", 20, 0), ("writing", 0, 0), ("writing", 14, 14), ("importing", 14, 14), ("importing", 42, 40)],
)
def test_a_killed_process_loses_a_batch_at_most(
    stage: str, rows: int, kept: int, source: Path, whole: Path, tmp_path: Path
) -> None:
    stopped = tmp_path / "stopped"
    process = in_a_process(KILLED, str(source), str(stopped), stage, str(rows))
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert (0 if read_manifest(stopped) is None else Gallery.open(stopped).store.num_images()) == kept
    assert_ends_as_if_never_stopped(source, stopped, whole)


@pytest.mark.parametrize("after", [1, 20, 42])
def test_an_interrupt_keeps_what_is_written(after: int, source: Path, whole: Path, tmp_path: Path) -> None:
    def interrupt(state: ImportProgress) -> None:
        if state.stage == "importing" and state.done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_embeddings(source, gallery=tmp_path / "stopped", batch_rows=BATCH, on_progress=interrupt)
    assert_ends_as_if_never_stopped(source, tmp_path / "stopped", whole)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux")
def test_two_hundred_thousand_rows_take_little_memory(tmp_path: Path) -> None:
    """What one batch and LanceDB's writer take, and a hundred bytes a key."""
    rows = np.random.default_rng(0).normal(size=(200_000, 16)).astype(np.float32)
    source = write_embeddings(tmp_path / "e.parquet", rows, [f"{number // 10}" for number in range(len(rows))])
    process = in_a_process(LARGE, str(source), str(tmp_path / "gallery"))
    added, kilobytes = (int(word) for word in process.stdout.split())
    assert added == len(rows)
    assert kilobytes < 350 * 1024
