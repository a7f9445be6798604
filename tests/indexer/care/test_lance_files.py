"""What is read of Lance's manifests agrees with what Lance itself says."""

from pathlib import Path

import numpy as np
import pytest
from correction_cases import made_gallery

from nearid_search.indexer.care.lance_files import files_in_force, list_versions, version_file
from nearid_search.indexer.care.lance_fragments import fragment_files


def test_fragments_versions_and_files_are_those_that_lance_reads(tmp_path: Path) -> None:
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 4, "mug": 3})
    gallery.corrections.rename("cup", "pot")
    gallery.corrections.remove("mug")
    gallery.reopen()
    images, table_dir = gallery.store.images, gallery.folder / "tables" / "images.lance"
    assert list_versions(table_dir) == [found["version"] for found in images.list_versions()]
    rows = images.search().with_row_id(True).select(["_rowid"]).to_arrow().column("_rowid").to_pylist()
    manifest = version_file(table_dir, images.version)
    assert manifest is not None
    fragments = fragment_files(manifest.read_bytes())
    assert {row >> 32 for row in rows} == fragments.keys()
    needed = files_in_force(table_dir, images.version)
    assert {path.name for path in needed if path.parent.name == "data"} == {n for f in fragments.values() for n in f}
    # Without any other file the table reads as before; without one of these it does not.
    for path in (path for path in table_dir.rglob("*") if path.is_file() and path not in needed):
        path.unlink()
    assert sorted(gallery.store.image_table([]).column("key").to_pylist()) == sorted(
        gallery.store.image_table(["path"]).column("key").to_pylist()
    )
    assert len(rows) == gallery.store.num_images() == 4


@pytest.mark.parametrize("content", [b"", b"LANC", bytes(40), np.random.default_rng(0).bytes(200)])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no manifest"):
        fragment_files(content)
