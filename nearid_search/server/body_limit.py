"""A request's body is read no farther than the service lets it, and no longer."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nearid_search.server.problems import problem

MOST_TEXT = 2**20
"""Bytes of a body that is no upload."""


class BodyLimit:
    """Counts the bytes of a body as they come.

    Args:
        app: what is behind it.
        most: bytes of an upload.
        seconds: that a body may take to come.
    """

    def __init__(self, app: ASGIApp, *, most: int, seconds: float) -> None:
        self._app, self._most, self._seconds = app, most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = headers.get("content-type", "").lower().startswith("multipart/")
        most = self._most if is_upload else min(MOST_TEXT, self._most)
        too_large = f"the request is larger than the {most:,} bytes that it may have"
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            await problem(413, too_large)(scope, receive, send)
            return
        deadline = asyncio.get_running_loop().time() + self._seconds
        taken, ended = 0, False

        async def receive_within() -> Message:
            nonlocal taken, ended
            if ended:
                return await receive()  # waits for the caller to leave
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                # An exception of the framework, because it takes others while it reads a body for a bad body.
                raise HTTPException(408, f"the request did not come within {self._seconds:g} s") from error
            taken += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if taken > most:
                raise HTTPException(413, too_large)
            return message

        await self._app(scope, receive_within, send)
