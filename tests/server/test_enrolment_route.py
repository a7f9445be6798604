"""Pictures that are enrolled over HTTP are found, kept, and outlast what comes after."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from served import Served, files, plain

from nearid_search import image_decoding
from nearid_search.encoder import IdentityEncoder
from nearid_search.image_decoding import DecodedImage
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.catalogue.empty import open_or_make_gallery
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.gallery import Gallery
from nearid_search.server.config import ServeConfig

Serve = Callable[..., Served]
NEW = plain(seed=7)


def enrol(served: Served, identity: str, *pictures: bytes, **form: str) -> Any:
    response = served.client.post(f"/v1/identities/{identity}/images", files=files(*pictures), data=form)
    assert response.status_code == 200, response.text
    return response.json()


def leading(served: Served, picture: bytes) -> str:
    (answer,) = served.ask(picture).json()["answers"]
    return str(answer["matches"][0]["identity"])


def test_an_enrolled_picture_is_found_at_once(serve: Serve, shop: Path) -> None:
    served = serve()
    done = enrol(served, "spoon", NEW, plain(seed=8), new="true", because="came today")
    (first, second) = done["pictures"]
    assert (first["key"], first["action"], first["why"]) == (content_key(NEW), "confirm", "came today")
    assert second["entry"] == first["entry"] + 1
    assert leading(served, NEW) == "spoon"
    assert Gallery.open(shop / "gallery").identities()["spoon"] == 2
    assert (shop / f"gallery/uploads/{content_key(NEW)}.png").read_bytes() == NEW
    (entry, _) = CorrectionLog(shop / "gallery").entries
    assert entry.who == "api"


def test_it_outlasts_index_and_rebuild(serve: Serve, shop: Path, encoder: IdentityEncoder) -> None:
    served = serve()
    enrol(served, "cup", NEW)
    index_catalogue(shop / "catalog", gallery=shop / "gallery", encoder=encoder)
    index_catalogue(shop / "catalog", gallery=shop / "gallery", encoder=encoder, rebuild=True)
    assert Gallery.open(shop / "gallery").identities() == {"cup": 3, "jug": 2, "pan": 1}
    served.service.live.refresh()
    assert leading(served, NEW) == "cup"
    assert served.client.get(f"/v1/images/{content_key(NEW)}").status_code == 200


def test_a_gallery_inside_its_catalogue_does_not_index_uploads(
    tmp_path: Path, made_shop: Path, encoder: IdentityEncoder
) -> None:
    shop = Path(shutil.copytree(made_shop / "catalog", tmp_path / "shop"))
    index_catalogue(shop, gallery=shop / "gallery", encoder=encoder)
    gallery = Gallery.open(shop / "gallery")
    gallery.corrections.enrol(NEW, "cup", name="new", encoder=encoder)
    before = gallery.identities()
    report = index_catalogue(shop, gallery=shop / "gallery", encoder=encoder)
    assert (report.added, report.removed, report.updated) == (0, 0, 0)
    assert Gallery.open(shop / "gallery").identities() == before == {"cup": 3, "jug": 2, "pan": 1}


def test_undo_takes_it_out_and_enrolling_again_brings_it_back(serve: Serve, shop: Path) -> None:
    served = serve()
    enrol(served, "cup", NEW)
    assert served.client.post("/v1/corrections/undo", json={}).json()["what"].startswith("not: ")
    assert Gallery.open(shop / "gallery").identities()["cup"] == 2
    enrol(served, "cup", NEW)
    assert Gallery.open(shop / "gallery").identities()["cup"] == 3


def test_a_picture_that_the_catalogue_has_is_only_confirmed(serve: Serve, shop: Path) -> None:
    jug = (shop / "catalog/jug/1.png").read_bytes()
    enrol(serve(), "cup", jug)
    assert Gallery.open(shop / "gallery").identities() == {"cup": 3, "jug": 1, "pan": 1}
    assert not (shop / "gallery/uploads").exists()


@pytest.mark.parametrize(
    ("identity", "form", "status", "kind"),
    [("spoon", {}, 404, "not-found"), ("cup", {"new": "true"}, 409, "correction"), ("%20", {}, 409, "correction")],
)
def test_what_may_not_be_enrolled_leaves_nothing(
    serve: Serve, shop: Path, identity: str, form: dict[str, str], status: int, kind: str
) -> None:
    refused = serve().client.post(f"/v1/identities/{identity}/images", files=files(NEW), data=form)
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (status, kind)
    assert not list((shop / "gallery").glob("uploads/*"))
    assert CorrectionLog(shop / "gallery").entries == []


def test_one_broken_picture_does_not_keep_the_others_out(serve: Serve, shop: Path) -> None:
    done = enrol(serve(), "spoon", b"hello", NEW, NEW[:60], new="true")
    first, second, third = done["pictures"]
    assert first == {"query": "1.png", "error": "not an image: starts with b'hello'"}
    assert second["key"] == content_key(NEW)
    assert "error" in third
    assert Gallery.open(shop / "gallery").identities()["spoon"] == 1
    assert [path.stem for path in (shop / "gallery/uploads").iterdir()] == [content_key(NEW)]


def test_names_may_hold_anything(serve: Serve) -> None:
    served = serve()
    name = "shelf 3/ä & b?#%"
    enrol(served, quote(name, safe=""), NEW, new="true")
    assert served.client.get(f"/v1/identities/{quote(name, safe='')}").json()["total"] == 1
    gone = served.client.delete(f"/v1/identities/{quote(name, safe='')}/images/{content_key(NEW)}")
    assert gone.json()["action"] == "remove"
    assert served.client.get(f"/v1/identities/{quote(name, safe='')}").status_code == 404


def test_an_empty_gallery_fills_by_enrolling(tmp_path: Path, encoder: IdentityEncoder) -> None:
    open_or_make_gallery(tmp_path / "gallery", encoder=encoder)
    served = Served.start(tmp_path / "gallery", encoder, ServeConfig(), {})
    (nothing,) = served.ask(NEW).json()["answers"]
    assert (nothing["verdict"], nothing["identity"], nothing["matches"]) == ("unknown", None, [])
    assert served.ask(NEW, explain="true").status_code == 200
    for path in ("/v1/identities", "/v1/gallery", "/v1/history", "/v1/suggestions", "/metrics"):
        assert served.client.get(path).status_code == 200
    enrol(served, "spoon", NEW, new="true")
    enrol(served, "fork", plain(seed=8), new="true")
    assert leading(served, NEW) == "spoon"
    assert open_or_make_gallery(tmp_path / "gallery").identities() == {"fork": 1, "spoon": 1}
    served.close()


def test_each_picture_is_decoded_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    decode: Callable[..., DecodedImage] = image_decoding._decode

    def count(data: bytes, *rest: Any) -> DecodedImage:
        decoded.append(len(data))
        return decode(data, *rest)

    monkeypatch.setattr(image_decoding, "_decode", count)
    enrol(serve(), "spoon", NEW, plain(seed=8), new="true")
    assert sorted(decoded) == sorted([len(NEW), len(plain(seed=8))])


def test_what_comes_in_is_what_index_would_have_made(serve: Serve, shop: Path, encoder: IdentityEncoder) -> None:
    served = serve()
    enrol(served, "spoon", NEW, new="true")
    (shop / "other/spoon").mkdir(parents=True)
    (shop / "other/spoon/1.png").write_bytes(NEW)
    index_catalogue(shop / "other", gallery=shop / "elsewhere", encoder=encoder)
    rows = []
    for folder in ("gallery", "elsewhere"):
        table = Gallery.open(shop / folder).store.images
        (row,) = table.search().where(f"key = '{content_key(NEW)}'").to_list()
        rows.append({name: row[name] for name in ("embedding", "width", "height", "thumbnail", "encoder", "identity")})
    assert rows[0] == rows[1]
