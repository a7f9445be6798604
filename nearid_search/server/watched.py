"""Every request is counted and timed, and a fault of ours ends it with a problem instead of a broken connection."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nearid_search.server.metrics import Metrics
from nearid_search.server.problems import problem

# Anybody can make up words: what is counted must not grow with them.
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_log = logging.getLogger(__name__)


class Watched:
    """Counts requests by the pattern of their path.

    Args:
        app: what is behind it.
        metrics: what is told.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            if status:
                raise  # too late for an answer: the server closes the connection
            answer = problem(500, "the service failed to answer this request; its log says more")
            await answer(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.count_request(method, route, status, time.perf_counter() - started)
