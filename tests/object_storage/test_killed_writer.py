"""A process that indexes into an object store is killed: what it acknowledged is there, and the command goes on."""

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from catalogues import MakeCatalogue
from killing.cases import MOST_LOST
from killing.process import watched
from killing.small_batches import BATCH_SIZE, READ

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import GalleryLockedError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.object_storage import lease
from nearid_search.object_storage.path import ObjectPath

PROGRAM = str(Path(__file__).parents[2] / "benchmarks/killing/small_batches.py")
PICTURES = {f"{name}/{number}.png": 10 * number + ord(name) for name in "abcd" for number in range(4)}
KILLED_AFTER = 12  # pictures read, more than two batches


def contents(folder: Path, query: Path, encoder: IdentityEncoder) -> list[Any]:
    gallery = Gallery.open(folder)
    rows = gallery.store.image_table(["path", "identity", "embedding", "thumbnail"]).to_pydict()
    return [rows, sorted(gallery.store.ledger()), SearchEngine(gallery, encoder).query(query).as_dict()]


@pytest.mark.slow
def test_a_killed_index_loses_a_batch_at_most_and_its_lease_is_known_to_be_dead(
    folder: ObjectPath, catalogue: MakeCatalogue, encoder: IdentityEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = catalogue(PICTURES)
    options = ["--gallery", str(folder), "--backbone", "dinov2-small", "--head", "none", "--json"]
    command = [PROGRAM, "index", str(pictures), *options, "--batch-size", str(BATCH_SIZE), "--decoders", "1"]
    with watched(command, pictures) as run:
        assert run.wait_for(f"{READ}{KILLED_AFTER}\n") is not None, run.stderr
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
    read = max(int(line.removeprefix(READ)) for line in run.stderr if line.startswith(READ))

    left = Gallery.open(folder)
    kept = [record.path for record in left.store.ledger()]
    assert read - MOST_LOST <= len(kept) == len(set(kept)) < len(PICTURES)
    keys = left.store.image_table([]).column("key").to_pylist()
    assert max(Counter(keys).values()) == 1
    assert {record.key for record in left.store.ledger()} <= set(keys)
    asked = left.home / kept[0]
    assert SearchEngine(left, encoder).query(asked).matches[0].score == pytest.approx(1, abs=1e-6)

    # Another machine cannot know that it is dead, and waits; this one knows.
    claim = (folder / lease.LEASE_NAME).read_bytes()
    assert json.loads(claim)["pid"] == run.process.pid
    assert not json.loads(claim)["released"]
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(lease, "machine", lambda: "another")
        with pytest.raises(GalleryLockedError, match=f"process {run.process.pid} on"), writer_lock(folder):
            pass
        elsewhere.setattr(lease, "EXPIRES_SECONDS", 0.0)
        with writer_lock(folder, wait=10):
            pass
    (folder / lease.LEASE_NAME).write_bytes(claim)
    report = index_catalogue(pictures, gallery=folder, encoder=encoder)
    assert report.unchanged == len(kept)

    whole = folder.parent / "whole"
    index_catalogue(pictures, gallery=whole, encoder=encoder)
    found, wanted = (contents(gallery, asked, encoder) for gallery in (folder, whole))
    assert found == wanted
    assert index_catalogue(pictures, gallery=folder, encoder=encoder).unchanged == len(PICTURES)
