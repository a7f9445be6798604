"""Asking over HTTP gives what asking the engine gives."""

from collections.abc import Callable
from pathlib import Path

from served import Served

from nearid_search.engine import SearchEngine


def test_an_answer_is_the_engines(serve: Callable[..., Served], shop: Path) -> None:
    served = serve()
    file = shop / "catalog/jug/1.png"
    response = served.ask(file.read_bytes(), k=2)
    assert response.status_code == 200, response.text
    (answer,) = response.json()["answers"]
    engine = SearchEngine.open(shop / "gallery", device="cpu")
    expected = engine.query(file, k=2).as_dict()
    assert answer["matches"][0]["identity"] == "jug"
    for match in answer["matches"]:
        for image in match["images"]:
            assert len(image.pop("key")) == 64
    assert answer.pop("keys") == [expected_key(file)]
    assert answer == {**expected, "query": "1.png"}


def expected_key(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()
