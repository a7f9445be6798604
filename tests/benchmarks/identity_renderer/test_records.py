import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from identity_renderer.manifest import write_manifest
from identity_renderer.mesh import Mesh, Part
from identity_renderer.mesh_cache import read_mesh, write_mesh
from identity_renderer.records import RECORDS, is_done, record_failure, write_json

from nearid_search.trainer.datasets.manifest_table import read_manifest


def row(path: str, view: str, role: str, source: str = "", **facts: object) -> dict[str, object]:
    return {"path": path, "identity": "kettle-0", "view": view, "role": role, "source": source, "split": "test",
            "category": "kettle", "collection": "Scopia", "mesh": "Scopia/kettle", "look": 0, "licence": "CC-BY-3.0",
            "creator": "Somebody", **facts}  # fmt: skip


def test_manifest_is_one_that_the_trainer_reads(tmp_path: Path) -> None:
    rows = [
        row("test/kettle-0/1/positive.jpg", "1", "positive", yaw=0.5, light=-1.0),
        row("test/kettle-0/1/mask.png", "1", "mask"),
        row("test/kettle-0/1/distractor-part.jpg", "1", "distractor", "part", oracle=0.8, changed_share=0.2),
    ]
    for each in rows:
        (tmp_path / str(each["path"])).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / str(each["path"])).touch()
    write_json(tmp_path / RECORDS / "kettle-0.json", {"rows": rows, "drops": {"part: too little changed": 2}})
    record_failure(tmp_path, "chair-0", "empty")

    counts = write_manifest(tmp_path, {"command": "the command"})

    (sample,) = read_manifest(tmp_path / "manifest.parquet").samples
    assert (sample.identity, sample.split, sample.views[0].number) == ("kettle-0", "test", 1)
    assert sample.category == "kettle"
    assert dict(sample.views[0].attributes) == pytest.approx({"look": 0, "yaw": 28.6479, "light_azimuth": -57.2958})
    assert sample.views[0].mask is not None
    assert set(sample.views[0].distractors) == {"part"}
    assert counts == {"test positive": 1, "test mask": 1, "test part": 1}
    summary = json.loads((tmp_path / "manifest.json").read_text())
    assert summary["command"] == "the command"
    assert summary["dropped"] == {"part: too little changed": 2}
    assert summary["failed"] == [{"identity": "chair-0", "reason": "empty"}]
    assert summary["meshes"] == [
        {"mesh": "Scopia/kettle", "collection": "Scopia", "licence": "CC-BY-3.0", "creator": "Somebody"}
    ]


def test_a_set_that_begins_as_links_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_json(first / RECORDS / "kettle-0.json", {"rows": [row("a.jpg", "1", "positive")], "drops": {}})
    write_manifest(first, {"command": "the first"})
    shutil.copytree(first, second, copy_function=os.link)
    write_json(second / RECORDS / "kettle-1.json", {"rows": [row("b.jpg", "1", "positive")], "drops": {}})
    before = [(first / name).read_bytes() for name in ("manifest.json", "manifest.parquet")]

    assert write_manifest(second, {"command": "the second"}) == {"test positive": 2}

    assert [(first / name).read_bytes() for name in ("manifest.json", "manifest.parquet")] == before


def test_complete_and_failed_identities_are_done(tmp_path: Path) -> None:
    write_json(tmp_path / RECORDS / "a.json", {"rows": [], "drops": {}})
    record_failure(tmp_path, "b", "it is broken")

    assert [is_done(tmp_path, name) for name in "abc"] == [True, True, False]


@pytest.fixture
def mesh() -> Mesh:
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    points, faces = rng.random((3, 3), dtype=np.float32), np.array([[0, 1, 2]], dtype=np.int32)
    parts = (
        Part("a", points, faces, points, points[:, :2], (1.0, 1.0, 1.0), texture),
        Part("b", points, faces, points, None, (0.1, 0.2, 0.3), gloss=0.7),
        Part("c", points, faces, points, points[:, :2], (0.5, 1.0, 1.0), texture),
    )
    return Mesh("name", "category", "collection", "CC0-1.0", "Somebody", parts)


def test_cached_mesh_is_the_mesh_and_shares_its_textures(tmp_path: Path, mesh: Mesh) -> None:
    write_mesh(tmp_path / "deep" / "mesh.npz", mesh)
    read = read_mesh(tmp_path / "deep" / "mesh.npz")

    assert (read.name, read.licence, read.creator) == (mesh.name, mesh.licence, mesh.creator)
    for old, new in zip(mesh.parts, read.parts, strict=True):
        assert (new.name, new.colour, new.gloss) == (old.name, old.colour, old.gloss)
        for name in ("vertices", "faces", "normals", "uv", "texture"):
            np.testing.assert_array_equal(getattr(new, name), getattr(old, name))
    assert read.parts[0].texture is read.parts[2].texture
