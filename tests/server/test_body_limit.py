"""Bodies are bounded one by one, all together, and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from nearid_search.server.body_limit import LEAST_RATE, WHOLE_UPLOADS, BodyLimit
from nearid_search.server.config import ServeConfig

UPLOAD = {"type": "http", "headers": [(b"content-type", b"multipart/form-data; boundary=x")]}
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def take_all(scope: Any, receive: Receive, _send: Any) -> None:
    """An application that reads a body to its end, and then holds it for as long as it is told."""
    while (await receive())["more_body"]:
        pass
    await scope["held"].wait()


def sent(*parts: bytes, pause: float = 0.0) -> Receive:
    left = list(parts)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return receive


async def send(message: Any) -> None:
    raise AssertionError(message)


def run(story: Coroutine[Any, Any, None]) -> None:
    # In a thread of its own: where a browser is open for other tests, this one has an event loop that runs.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, story).result()


def request(held: asyncio.Event) -> dict[str, Any]:
    return {**UPLOAD, "held": held}


def test_all_that_is_held_together_is_bounded_and_given_back() -> None:
    async def story() -> None:
        limit = BodyLimit(take_all, most=100, seconds=5)  # type: ignore[arg-type]
        held = asyncio.Event()
        first = [asyncio.create_task(limit(request(held), sent(bytes(90)), send)) for _ in range(WHOLE_UPLOADS)]
        await asyncio.sleep(0.01)
        with pytest.raises(HTTPException) as refused:
            await limit(request(held), sent(bytes(50), bytes(20)), send)
        assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "5"})
        held.set()
        await asyncio.gather(*first)
        await limit(request(held), sent(bytes(100)), send)

    run(story())


def test_what_comes_fast_enough_may_take_longer() -> None:
    async def story() -> None:
        limit = BodyLimit(take_all, most=100 * LEAST_RATE, seconds=0.1)  # type: ignore[arg-type]
        held = asyncio.Event()
        held.set()
        await limit(request(held), sent(*[bytes(LEAST_RATE)] * 4, pause=0.08), send)
        with pytest.raises(HTTPException) as refused:
            await limit(request(held), sent(*[b"x"] * 4, pause=0.08), send)
        assert refused.value.status_code == 408

    run(story())


def test_sixteen_photographs_of_a_telephone_fit() -> None:
    from nearid_search.amounts import parse_memory

    assert parse_memory(ServeConfig.max_upload) >= ServeConfig.max_images * 16 * 2**20
