"""Asking over HTTP gives what asking the engine gives."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from served import Served, files, plain

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.gallery import Gallery

Serve = Callable[..., Served]


@pytest.fixture
def engine(shop: Path, encoder: IdentityEncoder) -> SearchEngine:
    return SearchEngine(Gallery.open(shop / "gallery"), encoder)


def test_answers_are_the_engines(serve: Serve, shop: Path, engine: SearchEngine) -> None:
    pictures = [shop / "catalog/jug/1.png", shop / "catalog/cup/2.png", shop / "catalog/pan/1.png"]
    response = serve().ask(*(path.read_bytes() for path in pictures), k=2)
    assert response.status_code == 200, response.text
    for number, (answer, path) in enumerate(zip(response.json()["answers"], pictures, strict=True), start=1):
        expected = engine.query(path, k=2)
        keys = [image.pop("key") for match in answer["matches"] for image in match["images"]]
        assert keys == [image.key for match in expected.matches for image in match.images]
        assert answer.pop("keys") == [content_key(path.read_bytes())]
        assert answer == replace(expected, query=f"{number}.png").as_dict()


def test_a_set_is_answered_as_one(serve: Serve, shop: Path, engine: SearchEngine) -> None:
    pictures = [shop / "catalog/jug/1.png", shop / "catalog/jug/2.png"]
    (answer,) = serve().ask(*(path.read_bytes() for path in pictures), same=True).json()["answers"]
    assert answer["query"] == "1.png + 2.png"
    assert answer["margin"] == engine.query_set(pictures).margin
    assert answer["keys"] == [content_key(path.read_bytes()) for path in pictures]


def test_a_condition_is_kept(serve: Serve, shop: Path) -> None:
    served = serve()
    cup = (shop / "catalog/cup/1.png").read_bytes()
    (answer,) = served.ask(cup, where="bin = 'B1'").json()["answers"]
    assert {match["identity"] for match in answer["matches"]} == {"jug", "pan"}
    refused = served.ask(cup, where="bin = ")
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:nearid-search:problem:filter")
    assert "cannot filter by 'bin = '" in refused.json()["detail"]


def test_an_explanation_is_the_engines(serve: Serve, shop: Path, engine: SearchEngine) -> None:
    path = shop / "catalog/jug/1.png"
    (answer,) = serve().ask(path.read_bytes(), explain=True).json()["answers"]
    expected = engine.explain(path).explanation
    assert expected is not None
    assert answer["explanation"] == expected.as_dict()


def test_a_picture_that_cannot_be_read_takes_nothing_from_the_others(serve: Serve, shop: Path) -> None:
    served = serve()
    cup = (shop / "catalog/cup/1.png").read_bytes()
    first, broken, last = served.ask(cup, b"hello", cup).json()["answers"]
    assert broken == {"query": "2.png", "error": "not an image: starts with b'hello'"}
    assert first["matches"] == last["matches"]
    for refused in (served.ask(b"hello"), served.ask(cup, b"hello", same=True)):
        problem = refused.json()
        assert (refused.status_code, problem["type"]) == (422, "urn:nearid-search:problem:unreadable-image")
        assert "not an image" in problem["detail"]


def test_a_rejected_picture_is_answered_without_that_identity(serve: Serve) -> None:
    served = serve()
    stranger = plain(seed=3)
    (answer,) = served.ask(stranger).json()["answers"]
    named = answer["matches"][0]["identity"]
    said = {"picture": answer["keys"][0], "identity": named, "because": "looked"}
    assert served.client.post("/v1/corrections/reject", json=said).status_code == 200
    (after,) = served.ask(stranger).json()["answers"]
    assert named not in [match["identity"] for match in after["matches"]]


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"k": "0"}, 422, "body.k"),
        ({"k": "many"}, 422, "body.k"),
        ({"same": "perhaps"}, 422, "body.same"),
    ],
)
def test_what_cannot_be_asked_is_said(serve: Serve, shop: Path, form: dict[str, str], status: int, words: str) -> None:
    cup = (shop / "catalog/cup/1.png").read_bytes()
    refused = serve().ask(cup, cup, **form)
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert words in refused.json()["detail"]


def test_no_picture_and_too_many_are_refused(serve: Serve) -> None:
    served = serve(max_images=2)
    assert served.client.post("/v1/query", files={"other": b"x"}).status_code == 422
    assert served.ask(*[plain()] * 3).status_code == 413
    wrong = served.client.post("/v1/query", json={"images": []})
    assert (wrong.status_code, wrong.json()["title"]) == (415, "Unsupported media type")


def test_a_picture_of_too_many_pixels_is_refused(serve: Serve) -> None:
    refused = serve(max_pixels=0.001).ask(plain(80, 60))
    assert refused.status_code == 422
    assert "pixels" in refused.json()["detail"]


def test_every_file_field_counts(serve: Serve, shop: Path) -> None:
    cup = (shop / "catalog/cup/1.png").read_bytes()
    named = [("images", ("../../etc/p\x07asswd.png", cup, "image/png")), *files(cup)]
    first, second = serve().client.post("/v1/query", files=named).json()["answers"]
    assert "/" not in first["query"]
    assert second["query"] == "1.png"


def test_a_plain_query_does_not_wait_for_explanations(serve: Serve) -> None:
    served = serve()
    served.ask(plain(), explain=True)  # what explains is open
    many = [plain(seed=seed) for seed in range(12)]
    with ThreadPoolExecutor(1) as pool:
        explained = pool.submit(served.ask, *many, explain=True)
        while served.service.explainer.depth < 6:
            assert not explained.done()
        assert served.ask(plain()).status_code == 200
        assert served.service.explainer.depth > 0
        assert all("explanation" in answer for answer in explained.result().json()["answers"])


def test_explanations_that_have_no_room_are_refused(serve: Serve) -> None:
    served = serve(queue=8, max_images=8)
    pictures = [plain(seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(served.ask, *pictures, explain=True) for _ in range(3)]
        statuses = sorted(one.result().status_code for one in asked)
    assert statuses[0] == 200
    assert set(statuses) <= {200, 503}
    assert served.service.explainer.depth == 0
    assert served.ask(plain(), explain=True).status_code == 200
