"""What other processes write is answered from; the former state answers until then, and where it fails."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_galleries import add_images, make_gallery
from served import Served, plain
from stored_indexes import refresh

from nearid_search.config import EncoderConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.server.live_gallery import LiveGallery

OTHER = "dinov2-small:layers=4"
Serve = Callable[..., Served]


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def test_a_correction_of_another_process_is_seen(serve: Serve, shop: Path) -> None:
    served = serve()
    before = served.service.current
    command = [sys.executable, "-m", "nearid_search", "gallery", "rename", "cup", "mug", "--gallery", "gallery"]
    subprocess.run(command, cwd=shop, check=True, capture_output=True)
    wait_for(lambda: served.service.current is not before)
    assert "mug" in served.service.current.identities
    cup = (shop / "catalog/cup/1.png").read_bytes()
    (answer,) = served.ask(cup).json()["answers"]
    assert answer["matches"][0]["identity"] == "mug"
    assert served.service.current.engine.held_encoder is before.engine.held_encoder


def test_a_rebuild_with_another_encoder_is_seen(serve: Serve, shop: Path) -> None:
    served = serve()
    before = served.service.current
    index_catalogue(
        shop / "catalog", gallery=shop / "gallery", encoder_config=EncoderConfig(backbone=OTHER, head=None),
        rebuild=True,
    )  # fmt: skip
    wait_for(lambda: served.service.current is not before)
    cup = (shop / "catalog/cup/1.png").read_bytes()
    (answer,) = served.ask(cup).json()["answers"]
    assert answer["matches"][0]["identity"] == "cup"
    assert served.client.get("/v1/gallery").json()["backbone"] == OTHER


def test_a_gallery_that_is_damaged_later_goes_on_answering(
    serve: Serve, shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve()
    manifest = shop / "gallery/manifest.json"
    good = manifest.read_bytes()
    manifest.write_bytes(good.replace(b"format", b"farmat"))
    wait_for(lambda: "former state answers" in caplog.text)
    assert served.ask(plain()).status_code == 200
    manifest.write_bytes(good)
    Gallery.open(shop / "gallery").corrections.rename("cup", "mug")
    wait_for(lambda: "mug" in served.service.current.identities)


def test_an_index_that_has_fallen_behind_is_brought_up_to_date(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(1_100, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes = np.arange(1_100) // 5
    gallery = make_gallery(tmp_path / "gallery", vectors[:1_000], codes[:1_000])
    refresh(gallery, "sq8")
    outcomes: list[str] = []

    def open_engine(opened: Gallery, encoder: ImageEncoder | None) -> SearchEngine:
        return SearchEngine(opened, encoder, on_warning=lambda _line: None)

    live = LiveGallery(
        Gallery.open(gallery.folder), open_engine, every=0.02, mend_index=True, on_refresh=outcomes.append
    )
    try:
        add_images(gallery, vectors[1_000:], codes[1_000:], start=1_000)
        wait_for(lambda: len(live.current.engine.rows) == 1_100 and live.current.rows_beside_the_index == 0)
        assert set(outcomes) == {"opened"}
    finally:
        live.close()


def test_what_was_written_here_is_answered_from_at_once(serve: Serve, encoder: IdentityEncoder) -> None:
    served = serve(refresh_every=1000.0)
    assert served.client.post("/v1/corrections/rename", json={"identity": "cup", "to": "mug"}).status_code == 200
    assert "mug" in served.service.current.identities
    assert served.service.current.engine.held_encoder is encoder


def test_questions_that_a_rebuild_overtakes_are_answered_by_what_is_in_force(
    serve: Serve, shop: Path, encoder: IdentityEncoder
) -> None:
    served = serve(refresh_every=1000.0)  # nobody looks at the gallery but who finds that its tables are gone
    before = served.service.current
    cup = shop / "catalog/cup/1.png"
    pictures = [cup.read_bytes(), (shop / "catalog/jug/1.png").read_bytes()]
    cup.write_bytes((shop / "catalog/cup/2.png").read_bytes())
    index_catalogue(shop / "catalog", gallery=shop / "gallery", encoder=encoder, rebuild=True)
    key = before.engine.rows.key(0)
    gone = served.client.get(f"/v1/images/{key}/thumbnail")
    assert (gone.status_code, gone.json()["type"]) == (503, "urn:nearid-search:problem:gallery-replaced")
    assert int(gone.headers["retry-after"]) > 0
    answers = served.ask(*pictures, where="identity = 'cup'").json()["answers"]
    assert [answer["matches"][0]["identity"] for answer in answers] == ["cup", "cup"]
    assert answers[0]["matches"][0]["score"] < 0.999
    assert served.service.current is not before


def test_questions_that_another_encoder_overtakes_are_to_be_asked_again(serve: Serve, shop: Path) -> None:
    served = serve(refresh_every=1000.0)
    index_catalogue(
        shop / "catalog", gallery=shop / "gallery", encoder_config=EncoderConfig(backbone=OTHER, head=None),
        rebuild=True,
    )  # fmt: skip
    cup = (shop / "catalog/cup/1.png").read_bytes()
    refused = served.ask(cup, where="identity = 'cup'")
    assert (refused.status_code, "ask again" in refused.json()["detail"]) == (503, True)
    assert served.ask(cup, where="identity = 'cup'").status_code == 200
