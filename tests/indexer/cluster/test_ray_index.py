"""Workers of a local Ray make the gallery that one process makes, also if one of them is killed on the way."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from packed_catalogues import picture, write_tar

from nearid_search.config import ClusterConfig, EncoderConfig, IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.cluster.staging import STAGED_DIRNAME
from nearid_search.indexer.gallery import Gallery

pytest.importorskip("ray", reason="the extra ray is not installed")
SMALL = IndexConfig(batch_size=2, write_rows=3, decoders=1)
NUM_PICTURES = 24


def contents(gallery: Path) -> tuple[dict[str, list[Any]], list[Any]]:
    """Everything a run decides: the rows in key order, and the ledger."""
    store = Gallery.open(gallery).store
    columns = ["key", "path", "identity", "price", "embedding", "width", "height", "thumbnail"]
    return store.image_table(columns).to_pydict(), sorted(store.ledger(), key=lambda record: record.path)


def embedding_workers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            found += [child] if "EmbedWorker" in " ".join(child.cmdline()) else []
    return found


def kill_one_worker_once_something_is_staged(gallery: Path, killed: list[int], over: threading.Event) -> None:
    while not over.is_set() and not killed:
        workers = embedding_workers()
        if workers and list(gallery.glob(f"tables*/{STAGED_DIRNAME}/*.json")):
            os.kill(workers[0].pid, signal.SIGKILL)
            killed.append(workers[0].pid)
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray", "ignore::FutureWarning:ray", "ignore::ResourceWarning")
def test_two_workers_one_of_them_killed_make_the_same_gallery(
    tmp_path: Path, encoder: IdentityEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    pictures: dict[str, Any] = {}
    for number in range(NUM_PICTURES):
        pictures[f"{number % 4}/{number:02}.png"] = picture(tmp_path, number % 19)  # some bytes stand there twice
        pictures[f"{number % 4}/{number:02}.json"] = {"price": number}
    pictures["0/damaged.png"] = b"\x89PNG\r\n\x1a\n"
    shard = write_tar(tmp_path / "shard.tar", pictures)
    whole, on_ray = tmp_path / "whole", tmp_path / "on-ray"
    single = index_catalogue(shard, gallery=whole, encoder=encoder, config=SMALL)
    killed: list[int] = []
    over = threading.Event()
    killer = threading.Thread(target=kill_one_worker_once_something_is_staged, args=(on_ray, killed, over))
    killer.start()
    progress: list[int] = []
    try:
        report = index_catalogue(
            shard,
            gallery=on_ray,
            encoder_config=EncoderConfig(backbone="dinov2-small", device="cpu"),
            config=SMALL,
            cluster=ClusterConfig(workers=2, device="cpu"),
            on_progress=lambda state: progress.append(state.done),
        )
    finally:
        over.set()
        killer.join()
    assert killed
    assert contents(on_ray) == contents(whole)
    counts = ("added", "updated", "unchanged", "removed", "duplicates", "images", "failures")
    assert [getattr(report, name) for name in counts] == [getattr(single, name) for name in counts]
    assert progress[-1] == NUM_PICTURES + 1
    assert not list(on_ray.glob(f"tables*/{STAGED_DIRNAME}/*"))
