"""Connections that nobody holds by being slow, and no more of them than there is room for."""

from __future__ import annotations

import asyncio

import h11
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from nearid_search.server.problems import RETRY_SECONDS, problem

MOST_CONNECTIONS = 512
"""Open at once; below the 1,024 files that a process may usually have open."""
HEAD_SECONDS = 10.0
"""That the head of a request may take to come, or as long as a request may take in all if that is less."""


class BoundedConnection(H11Protocol):
    """A connection that is closed if a request's head does not come in time, or its answer is not read.

    The body of a request has a time of its own, see ``BodyLimit``; what comes of it after the answer has that of a
    head. A connection that sends nothing is closed without a word, as browsers open some that they never use.

    Attributes:
        head_seconds: from the connection, or the last answer, to the end of a request's head.
        read_seconds: in which a full send buffer must have been read empty.
        most: connections open at once; one more is told to come back.
    """

    head_seconds = HEAD_SECONDS
    read_seconds = 30.0
    most = MOST_CONNECTIONS
    _timer: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse(503, f"{self.most} connections are open, as many as may be: ask later")
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what has come; once a request's head is there, others watch over the time."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._wait_for_head()

    def pause_writing(self) -> None:
        """Note that the answer waits for its reader."""
        super().pause_writing()
        self._reading = self.loop.call_later(self.read_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the answer has been read."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        super().resume_writing()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        has_begun = self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]
        if has_begun:
            self._refuse(408, f"the head of the request did not come within {self.head_seconds:g} s")
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer before there is a request, and hang up."""
        answer = problem(status, detail, headers={"Connection": "close", "Retry-After": str(RETRY_SECONDS)})
        events = (
            h11.Response(status_code=status, headers=answer.raw_headers),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        )
        self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()


def connection_of(app: FastAPI) -> type[BoundedConnection]:
    """Return what connections to an application are: its requests have as long as its service gives them."""
    limit = app.state.service.config.time_limit

    class Connection(BoundedConnection):
        head_seconds = min(HEAD_SECONDS, limit)
        read_seconds = limit

    return Connection
