"""A migration encodes a gallery's pictures anew, beside the old embeddings, and keeps all that people have said."""

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_gallery import make_gallery
from made_galleries import make_gallery as make_generated

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import GalleryMismatchError, NoEncoderError
from nearid_search.indexer.care.verify import verify_gallery
from nearid_search.indexer.catalogue.migrate import MigrationPlan, migrate_gallery
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.manifest import DRAFT_NAME
from nearid_search.similarity import unit_rows


@pytest.fixture(scope="module")
def other() -> IdentityEncoder:
    return IdentityEncoder.open("efficientnet-lite0", device="cpu", head=None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, encoder: IdentityEncoder) -> Path:
    return make_gallery(tmp_path_factory.mktemp("made") / "shop", encoder, things=4, views=2).parent


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "shop")
    return tmp_path / "shop" / ".nearid"


def rows_of(gallery: Gallery) -> dict[str, dict[str, list[Any]]]:
    """All that does not come from the encoder, of shown and of hidden images."""
    found = {}
    for name in ("images", "hidden"):
        table = gallery.store.tables[name].search().to_arrow().sort_by("key")
        found[name] = table.drop_columns(["embedding", "encoder"]).to_pydict()
    return found


def test_all_but_the_embeddings_stays(folder: Path, other: IdentityEncoder) -> None:
    before = Gallery.open(folder)
    rows, catalogues = rows_of(before), before.manifest.catalogues
    plans: list[MigrationPlan] = []
    report = migrate_gallery(folder, encoder=other, on_plan=plans.append)
    assert report is not None
    assert (report.encoded, report.failures, plans[0].images, plans[0].missing) == (10, (), 10, ())
    after = Gallery.open(folder)
    assert rows_of(after) == rows
    assert (after.manifest.catalogues, after.manifest.encoder.fingerprint) == (catalogues, other.fingerprint)
    table = after.store.image_table(["path", "embedding"])
    expected = other.encode([after.home / path for path in table.column("path").to_pylist()])
    np.testing.assert_allclose(np.stack(table.column("embedding").to_numpy(zero_copy_only=False)), expected, atol=1e-6)
    assert verify_gallery(folder).findings == ()
    after.corrections.undo(4)  # what was removed comes back
    assert Gallery.open(folder).store.num_images() == len(rows["images"]["key"]) + 1
    with pytest.raises(GalleryMismatchError, match=r"made by .* already"):
        migrate_gallery(folder, encoder=other)


def test_a_stopped_migration_goes_on(folder: Path, encoder: IdentityEncoder, other: IdentityEncoder) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate_gallery(folder, encoder=other, on_picture=stop)
    assert (folder / DRAFT_NAME).exists()
    assert Gallery.open(folder).manifest.encoder.fingerprint == encoder.fingerprint
    plans: list[MigrationPlan] = []
    report = migrate_gallery(folder, encoder=other, on_plan=plans.append)
    assert report is not None
    assert (plans[0].done, report.encoded) == (9, 1)
    assert not (folder / DRAFT_NAME).exists()


def test_a_dry_run_writes_nothing(folder: Path, other: IdentityEncoder) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}
    assert migrate_gallery(folder, encoder=other, dry_run=True) is None
    assert {path: path.read_bytes() for path in folder.rglob("*.json")} == before


def test_a_picture_that_is_gone_is_refused_unless_it_may_be_dropped(folder: Path, other: IdentityEncoder) -> None:
    (folder.parent / "catalog" / "1-0.png").unlink()
    with pytest.raises(GalleryMismatchError, match=r"of 1 of 10 pictures are gone \(first: catalog/1-0.png\)"):
        migrate_gallery(folder, encoder=other)
    report = migrate_gallery(folder, encoder=other, drop_missing=True)
    assert report is not None
    assert [failure.path for failure in report.failures] == ["catalog/1-0.png"]
    assert verify_gallery(folder).damaged == []


def test_imported_embeddings_cannot_be_migrated(tmp_path: Path, other: IdentityEncoder) -> None:
    vectors = unit_rows(np.random.default_rng(0).normal(size=(3, 8)))
    gallery = make_generated(tmp_path / ".nearid", vectors, np.arange(3))
    gallery.store.images.update(values_sql={"width": "NULL"})
    with pytest.raises(NoEncoderError, match="3 imported embeddings"):
        migrate_gallery(gallery.folder, encoder=other)


def test_queries_go_on_and_each_is_of_one_encoder(
    folder: Path, encoder: IdentityEncoder, other: IdentityEncoder
) -> None:
    picture = folder.parent / "catalog" / "1-0.png"
    queries = {made_by.fingerprint: made_by.encode([picture]) for made_by in (encoder, other)}
    seen: list[str] = []
    wrong: list[object] = []
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            try:
                # In the moment before the search index follows, every vector is scanned, and a warning says so.
                engine = SearchEngine.open(folder, encode=False, on_warning=lambda _line: None)
                made_by = engine.gallery.manifest.encoder.fingerprint
                best = engine.answer(queries[made_by], label="asked").matches[0]
                seen.append(made_by)
                if not (best.identity == "thing-1" and abs(best.score - 1) < 1e-4):
                    wrong.append((made_by, best))
            except Exception as error:  # noqa: BLE001  (whatever it is, a query must not end so)
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    migrate_gallery(folder, encoder=other)
    count = len(seen)
    while len(seen) < count + 4 and not wrong:
        stopped.wait(0.01)
    stopped.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert (seen[0], seen[-1]) == (encoder.fingerprint, other.fingerprint)
