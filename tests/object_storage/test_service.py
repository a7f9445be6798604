"""The service answers from a gallery in an object store, writes to it, and follows what others write."""

import time
from pathlib import Path

import pytest
from served import Served, files, plain

from nearid_search.encoder import IdentityEncoder
from nearid_search.indexer.catalogue.empty import open_or_make_gallery
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.gallery import Gallery
from nearid_search.object_storage.path import ObjectPath
from nearid_search.server import live_gallery
from nearid_search.server.config import ServeConfig


def test_it_enrols_answers_and_follows(
    folder: ObjectPath, encoder: IdentityEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_gallery, "STORE_SECONDS", 1.0)
    cup = plain(seed=7)
    open_or_make_gallery(folder, encoder=encoder)
    served = Served.start(folder, encoder, ServeConfig(refresh_every=0.05), {})
    try:
        enrolled = served.client.post("/v1/identities/cup/images", files=files(cup), data={"new": "true"})
        assert enrolled.status_code == 200, enrolled.text
        (answer,) = served.ask(cup).json()["answers"]
        assert answer["matches"][0]["identity"] == "cup"
        picture = served.client.get(f"/v1/images/{content_key(cup)}")
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
        assert served.client.get("/v1/gallery").json()["gallery"] == str(folder)
        Gallery.open(folder).corrections.rename("cup", "mug", by="Ann")
        deadline = time.monotonic() + 30
        while "mug" not in served.service.current.identities:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert "nearid_gallery_age_seconds" in served.client.get("/metrics").text
        age = next(
            line for line in served.client.get("/metrics").text.splitlines() if line.startswith("nearid_gallery_age")
        )
        assert 0 <= float(age.split()[1]) < 3600
    finally:
        served.close()
    assert not Path("s3:").exists()
