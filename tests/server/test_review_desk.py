"""The review is looked for in the background: once for each state, never for longer than a page may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from served import Served

from nearid_search.indexer.review.suggestions import suggest_corrections
from nearid_search.indexer.review.view_neighbours import ask_views
from nearid_search.server.page import reviewing

Serve = Callable[..., Served]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Looks stop in the middle until this is set, as in a gallery that is large."""
    go = threading.Event()

    def wait_first(*arguments: object, on_views: Callable[[int, int], None], **rest: object) -> object:
        on_views(0, 7)
        while not go.wait(0.01):
            on_views(3, 7)
        return ask_views(*arguments, on_views=on_views, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr("nearid_search.indexer.review.suggestions.ask_views", wait_first)
    monkeypatch.setattr(reviewing, "_PATIENCE", 0.05)
    yield go
    go.set()


def test_a_look_is_taken_once_for_each_state(serve: Serve) -> None:
    served = serve()
    desk = served.service.review_desk
    first = desk.look()
    assert first.found.result(30) == suggest_corrections(served.service.current.engine.gallery)
    assert desk.look() is first
    served.client.post("/v1/corrections/rename", json={"identity": "cup", "to": "mug"})
    second = desk.look()
    assert second.number == 2
    assert second.found.result(30).images == 5
    assert second.snapshot is served.service.current
    assert desk.look(1) is first
    assert desk.look(99) is second


def test_the_page_says_how_far_it_is_and_ends_with_the_questions(serve: Serve, held: threading.Event) -> None:
    served = serve()
    started = time.monotonic()
    page = served.client.get("/review").text
    assert time.monotonic() - started < 5
    assert 'data-look="1"' in page
    assert "Looking through 5 pictures" in page
    assert served.client.get("/healthz").status_code == 200
    served.client.post("/v1/corrections/rename", json={"identity": "cup", "to": "mug"})
    # Whoever waits for the first look gets it, whatever has been written since; whoever comes now waits for the next.
    assert 'data-look="2"' in served.client.get("/review").text
    assert "3 of 7 pictures" in served.client.get("/review?look=1").text
    held.set()
    served.service.review_desk.look(2).found.result(30)
    for path in ("/review?look=1", "/review?look=2", "/review"):
        assert "data-look" not in served.client.get(path).text


def test_a_look_that_fails_is_said_and_tried_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve()

    def fail(*_arguments: object, **_rest: object) -> object:
        raise OSError("the disk is gone")

    monkeypatch.setattr("nearid_search.server.review_desk.suggest_corrections", fail)
    assert served.client.get("/review").status_code == 500
    monkeypatch.undo()
    assert served.client.get("/review").status_code == 200


@pytest.mark.usefixtures("held")
def test_a_service_that_stops_waits_for_no_look(serve: Serve) -> None:
    served = serve()
    look = served.service.review_desk.look()
    started = time.monotonic()
    served.service.review_desk.close()
    assert time.monotonic() - started < 10
    assert look.has_failed
