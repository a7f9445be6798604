"""A gallery in a real Qdrant collection: the same rows, the same answers by identity, and nothing of anybody else."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from correction_cases import made_gallery
from embeddings import look_alikes
from made_galleries import add_images, make_gallery
from qdrant_client import QdrantClient, models

from nearid_search.cli.app import run
from nearid_search.embedding_engine import EmbeddingEngine
from nearid_search.errors import ConfigError, MissingExtraError, PublishError
from nearid_search.indexer.exchange.publish import publish_gallery
from nearid_search.indexer.gallery import Gallery

FLOAT32 = 1e-6


@contextmanager
def client(folder: Path) -> Iterator[QdrantClient]:
    opened = QdrantClient(path=str(folder))
    try:
        yield opened
    finally:
        opened.close()


def published(folder: Path, collection: str = "shop") -> dict[str, tuple[str, list[float]]]:
    """Identity and vector of every point, by key."""
    with client(folder) as opened:
        found, after = opened.scroll(collection, limit=10_000, with_vectors=True)
    assert after is None
    payloads = [(point.payload or {}, point.vector) for point in found]
    return {payload["key"]: (payload["identity"], vector) for payload, vector in payloads}  # type: ignore[misc]


def stored(gallery: Gallery) -> dict[str, tuple[str, list[float]]]:
    rows = Gallery.open(gallery.folder).store.image_table(["identity", "embedding"]).to_pylist()
    return {row["key"]: (row["identity"], row["embedding"]) for row in rows}


def about(folder: Path) -> dict[str, Any]:
    with client(folder) as opened:
        held: dict[str, Any] = (opened.get_collection("shop").config.metadata or {})["nearid"]
    return held


def test_the_engine_groups_as_a_query_does(tmp_path: Path) -> None:
    vectors, codes = look_alikes(3, 60)
    gallery = make_gallery(tmp_path / "gallery", vectors, codes)
    report = publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery.folder, batch_rows=100)
    assert (report.images, report.written, report.unchanged, report.removed) == (360, 360, 0, 0)
    queries = look_alikes(4, 25)[0]
    ours = EmbeddingEngine(gallery, None).answer_many(queries, labels=[""] * len(queries), k=5)
    with client(tmp_path / "qdrant") as opened:
        for query, answer in zip(queries.tolist(), ours, strict=True):
            found = opened.query_points_groups("shop", query=query, group_by="identity", limit=5, group_size=4).groups
            assert [group.id for group in found] == [match.identity for match in answer.matches]
            for group, match in zip(found, answer.matches, strict=True):
                scores = [image.score for image in match.images]
                assert [hit.score for hit in group.hits][: len(scores)] == pytest.approx(scores, abs=FLOAT32)
                keys = [(hit.payload or {})["key"] for hit in group.hits]
                assert keys[: len(scores)] == [image.key for image in match.images]


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    gallery = make_gallery(tmp_path / "gallery", *look_alikes(1, 10))
    target = str(tmp_path / "qdrant")

    def stop(done: int, total: int) -> None:
        assert total == 60
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_gallery(target, "shop", gallery=gallery.folder, batch_rows=20, on_progress=stop)
    assert about(tmp_path / "qdrant")["as_of"] is None
    report = publish_gallery(target, "shop", gallery=gallery.folder, batch_rows=20)
    assert (report.written, report.unchanged) == (20, 40)
    assert about(tmp_path / "qdrant")["as_of"]["version"] == gallery.store.version
    assert published(tmp_path / "qdrant") == stored(gallery)


def test_changes_are_followed_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    gallery = made_gallery(tmp_path / "gallery", {"cup": 3, "mug": 2, "tin": 4})
    target = str(tmp_path / "qdrant")
    publish_gallery(target, "shop", gallery=gallery.folder)
    corrections = gallery.corrections
    corrections.merge(["cup", "mug"], into="mug")
    corrections.remove("tin")
    report = publish_gallery(target, "shop", gallery=gallery.folder)
    assert (report.images, report.written, report.unchanged, report.removed) == (5, 3, 2, 4)
    assert published(tmp_path / "qdrant") == stored(gallery)
    corrections.undo()
    report = publish_gallery(target, "shop", gallery=gallery.folder)
    assert (report.written, report.unchanged, report.removed) == (4, 5, 0)
    assert published(tmp_path / "qdrant") == stored(gallery)


def test_points_of_others_are_removed_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearid_search.indexer.exchange.qdrant_collection._ROWS_AT_ONCE", 7)
    gallery = make_gallery(tmp_path / "gallery", *look_alikes(1, 10))
    publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery.folder)
    with client(tmp_path / "qdrant") as opened:
        strangers = [models.PointStruct(id=number, vector=[0.5] * 32, payload={"key": "x"}) for number in range(20)]
        opened.upsert("shop", strangers)
    assert publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery.folder).removed == 20
    assert published(tmp_path / "qdrant") == stored(gallery)


def test_what_a_point_carries(tmp_path: Path) -> None:
    import pyarrow as pa

    gallery = make_gallery(tmp_path / "gallery", *look_alikes(1, 1, 1))
    gallery.store.ensure_metadata([pa.field("bin", pa.string()), pa.field("day", pa.date32())])
    (key,) = stored(gallery)
    gallery.store.relabel([{"key": key, "bin": "A3"}])
    publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery.folder)
    with client(tmp_path / "qdrant") as opened:
        ((point,), _) = opened.scroll("shop")
    payload = point.payload or {}
    assert len(payload.pop("digest")) == 32
    assert payload == {
        "key": key, "identity": "thing 0", "path": "0.png", "metadata": {"bin": "A3", "day": None},
    }  # fmt: skip
    said = about(tmp_path / "qdrant")
    assert (said["encoder"], said["gallery"]) == ("generated", str(gallery.folder))


def test_a_collection_of_something_else_is_refused(tmp_path: Path) -> None:
    target = str(tmp_path / "qdrant")
    vectors, codes = look_alikes(1, 2)
    first = make_gallery(tmp_path / "first", vectors, codes)
    publish_gallery(target, "shop", gallery=first.folder)
    before = published(tmp_path / "qdrant")
    other = make_gallery(tmp_path / "other", vectors, codes, fingerprint="another")
    with pytest.raises(PublishError, match=r"made by generated, those of .*other are made by another.*--collection"):
        publish_gallery(target, "shop", gallery=other.folder, moved=True)
    second = make_gallery(tmp_path / "second", vectors[:5], codes[:5])
    with pytest.raises(PublishError, match=r"of the gallery .*first, whose rows would be removed.*--moved"):
        publish_gallery(target, "shop", gallery=second.folder)
    assert published(tmp_path / "qdrant") == before
    assert publish_gallery(target, "shop", gallery=second.folder, moved=True).removed == 7
    with client(tmp_path / "qdrant") as opened:
        for name, width, distance in (("euclid", 32, "Euclid"), ("narrow", 8, "Dot"), ("full", 32, "Dot")):
            size = models.VectorParams(size=width, distance=models.Distance(distance))
            opened.create_collection(name, vectors_config=size)
        opened.upsert("full", [models.PointStruct(id=1, vector=[0.5] * 32)])
    for name in ("euclid", "narrow"):
        with pytest.raises(PublishError, match=r"other vectors .* than one of 32 numbers"):
            publish_gallery(target, name, gallery=first.folder)
    with pytest.raises(PublishError, match="'full' holds 1 points that this program did not write"):
        publish_gallery(target, "full", gallery=first.folder)


def test_an_empty_collection_keeps_its_settings(tmp_path: Path) -> None:
    gallery = make_gallery(tmp_path / "gallery", *look_alikes(1, 2))
    with client(tmp_path / "qdrant") as opened:
        size = models.VectorParams(size=32, distance=models.Distance.COSINE, on_disk=True)
        opened.create_collection("shop", vectors_config=size, metadata={"owner": "shop"})
    publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery.folder)
    with client(tmp_path / "qdrant") as opened:
        assert opened.get_collection("shop").config.params.vectors == size
        assert (opened.get_collection("shop").config.metadata or {})["owner"] == "shop"
    vectors = {key: vector for key, (_, vector) in published(tmp_path / "qdrant").items()}
    for key, (_, vector) in stored(gallery).items():
        np.testing.assert_allclose(vectors[key], vector, atol=FLOAT32)


def test_new_images_alone_are_sent(tmp_path: Path) -> None:
    vectors, codes = look_alikes(1, 4)
    gallery = make_gallery(tmp_path / "gallery", vectors[:20], codes[:20])
    publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery.folder)
    add_images(gallery, vectors[20:], codes[20:], start=20)
    report = publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery.folder)
    assert (report.written, report.unchanged) == (4, 20)


def test_an_empty_gallery_is_an_empty_collection(tmp_path: Path) -> None:
    gallery = make_gallery(tmp_path / "gallery", *look_alikes(1, 0))
    assert publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery.folder).images == 0


def test_what_cannot_be_reached_is_named_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = make_gallery(tmp_path / "gallery", *look_alikes(1, 1)).folder
    with pytest.raises(PublishError, match=r"http://127\.0\.0\.1:9 does not do .*refused.*goes on where it stopped"):
        publish_gallery("http://127.0.0.1:9", "shop", gallery=gallery)
    with pytest.raises(ConfigError, match="'localhost:6333' is neither an address nor a folder"):
        publish_gallery("localhost:6333", "shop", gallery=gallery)
    with pytest.raises(ConfigError, match="batch_rows"):
        publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery, batch_rows=0)
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(MissingExtraError, match=r"nearid-search\[qdrant\]"):
        publish_gallery(str(tmp_path / "qdrant"), "shop", gallery=gallery)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery = str(make_gallery(tmp_path / "gallery", *look_alikes(1, 3)).folder)
    target = str(tmp_path / "qdrant")
    assert run(["gallery", "publish", target, "--collection", "shop", "--gallery", gallery]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"18 images in shop at {target}: 18 written, 0 unchanged, 0 removed (")
    assert run(["gallery", "publish", target, "--collection", "shop", "--gallery", gallery, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["unchanged"], report["dim"], report["collection"]) == (18, 32, "shop")
