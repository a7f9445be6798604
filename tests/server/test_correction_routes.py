"""Corrections over HTTP: what each does, who is named for it, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from served import Served

from nearid_search.indexer.gallery import Gallery
from nearid_search.server.tokens import Token

Serve = Callable[..., Served]


def correct(served: Served, action: str, **body: Any) -> Any:
    response = served.client.post(f"/v1/corrections/{action}", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def test_every_correction(serve: Serve, shop: Path) -> None:
    served = serve()
    views = served.client.get("/v1/identities/cup").json()["images"]
    first = views[0]["key"]
    assert correct(served, "rename", identity="cup", to="mug", because="label")["images"] == 2
    assert correct(served, "split", identity="mug", pictures=[first], into="pot")["images"] == 1
    assert correct(served, "confirm", picture=first, identity="jug")["images"] == 1
    assert correct(served, "merge", identities=["pan"], into="mug")["images"] == 1
    assert correct(served, "reject", picture=first, identity="jug")["images"] == 1
    assert correct(served, "undo")["what"].startswith("not: ")
    assert served.client.delete(f"/v1/identities/jug/images/{first}?because=blurred").json()["why"] == "blurred"
    assert served.client.delete("/v1/identities/mug").json()["images"] == 2
    assert Gallery.open(shop / "gallery").identities() == {"jug": 2}
    assert served.client.get("/v1/identities").json() == {
        "total": 1, "identities": [{"identity": "jug", "images": 2}], "next": None,
    }  # fmt: skip
    past = served.client.get("/v1/history").json()
    assert [entry["entry"] for entry in past["entries"]] == list(range(8, 0, -1))
    assert past["entries"][-1]["why"] == "label"
    page = served.client.get("/v1/history", params={"limit": 3, "before": 6}).json()
    assert ([entry["entry"] for entry in page["entries"]], page["next"]) == ([5, 4, 3], 3)
    about = served.client.get("/v1/history", params={"identity": "pot"}).json()
    assert {entry["action"] for entry in about["entries"]} == {"split", "confirm"}


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("confirm", {"picture": "nothing", "identity": "cup"}, 404),
        ("confirm", {"picture": "0" * 64, "identity": "cup"}, 404),
        ("reject", {"picture": "nothing", "identity": "cup"}, 404),
        ("merge", {"identities": ["cup"], "into": "cup"}, 409),
        ("merge", {"identities": [], "into": "cup"}, 422),
        ("split", {"identity": "cup", "pictures": ["x"], "into": "pot"}, 404),
        ("rename", {"identity": "cup", "to": "jug"}, 409),
        ("rename", {"identity": "cup", "to": "pot", "color": "red"}, 422),
        ("undo", {}, 409),
        ("undo", {"entry": 4}, 404),
        ("undo", {"entry": 10**30}, 422),
    ],
)
def test_what_is_refused(serve: Serve, shop: Path, action: str, body: dict[str, Any], status: int) -> None:
    refused = serve().client.post(f"/v1/corrections/{action}", json=body)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert refused.json()["status"] == status
    assert Gallery.open(shop / "gallery").identities() == {"cup": 2, "jug": 2, "pan": 1}


def test_files_of_the_machine_are_no_pictures(serve: Serve, shop: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes((shop / "catalog/cup/1.png").read_bytes() + b"x")
    served = serve()
    for action in ("confirm", "reject"):
        for name in (str(outside), "/etc/passwd"):
            refused = served.client.post(f"/v1/corrections/{action}", json={"picture": name, "identity": "cup"})
            assert refused.status_code == 404
            assert "in the gallery or as a file" not in refused.json()["detail"]
    assert served.client.delete("/v1/identities/" + "catalog%2Fcup%2F1.png").status_code == 404


@pytest.mark.parametrize(
    ("token", "header", "who"),
    [
        (Token(b"0123456789abcdef"), None, "api"),
        (Token(b"0123456789abcdef"), "Ada", "Ada"),
        (Token(b"0123456789abcdef", "scanner"), None, "scanner"),
        (Token(b"0123456789abcdef", "scanner"), "Zoë", "Zoë (scanner)"),
    ],
)
def test_who_corrected_is_in_the_log(serve: Serve, token: Token, header: str | None, who: str) -> None:
    served = serve(tokens=(token,))
    headers = {b"Authorization": b"Bearer " + token.secret}
    if header is not None:
        headers[b"X-Author"] = header.encode()
    made = served.client.post("/v1/corrections/rename", json={"identity": "cup", "to": "mug"}, headers=headers)
    assert made.json()["who"] == who


def test_a_read_only_service_corrects_nothing(serve: Serve, shop: Path) -> None:
    served = serve(read_only=True)
    for response in (
        served.client.post("/v1/corrections/rename", json={"identity": "cup", "to": "mug"}),
        served.client.delete("/v1/identities/cup"),
    ):
        assert (response.status_code, response.json()["title"]) == (403, "Forbidden")
    assert served.client.get("/v1/gallery").json()["read_only"] is True
    assert served.ask((shop / "catalog/cup/1.png").read_bytes()).status_code == 200


def test_suggestions_say_what_to_send(serve: Serve) -> None:
    served = serve()
    kinds = set()
    for _ in range(10):
        found = served.client.get("/v1/suggestions", params={"margin": 2}).json()
        assert found["images"] == 5
        if not found["suggestions"]:
            break
        suggestion = found["suggestions"][0]
        kinds.add(suggestion["kind"])
        answer = served.client.post(suggestion["keep"]["path"], json=suggestion["keep"]["body"])
        assert answer.status_code == 200, answer.text
    else:
        raise AssertionError("what was answered is offered again")
    assert kinds == {"duplicate", "mixed"}
