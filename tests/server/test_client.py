"""The client gives the records and errors that the library gives."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from served import listening, plain

from nearid_search import Client, SearchEngine
from nearid_search.client import kind_of
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import (
    CorrectionError,
    FilterError,
    GalleryLockedError,
    NotFoundError,
    ServiceBusyError,
    ServiceError,
    UnreadableImageError,
)
from nearid_search.indexer.catalogue.pipeline import content_key
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.records import Failure, QueryAnswer
from nearid_search.server.config import ServeConfig
from nearid_search.server.service import Service
from nearid_search.server.tokens import Token

SECRET = "0123456789abcdef"


@pytest.fixture
def address(shop: Path, encoder: IdentityEncoder) -> Iterator[str]:
    """A service that listens at a real port, in a thread."""
    service = Service(shop / "gallery", ServeConfig(port=0), encoder=encoder)
    with listening(service, (Token(SECRET.encode(), "desk"),)) as found:
        yield found
    service.close()


def explained(answer: QueryAnswer) -> dict[str, Any]:
    assert answer.explanation is not None
    return answer.explanation.as_dict()


def test_answers_are_the_engines_records(address: str, shop: Path, encoder: IdentityEncoder) -> None:
    engine = SearchEngine(Gallery.open(shop / "gallery"), encoder)
    cup, jug = shop / "catalog/cup/1.png", shop / "catalog/jug/1.png"
    with Client(address, token=SECRET) as client:
        assert client.query(cup, k=2) == replace(engine.query(cup, k=2), query="1.png", pictures=())
        assert explained(client.query(cup, explain=True)) == explained(engine.explain(cup))
        both = explained(client.query_set([cup, jug], explain=True))
        assert [picture.pop("query") for picture in both["pictures"]] == ["1.png", "1.png"]
        expected = explained(engine.explain_set([cup, jug]))
        assert [picture.pop("query") for picture in expected["pictures"]] == [str(cup), str(jug)]
        assert both == expected
        assert client.query(str(cup), where="bin = 'B1'").matches == engine.query(cup, where="bin = 'B1'").matches
        assert client.query_set([cup, jug]).margin == engine.query_set([cup, jug]).margin
        first, broken = client.query_many([jug.read_bytes(), b"hello"])
        assert isinstance(first, QueryAnswer)
        assert first.matches == engine.query(jug).matches
        assert broken == Failure("picture 2", "not an image: starts with b'hello'")


def test_corrections_and_looking(address: str) -> None:
    with Client(address, token=SECRET, author="Zoë") as client:
        (made,) = client.enrol("großer Löffel/1", [plain(seed=9)], new=True, because="new")
        assert not isinstance(made, Failure)
        assert (made.who, made.why, made.images) == ("Zoë (desk)", "new", 1)
        assert dict(client.identities()) == {"cup": 2, "großer Löffel/1": 1, "jug": 2, "pan": 1}
        assert dict(client.identities(contains="LÖF")) == {"großer Löffel/1": 1}
        key = content_key(plain(seed=9))
        assert client.confirm(key, "cup").action == "confirm"
        assert client.split("cup", [key], into="spoon").images == 1
        assert client.merge(["spoon"], into="pan").images == 1
        assert client.rename("pan", "wok").images == 2
        assert client.reject(key, "jug").images == 0
        assert client.remove("wok", key).images == 1
        assert client.undo().images == 1
        assert client.remove("jug").images == 2
        assert client.gallery()["images"] == 4


def test_errors_are_the_librarys(address: str, shop: Path) -> None:
    cup = shop / "catalog/cup/1.png"
    with Client(address, token=SECRET) as client:
        with pytest.raises(NotFoundError, match="there is no identity 'cop': did you mean 'cup'"):
            client.merge(["cop"], into="cup")
        with pytest.raises(CorrectionError, match="there is an identity 'jug' already"):
            client.rename("cup", "jug")
        with pytest.raises(FilterError, match="cannot filter by"):
            client.query(cup, where="colour = 1")
        with pytest.raises(UnreadableImageError) as caught:
            client.query(b"hello")
        assert (caught.value.path, caught.value.reason) == ("picture 1", "not an image: starts with b'hello'")
        with pytest.raises(UnreadableImageError, match="no such file"):
            client.query(shop / "nothing.png")
        with pytest.raises(ServiceError) as refused:
            client.query(cup, k=0)
        assert refused.value.status == 422
    with Client(address) as client, pytest.raises(ServiceError, match="there is no token") as refused:
        client.gallery()
    assert refused.value.status == 401


def test_nobody_there_is_said() -> None:
    with (
        Client("http://127.0.0.1:9", timeout=2) as client,
        pytest.raises(ServiceError, match="does not answer") as caught,
    ):
        client.gallery()
    assert caught.value.status == 0


def test_a_locked_gallery_is_said(address: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearid_search.indexer.corrections.desk.WAIT_SECONDS", 0.1)
    written = pytest.raises(GalleryLockedError, match="is being written by process")
    with writer_lock(shop / "gallery"), Client(address, token=SECRET) as client, written:
        client.rename("cup", "mug")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(GalleryLockedError, "gallery-locked"), (ServiceBusyError, "service-busy"), (NotFoundError, "not-found")],
)
def test_kinds(error: type[ServiceError], kind: str) -> None:
    assert kind_of(error) == kind
