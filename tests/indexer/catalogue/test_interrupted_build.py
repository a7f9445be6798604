"""A run that is stopped anywhere ends, after the next run, as if it had never been stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogues import draw

from nearid_search.config import IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.indexer.catalogue.build import Progress, index_catalogue
from nearid_search.indexer.gallery import Gallery

SMALL_WRITES = IndexConfig(batch_size=2, write_rows=3, decoders=1)
NUM_FILES = 12
KILLED = """
import os, signal, sys
from nearid_search.config import EncoderConfig, IndexConfig
from nearid_search.indexer.catalogue.build import index_catalogue
def die(progress):
    if progress.done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
index_catalogue(sys.argv[1], gallery=sys.argv[2], encoder_config=EncoderConfig(backbone="dinov2-small"),
                config=IndexConfig(batch_size=2, write_rows=3, decoders=1),
                on_progress=die)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some files with the same bytes, and one that is damaged."""
    folder = tmp_path_factory.mktemp("interrupted") / "catalogue"
    for number in range(NUM_FILES - 1):
        draw(folder / f"{number % 3}/{number:02}.png", number % 9)
    (folder / "0/damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


@pytest.fixture(scope="module")
def whole(folder: Path, encoder: IdentityEncoder) -> Path:
    """The gallery of a run that nothing stopped."""
    gallery = folder.parent / "whole"
    index_catalogue(folder, gallery=gallery, encoder=encoder, config=SMALL_WRITES)
    return gallery


def contents(gallery: Path) -> tuple[dict[str, list[Any]], list[Any]]:
    """Everything a run decides: the rows in key order, and the ledger."""
    store = Gallery.open(gallery).store
    columns = ["key", "path", "identity", "embedding", "width", "height", "thumbnail"]
    return store.image_table(columns).to_pydict(), sorted(store.ledger())


def assert_ends_as_if_never_stopped(folder: Path, stopped: Path, whole: Path, encoder: IdentityEncoder) -> None:
    report = index_catalogue(folder, gallery=stopped, encoder=encoder, config=SMALL_WRITES)
    assert contents(stopped) == contents(whole)
    assert [failure.path for failure in report.failures] == [str(folder / "0/damaged.png")]
    again = index_catalogue(folder, gallery=stopped, encoder=encoder)
    assert (again.added, again.updated, again.removed, again.unchanged) == (0, 0, 0, NUM_FILES)


@pytest.mark.parametrize("after", [1, 7, NUM_FILES], ids=lambda after: f"after={after}")
def test_an_interrupt_keeps_what_is_done(folder: Path, whole: Path, encoder: IdentityEncoder, after: int) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done == after:
            raise KeyboardInterrupt

    stopped = folder.parent / f"interrupted-{after}"
    with pytest.raises(KeyboardInterrupt):
        index_catalogue(folder, gallery=stopped, encoder=encoder, config=SMALL_WRITES, on_progress=interrupt)
    kept = len(list(Gallery.open(stopped).store.ledger()))
    # Only the batch that was being filled may be lost.
    assert after - SMALL_WRITES.batch_size < kept <= after
    assert_ends_as_if_never_stopped(folder, stopped, whole, encoder)


def test_a_killed_process_loses_a_batch_at_most(folder: Path, whole: Path, encoder: IdentityEncoder) -> None:
    """``tests/benchmarks/test_kill_points.py`` kills in more places, where there is a C compiler."""
    after = int(np.random.default_rng(0).integers(2, NUM_FILES))
    stopped = folder.parent / "killed"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(stopped), str(after)], env=environment, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert_ends_as_if_never_stopped(folder, stopped, whole, encoder)
