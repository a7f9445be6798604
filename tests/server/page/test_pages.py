"""What the pages say, read without a browser: they hold together, escape names, and offer only what can be done."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from embedding_files import directions, write_embeddings
from html_pages import Page, read_page
from served import Served, files, plain

from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.empty import open_or_make_gallery
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.server.config import ServeConfig

NASTY = '<script>alert(1)</script>/../it\'s "&" 100 %'


@pytest.fixture
def served(store: Path, full_encoder: ImageEncoder) -> Iterator[Served]:
    opened = Served.start(store / "gallery", full_encoder, ServeConfig(), {})
    yield opened
    opened.close()


def get(served: Served, path: str) -> Page:
    response = served.client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-security-policy"].startswith("default-src 'self'; frame-ancestors 'none'")
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"
    return checked(response.text)


def checked(text: str) -> Page:
    page = read_page(text)
    assert not any("style" in element.attributes for element in page.elements)
    assert not [name for element in page.elements for name in element.attributes if name.startswith("on")]
    for script in page.all("script"):
        assert script.attributes["src"].startswith("/static/")
        assert not script.text
    named = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(named) == len(set(named))
    assert {element.attributes["for"] for element in page.all("label") if "for" in element.attributes} <= set(named)
    return page


def words(page: Page, tag: str = "main") -> str:
    return " ".join(page.all(tag)[0].text.split())


def ask(served: Served, *pictures: bytes, **form: str) -> Page:
    response = served.client.post("/answers", files=files(*pictures), data=form)
    assert response.status_code == 200, response.text
    return checked(response.text)


def test_an_answer_stands_beside_the_look_alike(served: Served, store: Path) -> None:
    page = ask(served, (store / "catalog/pot-blue/1.jpg").read_bytes())
    said = words(page)
    assert page.all("h2")[0].text.split()[-1] == "pot-blue"
    for part in (
        "provisional",
        "Most like pot-blue",
        "score 1.000",
        "margin 0.",
        "Probability",
        "2 of 2",
        "Background",
        "1.png",
    ):
        assert part in said, part
    alternatives = [image.attributes.get("alt", "") for image in page.all("img")]
    assert alternatives[0] == "Your picture"
    assert alternatives[1].startswith("Heat map")
    assert alternatives[2:4] == ["Best view of pot-blue", "Best view of vase-blue"]


def test_several_pictures_of_one_thing_get_one_answer(served: Served, store: Path) -> None:
    pictures = [(store / f"catalog/drill-teal/{view}.jpg").read_bytes() for view in (1, 2)]
    assert len(ask(served, *pictures).all("article")) == 2
    page = ask(served, *pictures, same="true")
    (answer,) = page.all("article")
    assert answer.attributes["data-places"] == "[0, 1]"
    assert "2.png" in words(page)


def test_a_picture_that_cannot_be_read_is_named_beside_the_others(served: Served) -> None:
    page = ask(served, plain(), b"no picture")
    assert len(page.all("article")) == 2
    assert "2.png cannot be used" in words(page)
    alone = served.client.post("/answers", files=files(b"no picture"))
    assert alone.status_code == 422
    assert "not an image" in words(checked(alone.text))


@pytest.mark.parametrize("path", ["/identity?name=nothing", "/identity", f"/pictures/{'0' * 64}"])
def test_what_is_not_there_is_a_page_that_says_so(served: Served, path: str) -> None:
    response = served.client.get(path)
    assert response.status_code in (404, 422)
    assert len(words(checked(response.text))) > 40


def test_names_are_text_and_nothing_else(served: Served) -> None:
    renamed = served.client.post("/v1/corrections/rename", json={"identity": "pot-blue", "to": NASTY})
    assert renamed.status_code == 200, renamed.text
    gallery = get(served, "/gallery")
    (address,) = (a.attributes["href"] for a in gallery.all("a") if NASTY in a.text)
    page = get(served, address)
    assert page.all("h1")[0].text == NASTY
    assert "A2" in words(page)
    assert "rename pot-blue is called" in words(page)
    (removal,) = (form for form in page.all("form") if form.attributes.get("data-method") == "DELETE")
    assert served.client.delete(removal.attributes["data-call"]).status_code == 200
    assert NASTY not in words(get(served, "/gallery"))
    assert NASTY in words(get(served, "/history"))


def test_things_come_in_pages_and_by_name(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearid_search.server.page.browsing._IDENTITIES", 3)
    first = get(served, "/gallery")
    (following,) = (a.attributes["href"] for a in first.all("a") if a.text == "Next page")
    assert "vase-blue" not in words(first)
    assert "vase-blue" in words(get(served, following))
    assert "2 things with “blue” in the name" in words(get(served, "/gallery?contains=blue"))


def test_a_read_only_service_offers_nothing_to_do(store: Path, full_encoder: ImageEncoder) -> None:
    served = Served.start(store / "gallery", full_encoder, ServeConfig(read_only=True), {})
    pages = [get(served, path) for path in ("/", "/gallery", "/identity?name=pot-blue", "/review", "/history")]
    pages.append(ask(served, plain()))
    for page in pages:
        assert {form.attributes.get("action") for form in page.all("form")} <= {"/answers", "/gallery"}
        assert "read-only" in words(page, "header")
        assert not [button for button in page.all("button") if "data-decide" in button.attributes]
    served.close()


def test_a_gallery_without_anything_says_what_to_do(tmp_path: Path, full_encoder: ImageEncoder) -> None:
    open_or_make_gallery(tmp_path / "gallery", encoder=full_encoder)
    served = Served.start(tmp_path / "gallery", full_encoder, ServeConfig(), {})
    assert "Add to the gallery" in words(get(served, "/"))
    assert "Add to the gallery" in words(get(served, "/gallery"))
    assert "Nothing looks wrong" in words(get(served, "/review"))
    assert "Nothing has been corrected" in words(get(served, "/history"))
    served.close()


def test_embeddings_without_pictures_are_shown_as_such(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "made.parquet", directions(1, 2), ["cup", "jug"], path=["1.jpg", "2.jpg"])
    import_embeddings(tmp_path / "made.parquet", gallery=tmp_path / "gallery")
    served = Served.start(tmp_path / "gallery", None, ServeConfig(), {})
    assert "cannot look at pictures" in words(get(served, "/"))
    image = get(served, "/identity?name=cup").all("img")[0]
    assert served.client.get(image.attributes["src"]).headers["content-type"] == "image/svg+xml"
    refused = served.client.post("/answers", files=files(plain()))
    assert refused.status_code == 409
    served.close()


def test_what_the_pages_load_is_there(served: Served) -> None:
    loaded = {element.attributes.get("href", "") for element in get(served, "/").all("link")} | {"/static/page.js"}
    for path in loaded:
        response = served.client.get(path)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-cache"
        again = served.client.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert again.status_code == 304
    assert served.client.get("/static/..%2frendering.py").status_code == 404
