"""A request's body is read no farther than the service lets it, and no longer; nor are all of them together."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nearid_search.amounts import format_memory
from nearid_search.server.problems import RETRY_SECONDS, problem

MOST_TEXT = 2**20
"""Bytes of a body that is no upload."""
LEAST_RATE = 2**18
"""Bytes a second that a body must come at if it takes longer than a request may: a slow network, and nobody's trick."""
WHOLE_UPLOADS = 4
"""Uploads of the largest size that may be held at once, on disk while they are received and answered."""


class BodyLimit:
    """Counts the bytes of a body as they come.

    Args:
        app: what is behind it.
        most: bytes of an upload; all that are held together may have ``WHOLE_UPLOADS`` times as many.
        seconds: that a body may take to come, beside what it takes at ``LEAST_RATE``.
    """

    def __init__(self, app: ASGIApp, *, most: int, seconds: float) -> None:
        self._app, self._most, self._seconds = app, most, seconds
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = headers.get("content-type", "").lower().startswith("multipart/")
        most = self._most if is_upload else min(MOST_TEXT, self._most)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            await problem(413, _too_large(most, is_upload=is_upload))(scope, receive, send)
            return
        body = _Body(receive, self._seconds)

        async def receive_within() -> Message:
            before = body.taken
            try:
                message = await body.receive()
            except TimeoutError as error:
                # An exception of the framework, because it takes others while it reads a body for a bad body.
                raise HTTPException(408, f"the request did not come within {self._seconds:g} s") from error
            self._held += body.taken - before
            if body.taken > most:
                raise HTTPException(413, _too_large(most, is_upload=is_upload))
            if self._held > WHOLE_UPLOADS * self._most:
                raise HTTPException(
                    503, "others send as much as there is room for: ask later", {"Retry-After": str(RETRY_SECONDS)}
                )
            return message

        try:
            await self._app(scope, receive_within, send)
        finally:
            self._held -= body.taken


class _Body:
    """One body, and how much of it has come."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive, self._deadline = receive, asyncio.get_running_loop().time() + seconds
        self.taken, self._ended = 0, False

    async def receive(self) -> Message:
        if self._ended:
            return await self._receive()  # waits for the caller to leave
        async with asyncio.timeout_at(self._deadline + self.taken / LEAST_RATE):
            message = await self._receive()
        self.taken += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        return message


def _too_large(most: int, *, is_upload: bool) -> str:
    what = "send fewer pictures at a time, or serve with a larger --max-upload" if is_upload else "send less"
    return f"the request is larger than the {format_memory(most)} that it may have: {what}"
