"""Looking at a gallery over HTTP: counts, pages of identities, pictures and figures."""

import io
from collections.abc import Callable
from pathlib import Path

from embedding_files import directions, write_embeddings
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from served import Served, files, plain

from nearid_search import import_embeddings
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.gallery import Gallery
from nearid_search.server.config import ServeConfig

Serve = Callable[..., Served]


def test_the_gallery_is_what_the_command_says(serve: Serve, shop: Path) -> None:
    found = serve().client.get("/v1/gallery").json()
    assert found == {**Gallery.open(shop / "gallery").info(), "read_only": False}


def test_identities_come_in_pages(serve: Serve) -> None:
    client = serve().client
    first = client.get("/v1/identities", params={"limit": 2}).json()
    assert ([entry["identity"] for entry in first["identities"]], first["next"]) == (["cup", "jug"], "jug")
    last = client.get("/v1/identities", params={"limit": 2, "after": "jug"}).json()
    assert last == {"total": 3, "identities": [{"identity": "pan", "images": 1}], "next": None}
    assert client.get("/v1/identities", params={"contains": "U"}).json()["total"] == 2
    assert client.get("/v1/identities", params={"limit": 0}).status_code == 422
    assert client.get("/v1/identities/nothing").json()["detail"] == "there is no identity 'nothing'"


def test_pictures_are_made_anew_from_gallery_files_alone(serve: Serve, shop: Path) -> None:
    client = serve().client
    file = shop / "catalog/cup/1.png"
    key = content_key(file.read_bytes())
    small = client.get(f"/v1/images/{key}/thumbnail")
    assert (small.headers["content-type"], small.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert "immutable" in small.headers["cache-control"]
    large = client.get(f"/v1/images/{key}", params={"side": 32})
    assert max(Image.open(io.BytesIO(large.content)).size) == 32
    file.write_bytes(b"something else")
    assert client.get(f"/v1/images/{key}").status_code == 404
    assert client.get(f"/v1/images/{key}/thumbnail").content == small.content
    for wrong in ("0" * 64, "..%2f..%2fmanifest.json", key.upper(), "x"):
        assert client.get(f"/v1/images/{wrong}/thumbnail").status_code in (404, 422)


def test_figures_can_be_read(serve: Serve, shop: Path) -> None:
    served = serve()
    served.ask(*[(shop / "catalog/cup/1.png").read_bytes()] * 3)
    served.client.get("/v1/nothing")
    served.client.request("MADEUP", "/v1/nothing")
    response = served.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert samples["nearid_requests_total", "POST", "/v1/query", "200"] == 1
    assert samples["nearid_requests_total", "GET", "unmatched", "404"] == 1
    assert samples["nearid_requests_total", "other", "unmatched", "404"] == 1
    assert samples["nearid_gallery_images",] == 5
    assert samples["nearid_gallery_identities",] == 3
    assert samples["nearid_gallery_version",] == Gallery.open(shop / "gallery").store.version
    assert 0 <= samples["nearid_gallery_age_seconds",] < 3600
    assert samples["nearid_queue_pictures",] == 0
    assert samples["nearid_batch_pictures_sum",] == 3
    for stage in ("decode", "wait", "encode", "search"):
        assert samples["nearid_stage_seconds_count", stage] >= 1


def test_a_gallery_of_imported_embeddings_is_looked_at_but_not_asked(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "made.parquet", directions(1, 2), ["cup", "jug"], path=["1.jpg", "2.jpg"])
    import_embeddings(tmp_path / "made.parquet", gallery=tmp_path / "gallery")
    served = Served.start(tmp_path / "gallery", None, ServeConfig(), {})
    assert served.client.get("/v1/identities").json()["total"] == 2
    (view,) = served.client.get("/v1/identities/cup").json()["images"]
    assert served.client.get(f"/v1/images/{view['key']}/thumbnail").status_code == 404
    assert served.client.get(f"/v1/images/{view['key']}").status_code == 404
    for path in ("/v1/query", "/v1/identities/cup/images"):
        refused = served.client.post(path, files=files(plain()))
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:nearid-search:problem:no-encoder")
    made = served.client.post("/v1/corrections/merge", json={"identities": ["jug"], "into": "cup"})
    assert made.json()["images"] == 1
    served.close()
